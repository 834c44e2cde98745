//! How bytes become a plugin: scan, compile, link, ask who it is, settle its settings, ask what it needs, run its examples.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use wasmtime::component::InstancePre;

use crate::bindings::cosell::mapping::types as wit;
use crate::bindings::exports::cosell::mapping as hooks;
use crate::compile::compile;
use crate::convert::{heard, is_label};
use crate::declared::Declared;
use crate::engine::Engine;
use crate::examples;
use crate::health::Health;
use crate::inert::{self, BEFORE_ANY_QUESTION, Wasi};
use crate::instance::{GuestState, Instance, Places, Source};
use crate::limits::{FILE_BYTES_MAX, Limits};
use crate::offer::{Offer, engine_file, operator_file};
use crate::operator::Operator;
use crate::pace::Pace;
use crate::plugin::{Guest, Hook, Plugin};
use crate::prescan::{Outline, PACKAGE, VERSION, prescan};
use crate::rejection::{Phase, Rejection, RejectionKind};
use crate::settings;
use crate::stamp;
use crate::stop::{FaultKind, PluginFault, Speaker, short_hash};
use crate::twice::same_twice;

/// A plugin that passed, and what passing cost.
pub(crate) struct Loaded {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) manifest: wit::PluginManifest,
    pub(crate) outline: Outline,
    pub(crate) compile: Duration,
    pub(crate) from_cache: bool,
    pub(crate) examples: usize,
}

/// Loads what a file offers. The rejection carries all that is known by then.
pub(crate) fn load(
    engine: &Engine,
    offer: &Offer,
    operator: &Operator,
) -> Result<Loaded, Rejection> {
    let hash = hex::encode(offer.digest());
    let mut known = Known { plugin: None };
    known
        .load(engine, offer, &hash, operator)
        .map_err(|rejection| Rejection {
            file: offer.file.clone(),
            plugin: known.plugin,
            hash: Some(hash),
            ..rejection
        })
}

/// What is known about a plugin while it is being loaded.
struct Known {
    plugin: Option<String>,
}

impl Known {
    fn load(
        &mut self,
        engine: &Engine,
        offer: &Offer,
        hash: &str,
        operator: &Operator,
    ) -> Result<Loaded, Rejection> {
        let file = offer.file.as_str();
        let Linked {
            guest,
            outline,
            took,
            from_cache,
        } = link(engine, offer, operator)?;
        let manifest = manifest(&guest)?;
        self.plugin = Some(manifest.id.clone());
        if offer.text.is_none() {
            stamp::agrees(&offer.wasm, &manifest)?;
        }
        let settings =
            settings::settle(&manifest.settings, &operator.settings).map_err(|mistakes| {
                Rejection::new(
                    Phase::Settings,
                    RejectionKind::Settings,
                    "its settings are not right",
                )
                .because(mistakes)
                .with_hint(format!(
                    "settings stand in {} under [settings]",
                    operator_file(file)
                ))
            })?;
        let declared = describe(&guest, &settings)?;
        let plugin = Plugin {
            speaker: Speaker {
                plugin: manifest.id.clone(),
                version: manifest.version.clone(),
                hash: short_hash(hash).to_owned(),
            },
            file: file.to_owned(),
            sha256: hash.to_owned(),
            summary: manifest.summary.clone(),
            hooks: outline.hooks.clone(),
            settings,
            operator: operator.text.clone(),
            imports: outline.imports.clone(),
            wasi: operator.wasi,
            declared,
            guest,
            health: Health::default(),
            pace: Pace::default(),
            chatter: Mutex::default(),
        };
        let examples = if outline.has_examples {
            examples::run(&plugin, &manifest)?
        } else {
            0
        };
        same_twice(&plugin)?;
        Ok(Loaded {
            plugin: Arc::new(plugin),
            manifest,
            outline,
            compile: took,
            from_cache,
            examples,
        })
    }
}

/// A guest whose names and types are those of the contract.
struct Linked {
    guest: Guest,
    outline: Outline,
    took: Duration,
    from_cache: bool,
}

