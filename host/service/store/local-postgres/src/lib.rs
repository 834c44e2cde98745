//! A PostgreSQL server of one's own, for tests and benches: made from the installed binaries in a temporary folder, and gone with the
//! process that started it, however that ends.
//!
//! A test process may be killed, and statics are never dropped. So the server has a guard: a shell that waits for the end of its
//! standard input, stops the server then and deletes the folder. The pipe's other end is this process.
//!
//! Unless it is asked to be durable it does not sync: what tests look at is what PostgreSQL answers, not what survives a power cut.
#![forbid(unsafe_code)]

mod network;

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

pub use network::Network;

/// What is typed where PostgreSQL is missing.
pub const INSTALL: &str = "sudo apt-get install -y postgresql";

/// How long a server may take to start: seconds even on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);
/// How often it is asked whether it is ready.
const START_POLL: Duration = Duration::from_millis(20);
/// The name in the socket's file name; with `listen` the port as well.
const PORT: u16 = 5432;
/// Who owns the database; also the account under which the server runs when this process is root, which PostgreSQL refuses to be.
const OWNER: &str = "postgres";
/// The account used instead where Debian's package has made none.
const NOBODY: &str = "nobody";

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum LocalPostgresError {
    /// Nothing to start.
    #[error("PostgreSQL is not installed, and these tests need it; type: {INSTALL}")]
    NotInstalled,
    /// A step failed.
    #[error("cannot start PostgreSQL: {step}: {why}")]
    Failed {
        /// Which.
        step: String,
        /// What was said about it.
        why: String,
    },
}

/// What a server is to be like.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Syncs every commit, as in production; for benches.
    pub durable: bool,
    /// PEM files of certificate and key: then it listens on a loopback port too, where it speaks only TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Then it listens at the far end of this cable, too.
    pub network: Option<Arc<Network>>,
}

/// A running server. Dropping stops it.
#[derive(Debug)]
pub struct LocalPostgres {
    folder: PathBuf,
    port: u16,
    guard: Child,
    /// The process that was crashed last.
    before: Option<String>,
}

