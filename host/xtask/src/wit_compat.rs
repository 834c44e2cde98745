//! The contract against what was released of it: `wit/released/VERSION` holds each release as it was, and a guest that was built for one has to find
//! everything in the contract of today.
//!
//! What may grow and what may not is not a matter of taste; it was tried with hosts and guests of two versions against each other:
//!
//! | fits | breaks |
//! |---|---|
//! | a new type | a field of a record, a case of a variant or an enum |
//! | a new hook interface, with a world of its own | a function of an interface that was released |
//! | documentation | an import or an export of a world that was released, but for the sums `every-hook` and `engine` |
//! | a new name in a `more` tail | anything renamed, reordered or taken away |

mod contract;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use wit_parser::{Interface, Stability, TypeDefKind, TypeId};

use crate::steps::Workspace;
use contract::Contract;

/// Worlds for hosts and SDKs: sums of the others, which nobody builds a plugin against.
const SUMS: [&str; 2] = ["every-hook", "engine"];

/// Compares, and tells every break at once.
///
/// # Errors
/// The contract cannot be read, or breaks a release.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let wit = workspace.root().join("wit");
    let today = Contract::read(&wit)?;
    let released = releases(&wit)?;
    ensure!(
        !released.is_empty(),
        "wit/released holds no release to compare with"
    );
    let mut breaks = Vec::new();
    for release in &released {
        let then = Contract::read(release)?;
        breaks.extend(
            broken(&then, &today)
                .into_iter()
                .map(|why| format!("{}: {why}", then.version())),
        );
    }
    if let Some(last) = released.last() {
        breaks.extend(unversioned(&Contract::read(last)?, &today));
    }
    if breaks.is_empty() {
        eprintln!(
            "   the contract {} keeps what {} released",
            today.version(),
            if released.len() == 1 {
                "1 version"
            } else {
                "all versions"
            }
        );
        return Ok(());
    }
    bail!(
        "the contract breaks guests that were built for a release; a released item never changes, a new question is a new interface with a world of its \
         own, and room to grow is in `more`:\n  {}",
        breaks.join("\n  ")
    )
}

/// Version of the contract in this folder.
///
/// # Errors
/// It is no contract.
pub(crate) fn version(wit: &Path) -> Result<String> {
    Ok(Contract::read(wit)?.version())
}

