//! Alerts: told when a condition begins and when it ends, never once per event. Which conditions hold is decided here, from one look; who tells
//! them, and what was told, is [`telling`](super::telling)'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cosell_store::Millis;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::rests::Rests;
use super::telling::{Outlet, Seen, Words, changes};
use super::vitals::{Vitals, look};
use crate::config;
use crate::desk::Desk;
use crate::expiry::{Expiry, expiries};
use crate::verbs::NO_PLUGIN;

/// Often enough for people, seldom enough for a store with a million deals.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// A credential that rests for less is a 429 that passes by itself, or an answer that was a mistake of the other side's.
const RESTS_LONG_MS: Millis = 5 * 60_000;

/// An ending is told again when so many days are left.
const COUNTDOWN_DAYS: [u32; 4] = [30, 14, 7, 1];

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    StoreDown,
    NoRoom,
    Backlog,
    /// Connection, credential, and within how many days it ends.
    CredentialEnds(String, String, u32),
    BellsLate,
    ManyParked,
    CredentialRests(String, String),
    Unexplained(String),
    PluginRefused(String),
    NoPlugins,
    HostBehind,
}

impl Alarm {
    /// Whether all hosts of a store see it alike: one of them tells it.
    pub(crate) const fn is_shared(&self) -> bool {
        match self {
            Self::Backlog
            | Self::CredentialEnds(..)
            | Self::BellsLate
            | Self::ManyParked
            | Self::CredentialRests(..)
            | Self::Unexplained(_) => true,
            Self::StoreDown
            | Self::NoRoom
            | Self::PluginRefused(_)
            | Self::NoPlugins
            | Self::HostBehind => false,
        }
    }

    /// For programs: constant, `credential-rests:contoso:dataverse`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::StoreDown => "store-down".to_owned(),
            Self::NoRoom => "no-room".to_owned(),
            Self::Backlog => "backlog".to_owned(),
            Self::CredentialEnds(connection, credential, days) => {
                format!("credential-ends:{connection}:{credential}:{days}-days")
            }
            Self::BellsLate => "bells-late".to_owned(),
            Self::ManyParked => "many-parked".to_owned(),
            Self::CredentialRests(connection, credential) => {
                format!("credential-rests:{connection}:{credential}")
            }
            Self::Unexplained(connection) => format!("unexplained:{connection}"),
            Self::PluginRefused(file) => format!("plugin-refused:{file}"),
            Self::NoPlugins => "no-plugins".to_owned(),
            Self::HostBehind => "host-behind".to_owned(),
        }
    }
}

