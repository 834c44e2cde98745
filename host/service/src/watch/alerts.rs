//! Alerts: told when a condition begins and when it ends, never once per event. Which conditions hold is decided from one look; what was told
//! is remembered while the host runs, so a restart tells again what still holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cosell_remote::{Http, HttpSettings, notice};
use cosell_store::Millis;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::{error, info, warn};
use url::Url;

use super::vitals::{Vitals, look};
use crate::config;
use crate::desk::Desk;

/// Often enough for people, seldom enough for a store with a million deals.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// A credential that rests for less is a 429 that passes by itself.
const RESTS_LONG_MS: Millis = 5 * 60_000;

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    StoreDown,
    BellsLate,
    ManyParked,
    CredentialRests(String, String),
    PluginRefused(String),
    NoPlugins,
    HostBehind,
}

impl Alarm {
    /// For programs: constant, `credential-rests:contoso:dataverse`.
    fn name(&self) -> String {
        match self {
            Self::StoreDown => "store-down".to_owned(),
            Self::BellsLate => "bells-late".to_owned(),
            Self::ManyParked => "many-parked".to_owned(),
            Self::CredentialRests(connection, credential) => {
                format!("credential-rests:{connection}:{credential}")
            }
            Self::PluginRefused(file) => format!("plugin-refused:{file}"),
            Self::NoPlugins => "no-plugins".to_owned(),
            Self::HostBehind => "host-behind".to_owned(),
        }
    }
}

/// What holds now, with words for people.
pub(crate) fn conditions(vitals: &Vitals, settings: &config::Alerts) -> BTreeMap<Alarm, String> {
    let mut holds = BTreeMap::new();
    if let Some(why) = &vitals.store_trouble {
        holds.insert(
            Alarm::StoreDown,
            format!("the store does not answer: {why}; webhooks are answered with 503, and nothing is lost while the senders try again"),
        );
    }
    if vitals.plugins == 0 {
        holds.insert(
            Alarm::NoPlugins,
            "no plugin is in service, so no deal is worked on: put the stock plugins into the plugin folder".to_owned(),
        );
    }
    if let Some(why) = &vitals.behind {
        holds.insert(
            Alarm::HostBehind,
            format!("this host works on no deal, because it cannot load the plugins that serve: {why}; other hosts go on"),
        );
    }
    for (file, why) in &vitals.refused {
        holds.insert(
            Alarm::PluginRefused(file.clone()),
            format!("the plugin file {file} is refused: {why}"),
        );
    }
    for ((connection, credential), (until, why)) in &vitals.resting {
        if until - vitals.now >= RESTS_LONG_MS {
            holds.insert(
                Alarm::CredentialRests(connection.clone(), credential.clone()),
                format!(
                    "connection {connection}: the credential for {credential} rests for {} minutes: {why}; its deals wait and go on by themselves",
                    (until - vitals.now) / 60_000
                ),
            );
        }
    }
    let Some(census) = &vitals.census else {
        return holds;
    };
    let late = Millis::try_from(settings.late.as_millis()).unwrap_or(Millis::MAX);
    if let Some(since) = census
        .oldest_unanswered
        .filter(|since| vitals.now - since > late)
    {
        holds.insert(
            Alarm::BellsLate,
            format!(
                "a record that changed {} minutes ago was not looked at yet; {} wait: `cosell status` says what stands in the way",
                (vitals.now - since) / 60_000,
                census.bells_unanswered
            ),
        );
    }
    let parked = census.lanes.get("parked").copied().unwrap_or(0);
    if parked >= i64::try_from(settings.parked).unwrap_or(i64::MAX) {
        holds.insert(
            Alarm::ManyParked,
            format!("{parked} deals are parked and need a person: `cosell deals --state parked` lists them with their reasons"),
        );
    }
    holds
}

/// One message: the alarm, whether it begins or ends, and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    alarm: String,
    begins: bool,
    words: String,
}

impl Notice {
    /// `text` is what chat services show.
    fn to_json(&self, now: Millis) -> Value {
        let state = if self.begins { "firing" } else { "resolved" };
        json!({ "alert": self.alarm, "state": state, "at_ms": now, "message": self.words, "text": format!("cosell: {state}: {}", self.words) })
    }
}

/// What has to be told, when this was told before and that holds now. An alarm whose words alone change is told already.
pub(crate) fn changes(
    told: &BTreeMap<Alarm, String>,
    holds: &BTreeMap<Alarm, String>,
) -> Vec<(Alarm, Notice)> {
    let notice = |alarm: &Alarm, begins: bool, words: &str| {
        (
            alarm.clone(),
            Notice {
                alarm: alarm.name(),
                begins,
                words: words.to_owned(),
            },
        )
    };
    let begins = holds
        .iter()
        .filter(|(alarm, _)| !told.contains_key(alarm))
        .map(|(alarm, words)| notice(alarm, true, words));
    let ends = told
        .iter()
        .filter(|(alarm, _)| !holds.contains_key(alarm))
        .map(|(alarm, words)| notice(alarm, false, &format!("over: {words}")));
    begins.chain(ends).collect()
}

