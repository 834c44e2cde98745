//! The plugins of a host: an engine, a folder that proposes, a store that says what serves; and what follows when something else serves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cosell_plugins::{
    Engine, EngineSettings, FolderSettings, Ledger, Limits, PluginEvent, PluginFolder, PluginSet,
    Serving, Stranger, What, strangers,
};
use cosell_store::{LaneFilter, Millis, Opened, StoreUrl};
use cosell_sync::deal::Timestamp;
use cosell_sync::delta::Order;
use tokio::sync::{mpsc, watch};
use tracing::{error, warn};

use super::{StartError, desk};
use crate::config::Config;
use crate::desk::{Desk, Plugins};
use crate::personal::mask;
use crate::set::{StoreLedger, Voice, folder_name};
use crate::subscribe::{RETRY, Registered, subscribe};
use crate::trouble::Trouble;
use crate::verbs::Pages;

/// How often a host looks whether another one, or a person, has changed the set of plugins.
const FOLLOW: Duration = Duration::from_secs(2);
/// What lies between two readings of clocks.
const CLOCKS_MS: Millis = 1_000;
/// What waits for a person, or was told to: woken when the set of plugins changes, and once after each start, when the configuration may have changed.
const PUT_ASIDE: [&str; 3] = ["parked", "held", "paused"];
/// What a run has read, or is reading, and nobody else wakes.
const READ: [&str; 3] = ["settled", "waiting", "running"];

/// A desk as [`desk`] makes it, and the set that would serve if this file were dropped into the plugin folder.
///
/// # Errors
/// [`StartError`]; [`StartError::Candidate`] when the folder would refuse the file.
pub fn desk_and_candidate(
    config: &Config,
    candidate: &Path,
) -> Result<(Desk, Arc<PluginSet>), StartError> {
    let desk = desk(config)?;
    let set = cosell_plugins::with_candidate(
        &engine(config)?,
        &desk.plugins.current(),
        &config.plugins.folder,
        candidate,
    )
    .map_err(|rejection| StartError::Candidate(Box::new(rejection)))?;
    Ok((desk, Arc::new(set)))
}

/// Proposes everything that lies in the plugin folder, as if all of it had just been dropped; nothing is taken away by what does not lie there. For
/// a folder that is new to a store where another set serves, and for pipelines that deploy one. Answers the generation that serves then, and what
/// was refused.
///
/// # Errors
/// [`StartError`].
pub async fn propose_folder(
    config: &Config,
) -> Result<(u64, Vec<cosell_plugins::Rejection>), StartError> {
    let opened = cosell_store::open(&config.store, None)
        .await
        .map_err(|source| StartError::Store {
            path: config.store.to_string(),
            source,
        })?;
    let folder = keep_folder(config, &opened, Voice::All, |_| {}).await?;
    // Where a set serves already, the folder is tried behind it.
    folder.reload().await;
    Ok((folder.current().generation(), folder.refused()))
}

/// The set of the store, loaded beside a host that may be running. None: there is none. It has a runtime and a handle on the store of its own, so
/// that any thread may wait for it.
pub(super) fn serving_beside(config: &Config) -> Result<Option<Serving>, StartError> {
    if config.store.file().is_some_and(|path| !path.exists()) {
        return Ok(None);
    }
    let load = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StartError::Set(error.to_string()))?;
        let within = runtime.enter();
        let opened =
            cosell_store::attach(&config.store, None).map_err(|source| StartError::Store {
                path: config.store.to_string(),
                source,
            })?;
        drop(within);
        let ledger = StoreLedger::beside(opened.store, opened.clock, runtime);
        if ledger.newest().map_err(|error| StartError::Set(error.0))? == 0 {
            return Ok(None);
        }
        cosell_plugins::serving(&engine(config)?, &ledger)
            .map(Some)
            .map_err(StartError::Set)
    };
    std::thread::scope(|scope| {
        scope.spawn(load).join().unwrap_or_else(|_| {
            Err(StartError::Set(
                "this is a bug, please report it".to_owned(),
            ))
        })
    })
}

