//! What can be told about a file without running or compiling it: is it a component, what does it import and export, is it too big.

use wasmparser::{Encoding, FunctionBody, Parser, Payload};

use crate::inert::{self, Wasi, package_of};
use crate::limits::{FUNCTION_WEIGHT_MAX, FUNCTIONS_MAX, NESTING_MAX};
use crate::plugin::Hook;
use crate::rejection::{Phase, Rejection, RejectionKind};

/// The contract that this host speaks.
pub(crate) const PACKAGE: &str = "cosell:mapping";
/// Its version, as bindings and linker name it.
pub(crate) const VERSION: &str = "1.0.0";

/// Names of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) has_examples: bool,
    /// It runs what a text says, and serves nobody without one.
    pub(crate) is_engine: bool,
    /// Things worth telling that stop nothing.
    pub(crate) notes: Vec<String>,
}

impl Outline {
    pub(crate) fn asks_for_a_system(&self) -> bool {
        self.imports.iter().any(|name| package_of(name).is_some())
    }
}

/// Reads names and sizes; refuses what is no plugin for this host, with what its operator lets it have of a system.
pub(crate) fn prescan(bytes: &[u8], wasi: Wasi) -> Result<Outline, Rejection> {
    let mut outline = names(bytes)?;
    for import in &outline.imports {
        allowed(import, wasi)?;
    }
    sort_exports(&mut outline)?;
    Ok(outline)
}

/// Reads names and sizes, and judges neither imports nor exports.
pub(crate) fn names(bytes: &[u8]) -> Result<Outline, Rejection> {
    is_a_component(bytes)?;
    names_and_sizes(bytes)
}

fn is_a_component(bytes: &[u8]) -> Result<(), Rejection> {
    let no = |message: &str, hint: &str| {
        Err(Rejection::new(Phase::Scan, RejectionKind::NotAComponent, message).with_hint(hint))
    };
    if bytes.is_empty() {
        return no(
            "the file is empty",
            "copy it again, best under another name and then rename it",
        );
    }
    if bytes.starts_with(b"\x7fELF") {
        return no(
            "this is compiled machine code (.cwasm or a program), not a component",
            "drop the .wasm component itself; the host compiles it and keeps the result privately",
        );
    }
    if !bytes.starts_with(b"\0asm") {
        let start = bytes
            .iter()
            .position(|byte| !byte.is_ascii_whitespace())
            .unwrap_or(0);
        return if bytes[start..].starts_with(b"(") || bytes[start..].starts_with(b";;") {
            no(
                "this is WebAssembly text, not a binary component",
                "translate it first: wasm-tools parse FILE -o plugin.wasm",
            )
        } else {
            no(
                "this is not WebAssembly",
                if is_text(bytes) {
                    "it is text: a script is a plugin when its name ends in .js, a mapping table when it ends in .table.toml; TypeScript is compiled to JavaScript first, and what has modules becomes a component: `cosell plugin build`"
                } else {
                    "a plugin is a component, as `wasm-tools component new` or `jco componentize` makes it"
                },
            )
        };
    }
    // Component binaries carry layer 1 in the upper half of the version field.
    if bytes.get(6..8) == Some(&[0, 0]) {
        return no(
            "this is a core module, not a component",
            "wrap it: wasm-tools component new FILE -o plugin.wasm (`cargo install wasm-tools` installs that)",
        );
    }
    Ok(())
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

fn names_and_sizes(bytes: &[u8]) -> Result<Outline, Rejection> {
    let mut outline = Outline::default();
    let (mut depth, mut functions) = (0_u32, 0_u32);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                return Err(Rejection::new(
                    Phase::Scan,
                    RejectionKind::NotAComponent,
                    "this is a core module, not a component",
                ));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                if depth > NESTING_MAX {
                    return Err(too_big(format!(
                        "components are nested deeper than {NESTING_MAX} levels"
                    )));
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    outline
                        .imports
                        .push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    outline
                        .exports
                        .push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::CodeSectionStart { count, .. } => {
                functions = functions.saturating_add(count);
                if functions > FUNCTIONS_MAX {
                    return Err(too_big(format!(
                        "it has {functions} functions, more than {FUNCTIONS_MAX}"
                    )));
                }
            }
            Payload::CodeSectionEntry(body) => bearable(&body)?,
            _ => {}
        }
    }
    Ok(outline)
}

/// A compiler spends time by locals times code; such a function would hold it for minutes.
fn bearable(body: &FunctionBody<'_>) -> Result<(), Rejection> {
    let mut locals = 1_u64;
    for group in body.get_locals_reader().map_err(malformed)? {
        locals += u64::from(group.map_err(malformed)?.0);
    }
    let bytes = body.as_bytes().len() as u64;
    if locals.saturating_mul(bytes) > FUNCTION_WEIGHT_MAX {
        return Err(too_big(format!(
            "one function has {locals} locals and {bytes} bytes of code, more than can be compiled in reasonable time"
        )));
    }
    Ok(())
}

