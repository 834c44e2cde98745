//! Hosts as processes of their own, on one store, against the simulator: for what only real processes can show. Ended by force, frozen, started
//! anew; webhooks lost, doubled and out of order; the database gone for a while.
//!
//! [`Fleet`] is the stage, [`gate`] stands where a load balancer would, [`people`] act on both sides and know what they said, [`judge`] compares
//! that with what the services hold and have accepted. [`crash`] ends hosts at random moments, [`matrix`] at each step of the protocol.

pub mod crash;
pub mod gate;
pub mod judge;
#[cfg(debug_assertions)]
pub mod matrix;
pub mod people;
pub mod process;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use cosell::simulated::{Paths, write_configuration};
use cosell_simulator::{Control, Running, Service, Simulator, SimulatorConfig};
use cosell_store::{Store, StoreUrl};

use self::gate::{Gate, Manners};
use self::process::HostProcess;
use crate::{components, target};

/// Longest that anything is waited for: a lane may have to wait for a lease, a sweep and a backoff on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
pub const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Short, so that nobody waits long: a call may take 5 s, so a lease takes 10.
const SECTIONS: &str = "[limits]\ncall_s = 5\nlease_s = 10\nsecond_look_s = 5\ndrain_s = 3\n\n[sweep]\npartner_center_s = 10\ncrm_s = 10\n";

/// What a fleet is to be like.
pub struct Order<'a> {
    /// The program: `cosell`.
    pub cosell: &'a Path,
    /// The database that its hosts share; none for a file.
    pub postgres: Option<String>,
    /// How many hosts.
    pub hosts: usize,
    /// How webhooks come.
    pub manners: Manners,
    /// The world.
    pub simulator: SimulatorConfig,
}

impl<'a> Order<'a> {
    /// One host on a file, and webhooks that behave.
    #[must_use]
    pub fn of(cosell: &'a Path) -> Self {
        Self {
            cosell,
            postgres: None,
            hosts: 1,
            manners: Manners::default(),
            simulator: SimulatorConfig::demo(),
        }
    }
}