fn link(engine: &Engine, offer: &Offer, operator: &Operator) -> Result<Linked, Rejection> {
    if offer.wasm.len() as u64 > FILE_BYTES_MAX {
        return Err(too_big());
    }
    let wasi = inert::given_to(&offer.file, operator.wasi)?;
    let mut outline = prescan(&offer.wasm, wasi).map_err(|why| offer.blame(why))?;
    is_run_by_an_engine(offer, &outline)?;
    let compiled = compile(engine, offer).map_err(|why| offer.blame(why))?;
    let limits = operator.limits(engine.limits());
    let component = &compiled.component;
    // Whoever asks for no system meets none.
    let linked = if outline.asks_for_a_system() {
        inert::linker(engine.linker(), component)
            .and_then(|linker| linker.instantiate_pre(component))
    } else {
        engine.linker().instantiate_pre(component)
    };
    let pre = linked.map_err(|error| offer.blame(incompatible(&error)))?;
    let source = source(engine, offer, &pre, &limits, &mut outline)?;
    let places = places(&pre, &outline).map_err(|why| offer.blame(why))?;
    let guest = Guest::new(engine.clone(), pre, places, limits, source);
    compare_types(&guest, &outline)?;
    Ok(Linked {
        guest,
        outline,
        took: compiled.took,
        from_cache: compiled.from_cache,
    })
}

/// Who it is, whatever its settings and its operator: for whoever builds it.
pub(crate) fn manifest_of(
    engine: &Engine,
    offer: &Offer,
) -> Result<wit::PluginManifest, Rejection> {
    let operator = Operator {
        wasi: match offer.text {
            Some(_) => Wasi::None,
            None => Wasi::Inert,
        },
        ..Operator::default()
    };
    manifest(&link(engine, offer, &operator)?.guest)
}

/// An engine without a text serves nobody, and another component cannot run one.
fn is_run_by_an_engine(offer: &Offer, outline: &Outline) -> Result<(), Rejection> {
    let refused = |message: String, hint: &str| {
        Err(Rejection::new(Phase::Exports, RejectionKind::Export, message).with_hint(hint))
    };
    match (engine_file(&offer.file), outline.is_engine) {
        (None, true) => refused(
            format!(
                "exports `{PACKAGE}/source`: it is an engine, which runs scripts or tables and is no mapping itself"
            ),
            "leave it its name, NAME.engine.wasm, and drop what it is to run beside it",
        ),
        (Some(engine), false) => refused(
            format!("{engine} is no engine: it does not export `{PACKAGE}/source`"),
            "copy the engine that belongs to this host over it",
        ),
        _ => Ok(()),
    }
}

/// Hands an engine its text for the first time: the outline is then what the text serves.
fn source(
    engine: &Engine,
    offer: &Offer,
    pre: &InstancePre<GuestState>,
    limits: &Limits,
    outline: &mut Outline,
) -> Result<Option<Arc<Source>>, Rejection> {
    let Some(text) = &offer.text else {
        return Ok(None);
    };
    let source = Source {
        place: hooks::source::GuestIndices::new(pre)
            .map_err(|error| offer.blame(incompatible(&error)))?,
        file: offer.file.clone(),
        text: text.clone(),
    };
    let _passing = engine.pass_time();
    let served = Instance::start_empty(pre, limits)
        .and_then(|mut instance| instance.take(&source, limits.start()))
        .map_err(|fault| rejected(Phase::Scan, "it cannot be read to its end", fault))?
        .map_err(|mistakes| {
            Rejection::new(Phase::Scan, RejectionKind::Source, "it has mistakes")
                .because(mistakes)
                .with_hint("mend each of them and save the file: it is read again by itself; what may stand in it is in examples/script and examples/table")
        })?;
    outline.hooks = served.iter().filter_map(|name| Hook::parse(name)).collect();
    outline.hooks.sort_unstable();
    outline.hooks.dedup();
    outline.has_examples = served.iter().any(|name| name == "examples");
    if outline.hooks.is_empty() {
        return Err(Rejection::new(
            Phase::Exports,
            RejectionKind::Export,
            "serves no hook",
        ));
    }
    Ok(Some(Arc::new(source)))
}

pub(crate) fn too_big() -> Rejection {
    Rejection::new(
        Phase::Read,
        RejectionKind::TooBig,
        format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20),
    )
    .with_hint("strip debug information; even a Python plugin needs only 18 MB")
}

