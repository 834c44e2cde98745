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
        what: "a lead that is qualified before it crosses: its lane and its opportunity's make a referral each, and one of them never rests",
        ops: "create.0.lead crm.0.won calm crm.0.solution.0",
        shows: |broken| broken.how.contains("the host never gets quiet"),
    },
    Known {
        what: "a contact that the row has no place for is taken off in Partner Center, when it crosses together with something else",
        ops: "create.0.whole calm portal.0.contact.3 portal.0.solution.8",
        shows: |broken| {
            broken
                .how
                .contains("contacts bela.nagy@contoso.example of deal")
                && broken.how.contains("is empty on the side PartnerCenter")
        },
    },
    Known {
        what: "contacts that wait for a person keep a deal that asks for help from being born, and the seller is told to add a contact",
        ops: "hold.contacts.a-person create.0.helped",
        shows: |broken| {
            broken
                .how
                .contains("parked for contact-missing, but the row has a contact")
        },
    },
    Known {
        what: "a parked lane that meets a slow service forgets why it is parked",
        ops: "hold.contacts.a-person create.0.helped calm crm.0.switch.9 cut.6.after at.any2.no-connection calm",
        shows: |broken| broken.how.contains("parked without a reason"),
    },
    Known {
        what: "the switch of a row that a lead became is put on although the row is closed",
        ops: "create.0.lead crm.0.won crm.0.lost",
        shows: |broken| {
            broken.promise == "nobody writes to a closed deal"
                && broken
                    .how
                    .contains("$select=msft_microsoftpartnercenterreferralsync&")
        },
    },
    Known {
        what: "a lead that is closed already is prepared for being qualified",
        ops: "arrive.0 calm crm.0.lost portal.0.open",
        shows: |broken| {
            broken.promise == "nobody writes to a closed deal" && broken.how.contains("/leads(")
        },
    },
    Known {
        what: "a request for help makes a deal visible although visibility waits for a person",
        ops: "hold.visibility.a-person create.0.whole calm crm.0.help.1",
        shows: |broken| {
            broken.promise == "what waits for a person goes when a person says so"
                && broken.how.contains("(visibility)")
        },
    },
    Known {
        what: "what a birth has left to write is taken for newly mapped when the set changes before it is written, and never is",
        ops: "found.0 at.pc!1.503 deliver.1 run.3 swap.1",
        shows: |broken| {
            broken.promise == "a link has two sides" && broken.how.contains("names null")
        },
    },
];
