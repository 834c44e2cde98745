//! The harness of the stories: the real host, in this process, against the simulator over real HTTPS.
//!
//! [`World::end`] proves at the end of each story that no bell is unanswered, no write is open, and every lane is in step or explained.
#![forbid(unsafe_code)]

mod amend;
pub mod ask;
mod deals;
mod environments;
pub mod fleet;
pub mod load;
pub mod mailbox;
pub mod page;
mod waits;

pub use amend::amend;
pub use deals::{account_in, deal_sellers, opportunity_in};

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use cosell::simulated::{Paths, write_configuration};
use cosell_host::app::{Host, StartError};
use cosell_host::config::Config;
use cosell_host::desk::{Desk, Plugins};
use cosell_plugins::Compiler;
use cosell_simulator::{Assumptions, Control, Running, Service, Simulator, SimulatorConfig};
use cosell_store::{Clock, system_clock};
use serde_json::Value;

/// Longest that a story waits for anything. A loaded machine is slow; a story that hangs is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// What a host sets up in a CRM to hear of its rows: one step for each table and message.
const STEPS: usize = 5;
/// Ports that are tried for a host; two stories rarely draw the same one.
const PORTS_MAX: usize = 20;
/// Stories do not wait for a quarter of a minute.
const ALERT_EVERY: Duration = Duration::from_millis(50);
/// A running host drains within seconds.
const DRAIN: Duration = Duration::from_secs(10);

/// Where `cargo xtask plugins` leaves a kind of component: `plugins`, `engines`, `examples`, `hostile`.
///
/// # Errors
/// When they were not built yet.
pub fn components(shelf: &str) -> anyhow::Result<PathBuf> {
    let folder = target().join(shelf);
    ensure!(
        folder.is_dir(),
        "{} is not there: run `cargo xtask plugins` first (`cargo verify` does)",
        folder.display()
    );
    Ok(folder)
}

/// A program of this workspace, as `cargo test --workspace` leaves it beside the tests.
///
/// # Errors
/// When it was not built yet.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let found = test
        .ancestors()
        .skip(1)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "no program \"{name}\" beside {}: run `cargo test --workspace --no-run` first",
            test.display()
        )
    })
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."));
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), |given| root.join(given))
}

/// Names the assumption about the vendors that every story is to meet in its other reading; `cargo xtask assumptions` plays them so. Several are
/// joined by commas, for a quick look at many.
pub const FLIP: &str = "COSELL_FLIP";

/// Names the file in which every story notes how often each assumption decided something in its world: a line for each that did, with the story,
/// the assumption and the count, and tabs between them.
pub const DECIDED: &str = "COSELL_DECIDED";

/// Referrals on a page while it is noted what assumptions decide: few, so that lists have pages.
const REFERRALS_ON_A_PAGE: usize = 2;

/// The other reading of doubtful facts. A world that has taken it by itself stays as it is.
fn flipped(assumptions: &Assumptions, names: &str) -> anyhow::Result<Assumptions> {
    let usual = serde_json::to_value(Assumptions::default())?;
    let mut switches = serde_json::to_value(assumptions)?;
    for switch in names.split(',') {
        let Some(Value::Bool(usual)) = usual.get(switch) else {
            anyhow::bail!("{FLIP} names \"{switch}\", which is no assumption of the simulator");
        };
        switches[switch] = (!usual).into();
    }
    Ok(serde_json::from_value(switches)?)
}

/// What a story says before its host starts.
#[derive(Default)]
pub struct Setup<'a> {
    /// The simulated world.
    pub simulator: SimulatorConfig,
    /// Lines of `[connection.policy]`.
    pub policy: &'a [(&'a str, &'a str)],
    /// Settings of plugins: name of the file beside the component, and its text.
    pub settings: &'a [(&'a str, &'a str)],
    /// Further tables of the configuration, such as `[sweep]`.
    pub sections: &'a str,
    /// Further tables of the connection, such as `[connection.dataverse.budget]`.
    pub connection: &'a str,
    /// What runs scripts and tables, by file name: goes into the folder beside the stock plugins.
    pub engines: &'a [&'a str],
    /// What compiles plugins; None: the host itself.
    pub compiler: Option<Compiler>,
}

