//! From a project to files that can be dropped into a plugin folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};
use cosell_contract_shape::spelling::camel;
use cosell_plugins::Engine;
use cosell_plugins::author::{engine_of, manifest};
use serde_json::Value;

use crate::component::{stamp, wrap};
use crate::project::{Kind, Part, Project};
use crate::shipped;

/// Guests import nothing from a system, so they are built for the target that has none.
const TARGET: &str = "wasm32-unknown-unknown";
/// Componentize-js is a library; this is its command line, so that a project needs none of its own.
const COMPONENTIZE_JS: &str = include_str!("componentize.mjs");
/// What stands around a mapping.
const KIT_JS: &str = include_str!("../../../examples/javascript/kit.js");

/// What was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// Where it lies.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What it says about itself; None for scripts and tables, which say it in their text.
    pub manifest: Option<Value>,
}

/// Builds the project into `out`. `engine` runs the component once, for the manifest that is stamped in; `engines` are folders with the engines of
/// scripts and tables.
///
/// # Errors
/// A toolchain is missing, with the line to type; it failed; or the host would not take what it made.
pub fn build(
    project: &Project,
    out: &Path,
    engine: &Engine,
    engines: &[PathBuf],
) -> Result<Vec<Built>> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    if let Kind::Text(texts) = &project.kind {
        return texts
            .iter()
            .map(|text| copied(text, out, engine, engines))
            .collect::<Result<Vec<_>>>()
            .map(|built| built.into_iter().flatten().collect());
    }
    project
        .parts
        .iter()
        .map(|part| {
            let component = match &project.kind {
                Kind::Rust => rust(project)?,
                Kind::JavaScript => javascript(project, part)?,
                Kind::Python => python(project, part)?,
                Kind::Text(_) => bail!("a text is not compiled"),
            };
            let file = out.join(format!("{}.wasm", part.file));
            stamped(component, &file, project, engine)
        })
        .collect()
}

/// Asks the component who it is and writes it with its stamps. By rename, so that a watcher never sees half a file.
fn stamped(component: Vec<u8>, file: &Path, project: &Project, engine: &Engine) -> Result<Built> {
    let half = tempfile::Builder::new()
        .prefix(".built-")
        .suffix(".wasm")
        .tempfile_in(file.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(half.path(), &component)?;
    let manifest = manifest(engine, half.path()).map_err(|refused| {
        anyhow!(
            "it was built, and no host would take it ({}): {refused}",
            refused.phase.as_str()
        )
    })?;
    let component = stamp(component, &manifest, &project.metadata);
    std::fs::write(half.path(), &component)?;
    half.persist(file)
        .with_context(|| format!("cannot write {}", file.display()))?;
    readable(file)?;
    Ok(Built {
        file: file.to_owned(),
        bytes: component.len() as u64,
        manifest: Some(manifest),
    })
}

/// A temporary file is its owner's alone; a plugin is for whoever runs the host.
#[cfg(unix)]
fn readable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(
        file,
        std::fs::Permissions::from_mode(0o644),
    )?)
}

#[cfg(not(unix))]
fn readable(_: &Path) -> Result<()> {
    Ok(())
}

/// A script or a table as it is, with the engine that runs it and the operator file beside it.
fn copied(text: &Path, out: &Path, engine: &Engine, engines: &[PathBuf]) -> Result<Vec<Built>> {
    let report = cosell_plugins::check_file_with(engine, text, engines);
    if let Err(refused) = &report.verdict {
        bail!("{}: {refused}", text.display());
    }
    let runs = engine_of(text, engines)
        .with_context(|| format!("{} is no script and no table", text.display()))?;
    let name = text.file_name().unwrap_or_default();
    let mut from = vec![text.to_owned(), runs];
    let operator =
        text.with_file_name(cosell_plugins::author::operator_of(&name.to_string_lossy()));
    if operator.is_file() {
        from.push(operator);
    }
    from.into_iter()
        .map(|from| {
            let to = out.join(from.file_name().unwrap_or_default());
            let bytes = std::fs::copy(&from, &to)
                .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
            Ok(Built {
                file: to,
                bytes,
                manifest: None,
            })
        })
        .collect()
}

fn rust(project: &Project) -> Result<Vec<u8>> {
    let manifest = project.dir.join("Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(&cargo)
        .args(["build", "--lib", "--release", "--target", TARGET])
        .args([
            "--message-format",
            "json-render-diagnostics",
            "--manifest-path",
        ])
        .arg(&manifest)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| {
            "cargo cannot be started; install Rust from https://rustup.rs".to_owned()
        })?;
    if !built.status.success() {
        ensure!(
            has_target(),
            "the WebAssembly target is missing; type: rustup target add {TARGET}"
        );
        bail!("cargo did not build it, for the reasons above");
    }
    let manifest = manifest.canonicalize()?;
    let module = String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|said| said["reason"] == "compiler-artifact")
        .filter(|said| {
            let own = said["manifest_path"].as_str().map(Path::new);
            own.and_then(|own| own.canonicalize().ok()) == Some(manifest.clone())
        })
        .find_map(|said| {
            let files = said["filenames"].as_array()?;
            let files = files.iter().filter_map(Value::as_str);
            files
                .map(str::to_owned)
                .find(|file| file.ends_with(".wasm"))
        });
    let module = module.context(
        "cargo built no module; Cargo.toml needs: [lib] crate-type = [\"cdylib\", \"rlib\"]",
    )?;
    let bytes = std::fs::read(&module).with_context(|| format!("cannot read {module}"))?;
    wrap(&bytes)
}

