//! Calls to the referrals API.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use cosell_sync::deal::Timestamp;
use http::{Method, StatusCode};

use crate::auth::{Polled, SignIn, Tokens};
use crate::error::{Class, RemoteError, Service};
use crate::http::{Answer, Call, Channel, Endpoint, Http, fresh_id, guid};
use crate::json::Body;
use crate::meter::Meter;
use crate::partner_center::pages::{Page, Pages};
use crate::partner_center::patch::PatchOp;
use crate::partner_center::wire::Referral;

/// What a 403 asks for.
const ROLE: &str = "give the user who signed in the role Referrals admin in Partner Center (account settings > user management), or let a Referrals admin sign in: cosell sign-in CONNECTION";

/// Referrals of one engagement or one external reference. More means that the server ignored the filter.
const MATCHES_MAX: usize = 1_000;

/// Where Partner Center is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerCenterSettings {
    /// `https://api.partner.microsoft.com/v1.0/engagements`
    pub referrals: Endpoint,
    /// `https://api.partnercenter.microsoft.com/webhooks/v1`: another host, another audience.
    pub webhooks: Endpoint,
}

/// The referrals API and the webhook registration of one partner tenant.
#[derive(Debug, Clone)]
pub struct PartnerCenter {
    pub(super) referrals: Channel,
    pub(super) webhooks: Channel,
    /// Which wording of a list by moment this Partner Center takes; found out once.
    pub(super) wording: Arc<AtomicUsize>,
}

/// What a list is asked for. Empty fields leave it to the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// OData, not encoded: `status eq 'Active'`.
    pub filter: Option<String>,
    /// Which way to go through.
    pub order: Option<Order>,
    /// Referrals a page; a hint that the server may ignore.
    pub page_size: Option<u16>,
}

/// The two orders that Partner Center knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `createdDateTime`, oldest first.
    Created,
    /// `updatedDateTime`, oldest first.
    Updated,
    /// `updatedDateTime`, newest first.
    UpdatedLast,
}

/// The referral after a patch.
#[derive(Debug, Clone)]
pub struct Patched {
    /// As it is now.
    pub referral: Referral,
    /// True: the answer to this very write. False: read right after it, so that someone else's edit may be in it (S6).
    pub from_write: bool,
}

impl PartnerCenter {
    /// Connects nothing yet.
    #[must_use]
    pub fn new(settings: PartnerCenterSettings, tokens: Tokens, http: Http) -> Self {
        Self {
            referrals: Channel {
                service: Service::PartnerCenter,
                endpoint: settings.referrals,
                tokens: tokens.clone(),
                http: http.clone(),
                meter: None,
            },
            webhooks: Channel {
                service: Service::PartnerCenterWebhooks,
                endpoint: settings.webhooks,
                tokens,
                http,
                meter: None,
            },
            wording: Arc::default(),
        }
    }

    /// Begins the sign-in of the user in whose name referrals are read and written.
    ///
    /// # Errors
    /// As [`Tokens::begin_sign_in`].
    pub async fn begin_sign_in(&self) -> Result<SignIn, RemoteError> {
        let Channel {
            tokens, endpoint, ..
        } = &self.referrals;
        tokens.begin_sign_in(endpoint.audience()).await
    }

    /// Asks once whether the user has finished; then the refresh token is kept.
    ///
    /// # Errors
    /// As [`Tokens::poll_sign_in`].
    pub async fn poll_sign_in(&self, begun: &SignIn) -> Result<Polled, RemoteError> {
        let Channel {
            tokens, endpoint, ..
        } = &self.referrals;
        tokens.poll_sign_in(endpoint.audience(), begun).await
    }

    /// The same, keeping to what the credential may ask. Both hosts count by tenant.
    #[must_use]
    pub fn metered(mut self, meter: Meter) -> Self {
        self.webhooks.meter = Some(meter.clone());
        self.referrals.meter = Some(meter);
        self
    }

    /// What the credential may ask. None: nobody counts.
    #[must_use]
    pub const fn meter(&self) -> Option<&Meter> {
        self.referrals.meter.as_ref()
    }

    /// Gets hold of a token, if there is none that is good: a call that follows at once waits for nobody but the service.
    ///
    /// # Errors
    /// [`RemoteError`] of the sign-in.
    pub async fn ready(&self) -> Result<(), RemoteError> {
        self.referrals.ready().await
    }

    /// Reads one referral.
    ///
    /// # Errors
    /// [`Class::NotFound`] also when it is not visible to us; [`Class::Refused`] when `id` is no GUID.
    pub async fn get(&self, id: &str) -> Result<Referral, RemoteError> {
        let doing = format!("read referral {id}");
        let call = self.call(Method::GET, &Self::path(id, &doing)?, None, doing);
        match self.referral(&call).await {
            Err(error) if error.class == Class::Forbidden => Err(self.one_or_all(error).await),
            read => read,
        }
    }

