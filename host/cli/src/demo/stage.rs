//! The stage: the simulator in this process, the host in one of its own, and a folder with everything that an operator would have.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use cosell::simulated::{Paths, write_configuration};
use cosell_host::config::Config;
use cosell_host::status::status;
use cosell_simulator::config::TableColumnConfig;
use cosell_simulator::{
    ColumnConfig, ColumnKind, Control, Running, Service, Simulator, SimulatorConfig,
};

use serde_json::Value;

use super::Args;
use super::host::{HostFigures, HostProcess};
use super::tell::Teller;

/// What the real services take to answer, roughly; without it every figure would flatter.
const API_LATENCY_MS: u64 = 20;
/// The host registers its webhooks right after its start.
const REGISTERED_MAX: Duration = Duration::from_secs(20);
/// Demos that one folder given with `--dir` can hold.
const FOLDERS_MAX: u32 = 10_000;
/// Between two looks at the simulator.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The memory figure is that of a host that has nothing to do.
const IDLE: Duration = Duration::from_secs(2);

/// Everything on it.
pub(super) struct Stage {
    pub(super) teller: Teller,
    pub(super) folder: PathBuf,
    pub(super) examples: PathBuf,
    pub(super) config: PathBuf,
    pub(super) dir: PathBuf,
    running: Running,
    host: Option<HostProcess>,
    address: SocketAddr,
    log: PathBuf,
    /// Removed with everything in it, unless the caller chose the folder.
    _temporary: Option<tempfile::TempDir>,
}

