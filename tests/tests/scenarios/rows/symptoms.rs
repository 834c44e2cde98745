//! What went wrong with Microsoft's connector: the message or the complaint, and what its users were told to do about it. A symptom that
//! cannot arise any more is shown by what stands in its place.

use super::Sentence;

pub(super) const ROWS: &[Sentence] = &[
    (
        "symptom.activation",
        "`WorkflowTriggerNotFound` when a flow is switched on: recreate the connection, toggle the child flow, reinstall",
        "nothing is switched on: a component in the folder serves, or says beside itself why not",
    ),
    (
        "symptom.child-flows",
        "`ChildFlowNeverPublished`: activate the helper flows first",
        "there is no order to keep: plugins arrive in any order, while the host runs",
    ),
    (
        "symptom.sign-in",
        "sign-in error: the user is no referrals admin, or signed in with the wrong account",
        "the log names credential, role and remedy; no deal is blamed, and all go on by themselves",
    ),
    (
        "symptom.connections",
        "connections cannot be added while editing: open each flow, fix each warning by hand",
        "one file; every mistake in it is told at once, with its line and what to do",
    ),
    (
        "symptom.turn-on",
        "flows will not turn on: right order, right connection, register the webhook with all four events and overwrite",
        "the host registers all four events itself, and names the address that it replaces",
    ),
    (
        "symptom.unexpected",
        "`Request to XRM API failed … 0x80040216`: expose fewer fields",
        "an unexpected error of the CRM is looked into and tried again: nothing is lost or doubled",
    ),
    (
        "symptom.enum",
        "`requires the property 'item/Status' to be set to one of its defined enum values`: edit the flow",
        "a status reason that the CRM does not have is named with its column and its setting",
    ),
    (
        "symptom.access.crm",
        "\"Access denied\": roles on both sides, and sign in once",
        "the CRM's answer names the missing role and where to give it",
    ),
    (
        "symptom.access.partner-center",
        "\"Access denied\": roles on both sides, and sign in once",
        "Partner Center's answer names the missing role; no deal is taken for deleted",
    ),
    (
        "symptom.required-column",
        "an error on *Create a new opportunity*: look into the run, expand the steps",
        "a column that the organisation requires is named, with the plugin's remedy",
    ),
    (
        "symptom.country",
        "the account has no country code: enter the two letters",
        "named in the row and in the log; mended by the account and the next save, or `cosell retry`",
    ),
    (
        "symptom.solution",
        "\"Solution ID is required\": add a co-sell-ready solution",
        "named in the row and in the log; mended by adding one",
    ),
    (
        "symptom.all-at-once",
        "the referral is not synced properly: look for solution, country, contact",
        "everything that is missing is named in one line",
    ),
    (
        "symptom.silent.off",
        "not synced, and no error: follow the runs, look whether the deal was closed",
        "a deal that is left alone says why: its switch is off",
    ),
    (
        "symptom.silent.closed",
        "not synced, and no error: follow the runs, look whether the deal was closed",
        "a deal that is left alone says why: it was closed before it was ever linked",
    ),
    (
        "symptom.leads",
        "leads do not arrive: register the webhook again, or open a ticket",
        "a lead arrives although no event ever came",
    ),
    (
        "symptom.registration",
        "the flow never fires although it is registered: open a ticket",
        "the registration is looked at with every sweep, and healed when another address has taken it",
    ),
    (
        "symptom.password",
        "disconnected, and syncs were missed: sign in again, then touch every deal with a small edit",
        "the log says who has to sign in; afterwards every deal goes on by itself, untouched",
    ),
    (
        "symptom.duplicates",
        "duplicates, many runs: wait a minute between two saves",
        "five saves in a row make one referral and one account",
    ),
    (
        "symptom.logs",
        "where are the logs: analytics, errors, run history, expand the steps",
        "one line of the log names deal, field, rule and remedy, and the deal's history says the same",
    ),
    (
        "symptom.success",
        "success is a mark before the name and a line in Audit",
        "a check mark and a line, and a cross while something is wrong",
    ),
];
