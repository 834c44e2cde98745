//! What a release is made of, as CycloneDX: the crates that are linked into `cosell`, and those of the components that are shipped beside it.
//!
//! Cargo itself says what is linked (`cargo tree`, with the features of a build of just this package): what only builds, tests or expands macros is
//! in no file that people run. Without a time and a serial number, so that two builds of one state say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::guests::{GUESTS, Shelf};
use crate::plugins::TARGET;
use crate::provide::wheels;
use crate::steps::{Workspace, answer, cargo, step};

/// Validates against the published schema; only for `cargo verify --all`.
const VALIDATOR: &str = "cyclonedx-python-lib[json-validation]==11.12.0";
const VALIDATE: &str = "\
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read())
sys.exit(None if error is None else str(error))
";

/// What has to be in it, or it tells of another program.
const PROMISED: [&str; 4] = ["wasmtime", "rusqlite", "reqwest", "rustls"];
/// What must not: they only test and measure.
const ABSENT: [&str; 3] = ["criterion", "insta", "proptest"];

/// One crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    licence: String,
    ours: bool,
}

impl Crate {
    /// The name by which everybody knows a crate. Ours lie on no registry, and are known by their version here.
    fn purl(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }
}

/// Crates, and which needs which.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tree {
    root: Option<Crate>,
    needs: BTreeMap<Crate, BTreeSet<Crate>>,
}

/// Writes it to `target/cosell.cdx.json` and says so.
///
/// # Errors
/// When cargo does not say, or what comes out is no bill of materials of this program.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    let (target, bill) = make(workspace)?;
    let path = path(workspace);
    fs::create_dir_all(workspace.target())?;
    fs::write(&path, format!("{bill:#}\n"))
        .with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("   {} of {target}", path.display());
    Ok(())
}

/// The bill of this tree, looked through, and the target that it tells of.
fn make(workspace: &Workspace) -> Result<(String, Value)> {
    let mut host = cargo(workspace);
    host.args(["version", "--verbose"]);
    let told = answer("the release's target", &mut host)?;
    let target = told
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("cargo does not say for which target it builds")?;
    let program = tree(workspace, "cosell", target)?;
    let mut guests = Vec::new();
    for guest in GUESTS
        .iter()
        .filter(|guest| matches!(guest.shelf, Shelf::Stock | Shelf::Engines))
    {
        guests.push((guest.file, tree(workspace, guest.package, TARGET)?));
    }
    let lock = fs::read_to_string(workspace.root().join("Cargo.lock"))?;
    let bill = bill(&program, &guests, &checksums(&lock)?)?;
    check(&bill)?;
    Ok((target.to_owned(), bill))
}

/// Lets other people's program judge what [`write()`] wrote, by the schema that CycloneDX publishes.
///
/// # Errors
/// With what does not fit.
pub(crate) fn validate(workspace: &Workspace) -> Result<()> {
    let folder = wheels(workspace, "cyclonedx", &[VALIDATOR])?;
    let mut python = Command::new("python3");
    python
        .args(["-c", VALIDATE])
        .arg(path(workspace))
        .env("PYTHONPATH", &folder);
    step("bill of materials", &mut python)
}

fn path(workspace: &Workspace) -> std::path::PathBuf {
    workspace.target().join("cosell.cdx.json")
}

fn tree(workspace: &Workspace, package: &str, target: &str) -> Result<Tree> {
    let mut command = cargo(workspace);
    command.args([
        "tree",
        "--locked",
        "--package",
        package,
        "--edges",
        "normal,no-proc-macro",
        "--target",
        target,
        "--prefix",
        "depth",
        "--format",
        "|{p}|{l}|",
    ]);
    read(&answer(&format!("what is in {package}"), &mut command)?)
}

/// Reads what cargo tells: a depth, a package and its licence a line. What was told before is not told again, and has a mark.
fn read(told: &str) -> Result<Tree> {
    let mut tree = Tree::default();
    let mut path: Vec<Crate> = Vec::new();
    for line in told.lines().filter(|line| !line.trim().is_empty()) {
        let mut parts = line.split('|');
        let (Some(depth), Some(package), Some(licence)) =
            (parts.next(), parts.next(), parts.next())
        else {
            bail!("cargo tells in a form that is not known here: {line}");
        };
        let depth: usize = depth.parse().with_context(|| format!("no depth: {line}"))?;
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else {
            bail!("cargo names no version: {line}");
        };
        let this = Crate {
            name: name.to_owned(),
            version: version.trim_start_matches('v').to_owned(),
            // Before there were expressions, a slash meant a choice.
            licence: licence.replace(" / ", " OR ").replace('/', " OR "),
            ours: package.contains("(/") || package.contains(":\\"),
        };
        ensure!(depth <= path.len(), "cargo has left out a step: {line}");
        path.truncate(depth);
        match path.last() {
            Some(parent) => {
                let needs = tree.needs.entry(parent.clone()).or_default();
                needs.insert(this.clone());
            }
            None => tree.root = Some(this.clone()),
        }
        tree.needs.entry(this.clone()).or_default();
        path.push(this);
    }
    Ok(tree)
}

