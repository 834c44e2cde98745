//! A folder, an engine, and what happened.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use cosell_plugins::{
    Asking, Engine, EngineSettings, FolderSettings, Ledger, PluginEvent, PluginFolder, PluginSet,
    Slate, What,
};
use cosell_sync::deal::{Address, Deal, DealState, Standing, Unit, UnitValue};
use cosell_sync::row::{Row, Seen};

/// How long a test waits for something that must come, however busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct House {
    pub(crate) folder: PluginFolder,
    pub(crate) events: mpsc::Receiver<PluginEvent>,
    /// Goes last: a keeper that lives on for a moment would see its files go, and have the ledger retire what they were.
    pub(crate) dir: tempfile::TempDir,
}

impl House {
    /// With these files from the start.
    pub(crate) fn with(files: &[(&str, Vec<u8>)]) -> Self {
        Self::with_settings(files, EngineSettings::default())
    }

    pub(crate) fn with_settings(files: &[(&str, Vec<u8>)], settings: EngineSettings) -> Self {
        Self::with_engine(files, Engine::new(settings).unwrap())
    }

    pub(crate) fn with_engine(files: &[(&str, Vec<u8>)], engine: Engine) -> Self {
        Self::open(files, engine, Arc::new(Slate::default()), false)
    }

    pub(crate) fn with_ledger(files: &[(&str, Vec<u8>)], ledger: Arc<dyn Ledger>) -> Self {
        let engine = Engine::new(EngineSettings::default()).unwrap();
        Self::open(files, engine, ledger, false)
    }

    /// As a host that was configured so finds what another one has left.
    pub(crate) fn after(
        files: &[(&str, Vec<u8>)],
        settings: EngineSettings,
        ledger: Arc<dyn Ledger>,
    ) -> Self {
        Self::open(files, Engine::new(settings).unwrap(), ledger, false)
    }

    /// As a host opens it: what is new has to keep the laws. Elsewhere guests are as bad as their story wants them.
    pub(crate) fn with_laws(files: &[(&str, Vec<u8>)], engine: Engine) -> Self {
        Self::with_laws_and_ledger(files, engine, Arc::new(Slate::default()))
    }

    pub(crate) fn with_laws_and_ledger(
        files: &[(&str, Vec<u8>)],
        engine: Engine,
        ledger: Arc<dyn Ledger>,
    ) -> Self {
        Self::open(files, engine, ledger, true)
    }

    /// With these files from the start; a version that wants more than the one that serves waits for a person.
    pub(crate) fn cautious(files: &[(&str, Vec<u8>)]) -> Self {
        let engine = Engine::new(EngineSettings::default()).unwrap();
        let settings = FolderSettings {
            ask_for_more: true,
            ..folder_settings()
        };
        Self::open_with(files, engine, Arc::new(Slate::default()), settings)
    }

    fn open(
        files: &[(&str, Vec<u8>)],
        engine: Engine,
        ledger: Arc<dyn Ledger>,
        self_test: bool,
    ) -> Self {
        let settings = FolderSettings {
            self_test,
            ..folder_settings()
        };
        Self::open_with(files, engine, ledger, settings)
    }

    fn open_with(
        files: &[(&str, Vec<u8>)],
        engine: Engine,
        ledger: Arc<dyn Ledger>,
        settings: FolderSettings,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        let (tell, events) = mpsc::channel();
        let tell = Mutex::new(tell);
        let folder = PluginFolder::open_with(
            engine,
            dir.path(),
            settings,
            ledger,
            // The test may have ended before the last event.
            move |event| drop(tell.lock().unwrap().send(event.clone())),
        )
        .unwrap();
        Self {
            dir,
            folder,
            events,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// As a careful person copies: another name, then a rename.
    pub(crate) async fn drop_file(&self, name: &str, bytes: impl AsRef<[u8]>) -> Arc<PluginSet> {
        put(self.dir.path(), name, bytes.as_ref());
        self.folder.reload().await
    }

    pub(crate) async fn remove(&self, name: &str) -> Arc<PluginSet> {
        std::fs::remove_file(self.path(name)).unwrap();
        self.folder.reload().await
    }

    pub(crate) fn set(&self) -> Arc<PluginSet> {
        self.folder.current()
    }

    /// `id version` of what serves.
    pub(crate) fn serving(&self) -> Vec<String> {
        self.set()
            .plugins()
            .iter()
            .map(|plugin| format!("{} {}", plugin.id, plugin.version))
            .collect()
    }

    /// The only rejection, as a person reads it.
    pub(crate) fn refusal(&self) -> String {
        let refused = self.folder.refused();
        assert_eq!(refused.len(), 1, "{refused:#?}");
        format!(
            "[{}/{}] {}",
            refused[0].phase.as_str(),
            refused[0].kind.as_str(),
            refused[0]
        )
    }

    /// `what file` of everything that has happened so far.
    pub(crate) fn happened(&self) -> Vec<String> {
        self.events.try_iter().map(|event| told(&event)).collect()
    }
}

fn folder_settings() -> FolderSettings {
    FolderSettings {
        settle: Duration::from_millis(5),
        rescan: Duration::from_secs(3600),
        self_test: false,
        ..FolderSettings::default()
    }
}

pub(crate) fn put(dir: &Path, name: &str, bytes: &[u8]) {
    let unfinished = dir.join(format!(".{name}.part"));
    std::fs::write(&unfinished, bytes).unwrap();
    std::fs::rename(unfinished, dir.join(name)).unwrap();
}

pub(crate) fn told(event: &PluginEvent) -> String {
    match event.what {
        What::Swapped { generation } => format!("swapped {generation}"),
        what => format!("{} {}", what.as_str(), event.file),
    }
}

pub(crate) fn asking() -> Asking {
    Asking::new("2026-09-30T14:05:00Z".parse().unwrap(), "en")
}

pub(crate) fn deal() -> Deal {
    let mut deal = Deal::default();
    let text = |text: &str| UnitValue::Text(Some(text.to_owned()));
    deal.units
        .insert(Unit::Name, text("Data platform for Contoso"));
    deal.units.insert(Unit::CompanyName, text("Contoso Kft."));
    deal.units.insert(
        Unit::State,
        UnitValue::State(DealState {
            standing: Standing::Accepted,
            reason: None,
        }),
    );
    deal.units.insert(
        Unit::Address,
        UnitValue::Address(Address {
            city: Some("Budapest".to_owned()),
            country: Some("HU".to_owned()),
            ..Address::default()
        }),
    );
    deal
}

pub(crate) const ROW: &str = "0c0c0c0c-0000-4000-8000-000000000001";

pub(crate) fn seen() -> Seen {
    Seen {
        row: row("opportunity"),
        related: Vec::new(),
    }
}

pub(crate) fn row(table: &str) -> Row {
    Row {
        table: table.to_owned(),
        id: ROW.to_owned(),
        cells: std::collections::BTreeMap::new(),
    }
}
