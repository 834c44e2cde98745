//! The composition root: config → build → announce → run → drain with a deadline. A plain list of what the process owns.

mod plugins;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use cosell_plugins::{EngineError, FolderError, PluginEvent, PluginFolder};
use cosell_remote::partner_center::PartnerCenterSettings;
use cosell_remote::{
    Credential, Dataverse, Endpoint, Http, HttpSettings, Meter, PartnerCenter, SetupError, Tokens,
};
use cosell_store::{
    ATTENDED, Clock, Keep, Millis, Opened, SqliteStore, StoreError, StoreUrl, system_clock,
};
use cosell_sync::budget::Limits;
use cosell_webhook::{ConnectionSettings, Door, DoorError, ServerLimits};
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::sync::{Notify, OnceCell, mpsc, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

pub use plugins::{desk_and_candidate, propose_folder, wake_parked};
use plugins::{engine, folder_settings, follow_plugins, follow_set, keep_plugins, serving_beside};

use crate::bell::Belfry;
use crate::config::{self, Config};
use crate::counting::keep_count;
use crate::desk::{Connection, CountedAs, Desk, Pace, Plugins, Rings, Room, fair_dice};
use crate::link::fingerprint;
use crate::presence::attend;
use crate::recording::{Keeping, expire};
use crate::room;
use crate::seal::Seal;
use crate::shadow::judge_shadows;
use crate::steady::Steady;
use crate::sweep::{Every, sweep};
use crate::token::SealedKeeper;
use crate::watch::alerts::alert;
use crate::worker::work;

/// Plugin events that wait for the host to act on them; they come by hand, a few a day.
const EVENTS_MAX: usize = 256;
/// Partner Center publishes no numbers; it says 429, and wants less at once then. (partner-center 6)
const PARTNER_CENTER_BUDGET: Limits = Limits {
    window_ms: 60_000,
    requests: 0,
    execution_ms: 0,
    at_once: 32,
    bulk_percent: 100,
    is_shared: false,
};
/// A store that answers at all answers within this time.
const RELEASE_MAX: Duration = Duration::from_secs(2);

/// Why the host did not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store could not be opened.
    #[error(
        "the store {path} cannot be opened; check that this user may write there and that no newer cosell has used it"
    )]
    Store {
        /// The file, or the database without its password.
        path: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The plugin engine could not be made.
    #[error(
        "the plugin engine cannot start; check that the plugin cache folder is private and writable"
    )]
    Engine(#[source] EngineError),
    /// A plugin that is to be tried would be refused.
    #[error("the plugin folder would refuse it: {0}")]
    Candidate(Box<cosell_plugins::Rejection>),
    /// The set of the store cannot be loaded here.
    #[error("the plugins that serve cannot be loaded: {0}")]
    Set(String),
    /// The plugin folder could not be watched.
    #[error("the plugin folder cannot be used")]
    Folder(#[source] FolderError),
    /// A client could not be made.
    #[error("connection \"{connection}\" cannot be set up")]
    Connection {
        /// Its id.
        connection: String,
        /// Why.
        #[source]
        source: SetupError,
    },
    /// The door could not be built.
    #[error("webhooks cannot be received")]
    Door(#[source] DoorError),
    /// The address is taken, or not ours.
    #[error(
        "cannot listen on {address}; is another host running there? Choose another address under {section} listen"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Where the configuration names it.
        section: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A running host.
pub struct Host {
    /// Where it listens.
    pub address: SocketAddr,
    /// What runs share.
    pub desk: Arc<Desk>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Host {
    /// Builds everything and starts it. Ready when this returns: bells are taken and lanes are worked on.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        Self::boxed(config, None).await
    }

    /// The same by a clock that is turned by hand, for tests: leases, waits and throttles follow it.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_by(config: &Config, clock: Clock) -> Result<Self, StartError> {
        Self::boxed(config, Some(clock)).await
    }

    /// See `worker::run`.
    #[inline(never)]
    fn boxed(config: &Config, clock: Option<Clock>) -> BoxFuture<'_, Result<Self, StartError>> {
        Box::pin(Self::start_at(config, clock))
    }

    async fn start_at(config: &Config, clock: Option<Clock>) -> Result<Self, StartError> {
        let began = Instant::now();
        // Before the store is touched: a host that was started twice by mistake must not call the leases of the first one its own.
        let listener = listen(config.server.listen, "[server]").await?;
        let address = listener.local_addr().unwrap_or(config.server.listen);
        let metrics = match config.metrics {
            Some(address) => Some(listen(address, "[metrics]").await?),
            None => None,
        };
        let unusable = |source| StartError::Store {
            path: config.store.to_string(),
            source,
        };
        let opened = cosell_store::open_with(&config.store, clock, config.limits.waiting)
            .await
            .map_err(unusable)?;
        let (plugin_events, events) = mpsc::channel(EVENTS_MAX);
        let on_event = move |event: &PluginEvent| {
            // Full only if hundreds of files change at once; the swap itself has happened, only its follow-up is late.
            if plugin_events.try_send(event.clone()).is_err() {
                warn!(
                    "a plugin event was not followed up; restart the host if webhook filters are out of date"
                );
            }
        };
        let plugins = keep_plugins(config, &opened, on_event).await?;
        let desk = Arc::new(compose(config, opened, plugins)?);
        // The others' that are gone, and of the embedded store everybody's.
        let attended = desk.store.attend(&desk.owner).await.map_err(unusable)?;
        crate::pace::shared_by(&desk, attended.hosts);
        let mut left = attended.freed;
        left += desk.store.resume().await.map_err(unusable)?;
        if left > 0 {
            info!(lanes = left, "taking up what the last host left unfinished");
        }
        let doors = config.connections.iter().map(listening).collect();
        let door =
            Door::new(doors, Arc::new(Belfry(Arc::clone(&desk)))).map_err(StartError::Door)?;

        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let router = cosell_webhook::router(Arc::new(door)).merge(health(Arc::clone(&desk)));
        let limits = ServerLimits {
            header_time: config.limits.header,
            connections: config.limits.sockets,
            drain_time: config.limits.drain,
        };
        let mut closing = stopping.clone();
        tasks.spawn(async move {
            cosell_webhook::serve(listener, router, limits, async move {
                let _ = closing.wait_for(|stop| *stop).await;
            })
            .await;
        });
        tasks.spawn(work(
            Arc::clone(&desk),
            config.limits.deals_at_once,
            stopping.clone(),
        ));
        if let Some(listener) = metrics {
            let mut closing = stopping.clone();
            // Who probes the host stands in no queue with strangers there.
            let router =
                crate::watch::metrics::router(Arc::clone(&desk)).merge(health(Arc::clone(&desk)));
            tasks.spawn(async move {
                cosell_webhook::serve(listener, router, limits, async move {
                    let _ = closing.wait_for(|stop| *stop).await;
                })
                .await;
            });
        }
        tasks.spawn(alert(Arc::clone(&desk), config.clone(), stopping.clone()));
        tasks.spawn(attend(Arc::clone(&desk), stopping.clone()));
        tasks.spawn(expire(Arc::clone(&desk), stopping.clone()));
        tasks.spawn(crate::history::prune(Arc::clone(&desk), stopping.clone()));
        if config.keys.is_empty() {
            warn!(
                "[store] keys has no key: the refresh token of Partner Center rests in clear in its file, readable by this user; `cosell config example` says how one is made"
            );
        }
        tell_plain_tokens(config, &desk.seal);
        let every = Every {
            partner_center: config.sweep.partner_center,
            crm: config.sweep.crm,
        };
        for settings in &config.connections {
            tasks.spawn(keep_count(
                Arc::clone(&desk),
                settings.id.clone(),
                stopping.clone(),
            ));
            tasks.spawn(sweep(
                Arc::clone(&desk),
                settings.id.clone(),
                every,
                stopping.clone(),
            ));
        }
        tasks.spawn(follow_set(Arc::clone(&desk), stopping.clone()));
        tasks.spawn(judge_shadows(Arc::clone(&desk), stopping.clone()));
        tasks.spawn(follow_plugins(
            Arc::clone(&desk),
            config.clone(),
            events,
            stopping,
        ));
        let set = desk.plugins.current();
        info!(
            host.address = %address,
            host.plugins = set.plugins().len(),
            host.ready_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "ready: bells are taken and deals are kept in step"
        );
        Ok(Self {
            address,
            desk,
            stop,
            tasks,
        })
    }

    /// Looks into the plugin folder now, and does not wait for its watch or its next look. Files still have to settle.
    pub async fn reload(&self) {
        if let Plugins::Folder(folder) = &self.desk.plugins {
            let set = folder.reload().await;
            info!(
                plugins = set.plugins().len(),
                "looked into the plugin folder, as told"
            );
        }
    }

    /// Comes back when a part of the host has ended that nobody has told to: it was a mistake of ours, and a host without its worker or its sweep only
    /// looks as if it were well. Whoever started it ends it then, and starts another one.
    pub async fn broke(&mut self) -> String {
        loop {
            match self.tasks.join_next().await {
                Some(Err(error)) if error.is_panic() => return error.to_string(),
                // Some have nothing to do under this configuration.
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Takes no more work, lets running deals end, and returns. What is not finished within the drain time is cut off and given back: the next
    /// start, or another host, takes it up at once.
    pub async fn stop(mut self, drain: Duration) {
        self.stop.send_replace(true);
        self.desk.rope.notify_waiters();
        let drained = tokio::time::timeout(drain, async {
            while self.tasks.join_next().await.is_some() {}
        })
        .await;
        if drained.is_err() {
            warn!("the time to drain was over; whoever comes next takes up what was left");
            self.tasks.shutdown().await;
        }
        let desk = &self.desk;
        let released = tokio::time::timeout(RELEASE_MAX, desk.store.give_back(&desk.owner)).await;
        match released {
            Ok(Ok(0)) => {}
            Ok(Ok(lanes)) => info!(lanes, "gave back the deals that were under way"),
            Ok(Err(error)) => {
                warn!(error = %error, "the deals that were under way wait for their leases to run out")
            }
            Err(_) => warn!(
                "the store does not answer: the deals that were under way wait for their leases to run out"
            ),
        }
    }
}

async fn listen(address: SocketAddr, section: &'static str) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| StartError::Listen {
        address,
        section,
        source,
    })
}

/// What a command works with, beside a host or without one: the same desk, but no door, no worker and no timer, and no lease is taken up.
/// Where no host has ever run, it remembers nothing and leaves nothing behind.
///
/// # Errors
/// [`StartError`].
pub fn desk(config: &Config) -> Result<Desk, StartError> {
    let opened = match &config.store {
        StoreUrl::Sqlite(path) if !path.exists() => {
            SqliteStore::in_memory(system_clock()).map(|store| Opened {
                store: Arc::new(store),
                clock: system_clock(),
            })
        }
        url => cosell_store::attach(url, None),
    };
    let opened = opened.map_err(|source| StartError::Store {
        path: config.store.to_string(),
        source,
    })?;
    let plugins = match serving_beside(config)? {
        Some(serving) => Plugins::Beside(Arc::new(serving)),
        // No host has ever run: what would serve is what lies in the folder.
        None => Plugins::Folder(
            PluginFolder::open(
                engine(config)?,
                &config.plugins.folder,
                folder_settings(config),
                |_| {},
            )
            .map_err(StartError::Folder)?,
        ),
    };
    let desk = compose(config, opened, plugins)?;
    // Beside a host: each keeps to half, and hears from the service what the other has used.
    crate::pace::shared_by(&desk, 2);
    Ok(desk)
}

fn compose(config: &Config, opened: Opened, plugins: Plugins) -> Result<Desk, StartError> {
    // Keys were read as keys when the configuration was.
    let seal = Arc::new(Seal::new(&config.keys).unwrap_or_default());
    let recordings = config.recordings;
    let mut connections = BTreeMap::new();
    let mut meters = Meters::default();
    for (place, settings) in config.connections.iter().enumerate() {
        let connection =
            connection(config, settings, place, &seal, &mut meters).map_err(|source| {
                StartError::Connection {
                    connection: settings.id.clone(),
                    source,
                }
            })?;
        connections.insert(settings.id.clone(), connection);
    }
    Ok(Desk {
        store: opened.store,
        clock: opened.clock,
        plugins,
        connections,
        rope: Arc::new(Notify::new()),
        owner: format!("{ATTENDED}{}-{}", std::process::id(), uuid::Uuid::new_v4()),
        lease_ms: millis(config.limits.lease),
        second_look_ms: millis(config.limits.second_look),
        language: config.server.language.clone(),
        dice: fair_dice(),
        seal,
        recordings: recordings.enabled.then(|| Keeping {
            keep: Keep {
                per_deal: recordings.per_deal,
                for_ms: millis(recordings.keep),
            },
            bytes_max: recordings.bytes_max,
        }),
        pace: Arc::new(Pace::new(config.limits.deals_at_once)),
        rings: Rings::default(),
        room: Room::new(config.store.file(), config.limits.disk_free_bytes),
    })
}

/// A refresh token that lies there plain although there is a key is sealed at its next renewal; until then the operator knows.
fn tell_plain_tokens(config: &Config, seal: &Arc<Seal>) {
    for settings in &config.connections {
        let path = &settings.partner_center.refresh_token;
        if SealedKeeper::new(path, &settings.id, seal).is_plain_although() {
            warn!(
                connection = %settings.id,
                file = %path.display(),
                "the refresh token lies there plain although [store] keys has a key: it is sealed when it is renewed, at its next use"
            );
        }
    }
}

/// The Partner Center of one connection, for whoever signs in: without a store, and without looking at what lies where the refresh token belongs.
///
/// # Errors
/// [`StartError::Connection`].
pub fn to_sign_in(
    config: &Config,
    settings: &config::Connection,
) -> Result<PartnerCenter, StartError> {
    let seal = Arc::new(Seal::new(&config.keys).unwrap_or_default());
    let connection = connection(config, settings, 0, &seal, &mut Meters::default());
    let connection = connection.map_err(|source| StartError::Connection {
        connection: settings.id.clone(),
        source,
    })?;
    Ok(connection.partner_center)
}

fn millis(time: Duration) -> Millis {
    Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX)
}

fn connection(
    config: &Config,
    settings: &config::Connection,
    place: usize,
    seal: &Arc<Seal>,
    meters: &mut Meters,
) -> Result<Connection, SetupError> {
    let http = Http::new(&HttpSettings {
        timeout: config.limits.call,
        extra_roots_pem: config.extra_roots.iter().cloned().collect(),
        ..HttpSettings::default()
    })?;
    let authority = settings.entra.authority.as_str();
    let webhooks = Endpoint::new(settings.partner_center.webhook_url.as_str())?;
    let partner_center = Tokens::new(
        authority,
        Credential::RefreshToken {
            tenant: settings.entra.tenant.clone(),
            client_id: settings.partner_center.client_id.clone(),
            proof: settings.partner_center.app.proof.clone(),
            keeper: Arc::new(SealedKeeper::new(
                &settings.partner_center.refresh_token,
                &settings.id,
                seal,
            )),
            also_as_itself: Some(webhooks.audience().to_owned()),
        },
        http.clone(),
    )?;
    let dataverse = Tokens::new(
        authority,
        Credential::ClientCredentials {
            tenant: settings.dataverse.tenant.clone(),
            client_id: settings.dataverse.client_id.clone(),
            proof: settings.dataverse.app.proof.clone(),
        },
        http.clone(),
    )?;
    let endpoints = PartnerCenterSettings {
        referrals: Endpoint::new(settings.partner_center.base_url.as_str())?,
        webhooks,
    };
    let counted_as = counted_as(settings);
    let tenant_meter = meters.of(&counted_as.partner_center, PARTNER_CENTER_BUDGET, &http);
    let organisation_meter = meters.of(&counted_as.dataverse, settings.dataverse.budget, &http);
    let organisation = Endpoint::new(settings.dataverse.url.as_str())?;
    Ok(Connection {
        id: settings.id.clone(),
        partner_center: PartnerCenter::new(endpoints, partner_center, http.clone())
            .metered(tenant_meter),
        dataverse: Dataverse::new(organisation, dataverse, http).metered(organisation_meter),
        counted_as,
        policies: settings.policy.policies.clone(),
        link_base: settings.partner_center.link_base.clone(),
        partner_location: settings.partner_center.location.clone(),
        contacts_consent_declared: settings.policy.contacts_may_be_shared,
        patience: settings.policy.patience,
        holds: settings.policy.holds.clone(),
        mass: settings.policy.mass,
        mapping_changes: settings.policy.mapping_changes,
        partner_tenant: settings.entra.tenant.to_ascii_lowercase(),
        route: settings.route.clone(),
        place,
        configuration: fingerprint(&format!("{:?}", settings.policy)),
        checked: OnceCell::new(),
        steady: Steady::default(),
    })
}

fn counted_as(settings: &config::Connection) -> CountedAs {
    let (entra, partner_center, crm) = (
        &settings.entra,
        &settings.partner_center,
        &settings.dataverse,
    );
    CountedAs {
        partner_center: format!("{} {}", entra.tenant, partner_center.client_id),
        dataverse: format!("{} {}", crm.url, crm.client_id),
    }
}

/// One for each identity that the other side counts: connections that share one share it.
#[derive(Default)]
struct Meters(BTreeMap<String, Meter>);

impl Meters {
    fn of(&mut self, identity: &str, limits: Limits, http: &Http) -> Meter {
        let meter = self.0.entry(identity.to_owned());
        meter.or_insert_with(|| Meter::new(limits, http)).clone()
    }
}

fn listening(settings: &config::Connection) -> ConnectionSettings {
    ConnectionSettings {
        id: settings.id.clone(),
        partner_center: Some(settings.partner_center.webhook.clone()),
        dataverse: Some(settings.dataverse.webhook.clone()),
    }
}

/// `/healthz`: the process answers. `/readyz`: it can remember, and has plugins to work with.
fn health(desk: Arc<Desk>) -> Router {
    let ready = move || {
        let desk = Arc::clone(&desk);
        async move {
            if desk.plugins.behind().is_some() {
                return (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the plugins that the store says cannot be loaded here: see the log, or `cosell plugin list`\n",
                );
            }
            if desk.plugins.current().plugins().is_empty() {
                return (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "no plugin is in service: put the stock plugins into the plugin folder\n",
                );
            }
            if room::trouble(&desk).await.is_some() {
                return (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "no room is left to remember anything new: make room on the store's disk, and it goes on by itself\n",
                );
            }
            match desk.store.next_due().await {
                Ok(_) => (StatusCode::OK, "ready\n"),
                Err(_) => (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the store does not answer: see the log\n",
                ),
            }
        }
    };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
}
