//! Every doubtful fact about the vendors is one named switch, and the switches live here and nowhere else.
//!
//! A fact is doubtful when the references mark it as inferred, unknown or in conflict, and a client could meet either
//! reading. Both readings are built; the default is the likelier one, or, where both are as likely, the harder one.

use serde::{Deserialize, Serialize};

/// Which reading of each doubtful vendor fact this world takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Assumptions {
    /// Entra: a refresh token that was redeemed keeps working beside its successor (default: yes, as at Microsoft).
    pub old_refresh_tokens_keep_working: bool,
    /// Entra: a signed assertion is good for one request, as its `jti` is there for (default: yes; the documents only ask for a fresh one).
    pub assertions_work_once: bool,
    /// Referrals: status of a successful create, 200 by the connector's description, 201 by the response-code page.
    pub create_answers_201: bool,
    /// Referrals: customer names leave HTML-escaped, as in every public sample.
    pub escape_customer_names: bool,
    /// Referrals: `@odata.nextLink` is `http:` and lacks `/engagements`, as in the samples.
    pub broken_next_link: bool,
    /// Referrals: the engagement id in `links.relatedReferrals` is not quoted, as in the 2022 samples.
    pub unquoted_related_link: bool,
    /// Referrals: a partner's own deals say `Incoming` although the partner made them, as seen in live data.
    pub own_deals_say_incoming: bool,
    /// Referrals: an app-only token is refused with 401 rather than 403.
    pub app_only_is_401: bool,
    /// Referrals: lists show Microsoft's referrals of engagements that the caller is part of, not only the caller's own.
    pub list_shows_related: bool,
    /// Referrals: lists show marketplace leads, which the oldest list page calls unsupported.
    pub list_shows_marketplace_leads: bool,
    /// Referrals: customer contacts are fixed as soon as Microsoft's sellers see the deal, rather than once Microsoft is
    /// invited.
    pub contacts_fixed_once_visible: bool,
    /// Referrals: closing as lost or declined without a `statusReason` is refused, as the bulk upload does.
    pub closing_needs_reason: bool,
    /// Referrals: a property that the documents do not know is refused with 400, rather than passed over.
    pub unknown_properties_are_refused: bool,
    /// Referrals: the POST of a shared deal that Microsoft's sellers see already makes Microsoft's referral, instead of a second POST. (partner-center 4)
    pub one_post_invites_microsoft: bool,
    /// Referrals: an independent deal to which Microsoft is invited keeps its type instead of becoming a shared one.
    pub independent_deals_stay_independent: bool,
    /// Referrals: the kind of help of an invitation also stands on the inviter's own referral, where live data says `Unknown`.
    pub help_code_is_mirrored: bool,
    /// Referrals: a second referral of an organisation with the same `externalReferenceId` is refused with 409.
    pub external_reference_is_unique: bool,
    /// Referrals: a create without name, value, currency, close date, solution or a complete seller is refused, as the site does.
    pub create_requires_what_the_site_does: bool,
    /// Referrals: `$filter` by `externalReferenceId`, which no document shows, is refused with 400.
    pub external_reference_filter_is_refused: bool,
    /// Referrals: `$filter` by `externalReferenceId`, which no document shows, is passed over, so that every referral comes.
    pub external_reference_filter_is_ignored: bool,
    /// Referrals: `$filter` by `externalReferenceId`, which no document shows, finds nothing.
    pub external_reference_filter_finds_nothing: bool,
    /// Referrals: a moment in a `$filter` has to be quoted, as all other values are in the documents, and is refused with 400 otherwise.
    pub date_filters_need_quotes: bool,
    /// Referrals: `$filter` by a moment, which only the oldest page lists, is refused with 400.
    pub date_filters_are_refused: bool,
    /// Referrals: `$orderby=updatedDateTime` is refused with 400, as the oldest page knows `createdDateTime` alone.
    pub order_by_updated_is_refused: bool,
    /// Referrals: `$top` is how many referrals a page has, and not how many come in all.
    pub top_is_a_page_size: bool,
    /// Referrals: a move that the states do not allow, and a change of a closed referral, is refused with 409 instead of 400.
    pub state_conflicts_are_409: bool,
    /// Referrals: a deal that nobody has accepted may be won or lost, as the table of states alone allows.
    pub new_deals_may_be_won: bool,
    /// Referrals: a won deal may become a lost one, and the other way round; nothing else of it changes.
    pub closed_deals_may_change_their_end: bool,
    /// Referrals: when an operation of a JSON Patch is refused, those before it stay.
    pub patches_are_not_atomic: bool,
    /// Referrals: a patch that leaves everything as it is gives no new eTag and raises no event.
    pub patching_nothing_changes_nothing: bool,
    /// Referrals: `Prefer: return=representation` is passed over, and a patch is always answered with 204.
    pub representations_are_never_returned: bool,
    /// Referrals: a sales stage leaves as the percentage to which it is mapped, such as `40` for `Develop`.
    pub sales_stages_are_percents: bool,
    /// Referrals: timestamps leave with all seven digits of a fraction, zeros included.
    pub timestamps_have_seven_digits: bool,
    /// Referrals: members without a value and empty lists are left out, instead of leaving as `null` and `[]`.
    pub empty_members_are_left_out: bool,
    /// Referrals: a customer without ids shows `ids: {}`, as old documents do, instead of an empty list.
    pub empty_ids_are_an_object: bool,
    /// Referrals: the state of an American address comes back in `region`, as in some live data.
    pub us_states_land_in_region: bool,
    /// Referrals: referrals carry members that no document knows yet, as twenty appeared from 2019 to 2022.
    pub answers_carry_new_members: bool,
    /// Referrals: an error spells `innererror`, as parts of the documents do, and `unAuthorized` as a sample does.
    pub inner_error_is_lower_case: bool,
    /// Referrals: a referral that is there but not for the caller is answered with 403 instead of 404.
    pub hidden_referrals_are_403: bool,
    /// Referrals: a call without `client-request-id` is refused, as the table of headers says and its own samples do not keep to.
    pub client_request_id_is_required: bool,
    /// Referrals: the role Referrals user may also change the deals whose team names the user, as in 2020.
    pub referrals_users_may_write: bool,
    /// Referrals: 429 comes in the API gateway's shape instead of the service's own.
    pub throttled_referrals_answer_as_the_gateway: bool,
    /// Partner Center webhooks: `ResourceUri` uses the referrals API's real address instead of the documented one.
    pub resource_uri_is_real_address: bool,
    /// Partner Center webhooks: a `related-*` event carries the receiver's own referral id instead of the changed one.
    pub related_event_carries_own_id: bool,
    /// Partner Center webhooks: the certificate file is PEM text instead of DER.
    pub certificate_as_pem: bool,
    /// Partner Center webhooks: a PEM certificate file also holds the intermediate.
    pub certificate_with_chain: bool,
    /// Partner Center webhooks: the certificate file is the DER as bare base64 text.
    pub certificate_as_base64: bool,
    /// Partner Center webhooks: the certificate is issued for another name than that of its file.
    pub certificate_subject_is_other: bool,
    /// Partner Center webhooks: an organisation is not told what its own API calls have changed.
    pub own_calls_raise_no_events: bool,
    /// Partner Center webhooks: the keys of an event are camelCase, as in the official description, instead of PascalCase.
    pub event_keys_are_camel_case: bool,
    /// Partner Center webhooks: events are called `Referral-Updated` and so on, where they are registered and where they arrive.
    pub event_names_are_pascal_case: bool,
    /// Partner Center webhooks: an event is JSON on several lines instead of compact.
    pub events_are_pretty_printed: bool,
    /// Partner Center webhooks: an event that is not taken is not sent again, instead of nine more times.
    pub events_are_sent_once: bool,
    /// Partner Center webhooks: a validation event is answered with its id as a plain string, as in the official description.
    pub validation_answers_plain_text: bool,
    /// Partner Center webhooks: a registration is shown with all members of the official description, in camelCase.
    pub registration_shows_full_model: bool,
    /// Dataverse: `WinOpportunity` and `LoseOpportunity` also raise an `Update` of the opportunity.
    pub close_raises_update: bool,
    /// Dataverse: reopening an opportunity makes an `opportunityclose` row, as closing does.
    pub reopening_makes_close_row: bool,
    /// Dataverse: `QualifyLead` copies connector columns to the opportunity, as an organisation's own column mapping would.
    pub qualify_copies_connector_columns: bool,
    /// Dataverse: an opportunity for an inactive account or contact is refused.
    pub inactive_customer_is_refused: bool,
    /// Dataverse: linking two rows that are linked already is refused with 412, as the organisation service does.
    pub linking_twice_is_refused: bool,
    /// Dataverse: a duplicate that detection found is answered with 500 (2020 to 2022) rather than 412 (2025).
    pub duplicate_is_500: bool,
    /// Dataverse: a `$batch` body whose lines end in a bare line feed is refused.
    pub batch_requires_crlf: bool,
    /// Dataverse: requests without `Consistency: Strong` see a change of metadata only half a minute later.
    pub metadata_lags: bool,
    /// Dataverse: a change-set item without `Content-ID` is refused.
    pub batch_requires_content_id: bool,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            old_refresh_tokens_keep_working: true,
            assertions_work_once: true,
            create_answers_201: false,
            escape_customer_names: true,
            broken_next_link: true,
            unquoted_related_link: true,
            own_deals_say_incoming: false,
            app_only_is_401: false,
            list_shows_related: true,
            list_shows_marketplace_leads: true,
            contacts_fixed_once_visible: true,
            closing_needs_reason: false,
            unknown_properties_are_refused: false,
            one_post_invites_microsoft: false,
            independent_deals_stay_independent: false,
            help_code_is_mirrored: false,
            external_reference_is_unique: false,
            create_requires_what_the_site_does: false,
            external_reference_filter_is_refused: false,
            external_reference_filter_is_ignored: false,
            external_reference_filter_finds_nothing: false,
            date_filters_need_quotes: false,
            date_filters_are_refused: false,
            order_by_updated_is_refused: false,
            top_is_a_page_size: false,
            state_conflicts_are_409: false,
            new_deals_may_be_won: false,
            closed_deals_may_change_their_end: false,
            patches_are_not_atomic: false,
            patching_nothing_changes_nothing: false,
            representations_are_never_returned: false,
            sales_stages_are_percents: false,
            timestamps_have_seven_digits: false,
            empty_members_are_left_out: false,
            empty_ids_are_an_object: false,
            us_states_land_in_region: false,
            answers_carry_new_members: false,
            inner_error_is_lower_case: false,
            hidden_referrals_are_403: false,
            client_request_id_is_required: false,
            referrals_users_may_write: false,
            throttled_referrals_answer_as_the_gateway: false,
            resource_uri_is_real_address: false,
            related_event_carries_own_id: false,
            certificate_as_pem: false,
            certificate_with_chain: true,
            certificate_as_base64: false,
            certificate_subject_is_other: false,
            own_calls_raise_no_events: false,
            event_keys_are_camel_case: false,
            event_names_are_pascal_case: false,
            events_are_pretty_printed: false,
            events_are_sent_once: false,
            validation_answers_plain_text: false,
            registration_shows_full_model: false,
            close_raises_update: true,
            reopening_makes_close_row: true,
            qualify_copies_connector_columns: false,
            inactive_customer_is_refused: true,
            linking_twice_is_refused: true,
            duplicate_is_500: false,
            batch_requires_crlf: true,
            metadata_lags: false,
            batch_requires_content_id: true,
        }
    }
}