impl LocalPostgres {
    /// The process's own server, started when it is asked for first.
    ///
    /// # Errors
    /// [`LocalPostgresError`], the same each time.
    pub fn shared() -> Result<&'static Self, &'static LocalPostgresError> {
        static SHARED: OnceLock<Result<LocalPostgres, LocalPostgresError>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start(&Wanted::default()))
            .as_ref()
    }

    /// Starts one.
    ///
    /// # Errors
    /// [`LocalPostgresError`].
    pub fn start(wanted: &Wanted) -> Result<Self, LocalPostgresError> {
        let binaries = binaries().ok_or(LocalPostgresError::NotInstalled)?;
        let account = account()?;
        let folder = tempfile::Builder::new()
            .prefix("cosell-pg-")
            .tempdir()
            .map_err(|error| failed("make a temporary folder", error))?
            // The guard deletes it.
            .keep();
        let data = folder.join("data");
        if let Some(account) = &account {
            std::os::unix::fs::chown(&folder, Some(account.user), Some(account.group))
                .map_err(|error| failed("give the folder away", error))?;
        }
        let mut initdb = under(account.as_ref(), &binaries.join("initdb"));
        initdb
            .args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"])
            .arg(format!("--username={OWNER}"))
            .arg("--pgdata")
            .arg(&data)
            .current_dir(&folder);
        say(&mut initdb, "initdb")?;

        let port = if wanted.tls.is_some() {
            free_port()?
        } else {
            PORT
        };
        let mut settings = vec![
            format!("unix_socket_directories={}", folder.display()),
            format!("port={port}"),
            "max_connections=200".to_owned(),
            "shared_buffers=64MB".to_owned(),
            "logging_collector=off".to_owned(),
        ];
        if !wanted.durable {
            settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
        }
        match (&wanted.tls, &wanted.network) {
            (None, None) => settings.push("listen_addresses=".to_owned()),
            (None, Some(network)) => {
                settings.push(format!("listen_addresses={}", network.there()));
                let rule = format!(
                    "local all all trust\nhost all all {}/32 trust\n",
                    network.here()
                );
                std::fs::write(data.join("pg_hba.conf"), rule)
                    .map_err(|error| failed("write pg_hba.conf", error))?;
            }
            (Some((certificate, key)), _) => {
                settings.push("listen_addresses=127.0.0.1".to_owned());
                settings.push("ssl=on".to_owned());
                for (name, from) in [("ssl_cert_file", certificate), ("ssl_key_file", key)] {
                    let to = folder.join(name);
                    lend(from, &to, account.as_ref())?;
                    settings.push(format!("{name}={}", to.display()));
                }
                std::fs::write(
                    data.join("pg_hba.conf"),
                    "local all all trust\nhostssl all all 127.0.0.1/32 trust\n",
                )
                .map_err(|error| failed("write pg_hba.conf", error))?;
            }
        }
        let mut program = under(account.as_ref(), &binaries.join("postgres"));
        if let Some(network) = &wanted.network {
            program = network.behind(&program);
        }
        let guard = guard(&program, &folder, &settings)?;
        let mut server = Self {
            folder,
            port,
            guard,
            before: None,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Where it is reached, over its socket. `more` are further parameters, as `schema=x`.
    #[must_use]
    pub fn url(&self, more: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{OWNER}@{folder}:{}/postgres?{more}", self.port)
    }

    /// Where it is reached over TCP, if it speaks TLS.
    #[must_use]
    pub fn url_over_tcp(&self, more: &str) -> String {
        format!("postgres://{OWNER}@localhost:{}/postgres?{more}", self.port)
    }

    /// Where it is reached through the cable of [`Wanted::network`].
    #[must_use]
    pub fn url_through(&self, network: &Network, more: &str) -> String {
        let there = network.there();
        format!(
            "postgres://{OWNER}@{there}:{}/postgres?sslmode=disable&{more}",
            self.port
        )
    }

    /// What it has written about itself.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Ends every session in the middle of what it does, as a crash would.
    ///
    /// # Errors
    /// [`LocalPostgresError::Failed`].
    pub fn crash(&mut self) -> Result<(), LocalPostgresError> {
        self.before = self.state().lines().next().map(str::to_owned);
        self.order("QUIT")
    }

    /// Starts the server again on its data, and returns when it is ready.
    ///
    /// # Errors
    /// [`LocalPostgresError::Failed`].
    pub fn start_again(&mut self) -> Result<(), LocalPostgresError> {
        self.order("start")?;
        self.wait_until_ready()
    }

    /// A line for the guard.
    fn order(&mut self, order: &str) -> Result<(), LocalPostgresError> {
        let orders = self.guard.stdin.as_mut();
        let orders = orders.ok_or_else(|| failed("stop or start it", "its guard is gone"))?;
        writeln!(orders, "{order}").map_err(|error| failed("stop or start it", error))
    }

    /// PostgreSQL keeps its process in the first line of this file, and its state in the last.
    fn state(&self) -> String {
        std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default()
    }

    fn wait_until_ready(&mut self) -> Result<(), LocalPostgresError> {
        let begun = Instant::now();
        loop {
            let state = self.state();
            // The file of a server that was crashed stays where it is.
            let is_another = state.lines().next() != self.before.as_deref();
            if is_another && state.lines().any(|line| line.trim() == "ready") {
                return Ok(());
            }
            let ended = self.guard.try_wait().ok().flatten().is_some();
            if ended || begun.elapsed() > START_MAX {
                return Err(failed("wait until it is ready", self.log()));
            }
            std::thread::sleep(START_POLL);
        }
    }
}

impl Drop for LocalPostgres {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // It has deleted the folder when it ends.
        drop(self.guard.wait());
    }
}