fn too_big(message: String) -> Rejection {
    Rejection::new(Phase::Scan, RejectionKind::TooBig, message)
        .with_hint("build it with optimisation for size, and split the largest function")
}

#[allow(clippy::needless_pass_by_value, reason = "shape of map_err")]
fn malformed(error: wasmparser::BinaryReaderError) -> Rejection {
    Rejection::new(
        Phase::Scan,
        RejectionKind::NotAComponent,
        "the file is damaged or only half copied",
    )
    .because([error.to_string()])
    .with_hint("copy it again, best under another name and then rename it")
}

/// `cosell:mapping/log@1.0.0` in parts.
struct Interface<'a> {
    package: &'a str,
    name: &'a str,
    /// Major and minor.
    version: Option<(u64, u64)>,
}

/// None: not an interface's name.
fn interface(text: &str) -> Option<Interface<'_>> {
    let (path, version) = match text.split_once('@') {
        Some((path, version)) => (path, Some(version)),
        None => (text, None),
    };
    let (package, name) = path.split_once('/')?;
    let version = version.and_then(|version| {
        let mut parts = version.split(['.', '-', '+']);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    });
    Some(Interface {
        package,
        name,
        version,
    })
}

/// Whether a component that imports this may come in; else why it may not.
pub(crate) fn allowed(import: &str, wasi: Wasi) -> Result<(), Rejection> {
    let refused = |message: String, hint: &str| {
        Err(Rejection::new(Phase::Imports, RejectionKind::Import, message).with_hint(hint))
    };
    match interface(import) {
        Some(Interface {
            package: PACKAGE,
            name: "log" | "types",
            version: Some((1, 0)),
        }) => Ok(()),
        Some(Interface {
            package: PACKAGE,
            name: "log" | "types",
            version,
        }) => refused(
            format!("imports `{import}`, and this host offers {PACKAGE} {VERSION}"),
            if version.is_some_and(|version| version > (1, 0)) {
                "update the host, or build the plugin with a guest SDK 1.0"
            } else {
                "build the plugin with a guest SDK 1.0"
            },
        ),
        Some(Interface {
            package: PACKAGE, ..
        }) => refused(
            format!(
                "imports `{import}`, which a host does not offer: hooks are exported, and the only import is `{PACKAGE}/log`"
            ),
            "export the interface instead of importing it: look at the `world` of the plugin",
        ),
        Some(Interface {
            package,
            name,
            version,
        }) if package.starts_with("wasi:") => match (inert::is_answered(package, name), version) {
            (true, Some(inert::VERSION)) if wasi == Wasi::Inert => Ok(()),
            (true, Some(inert::VERSION)) => refused(
                format!(
                    "imports `{import}`: plugins get no system interfaces, neither files nor clocks nor network"
                ),
                &format!(
                    "{WITHOUT_WASI}. Where a toolchain cannot do without, the operator may write wasi = \"inert\" into the operator file beside it: that gives {}",
                    inert::GIVES
                ),
            ),
            _ => refused(
                format!(
                    "imports `{import}`: plugins get no system interfaces, and inert WASI (wasi = \"inert\" in the operator file) answers for none but those of WASI 0.2 to the command line, clocks, files, streams, chance and sockets"
                ),
                WITHOUT_WASI,
            ),
        },
        _ => refused(
            format!(
                "imports `{import}`, and the only import that a plugin gets is `{PACKAGE}/log@{VERSION}`"
            ),
            "remove what needs it; rows come by declared joins or by `ask`",
        ),
    }
}

const WITHOUT_WASI: &str = "build without WASI: Rust for wasm32-unknown-unknown, JavaScript with every ComponentizeJS feature disabled, Python with \
     `componentize-py --stub-wasi`";

