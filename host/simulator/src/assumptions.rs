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
    /// Partner Center webhooks: `ResourceUri` uses the referrals API's real address instead of the documented one.
    pub resource_uri_is_real_address: bool,
    /// Partner Center webhooks: a `related-*` event carries the receiver's own referral id instead of the changed one.
    pub related_event_carries_own_id: bool,
    /// Partner Center webhooks: the certificate file is PEM text instead of DER.
    pub certificate_as_pem: bool,
    /// Partner Center webhooks: a PEM certificate file also holds the intermediate.
    pub certificate_with_chain: bool,
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
            resource_uri_is_real_address: false,
            related_event_carries_own_id: false,
            certificate_as_pem: false,
            certificate_with_chain: true,
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