/// What holds now, with words for people.
pub(crate) fn conditions(
    vitals: &Vitals,
    rests: &Rests,
    settings: &config::Alerts,
) -> BTreeMap<Alarm, String> {
    let mut holds = BTreeMap::new();
    if let Some(why) = &vitals.store_trouble {
        holds.insert(
            Alarm::StoreDown,
            format!("the store does not answer: {why}; webhooks are answered with 503, and nothing is lost while the senders try again"),
        );
    }
    if let Some(why) = &vitals.no_room {
        holds.insert(
            Alarm::NoRoom,
            format!("nothing new can be remembered: {why}; webhooks are answered with 503, and it goes on by itself when there is room"),
        );
    }
    for (alarm, words) in endings(vitals, settings) {
        holds.insert(alarm, words);
    }
    if vitals.plugins == 0 {
        holds.insert(Alarm::NoPlugins, NO_PLUGIN.to_owned());
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
    for (connection, records) in &vitals.unexplained {
        holds.insert(
            Alarm::Unexplained(connection.clone()),
            format!("connection {connection}: the daily count finds {records} records that nobody can explain: `cosell reconcile` names them, with what to do"),
        );
    }
    for ((connection, credential), rest) in rests.longer_than(RESTS_LONG_MS) {
        holds.insert(
            Alarm::CredentialRests(connection.clone(), credential.clone()),
            format!(
                "connection {connection}: the credential for {credential} cannot be used, for {} minutes by now and to come: {}; its deals wait and go on by themselves",
                (rest.until - rest.since) / 60_000,
                rest.why
            ),
        );
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
    if census.bells_unanswered >= settings.waiting {
        holds.insert(
            Alarm::Backlog,
            format!(
                "{} records wait to be looked at, and no more are taken: webhooks are answered with 503 until fewer wait",
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

/// Each step of the countdown is an alarm of its own, so that it is told again when less time is left; a new credential ends all of them.
fn endings(vitals: &Vitals, settings: &config::Alerts) -> Vec<(Alarm, String)> {
    let steps = std::iter::once(settings.ends_days)
        .chain(COUNTDOWN_DAYS)
        .filter(|days| *days <= settings.ends_days);
    let steps: BTreeSet<u32> = steps.collect();
    let mut told = Vec::new();
    for expiry in &vitals.expiries {
        let left = expiry.days_left(vitals.now);
        let words = Expiry::in_words(left);
        for step in steps.iter().filter(|step| left < i64::from(**step)) {
            told.push((
                Alarm::CredentialEnds(expiry.connection.clone(), expiry.credential.clone(), *step),
                format!(
                    "connection {}: {} {words}: {}",
                    expiry.connection,
                    expiry.credential,
                    expiry.remedy()
                ),
            ));
        }
    }
    told
}

/// Looks and tells until `stop` turns true.
pub(crate) async fn alert(
    desk: Arc<Desk>,
    config: config::Config,
    mut stop: watch::Receiver<bool>,
) {
    let (put, seen) = watch::channel(Seen::default());
    let mut outlets = JoinSet::new();
    for outlet in Outlet::all(&config) {
        outlets.spawn(outlet.tell(Arc::clone(&desk), seen.clone()));
    }
    // Each host's log says what it sees, whoever tells it.
    let (mut logged, mut logged_shared) = (Words::new(), Words::new());
    let mut rests = Rests::default();
    let mut clock = tokio::time::interval(config.alerts.every.unwrap_or(LOOK_EVERY));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            _ = clock.tick() => {}
        }
        let mut vitals = look(&desk).await;
        let files = config.clone();
        vitals.expiries = tokio::task::spawn_blocking(move || expiries(&files))
            .await
            .unwrap_or_default();
        rests.note(&vitals);
        let holds = conditions(&vitals, &rests, &config.alerts);
        let mut seen = Seen::of(vitals.now, holds, vitals.census.is_none());
        let resting = rests.all().map(|(connection, credential)| {
            Alarm::CredentialRests(connection.clone(), credential.clone()).name()
        });
        seen.pending.extend(resting);
        log(&mut logged, &seen.own, &seen.pending);
        if let Some(shared) = &seen.shared {
            log(&mut logged_shared, shared, &seen.pending);
        }
        put.send_replace(seen);
    }
}

fn log(logged: &mut Words, holds: &Words, pending: &BTreeSet<String>) {
    for notice in changes(logged, holds, pending) {
        if notice.begins {
            warn!(alert = %notice.alarm, "{}", notice.words);
        } else {
            info!(alert = %notice.alarm, "{}", notice.words);
        }
        notice.remember(logged);
    }
}

#[cfg(test)]
mod tests {
    use cosell_store::Census;

    use super::*;

    fn settings() -> config::Alerts {
        config::Alerts {
            webhook: None,
            mail: None,
            ends_days: 30,
            waiting: 100_000,
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
        conditions(vitals, &seen_once(vitals), &settings())
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
            (vitals.now + RESTS_LONG_MS, "it is slowing us down".into()),
        );
        vitals.resting.insert(
            ("contoso".into(), "partner-center".into()),
            (vitals.now + 30_000, "429".into()),
        );
        vitals.unexplained.insert("contoso".into(), 3);
        let census = vitals.census.as_mut().unwrap();
        census.oldest_unanswered = Some(vitals.now - 900_001);
        census.lanes.insert("parked".into(), 10);
        assert_eq!(
            names(&vitals),
            [
                "bells-late",
                "many-parked",
                "credential-rests:contoso:dataverse",
                "unexplained:contoso",
                "plugin-refused:50-acme.wasm",
                "no-plugins"
            ]
        );
        vitals.census = None;
        vitals.store_trouble = Some("disk full".into());
        assert!(names(&vitals).contains(&"store-down".to_owned()));
    }

    fn seen_once(vitals: &Vitals) -> Rests {
        let mut rests = Rests::default();
        rests.note(vitals);
        rests
    }

    /// Refused, it rests for a minute, is tried, and rests again: nobody sees more than a minute at a time.
    #[test]
    fn a_credential_that_is_refused_again_and_again_is_one_alarm_until_it_is_accepted() {
        let mut vitals = well();
        let mut rests = Rests::default();
        let key = ("contoso".to_owned(), "partner-center".to_owned());
        let mut told = Vec::new();
        for look in 0..60 {
            vitals.now += 15_000;
            vitals.resting.clear();
            // Every fifth look falls into the moment in which it is tried; after ten minutes a person has mended it.
            if look % 5 != 0 && look < 40 {
                let until = (vitals.now + 40_000, "the secret has expired".to_owned());
                vitals.resting.insert(key.clone(), until);
            }
            rests.note(&vitals);
            told.push(!conditions(&vitals, &rests, &settings()).is_empty());
        }
        let begins = told.iter().position(|holds| *holds).unwrap();
        let ends = told.iter().rposition(|holds| *holds).unwrap();
        assert!(
            (16..22).contains(&begins),
            "after five minutes: look {begins}"
        );
        assert!((40..52).contains(&ends), "and it is over: look {ends}");
        assert!(
            told[begins..=ends].iter().all(|holds| *holds),
            "and not between"
        );
        let words = conditions(&vitals, &Rests::default(), &settings());
        assert!(words.is_empty());
    }

    #[test]
    fn an_ending_is_told_again_as_less_time_is_left_and_a_new_credential_ends_all() {
        const DAY: Millis = 86_400_000;
        let mut vitals = well();
        let ends_in = |days: i64| Expiry {
            connection: "contoso".into(),
            credential: "dataverse-secret".into(),
            expires_at: 10_000_000 + days * DAY,
        };
        let steps = |vitals: &Vitals| {
            let all = names(vitals);
            let step = |name: &String| name.rsplit_once(':').map(|(_, step)| step.to_owned());
            all.iter().filter_map(step).collect::<Vec<_>>()
        };
        for (days, told) in [
            (30, &[][..]),
            (29, &["30-days"]),
            (13, &["14-days", "30-days"]),
            (0, &["1-days", "7-days", "14-days", "30-days"]),
            (-3, &["1-days", "7-days", "14-days", "30-days"]),
            (400, &[]),
        ] {
            vitals.expiries = vec![ends_in(days)];
            assert_eq!(steps(&vitals), told, "{days} days left");
        }
        vitals.expiries = vec![ends_in(-3)];
        let words = conditions(&vitals, &Rests::default(), &settings());
        assert!(words.values().all(|words| words.contains("is over")));
    }

    #[test]
    fn no_room_and_too_many_bells_are_alarms() {
        let mut vitals = well();
        vitals.no_room = Some("no room is left on the disk".into());
        vitals.census.as_mut().unwrap().bells_unanswered = 99_999;
        assert_eq!(names(&vitals), ["no-room"]);
        // As many as the store takes: the next one is refused.
        vitals.census.as_mut().unwrap().bells_unanswered = 100_000;
        assert_eq!(names(&vitals), ["no-room", "backlog"]);
    }
}
