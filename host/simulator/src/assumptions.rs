//! Every doubtful fact about the vendors is one named switch, and the switches live here and nowhere else.
//!
//! A fact is doubtful when the references mark it as inferred, unknown or in conflict, and a client could meet either
//! reading. Both readings are built; the default is the likelier one, or, where both are as likely, the harder one.
//!
//! How often a switch has decided something is counted: a reading that nobody met proves nothing about anybody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// One entry is one fact: what it means when it is on, its name, and the reading that is taken by default.
macro_rules! facts {
    ($($(#[doc = $says:literal])+ $name:ident: $usual:literal,)+) => {
        /// Which reading of each doubtful vendor fact this world takes.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Assumptions {
            $($(#[doc = $says])+ pub $name: bool,)+
        }

        impl Default for Assumptions {
            fn default() -> Self {
                Self { $($name: $usual,)+ }
            }
        }

        #[derive(Debug, Default)]
        struct Decided {
            $($name: AtomicU64,)+
        }

        /// Each fact is asked for where it applies, and counted there: where what is answered, kept or demanded depends on it.
        impl Readings {
            $($(#[doc = $says])+ pub(crate) fn $name(&self) -> bool {
                self.decided.$name.fetch_add(1, Ordering::Relaxed);
                self.taken.$name
            })+

            /// Every fact by its name.
            pub(crate) fn told(&self) -> BTreeMap<&'static str, Reading> {
                let told = [$((stringify!($name), self.taken.$name, &self.decided.$name),)+];
                let told = told.into_iter().map(|(name, is_on, decided)| {
                    (name, Reading { is_on, decided: decided.load(Ordering::Relaxed) })
                });
                told.collect()
            }
        }
    };
}

facts! {
    /// Entra: a refresh token that was redeemed keeps working beside its successor (default: yes, as at Microsoft).
    old_refresh_tokens_keep_working: true,
    /// Entra: a signed assertion is good for one request, as its `jti` is there for (default: yes; the documents only ask for a fresh one).
    assertions_work_once: true,
    /// Entra: a refresh token is good only for the audience that it was issued for, and so is its successor.
    refresh_token_is_bound_to_audience: false,
    /// Entra: an app that does not prove itself is refused with 400 rather than 401.
    unproven_app_is_400: false,
    /// Entra: a system-assigned managed identity is not taken as an app's federated credential, as Microsoft's page on it says, and not what its makers say.
    system_identities_are_no_credentials: false,
    /// Referrals: status of a successful create, 200 by the connector's description, 201 by the response-code page.
    create_answers_201: false,
    /// Referrals: customer names leave HTML-escaped, as in every public sample.
    escape_customer_names: true,
    /// Referrals: `@odata.nextLink` is `http:` and lacks `/engagements`, as in the samples.
    broken_next_link: true,
    /// Referrals: the engagement id in `links.relatedReferrals` is not quoted, as in the 2022 samples.
    unquoted_related_link: true,
    /// Referrals: a partner's own deals say `Incoming` although the partner made them, as seen in live data.
    own_deals_say_incoming: false,
    /// Referrals: an app-only token is refused with 401 rather than 403.
    app_only_is_401: false,
    /// Referrals: lists show Microsoft's referrals of engagements that the caller is part of, not only the caller's own.
    list_shows_related: true,
    /// Referrals: lists show marketplace leads, which the oldest list page calls unsupported.
    list_shows_marketplace_leads: true,
    /// Referrals: customer contacts are fixed as soon as Microsoft's sellers see the deal, rather than once Microsoft is
    /// invited.
    contacts_fixed_once_visible: true,
    /// Referrals: closing as lost or declined without a `statusReason` is refused, as the bulk upload does.
    closing_needs_reason: false,
    /// Referrals: a property that the documents do not know is refused with 400, rather than passed over.
    unknown_properties_are_refused: false,
    /// Referrals: the POST of a shared deal that Microsoft's sellers see already makes Microsoft's referral, instead of a second POST. (partner-center 4)
    one_post_invites_microsoft: false,
    /// Referrals: an independent deal to which Microsoft is invited keeps its type instead of becoming a shared one.
    independent_deals_stay_independent: false,
    /// Referrals: the kind of help of an invitation also stands on the inviter's own referral, where live data says `Unknown`.
    help_code_is_mirrored: false,
    /// Referrals: a second referral of an organisation with the same `externalReferenceId` is refused with 409.
    external_reference_is_unique: false,
    /// Referrals: a create without name, value, currency, close date, solution or a complete seller is refused, as the site does.
    create_requires_what_the_site_does: false,
    /// Referrals: `$filter` by `externalReferenceId`, which no document shows, is refused with 400.
    external_reference_filter_is_refused: false,
    /// Referrals: `$filter` by `externalReferenceId`, which no document shows, is passed over, so that every referral comes.
    external_reference_filter_is_ignored: false,
    /// Referrals: `$filter` by `externalReferenceId`, which no document shows, finds nothing.
    external_reference_filter_finds_nothing: false,
    /// Referrals: a moment in a `$filter` has to be quoted, as all other values are in the documents, and is refused with 400 otherwise.
    date_filters_need_quotes: false,
    /// Referrals: `$filter` by a moment, which only the oldest page lists, is refused with 400.
    date_filters_are_refused: false,
    /// Referrals: `$orderby=updatedDateTime` is refused with 400, as the oldest page knows `createdDateTime` alone.
    order_by_updated_is_refused: false,
    /// Referrals: `$top` is how many referrals a page has, and not how many come in all.
    top_is_a_page_size: false,
    /// Referrals: a move that the states do not allow, and a change of a closed referral, is refused with 409 instead of 400.
    state_conflicts_are_409: false,
    /// Referrals: a deal that nobody has accepted may be won or lost, as the table of states alone allows.
    new_deals_may_be_won: false,
    /// Referrals: a won deal may become a lost one, and the other way round; nothing else of it changes.
    closed_deals_may_change_their_end: false,
    /// Referrals: when an operation of a JSON Patch is refused, those before it stay.
    patches_are_not_atomic: false,
    /// Referrals: a patch that leaves everything as it is gives no new eTag and raises no event.
    patching_nothing_changes_nothing: false,
    /// Referrals: `Prefer: return=representation` is passed over, and a patch is always answered with 204.
    representations_are_never_returned: false,
    /// Referrals: a sales stage leaves as the percentage to which it is mapped, such as `40` for `Develop`.
    sales_stages_are_percents: false,
    /// Referrals: timestamps leave with all seven digits of a fraction, zeros included.
    timestamps_have_seven_digits: false,
    /// Referrals: members without a value and empty lists are left out, instead of leaving as `null` and `[]`.
    empty_members_are_left_out: false,
    /// Referrals: a customer without ids shows `ids: {}`, as old documents do, instead of an empty list.
    empty_ids_are_an_object: false,
    /// Referrals: the state of an American address comes back in `region`, as in some live data.
    us_states_land_in_region: false,
    /// Referrals: referrals carry members that no document knows yet, as twenty appeared from 2019 to 2022.
    answers_carry_new_members: false,
    /// Referrals: an error spells `innererror`, as parts of the documents do, and `unAuthorized` as a sample does.
    inner_error_is_lower_case: false,
    /// Referrals: a referral that is there but not for the caller is answered with 403 instead of 404.
    hidden_referrals_are_403: false,
    /// Referrals: a call without `client-request-id` is refused, as the table of headers says and its own samples do not keep to.
    client_request_id_is_required: false,
    /// Referrals: the role Referrals user may also change the deals whose team names the user, as in 2020.
    referrals_users_may_write: false,
    /// Referrals: 429 comes in the API gateway's shape instead of the service's own.
    throttled_referrals_answer_as_the_gateway: false,
    /// Partner Center webhooks: `ResourceUri` uses the referrals API's real address instead of the documented one.
    resource_uri_is_real_address: false,
    /// Partner Center webhooks: a `related-*` event carries the receiver's own referral id instead of the changed one.
    related_event_carries_own_id: false,
    /// Partner Center webhooks: the certificate file is PEM text instead of DER.
    certificate_as_pem: false,
    /// Partner Center webhooks: the certificate file also holds the intermediate, behind the leaf and in the leaf's own form.
    certificate_with_chain: false,
    /// Partner Center webhooks: the certificate file is the DER as bare base64 text.
    certificate_as_base64: false,
    /// Partner Center webhooks: the certificate is issued for another name than that of its file.
    certificate_subject_is_other: false,
    /// Partner Center webhooks: an organisation is not told what its own API calls have changed.
    own_calls_raise_no_events: false,
    /// Partner Center webhooks: the keys of an event are camelCase, as in the official description, instead of PascalCase.
    event_keys_are_camel_case: false,
    /// Partner Center webhooks: events are called `Referral-Updated` and so on, where they are registered and where they arrive.
    event_names_are_pascal_case: false,
    /// Partner Center webhooks: an event is JSON on several lines instead of compact.
    events_are_pretty_printed: false,
    /// Partner Center webhooks: an event that is not taken is not sent again, instead of nine more times.
    events_are_sent_once: false,
    /// Partner Center webhooks: a validation event is answered with its id as a plain string, as in the official description.
    validation_answers_plain_text: false,
    /// Partner Center webhooks: a registration is shown with all members of the official description, in camelCase.
    registration_shows_full_model: false,
    /// Dataverse: `WinOpportunity` and `LoseOpportunity` also raise an `Update` of the opportunity.
    close_raises_update: true,
    /// Dataverse: reopening an opportunity makes an `opportunityclose` row, as closing does.
    reopening_makes_close_row: true,
    /// Dataverse: `QualifyLead` copies connector columns to the opportunity, as an organisation's own column mapping would.
    qualify_copies_connector_columns: false,
    /// Dataverse: an opportunity for an inactive account or contact is refused.
    inactive_customer_is_refused: true,
    /// Dataverse: linking two rows that are linked already is refused with 412, as the organisation service does.
    linking_twice_is_refused: true,
    /// Dataverse: a duplicate that detection found is answered with 500 (2020 to 2022) rather than 412 (2025).
    duplicate_is_500: false,
    /// Dataverse: a `$batch` body whose lines end in a bare line feed is refused.
    batch_requires_crlf: true,
    /// Dataverse: requests without `Consistency: Strong` see a change of metadata only half a minute later.
    metadata_lags: false,
    /// Dataverse: a change-set item without `Content-ID` is refused.
    batch_requires_content_id: true,
    /// Dataverse: a part of a `$batch` that has a body and no `Content-Length` is refused, as one changelog reports.
    batch_requires_content_length: false,
    /// Dataverse: a change set that failed answers a bare `application/http` part, as OData has it, rather than a nested multipart.
    failed_change_set_is_bare: false,
    /// Dataverse: a link of change tracking that is asked with `Prefer: odata.track-changes` is refused.
    delta_link_refuses_prefer: false,
    /// Dataverse: a delta link that is too old is answered with 410 rather than 400.
    expired_delta_is_410: false,
    /// Dataverse: a delta link that is too old is answered with 412 rather than 400.
    expired_delta_is_412: false,
    /// Dataverse: a delta link that is too old is answered with 500 rather than 400.
    expired_delta_is_500: false,
    /// Dataverse: a delta link that is too old is answered without the code `0x80044352`.
    expired_delta_is_unnamed: false,
    /// Dataverse: a delta delivers the latest changes before its token once more, as the documented sample shows.
    delta_redelivers: false,
    /// Dataverse: a delta tells of a changed row only if one of the selected columns changed.
    delta_follows_selected_columns: false,
    /// Dataverse: `error.code` is empty, as in the documents of 2020.
    error_codes_are_empty: false,
    /// Dataverse: refusals whose status nobody has seen come with 500 rather than 400.
    refusals_are_500: false,
    /// Dataverse: 429 and 503 come as a gateway's HTML page, without the service's JSON.
    throttling_is_html: false,
    /// Dataverse: an application user that is unknown, disabled or without a role is answered with 401 rather than 403.
    shut_out_is_401: false,
    /// Dataverse: a write under an etag to a row that is gone is answered with 412 rather than 404.
    gone_row_is_412: false,
    /// Dataverse: a reference to a row that is not there is refused with 400 rather than 404.
    missing_reference_is_400: false,
    /// Dataverse: an alternate key that another row has is refused with 400 rather than 412.
    taken_key_is_400: false,
    /// Dataverse: columns of a won, lost, qualified or disqualified row can be changed.
    closed_rows_are_writable: false,
    /// Dataverse: a closed row refuses as read-only (`0x8004022e`, 403) rather than as inactive (`0x80040230`, 400).
    closed_rows_are_forbidden: false,
    /// Dataverse: an opportunity that was lost can be won without being reopened, and the other way round.
    lost_can_be_won: false,
    /// Dataverse: setting the state of an open opportunity to Won or Lost closes it, as for other tables.
    state_can_be_set: false,
    /// Dataverse: an opportunity without a customer gets its parent account, or else its parent contact.
    customer_is_derived: true,
    /// Dataverse: a revenue that the platform computes replaces one that is sent.
    calculated_revenue_replaces: true,
    /// Dataverse: a body that names a read-only column is refused, rather than that column passed over.
    read_only_columns_are_refused: false,
    /// Dataverse: `ne` finds rows that have no value at all.
    not_equal_finds_empty: true,
    /// Dataverse: texts lose the blanks at their end.
    text_is_trimmed: false,
    /// Dataverse: line feeds in texts become carriage return and line feed, after the length was looked at.
    line_feeds_become_crlf: false,
    /// Dataverse: the answer of `QualifyLead` names none of the rows that it made.
    qualify_names_nothing: false,
    /// Dataverse webhooks: an endpoint without `connectionmode`, `path`, `solutionnamespace` and `userclaim` is refused, as its table's page says.
    endpoint_needs_every_column: false,
    /// Dataverse webhooks: secret headers are given to an endpoint as a JSON object; what is given as XML never arrives.
    secret_headers_are_json: false,
    /// Dataverse webhooks: events come without a `Content-Type`.
    events_have_no_content_type: false,
}

/// How a fact is read, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// Whether the switch is on.
    pub is_on: bool,
    /// How often something was answered, kept or demanded by this fact since the world began.
    pub decided: u64,
}

/// The readings of one world. All clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readings {
    taken: Assumptions,
    decided: Arc<Decided>,
}

impl Readings {
    pub(crate) fn new(taken: Assumptions) -> Self {
        Self {
            taken,
            decided: Arc::default(),
        }
    }

    /// The same readings in another world, where nothing was decided yet.
    pub(crate) fn afresh(&self) -> Self {
        Self::new(self.taken.clone())
    }
}
