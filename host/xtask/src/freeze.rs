//! What is kept of a release: the contract as it was, and guests that were built for it. `wit-compat` compares the first with every later contract,
//! and a test loads the second into every later host.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::guests::Shelf;
use crate::plugins;
use crate::steps::Workspace;
use crate::wit_compat;

/// Guests that are kept: one as partners write them, with rows, joins, queries and examples, and the smallest of the stock. What the others would show,
/// the comparison of the contracts shows as well, and a repository keeps every guest for ever.
const KEPT: [(Shelf, &str, &str); 2] = [
    (Shelf::Examples, "50-acme.wasm", "lookup-country.wasm"),
    (Shelf::Stock, "90-decorate.wasm", "decorate.wasm"),
];

/// Keeps the contract of today and the guests of today under its version.
///
/// # Errors
/// That version is kept already: what was released does not change.
pub(crate) fn freeze(workspace: &Workspace) -> Result<()> {
    let wit = workspace.root().join("wit");
    let version = wit_compat::version(&wit)?;
    let contract = wit.join("released").join(&version);
    let guests = workspace
        .root()
        .join("tests/guests/released")
        .join(&version);
    ensure!(
        !contract.exists() && !guests.exists(),
        "{version} is kept already, and what was released does not change: raise the version of the contract first"
    );
    plugins::build(workspace)?;
    std::fs::create_dir_all(&contract)?;
    for entry in std::fs::read_dir(&wit)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "wit") {
            copy(&path, &contract.join(path.file_name().unwrap_or_default()))?;
        }
    }
    std::fs::create_dir_all(&guests)?;
    for (shelf, built, kept) in KEPT {
        let file = workspace.shelf(shelf).join(built);
        let component =
            std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let bare = without_names(&component).context("it is no component")?;
        std::fs::write(guests.join(kept), &bare)?;
        eprintln!("   {kept} ({} KB)", bare.len() / 1024);
    }
    eprintln!(
        "   {} and {} are to be committed",
        contract.display(),
        guests.display()
    );
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

/// Sections that only people read: a repository keeps every guest for ever.
const FOR_PEOPLE: [&[u8]; 3] = [b"name", b"component-name", b"producers"];

/// The component without them, in its modules as well. None: it is cut short.
fn without_names(wasm: &[u8]) -> Option<Vec<u8>> {
    let mut bare = wasm.get(..8)?.to_vec();
    // Components carry layer 1 in the upper half of the version field.
    let is_component = wasm.get(6..8)? != [0, 0];
    let mut rest = wasm.get(8..)?;
    while let Some((&id, after)) = rest.split_first() {
        let (length, after) = number(after)?;
        let body = after.get(..length)?;
        rest = after.get(length..)?;
        if id == 0 {
            let (length, name) = number(body)?;
            if FOR_PEOPLE.contains(&name.get(..length)?) {
                continue;
            }
        }
        let module = (is_component && id == 1).then(|| without_names(body));
        let body = match module {
            Some(module) => module?,
            None => body.to_vec(),
        };
        bare.push(id);
        put_number(&mut bare, body.len());
        bare.extend(body);
    }
    Some(bare)
}

/// LEB128, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

fn put_number(to: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            to.push(low);
            return;
        }
        to.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_people_read_is_left_out_also_inside() {
        let section = |id: u8, body: &[u8]| {
            let mut section = vec![id];
            put_number(&mut section, body.len());
            section.extend(body);
            section
        };
        let custom = |name: &str, data: &[u8]| {
            let mut body = vec![u8::try_from(name.len()).unwrap()];
            body.extend(name.as_bytes());
            body.extend(data);
            section(0, &body)
        };
        let module =
            |sections: &[Vec<u8>]| [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat();
        let component =
            |sections: &[Vec<u8>]| [b"\0asm\x0d\0\x01\0".to_vec(), sections.concat()].concat();
        let full = component(&[
            section(
                1,
                &module(&[custom("name", &[7; 300]), custom("kept", b"x")]),
            ),
            custom("producers", b"me"),
            custom("cosell:manifest", b"{}"),
        ]);
        let bare = component(&[
            section(1, &module(&[custom("kept", b"x")])),
            custom("cosell:manifest", b"{}"),
        ]);
        assert_eq!(without_names(&full), Some(bare));
        assert_eq!(without_names(&full[..full.len() - 1]), None);
    }
}