pub(super) fn engine(config: &Config) -> Result<Engine, StartError> {
    let limits = Limits {
        call_ms: u64::try_from(config.limits.plugin_call.as_millis()).unwrap_or(u64::MAX),
        memory_bytes: config.limits.plugin_memory_bytes,
        ..Limits::default()
    };
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Engine::new(EngineSettings {
        cache_dir: Some(config.plugins.cache.clone()),
        limits,
        threads,
        compiler: config.plugins.compiler.clone(),
        trust: config.plugins.trust.clone(),
    })
    .map_err(StartError::Engine)
}

pub(super) fn folder_settings(config: &Config) -> FolderSettings {
    FolderSettings {
        settle: config.plugins.settle,
        shadow_first: config.plugins.shadow_first,
        ask_for_more: config.plugins.ask_for_more,
        ..FolderSettings::default()
    }
}

/// The folder proposes, and the store says what serves. Compiling takes seconds and asks the store, so it has a thread of its own.
pub(super) async fn keep_plugins(
    config: &Config,
    opened: &Opened,
    on_event: impl Fn(&PluginEvent) + Send + Sync + 'static,
) -> Result<Plugins, StartError> {
    keep_folder(config, opened, Voice::News, on_event)
        .await
        .map(Plugins::Folder)
}

async fn keep_folder(
    config: &Config,
    opened: &Opened,
    voice: Voice,
    on_event: impl Fn(&PluginEvent) + Send + Sync + 'static,
) -> Result<PluginFolder, StartError> {
    let engine = engine(config)?;
    let is_shared = matches!(config.store, StoreUrl::Postgres(_));
    let name = folder_name(is_shared, &config.plugins.folder, &config.plugins.cache);
    let ledger = Arc::new(StoreLedger::of_host(
        Arc::clone(&opened.store),
        Arc::clone(&opened.clock),
        name,
        voice,
    ));
    let (folder, settings) = (config.plugins.folder.clone(), folder_settings(config));
    for Stranger { file, why } in strangers(&config.plugins.folder).unwrap_or_default() {
        warn!(file, "{file} in the plugin folder {why}");
    }
    tokio::task::spawn_blocking(move || {
        PluginFolder::open_with(engine, folder, settings, ledger, on_event)
    })
    .await
    .map_err(|error| StartError::Set(error.to_string()))?
    .map_err(StartError::Folder)
}

/// Another host or a person changes the set in the store: every few seconds the keeper looks there.
pub(super) async fn follow_set(desk: Arc<Desk>, mut stop: watch::Receiver<bool>) {
    let mut look = tokio::time::interval(FOLLOW);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            _ = look.tick() => {}
        }
        if let Plugins::Folder(folder) = &desk.plugins {
            folder.follow();
        }
    }
}

