//! Every place of the Partner Center reference that is marked as inferred, seen, unknown or in conflict, and what the simulator makes of it: switches
//! with both readings, or the reason why no client can tell the readings apart or depends on one. For Dataverse and Entra there is a list of its own.

use std::collections::BTreeSet;

use cosell_simulator::Assumptions;

use Kept::{No, Switch};

/// What becomes of a doubtful fact.
enum Kept {
    /// These switches of the simulator.
    Switch(&'static [&'static str]),
    /// No switch, because …
    No(&'static str),
}

/// Section of the reference, the fact, and what becomes of it.
#[rustfmt::skip]
const MARKS: &[(&str, &str, Kept)] = &[
    ("1.1", "there is no sandbox", No("it is what the simulator is for")),
    ("1.2", "device code works for the referrals API", No("how a token is come by changes nothing about what it opens")),
    ("1.2", "signing in by password", No("in conflict and on its way out; whoever needs it gets the documented refusal of Entra")),
    ("1.2", "one refresh token for both audiences, its age, its revocation", No("Entra's, whose facts stand in the other list; control revokes and expires")),
    ("1.2", "an app-only token is refused, and how", Switch(&["app_only_is_401"])),
    ("1.2", "a Referrals user reads the deals whose team names the mail", No("by name or by mail, the deal is there or it is not; control gives and takes the role")),
    ("1.2", "a Referrals user may not write", Switch(&["referrals_users_may_write"])),
    ("1.3", "client-request-id is required", Switch(&["client_request_id_is_required"])),
    ("1.3", "PUT needs If-Match", No("PUT is obsolete and deprecated; nobody new should call it")),
    ("1.3", "a representation is answered with 200", Switch(&["representations_are_never_returned"])),
    ("1.3", "X-Caller-Id is kept as the origin", No("a label for people; nothing is answered by it")),
    ("1.5", "new members appear without notice", Switch(&["answers_carry_new_members"])),
    ("2", "maximum lengths", No("no number is known, and any would be ours; a refusal of a value is a refusal whatever its reason")),
    ("2", "missing values are null, missing lists are empty", Switch(&["empty_members_are_left_out"])),
    ("2", "digits of a fraction", Switch(&["timestamps_have_seven_digits"])),
    ("2", "input that no document knows", Switch(&["unknown_properties_are_refused"])),
    ("2.1", "what is read-only by behaviour", No("a value that is sent for it is dropped; a switch would be about what a wrong client gets")),
    ("2.1", "the deadline is null on own deals", No("a moment that is shown to people")),
    ("2.1", "defaults of qualification, quality, sensitivity, registration", No("shown, and never a condition of anything")),
    ("2.1", "own deals read Incoming", Switch(&["own_deals_say_incoming"])),
    ("2.1", "createdVia and lastRunId can be written", No("tags without an effect")),
    ("2.1", "the customer's name leaves escaped", Switch(&["escape_customer_names"])),
    ("2.2", "ids is an object", Switch(&["empty_ids_are_an_object"])),
    ("2.2", "the state lands in region", Switch(&["us_states_land_in_region"])),
    ("2.2", "null titles, further members of a member", No("covered by null and by new members in general")),
    ("2.5", "a substatus Error", No("control lets a deal fail; both ways on are built")),
    ("2.5", "Declined only from New, Won and Lost only from Active", Switch(&["new_deals_may_be_won"])),
    ("2.5", "whether a closed deal can change its end", Switch(&["closed_deals_may_change_their_end"])),
    ("2.5", "an invitation that is not answered expires after 14 days", No("the clock can be moved; only the day of it differs")),
    ("2.5", "a reason is demanded to close", Switch(&["closing_needs_reason"])),
    ("2.6", "words or percentages", Switch(&["sales_stages_are_percents"])),
    ("2.7", "customerAction, incentiveLevel, solutionType", No("their values are unknown, and they are handed through")),
    ("2.7", "where partner role, solution area and play travel", No("no payload with them is known; the slot takes any type")),
    ("2.8", "Unknown is the default, also on own referrals", Switch(&["help_code_is_mirrored"])),
    ("3.1", "status of a create", Switch(&["create_answers_201"])),
    ("3.1", "what the site requires, the API does", Switch(&["create_requires_what_the_site_does"])),
    ("3.1", "our id need not be unique", Switch(&["external_reference_is_unique"])),
    ("3.3", "a moment in a filter is not quoted", Switch(&["date_filters_need_quotes", "date_filters_are_refused"])),
    ("3.3", "a filter by our id", Switch(&["external_reference_filter_is_refused", "external_reference_filter_is_ignored", "external_reference_filter_finds_nothing"])),
    ("3.3", "the oldest page orders by createdDateTime alone", Switch(&["order_by_updated_is_refused"])),
    ("3.3", "whether $top limits the list or the page", Switch(&["top_is_a_page_size"])),
    ("3.3", "a count that nobody asked for", No("a further member; the list is as long as its pages")),
    ("3.3", "nextLink is broken", Switch(&["broken_next_link"])),
    ("3.3", "lists show Microsoft's referrals", Switch(&["list_shows_related"])),
    ("3.3", "marketplace leads are listed", Switch(&["list_shows_marketplace_leads"])),
    ("3.4", "other paths, /name among them", No("a client that keeps to the list meets neither; one that does not is refused in the harder reading")),
    ("3.4", "there is no remove", No("documented are two operations")),
    ("3.4", "a patch is atomic", Switch(&["patches_are_not_atomic"])),
    ("3.6", "shape of an etag", No("documented as opaque; a client that reads it is wrong in both readings")),
    ("3.6", "a patch of nothing gives a new etag", Switch(&["patching_nothing_changes_nothing"])),
    ("3.6", "preconditionFailed or resourceModified", No("the status is 412 in both, and codes are not to be matched where a status says it")),
    ("3.7", "innerError or innererror, unauthenticated or unAuthorized", Switch(&["inner_error_is_lower_case"])),
    ("3.7", "an illegal move is 400", Switch(&["state_conflicts_are_409"])),
    ("3.7", "what is not visible is 404", Switch(&["hidden_referrals_are_403"])),
    ("4", "the link to related referrals", Switch(&["unquoted_related_link"])),
    ("4", "a partner-led deal is Independent and visible", No("both values are the client's own to send")),
    ("4", "contacts are fixed once visible, or once shared", Switch(&["contacts_fixed_once_visible"])),
    ("4", "a second POST invites", Switch(&["one_post_invites_microsoft"])),
    ("4", "the server makes an invited deal Shared", Switch(&["independent_deals_stay_independent"])),
    ("5.1", "own calls raise events", Switch(&["own_calls_raise_no_events"])),
    ("5.1", "related-* is about another party's referral, and which id it carries", Switch(&["related_event_carries_own_id"])),
    ("5.1", "spelling of event names", Switch(&["event_names_are_pascal_case"])),
    ("5.2", "host and path of ResourceUri", Switch(&["resource_uri_is_real_address"])),
    ("5.2", "AuditUri or AuditUrl", No("null in every event about a referral")),
    ("5.2", "casing of keys", Switch(&["event_keys_are_camel_case"])),
    ("5.2", "compact JSON", Switch(&["events_are_pretty_printed"])),
    ("5.4", "form of the certificate file", Switch(&["certificate_as_pem", "certificate_as_base64", "certificate_with_chain"])),
    ("5.4", "subject of the certificate", Switch(&["certificate_subject_is_other"])),
    ("5.4", "how far a receiver hardens the check", No("a receiver's own; faults send what it has to refuse")),
    ("5.5", "ten attempts, their spacing, the wait for an answer", Switch(&["events_are_sent_once"])),
    ("5.5", "order, duplicates, loss", No("faults reorder, double, delay and drop them")),
    ("5.6", "correlationId in an object or alone", Switch(&["validation_answers_plain_text"])),
    ("5.6", "which members a registration shows", Switch(&["registration_shows_full_model"])),
    ("5.6", "one registration for the tenant", No("the harder reading; who registers per event replaces the same address by itself")),
    ("5.6", "no DELETE, no end", No("the harder reading; 405")),
    ("5.6", "whether the address has to be https, and how long it may be", No("a public receiver is https in either reading")),
    ("5.6", "states of a validation but completed", No("words that are shown to a person")),
    ("6", "numeric limits", No("faults throttle when they are told to")),
    ("6", "body of the referrals host's 429", Switch(&["throttled_referrals_answer_as_the_gateway"])),
    ("9.9", "invitedBy spells a name otherwise", No("the id is what counts, and it is documented")),
];

#[test]
fn every_doubtful_fact_of_partner_center_has_a_switch_or_a_reason() {
    let switches = serde_json::to_value(Assumptions::default()).unwrap();
    let switches: BTreeSet<&str> = switches
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut used = BTreeSet::new();
    let mut told = BTreeSet::new();
    for (section, fact, kept) in MARKS {
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
            && matches!(about, "Referrals" | "Partner Center webhooks")
        {
            assert!(used.contains(name), "{name} stands for no mark");
        }
    }
}
