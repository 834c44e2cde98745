//! The host as a process of its own, as in production.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The first start compiles plugins.
const READY_MAX: Duration = Duration::from_secs(60);
/// Running deals end within seconds.
const STOP_MAX: Duration = Duration::from_secs(15);
/// Between two looks whether the host is ready.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Figures of a start.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct HostFigures {
    /// From starting the process to its being ready, in milliseconds.
    pub(super) ready_ms: u64,
    /// Resident memory, in megabytes.
    pub(super) rss_mb: u64,
}

/// A second start, with plugins compiled and cached, is ready within this time.
const READY_BUDGET_MS: u64 = 500;
/// An idle host takes no more than this.
const RSS_BUDGET_MB: u64 = 100;

impl HostFigures {
    /// What is more than it may be, as sentences.
    pub(super) fn over_budget(self) -> Vec<String> {
        let mut over = Vec::new();
        if self.ready_ms > READY_BUDGET_MS {
            over.push(format!(
                "the second start took {} ms, and may take {READY_BUDGET_MS} ms",
                self.ready_ms
            ));
        }
        if self.rss_mb > RSS_BUDGET_MB {
            over.push(format!(
                "the idle host takes {} MB, and may take {RSS_BUDGET_MB} MB",
                self.rss_mb
            ));
        }
        over
    }
}

/// A running `cosell run`.
pub(super) struct HostProcess {
    child: Child,
    pub(super) ready_ms: u64,
}

impl HostProcess {
    /// Starts it and waits until it is ready.
    pub(super) async fn start(
        config: &Path,
        log: &PathBuf,
        address: SocketAddr,
    ) -> anyhow::Result<Self> {
        let cosell = std::env::current_exe().context("the path of this program is unknown")?;
        let log_file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)?;
        let began = Instant::now();
        let mut child = Command::new(cosell)
            .arg("run")
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_file)
            .kill_on_drop(true)
            .spawn()
            .context("the host could not be started")?;
        loop {
            if let Some(status) = child.try_wait()? {
                bail!("the host ended at once ({status}): {}", last_lines(log));
            }
            if is_ready(address).await {
                break;
            }
            if began.elapsed() > READY_MAX {
                bail!(
                    "the host is not ready after {} s: {}",
                    READY_MAX.as_secs(),
                    last_lines(log)
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(Self {
            child,
            ready_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Resident memory in megabytes.
    pub(super) async fn rss_mb(&self) -> anyhow::Result<u64> {
        let id = self.child.id().context("the host has ended")?;
        let output = Command::new("ps")
            .args(["-o", "rss=", "-p", &id.to_string()])
            .output()
            .await
            .context("`ps` is needed to read the host's memory")?;
        let kilobytes: u64 = String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .context("`ps` told no memory size")?;
        Ok(kilobytes.div_ceil(1024))
    }

    /// Asks it to stop, as a service manager does, and waits until it has.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(id) = self.child.id() {
            Command::new("kill")
                .args(["-TERM", &id.to_string()])
                .status()
                .await
                .context("`kill` is needed to stop the host")?;
        }
        match tokio::time::timeout(STOP_MAX, self.child.wait()).await {
            Ok(status) => {
                ensure!(
                    status?.success(),
                    "the host did not end well when it was asked to stop"
                );
                Ok(())
            }
            Err(_) => bail!("the host did not stop within {} s", STOP_MAX.as_secs()),
        }
    }
}

async fn is_ready(address: SocketAddr) -> bool {
    let answer = async {
        let mut socket = TcpStream::connect(address).await?;
        socket
            .write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await?;
        let mut text = String::new();
        socket.read_to_string(&mut text).await?;
        std::io::Result::Ok(text)
    };
    answer
        .await
        .is_ok_and(|text| text.starts_with("HTTP/1.1 200"))
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(8).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_start_and_a_fat_host_are_over_their_budgets() {
        let figures = |ready_ms, rss_mb| HostFigures { ready_ms, rss_mb };
        assert!(figures(500, 100).over_budget().is_empty());
        assert!(figures(501, 100).over_budget()[0].contains("501 ms"));
        assert!(figures(500, 101).over_budget()[0].contains("101 MB"));
    }
}
