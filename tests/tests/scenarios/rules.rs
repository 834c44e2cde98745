//! The rules of the sync, and the tests that are named after them.

use std::path::Path;

use cosell_tests::page::root;

/// A rule, and what proves it.
pub(crate) struct Rule {
    /// From 1, as in ARCHITECTURE.md.
    pub(crate) number: usize,
    /// What it says, in a line.
    pub(crate) says: &'static str,
    /// The tests named after it: file and name.
    pub(crate) tests: Vec<(String, String)>,
}

const RULES: [&str; 31] = [
    "look → read → plan → write out → act → remember; a preview stops before act",
    "one bell per record; a run answers what rang before its look",
    "each unit is writable, create-only, one-way, until-shared or read-only, by side and phase; what cannot be written is explained once",
    "absent, empty and a value are three things; absent never plans a write",
    "a unit has changed on a side when it differs from that side's own base; an echo is an empty plan",
    "a base moves with the write that moved it, from what that write returned",
    "alike is equal after the receiver's own round trip; a cut copy never replaces the original",
    "a changed mapping is told from an edit, and applied only as ordered",
    "at the first link: equal is known, one empty is filled, differing follows the link policy",
    "a conflict follows its policy; no clock decides, and the loser is in the audit",
    "lists merge by element; only rows that the host made are deleted",
    "Partner Center is two records, ours and Microsoft's; an invitation is two posts",
    "a lane has its own identity; two lanes at birth become one, two linked ones never",
    "creating twice creates once",
    "writes are conditional, with their own id, or unconditional; a close rides behind a conditional write",
    "columns, mark and audit line go before the close; nothing is reopened to write a receipt",
    "a lead that becomes an opportunity is the same deal, and never a second referral",
    "a missing record never propagates: no writes, and a person decides",
    "Partner Center's end is terminal; a reopened row asks a person",
    "a birth waits for a quiet moment and, without a cross, for what is missing",
    "sync off pauses and on again shows; never a second referral",
    "a connection is bound to its CRM: a moved or copied environment is quarantined",
    "an inbound deal is routed once, by rule, and that is stored",
    "what cannot be taken back waits for its permit; no contact leaves before consent",
    "a mass change is held and shown",
    "parked stays parked until something but our own mark has changed; one mark for one failure",
    "a deal that swings is parked",
    "mark, audit line, identifier and link never enter the merge",
    "the folder proposes, the store says: a run keeps its set, and hosts of one store serve one set or take up no deal",
    "a candidate is judged by the writes that would be planned with it, before it serves",
    "subscriptions follow what the set reads; rows below a deal and rows that it looks at ring for it",
];

/// All of them, with their tests.
///
/// # Errors
/// Rules that no test is named after; a rule of ARCHITECTURE.md that is not here.
pub(crate) fn rules() -> Result<Vec<Rule>, String> {
    let unreadable = |error: std::io::Error| format!("ARCHITECTURE.md: {error}");
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).map_err(unreadable)?;
    let there = page.lines().filter(|line| is_rule(line)).count();
    if there != RULES.len() {
        return Err(format!(
            "ARCHITECTURE.md has {there} rules and this page {}: say here, too, what the others are",
            RULES.len()
        ));
    }
    let mut tests = Vec::new();
    for place in ["host", "plugins", "tests", "guest-sdk"] {
        collect(&root().join(place), &mut tests)?;
    }
    tests.sort();
    let rules: Vec<Rule> = (1..)
        .zip(RULES)
        .map(|(number, says)| {
            let named = format!("s{number}_");
            let own = tests.iter().filter(|(_, test)| test.starts_with(&named));
            Rule {
                number,
                says,
                tests: own.cloned().collect(),
            }
        })
        .collect();
    let unproven: Vec<String> = rules
        .iter()
        .filter(|rule| rule.tests.is_empty())
        .map(|rule| format!("S{}", rule.number))
        .collect();
    if unproven.is_empty() {
        return Ok(rules);
    }
    Err(format!(
        "no test is named after {}: a rule without a proof is a wish. Name one s{}_…",
        unproven.join(", "),
        unproven[0].trim_start_matches('S')
    ))
}

/// `| S7 | …`
fn is_rule(line: &str) -> bool {
    let number = line
        .strip_prefix("| S")
        .and_then(|rest| rest.split(' ').next());
    number.is_some_and(|number| number.parse::<usize>().is_ok())
}

fn collect(place: &Path, tests: &mut Vec<(String, String)>) -> Result<(), String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", place.display());
    for entry in std::fs::read_dir(place).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            collect(&path, tests)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).map_err(unreadable)?;
            let file = path.strip_prefix(root()).unwrap_or(&path);
            let found = named_after_rules(&text);
            tests.extend(found.map(|test| (file.display().to_string(), test.to_owned())));
        }
    }
    Ok(())
}

/// Functions that are tests and are named after a rule. An attribute stands at most a few lines before its function.
fn named_after_rules(text: &str) -> impl Iterator<Item = &str> {
    const ABOVE: usize = 4;
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let name = line
            .strip_prefix("async ")
            .unwrap_or(line)
            .strip_prefix("fn s")
            .and_then(|rest| rest.split(['(', '<']).next());
        let Some(name) = name else { continue };
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        let is_rule = digits > 0 && name[digits..].starts_with('_');
        let is_test = lines[at.saturating_sub(ABOVE)..at]
            .iter()
            .any(|above| above.starts_with("#[test]") || above.starts_with("#[tokio::test"));
        if is_rule && is_test {
            let start = line.find("fn s").unwrap_or(0) + "fn ".len();
            found.push(&line[start..start + 1 + name.len()]);
        }
    }
    found.into_iter()
}