/// After each swap: what the new set reads is subscribed to first (S31), and then what was parked is tried again (S26), so that a deal that is read
/// with new columns is told of their changes from then on. Deals that were read with them in between, by a bell of their own, are looked at once more.
/// The first round is the start itself.
pub(super) async fn follow_plugins(
    desk: Arc<Desk>,
    config: Config,
    mut events: mpsc::Receiver<PluginEvent>,
    mut stop: watch::Receiver<bool>,
) {
    let mut subscribed = Registered::default();
    let mut has_swapped = false;
    // What is registered, and since when deals may have been read with more than that.
    let mut told_of = None;
    let mut read_since: Option<Millis> = None;
    let mut told_in_vain = Vec::new();
    // With every sweep: what is told elsewhere is found by the sweep, and told to us again from then on.
    let mut doubt = tokio::time::interval(config.sweep.partner_center);
    doubt.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    doubt.reset();
    loop {
        let mut again = None;
        let in_vain = desk.tried_in_vain();
        for why in in_vain.iter().filter(|why| !told_in_vain.contains(*why)) {
            warn!("{why}");
        }
        told_in_vain = in_vain;
        // Without the set it is not known what to follow; it is, with the swap that loads it.
        let known = desk.plugins.behind().is_none();
        let needs = desk.plugins.followed().needs;
        for settings in config.connections.iter().filter(|_| known) {
            // All of it can be done again, and whoever starts next looks what is registered.
            let registered = tokio::select! {
                _ = stop.changed() => return,
                registered = subscribe(&desk, &config, settings, &mut subscribed) => registered,
            };
            if let Err(error) = registered {
                let soon = retry_after(&desk, &error);
                again = Some(again.map_or(soon, |sooner| soon.min(sooner)));
                warn!(
                    connection = %settings.id,
                    error = %mask(&error.to_string()),
                    retry_ms = u64::try_from(soon.as_millis()).unwrap_or(u64::MAX),
                    "webhooks are not registered yet; the sweep finds changes meanwhile, and registration is tried again"
                );
            }
        }
        if known && again.is_none() {
            let before = told_of.replace(Arc::clone(&needs));
            if let Some(since) = read_since.take()
                && before.is_some_and(|before| before != needs)
            {
                wake_since(&desk, since).await;
            }
        }
        // Also where it cannot be subscribed just now: the sweep covers what is not told, and a deal does not wait for it.
        if std::mem::take(&mut has_swapped) {
            wake_parked(&desk).await;
        }
        let again = again.map(|wait| tokio::time::Instant::now() + wait);
        loop {
            tokio::select! {
                _ = stop.changed() => return,
                () = tokio::time::sleep_until(again.unwrap_or_else(tokio::time::Instant::now)), if again.is_some() => break,
                _ = doubt.tick() => {
                    subscribed.doubt();
                    break;
                }
                event = events.recv() => match event {
                    Some(event) if matches!(event.what, What::Swapped { .. }) => {
                        read_since.get_or_insert(moment_of(&desk, &event));
                        has_swapped = true;
                        break;
                    }
                    // What is tried on some deals may read other columns.
                    Some(event) if event.what == What::Candidate && event.file.is_empty() => {
                        read_since.get_or_insert(moment_of(&desk, &event));
                        break;
                    }
                    // A component that was looked at, and changed nothing.
                    Some(_) => {}
                    None => return,
                },
            }
        }
    }
}

/// The moment that a resting credential may be used again, else a while.
fn retry_after(desk: &Desk, error: &Trouble) -> Duration {
    match error {
        Trouble::NotYet { until, .. } => {
            let ms = until.saturating_sub(desk.now()).max(1);
            Duration::from_millis(ms.unsigned_abs())
        }
        _ => RETRY,
    }
}

/// When it happened by the store's clock, or a little earlier: the two clocks are read one after the other.
fn moment_of(desk: &Desk, event: &PluginEvent) -> Millis {
    let age = Timestamp::now().as_millisecond() - event.at.as_millisecond();
    desk.now() - age.max(0) - CLOCKS_MS
}

/// Nobody told of what these deals were read with: what changed in it since then is found by one more look.
async fn wake_since(desk: &Desk, since: Millis) {
    for id in desk.connections.keys() {
        let filter = LaneFilter {
            states: READ.into_iter().map(str::to_owned).collect(),
            since: Some(since),
            ..LaneFilter::default()
        };
        if !wake_all(desk, id, filter).await {
            return;
        }
    }
    desk.rope.notify_one();
}

/// Lanes that a person has to look at are tried again: what stood in their way may be gone (S26).
pub async fn wake_parked(desk: &Desk) {
    for (id, connection) in &desk.connections {
        // A changed mapping concerns every deal when the operator has ordered so (S8).
        let all = (connection.mapping_changes == Order::All).then_some("settled");
        let filter = LaneFilter {
            states: PUT_ASIDE
                .into_iter()
                .chain(all)
                .map(str::to_owned)
                .collect(),
            ..LaneFilter::default()
        };
        if !wake_all(desk, id, filter).await {
            return;
        }
    }
    desk.rope.notify_one();
}

/// False: the store is away.
async fn wake_all(desk: &Desk, connection: &str, filter: LaneFilter) -> bool {
    let mut pages = Pages::of(&*desk.store, connection, filter);
    loop {
        let page = match pages.next().await {
            Ok(Some(page)) => page,
            Ok(None) => return true,
            Err(error) => {
                error!(error = %error, "deals could not be woken after a change of plugins");
                return false;
            }
        };
        for lane in page {
            let woken = desk
                .store
                .wake(connection, lane.lane, cosell_store::PLUGINS_CHANGED)
                .await;
            if let Err(error) = woken {
                error!(error = %error, lane = lane.lane.0, "a deal could not be woken");
            }
        }
    }
}
