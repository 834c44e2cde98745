//! Secrets stand beside the configuration, never in it: `{ file = "path" }`, `{ env = "NAME" }` or `{ credential = "name" }`. And what proves an
//! application without one: an identity that somebody else gives.

use std::path::{Path, PathBuf};

use cosell_remote::auth::{ManagedIdentity, NoIdentity, Proof, ProofFile};
use jiff::Timestamp;
use secrecy::SecretString;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::page::Section;

/// Largest secret file. A client secret has 40 characters, a refresh token 2 KiB.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// Where systemd puts what `LoadCredential=` names.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

const EXPECTED: &str = "{ file = \"path\" }, { env = \"NAME\" } or { credential = \"name\" }";

/// A secret that must be there.
pub(super) fn required(section: &Section<'_>, key: &'static str) -> Option<SecretString> {
    if section.get(key).is_none() {
        section.missing(key, &format!("add {key} = {EXPECTED}"));
        return None;
    }
    optional(section, key).flatten()
}

/// A secret that may be left out. The outer None: it is there and wrong.
pub(super) fn optional(section: &Section<'_>, key: &'static str) -> Option<Option<SecretString>> {
    let Some(value) = section.get(key) else {
        return Some(None);
    };
    match found(section, key, value) {
        Ok(text) => Some(Some(SecretString::from(text))),
        Err(Wrong { problem, hint }) => {
            section.broken(key, value, problem, &hint);
            None
        }
    }
}

/// A list of secrets; none when it is left out.
pub(super) fn list(section: &Section<'_>, key: &'static str) -> Option<Vec<SecretString>> {
    let Some(value) = section.get(key) else {
        return Some(Vec::new());
    };
    let Some(items) = value.get_ref().as_array() else {
        // Whatever stands there may be the secret: it is not repeated.
        section.broken(
            key,
            value,
            format!("expected a list of {EXPECTED}"),
            &format!("write {key} = [{{ file = \"path\" }}]"),
        );
        return None;
    };
    let read = |item| match found(section, key, item) {
        Ok(text) => Some(SecretString::from(text)),
        Err(Wrong { problem, hint }) => {
            section.broken(key, item, problem, &hint);
            None
        }
    };
    items.iter().map(read).collect()
}

/// How an application proves itself, and until when that is good as far as the operator has said so.
#[derive(Debug, Clone)]
pub struct AppProof {
    /// A secret, a certificate, an identity that somebody else gives, or nothing.
    pub proof: Proof,
    /// When a secret ends. A certificate says so itself, and an identity does not end.
    pub secret_expires: Option<Timestamp>,
}

/// One of `secret`, `certificate` and `identity`. None of them is a public client, where that `may_be_public`.
pub(super) fn proof(section: &Section<'_>, may_be_public: bool) -> Option<AppProof> {
    let secret = replaced(section, "secret");
    let certificate = replaced(section, "certificate");
    let identity = identity(section);
    let secret_expires = section.optional(
        "secret_expires",
        "a day such as \"2027-03-31\", as the Entra admin center shows it",
        |text| {
            let day: jiff::civil::Date = text.parse().ok()?;
            format!("{day}T00:00:00Z").parse::<Timestamp>().ok()
        },
    );
    let wrong = |key: &'static str, problem: String, hint: &str| {
        if let Some(value) = section.get(key) {
            section.broken(key, value, problem, hint);
        }
        None
    };
    let (secret, certificate, identity) = (secret?, certificate?, identity?);
    if identity.is_some() && section.get("secret_expires").is_some() {
        return wrong(
            "secret_expires",
            "there is no secret that could end".to_owned(),
            "take it out: an identity is renewed by whoever gives it",
        );
    }
    let proof = match (secret, certificate, identity) {
        (Some(_), Some(_), None) => {
            return wrong(
                "certificate",
                "there is a secret already".to_owned(),
                "leave one of them out; a certificate is the safer one",
            );
        }
        (None, None, Some(proof)) => proof,
        (secret, _, Some(_)) => {
            let other = match secret {
                Some(_) => "secret",
                None => "certificate",
            };
            return wrong(
                "identity",
                format!("there is a {other} already"),
                &format!(
                    "leave the {other} out, and delete its file: an identity needs none, and is the safer one"
                ),
            );
        }
        (Some((text, file)), None, None) => Proof::secret(text, file),
        (None, Some((text, file)), None) => match Proof::certificate(text, file) {
            Ok(proof) => proof,
            Err(why) => {
                return wrong(
                    "certificate",
                    why.to_string(),
                    "name one PEM file with the certificate and its private key (RSA)",
                );
            }
        },
        (None, None, None) if may_be_public => Proof::nothing(),
        (None, None, None) => {
            section.missing(
                "secret",
                &format!(
                    "add secret = {EXPECTED}, or a certificate in the same way, or identity = {IDENTITY}"
                ),
            );
            return None;
        }
    };
    Some(AppProof {
        proof,
        secret_expires: secret_expires?,
    })
}

