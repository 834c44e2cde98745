//! The host's log, as an operator reads it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Dispatch;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that a failure shows, and how wide.
const SHOWN: usize = 8;
const WIDTH: usize = 500;

/// What the host of one stage has logged so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Everything that is logged under this goes into the log.
    pub(crate) fn dispatch(&self) -> Dispatch {
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_writer(self.clone())
            .with_env_filter("warn,cosell=info,cosell_host=info,cosell_plugins=info,cosell_remote=info,cosell_store=info,cosell_webhook=info")
            .finish();
        Dispatch::new(subscriber)
    }

    /// Line by line.
    pub(crate) fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(str::to_owned).collect()
    }

    /// The first line in which all the words are.
    pub(crate) fn line(&self, words: &[&str]) -> Result<String, String> {
        let lines = self.lines();
        let found = lines
            .iter()
            .find(|line| words.iter().all(|word| line.contains(word)));
        found.cloned().ok_or_else(|| {
            let last = lines.len().saturating_sub(SHOWN);
            let shown = lines[last..].iter().map(|line| {
                let end = line
                    .char_indices()
                    .nth(WIDTH)
                    .map_or(line.len(), |(at, _)| at);
                &line[..end]
            });
            let shown: Vec<&str> = shown.collect();
            format!(
                "no line of the log has {words:?}; it ends with:\n{}",
                shown.join("\n")
            )
        })
    }

    /// What was logged so far does not count from here on.
    pub(crate) fn begin_anew(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