/// What the lock file says about each crate's bytes.
fn checksums(lock: &str) -> Result<BTreeMap<(String, String), String>> {
    let lock: toml::Table = lock.parse().context("Cargo.lock cannot be read")?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let word = |package: &toml::Value, key: &str| Some(package.get(key)?.as_str()?.to_owned());
    Ok(packages
        .into_iter()
        .flatten()
        .filter_map(|package| {
            let named = (word(package, "name")?, word(package, "version")?);
            Some((named, word(package, "checksum")?))
        })
        .collect())
}

fn bill(
    program: &Tree,
    guests: &[(&str, Tree)],
    checksums: &BTreeMap<(String, String), String>,
) -> Result<Value> {
    let root = program.root.as_ref().context("cargo tells of no program")?;
    let mut needs: BTreeMap<&Crate, BTreeSet<&Crate>> = BTreeMap::new();
    for (this, others) in std::iter::once(program)
        .chain(guests.iter().map(|(_, tree)| tree))
        .flat_map(|tree| &tree.needs)
    {
        needs.entry(this).or_default().extend(others);
    }
    let components: Vec<Value> = needs
        .keys()
        .filter(|this| **this != root)
        .map(|this| {
            let file = guests
                .iter()
                .find(|(_, tree)| tree.root.as_ref() == Some(this))
                .map(|(file, _)| *file);
            component(this, file, checksums)
        })
        .collect();
    let dependencies: Vec<Value> = needs
        .iter()
        .map(|(this, others)| {
            // The components are shipped with the program, and not linked into it.
            let shipped = guests
                .iter()
                .filter_map(|(_, tree)| tree.root.as_ref())
                .filter(|_| *this == root);
            let all: BTreeSet<String> = others
                .iter()
                .copied()
                .chain(shipped)
                .map(Crate::purl)
                .collect();
            json!({ "ref": this.purl(), "dependsOn": all })
        })
        .collect();
    let mut subject = component(root, None, checksums);
    subject["type"] = "application".into();
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": subject },
        "components": components,
        "dependencies": dependencies,
    }))
}