pub(crate) fn causes(error: &wasmtime::Error) -> Vec<String> {
    error.chain().map(|cause| cause.to_string()).collect()
}

fn incompatible(error: &wasmtime::Error) -> Rejection {
    let causes = causes(error);
    if causes.iter().any(|cause| cause.contains("`wasi:")) {
        return Rejection::new(
            Phase::Link,
            RejectionKind::Incompatible,
            "what it imports of a system does not have the types of WASI 0.2",
        )
        .because(causes)
        .with_hint(
            "build it with a toolchain whose WASI was released (0.2.0 or later), or without WASI",
        );
    }
    Rejection::new(
        Phase::Link,
        RejectionKind::Incompatible,
        format!("its types are not those of {PACKAGE} {VERSION}"),
    )
    .because(causes)
    .with_hint("build it against the contract of this host (guest SDK 1.0); a released type never changes within 1.x")
}

pub(crate) fn places(
    pre: &InstancePre<GuestState>,
    outline: &Outline,
) -> Result<Places, Rejection> {
    let has = |hook: Hook| outline.hooks.contains(&hook);
    let find = || -> wasmtime::Result<Places> {
        Ok(Places {
            plugin: hooks::plugin::GuestIndices::new(pre)?,
            examples: outline
                .has_examples
                .then(|| hooks::examples::GuestIndices::new(pre))
                .transpose()?,
            should_sync: has(Hook::ShouldSync)
                .then(|| hooks::should_sync::GuestIndices::new(pre))
                .transpose()?,
            opportunity: has(Hook::Opportunity)
                .then(|| hooks::opportunity::GuestIndices::new(pre))
                .transpose()?,
            lead: has(Hook::Lead)
                .then(|| hooks::lead::GuestIndices::new(pre))
                .transpose()?,
            country: has(Hook::Country)
                .then(|| hooks::country::GuestIndices::new(pre))
                .transpose()?,
            status: has(Hook::Status)
                .then(|| hooks::status::GuestIndices::new(pre))
                .transpose()?,
            account: has(Hook::Account)
                .then(|| hooks::account::GuestIndices::new(pre))
                .transpose()?,
            contact: has(Hook::Contact)
                .then(|| hooks::contact::GuestIndices::new(pre))
                .transpose()?,
            decorate: has(Hook::Decorate)
                .then(|| hooks::decorate::GuestIndices::new(pre))
                .transpose()?,
        })
    };
    find().map_err(|error| incompatible(&error))
}

/// Only loading a function compares its types, and only its message says what differs.
fn compare_types(guest: &Guest, outline: &Outline) -> Result<(), Rejection> {
    let mut difference = None;
    let compared = guest.call_fresh(
        guest.limits.start(),
        BEFORE_ANY_QUESTION,
        |instance, places| {
            difference = differing(instance, places, outline);
            Ok(())
        },
    );
    compared.map_err(|fault| rejected(Phase::Link, "does not come up", fault))?;
    match difference {
        Some((interface, error)) => {
            let mut rejection = incompatible(&error);
            rejection
                .causes
                .insert(0, format!("in `{PACKAGE}/{interface}`"));
            Err(rejection)
        }
        None => Ok(()),
    }
}

/// The first interface that is not ours, and how.
fn differing(
    instance: &mut Instance,
    places: &Places,
    outline: &Outline,
) -> Option<(&'static str, wasmtime::Error)> {
    if let Err(error) = instance.plugin(places) {
        return Some(("plugin", error));
    }
    if outline.has_examples
        && let Err(error) = instance.examples(places)
    {
        return Some(("examples", error));
    }
    outline.hooks.iter().find_map(|hook| {
        let error = match hook {
            Hook::ShouldSync => instance.should_sync(places).err(),
            Hook::Opportunity => instance.opportunity(places).err(),
            Hook::Lead => instance.lead(places).err(),
            Hook::Country => instance.country(places).err(),
            Hook::Status => instance.status(places).err(),
            Hook::Account => instance.account(places).err(),
            Hook::Contact => instance.contact(places).err(),
            Hook::Decorate => instance.decorate(places).err(),
        };
        Some((hook.as_str(), error?))
    })
}