/// Waits until it is so.
///
/// # Errors
/// When it never is, or what looking says.
pub async fn patiently(
    what: &str,
    mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is_so().await? {
        ensure!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// See the module.
pub struct Fleet {
    /// Where everything is.
    pub dir: PathBuf,
    /// Where webhooks come in.
    pub gate: Gate,
    /// The hosts, started or not.
    pub hosts: Vec<HostProcess>,
    /// What the hosts remember, for the judge.
    pub store: Arc<dyn Store>,
    /// Its path or address.
    pub address: String,
    running: Running,
    _temporary: tempfile::TempDir,
}

impl Fleet {
    /// Sets the stage and starts the hosts; webhooks are registered when it returns.
    ///
    /// # Errors
    /// Anything that keeps them from starting.
    pub async fn start(order: Order<'_>) -> anyhow::Result<Self> {
        let temporary = tempfile::Builder::new().prefix("cosell-fleet-").tempdir()?;
        let dir = temporary.path().to_owned();
        let plugins = dir.join("plugins");
        std::fs::create_dir(&plugins)?;
        for entry in std::fs::read_dir(components("plugins")?)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "wasm") {
                std::fs::copy(&path, plugins.join(path.file_name().unwrap_or_default()))?;
            }
        }
        let running = Simulator::start(order.simulator).await?;
        let gate = Gate::open(order.manners).await?;
        let mut hosts = Vec::new();
        for number in 0..order.hosts {
            let own = dir.join(format!("host-{number}"));
            std::fs::create_dir(&own)?;
            let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let paths = Paths {
                dir: own.clone(),
                plugins: plugins.clone(),
                // Compiled once for all; the cache checks what it hands out.
                cache: Some(target().join("stories-plugin-cache")),
                listen,
            };
            let lines = [
                ("quiet_period_s", "0"),
                ("grace_minutes", "0"),
                ("mass_change.writes", "0"),
                ("mass_change.irreversible", "0"),
                // What both sides say at once is decided without a person.
                ("on_conflict", "\"crm\""),
            ];
            let config = write_configuration(&running, &paths, &lines)?;
            let text = std::fs::read_to_string(&config)?
                .replace(
                    &format!("public_url = \"http://{listen}\""),
                    &format!("public_url = \"http://{}\"", gate.address),
                )
                .replace("[plugins]", &format!("{SECTIONS}\n[plugins]"));
            let text = match &order.postgres {
                None => text,
                Some(url) => text.replace(
                    &format!("path = \"{}/cosell.db\"", own.display()),
                    &format!("url = \"{url}\""),
                ),
            };
            std::fs::write(&config, text)?;
            hosts.push(HostProcess::new(order.cosell, &own, config, listen));
        }
        let file = dir.join("host-0/cosell.db").display().to_string();
        let address = order.postgres.unwrap_or(file);
        let mut fleet = Self {
            store: cosell_store::attach(&address.parse()?, None)?.store,
            address,
            dir,
            gate,
            hosts,
            running,
            _temporary: temporary,
        };
        for host in &mut fleet.hosts {
            host.start().await?;
        }
        fleet
            .gate
            .lead_to(fleet.hosts.iter().map(|host| host.address));
        fleet
            .until("webhooks to be registered", |control| {
                let steps = control.rows("sdkmessageprocessingstep").len();
                let ledger = control.ledger(0);
                let registered = ledger
                    .iter()
                    .any(|entry| entry.service == Service::PartnerCenter);
                (steps >= 5 && registered).then_some(())
            })
            .await?;
        Ok(fleet)
    }

    /// Plays the people.
    #[must_use]
    pub fn control(&self) -> &Control {
        self.running.control()
    }

    /// Where a machine asks for a token of its managed identity.
    #[must_use]
    pub fn metadata(&self) -> &str {
        &self.running.urls.metadata
    }

    /// Waits until `look` sees what it looks for.
    ///
    /// # Errors
    /// When it never does, with the last lines of each host's log.
    pub async fn until<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&Control) -> Option<T>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        loop {
            if let Some(seen) = look(self.control()) {
                return Ok(seen);
            }
            if began.elapsed() > PATIENCE {
                bail!("waited in vain for {what}\n{}", self.logs());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The last lines of each host's log.
    #[must_use]
    pub fn logs(&self) -> String {
        let logs = self.hosts.iter().enumerate();
        logs.map(|(number, host)| format!("host {number}:\n{}\n", host.last_lines()))
            .collect()
    }

    /// Whether any log says this.
    #[must_use]
    pub fn any_log_says(&self, words: &str) -> bool {
        self.hosts.iter().any(|host| host.log().contains(words))
    }

    /// Names another store, a path or an address, in every host's configuration, for their next start; the judge asks it from now on.
    ///
    /// # Errors
    /// When a configuration cannot be written, or the store not be opened.
    pub fn remember_in(&mut self, address: &str) -> anyhow::Result<()> {
        let url: StoreUrl = address.parse()?;
        let key = if url.file().is_some() { "path" } else { "url" };
        for host in &self.hosts {
            let text = std::fs::read_to_string(&host.config)?;
            let (before, rest) = text
                .split_once("[store]\n")
                .context("a configuration names a store")?;
            let (_, after) = rest.split_once('\n').unwrap_or_default();
            let text = format!("{before}[store]\n{key} = \"{address}\"\n{after}");
            std::fs::write(&host.config, text)?;
        }
        self.store = cosell_store::attach(&url, None)?.store;
        self.address = address.to_owned();
        Ok(())
    }

    /// Lets every host drain and end, as a service manager does.
    ///
    /// # Errors
    /// When one does not end well.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        for host in &mut self.hosts {
            host.stop().await.context("a host did not stop")?;
        }
        Ok(())
    }
}
