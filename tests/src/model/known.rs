//! Mistakes of the host that are known and not mended yet. A history that shows one is counted and told, and not made short.
//!
//! An entry goes with the mistake; the list is empty when all is well.

use super::judge::Broken;

/// What is known, the shortest history that shows it, and how it is recognised.
pub struct Known {
    /// What the host does wrong.
    pub what: &'static str,
    /// The shortest history.
    pub ops: &'static str,
    /// Promise and words of its breach.
    pub shows: fn(&Broken) -> bool,
}

/// See the module.
pub const KNOWN: &[Known] = &[
    Known {
        what: "a row that was closed before its referral was born stays open in Partner Center, and nobody says why",
        ops: "create.0.whole crm.0.won",
        shows: |broken| {
            broken
                .how
                .contains("settled: state is \"won\" in the CRM and \"open\"")
                || broken
                    .how
                    .contains("settled: state is \"lost\" in the CRM and \"open\"")
        },
    },
    Known {
        what: "taking the last solution off a deal that Microsoft sees parks the whole deal",
        ops: "create.0.helped calm crm.0.solution.0",
        shows: |broken| broken.how.contains("solutionIdRequired"),
    },
    Known {
        what: "the cross of a failure is written to a closed row",
        ops: "create.0.draft crm.0.won",
        shows: |broken| {
            broken.promise == "nobody writes to a closed deal"
                && broken
                    .how
                    .contains("$select=msft_microsoftpartnercenterreferralsyncaudit")
        },
    },
    Known {
        what: "an incomplete deal whose lane has heard of its solution first takes the solution for its row, and never crosses",
        ops: "create.0.draft crm.0.solution.1 overtake.3",
        shows: |broken| {
            broken
                .how
                .contains("the row is switched on, and there is no referral")
        },
    },
    Known {
        what: "a text that is cut when its row is created is never told",
        ops: "found.0 portal.0.notes.9",
        shows: |broken| broken.how.contains("settled: notes is \"notes 9 xxx"),
    },
    Known {
        what: "a solution that is taken off in the portal while its row is being made comes back",
        ops: "found.0 at.any8.portal.0.solution.3 calm",
        shows: |broken| {
            broken
                .how
                .contains("\"\" was the last that was said of solutions")
        },
    },
    Known {
        what: "a solution that a seller adds while a list is half written to the CRM is taken for our own half, and never crosses",
        ops: "create.0.helped calm crm.0.value.9 deliver.1 at.crm!1.done-but-500 portal.0.solution.2 run.1 crm.0.solution.1",
        shows: |broken| {
            broken.how.contains("settled: solutions ")
                && broken
                    .how
                    .contains("is \"there\" in the CRM and \"\" in Partner Center")
        },
    },
    Known {
        what: "what a seller changes in a row between its creation and the look after it is remembered as what was sent, and never crosses",
        ops: "found.0 deliver.1 at.any8.crm.0.value.1 run.2",
        shows: |broken| {
            ["value", "notes", "close-date", "help"]
                .iter()
                .any(|unit| broken.how.contains(&format!("settled: {unit} is")))
        },
    },
    Known {
        what: "a solution that is there twice in the CRM is asked about for ever",
        ops: "arrive.0 at.crm!3.crm.0.solution.0 portal.0.open overtake.1 run.1",
        shows: |broken| {
            broken.how.contains("held: a question (solutions:")
                && broken.how.contains("nothing differs")
        },
    },
    Known {
        what: "when both sides change a list and a policy decides, what the loser has added stays on its side only",
        ops: "policy.crm create.0.whole calm portal.0.solution.1 crm.0.solution.1 portal.0.solution.8",
        shows: |broken| {
            broken.how.contains("settled: solutions ")
                && broken
                    .how
                    .contains("is \"\" in the CRM and \"there\" in Partner Center")
        },
    },
];
