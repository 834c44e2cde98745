//! What can go wrong with a call, for two readers: [`Class`] for the machine, the sentence for the person.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cosell_sync::row::Reason;

/// Who was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// The token endpoint of Microsoft Entra.
    Entra,
    /// The referrals API.
    PartnerCenter,
    /// The webhook registration API: another host and another audience than the referrals.
    PartnerCenterWebhooks,
    /// The CRM.
    Dataverse,
    /// What gives the machine or app on which we run tokens of its managed identity.
    ManagedIdentity,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entra => "Entra",
            Self::PartnerCenter => "Partner Center",
            Self::PartnerCenterWebhooks => "Partner Center (webhooks)",
            Self::Dataverse => "Dataverse",
            Self::ManagedIdentity => "the managed identity endpoint",
        })
    }
}

/// What the machine does about a failure. Nothing else branches on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing was changed there, and it will pass by itself.
    Transient {
        /// The other side's own wish; it wins over our backoff.
        retry_after: Option<Duration>,
        /// The whole credential is being slowed down, not only this record.
        throttled: bool,
    },
    /// The record is not what it was when we looked (412): look again, plan again.
    Conflict,
    /// The credential is not accepted, after one fresh token: pause the credential, not the deals.
    Unauthorised,
    /// The credential is good and may not do this.
    Forbidden,
    /// Not there, or not visible to us.
    NotFound,
    /// It will be refused every time until a person changes something.
    Refused,
    /// A write may have happened: read its target before anything else. A read never ends like this.
    UnknownOutcome,
}

/// A call that failed.
///
/// Its `Display` says who refused what, in the other side's words, and what to do; the `source` is not repeated in it.
#[derive(Debug, Clone)]
pub struct RemoteError {
    /// For the machine.
    pub class: Class,
    /// Who was asked.
    pub service: Service,
    /// For whom a token was asked, where that failed: whose credential it is.
    pub opens: Option<Service>,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// For the person.
    pub about: Box<About>,
    /// What lay beneath: a socket, a TLS handshake, a parser.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What is told about a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// What was being done, to be read after "to": `update opportunity 7f3c…`.
    pub doing: String,
    /// The other side's code: `0x80060882`, `preconditionFailed`, `AADSTS7000222`.
    pub code: Option<String>,
    /// The other side's words, shortened and without control characters.
    pub message: String,
    /// The field that the other side complains of, where that is known: `opportunity.new_costcentre`.
    pub field: Option<String>,
    /// What a person can do.
    pub advice: Option<String>,
    /// Ids by which the other side finds the request in its own logs: header name and value.
    pub request_ids: Vec<(String, String)>,
    /// Columns and fields that cannot be sent, each with its reason.
    pub reasons: Vec<Reason>,
    /// The other side's wish when to come again, whatever the class.
    pub retry_after: Option<Duration>,
}

