//! Where a store is: a file, or a PostgreSQL database.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio_postgres::config::{Host, SslMode};
use url::Url;

/// Where the tables stand, unless the address says otherwise. Not `public`: that is everybody's.
const SCHEMA: &str = "cosell";

/// Longest name that PostgreSQL keeps whole.
const NAME_MAX: usize = 63;

/// Where a store is. Printed without its password.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:PATH`, or the path alone: one file, one host.
    Sqlite(PathBuf),
    /// `postgres://USER@HOST/DATABASE`: any number of hosts.
    Postgres(Box<PostgresUrl>),
}

/// An address of a PostgreSQL database. Printed without its password.
///
/// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?…`, as everybody knows it, and on top of what the client's own library takes:
///
/// * `schema=NAME`: the schema in which the tables stand, made if it is missing. Default: `cosell`.
/// * `sslmode=disable` or `verify-full`. Default: `verify-full`, and for a socket or this machine's own addresses `disable`. Halves that
///   encrypt without looking at the certificate (`prefer`, `require`) are taken as `verify-full`.
/// * `sslrootcert=FILE`: PEM certificates that are trusted instead of the system's.
/// * `passfile=FILE`: a file of mode 0600 that holds the password and nothing else, so that it stands neither in the configuration nor in a
///   list of processes.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) schema: String,
    pub(crate) roots: Option<PathBuf>,
    pub(crate) passfile: Option<PathBuf>,
    pub(crate) tls: bool,
}

/// Why a text is no address of a store. Never repeats the text: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    /// Nothing there.
    #[error(
        "the address of the store is empty; name a file, `sqlite:PATH` or `postgres://USER@HOST/DATABASE`"
    )]
    Empty,
    /// Neither of the two.
    #[error(
        "{scheme}: is no store that cosell knows; name a file, `sqlite:PATH` or `postgres://USER@HOST/DATABASE`"
    )]
    Scheme {
        /// What stands before the colon.
        scheme: String,
    },
    /// A PostgreSQL address with a mistake.
    #[error("the PostgreSQL address cannot be used: {why}")]
    Postgres {
        /// Which.
        why: String,
    },
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        if text.trim().is_empty() {
            return Err(StoreUrlError::Empty);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return PostgresUrl::parse(text).map(|url| Self::Postgres(Box::new(url)));
        }
        if let Some(path) = text.strip_prefix("sqlite:") {
            // Both `sqlite:relative` and `sqlite:///absolute` are written.
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(StoreUrlError::Empty);
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        match text.split_once(':') {
            // One letter is a drive, and a colon after a slash is part of a name.
            Some((scheme, _)) if scheme.len() > 1 && scheme.chars().all(in_a_scheme) => {
                Err(StoreUrlError::Scheme {
                    scheme: scheme.to_owned(),
                })
            }
            _ => Ok(Self::Sqlite(PathBuf::from(text))),
        }
    }
}

impl StoreUrl {
    /// The file, of a store that is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl PostgresUrl {
    /// Whether the password stands in the address itself.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Whether the password's file can be read here, and by nobody else.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn look_for_password(&self) -> Result<(), String> {
        match &self.passfile {
            Some(path) => crate::postgres::password(path).map(drop),
            None => Ok(()),
        }
    }

    fn parse(text: &str) -> Result<Self, StoreUrlError> {
        let refuse = |why: &str| StoreUrlError::Postgres {
            why: why.to_owned(),
        };
        let (address, ours) = take_ours(text)?;
        let mut config: tokio_postgres::Config = address.parse().map_err(said)?;
        if config.get_hosts().is_empty() {
            return Err(refuse("it names no host; postgres://USER@HOST/DATABASE"));
        }
        if config.get_dbname().is_none() {
            return Err(refuse(
                "it names no database; postgres://USER@HOST/DATABASE",
            ));
        }
        let schema = ours.schema.unwrap_or_else(|| SCHEMA.to_owned());
        let plain = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '_');
        if schema.is_empty()
            || schema.len() > NAME_MAX
            || !schema.chars().all(plain)
            || schema.starts_with(|first: char| first.is_ascii_digit())
        {
            return Err(refuse(
                "a schema is named with small letters, digits and underscores, a letter first",
            ));
        }
        let tls = match ours.sslmode.as_deref() {
            Some("disable") => false,
            Some("verify-full" | "verify-ca" | "require" | "prefer" | "allow") => true,
            None => !config.get_hosts().iter().all(is_near),
            Some(_) => return Err(refuse("sslmode is `disable` or `verify-full`")),
        };
        config.ssl_mode(if tls {
            SslMode::Require
        } else {
            SslMode::Disable
        });
        Ok(Self {
            config,
            schema,
            roots: ours.roots,
            passfile: ours.passfile,
            tls,
        })
    }
}

/// The parameters that the client's library does not know.
#[derive(Default)]
struct Ours {
    schema: Option<String>,
    sslmode: Option<String>,
    roots: Option<PathBuf>,
    passfile: Option<PathBuf>,
}

