//! Every place of the Dataverse reference that is marked as inferred, reported, unknown or in conflict, and what the simulator makes of it: switches
//! with both readings, or the reason why no client can tell the readings apart or depends on one.
//!
//! The judge's reading of one reference must not be the client's own: what stands here without a switch has to say why that is no danger.

use std::collections::BTreeSet;

use cosell_simulator::Assumptions;

use Kept::{No, Switch};

/// What becomes of a doubtful fact.
pub(crate) enum Kept {
    /// These switches of the simulator.
    Switch(&'static [&'static str]),
    /// No switch, because …
    No(&'static str),
}

/// Section of the reference, the fact, and what becomes of it.
#[rustfmt::skip]
const MARKS: &[(&str, &str, Kept)] = &[
    ("1.1", "RS256 or PS256, x5t or x5t#S256", No("all of them are taken, in either combination")),
    ("1.1", "an assertion is good once", Switch(&["assertions_work_once"])),
    ("1.1", "which managed identities may be a federated credential", Switch(&["system_identities_are_no_credentials"])),
    ("1.1", "ext_expires_in is there", No("a further member, whose absence is the documented form")),
    ("1.1", "invalid_client uses 401", Switch(&["unproven_app_is_400"])),
    ("1.1", "AADSTS numbers", No("they stand in a text for people; `error` is what a program reads, and it is documented")),
    ("1.1", "old refresh tokens go on", Switch(&["old_refresh_tokens_keep_working"])),
    ("1.1", "a refresh token is good for another audience", Switch(&["refresh_token_is_bound_to_audience"])),
    ("1.1", "how a client treats its tokens", No("advice for clients, no answer of the service")),
    ("1.2", "403 for an app without a user, or a disabled one", Switch(&["shut_out_is_401"])),
    ("1.2", "WWW-Authenticate leads to the tenant", No("a header beside the 401; who does not look for it misses nothing")),
    ("1.3", "MSCRM.BypassBusinessLogicExecutionStepIds", No("there is no business logic here that could be bypassed")),
    ("1.3", "ids of requests in headers", No("fresh ids for people's eyes; nothing is answered by them")),
    ("2.1", "casing of custom navigation names", No("documented and reported alike; metadata tells the names")),
    ("2.1", "a plus in a query is a space", No("documented for forms; a client that encodes it meets neither reading")),
    ("2.2", "status of a duplicate primary key", No("412 is documented for DuplicateRecord, and the code too")),
    ("2.2", "a currency bound by its code", No("needs an alternate key that the table does not have; refused as every unknown key")),
    ("2.4", "`ne` and empty columns", Switch(&["not_equal_finds_empty"])),
    ("2.4", "page size when the preference is dropped", No("the page ends by its link in either reading; only its length differs")),
    ("2.5", "If-Match with an etag on a row that is gone", Switch(&["gone_row_is_412"])),
    ("2.5", "code of If-None-Match on an existing row", Switch(&["error_codes_are_empty"])),
    ("2.5", "the digits of an etag are the versionnumber", No("documented as opaque; a client that reads them is wrong in both readings")),
    ("2.5", "no ETag in a 204", No("a further header; who wants the version asks for the representation, which is documented")),
    ("2.5", "status of a key that is taken", Switch(&["taken_key_is_400"])),
    ("2.5", "the message embeds the other row as XML", No("words for people")),
    ("2.5", "two upserts of one new key race", No("requests are answered one after the other: the second is an update, or meets the key")),
    ("2.6", "a bind to a missing row is 404", Switch(&["missing_reference_is_400"])),
    ("2.6", "linking what is linked already", Switch(&["linking_twice_is_refused"])),
    ("2.6", "texts of 0x80048d19", No("words for people; the code is the same in all of them")),
    ("2.7", "lines end in CR LF", Switch(&["batch_requires_crlf"])),
    ("2.7", "Content-Length of a part", Switch(&["batch_requires_content_length"])),
    ("2.7", "Content-ID in a change set", Switch(&["batch_requires_content_id"])),
    ("2.7", "form of a failed change set", Switch(&["failed_change_set_is_bare"])),
    ("2.7", "a malformed envelope is answered in JSON", No("there is no boundary that a multipart answer could be read by")),
    ("2.8", "shapes of bulk bodies", No("measured from the official client, which runs against the simulator")),
    ("2.9", "412 or 500 for a duplicate", Switch(&["duplicate_is_500"])),
    ("2.10", "the code may be empty", Switch(&["error_codes_are_empty"])),
    ("2.10", "statuses marked inferred", Switch(&["refusals_are_500"])),
    ("2.10", "500, 502 and 504 are transient", No("how a client takes them; faults inject all three")),
    ("2.10", "429 or 503 for too many workers, 500 or 503 for a busy server", No("faults answer with any status and code")),
    ("3.1", "the customer is derived from the parents", Switch(&["customer_is_derived"])),
    ("3.1", "stage and process on the row", No("columns of the business process flow are not built")),
    ("3.2", "lead tracks changes and keeps versions", No("metadata tells, and can be changed")),
    ("3.3", "a currency that is not set up cannot be used", No("there is no row that a bind could lead to")),
    ("3.3", "opportunityclose rows are not created directly", No("a client that closes by the documented actions never does")),
    ("3.4", "closing raises an Update too", Switch(&["close_raises_update"])),
    ("3.4", "reopening makes a close row", Switch(&["reopening_makes_close_row"])),
    ("3.4", "setting the state to Won or Lost is refused", Switch(&["state_can_be_set"])),
    ("3.4", "a closed row refuses other columns, and how", Switch(&["closed_rows_are_writable", "closed_rows_are_forbidden"])),
    ("3.4", "what is lost must be reopened before it is won", Switch(&["lost_can_be_won"])),
    ("3.4", "reopening by PATCH", No("the only way that anybody reported")),
    ("3.5", "members of QualifyLead's answer", Switch(&["qualify_names_nothing"])),
    ("3.5", "QualifyLead copies columns of an own mapping", Switch(&["qualify_copies_connector_columns"])),
    ("3.5", "the account becomes the contact's parent", No("documented for the site; a client that makes its own rows meets neither")),
    ("3.6", "both updates have one correlation id", No("a fresh id in both readings; what it groups is documented")),
    ("3.8", "smaller bodies of metadata are taken", No("measured from the official client, which runs against the simulator")),
    ("3.8", "making a table takes seconds", No("latency can be set; keys become active later in any case")),
    ("3.8", "what exists already is 400", No("a client must read before it makes, and meets neither")),
    ("3.8", "reads lag behind a change of metadata", Switch(&["metadata_lags"])),
    ("3.9", "names of the environment variables' navigation", No("metadata tells the names")),
    ("4.1", "sending the preference with a delta link is harmless", Switch(&["delta_link_refuses_prefer"])),
    ("4.1", "status of $filter with tracking", No("refused with 400 as every query that does not fit; the text is documented")),
    ("4.1", "status and code of a token that is too old", Switch(&["expired_delta_is_410", "expired_delta_is_412", "expired_delta_is_500", "expired_delta_is_unnamed"])),
    ("4.1", "a change of any column surfaces the row", Switch(&["delta_follows_selected_columns"])),
    ("4.1", "an unchanged row comes again after the first reading", Switch(&["delta_redelivers"])),
    ("4.1", "a restored row appears as new", No("nothing is restored here; another OrganizationId is what a copy shows")),
    ("4.2", "columns that an endpoint needs", Switch(&["endpoint_needs_every_column"])),
    ("4.2", "form of authvalue for headers", Switch(&["secret_headers_are_json"])),
    ("4.2", "deleting an endpoint needs its steps gone", No("refused by CannotDeleteDueToAssociation, which is documented")),
    ("4.2", "bodies of images", No("the columns are documented, and a body is those")),
    ("4.3", "Content-Type of an event", Switch(&["events_have_no_content_type"])),
    ("4.3", "events come more than once", No("faults duplicate, drop, delay and reorder them")),
    ("4.3", "OutputParameters, Win's InputParameters, values of columns", No("an event is a bell: the primary entity and the message are documented")),
    ("4.3", "further members of newer payloads", No("documented advice is to read it as generic JSON")),
    ("4.4", "whose write it was", No("advice for clients; the tag is documented")),
    ("5", "body of a 429", Switch(&["throttling_is_html"])),
    ("5", "whether each item of a batch counts", No("decides only how soon a 429 comes, and that can be set")),
    ("6", "8: a computed revenue replaces what is sent", Switch(&["calculated_revenue_replaces"])),
    ("6", "26: an update's event lacks what did not change", No("documented with the body's shape")),
    ("6", "27: modifiedon and imports", No("advice for clients that poll by it")),
    ("6", "29: merges leave the loser inactive", No("documented columns of both rows")),
    ("6", "30: a deal of an inactive customer", Switch(&["inactive_customer_is_refused"])),
    ("6", "31: the owner of created rows is the app's user", No("documented default of ownerid: the caller")),
    ("6", "32: texts change when they are kept", Switch(&["text_is_trimmed", "line_feeds_become_crlf"])),
    ("6", "34: custom plug-ins refuse with 0x80040265", No("an organisation's own code; faults answer so")),
    ("6", "35: the id of a created row stands in a header only", No("documented for 204")),
    ("7", "what the identity libraries look up first", No("they run against the simulator, with discovery")),
    ("8", "writes to read-only columns", Switch(&["read_only_columns_are_refused"])),
    ("10", "Win and Lose raise an Update; dates in events", Switch(&["close_raises_update"])),
];

