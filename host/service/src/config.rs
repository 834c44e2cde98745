//! The configuration: a value, built once, from one TOML file. `examples/cosell.toml` is its manual.
//!
//! A key that nobody knows is refused, a secret never stands in the file itself, and all mistakes are told together: each with its line, what
//! is expected and what to do. Files that the configuration points to are read here, so that a host that starts has them.

mod connection;
mod mail;
mod mistake;
mod page;
mod recordings;
mod secret;
mod store;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cosell_plugins::Compiler;
use cosell_plugins::signature::{Policy as Signatures, Trust, TrustedKey};
use cosell_store::StoreUrl;
use cosell_webhook::Source;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

pub use connection::{Connection, Dataverse, Entra, PartnerCenter, Policy};
pub use mail::{Mail, MailTls};
pub use mistake::{ConfigErrors, Mistake};
use page::{Page, Section};
pub use recordings::Recordings;
pub use secret::AppProof;

/// Largest configuration file: the commented example has about 15 KiB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

const LISTEN: &str = "127.0.0.1:8080";
const LANGUAGE: &str = "en";
const PLUGIN_CACHE: &str = "plugin-cache";
/// A file that was copied slowly must not be compiled half; a person must not wait.
const SETTLE_MS: u64 = 300;
const LEVEL: &str = "info";
/// The sweep is the net below the webhooks: minutes are enough, and cost two small calls.
const SWEEP_S: u64 = 300;
const SOCKETS: u64 = 4096;
const HEADER_S: u64 = 10;
const DRAIN_S: u64 = 10;
const CALL_S: u64 = 60;
/// Calls that a lease lasts by default.
const LEASES_CALLS: u64 = 3;
/// Partner Center's list may lag behind what was created.
const SECOND_LOOK_S: u64 = 60;
const DEALS_AT_ONCE: u64 = 24;
/// Microsoft's own flows took minutes; a quarter of an hour is noticed by sellers.
const LATE_MINUTES: u64 = 15;
/// One parked deal is a seller's business, ten are the operator's.
const PARKED: u64 = 10;
/// More than a backfill of the largest partners rings.
const WAITING: u64 = 100_000;
/// What some thousand runs need to be written down.
const DISK_FREE_MB: u64 = 64;
/// A new secret takes a meeting or two.
const ENDS_DAYS: u64 = 30;
const PLUGIN_CALL_MS: u64 = 50;
const PLUGIN_MEMORY_MB: u64 = 64;

/// Everything that an operator decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the host listens.
    pub server: Server,
    /// Where it remembers: an SQLite file, whose folder exists, or a PostgreSQL database that hosts share.
    pub store: StoreUrl,
    /// What seals recordings, raw records and the refresh token at rest: the first one seals, all of them open. Each makes a
    /// [`Seal`](crate::seal::Seal).
    pub keys: Vec<SecretString>,
    /// What is kept for replay.
    pub recordings: Recordings,
    /// Where its plugins are.
    pub plugins: Plugins,
    /// How it tells what it does.
    pub log: Log,
    /// How much it takes at once.
    pub limits: Limits,
    /// How often it looks without being rung.
    pub sweep: Sweep,
    /// Where `/metrics` is served; None: nowhere.
    pub metrics: Option<SocketAddr>,
    /// The OpenTelemetry collector that traces go to; None: nowhere.
    pub traces: Option<Url>,
    /// Whom it tells when something is wrong.
    pub alerts: Alerts,
    /// PEM of private roots that are trusted beside the system's, for all calls.
    pub extra_roots: Option<String>,
    /// Each partner tenant with its CRM environment. At least one.
    pub connections: Vec<Connection>,
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    /// Where the host listens, plain HTTP; TLS ends before it.
    pub listen: SocketAddr,
    /// How the two sides reach it from outside. No slash at the end.
    pub public_url: Url,
    /// BCP 47 tag of the people who read reasons.
    pub language: String,
}