fn manifest(guest: &Guest) -> Result<wit::PluginManifest, Rejection> {
    let ask = || {
        guest
            .call_fresh(
                guest.limits.start(),
                BEFORE_ANY_QUESTION,
                |instance, places| {
                    let (plugin, store) = instance.plugin(places)?;
                    plugin.call_manifest(store)
                },
            )
            .map_err(|fault| rejected(Phase::Manifest, "cannot say who it is", fault))
    };
    let manifest = ask()?;
    let mut mistakes = settings::mistakes_of(&manifest.settings);
    if !is_label(&manifest.id) {
        mistakes.insert(
            0,
            format!("the id {:?} is not [a-z0-9-]{{1,64}}", manifest.id),
        );
    }
    if !is_version(&manifest.version) {
        mistakes.push(format!(
            "the version {:?} is not semver, 1.2.3",
            manifest.version
        ));
    }
    if manifest != ask()? {
        mistakes.push("the manifest is another one each time; it has to be constant".to_owned());
    }
    if mistakes.is_empty() {
        return Ok(manifest);
    }
    Err(Rejection::new(
        Phase::Manifest,
        RejectionKind::Output,
        "its manifest is not right",
    )
    .because(mistakes)
    .with_hint("mend what `manifest` answers; the contract (wit/types.wit, plugin-manifest) says what each field holds"))
}

fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<_> = core.split('.').collect();
    text.len() <= 64
        && numbers.len() == 3
        && numbers
            .iter()
            .all(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
        && text
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'-' | b'+'))
}

/// What the plugin needs under these settings.
pub(crate) fn describe(guest: &Guest, settings: &[wit::Setting]) -> Result<Declared, Rejection> {
    let answer = guest
        .call_fresh(
            guest.limits.start(),
            BEFORE_ANY_QUESTION,
            |instance, places| {
                let (plugin, store) = instance.plugin(places)?;
                plugin.call_describe(store, settings)
            },
        )
        .map_err(|fault| rejected(Phase::Describe, "cannot say what it needs", fault))?;
    let needs = answer.map_err(|reasons| {
        let words = reasons
            .iter()
            .map(heard::reason)
            .map(|reason| match reason.hint {
                Some(hint) => format!("{} ({hint})", reason.message),
                None => reason.message,
            });
        Rejection::new(
            Phase::Describe,
            RejectionKind::Settings,
            "it does not accept these settings",
        )
        .because(words)
    })?;
    Declared::read(&needs).map_err(|mistakes| {
        Rejection::new(
            Phase::Describe,
            RejectionKind::Output,
            "what it says that it needs is not right",
        )
        .because(mistakes)
    })
}

/// A fault while loading.
pub(crate) fn rejected(phase: Phase, what: &str, fault: PluginFault) -> Rejection {
    let kind = match fault.kind {
        FaultKind::Timeout => RejectionKind::Timeout,
        FaultKind::Memory => RejectionKind::Memory,
        FaultKind::Output | FaultKind::Fault | FaultKind::Host => RejectionKind::Output,
        FaultKind::Trap | FaultKind::Panic => RejectionKind::Trap,
    };
    let trace = fault
        .trace
        .into_iter()
        .map(|trace| format!("it logged: {trace}"));
    let frames = fault.frames.into_iter().map(|frame| format!("in {frame}"));
    Rejection::new(phase, kind, what)
        .because(std::iter::once(fault.message).chain(trace).chain(frames))
        .with_hint(hint_of(fault.kind))
}

fn hint_of(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Timeout => {
            "find what loops, or what is worked out anew at every start; the limit that is named stands under [limits] in its operator file"
        }
        FaultKind::Memory => {
            "let it keep less; a guest that needs more gets it with `memory_mb` under [limits] in its operator file"
        }
        FaultKind::Trap | FaultKind::Panic => {
            "mend it and build it with names (not stripped), so that the frames say where; what it logs before it fails stands here as well"
        }
        FaultKind::Output | FaultKind::Fault => {
            "mend it: what is told here is what it said itself, or what the contract does not allow"
        }
        FaultKind::Host => "try again; if it stays, report it with the file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semver() {
        for good in ["0.1.0", "1.2.3", "1.0.0-rc.1+build5"] {
            assert!(is_version(good), "{good}");
        }
        for bad in ["", "1", "1.2", "1.2.x", "v1.2.3", "1.2.3 "] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}
