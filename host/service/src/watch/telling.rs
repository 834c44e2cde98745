//! Who tells what has begun and ended, and what was told.
//!
//! What all hosts of a store see alike (a backlog, a credential that rests) is told by one of them, and the store remembers that it was: a host that starts anew, or that
//! speaks because another one is gone, neither says it again nor forgets to say that it is over. What is a host's own (it cannot load a plugin) each
//! tells by itself, with its name, and again after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cosell_remote::{Http, HttpSettings, notice};
use cosell_store::{Millis, StoreError};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::{error, warn};
use url::Url;

use super::alerts::Alarm;
use super::mail::Mailer;
use crate::config;
use crate::desk::Desk;

/// Where the store keeps what was told: a note of no connection's.
const OF_ALL: &str = "";

/// Words for people, by the name of the alarm.
pub(crate) type Words = BTreeMap<String, String>;

/// What one look has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) now: Millis,
    /// What is this host's own.
    pub(crate) own: Words,
    /// What all hosts see alike. None: the store does not answer, so nobody knows.
    pub(crate) shared: Option<Words>,
    /// What may not have lasted for long enough to be said, and is not over either.
    pub(crate) pending: BTreeSet<String>,
}

impl Seen {
    pub(crate) fn of(now: Millis, holds: BTreeMap<Alarm, String>, is_blind: bool) -> Self {
        let (mut own, mut shared) = (Words::new(), Words::new());
        for (alarm, words) in holds {
            let part = if alarm.is_shared() {
                &mut shared
            } else {
                &mut own
            };
            part.insert(alarm.name(), words);
        }
        Self {
            now,
            own,
            shared: (!is_blind).then_some(shared),
            pending: BTreeSet::new(),
        }
    }
}

/// One message: the alarm, whether it begins or ends, and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) alarm: String,
    pub(crate) begins: bool,
    pub(crate) words: String,
}

impl Notice {
    const fn state(&self) -> &'static str {
        if self.begins { "firing" } else { "resolved" }
    }

    /// `text` is what chat services show.
    fn to_json(&self, now: Millis, host: Option<&str>) -> Value {
        let state = self.state();
        let mut told = json!({ "alert": self.alarm, "state": state, "at_ms": now, "message": self.words, "text": format!("cosell: {state}: {}", self.in_words(host)) });
        if let Some(host) = host {
            told["host"] = host.into();
        }
        told
    }

    fn in_words(&self, host: Option<&str>) -> String {
        match host {
            Some(host) => format!("{} (host {host})", self.words),
            None => self.words.clone(),
        }
    }

    /// Remembers that it was told.
    pub(crate) fn remember(self, told: &mut Words) {
        if self.begins {
            told.insert(self.alarm, self.words);
        } else {
            told.remove(&self.alarm);
        }
    }
}

/// What has to be told, when this was told before and that holds now. An alarm whose words alone change is told already.
pub(crate) fn changes(told: &Words, holds: &Words, pending: &BTreeSet<String>) -> Vec<Notice> {
    let notice = |alarm: &String, begins: bool, words: String| Notice {
        alarm: alarm.clone(),
        begins,
        words,
    };
    let begins = holds
        .iter()
        .filter(|(alarm, _)| !told.contains_key(*alarm))
        .map(|(alarm, words)| notice(alarm, true, words.clone()));
    let ends = told
        .iter()
        .filter(|(alarm, _)| !holds.contains_key(*alarm) && !pending.contains(*alarm))
        .map(|(alarm, words)| notice(alarm, false, format!("over: {words}")));
    begins.chain(ends).collect()
}

/// Where notices go besides the log.
pub(crate) enum Outlet {
    Webhook(Http, Url),
    Mail(Mailer),
}

impl Outlet {
    /// All that are configured and can be used.
    pub(crate) fn all(config: &config::Config) -> Vec<Self> {
        let mut all = Vec::new();
        // Looked at when the configuration was read.
        let address = config.alerts.webhook.as_ref();
        if let Some(url) = address.and_then(|secret| secret.expose_secret().parse().ok()) {
            match Http::new(&HttpSettings {
                extra_roots_pem: config.extra_roots.iter().cloned().collect(),
                ..HttpSettings::default()
            }) {
                Ok(http) => all.push(Self::Webhook(http, url)),
                Err(error) => error!(error = %error, "alerts cannot be posted"),
            }
        }
        if let Some(mail) = &config.alerts.mail {
            match Mailer::new(mail, config.extra_roots.as_deref()) {
                Ok(mailer) => all.push(Self::Mail(mailer)),
                Err(error) => error!(error = %error, "alerts cannot be mailed"),
            }
        }
        all
    }