/// Takes them out of the address.
fn take_ours(text: &str) -> Result<(String, Ours), StoreUrlError> {
    let mut ours = Ours::default();
    let Some((address, query)) = text.split_once('?') else {
        return Ok((text.to_owned(), ours));
    };
    let mut theirs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // The query alone is decoded as a URL's: the host of a socket is a path, which a URL may not have.
        let decoded = || {
            Url::parse(&format!("x:?v={value}"))
                .ok()
                .and_then(|url| {
                    let (_, value) = url.query_pairs().next()?;
                    Some(value.into_owned())
                })
                .ok_or_else(|| StoreUrlError::Postgres {
                    why: format!("the parameter {name} cannot be read"),
                })
        };
        match name {
            "schema" => ours.schema = Some(decoded()?),
            "sslmode" => ours.sslmode = Some(decoded()?),
            "sslrootcert" => ours.roots = Some(PathBuf::from(decoded()?)),
            "passfile" => ours.passfile = Some(PathBuf::from(decoded()?)),
            _ => theirs.push(pair),
        }
    }
    let query = theirs.join("&");
    Ok((format!("{address}?{query}"), ours))
}

/// What the library says about a mistake is about names and numbers; its source may hold values, and is left away.
fn said(error: tokio_postgres::Error) -> StoreUrlError {
    let source = std::error::Error::source(&error).map(ToString::to_string);
    StoreUrlError::Postgres {
        why: source.unwrap_or_else(|| error.to_string()),
    }
}

/// Reached without a network in between.
fn is_near(host: &Host) -> bool {
    match host {
        #[cfg(unix)]
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    }
}

fn in_a_scheme(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.')
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.config.get_ports();
        for (place, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            match host {
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{comma}{}", path.display())?,
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
            }
            if let Some(port) = ports.get(place).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(
            f,
            "/{}?schema={}",
            self.config.get_dbname().unwrap_or_default(),
            self.schema
        )
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<StoreUrl>().unwrap_err().to_string()
    }

    fn postgres(text: &str) -> PostgresUrl {
        match text.parse() {
            Ok(StoreUrl::Postgres(url)) => *url,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_are_named_with_and_without_a_scheme() {
        for (text, path) in [
            ("/var/lib/cosell/cosell.db", "/var/lib/cosell/cosell.db"),
            ("cosell.db", "cosell.db"),
            ("sqlite:cosell.db", "cosell.db"),
            ("sqlite:/srv/cosell.db", "/srv/cosell.db"),
            ("sqlite:///srv/cosell.db", "/srv/cosell.db"),
            ("./odd:name.db", "./odd:name.db"),
            ("C:\\cosell.db", "C:\\cosell.db"),
        ] {
            let expected = StoreUrl::Sqlite(PathBuf::from(path));
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_unknown_scheme_is_refused_with_what_would_be_right() {
        assert_eq!(
            refused("mysql://u:secret@h/d"),
            "mysql: is no store that cosell knows; name a file, `sqlite:PATH` or `postgres://USER@HOST/DATABASE`"
        );
        assert!(refused(" ").starts_with("the address of the store is empty"));
        assert!(refused("sqlite:").starts_with("the address of the store is empty"));
    }

    #[test]
    fn what_is_missing_in_an_address_is_said() {
        for (text, expected) in [
            ("postgres://ada:secret@h", "names no database"),
            ("postgres:///d", "names no host"),
            ("postgres://ada:secret@h/d?schema=A-b", "small letters"),
            ("postgres://ada:secret@h/d?schema=1x", "a letter first"),
            ("postgres://ada:secret@h/d?sslmode=often", "sslmode is"),
            ("postgres://ada:secret@h/d?colour=red", "colour"),
            ("postgres://ada:secret@h:hundred/d", "invalid"),
        ] {
            let said = refused(text);
            assert!(said.contains(expected), "{text}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let url: StoreUrl = "postgres://ada:tell-nobody@db.contoso.com:6432/sales?schema=x"
            .parse()
            .unwrap();
        assert_eq!(
            url.to_string(),
            "postgres://ada@db.contoso.com:6432/sales?schema=x"
        );
        assert!(!format!("{url:?} {url:#?}").contains("tell-nobody"));
    }

    #[test]
    fn another_machine_is_spoken_to_by_tls_unless_the_address_says_otherwise() {
        for (text, tls) in [
            ("postgres://u@db.contoso.com/d", true),
            ("postgres://u@db.contoso.com/d?sslmode=require", true),
            ("postgres://u@db.contoso.com/d?sslmode=disable", false),
            ("postgres://u@localhost/d", false),
            ("postgres://u@127.0.0.1/d", false),
            ("postgres://u@[::1]/d", false),
            ("postgres://u@%2Frun%2Fpostgresql/d", false),
            ("postgres://u@localhost/d?sslmode=verify-full", true),
            ("postgres://u@localhost,db.contoso.com/d", true),
        ] {
            assert_eq!(postgres(text).tls, tls, "{text}");
        }
    }

    #[test]
    fn parameters_of_ours_are_decoded_and_the_others_passed_on() {
        let url = postgres(
            "postgres://u@h/d?sslrootcert=%2Fetc%2Fca+1.pem&connect_timeout=3&schema=s_1&passfile=/run/p",
        );
        assert_eq!(url.roots.as_deref(), Some(Path::new("/etc/ca 1.pem")));
        assert_eq!(url.passfile.as_deref(), Some(Path::new("/run/p")));
        assert_eq!(url.schema, "s_1");
        let timeout = url.config.get_connect_timeout();
        assert_eq!(timeout.map(std::time::Duration::as_secs), Some(3));
    }
}