/// Where `initdb` and `postgres` are: in the path, or where Debian keeps its versions, the latest first.
fn binaries() -> Option<PathBuf> {
    let is_there = |folder: &PathBuf| {
        ["initdb", "postgres"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = std::env::split_paths(&path).find(is_there) {
        // A link in the path would hide where the server's other files are.
        let real = folder.join("postgres").canonicalize().ok()?;
        return real.parent().map(Path::to_owned);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut folders: Vec<(u32, PathBuf)> = versions
        .flatten()
        .filter_map(|version| {
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .filter(|(_, folder)| is_there(folder))
        .collect();
    folders.sort();
    folders.pop().map(|(_, folder)| folder)
}

/// Under whom the server runs when this process is root.
#[derive(Debug)]
struct Account {
    user: u32,
    group: u32,
}

/// None: this process is not root, and the server runs as it does.
fn account() -> Result<Option<Account>, LocalPostgresError> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let said = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(said.stdout).ok()?.trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return Ok(None);
    }
    [OWNER, NOBODY]
        .iter()
        .find_map(|name| {
            Some(Account {
                user: id(&["-u", name])?,
                group: id(&["-g", name])?,
            })
        })
        .map(Some)
        .ok_or_else(|| {
            failed(
                "find an account that is not root",
                format!("there is neither {OWNER} nor {NOBODY}"),
            )
        })
}

/// The program, run under the account.
fn under(account: Option<&Account>, program: &Path) -> Command {
    let Some(Account { user, group }) = account else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"))
        .arg("--clear-groups")
        .arg("--")
        .arg(program);
    command
}

/// The shell that stops the server when this process is gone.
fn guard(
    server: &Command,
    folder: &Path,
    settings: &[String],
) -> Result<Child, LocalPostgresError> {
    const GUARD: &str = r#"
        folder=$1; shift
        trap : INT TERM HUP
        cd "$folder" || exit 1
        start() {
            "$@" </dev/null >>"$folder/log" 2>&1 &
            server=$!
            (while kill -0 "$server" 2>/dev/null; do sleep 1; done; kill "$$") & watch=$!
        }
        stop() { kill "$watch"; kill "-$1" "$server"; wait "$server"; }
        start "$@"
        # Until the other end of the pipe is closed, or the server has ended by itself. A line stops it, the next one starts it again.
        while read -r signal; do
            stop "$signal"
            read -r _ || break
            start "$@"
        done
        stop QUIT
        cd / && rm -rf "$folder"
    "#;
    let mut command = Command::new("sh");
    command
        .args([OsStr::new("-c"), OsStr::new(GUARD), OsStr::new("guard")])
        .arg(folder)
        .arg(server.get_program())
        .args(server.get_args())
        .arg("-D")
        .arg(folder.join("data"));
    for setting in settings {
        command.args(["-c", setting]);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed("start its guard", error))
}

/// Copies a file for the server, which reads a key only if nobody else can.
fn lend(from: &Path, to: &Path, account: Option<&Account>) -> Result<(), LocalPostgresError> {
    use std::os::unix::fs::PermissionsExt;
    let lent = || {
        std::fs::copy(from, to)?;
        std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o600))?;
        match account {
            Some(account) => std::os::unix::fs::chown(to, Some(account.user), Some(account.group)),
            None => Ok(()),
        }
    };
    lent().map_err(|error: std::io::Error| failed("copy the certificate", error))
}

fn free_port() -> Result<u16, LocalPostgresError> {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| failed("find a free port", error))
}

fn say(command: &mut Command, step: &str) -> Result<(), LocalPostgresError> {
    let said = command.output().map_err(|error| failed(step, error))?;
    if said.status.success() {
        return Ok(());
    }
    Err(failed(step, String::from_utf8_lossy(&said.stderr)))
}

fn failed(step: &str, why: impl std::fmt::Display) -> LocalPostgresError {
    LocalPostgresError::Failed {
        step: step.to_owned(),
        why: why.to_string().trim().to_owned(),
    }
}
