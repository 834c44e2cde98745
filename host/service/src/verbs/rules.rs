//! What the numbers of the rules mean, in one line each, for people who read an explanation. ARCHITECTURE.md has the whole table.

/// Number and meaning.
pub const RULES: [(&str, &str); 18] = [
    (
        "S5",
        "one side changed it since both were last in step, so it was carried to the other",
    ),
    ("S7", "the receiver holds as much of it as it can"),
    (
        "S8",
        "the mapping changed, not the deal: nobody has edited this",
    ),
    (
        "S9",
        "it was the first time that both sides were compared, and the link policy decided",
    ),
    (
        "S10",
        "both sides changed it, so the policy or a person decided",
    ),
    (
        "S11",
        "lists are merged element by element; only rows that the host made are deleted",
    ),
    (
        "S12",
        "Partner Center is two records: help and Microsoft's decision live on Microsoft's",
    ),
    (
        "S13",
        "one deal has one lane: the younger one handed over to the elder",
    ),
    (
        "S14",
        "records are created once, under an id that every run finds again",
    ),
    (
        "S16",
        "columns, mark and audit line go before the close; a closed record is not touched again",
    ),
    (
        "S17",
        "a lead that becomes an opportunity stays the same deal",
    ),
    (
        "S18",
        "a record that is missing is never deleted on the other side: a person decides",
    ),
    (
        "S19",
        "a deal that ended in Partner Center cannot be opened there again: a person decides",
    ),
    (
        "S22",
        "nothing is written to another CRM organisation than the one that was bound",
    ),
    (
        "S23",
        "an inbound deal belongs to one connection, decided once by rule",
    ),
    (
        "S24",
        "what cannot be taken back waits for its grace period, or for a person",
    ),
    (
        "S25",
        "very many writes in a short time are held until a person looks",
    ),
    (
        "S28",
        "identifier, link, mark and audit line follow the deal and are never synced themselves",
    ),
];

/// What a rule means.
#[must_use]
pub fn meaning(rule: &str) -> Option<&'static str> {
    RULES
        .iter()
        .find(|(number, _)| *number == rule)
        .map(|(_, meaning)| *meaning)
}
