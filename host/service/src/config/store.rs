//! `[store]`: a file, or a database that hosts share.

use cosell_store::StoreUrl;

use super::page::Section;

/// Advice beside every mistake in an address: it must not be answered by writing a password into the file.
const PASSWORD: &str =
    "put the password into a file of its own and name it: ?passfile=/etc/cosell/database-password";

/// `path` or `url`, one of them.
pub(super) fn read(section: &Section<'_>) -> Option<StoreUrl> {
    let Some(value) = section.get("url") else {
        let path = section.file_to_be("path", None)?;
        if path.is_dir() {
            let value = section.get("path")?;
            section.broken(
                "path",
                value,
                format!("{} is a folder", path.display()),
                "name a file in it, such as cosell.db",
            );
            return None;
        }
        return Some(StoreUrl::Sqlite(path));
    };
    // What stands there is never repeated: it may hold a password.
    let refuse = |problem: String, hint: &str| {
        section.broken("url", value, problem, hint);
        None
    };
    if section.get("path").is_some() {
        return refuse(
            "there is a path already".to_owned(),
            "the store is a file (path) or a database (url): leave one of them out",
        );
    }
    let Some(text) = value.get_ref().as_str() else {
        return refuse("expected a text".to_owned(), "write it in quotes");
    };
    match text.parse() {
        Ok(StoreUrl::Postgres(url)) if url.has_password() => {
            refuse("there is a password in it".to_owned(), PASSWORD)
        }
        Ok(StoreUrl::Postgres(url)) => match url.look_for_password() {
            Ok(()) => Some(StoreUrl::Postgres(url)),
            Err(problem) => refuse(
                problem,
                "the file holds the password and nothing else, and belongs to the user under whom cosell runs",
            ),
        },
        Ok(StoreUrl::Sqlite(_)) => refuse(
            "that is a file, and no address of a database".to_owned(),
            "name a file with path",
        ),
        Err(error) => refuse(error.to_string(), PASSWORD),
    }
}