    /// Under which name the store remembers what was told here.
    const fn note(&self) -> &'static str {
        match self {
            Self::Webhook(..) => "alerts-told:webhook",
            Self::Mail(_) => "alerts-told:mail",
        }
    }

    async fn deliver(&self, notice: &Notice, now: Millis, host: Option<&str>) -> bool {
        let delivered = match self {
            Self::Webhook(http, url) => notice::post(http, url, &notice.to_json(now, host))
                .await
                .map_err(|error| format!("it could not be posted: {error}")),
            Self::Mail(mailer) => mailer
                .send(
                    &format!("cosell: {} ({})", notice.alarm, notice.state()),
                    &notice.in_words(host),
                )
                .await
                .map_err(|error| error.to_string()),
        };
        if let Err(why) = &delivered {
            warn!(alert = %notice.alarm, why = %why, "the alert did not arrive; trying again");
        }
        delivered.is_ok()
    }

    /// Tells what has changed since it was told last. What cannot be delivered is tried again with the next look; a slow one keeps nobody
    /// else waiting.
    pub(crate) async fn tell(self, desk: Arc<Desk>, mut seen: watch::Receiver<Seen>) {
        let host = host_name();
        let mut own = Words::new();
        // None: another host speaks, or the store was not asked yet.
        let mut shared: Option<Words> = None;
        while seen.changed().await.is_ok() {
            let seen = seen.borrow_and_update().clone();
            for notice in changes(&own, &seen.own, &seen.pending) {
                if self.deliver(&notice, seen.now, Some(&host)).await {
                    notice.remember(&mut own);
                }
            }
            let Some(holds) = &seen.shared else {
                continue;
            };
            if !desk.speaks.load(Ordering::Relaxed) {
                shared = None;
                continue;
            }
            let told = match shared.take() {
                Some(told) => Ok(told),
                None => told_before(&desk, self.note()).await,
            };
            match told {
                Ok(told) => shared = Some(self.speak(&desk, &seen, holds, told).await),
                Err(error) => {
                    warn!(error = %error, "what was told before is not known; trying again");
                }
            }
        }
    }

    async fn speak(&self, desk: &Desk, seen: &Seen, holds: &Words, mut told: Words) -> Words {
        for notice in changes(&told, holds, &seen.pending) {
            if !self.deliver(&notice, seen.now, None).await {
                continue;
            }
            notice.remember(&mut told);
            let note = json!(told).to_string();
            if let Err(error) = desk.store.set_note(OF_ALL, self.note(), Some(note)).await {
                warn!(error = %error, "it is not remembered that an alert was told; it may be told twice");
            }
        }
        told
    }
}

async fn told_before(desk: &Desk, note: &str) -> Result<Words, StoreError> {
    let told = desk.store.note(OF_ALL, note).await?;
    Ok(told
        .and_then(|told| serde_json::from_str(&told).ok())
        .unwrap_or_default())
}

/// By which name people know the machine; of a container, its own.
fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(of: &[(&str, &str)]) -> Words {
        let owned = |(name, words): &(&str, &str)| ((*name).to_owned(), (*words).to_owned());
        of.iter().map(owned).collect()
    }

    #[test]
    fn what_begins_and_what_ends_is_told_and_nothing_in_between() {
        let holds = words(&[("bells-late", "16 minutes")]);
        let none = BTreeSet::new();
        let begins = changes(&Words::new(), &holds, &none);
        assert!(begins.len() == 1 && begins[0].begins, "{begins:?}");
        let mut told = Words::new();
        begins[0].clone().remember(&mut told);
        let later = words(&[("bells-late", "17 minutes")]);
        assert_eq!(changes(&told, &later, &none), []);
        let ends = changes(&told, &Words::new(), &none);
        assert!(!ends[0].begins && ends[0].words == "over: 16 minutes");
        ends[0].clone().remember(&mut told);
        assert!(told.is_empty());
    }

    #[test]
    fn whoever_takes_over_says_nothing_again_and_forgets_no_end() {
        // As the store remembers it.
        let told: Words = serde_json::from_str(
            &json!(words(&[
                ("many-parked", "12 deals"),
                ("backlog", "100000 wait")
            ]))
            .to_string(),
        )
        .unwrap();
        let holds = words(&[("many-parked", "13 deals")]);
        let changes = changes(&told, &holds, &BTreeSet::new());
        let names: Vec<_> = changes
            .iter()
            .map(|one| (&*one.alarm, one.begins))
            .collect();
        assert_eq!(names, [("backlog", false)]);
    }

    #[test]
    fn a_credential_that_still_rests_is_not_over_because_nobody_knows_since_when() {
        let told = words(&[("credential-rests:contoso:dataverse", "6 minutes")]);
        let pending = BTreeSet::from(["credential-rests:contoso:dataverse".to_owned()]);
        assert_eq!(changes(&told, &Words::new(), &pending), []);
        assert_eq!(changes(&told, &Words::new(), &BTreeSet::new()).len(), 1);
        assert_eq!(changes(&Words::new(), &Words::new(), &pending), []);
    }

    #[test]
    fn a_host_is_named_where_it_speaks_for_itself_alone() {
        let notice = Notice {
            alarm: "no-plugins".to_owned(),
            begins: true,
            words: "no plugin serves".to_owned(),
        };
        let told = notice.to_json(7, Some("host-3"));
        assert_eq!(told["host"], "host-3");
        assert_eq!(
            told["text"],
            "cosell: firing: no plugin serves (host host-3)"
        );
        assert_eq!(notice.to_json(7, None).get("host"), None);
        assert!(!host_name().is_empty());
    }

    #[test]
    fn a_store_that_does_not_answer_ends_nothing_that_it_would_have_to_tell() {
        let holds = BTreeMap::from([(Alarm::StoreDown, "away".to_owned())]);
        let seen = Seen::of(7, holds.clone(), true);
        assert_eq!((seen.own.len(), &seen.shared), (1, &None));
        assert_eq!(Seen::of(7, holds, false).shared, Some(Words::new()));
    }
}