#[test]
fn every_doubtful_fact_has_a_switch_or_a_reason() {
    has_a_switch_or_a_reason(MARKS, &["Entra", "Dataverse", "Dataverse webhooks"]);
}

/// Each mark of a reference is a switch that exists or says why it is none, and each switch of these services stands for a mark.
pub(crate) fn has_a_switch_or_a_reason(marks: &[(&str, &str, Kept)], services: &[&str]) {
    let switches = serde_json::to_value(Assumptions::default()).unwrap();
    let switches: BTreeSet<&str> = switches
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut used = BTreeSet::new();
    let mut told = BTreeSet::new();
    for (section, fact, kept) in marks {
        assert!(told.insert((section, fact)), "{section} {fact}: said twice");
        match kept {
            Switch(names) => used.extend(names.iter().copied()),
            No(reason) => assert!(reason.len() > 10, "{section} {fact}: why not?"),
        }
    }
    let unknown: Vec<_> = used.difference(&switches).collect();
    assert!(unknown.is_empty(), "no such switches: {unknown:?}");
    // Which fact of the source a switch stands for is said in its own words.
    let source = include_str!("../../src/assumptions.rs");
    let mut about = "";
    for line in source.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("/// ") {
            if let Some((service, _)) = words.split_once(": ") {
                about = service;
            }
        } else if let Some((name, "true," | "false,")) = line.split_once(": ")
            && services.contains(&about)
        {
            assert!(used.contains(name), "{name} stands for no mark");
        }
    }
}