fn has_target() -> bool {
    Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .is_ok_and(|said| {
            said.status.success()
                && Path::new(String::from_utf8_lossy(&said.stdout).trim()).is_dir()
        })
}

/// The contract, and the world of the hooks that the project serves: what toolchains that cannot look into the source are told.
fn world(part: &Part, work: &Path) -> Result<PathBuf> {
    let wit = work.join("wit");
    let deps = wit.join("deps/cosell-mapping");
    std::fs::create_dir_all(&deps)?;
    for (path, text) in shipped::SDK {
        if let Some(name) = path.strip_prefix("wit/") {
            std::fs::write(deps.join(name), text)?;
        }
    }
    let mut text = String::from(
        "package author:built;\n\nworld built {\n  include cosell:mapping/base-plugin@1.0.0;\n",
    );
    for hook in &part.hooks {
        let known = hook == "examples" || cosell_plugins::Hook::parse(hook).is_some();
        ensure!(
            known,
            "\"{hook}\" is no hook; there are {}, and examples",
            cosell_plugins::Hook::ALL
                .map(cosell_plugins::Hook::as_str)
                .join(", ")
        );
        let world = if hook == "examples" { "exampled" } else { hook };
        text.push_str(&format!("  include cosell:mapping/{world}-plugin@1.0.0;\n"));
    }
    text.push_str("}\n");
    std::fs::write(wit.join("world.wit"), text)?;
    Ok(wit)
}

fn javascript(project: &Project, part: &Part) -> Result<Vec<u8>> {
    let library = "node_modules/@bytecodealliance/componentize-js/package.json";
    ensure!(
        project.dir.join(library).is_file(),
        "componentize-js is not installed in {dir}; type: npm install --prefix {dir}",
        dir = project.dir.display()
    );
    let work = tempfile::tempdir()?;
    let wit = world(part, work.path())?;
    let out = work.path().join("component.wasm");
    let source = project.dir.join(&part.source);
    run(
        Command::new("node")
            .args(["--input-type=module", "--eval", COMPONENTIZE_JS, "--"])
            .arg(staged(&source, part, work.path())?)
            .arg(&wit)
            .arg(&out)
            .current_dir(&project.dir),
        "componentize-js",
    )?;
    std::fs::read(&out).context("componentize-js left no component")
}

/// The mapping's folder beside the kit and the module that joins them: the toolchain sees one folder and nothing around it.
fn staged(source: &Path, part: &Part, work: &Path) -> Result<PathBuf> {
    ensure!(source.is_file(), "{} is not there", source.display());
    let stage = work.join("source");
    copy_modules(source.parent().unwrap_or(Path::new(".")), &stage)?;
    let names: Vec<String> = std::iter::once("plugin")
        .chain(part.hooks.iter().map(String::as_str))
        .map(camel)
        .collect();
    let entry = format!(
        "import {{ guarded }} from \"./cosell-kit.js\";\n\
         import * as mapping from \"./{}\";\n\
         export const {{ {} }} = guarded(mapping);\n",
        source.file_name().unwrap_or_default().display(),
        names.join(", ")
    );
    std::fs::write(stage.join("cosell-kit.js"), KIT_JS)?;
    let place = stage.join("cosell-entry.js");
    std::fs::write(&place, entry)?;
    Ok(place)
}

fn copy_modules(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in
        std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?
    {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        let is_module = path
            .extension()
            .is_some_and(|ending| ["js", "mjs", "json"].iter().any(|known| ending == *known));
        if path.is_dir() && !["node_modules", "dist"].iter().any(|not| name == *not) {
            copy_modules(&path, &to.join(name))?;
        } else if is_module {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

fn python(project: &Project, part: &Part) -> Result<Vec<u8>> {
    let own = ["bin", "Scripts"].map(|folder| project.dir.join(".venv").join(folder));
    let own = own
        .into_iter()
        .map(|folder| folder.join("componentize-py"))
        .find(|program| program.is_file());
    let program = match own {
        Some(program) => std::path::absolute(program)?.into_os_string(),
        None => OsString::from("componentize-py"),
    };
    let is_there = Command::new(&program)
        .arg("--version")
        .output()
        .is_ok_and(|said| said.status.success());
    ensure!(
        is_there,
        "componentize-py is not installed; type: python3 -m venv {dir}/.venv && {dir}/.venv/bin/pip install --requirement {dir}/requirements.txt",
        dir = project.dir.display()
    );
    let work = tempfile::tempdir()?;
    let wit = world(part, work.path())?;
    let out = work.path().join("component.wasm");
    run(
        Command::new(&program)
            .arg("--quiet")
            .arg("--wit-path")
            .arg(&wit)
            .args([
                "--world",
                "built",
                "componentize",
                "--stub-wasi",
                "--python-path",
                ".",
                "--output",
            ])
            .arg(&out)
            .arg(&part.source)
            // Else it looks for the packages of whatever environment the shell is in.
            .env_remove("VIRTUAL_ENV")
            .env("PYTHONHASHSEED", "0")
            .current_dir(&project.dir),
        "componentize-py",
    )?;
    std::fs::read(&out).context("componentize-py left no component")
}

/// What a toolchain says when it fails is the author's to read.
fn run(command: &mut Command, name: &str) -> Result<()> {
    let done = command.stdin(Stdio::null()).output().with_context(|| {
        format!(
            "{name} cannot be started: is {} installed?",
            command.get_program().display()
        )
    })?;
    if done.status.success() {
        return Ok(());
    }
    let mut said = String::from_utf8_lossy(&done.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&done.stderr));
    bail!("{name} did not build it:\n{}", said.trim_end())
}