fn sort_exports(outline: &mut Outline) -> Result<(), Rejection> {
    let (mut other_major, mut unknown) = (None, None);
    let mut has_plugin = false;
    for export in &outline.exports {
        let Some(Interface {
            package: PACKAGE,
            name,
            version,
        }) = interface(export)
        else {
            continue;
        };
        match (Hook::parse(name), name, version) {
            (_, _, Some((major, _))) if major != 1 => other_major = Some(export.clone()),
            (Some(hook), ..) => outline.hooks.push(hook),
            (None, "plugin", _) => has_plugin = true,
            (None, "examples", _) => outline.has_examples = true,
            (None, "source", _) => outline.is_engine = true,
            (None, "types" | "log", _) => {}
            (None, ..) => {
                outline
                    .notes
                    .push(format!("exports `{export}`, which this host does not know and never asks: update the host to use it"));
                unknown = Some(export.clone());
            }
        }
    }
    outline.hooks.sort_unstable();
    outline.hooks.dedup();
    let refused = |message: String, hint: &str| {
        Err(Rejection::new(Phase::Exports, RejectionKind::Export, message).with_hint(hint))
    };
    match other_major {
        Some(export) if outline.hooks.is_empty() => refused(
            format!("exports `{export}`, and this host speaks {PACKAGE} {VERSION}"),
            "update the host, or build the plugin with a guest SDK 1.0",
        ),
        // Of a newer contract of the same generation, which this host cannot know.
        _ if outline.hooks.is_empty() && unknown.is_some() => refused(
            format!(
                "exports `{}` and no hook that this host knows, which speaks {PACKAGE} {VERSION}",
                unknown.unwrap_or_default()
            ),
            "update the host",
        ),
        _ if outline.hooks.is_empty() => {
            let known: Vec<_> = Hook::ALL.iter().map(|hook| hook.as_str()).collect();
            refused(
                format!("exports no hook; known hooks are {}", known.join(", ")),
                "export at least one of them besides `plugin`",
            )
        }
        _ if !has_plugin => refused(
            format!(
                "does not export `{PACKAGE}/plugin@{VERSION}`: nobody can tell who it is and what it needs"
            ),
            "include `base-plugin` in the world of the plugin",
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        let rejection = prescan(bytes, Wasi::None).unwrap_err();
        format!("{:?}: {}", rejection.kind, rejection.message)
    }

    #[test]
    fn what_is_no_component_is_named() {
        assert_eq!(refusal(b""), "NotAComponent: the file is empty");
        assert_eq!(refusal(b"hello"), "NotAComponent: this is not WebAssembly");
        assert_eq!(
            refusal(b"  (component)"),
            "NotAComponent: this is WebAssembly text, not a binary component"
        );
        assert_eq!(
            refusal(b"\x7fELF\x02\x01"),
            "NotAComponent: this is compiled machine code (.cwasm or a program), not a component"
        );
        assert_eq!(
            refusal(b"\0asm\x01\0\0\0"),
            "NotAComponent: this is a core module, not a component"
        );
        assert_eq!(
            refusal(b"\0asm\x0d\0\x01\0\x07"),
            "NotAComponent: the file is damaged or only half copied"
        );
    }

    #[test]
    fn an_empty_component_exports_no_hook() {
        assert_eq!(
            refusal(b"\0asm\x0d\0\x01\0"),
            "Export: exports no hook; known hooks are should-sync, opportunity, lead, country, status, account, contact, decorate"
        );
    }

    #[test]
    fn only_our_own_log_may_be_imported() {
        assert!(allowed("cosell:mapping/log@1.0.0", Wasi::None).is_ok());
        assert!(allowed("cosell:mapping/types@1.0.3", Wasi::None).is_ok());
        for (import, words) in [
            ("cosell:mapping/log@2.0.0", "offers cosell:mapping 1.0.0"),
            ("cosell:mapping/log@1.1.0", "offers cosell:mapping 1.0.0"),
            ("cosell:mapping/crm@1.0.0", "the only import is"),
            ("wasi:clocks/wall-clock@0.2.6", "no system interfaces"),
            (
                "acme:lookup/rates@1.0.0",
                "the only import that a plugin gets",
            ),
            ("run", "the only import that a plugin gets"),
        ] {
            let rejection = allowed(import, Wasi::None).unwrap_err();
            assert!(
                rejection.message.contains(words),
                "{import}: {}",
                rejection.message
            );
            assert!(rejection.message.contains(import), "{}", rejection.message);
        }
    }
    #[test]
    fn an_operator_lets_in_what_inert_wasi_answers_and_nothing_more() {
        for import in [
            "wasi:cli/environment@0.2.0",
            "wasi:io/streams@0.2.6",
            "wasi:sockets/tcp@0.2.99",
            "cosell:mapping/log@1.0.0",
        ] {
            assert!(allowed(import, Wasi::Inert).is_ok(), "{import}");
        }
        for import in [
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:cli/run@0.2.0",
            "wasi:clocks/wall-clock@0.3.0",
            "wasi:clocks/wall-clock",
            "acme:lookup/rates@1.0.0",
        ] {
            let rejection = allowed(import, Wasi::Inert).unwrap_err();
            assert!(rejection.message.contains(import), "{}", rejection.message);
        }
        let hint = allowed("wasi:random/random@0.2.0", Wasi::None)
            .unwrap_err()
            .hint;
        assert!(hint.is_some_and(|hint| hint.contains("wasi = \"inert\"")));
    }
}