const IDENTITY: &str = "\"managed\", { managed = \"client id\" } or { token_file = \"path\" }";

/// Who somebody else says that the application is. The outer None: it is there and wrong.
fn identity(section: &Section<'_>) -> Option<Option<Proof>> {
    const KEY: &str = "identity";
    let Some(value) = section.get(KEY) else {
        return Some(None);
    };
    let known = || section.broken(KEY, value, format!("expected {IDENTITY}"), "");
    let found = match value.get_ref() {
        DeValue::String(word) if word == "managed" => managed(section, None),
        DeValue::Table(table) => {
            let mut entries = table.iter();
            let (Some((name, what)), None) = (entries.next(), entries.next()) else {
                section.broken(
                    KEY,
                    value,
                    format!("expected exactly one of {IDENTITY}"),
                    "",
                );
                return None;
            };
            let text = what.get_ref().as_str().filter(|text| !text.is_empty());
            match (name.get_ref().as_ref(), text) {
                ("managed", Some(id)) => match uuid::Uuid::try_parse(id) {
                    Ok(id) => managed(section, Some(id.hyphenated().to_string())),
                    Err(_) => Err(Wrong::new(
                        format!("\"{id}\" is not the client id of an identity"),
                        "it is a GUID: the client id on the overview page of the user-assigned identity, not its name or its object (principal) id",
                    )),
                },
                ("token_file", Some(path)) => {
                    Proof::token_file(section.resolve(path)).map_err(|why| {
                        Wrong::new(
                            why.to_string(),
                            "name the file that the issuer renews, on Kubernetes with workload identity /var/run/secrets/azure/tokens/azure-identity-token; relative paths start at the configuration file",
                        )
                    })
                }
                _ => {
                    known();
                    return None;
                }
            }
        }
        _ => {
            known();
            return None;
        }
    };
    match found {
        Ok(proof) => Some(Some(proof)),
        Err(Wrong { problem, hint }) => {
            section.broken(KEY, value, problem, &hint);
            None
        }
    }
}

fn managed(section: &Section<'_>, client_id: Option<String>) -> Result<Proof, Wrong> {
    let identity = ManagedIdentity::new(client_id, section.page.environment);
    identity.map(Proof::managed_identity).map_err(|why| {
        let hint = match why {
            NoIdentity::Address { .. } => {
                "Azure sets it: take it out of the service's environment, or correct it"
            }
            NoIdentity::Arc => "use a certificate, or { token_file = \"path\" } of an issuer that the application trusts",
        };
        Wrong::new(why.to_string(), hint)
    })
}

/// A secret, and the file in which a person may replace it while the host runs.
type Replaced = (SecretString, Option<ProofFile>);

/// The outer None: it is there and wrong.
fn replaced(section: &Section<'_>, key: &'static str) -> Option<Option<Replaced>> {
    let text = optional(section, key)?;
    Some(text.map(|text| (text, file_of(section, key))))
}

/// Where a secret that is there is kept, if that is a file.
fn file_of(section: &Section<'_>, key: &'static str) -> Option<ProofFile> {
    let value = section.get(key)?;
    match place(section, key, value).ok()? {
        Place::File(path) => Some(ProofFile {
            path: section.resolve(path),
            is_guarded: false,
        }),
        Place::Credential(name) => Some(ProofFile {
            path: Path::new(&(section.page.environment)(CREDENTIALS_DIRECTORY)?).join(name),
            is_guarded: true,
        }),
        Place::Env(_) => None,
    }
}

/// A secret that the host replaces as it uses it: only a file can be written back. Returns the path of a file that is there and private;
/// while somebody signs in, of one that is still to come.
pub(super) fn renewed_file(section: &Section<'_>, key: &'static str) -> Option<PathBuf> {
    let Some(value) = section.get(key) else {
        section.missing(key, &format!("add {key} = {{ file = \"path\" }}"));
        return None;
    };
    let found = place(section, key, value).and_then(|place| match place {
        Place::File(path) => {
            let path = section.resolve(path);
            if path.exists() {
                return private_text(&path).map(|_| path);
            }
            let missing = |hint: &str| Wrong::new(format!("{} is not there", path.display()), hint);
            match path.parent().filter(|folder| !folder.is_dir()) {
                Some(folder) => Err(missing(&format!(
                    "make its folder: mkdir -m 0700 {}; then sign in once: cosell sign-in CONNECTION",
                    folder.display()
                ))),
                None if section.page.tokens_to_come => Ok(path),
                None => Err(missing(
                    "sign in once: cosell sign-in CONNECTION; relative paths start at the configuration file",
                )),
            }
        }
        _ => Err(Wrong::new(
            "it must be a file",
            "the host gets a new token at each use and has to write it back: { file = \"path\" }",
        )),
    });
    found
        .map_err(|Wrong { problem, hint }| section.broken(key, value, problem, &hint))
        .ok()
}