fn component(
    this: &Crate,
    file: Option<&str>,
    checksums: &BTreeMap<(String, String), String>,
) -> Value {
    let mut told = json!({
        "type": if file.is_some() { "application" } else { "library" },
        "bom-ref": this.purl(),
        "name": this.name,
        "version": this.version,
        "licenses": [{ "expression": this.licence }],
        "purl": this.purl(),
    });
    if let Some(sum) = checksums.get(&(this.name.clone(), this.version.clone())) {
        told["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    if let Some(file) = file {
        told["description"] = format!("shipped as {file}").into();
    }
    told
}

/// What a reader leans on: every component with version and licence and, if it is not ours, the hash of its bytes; every reference leads
/// somewhere; and it tells of this program.
fn check(bill: &Value) -> Result<()> {
    let list = |name: &str| bill[name].as_array().map_or(&[][..], Vec::as_slice);
    let components = list("components");
    let mut known = BTreeSet::new();
    for this in components.iter().chain([&bill["metadata"]["component"]]) {
        let text = |key: &str| this[key].as_str().filter(|text| !text.is_empty());
        let (Some(reference), Some(_), Some(_)) = (text("bom-ref"), text("name"), text("version"))
        else {
            bail!("a component without name or version: {this}");
        };
        ensure!(known.insert(reference), "{reference} stands there twice");
        ensure!(
            this["licenses"][0]["expression"]
                .as_str()
                .is_some_and(|licence| !licence.is_empty()),
            "{reference} has no licence"
        );
    }
    for link in list("dependencies") {
        let needs = link["dependsOn"].as_array();
        for reference in needs.into_iter().flatten().chain([&link["ref"]]) {
            ensure!(
                reference.as_str().is_some_and(|it| known.contains(it)),
                "{reference} is needed and not there"
            );
        }
    }
    let named = |name: &&str| components.iter().any(|this| this["name"] == **name);
    for name in PROMISED {
        ensure!(named(&name), "{name} is missing");
        let hashed = components
            .iter()
            .filter(|this| this["name"] == name)
            .all(|this| {
                let sum = this["hashes"][0]["content"].as_str().unwrap_or_default();
                sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit())
            });
        ensure!(hashed, "{name} has no hash of its bytes");
    }
    if let Some(name) = ABSENT.iter().find(|name| named(name)) {
        bail!("{name} is in it, and in no release");
    }
    for guest in GUESTS {
        let shipped = matches!(guest.shelf, Shelf::Stock | Shelf::Engines);
        ensure!(
            named(&guest.package) == shipped,
            "{} is {}",
            guest.package,
            if shipped {
                "missing"
            } else {
                "in it, and not shipped"
            }
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "\
0|cosell v0.1.0 (/home/someone/host/cli)|Apache-2.0|
1|cosell-store v0.1.0 (/home/someone/host/service/store)|Apache-2.0|
2|rusqlite v0.40.0|MIT|
3|bitflags v2.9.0|MIT/Apache-2.0|
1|wasmtime v48.0.8|Apache-2.0 WITH LLVM-exception|
2|bitflags v2.9.0|MIT/Apache-2.0| (*)
";

    fn names(set: &BTreeSet<Crate>) -> Vec<&str> {
        set.iter().map(|this| this.name.as_str()).collect()
    }

    #[test]
    fn what_cargo_tells_is_read_with_who_needs_whom() {
        let tree = read(TOLD).unwrap();
        let root = tree.root.as_ref().unwrap();
        assert_eq!((root.name.as_str(), root.ours), ("cosell", true));
        assert_eq!(names(&tree.needs[root]), ["cosell-store", "wasmtime"]);
        let bitflags = tree.needs.keys().find(|it| it.name == "bitflags").unwrap();
        assert_eq!(bitflags.licence, "MIT OR Apache-2.0");
        let needed = |by: &Crate| tree.needs[by].contains(bitflags);
        assert_eq!(tree.needs.keys().filter(|by| needed(by)).count(), 2);
        assert!(
            read("cosell v0.1.0").is_err(),
            "another form is not guessed at"
        );
    }

    #[test]
    fn the_bill_of_this_tree_names_what_is_linked_with_version_and_licence() {
        let (_, bill) = make(&Workspace::find().unwrap()).unwrap();
        let lock: toml::Table =
            fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock"))
                .unwrap()
                .parse()
                .unwrap();
        let locked = |name: &str| {
            let packages = lock["package"].as_array().unwrap().iter();
            let mut found = packages.filter(|it| it["name"].as_str() == Some(name));
            found.next().unwrap()["version"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        for (name, licence) in [
            ("wasmtime", "Apache-2.0 WITH LLVM-exception"),
            ("rusqlite", "MIT"),
        ] {
            let told = bill["components"].as_array().unwrap().iter();
            let told: Vec<_> = told
                .filter(|it| it["name"] == name)
                .map(|it| (&it["version"], &it["licenses"][0]["expression"]))
                .collect();
            assert_eq!(told, [(&json!(locked(name)), &json!(licence))]);
        }
    }

    #[test]
    fn a_bill_that_leaves_something_out_is_refused() {
        let sums = checksums(
            "[[package]]\nname = \"rusqlite\"\nversion = \"0.40.0\"\nchecksum = \"ab\"\n",
        )
        .unwrap();
        let bill = bill(&read(TOLD).unwrap(), &[], &sums).unwrap();
        assert_eq!(bill["metadata"]["component"]["name"], "cosell");
        let rusqlite = bill["components"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["name"] == "rusqlite")
            .unwrap();
        assert_eq!(rusqlite["hashes"][0]["content"], "ab");
        assert_eq!(rusqlite["purl"], "pkg:cargo/rusqlite@0.40.0");
        let told = check(&bill).unwrap_err().to_string();
        assert_eq!(told, "wasmtime has no hash of its bytes");
        let mut bare = bill.clone();
        bare["components"][0]["licenses"] = json!([]);
        assert!(
            check(&bare)
                .unwrap_err()
                .to_string()
                .ends_with("has no licence")
        );
        let mut torn = bill;
        torn["dependencies"][0]["dependsOn"] = json!(["pkg:cargo/nobody@1.0.0"]);
        assert!(
            check(&torn)
                .unwrap_err()
                .to_string()
                .contains("is needed and not there")
        );
    }
}