/// A simulator, a host, and a folder of their own.
pub struct World {
    /// The plugin folder of the host.
    pub folder: PathBuf,
    /// The configuration file.
    pub config: PathBuf,
    /// Variables that the host's next start finds beside those of this process.
    pub environment: BTreeMap<String, String>,
    running: Running,
    simulated: SimulatorConfig,
    host: Option<Host>,
    compiler: Compiler,
    /// How far the host's clock is ahead, in milliseconds.
    ahead: Arc<AtomicI64>,
    _dir: tempfile::TempDir,
}

impl World {
    /// Both sides empty, the stock plugins in the folder, no quiet period.
    ///
    /// # Errors
    /// Anything that keeps simulator or host from starting.
    pub async fn start() -> anyhow::Result<Self> {
        Self::with(SimulatorConfig::demo(), &[]).await
    }

    /// The same with other settings; `policy` are lines of `[connection.policy]`.
    ///
    /// # Errors
    /// As [`World::start`].
    pub async fn with(simulator: SimulatorConfig, policy: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::set_up(Setup {
            simulator,
            policy,
            ..Setup::default()
        })
        .await
    }

    /// The same with everything that can be said before the host starts.
    ///
    /// # Errors
    /// As [`World::start`].
    pub async fn set_up(setup: Setup<'_>) -> anyhow::Result<Self> {
        let Setup {
            mut simulator,
            policy,
            settings,
            sections,
            connection,
            engines,
            compiler,
        } = setup;
        if let Ok(switch) = std::env::var(FLIP) {
            simulator.assumptions = flipped(&simulator.assumptions, &switch)?;
            simulator.referral_page_size = REFERRALS_ON_A_PAGE;
        }
        if std::env::var_os(DECIDED).is_some() {
            simulator.referral_page_size = REFERRALS_ON_A_PAGE;
        }
        let dir = tempfile::Builder::new().prefix("cosell-story-").tempdir()?;
        let folder = dir.path().join("plugins");
        std::fs::create_dir(&folder)?;
        for entry in std::fs::read_dir(components("plugins")?)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "wasm") {
                std::fs::copy(&path, folder.join(path.file_name().unwrap_or_default()))?;
            }
        }
        for file in engines {
            std::fs::copy(components("engines")?.join(file), folder.join(file))?;
        }
        for (file, text) in settings {
            std::fs::write(folder.join(file), text)?;
        }
        let running = Simulator::start(simulator.clone()).await?;
        let listen: SocketAddr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        // Compiled once for all stories; the cache checks what it hands out.
        let cache = target().join("stories-plugin-cache");
        let paths = Paths {
            dir: dir.path().to_owned(),
            plugins: folder.clone(),
            cache: Some(cache),
            listen,
        };
        let mut lines = vec![("quiet_period_s", "0"), ("grace_minutes", "0")];
        lines.extend_from_slice(policy);
        let config = write_configuration(&running, &paths, &lines)?;
        if !sections.is_empty() {
            let text = std::fs::read_to_string(&config)?;
            // Tables of their own go before the connection's, which would swallow what follows it.
            std::fs::write(
                &config,
                text.replacen("[[connection]]", &format!("{sections}\n[[connection]]"), 1),
            )?;
        }
        if !connection.is_empty() {
            let text = std::fs::read_to_string(&config)?;
            std::fs::write(&config, format!("{text}\n{connection}\n"))?;
        }
        let mut world = Self {
            folder,
            config,
            environment: BTreeMap::new(),
            running,
            simulated: simulator,
            host: None,
            compiler: compiler.unwrap_or(Compiler::Here),
            ahead: Arc::default(),
            _dir: dir,
        };
        world.start_host().await?;
        world
            .until("webhooks to be registered", |control| {
                let steps = control.rows("sdkmessageprocessingstep").len();
                (steps >= STEPS
                    && control
                        .ledger(0)
                        .iter()
                        .any(|entry| entry.service == Service::PartnerCenter))
                .then_some(())
            })
            .await?;
        Ok(world)
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

    /// Starts the host on the store that is there. Its port was free when it was drawn; when another story has taken it since, the host moves,
    /// and tells both sides its new address.
    ///
    /// # Errors
    /// What the host says.
    pub async fn start_host(&mut self) -> anyhow::Result<()> {
        for _ in 0..PORTS_MAX {
            let (ahead, now) = (Arc::clone(&self.ahead), system_clock());
            let clock: Clock = Arc::new(move || now() + ahead.load(Ordering::Relaxed));
            let mut config = Config::load_in(&self.config, &|name| {
                let set = self.environment.get(name).cloned();
                set.or_else(|| std::env::var(name).ok())
            })?;
            config.plugins.compiler = self.compiler.clone();
            config.alerts.every = Some(ALERT_EVERY);
            match Host::start_by(&config, clock).await {
                Ok(host) => {
                    // The set of the store serves at once. What a story says of the folder's files holds once they were tried.
                    if let Plugins::Folder(folder) = &host.desk.plugins {
                        folder.reload().await;
                    }
                    self.host = Some(host);
                    return Ok(());
                }
                Err(StartError::Listen {
                    address, source, ..
                }) if source.kind() == std::io::ErrorKind::AddrInUse => {
                    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
                    let text = std::fs::read_to_string(&self.config)?;
                    std::fs::write(
                        &self.config,
                        text.replace(&address.to_string(), &free.to_string()),
                    )?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        bail!("{PORTS_MAX} ports in a row were taken before the host could listen")
    }

    /// So much time passes for the host; for the simulator it does not.
    pub fn later(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead.fetch_add(ms, Ordering::Relaxed);
        if let Some(host) = &self.host {
            host.desk.rope.notify_one();
        }
    }

    /// Lets the host drain and end.
    pub async fn stop_host(&mut self) {
        if let Some(host) = self.host.take() {
            host.stop(DRAIN).await;
        }
    }

    /// Ends the host in the middle of whatever it does, as a power cut would.
    pub fn cut_host(&mut self) {
        drop(self.host.take());
    }

    /// What the running host works with.
    ///
    /// # Errors
    /// When no host runs.
    pub fn desk(&self) -> anyhow::Result<&Desk> {
        Ok(&self.host.as_ref().context("no host runs")?.desk)
    }

    /// The end of a story: quiet, every lane in step or explained, no duplicate, no write to a closed deal, the audit whole.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub async fn end(self) -> anyhow::Result<()> {
        self.end_in(&["settled", "retired", "paused"]).await
    }

    /// The same for a story that leaves lanes in other states on purpose.
    ///
    /// # Errors
    /// As [`World::end`].
    pub async fn end_in(self, states: &[&str]) -> anyhow::Result<()> {
        self.end_with(states, &[]).await
    }

    /// The same for a story after which some of what the simulator's audit looks for is there on purpose.
    ///
    /// # Errors
    /// As [`World::end`].
    pub async fn end_with(mut self, states: &[&str], on_purpose: &[&str]) -> anyhow::Result<()> {
        let status = self.quiet().await?;
        for deal in &status.deals {
            ensure!(
                states.contains(&deal.state.as_str()),
                "a lane is {}: {:?}",
                deal.state,
                deal.reason
            );
        }
        ensure!(status.audit_whole, "the audit's chain is broken");
        let audit = serde_json::to_value(self.control().audit())?;
        for (what, found) in audit.as_object().into_iter().flatten() {
            ensure!(
                on_purpose.contains(&what.as_str()) || found.as_array().is_none_or(Vec::is_empty),
                "the simulator's audit: {what}: {found}"
            );
        }
        self.stop_host().await;
        Ok(())
    }

    /// Notes how often each assumption has decided something, for whoever plays the stories for that.
    fn note_decisions(&self) -> std::io::Result<()> {
        use std::io::Write as _;
        let Some(file) = std::env::var_os(DECIDED) else {
            return Ok(());
        };
        // A story runs on a thread of its name.
        let thread = std::thread::current();
        let story = thread.name().unwrap_or_default();
        let told = self.control().assumptions().into_iter();
        let lines: String = told
            .filter(|(_, read)| read.decided > 0)
            .map(|(fact, read)| format!("{story}\t{fact}\t{}\n", read.decided))
            .collect();
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(file)?;
        file.write_all(lines.as_bytes())
    }
}

impl Drop for World {
    /// A story that fails has met its vendors too.
    fn drop(&mut self) {
        if let Err(error) = self.note_decisions() {
            tracing::error!(%error, "what the assumption decided could not be noted");
        }
    }
}

/// The GUID of a record such as `opportunity(7f3c…)`.
#[must_use]
pub fn id(record: &str) -> String {
    record
        .rsplit(['(', '/', ' '])
        .next()
        .unwrap_or(record)
        .trim_end_matches(')')
        .to_owned()
}

/// A text member, empty when it is none.
#[must_use]
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// An amount, whether it is a number or a text on the wire.
#[must_use]
pub fn amount(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}
