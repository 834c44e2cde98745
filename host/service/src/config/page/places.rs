//! Values that point somewhere: addresses, folders, files.

use std::path::{Path, PathBuf};

use url::{Host, Url};

use super::Section;

/// Largest PEM file or directory of roots: the bundle of all public roots has 220 KiB.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

impl Section<'_> {
    /// An address: https, or http on this machine. No user, query or fragment.
    pub(in crate::config) fn url(&self, key: &'static str, default: Option<&str>) -> Option<Url> {
        let expected = "an address that begins with https://";
        if self.get(key).is_none() {
            if default.is_none() {
                self.missing(key, &format!("add {key} = ..., {expected}"));
            }
            return default.and_then(|text| Url::parse(text).ok());
        }
        let (value, text) = self.text(key, expected)?;
        let Ok(url) = Url::parse(text) else {
            self.wrong(key, value, expected, "");
            return None;
        };
        let on_this_machine = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" if url.has_host() => {}
            "http" if on_this_machine => {}
            _ => {
                self.wrong(
                    key,
                    value,
                    expected,
                    "http:// is only taken for this machine (localhost, 127.0.0.1, [::1])",
                );
                return None;
            }
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            // Not repeated: what stands before an @ may be a password.
            self.broken(
                key,
                value,
                "the address holds more than host, port and path".to_owned(),
                "take user, query and fragment out",
            );
            return None;
        }
        Some(url)
    }

    /// A folder that is there.
    pub(in crate::config) fn folder(&self, key: &'static str) -> Option<PathBuf> {
        let path = self.parsed(key, None, "the path of a folder", |text| {
            Some(self.page.resolve(text))
        })?;
        if path.is_dir() {
            return Some(path);
        }
        self.at(
            key,
            format!("there is no folder {}", path.display()),
            "make it, or correct the path; relative paths start at this file",
        );
        None
    }

    /// A file or folder that the host makes: what it lies in must be there.
    pub(in crate::config) fn file_to_be(
        &self,
        key: &'static str,
        default: Option<&Path>,
    ) -> Option<PathBuf> {
        if let (None, Some(default)) = (self.get(key), default) {
            return Some(default.to_owned());
        }
        let path = self.parsed(key, None, "a path", |text| {
            (!text.is_empty()).then(|| self.page.resolve(text))
        })?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        if folder.is_dir() {
            return Some(path);
        }
        self.at(
            key,
            format!("there is no folder {} to put it in", folder.display()),
            "make the folder, or correct the path; relative paths start at this file",
        );
        None
    }

    /// A path, resolved, without looking.
    pub(in crate::config) fn resolve(&self, path: &str) -> PathBuf {
        self.page.resolve(path)
    }

    /// The text of a PEM file, or of all `.pem`, `.crt` and `.cer` files of a folder, if the key is there.
    pub(in crate::config) fn pem(&self, key: &'static str) -> Option<String> {
        let (value, text) = self.text(key, "the path of a PEM file")?;
        match read_pem(&self.page.resolve(text)) {
            Ok(pem) => Some(pem),
            Err(problem) => {
                self.broken(key, value, problem, "name a file with \"-----BEGIN CERTIFICATE-----\" in it, or a folder of such files");
                None
            }
        }
    }
}

fn read_pem(path: &Path) -> Result<String, String> {
    let readable = |path: &Path| {
        let unread = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
        match std::fs::metadata(path).map_err(unread)?.len() {
            size if size > PEM_BYTES_MAX => Err(format!(
                "{} has {size} bytes, more than any list of roots",
                path.display()
            )),
            _ => std::fs::read_to_string(path).map_err(unread),
        }
    };
    let mut pem = String::new();
    if path.is_dir() {
        let mut files: Vec<PathBuf> = std::fs::read_dir(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|file| {
                file.extension()
                    .and_then(|end| end.to_str())
                    .is_some_and(|end| ["pem", "crt", "cer"].contains(&end))
            })
            .collect();
        files.sort();
        for file in files {
            pem.push_str(&readable(&file)?);
            pem.push('\n');
        }
    } else {
        pem = readable(path)?;
    }
    if pem.contains("-----BEGIN CERTIFICATE-----") {
        Ok(pem)
    } else {
        Err(format!("there is no certificate in {}", path.display()))
    }
}