impl RemoteError {
    /// The other side's code.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.about.code.as_deref()
    }

    /// Whether the other side gave this code, in any case.
    #[must_use]
    pub fn has_code(&self, code: &str) -> bool {
        self.code()
            .is_some_and(|own| own.eq_ignore_ascii_case(code))
    }

    /// Who refused what, in the other side's words, and not what to do: for whoever says that in a place of its own.
    #[must_use]
    pub fn without_advice(&self) -> String {
        let mut about = self.about.clone();
        about.advice = None;
        Self {
            about,
            ..self.clone()
        }
        .to_string()
    }

    /// What it says about the credential, and not about the record that happened to be the first: every deal that waits for the credential
    /// waits for this.
    #[must_use]
    pub fn of_credential(&self) -> String {
        let service = self.service;
        let what = match self.class {
            Class::Unauthorised => format!("{service} does not accept the credential"),
            Class::Transient { .. } => format!("{service} is slowing us down"),
            _ => return self.to_string(),
        };
        let whole = self.to_string();
        // Behind what was being done stand status and code, the words and the advice.
        match whole.split_once(self.about.doing.as_str()) {
            Some((_, rest)) if !self.about.doing.is_empty() => {
                let rest = rest.strip_prefix(", because").unwrap_or(rest);
                format!("{what}{rest}")
            }
            _ => what,
        }
    }

    pub(crate) fn new(
        class: Class,
        service: Service,
        doing: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let about = About {
            doing: doing.into(),
            message: message.into(),
            ..About::default()
        };
        Self {
            class,
            service,
            opens: None,
            status: None,
            about: Box::new(about),
            source: None,
        }
    }

    /// Which service the credential opens: the one that was asked, or the one for which a token was asked.
    #[must_use]
    pub fn opened(&self) -> Service {
        self.opens.unwrap_or(self.service)
    }

    /// Somebody has saved the record since it was looked at: nothing was sent, and it is looked at again.
    #[must_use]
    pub fn changed_meanwhile(service: Service, doing: impl Into<String>) -> Self {
        Self::new(
            Class::Conflict,
            service,
            doing,
            "somebody has saved it since it was looked at",
        )
    }

    /// Refused by ourselves, before anything was sent.
    pub(crate) fn refused(
        service: Service,
        doing: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(Class::Refused, service, doing, message)
    }

    pub(crate) fn with_code(mut self, code: impl Into<String>) -> Self {
        self.about.code = Some(code.into());
        self
    }

    /// The column of `table` that the other side names in its words. Of several the longest, because one name may begin like another.
    pub(crate) fn with_field<'a>(
        mut self,
        table: &str,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let words = self.about.message.to_lowercase();
        let named = |column: &&str| {
            words
                .split(|sign: char| !sign.is_alphanumeric() && sign != '_')
                .any(|word| word == *column)
        };
        // A code may know the column; the table is known here.
        if let Some(column) = self.about.field.take_if(|field| !field.contains('.')) {
            self.about.field = Some(format!("{table}.{column}"));
        }
        if self.about.field.is_none() {
            let column = columns
                .into_iter()
                .filter(named)
                .max_by_key(|column| column.len());
            self.about.field = column.map(|column| format!("{table}.{column}"));
        }
        self
    }

    pub(crate) fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.about.advice = Some(advice.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            class,
            service,
            status,
            about,
            ..
        } = self;
        let doing = &about.doing;
        match class {
            Class::Transient {
                throttled: true, ..
            } => write!(f, "{service} is slowing us down and did not {doing}")?,
            Class::Transient { .. } => write!(f, "{service} could not {doing} for now")?,
            Class::Conflict => write!(
                f,
                "{service} did not {doing}, because the record is not as we saw it"
            )?,
            Class::Unauthorised => write!(
                f,
                "{service} does not accept the credential, so we could not {doing}"
            )?,
            Class::Forbidden => write!(f, "{service} does not allow us to {doing}")?,
            Class::NotFound => write!(
                f,
                "{service} does not have, or does not show us, what it takes to {doing}"
            )?,
            Class::Refused => write!(f, "{service} refused to {doing}")?,
            Class::UnknownOutcome => write!(f, "it is unknown whether {service} did {doing}")?,
        }
        match (status, &about.code) {
            (Some(status), Some(code)) => write!(f, " ({status}, {code})")?,
            (Some(status), None) => write!(f, " ({status})")?,
            (None, Some(code)) => write!(f, " ({code})")?,
            (None, None) => {}
        }
        if !about.message.is_empty() {
            let more = !about.reasons.is_empty() || about.advice.is_some();
            let words = about.message.as_str();
            // A sentence that goes on has no full stop in the middle.
            let words = if more {
                words.trim_end_matches('.')
            } else {
                words
            };
            write!(f, ": {words}")?;
        }
        for reason in &about.reasons {
            match &reason.about {
                Some(place) => write!(f, "; {place}: {}", reason.message)?,
                None => write!(f, "; {}", reason.message)?,
            }
        }
        if let Some(advice) = &about.advice {
            write!(f, "; {advice}")?;
        }
        Ok(())
    }
}

impl Error for RemoteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
