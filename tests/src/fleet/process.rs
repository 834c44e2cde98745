//! One `cosell run` as a process.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::{LOOK_EVERY, PATIENCE};
use crate::ask::ask;

/// Lines of a log that are shown when something went wrong.
const LINES_SHOWN: usize = 25;
/// A host answers whether it is ready within this time, or it is not.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A host that can be started, stopped, killed and frozen. Dropping it kills it.
pub struct HostProcess {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its configuration.
    pub config: PathBuf,
    /// Variables that its next start finds beside those of this process.
    pub environment: Vec<(String, String)>,
    cosell: PathBuf,
    log: PathBuf,
    orders: PathBuf,
    child: Option<Child>,
}

impl HostProcess {
    /// Not started yet. `dir` is its own folder.
    #[must_use]
    pub fn new(cosell: &Path, dir: &Path, config: PathBuf, address: SocketAddr) -> Self {
        Self {
            address,
            config,
            environment: Vec::new(),
            cosell: cosell.to_owned(),
            log: dir.join("host.log"),
            orders: dir.join("failpoint"),
            child: None,
        }
    }

    /// Starts it, and returns when it is ready.
    ///
    /// # Errors
    /// When it ends at once, or never gets ready.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.spawn()?;
        let began = Instant::now();
        while !self.is_ready().await {
            if let Some(status) = self.ended()? {
                bail!("the host ended at once ({status}):\n{}", self.last_lines());
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "the host never got ready:\n{}",
                self.last_lines()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Starts it, and does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.cosell);
        command
            .arg("run")
            .arg("--config")
            .arg(&self.config)
            .env("COSELL_FAILPOINT", &self.orders)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.child = Some(
            command
                .spawn()
                .with_context(|| format!("{} cannot be started", self.cosell.display()))?,
        );
        Ok(())
    }

    /// Orders a deed at a failpoint (`POINT DEED [SKIP]`), from now on.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub fn order(&self, order: &str) -> anyhow::Result<()> {
        // In one step, so that nobody reads half of it.
        let fresh = self.orders.with_extension("new");
        std::fs::write(&fresh, order)?;
        std::fs::rename(fresh, &self.orders)?;
        Ok(())
    }

    /// Whether the order was carried out, or there is none.
    #[must_use]
    pub fn has_obeyed(&self) -> bool {
        !self.orders.exists()
    }

    /// Takes an order back that was not carried out; true if there was one.
    #[must_use]
    pub fn forget_order(&self) -> bool {
        std::fs::remove_file(&self.orders).is_ok()
    }

    /// Asks it over HTTP, as [`ask`] says it.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn ask(&self, head: &str, body: &str) -> std::io::Result<String> {
        ask(self.address, head, body).await
    }

    /// Whether it says that it can work.
    pub async fn is_ready(&self) -> bool {
        let answer = self.ask("GET /readyz HTTP/1.1", "");
        let answer = tokio::time::timeout(ANSWER_MAX, answer).await;
        answer.is_ok_and(|text| text.is_ok_and(|text| text.starts_with("HTTP/1.1 200")))
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => Ok(child.try_wait()?),
            None => Ok(None),
        }
    }

    /// Its process, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it never does.
    pub async fn until_ended(&mut self) -> anyhow::Result<ExitStatus> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                self.child = None;
                return Ok(status);
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "the host never ended:\n{}",
                self.last_lines()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Asks it to stop, as a service manager does, and waits until it has.
    ///
    /// # Errors
    /// When it does not end, or not well.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        if self.child.is_none() {
            return Ok(());
        }
        self.signal("TERM")?;
        let status = self.until_ended().await?;
        ensure!(
            status.success(),
            "the host ended with {status}:\n{}",
            self.last_lines()
        );
        Ok(())
    }

    /// Stops its time.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// Lets its time go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    /// Tells it to look at what may have changed.
    ///
    /// # Errors
    /// When it does not run.
    pub fn hang_up(&self) -> anyhow::Result<()> {
        self.signal("HUP")
    }

    fn signal(&self, which: &str) -> anyhow::Result<()> {
        let child = self.child.as_ref().context("the host does not run")?;
        let sent = Command::new("kill")
            .arg(format!("-{which}"))
            .arg(child.id().to_string())
            .status()?;
        ensure!(sent.success(), "the host got no signal {which}");
        Ok(())
    }

    /// Everything that it has written down about itself.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of that.
    #[must_use]
    pub fn last_lines(&self) -> String {
        let text = self.log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        // A frozen process dies, too.
        drop(self.kill());
    }
}