/// What stands at the place that the value names.
fn found(section: &Section<'_>, key: &str, value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
    match place(section, key, value)? {
        Place::File(path) => private_text(&section.resolve(path)),
        Place::Env(name) => from_environment(section, name),
        Place::Credential(name) => from_credentials(section, name),
    }
}

enum Place<'a> {
    File(&'a str),
    Env(&'a str),
    Credential(&'a str),
}

struct Wrong {
    problem: String,
    hint: String,
}

impl Wrong {
    fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            hint: hint.into(),
        }
    }
}

fn place<'a>(
    section: &Section<'_>,
    key: &str,
    value: &'a Spanned<DeValue<'a>>,
) -> Result<Place<'a>, Wrong> {
    let table: &DeTable<'_> = match value.get_ref() {
        DeValue::Table(table) => table,
        // Whatever stands there may be the secret: it is not repeated.
        DeValue::String(_) => {
            return Err(Wrong::new(
                "a secret must not stand in the configuration",
                format!(
                    "configurations are copied, mailed and committed: put it into a file that only this user can read, and write {key} = {EXPECTED}; if this file has been shared, replace the secret"
                ),
            ));
        }
        _ => return Err(Wrong::new(format!("expected {EXPECTED}"), "")),
    };
    let mut entries = table.iter();
    let (Some((name, place)), None) = (entries.next(), entries.next()) else {
        return Err(Wrong::new(
            format!("expected exactly one of {EXPECTED}"),
            "",
        ));
    };
    let Some(text) = place.get_ref().as_str().filter(|text| !text.is_empty()) else {
        return Err(Wrong::new(
            format!("expected {EXPECTED}"),
            "the place is a text in quotes",
        ));
    };
    match name.get_ref().as_ref() {
        "file" => Ok(Place::File(text)),
        "env" => Ok(Place::Env(text)),
        "credential" => Ok(Place::Credential(text)),
        _ => Err(Wrong::new(
            format!("{} has no place of this kind", section.key(key)),
            format!("write {EXPECTED}"),
        )),
    }
}

fn from_environment(section: &Section<'_>, name: &str) -> Result<String, Wrong> {
    match (section.page.environment)(name).map(|text| text.trim().to_owned()) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(Wrong::new(
            format!("the environment variable {name} is not set"),
            "set it for the service, or use a file: other programs of this user can read the environment",
        )),
    }
}

fn from_credentials(section: &Section<'_>, name: &str) -> Result<String, Wrong> {
    if name.contains(['/', '\\']) || name.starts_with('.') {
        return Err(Wrong::new(
            format!("\"{name}\" is not the name of a credential"),
            "write the name that LoadCredential= gives it, without a path",
        ));
    }
    let Some(folder) = (section.page.environment)(CREDENTIALS_DIRECTORY) else {
        return Err(Wrong::new(
            format!("{CREDENTIALS_DIRECTORY} is not set"),
            format!(
                "systemd sets it for units with LoadCredential={name}:...; elsewhere use {{ file = \"path\" }}"
            ),
        ));
    };
    // systemd guards the folder itself; its files' mode is not ours to judge.
    text_of(&Path::new(&folder).join(name))
}

fn private_text(path: &Path) -> Result<String, Wrong> {
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(path) {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Wrong::new(
                format!("{} can be read by others (mode {mode:04o})", path.display()),
                format!("chmod 0600 {}", path.display()),
            ));
        }
    }
    text_of(path)
}

fn text_of(path: &Path) -> Result<String, Wrong> {
    let unread = |error: std::io::Error| {
        Wrong::new(
            format!("{} cannot be read: {error}", path.display()),
            "relative paths start at the configuration file",
        )
    };
    let metadata = std::fs::metadata(path).map_err(unread)?;
    if !metadata.is_file() || metadata.len() > SECRET_BYTES_MAX {
        return Err(Wrong::new(
            format!("{} is no file with a secret in it", path.display()),
            "a secret is a regular file of less than 64 KiB",
        ));
    }
    let text = std::fs::read_to_string(path).map_err(unread)?;
    match text.trim() {
        "" => Err(Wrong::new(
            format!("{} is empty", path.display()),
            "write the secret into it",
        )),
        text => Ok(text.to_owned()),
    }
}