impl Stage {
    pub(super) async fn set(args: &Args, teller: Teller) -> anyhow::Result<Self> {
        let (dir, temporary) = match &args.dir {
            Some(dir) => (fresh_folder(dir)?, None),
            None => {
                let temporary = tempfile::Builder::new()
                    .prefix("cosell-demo-")
                    .tempdir()
                    .context("no temporary folder could be made")?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let folder = dir.join("plugins");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let stock = copy_components(&args.plugins, &folder)?;
        let running = Simulator::start(SimulatorConfig {
            latency_ms: API_LATENCY_MS,
            ..world()
        })
        .await
        .context("the simulator did not start")?;
        let address = free_address()?;
        let paths = Paths {
            dir: dir.clone(),
            plugins: folder.clone(),
            cache: None,
            listen: address,
        };
        let config = write_configuration(
            &running,
            &paths,
            &[
                ("quiet_period_s", "0"),
                ("grace_minutes", "0"),
                ("hold.won", "\"confirm\""),
                ("on_conflict_of.close-date", "\"crm\""),
            ],
        )?;
        teller.does(
            "simulator",
            &format!(
                "Entra, Partner Center and Dynamics 365 speak HTTPS on {}",
                running.urls.dataverse
            ),
        );
        let log = dir.join("host.log");
        let host = HostProcess::start(&config, &log, address).await?;
        teller.does(
            "host",
            &format!(
                "ready in {} ms with {stock} stock plugins; its log is {}",
                host.ready_ms,
                log.display()
            ),
        );
        let stage = Self {
            teller,
            folder,
            examples: args.examples.clone(),
            config,
            dir,
            running,
            host: Some(host),
            address,
            log,
            _temporary: temporary,
        };
        stage.wait_for_webhooks().await?;
        teller.does("host", "has registered its webhooks on both sides");
        Ok(stage)
    }

    pub(super) fn control(&self) -> &Control {
        self.running.control()
    }

    /// Looks until `look` sees what it looks for.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        max: Duration,
        mut look: impl FnMut(&Control) -> Option<T>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        loop {
            if let Some(seen) = look(self.control()) {
                return Ok(seen);
            }
            if began.elapsed() > max {
                bail!(
                    "waited {} s in vain for {what}; the host's log is {}",
                    max.as_secs(),
                    self.log.display()
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn wait_for_webhooks(&self) -> anyhow::Result<()> {
        self.until(
            "the host to register its webhooks",
            REGISTERED_MAX,
            |control| {
                let steps = control.rows("sdkmessageprocessingstep").len();
                (steps >= 2
                    && control
                        .ledger(0)
                        .iter()
                        .any(|entry| entry.service == Service::PartnerCenter))
                .then_some(())
            },
        )
        .await
    }

    /// Stops the host and starts it again, with its plugins compiled and cached: what an operator's restart takes.
    pub(super) async fn restart_host(&mut self) -> anyhow::Result<HostFigures> {
        if let Some(host) = self.host.take() {
            host.stop().await?;
        }
        let host = HostProcess::start(&self.config, &self.log, self.address).await?;
        tokio::time::sleep(IDLE).await;
        let figures = HostFigures {
            ready_ms: host.ready_ms,
            rss_mb: host.rss_mb().await?,
        };
        self.host = Some(host);
        Ok(figures)
    }

    /// Stops the host, so that people can edit both sides before anybody looks.
    pub(super) async fn pause_host(&mut self) -> anyhow::Result<()> {
        match self.host.take() {
            Some(host) => host.stop().await,
            None => Ok(()),
        }
    }

    /// Starts it again; it finds what it has missed.
    pub(super) async fn resume_host(&mut self) -> anyhow::Result<()> {
        self.host = Some(HostProcess::start(&self.config, &self.log, self.address).await?);
        Ok(())
    }

    /// What an operator types, and what it says.
    pub(super) async fn cosell(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let cosell = std::env::current_exe().context("the path of this program is unknown")?;
        let said = tokio::process::Command::new(cosell)
            .args(arguments)
            .arg("--config")
            .arg(&self.config)
            .output()
            .await
            .context("the command could not be started")?;
        ensure!(
            said.status.success(),
            "`cosell {}` said: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&said.stderr)
        );
        Ok(String::from_utf8_lossy(&said.stdout).into_owned())
    }

    /// The same for a program.
    pub(super) async fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let said = self.cosell(&[arguments, &["--json"]].concat()).await?;
        serde_json::from_str(&said).with_context(|| format!("no JSON: {said}"))
    }

    /// Asks until the answer holds what `look` looks for.
    pub(super) async fn until_json<T>(
        &self,
        what: &str,
        arguments: &[&str],
        look: impl Fn(&Value) -> Option<T>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        loop {
            if let Some(seen) = look(&self.json(arguments).await?) {
                return Ok(seen);
            }
            ensure!(
                began.elapsed() < super::scenes::ARRIVES_MAX,
                "waited in vain for {what}; the host's log is {}",
                self.log.display()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until nothing is left to do about a row.
    pub(super) async fn settled(&self, row: &str) -> anyhow::Result<()> {
        let config = Config::load(&self.config)?;
        let began = Instant::now();
        loop {
            let on_their_way = self.control().deliveries_waiting() > 0;
            let now = status(&config).await?;
            let is_done = now.bells_unanswered == 0
                && now
                    .deals
                    .iter()
                    .filter(|deal| deal.crm_row.as_deref() == Some(row))
                    .all(|deal| deal.state == "settled");
            if is_done && !on_their_way {
                return Ok(());
            }
            ensure!(
                began.elapsed() < super::scenes::ARRIVES_MAX,
                "the deal never settled; the host's log is {}",
                self.log.display()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Tells where to look and what to try, until Ctrl-C.
    pub(super) async fn stay_up(&self) -> anyhow::Result<()> {
        let (control, ca) = (
            &self.running.urls.control,
            self.dir.join("simulator-ca.pem"),
        );
        let (config, ca) = (self.config.display(), ca.display());
        let cosell = std::env::current_exe().context("the path of this program is unknown")?;
        let cosell = cosell.display();
        self.teller.plain(&format!(
            "
Everything stays up. In another terminal:

  see how it stands    {cosell} status --config {config}
  see the deals        {cosell} deals --config {config}
  everything about one {cosell} deal LANE --config {config}
  why a value is there {cosell} explain LANE value --config {config}
  see both sides       curl --cacert {ca} {control}/referrals
                       curl --cacert {ca} {control}/rows/opportunity
  every write          curl --cacert {ca} {control}/ledger
  all you can play     curl --cacert {ca} {control}/
  be a seller          curl --cacert {ca} {control}/rows/opportunity/ID -X PATCH -d '{{\"estimatedvalue\": 1000}}'
  be a partner user    curl --cacert {ca} {control}/referrals/ID -X PATCH -d '[{{\"op\":\"replace\",\"path\":\"/details/notes\",\"value\":\"hello\"}}]'
  drop a plugin        cp my.wasm {}/
  read the host's log  tail -f {}

Ctrl-C ends it.",
            self.folder.display(),
            self.log.display()
        ));
        tokio::signal::ctrl_c()
            .await
            .context("Ctrl-C cannot be received")
    }

    pub(super) async fn strike(mut self) {
        if let Some(host) = self.host.take()
            && let Err(error) = host.stop().await
        {
            self.teller.wrong(&format!("{error:#}"));
        }
        self.running.shutdown();
    }
}

/// The demo's world: a country table that accounts point to, and a column that this organisation insists on.
fn world() -> SimulatorConfig {
    let mut world = SimulatorConfig::demo();
    let deal_type = ColumnConfig {
        schema_name: "new_DealType".into(),
        kind: ColumnKind::Text { max_length: 40 },
        required: false,
    };
    world.columns.push(TableColumnConfig {
        table: "opportunity".into(),
        column: deal_type,
    });
    world
}

/// Copies the components of a folder; returns how many.
pub(super) fn copy_components(from: &Path, to: &Path) -> anyhow::Result<usize> {
    let entries = std::fs::read_dir(from).with_context(|| {
        format!(
            "there are no plugins in {}; `cargo xtask plugins` builds them, or give --plugins DIR",
            from.display()
        )
    })?;
    let mut copied = 0;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "wasm")
            && let Some(name) = path.file_name()
        {
            std::fs::copy(&path, to.join(name))
                .with_context(|| format!("cannot copy {}", path.display()))?;
            copied += 1;
        }
    }
    ensure!(
        copied > 0,
        "there is no .wasm file in {}; `cargo xtask plugins` builds the stock plugins",
        from.display()
    );
    Ok(copied)
}

/// A folder of its own for each performance: what is in `dir` already, be it of an earlier one, is left alone.
fn fresh_folder(dir: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for number in 1..=FOLDERS_MAX {
        let fresh = dir.join(format!("demo-{number}"));
        match std::fs::create_dir(&fresh) {
            Ok(()) => {
                return fresh
                    .canonicalize()
                    .with_context(|| format!("cannot find {}", fresh.display()));
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot make {}", fresh.display()));
            }
        }
    }
    bail!(
        "{} holds {FOLDERS_MAX} earlier demos; remove those that nobody needs",
        dir.display()
    )
}

/// A port that was free a moment ago.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")
        .context("no port is free")?
        .local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_demo_gets_a_folder_of_its_own_and_leaves_the_rest_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("cosell.db");
        std::fs::write(&store, "somebody's deals").unwrap();
        let first = fresh_folder(dir.path()).unwrap();
        let second = fresh_folder(dir.path()).unwrap();
        assert_ne!(first, second);
        for folder in [first, second] {
            assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
        }
        assert_eq!(std::fs::read_to_string(store).unwrap(), "somebody's deals");
    }
}