    /// One referral that we may not see says something about that referral. If we may see none, the user who signed in has lost the role, and
    /// no deal is to blame.
    async fn one_or_all(&self, error: RemoteError) -> RemoteError {
        let one = ListQuery {
            page_size: Some(1),
            ..ListQuery::default()
        };
        match self.list(&one).next().await {
            Err(all) if all.class == Class::Forbidden => RemoteError {
                class: Class::Unauthorised,
                ..all
            },
            _ => error,
        }
    }

    /// Reads many, page by page.
    #[must_use]
    pub fn list(&self, query: &ListQuery) -> Pages {
        Pages::of(self.clone(), query)
    }

    /// Every referral of one deal that we may see: our own, and Microsoft's once it is invited.
    ///
    /// # Errors
    /// As [`PartnerCenter::get`].
    pub async fn engagement(&self, engagement_id: &str) -> Result<Vec<Referral>, RemoteError> {
        let Some(id) = guid(engagement_id) else {
            return Err(not_a_guid(
                engagement_id,
                format!("read the referrals of engagement {engagement_id}"),
            ));
        };
        self.matching(&format!("engagementId eq '{id}'"), |referral| {
            referral.engagement_id.eq_ignore_ascii_case(&id)
        })
        .await
    }

    /// Every referral that carries our id for a deal, Microsoft's excepted. More than one is a duplicate.
    ///
    /// No document shows a filter by this field. It is tried because it is quick; that there is no such referral is believed only when none is
    /// among all that were changed since `made_after` either.
    ///
    /// # Errors
    /// As [`PartnerCenter::get`].
    pub async fn by_external_reference(
        &self,
        external_reference: &str,
        made_after: Timestamp,
    ) -> Result<Vec<Referral>, RemoteError> {
        let carries = |referral: &Referral| {
            let own = referral.external_reference.as_deref();
            own.is_some_and(|own| own.eq_ignore_ascii_case(external_reference))
        };
        let is_meant = |referral: &Referral| !referral.is_microsofts() && carries(referral);
        let mut pages = self.list(&ListQuery {
            filter: Some(format!(
                "externalReferenceId eq '{}'",
                quoted(external_reference)
            )),
            ..ListQuery::default()
        });
        let mut found = Vec::new();
        loop {
            let page = pages.next().await;
            match page.and_then(|page| page.map(Page::whole).transpose()) {
                // A stranger on the page: the filter was passed over, and the list may be as long as it likes.
                Ok(Some(page)) if !page.iter().all(carries) => found.clear(),
                Ok(Some(page)) => {
                    found.extend(page.into_iter().filter(is_meant));
                    continue;
                }
                Ok(None) if !found.is_empty() => return Ok(found),
                Ok(None) => {}
                Err(error) if error.status == Some(StatusCode::BAD_REQUEST.as_u16()) => {}
                Err(error) => return Err(error),
            }
            break;
        }
        let mut pages = self.updated_since(made_after);
        while let Some(page) = pages.next().await? {
            found.extend(page.whole()?.into_iter().filter(is_meant));
        }
        Ok(found)
    }

    /// Everything that was changed at this moment or later, oldest first. Asked in the first wording that this Partner Center takes; see
    /// [`Pages`].
    #[must_use]
    pub fn updated_since(&self, moment: Timestamp) -> Pages {
        Pages::since(self.clone(), moment)
    }

    /// Creates a referral. Not idempotent, and the vendor knows no idempotency key: after [`Class::UnknownOutcome`], look by external
    /// reference or engagement before another try.
    ///
    /// # Errors
    /// [`Class::Refused`] with the other side's words; [`Class::UnknownOutcome`] when it may have been created.
    pub async fn create(&self, body: &Body, operation_id: &str) -> Result<Referral, RemoteError> {
        let call = self
            .call(
                Method::POST,
                "/referrals",
                None,
                "create a referral".to_owned(),
            )
            .header("ms-correlationid", operation_id)
            .json(body);
        self.referral(&call).await
    }