/// The folders of the releases, the oldest first.
fn releases(wit: &Path) -> Result<Vec<PathBuf>> {
    let folder = wit.join("released");
    let mut found = Vec::new();
    for entry in
        std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let path = entry?.path();
        if path.is_dir() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let version: Vec<u64> = name
                .split('.')
                .filter_map(|part| part.parse().ok())
                .collect();
            ensure!(
                version.len() == 3,
                "{} is not named after a version, 1.0.0",
                path.display()
            );
            found.push((version, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// What a guest of `then` would not find in `today`.
fn broken(then: &Contract, today: &Contract) -> Vec<String> {
    let mut breaks = Vec::new();
    let major = |contract: &Contract| contract.version().split('.').next().map(str::to_owned);
    // A new major stands beside the old one and is adapted at the edge.
    if major(then) != major(today) {
        return vec![
            "another major version: it has to stand beside this one, as a package of its own"
                .to_owned(),
        ];
    }
    for (name, before) in then.interfaces() {
        let Some(after) = today.interface(name) else {
            breaks.push(format!("the interface `{name}` is gone"));
            continue;
        };
        types(then, today, name, before, after, &mut breaks);
        functions(then, today, name, before, after, &mut breaks);
    }
    for (name, before) in then.worlds() {
        let Some(after) = today.world(name) else {
            breaks.push(format!("the world `{name}` is gone"));
            continue;
        };
        let imports = (
            then.names(before.imports.iter()),
            today.names(after.imports.iter()),
        );
        let exports = (
            then.names(before.exports.iter()),
            today.names(after.exports.iter()),
        );
        for (what, (before, after), may_grow) in [
            ("imports", imports, false),
            ("exports", exports, SUMS.contains(&name)),
        ] {
            for gone in before.iter().filter(|one| !after.contains(one)) {
                breaks.push(format!("the world `{name}` no longer {what} `{gone}`"));
            }
            for new in after.iter().filter(|one| !before.contains(one)) {
                if !may_grow {
                    breaks.push(format!(
                        "the world `{name}` {what} `{new}`, which it did not"
                    ));
                }
            }
        }
    }
    breaks
}

fn types(
    then: &Contract,
    today: &Contract,
    interface: &str,
    before: &Interface,
    after: &Interface,
    breaks: &mut Vec<String>,
) {
    for (name, id) in &before.types {
        let Some(now) = after.types.get(name) else {
            breaks.push(format!("the type `{name}` of `{interface}` is gone"));
            continue;
        };
        let word = |contract: &Contract, id: TypeId| match &contract.resolve.types[id].kind {
            TypeDefKind::Record(_) => "record",
            TypeDefKind::Variant(_) => "variant",
            TypeDefKind::Enum(_) => "enum",
            TypeDefKind::Flags(_) => "flags",
            _ => "type",
        };
        let (was, is) = (word(then, *id), word(today, *now));
        if was != is {
            breaks.push(format!(
                "`{name}` of `{interface}` was a {was} and is a {is}"
            ));
            continue;
        }
        let (parts, parts_now) = (then.parts(*id), today.parts(*now));
        if parts == parts_now {
            continue;
        }
        let subject = format!("the {was} `{name}` of `{interface}`");
        let gone = parts.iter().filter(|part| !parts_now.contains(part));
        breaks.extend(gone.map(|part| format!("{subject} no longer has `{part}`")));
        let new = parts_now.iter().filter(|part| !parts.contains(part));
        breaks.extend(new.map(|part| format!("{subject} has `{part}`, which it had not")));
        if parts.len() == parts_now.len() && parts.iter().all(|part| parts_now.contains(part)) {
            breaks.push(format!("{subject} has its parts in another order"));
        }
    }
}

fn functions(
    then: &Contract,
    today: &Contract,
    interface: &str,
    before: &Interface,
    after: &Interface,
    breaks: &mut Vec<String>,
) {
    for (name, function) in &before.functions {
        match after.functions.get(name) {
            None => breaks.push(format!("the function `{interface}.{name}` is gone")),
            Some(now) => {
                let (was, is) = (then.function(function), today.function(now));
                if was != is {
                    breaks.push(format!(
                        "the function `{interface}.{name}` was {was} and is {is}"
                    ));
                }
            }
        }
    }
    for name in after
        .functions
        .keys()
        .filter(|name| !before.functions.contains_key(*name))
    {
        breaks.push(format!(
            "the function `{interface}.{name}` is new: guests of the release do not export it"
        ));
    }
}

/// What was added since the last release without saying since when, or under a version that was released already.
fn unversioned(last: &Contract, today: &Contract) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut grown = false;
    let since = |stability: &Stability| match stability {
        Stability::Stable { since, .. } => Some(since.to_string()),
        _ => None,
    };
    for (name, interface) in today.interfaces() {
        if last.interface(name).is_some() {
            continue;
        }
        grown = true;
        if since(&interface.stability).is_none_or(|since| since == last.version()) {
            wrong.push(format!(
                "the interface `{name}` is new and does not say since when: @since(version = …)"
            ));
        }
        let is_exported = today.worlds().any(|(_, world)| {
            let names = today.names(world.exports.iter());
            names.iter().any(|one| one.ends_with(&format!("/{name}")))
        });
        if !interface.functions.is_empty() && !is_exported {
            wrong.push(format!(
                "the interface `{name}` is new and has no world of its own"
            ));
        }
    }
    for (name, interface) in today.interfaces() {
        if let Some(before) = last.interface(name) {
            grown |= interface
                .types
                .keys()
                .any(|name| !before.types.contains_key(name));
        }
    }
    if grown && last.version() == today.version() {
        wrong.push(format!(
            "the contract has grown and is still {}: raise the version of the package",
            today.version()
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// The contract of today with one text instead of another in one of its files.
    fn changed(changes: &[(&str, &str, &str)]) -> Contract {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let workspace = Workspace::find().unwrap();
        let folder = std::env::temp_dir().join(format!(
            "cosell-wit-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).unwrap();
        for entry in std::fs::read_dir(workspace.root().join("wit/released/1.0.0")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let mut text = std::fs::read_to_string(&path).unwrap();
            for (file, from, to) in changes {
                if *file == name || *file == "*" {
                    assert!(
                        text.contains(from) || *file == "*",
                        "{from} is not in {name}"
                    );
                    text = text.replace(from, to);
                }
            }
            std::fs::write(folder.join(name), text).unwrap();
        }
        let contract = Contract::read(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        contract
    }

    fn breaks(changes: &[(&str, &str, &str)]) -> Vec<String> {
        broken(&changed(&[]), &changed(changes))
    }

    #[test]
    fn the_contract_of_today_keeps_every_release() {
        check(&Workspace::find().unwrap()).unwrap();
    }

    #[test]
    fn what_breaks_is_told_by_name() {
        for (change, told) in [
            (
                (
                    "types.wit",
                    "    currency: string,\n  }",
                    "    currency: string,\n    rate: decimal-text,\n  }",
                ),
                "the record `money` of `types` has `rate: decimal-text`, which it had not",
            ),
            (
                (
                    "types.wit",
                    "    code: s32,\n    label: option<string>,",
                    "    label: option<string>,\n    code: s32,",
                ),
                "the record `choice` of `types` has its parts in another order",
            ),
            (
                (
                    "types.wit",
                    "    leave-out,\n  }",
                    "    leave-out,\n    create,\n  }",
                ),
                "the enum `if-missing` of `types` has `create`, which it had not",
            ),
            (
                (
                    "types.wit",
                    "    timestamp(iso-timestamp),\n",
                    "    timestamp(string),\n",
                ),
                "the variant `value` of `types` no longer has `timestamp(iso-timestamp)`",
            ),
            (
                (
                    "decorate.wit",
                    "  mark: func(",
                    "  colour: func() -> string;\n  mark: func(",
                ),
                "the function `decorate.colour` is new: guests of the release do not export it",
            ),
            (
                (
                    "country.wit",
                    "draft: option<string>) ->",
                    "draft: string) ->",
                ),
                "the function `country.to-deal` was func(ctx: context, seen: seen, draft: option<string>) -> result<option<string>, stop> and is \
                 func(ctx: context, seen: seen, draft: string) -> result<option<string>, stop>",
            ),
            (
                (
                    "worlds.wit",
                    "  export decorate;\n",
                    "  export decorate;\n  export examples;\n",
                ),
                "the world `decorate-plugin` exports `cosell:mapping/examples`, which it did not",
            ),
        ] {
            let breaks = breaks(&[change]);
            assert!(breaks.iter().any(|one| one == told), "{told}\n{breaks:#?}");
        }
    }

    #[test]
    fn what_fits_is_no_break_and_has_to_say_its_version() {
        let new = [
            (
                "decorate.wit",
                "@since(version = 1.0.0)\ninterface decorate {",
                "@since(version = 1.1.0)\ninterface colour { use types.{deal}; of: func(deal: deal) -> option<string>; }\n\n@since(version = 1.0.0)\ninterface decorate {",
            ),
            (
                "worlds.wit",
                "@since(version = 1.0.0)\nworld decorate-plugin {",
                "@since(version = 1.1.0)\nworld colour-plugin { include base-plugin; export colour; }\n\n@since(version = 1.0.0)\nworld decorate-plugin {",
            ),
            (
                "types.wit",
                "  /// An amount in one currency.",
                "  /// A shade.\n  type shade = string;\n\n  /// An amount in one currency.",
            ),
        ];
        // A package cannot hold what is newer than itself, so whoever forgets the version forgets both.
        let mut forgotten = new.to_vec();
        forgotten.push(("*", "@since(version = 1.1.0)", "@since(version = 1.0.0)"));
        let told = unversioned(&changed(&[]), &changed(&forgotten));
        assert_eq!(
            told,
            [
                "the interface `colour` is new and does not say since when: @since(version = …)",
                "the contract has grown and is still 1.0.0: raise the version of the package"
            ]
        );
        let mut raised = new.to_vec();
        raised.push((
            "*",
            "package cosell:mapping@1.0.0;",
            "package cosell:mapping@1.1.0;",
        ));
        assert_eq!(breaks(&raised), Vec::<String>::new());
        assert_eq!(
            unversioned(&changed(&[]), &changed(&raised)),
            Vec::<String>::new()
        );
        let lonely = unversioned(&changed(&[]), &changed(&[raised[0], raised[3]]));
        assert_eq!(
            lonely,
            ["the interface `colour` is new and has no world of its own"]
        );
    }
}
