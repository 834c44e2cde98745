//! A referral as it is on the wire. Nulls, missing members and members that we do not know are all fine; about twenty appeared between
//! 2019 and 2022 without notice.

use cosell_sync::deal::Timestamp;
use serde::Deserialize;

use crate::json::{
    Exact, Raw, lenient_exact, lenient_flag, lenient_list, lenient_moment, lenient_text,
    null_is_default,
};

/// The organisation id by which Microsoft's own referrals are known.
pub const MICROSOFT: &str = "msft";

/// One organisation's view of a deal, with the document that it was read from.
#[derive(Debug, Clone)]
pub struct Referral {
    /// GUID, lower case.
    pub id: String,
    /// GUID that joins the referrals of one deal; empty when Partner Center did not say.
    pub engagement_id: String,
    /// Owner of this view; [`MICROSOFT`] for Microsoft's.
    pub organization_id: String,
    /// Our id for the deal, as Partner Center remembers it.
    pub external_reference: Option<String>,
    /// For `If-Match`, quotes included.
    pub etag: String,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
    /// The document, byte for byte.
    pub raw: String,
    pub(crate) wire: Wire,
}

/// Why a document is no referral.
#[derive(Debug, thiserror::Error)]
pub enum NotAReferral {
    /// It is no JSON, or a member is something else than its name says.
    #[error("the document is not shaped like a referral")]
    Shape {
        /// Where, and what was expected there.
        source: serde_json::Error,
    },
    /// No GUID.
    #[error("the referral has no GUID as its id")]
    Id,
}

impl Referral {
    /// Reads a document.
    ///
    /// # Errors
    /// [`NotAReferral`] says where it stops being one.
    pub fn parse(document: &str) -> Result<Self, NotAReferral> {
        let wire: Wire =
            serde_json::from_str(document).map_err(|source| NotAReferral::Shape { source })?;
        Ok(Self {
            id: wire
                .id
                .as_deref()
                .and_then(crate::http::guid)
                .ok_or(NotAReferral::Id)?,
            engagement_id: wire
                .engagement_id
                .clone()
                .map(|id| id.to_ascii_lowercase())
                .unwrap_or_default(),
            organization_id: wire.organization_id.clone().unwrap_or_default(),
            external_reference: wire.external_reference_id.clone(),
            etag: wire.etag.clone().unwrap_or_default(),
            updated_at: wire.updated_date_time,
            raw: document.to_owned(),
            wire,
        })
    }

    /// The GUID of a document that may be no referral otherwise.
    pub(crate) fn id_of(document: &str) -> Option<String> {
        let members = crate::json::object(document)?;
        let id = members.get("id").and_then(|id| crate::json::filled(id))?;
        crate::http::guid(&id)
    }

    /// Whether Microsoft owns this view.
    #[must_use]
    pub fn is_microsofts(&self) -> bool {
        self.organization_id.eq_ignore_ascii_case(MICROSOFT)
    }

    /// Closed: nothing of it can be changed any more.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.wire
            .status
            .as_deref()
            .is_some_and(|status| status.eq_ignore_ascii_case("Closed"))
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wire {
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) id: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) engagement_id: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) name: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) organization_id: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) external_reference_id: Option<String>,
    #[serde(default, deserialize_with = "lenient_moment")]
    pub(crate) created_date_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient_moment")]
    pub(crate) updated_date_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient_moment")]
    pub(crate) expiration_date_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient_moment")]
    pub(crate) accepted_date_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient_moment")]
    pub(crate) closed_date_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) status: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) substatus: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) status_reason: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) qualification: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "lenient_text")]
    pub(crate) kind: Option<String>,
    #[serde(
        default,
        rename = "eTag",
        alias = "etag",
        alias = "@odata.etag",
        deserialize_with = "lenient_text"
    )]
    pub(crate) etag: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) campaign_id: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) sales_stage: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) direction: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) mpn_id: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) referral_program: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) registration_status: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) customer_profile: CustomerProfile,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) consent: Consent,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) details: Details,
    /// Members, kept whole: a list is only ever replaced whole, and what we do not know must survive that.
    #[serde(default, deserialize_with = "lenient_list")]
    pub(crate) team: Vec<Raw>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) invite_context: InviteContext,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) tracking_info: TrackingInfo,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomerProfile {
    /// HTML-escaped.
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) name: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) size: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) address: Address,
    #[serde(default, deserialize_with = "lenient_list")]
    pub(crate) team: Vec<Raw>,
    /// Old documents show `{}`.
    #[serde(default, deserialize_with = "lenient_list")]
    pub(crate) ids: Vec<CustomerId>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomerId {
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) profile_type: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Address {
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) address_line1: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) address_line2: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) city: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) state: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) postal_code: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) region: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) country: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) first_name: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) last_name: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) phone_number: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) email: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) title: Option<String>,
}

/// The first name is misspelt by the vendor, and must be.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Consent {
    #[serde(default, deserialize_with = "lenient_flag")]
    pub(crate) consent_to_to_share_info_with_others: bool,
    /// Visible to Microsoft's sellers.
    #[serde(default, deserialize_with = "lenient_flag")]
    pub(crate) consent_to_share_referral_with_microsoft_sellers: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Details {
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) notes: Option<String>,
    #[serde(default)]
    pub(crate) deal_value: Option<Exact>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) currency: Option<String>,
    #[serde(default, deserialize_with = "lenient_moment")]
    pub(crate) closing_date_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) requirements: Requirements,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Requirements {
    /// Kept whole, as the members are.
    #[serde(default, deserialize_with = "lenient_list")]
    pub(crate) solutions: Vec<Raw>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) additional_requirements: AdditionalRequirements,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct AdditionalRequirements {
    #[serde(default, deserialize_with = "lenient_list")]
    pub(crate) attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Attribute {
    #[serde(default, rename = "type", deserialize_with = "lenient_text")]
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SolutionTag {
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) id: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) name: Option<String>,
    #[serde(default, deserialize_with = "lenient_exact")]
    pub(crate) price: Option<Exact>,
    #[serde(default, deserialize_with = "lenient_exact")]
    pub(crate) quantity: Option<Exact>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) currency: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) publisher_name: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) solution_type: Option<String>,
    #[serde(default, deserialize_with = "lenient_moment")]
    pub(crate) closing_date_time: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InviteContext {
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) assistance_request_code: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) invited_by: InvitedBy,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvitedBy {
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) organization_id: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrackingInfo {
    #[serde(default, deserialize_with = "lenient_text")]
    pub(crate) microsoft_msx_id: Option<String>,
}