    /// Changes a referral, if it is still the one with this etag.
    ///
    /// # Errors
    /// [`Class::Conflict`] when it is not, or when its state does not allow the change any more; [`Class::UnknownOutcome`] when it may have been changed, also when it was changed and could not
    /// be read after.
    pub async fn patch(
        &self,
        id: &str,
        operations: &[PatchOp],
        etag: &str,
        operation_id: &str,
    ) -> Result<Patched, RemoteError> {
        let doing = format!("change referral {id}");
        let path = Self::path(id, &doing)?;
        if etag.is_empty() {
            return Err(RemoteError::refused(
                Service::PartnerCenter,
                doing,
                "no etag to write under: read the referral first",
            ));
        }
        let call = self
            .call(Method::PATCH, &path, None, doing)
            .header("if-match", etag)
            .header("prefer", "return=representation")
            .header("ms-correlationid", operation_id)
            .json(&Body::of(operations));
        let answer = self.referrals.send(&call).await?;
        if answer.status == StatusCode::CONFLICT {
            return Err(self.conflict(id, etag, failure(&call, &answer)).await);
        }
        if !answer.status.is_success() {
            return Err(failure(&call, &answer));
        }
        if answer.status != StatusCode::NO_CONTENT && !answer.body.is_empty() {
            return Ok(Patched {
                referral: parsed(&call, &answer)?,
                from_write: true,
            });
        }
        match self.get(id).await {
            Ok(referral) => Ok(Patched {
                referral,
                from_write: false,
            }),
            Err(mut error) => {
                error.class = Class::UnknownOutcome;
                error.about.message = format!(
                    "changed, but it could not be read after: {}",
                    error.about.message
                );
                Err(error)
            }
        }
    }

    /// 409 says that the referral does not stand where the change needs it to. When it has moved since it was read, another look helps; when
    /// it has not, the same change would be refused for ever.
    async fn conflict(&self, id: &str, etag: &str, refused: RemoteError) -> RemoteError {
        let has_moved = match self.get(id).await {
            Ok(now) => now.etag != etag,
            Err(_) => true,
        };
        let class = if has_moved {
            Class::Conflict
        } else {
            Class::Refused
        };
        RemoteError { class, ..refused }
    }

    async fn matching(
        &self,
        filter: &str,
        is_meant: impl Fn(&Referral) -> bool,
    ) -> Result<Vec<Referral>, RemoteError> {
        let mut pages = self.list(&ListQuery {
            filter: Some(filter.to_owned()),
            ..ListQuery::default()
        });
        let mut found = Vec::new();
        let mut read = 0;
        while let Some(page) = pages.next().await? {
            let page = page.whole()?;
            read += page.len();
            // The filter is not documented for every field. A server that ignores it must not hand us somebody else's deal.
            found.extend(page.into_iter().filter(|referral| is_meant(referral)));
            if read > MATCHES_MAX {
                let message = format!(
                    "more than {MATCHES_MAX} referrals came for the filter {filter}, so it was ignored"
                );
                return Err(RemoteError::refused(
                    Service::PartnerCenter,
                    "list referrals",
                    message,
                ));
            }
        }
        Ok(found)
    }

    async fn referral(&self, call: &Call) -> Result<Referral, RemoteError> {
        let answer = self.referrals.send(call).await?;
        if answer.status.is_success() {
            parsed(call, &answer)
        } else {
            Err(failure(call, &answer))
        }
    }

    pub(super) fn call(
        &self,
        method: Method,
        path: &str,
        query: Option<&str>,
        doing: String,
    ) -> Call {
        Call::new(
            Service::PartnerCenter,
            method,
            self.referrals.endpoint.url(path, query),
            doing,
        )
        .header("accept", "application/json")
        .header("client-request-id", &fresh_id())
    }

    /// The id becomes a part of an address, so it is a GUID or nothing.
    fn path(id: &str, doing: &str) -> Result<String, RemoteError> {
        guid(id)
            .map(|id| format!("/referrals/{id}"))
            .ok_or_else(|| not_a_guid(id, doing))
    }
}

/// 403 is about the user who signed in: there is one role that may do everything here.
pub(super) fn failure(call: &Call, answer: &Answer) -> RemoteError {
    let error = answer.failure(call);
    if error.class == Class::Forbidden {
        return error.with_advice(ROLE);
    }
    error
}

fn not_a_guid(id: &str, doing: impl Into<String>) -> RemoteError {
    RemoteError::refused(
        Service::PartnerCenter,
        doing,
        format!("\"{}\" is no GUID", crate::http::readable(id)),
    )
}

fn parsed(call: &Call, answer: &Answer) -> Result<Referral, RemoteError> {
    let mut referral = Referral::parse(answer.text(call)?).map_err(|problem| {
        answer
            .unreadable(call, "the answer is no referral")
            .with_source(problem)
    })?;
    if referral.etag.is_empty() {
        answer
            .header("etag")
            .unwrap_or_default()
            .clone_into(&mut referral.etag);
    }
    Ok(referral)
}

/// For an OData string literal.
fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}