/// Where notices go besides the log.
struct Post {
    http: Http,
    url: Url,
}

impl Post {
    fn new(secret: &SecretString, config: &config::Config) -> Option<Self> {
        // Looked at when the configuration was read.
        let url = secret.expose_secret().parse().ok()?;
        let http = Http::new(&HttpSettings {
            extra_roots_pem: config.extra_roots.iter().cloned().collect(),
            ..HttpSettings::default()
        });
        match http {
            Ok(http) => Some(Self { http, url }),
            Err(error) => {
                error!(error = %error, "alerts cannot be posted; they stand in the log only");
                None
            }
        }
    }
}

/// Looks and tells until `stop` turns true. A notice that cannot be delivered is tried again with the next look.
pub(crate) async fn alert(
    desk: Arc<Desk>,
    config: config::Config,
    mut stop: watch::Receiver<bool>,
) {
    let post = config
        .alerts
        .webhook
        .as_ref()
        .and_then(|secret| Post::new(secret, &config));
    let mut told = BTreeMap::new();
    let mut clock = tokio::time::interval(config.alerts.every.unwrap_or(LOOK_EVERY));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            _ = clock.tick() => {}
        }
        let vitals = look(&desk).await;
        let holds = conditions(&vitals, &config.alerts);
        for (alarm, notice) in changes(&told, &holds) {
            if notice.begins {
                warn!(alert = %notice.alarm, "{}", notice.words);
            } else {
                info!(alert = %notice.alarm, "{}", notice.words);
            }
            if let Some(post) = &post
                && let Err(why) =
                    notice::post(&post.http, &post.url, &notice.to_json(vitals.now)).await
            {
                warn!(alert = %notice.alarm, why = %why, "the alert could not be posted; trying again");
                continue;
            }
            match holds.get(&alarm) {
                Some(words) => drop(told.insert(alarm, words.clone())),
                None => drop(told.remove(&alarm)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cosell_store::Census;

    use super::*;

    fn settings() -> config::Alerts {
        config::Alerts {
            webhook: None,
            late: Duration::from_secs(900),
            parked: 10,
            every: None,
        }
    }

    fn well() -> Vitals {
        Vitals {
            now: 10_000_000,
            census: Some(Census::default()),
            plugins: 7,
            ..Vitals::default()
        }
    }

    fn names(vitals: &Vitals) -> Vec<String> {
        conditions(vitals, &settings())
            .keys()
            .map(Alarm::name)
            .collect()
    }

    #[test]
    fn a_host_that_is_well_alarms_nobody() {
        assert_eq!(names(&well()), [""; 0]);
    }

    #[test]
    fn each_condition_is_an_alarm_of_its_own() {
        let mut vitals = well();
        vitals.plugins = 0;
        vitals
            .refused
            .insert("50-acme.wasm".into(), "half copied".into());
        vitals.resting.insert(
            ("contoso".into(), "dataverse".into()),
            (
                vitals.now + RESTS_LONG_MS,
                "the password has expired".into(),
            ),
        );
        vitals.resting.insert(
            ("contoso".into(), "partner-center".into()),
            (vitals.now + 30_000, "429".into()),
        );
        let census = vitals.census.as_mut().unwrap();
        census.oldest_unanswered = Some(vitals.now - 900_001);
        census.lanes.insert("parked".into(), 10);
        assert_eq!(
            names(&vitals),
            [
                "bells-late",
                "many-parked",
                "credential-rests:contoso:dataverse",
                "plugin-refused:50-acme.wasm",
                "no-plugins"
            ]
        );
        vitals.census = None;
        vitals.store_trouble = Some("disk full".into());
        assert!(names(&vitals).contains(&"store-down".to_owned()));
    }

    #[test]
    fn an_alarm_is_told_when_it_begins_and_when_it_ends_and_not_between() {
        let mut late = well();
        late.census.as_mut().unwrap().oldest_unanswered = Some(late.now - 900_001);
        let holds = conditions(&late, &settings());
        let told = BTreeMap::new();
        let begins = changes(&told, &holds);
        assert_eq!(begins.len(), 1);
        assert!(begins[0].1.begins);
        late.now += 60_000;
        let later = conditions(&late, &settings());
        assert_ne!(holds, later, "the words count minutes");
        assert_eq!(changes(&holds, &later), []);
        let ends = changes(&later, &BTreeMap::new());
        assert!(!ends[0].1.begins && ends[0].1.words.starts_with("over: "));
    }
}