/// `[plugins]`
#[derive(Debug, Clone)]
pub struct Plugins {
    /// Where people drop `.wasm` files. It exists.
    pub folder: PathBuf,
    /// Where compiled plugins are kept, for this host only. Made when it is missing.
    pub cache: PathBuf,
    /// A file must have been left alone for so long before it is read.
    pub settle: Duration,
    /// What is new in the folder is judged before it serves, unless its operator file says otherwise.
    pub shadow_first: bool,
    /// A version that wants more than the one that serves waits for a person.
    pub ask_for_more: bool,
    /// Whose signatures count.
    pub trust: Trust,
    /// Where they are compiled. Not in the file: a program that can start itself says so.
    pub compiler: Compiler,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// `info`, or a filter such as `info,cosell_webhook=debug`.
    pub level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[limits]`
#[derive(Debug, Clone)]
pub struct Limits {
    /// Sockets open at once.
    pub sockets: usize,
    /// Of those, as many as one address may have; None: all.
    pub sockets_per_address: Option<usize>,
    /// Time for the headers of a request.
    pub header: Duration,
    /// Time for running work to end when the host stops.
    pub drain: Duration,
    /// Time for one call to Microsoft.
    pub call: Duration,
    /// For so long a deal is one host's after its last sign of life.
    pub lease: Duration,
    /// Between two looks for a referral whose creation nobody answered (S14).
    pub second_look: Duration,
    /// Deals worked on at once.
    pub deals_at_once: usize,
    /// Unanswered bells beyond which new ones are refused.
    pub waiting: i64,
    /// Room on the store's disk that is not given to new events.
    pub disk_free_bytes: u64,
    /// Working time of one plugin call.
    pub plugin_call: Duration,
    /// Memory of one plugin instance.
    pub plugin_memory_bytes: usize,
}

/// `[sweep]`
#[derive(Debug, Clone)]
pub struct Sweep {
    /// Between two polls of Partner Center.
    pub partner_center: Duration,
    /// Between two polls of the CRM.
    pub crm: Duration,
}

/// `[alerts]`
#[derive(Debug, Clone)]
pub struct Alerts {
    /// Where they are posted, as JSON; None: they stand in the log only. An address of a chat service is a secret.
    pub webhook: Option<SecretString>,
    /// By mail; None: not so.
    pub mail: Option<Mail>,
    /// A credential that ends within so many days is told of.
    pub ends_days: u32,
    /// As [`Limits::waiting`].
    pub waiting: i64,
    /// A record that rang may wait so long.
    pub late: Duration,
    /// So many parked deals are too many.
    pub parked: u64,
    /// Between two looks; None: every 15 seconds. Not in the file: tests look more often.
    pub every: Option<Duration>,
}

impl Config {
    /// Reads the file, the files it points to, and the environment variables it names.
    ///
    /// # Errors
    /// All mistakes together.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        Self::load_in(path, &|name| std::env::var(name).ok())
    }

    /// The same with another environment, for tests.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_in(
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        Self::read_from(path, environment, false)
    }

    /// For whoever signs in: the refresh tokens need not be there yet.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_to_sign_in(path: &Path) -> Result<Self, ConfigErrors> {
        Self::read_from(path, &|name| std::env::var(name).ok(), true)
    }

    fn read_from(
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
        tokens_to_come: bool,
    ) -> Result<Self, ConfigErrors> {
        let text = read(path)?;
        let mut page = Page::new(path, &text, environment);
        page.tokens_to_come = tokens_to_come;
        let config = read_root(&page);
        page.close(config)
    }

    /// The address that a side is told to post its events to.
    #[must_use]
    pub fn webhook_address(&self, source: Source, connection: &str) -> String {
        let path = match source {
            Source::PartnerCenter => cosell_webhook::PARTNER_CENTER_PATH,
            Source::Dataverse => cosell_webhook::DATAVERSE_PATH,
        };
        format!(
            "{}{}",
            self.server.public_url.as_str().trim_end_matches('/'),
            path.replace("{connection}", connection)
        )
    }
}

fn read_root(page: &Page<'_>) -> Option<Config> {
    page.root(|root| {
        let server = root.section("server", server);
        let (store, keys) = root
            .section("store", |section| {
                Some((store::read(section), recordings::keys(section)))
            })
            .unwrap_or_default();
        let has_key = keys.as_ref().is_none_or(|keys| !keys.is_empty());
        let recordings = root.section("recordings", |section| recordings::read(section, has_key));
        let plugins = root.section("plugins", |section| {
            plugins(section, store.as_ref().and_then(StoreUrl::file))
        });
        let log = root.section("log", log);
        let limits = root.section("limits", limits);
        let sweep = root.section("sweep", |section| {
            let partner_center = section.seconds("partner_center_s", 10..=86_400, SWEEP_S);
            let crm = section.seconds("crm_s", 10..=86_400, SWEEP_S);
            Some(Sweep {
                partner_center: partner_center?,
                crm: crm?,
            })
        });
        let door = server.as_ref().map(|server| server.listen);
        let metrics = root.section("metrics", |section| {
            section.optional(
                "listen",
                "an address and a port such as \"127.0.0.1:9464\", and another one than [server] listen: what the world reaches shows no metrics",
                |text| text.parse().ok().filter(|address| Some(*address) != door),
            )
        });
        let traces = root.section("traces", |section| {
            section.optional(
                "endpoint",
                "an address such as \"http://collector:4318\"",
                |text| {
                    let url = Url::parse(text).ok()?;
                    let fits = ["http", "https"].contains(&url.scheme())
                        && url.host().is_some()
                        && url.query().is_none()
                        && url.password().is_none();
                    fits.then_some(url)
                },
            )
        });
        let alerts = root.section("alerts", alerts);
        let tls = root.section("tls", |section| Some(section.pem("extra_roots")));
        let extra_roots = tls.flatten();
        let mut taken = connection::Taken::default();
        let connections = root.each("connection", |section| {
            connection::read(section, extra_roots.as_deref(), &mut taken)
        });
        let limits = limits?;
        let alerts = Alerts {
            waiting: limits.waiting,
            ..alerts?
        };
        Some(Config {
            server: server?,
            store: store?,
            keys: keys?,
            recordings: recordings?,
            plugins: plugins?,
            log: log?,
            limits,
            sweep: sweep?,
            metrics: metrics?,
            traces: traces?,
            alerts,
            extra_roots,
            connections: connections?,
        })
    })
}

fn read(path: &Path) -> Result<String, ConfigErrors> {
    let failed = |problem: String, hint: &str| ConfigErrors::one(path, problem, hint);
    let size = std::fs::metadata(path)
        .map_err(|error| {
            failed(
                format!("the file cannot be read: {error}"),
                "start from `cosell config example > cosell.toml`, and give its path with --config",
            )
        })?
        .len();
    if size > FILE_BYTES_MAX {
        return Err(failed(
            format!("the file has {size} bytes"),
            "a configuration stays under 1 MiB; is it the right file?",
        ));
    }
    std::fs::read_to_string(path).map_err(|error| {
        failed(
            format!("the file cannot be read: {error}"),
            "it must be UTF-8 text that this user may read",
        )
    })
}

fn server(section: &Section<'_>) -> Option<Server> {
    let listen = section.parsed(
        "listen",
        Some(LISTEN),
        "an address and a port such as \"127.0.0.1:8080\"",
        |text| text.parse().ok(),
    );
    let public_url = section
        .url("public_url", None)
        .filter(|url| is_only_where(section, url));
    let language = section.parsed(
        "language",
        Some(LANGUAGE),
        "a language tag such as \"en\" or \"hu-HU\"",
        |text| {
            let fits = !text.is_empty()
                && text.len() <= 35
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            fits.then(|| text.to_owned())
        },
    );
    Some(Server {
        listen: listen?,
        public_url: public_url?,
        language: language?,
    })
}

/// Where the host is reached and no more: the addresses of the webhooks are made from it, and who has pasted one of them would be told of at an address
/// where nobody answers.
fn is_only_where(section: &Section<'_>, url: &Url) -> bool {
    let is_webhook = url.path().contains("/webhooks/");
    let is_only_where = !is_webhook && url.query().is_none() && url.fragment().is_none();
    if !is_only_where && let Some(value) = section.get("public_url") {
        section.broken(
            "public_url",
            value,
            "there is more than the host and what comes before /webhooks".to_owned(),
            "write what comes before /webhooks, such as \"https://cosell.contoso.example\": the two addresses to post events to are made from it",
        );
    }
    is_only_where
}

fn plugins(section: &Section<'_>, store: Option<&Path>) -> Option<Plugins> {
    let folder = section.folder("folder");
    let cache = section.file_to_be(
        "cache",
        Some(
            &store
                .and_then(Path::parent)
                .map_or_else(|| section.resolve("."), Path::to_owned)
                .join(PLUGIN_CACHE),
        ),
    );
    let settle = section.number("settle_ms", 0..=60_000, SETTLE_MS);
    let shadow_first = section.flag("shadow_first", false);
    let ask_for_more = section.one_of("more_grants", "ask", &[("ask", true), ("give", false)]);
    let policy = section.one_of(
        "signatures",
        "off",
        &[
            ("off", Signatures::Off),
            ("warn", Signatures::Warn),
            ("require", Signatures::Require),
        ],
    );
    let keys = section.list(
        "trusted_keys",
        &[],
        "a public key of minisign, the line of minisign.pub that begins with RW",
        |text| text.parse::<TrustedKey>().ok(),
    );
    if let (Some(Signatures::Require), Some([])) = (policy, keys.as_deref()) {
        section.missing(
            "trusted_keys",
            "signatures are required, and nobody's counts: add trusted_keys = [\"RW...\"], or no plugin will ever serve",
        );
        return None;
    }
    Some(Plugins {
        folder: folder?,
        cache: cache?,
        settle: Duration::from_millis(settle?),
        shadow_first: shadow_first?,
        ask_for_more: ask_for_more?,
        trust: Trust {
            policy: policy?,
            keys: keys?,
        },
        compiler: Compiler::Here,
    })
}

fn alerts(section: &Section<'_>) -> Option<Alerts> {
    let webhook = secret::optional(section, "webhook").and_then(|address| {
        let is_address = |secret: &SecretString| {
            Url::parse(secret.expose_secret())
                .is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
        };
        match address {
            Some(secret) if !is_address(&secret) => {
                section.missing(
                    "webhook",
                    "what the secret holds is an address that begins with https://",
                );
                None
            }
            address => Some(address),
        }
    });
    let late = section.number("late_minutes", 1..=10_080, LATE_MINUTES);
    let parked = section.number("parked", 1..=1_000_000, PARKED);
    let ends_days = section.number("credential_ends_days", 1..=365, ENDS_DAYS);
    let mail = section.section("mail", mail::read);
    Some(Alerts {
        webhook: webhook?,
        mail: mail?,
        ends_days: u32::try_from(ends_days?).ok()?,
        waiting: 0,
        late: Duration::from_secs(late? * 60),
        parked: parked?,
        every: None,
    })
}

fn log(section: &Section<'_>) -> Option<Log> {
    let format = section.one_of(
        "format",
        "text",
        &[("text", LogFormat::Text), ("json", LogFormat::Json)],
    );
    let level = section.parsed("level", Some(LEVEL), "error, warn, info, debug or trace, also per part of the host: \"info,cosell_webhook=debug\"", |text| {
        let is_level = |word: &str| ["off", "error", "warn", "info", "debug", "trace"].contains(&word);
        let is_target = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte));
        let fits = text.split(',').all(|part| match part.trim().split_once('=') {
            Some((target, level)) => is_target(target) && is_level(level),
            None => is_level(part.trim()),
        });
        fits.then(|| text.to_owned())
    });
    Some(Log {
        format: format?,
        level: level?,
    })
}

fn limits(section: &Section<'_>) -> Option<Limits> {
    let sockets = section.number("sockets", 16..=100_000, SOCKETS);
    let per_address = section.number("sockets_per_address", 0..=100_000, 0);
    let header = section.seconds("header_s", 1..=120, HEADER_S);
    let drain = section.seconds("drain_s", 1..=600, DRAIN_S);
    let call = section.seconds("call_s", 5..=120, CALL_S);
    let call_s = call.map_or(CALL_S, |call| call.as_secs());
    // A write begins with a fresh lease, and may need a token before it: two calls must fit.
    let lease = section.seconds("lease_s", 2 * call_s..=1_800, LEASES_CALLS * call_s);
    // A creation that is still under way when it is first looked for must have come to its end by the second look.
    let second_look = section.seconds("second_look_s", call_s..=900, SECOND_LOOK_S.max(call_s));
    // Dataverse allows 52 requests at once per user.
    let deals_at_once = section.number("deals_at_once", 1..=52, DEALS_AT_ONCE);
    let waiting = section.number("waiting", 100..=10_000_000, WAITING);
    let disk_free = section.number("disk_free_mb", 0..=1_048_576, DISK_FREE_MB);
    let plugin_call = section.number("plugin_call_ms", 1..=10_000, PLUGIN_CALL_MS);
    let plugin_memory = section.number("plugin_memory_mb", 1..=1024, PLUGIN_MEMORY_MB);
    let count = |number: u64| usize::try_from(number).ok();
    Some(Limits {
        sockets: count(sockets?)?,
        sockets_per_address: count(per_address?).filter(|most| *most > 0),
        header: header?,
        drain: drain?,
        call: call?,
        lease: lease?,
        second_look: second_look?,
        deals_at_once: count(deals_at_once?)?,
        waiting: i64::try_from(waiting?).ok()?,
        disk_free_bytes: disk_free? << 20,
        plugin_call: Duration::from_millis(plugin_call?),
        plugin_memory_bytes: count(plugin_memory? << 20)?,
    })
}

#[cfg(test)]
mod tests;
