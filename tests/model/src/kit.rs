//! What all histories of a process share: compiled plugins, a world to copy, and what is known about its tables.

use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use cosell_host::subscribe::steps;
use cosell_plugins::{Engine, EngineSettings, FolderSettings, Limits, PluginFolder, PluginSet};
use cosell_remote::partner_center::Registration;
use cosell_remote::{Dataverse, PartnerCenter};
use cosell_simulator::{Inside, SimulatorConfig};
use serde_json::json;

use super::clients::clients;
use super::people::{PERSONS, People, Person};
use super::view::Mapping;
use super::wire::Wire;
use cosell_tests::{components, id, target};

/// When every history begins.
const BEGINNING: &str = "2026-06-01T08:00:00Z";
/// Where the services would post.
const ADDRESS: &str = "https://host.example";

/// A set of plugins, and what the judge has to know about it.
pub struct Set {
    /// For people.
    pub name: &'static str,
    /// The plugins.
    pub plugins: Arc<PluginSet>,
    /// Where it keeps what.
    pub mapping: Mapping,
    /// One of its plugins fails on every deal.
    pub fails: bool,
}

/// See the module.
pub struct Kit {
    /// The first is what a history begins with.
    pub sets: Vec<Set>,
    /// Both sides empty but for the customer, subscriptions in place.
    pub world: Inside,
    /// A client that has read the tables.
    pub wise: Dataverse,
    /// The customer.
    pub account: String,
    /// Its people, as [`PERSONS`] says.
    pub contacts: [String; 2],
    // Sets live on without their folders, but not without their engine's cache being open.
    _engine: Engine,
}

impl Kit {
    /// Compiles the plugins (or takes them from the cache), and makes the world that is copied.
    ///
    /// # Errors
    /// When components were not built yet, or the simulator refuses.
    pub async fn new() -> anyhow::Result<Self> {
        let engine = Engine::new(EngineSettings {
            cache_dir: Some(target().join("stories-plugin-cache")),
            // A history may stand still while another one has the processor: that is no loop.
            limits: Limits {
                call_ms: 10_000,
                start_ms: 10_000,
                ..Limits::default()
            },
            threads: 0,
            ..EngineSettings::default()
        })?;
        let stock = components("plugins")?;
        let acme = components("examples")?.join("50-acme.wasm");
        let panics = components("hostile")?.join("panics.wasm");
        let own = Mapping {
            value_column: "new_dealvalue",
        };
        let own_column = "[settings]\nvalue-column = \"new_dealvalue\"\n";
        let sets = vec![
            Set {
                name: "stock",
                plugins: load(&engine, &stock, &[], &[])?,
                mapping: Mapping::default(),
                fails: false,
            },
            Set {
                name: "stock and acme",
                plugins: load(&engine, &stock, &[&acme], &[])?,
                mapping: Mapping::default(),
                fails: false,
            },
            Set {
                name: "stock and one that panics",
                plugins: load(&engine, &stock, &[&panics], &[])?,
                mapping: Mapping::default(),
                fails: true,
            },
            Set {
                name: "stock, the value in a column of its own",
                plugins: load(&engine, &stock, &[], &[("10-opportunity.toml", own_column)])?,
                mapping: own,
                fails: false,
            },
        ];
        let world = Inside::new(config(), BEGINNING.parse()?)?;
        let control = world.control();
        let account = json!({
            "name": "Contoso Kft.", "address1_line1": "Main Street 1", "address1_city": "Capital", "address1_postalcode": "1010",
            "address1_country": "Hungary",
        });
        let account = id(&control.seller_creates("account", &account)?.record);
        let contact = |person: &Person| -> anyhow::Result<String> {
            let contact = json!({
                "firstname": person.first, "lastname": person.last, "emailaddress1": person.mail, "telephone1": person.phone,
                "parentcustomerid_account@odata.bind": format!("/accounts({account})"),
            });
            Ok(id(&control.seller_creates("contact", &contact)?.record))
        };
        let contacts = [contact(&PERSONS[0])?, contact(&PERSONS[1])?];
        let world = Arc::new(world);
        let people = Arc::new(Mutex::new(People::new(
            Arc::clone(&world),
            &account,
            &contacts,
        )));
        let wire = Arc::new(Wire::new(Arc::clone(&world), people, None));
        let (partner_center, dataverse) = clients(&world, &wire, None)?;
        subscribe(&partner_center, &dataverse, &sets[1].plugins).await?;
        for table in TABLES {
            dataverse.metadata(table).await?;
        }
        let _set_up = world.outbox();
        Ok(Self {
            sets,
            world: world.copied(0),
            wise: dataverse,
            account,
            contacts,
            _engine: engine,
        })
    }
}

/// The tables that the sets read and write.
const TABLES: [&str; 8] = [
    "account",
    "contact",
    "lead",
    "msft_partnercentersolution",
    "new_country",
    "opportunity",
    "opportunityclose",
    "systemuser",
];

fn config() -> SimulatorConfig {
    use cosell_simulator::{ColumnConfig, ColumnKind, config::TableColumnConfig};
    let mut config = SimulatorConfig::demo();
    let mut column = |schema_name: &str, kind| {
        config.columns.push(TableColumnConfig {
            table: "opportunity".to_owned(),
            column: ColumnConfig {
                schema_name: schema_name.to_owned(),
                kind,
                required: false,
            },
        });
    };
    column("new_DealType", ColumnKind::Text { max_length: 40 });
    column("new_DealValue", ColumnKind::Money);
    // Lists come in pages.
    config.referral_page_size = 2;
    config
}

/// As the host does at its start; a history then begins with the subscriptions of the widest set.
async fn subscribe(
    partner_center: &PartnerCenter,
    dataverse: &Dataverse,
    set: &PluginSet,
) -> anyhow::Result<()> {
    let wanted = Registration {
        url: format!("{ADDRESS}/webhooks/partner-center/model"),
        events: cosell_webhook::WATCHED_EVENTS
            .iter()
            .map(|event| (*event).to_owned())
            .collect(),
        signature_header: false,
    };
    partner_center.create_registration(&wanted).await?;
    let url = format!("{ADDRESS}/webhooks/dataverse/model");
    let secret = "a secret of the model".to_owned().into();
    let endpoint = dataverse
        .ensure_endpoint("cosell model", &url, "x-cosell-secret", &secret)
        .await?;
    dataverse
        .ensure_steps(&endpoint, &steps(set.needs()))
        .await?;
    Ok(())
}

/// A set of the stock plugins, further components, and operator files (name and text).
fn load(
    engine: &Engine,
    stock: &Path,
    more: &[&Path],
    operator: &[(&str, &str)],
) -> anyhow::Result<Arc<PluginSet>> {
    let dir = tempfile::Builder::new().prefix("cosell-model-").tempdir()?;
    let copy = |path: &Path| -> anyhow::Result<()> {
        let name = path.file_name().context("a component has a name")?;
        std::fs::copy(path, dir.path().join(name))?;
        Ok(())
    };
    for entry in std::fs::read_dir(stock)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "wasm") {
            copy(&path)?;
        }
    }
    for path in more {
        copy(path)?;
    }
    for (name, text) in operator {
        std::fs::write(dir.path().join(name), text)?;
    }
    let folder = PluginFolder::open(
        engine.clone(),
        dir.path(),
        // Some of them are meant to break.
        FolderSettings {
            self_test: false,
            ..FolderSettings::default()
        },
        |_| {},
    )?;
    anyhow::ensure!(
        folder.refused().is_empty(),
        "plugins were refused: {:?}",
        folder.refused()
    );
    Ok(folder.current())
}
