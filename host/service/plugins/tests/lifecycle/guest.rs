//! Components made on the spot: the contract's types, static answers, and every way to misbehave. No compiler is needed, so these tests
//! stand alone.

mod lower;

use std::path::Path;

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, ImportSection, MemorySection, MemoryType, Module,
    NameMap, NameSection, TypeSection, ValType,
};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function as WitFunction, Resolve, WorldId, WorldItem};

use lower::Memory;
pub(crate) use lower::Val;

/// 20 MiB: room for a thousand calls of a guest that never frees.
const PAGES: u64 = 320;
const PAGE: u64 = 65_536;
/// The global that remembers whether this instance was asked before; the first one is the end of the heap.
const ASKED: u32 = 1;

/// What an exported function does.
#[derive(Clone)]
pub(crate) enum Does {
    Says(Val),
    Loops,
    Panics,
    EatsMemory,
    Recurses,
    /// Calls the first function that it imports, which takes nothing and answers a number.
    CallsTheFirstImport,
    /// An instance answers the first time, and panics when it is asked again.
    SaysOnce(Val),
    /// Logs this so often, then panics.
    LogsAndPanics(&'static str, i32),
    /// Logs this so often, then says that.
    LogsAndSays(&'static str, i32, Val),
}

/// A guest in the making.
pub(crate) struct Guest {
    world: String,
    packages: Vec<(String, String)>,
    /// Another version of the contract than ours, with ours under its number.
    version: Option<String>,
    does: Vec<(String, Does)>,
    otherwise: Does,
}

impl Guest {
    /// Serves these hooks; every function that is not told otherwise panics.
    pub(crate) fn of(hooks: &[&str]) -> Self {
        let includes: String = hooks
            .iter()
            .map(|hook| format!("include cosell:mapping/{hook}-plugin@1.0.0;\n"))
            .collect();
        Self::of_world(&format!(
            "include cosell:mapping/base-plugin@1.0.0;\n{includes}"
        ))
    }

    pub(crate) fn of_world(world: &str) -> Self {
        Self {
            world: world.to_owned(),
            packages: Vec::new(),
            version: None,
            does: Vec::new(),
            otherwise: Does::Panics,
        }
    }

    /// One more WIT package that the world may name.
    pub(crate) fn package(mut self, name: &str, text: &str) -> Self {
        self.packages.push((name.to_owned(), text.to_owned()));
        self
    }

    /// `plugin.manifest` with this id, no settings; needs nothing.
    /// Built against this version of the contract.
    pub(crate) fn of_contract(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    pub(crate) fn named(self, id: &str) -> Self {
        self.with("plugin#manifest", Does::Says(manifest(id, "1.0.0", vec![])))
            .with("plugin#describe", Does::Says(Val::ok(Val::list([]))))
    }

    pub(crate) fn needs(self, needs: impl IntoIterator<Item = Val>) -> Self {
        self.with("plugin#describe", Does::Says(Val::ok(Val::list(needs))))
    }

    /// `opportunity#to-row` or, with a package, `acme:x/y#z`.
    pub(crate) fn with(mut self, function: &str, does: Does) -> Self {
        self.does.retain(|(known, _)| known != function);
        self.does.push((function.to_owned(), does));
        self
    }

    pub(crate) fn says(self, function: &str, answer: Val) -> Self {
        self.with(function, Does::Says(answer))
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let (resolve, world) = self.resolve();
        let mut module = self.module(&resolve, world);
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .unwrap();
        ComponentEncoder::default()
            .module(&module)
            .unwrap()
            .validate(true)
            .encode()
            .unwrap()
    }

    /// The core module, before it is a component.
    pub(crate) fn build_module(&self) -> Vec<u8> {
        let (resolve, world) = self.resolve();
        self.module(&resolve, world)
    }

    fn resolve(&self) -> (Resolve, WorldId) {
        let mut resolve = Resolve::default();
        let brings_its_own = self
            .packages
            .iter()
            .any(|(_, text)| text.starts_with("package cosell:mapping"));
        if !brings_its_own {
            let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../wit");
            match &self.version {
                None => resolve.push_dir(contract).unwrap(),
                Some(version) => resolve
                    .push_dir(renumbered(&contract, version).path())
                    .unwrap(),
            };
        }
        for (name, text) in &self.packages {
            resolve.push_str(name, text).unwrap();
        }
        let text = format!("package test:guest;\nworld guest {{\n{}\n}}", self.world);
        let text = match &self.version {
            Some(version) => text.replace("@1.0.0", &format!("@{version}")),
            None => text,
        };
        let package = resolve.push_str("guest.wit", &text).unwrap();
        let world = resolve.select_world(&[package], Some("guest")).unwrap();
        (resolve, world)
    }

    fn does(&self, interface: &str, function: &str) -> &Does {
        let short = interface
            .strip_prefix("cosell:mapping/")
            .unwrap_or(interface);
        let short = short.split('@').next().unwrap();
        let name = format!("{short}#{function}");
        self.does
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(&self.otherwise, |(_, does)| does)
    }

    fn module(&self, resolve: &Resolve, world: WorldId) -> Vec<u8> {
        let mut core = Core::new();
        let logs = self
            .does
            .iter()
            .any(|(_, does)| matches!(does, Does::LogsAndPanics(..) | Does::LogsAndSays(..)));
        for (key, item) in &resolve.worlds[world].imports {
            let WorldItem::Interface { id, .. } = item else {
                continue;
            };
            let interface = resolve.name_world_key(key);
            let is_log = interface.starts_with("cosell:mapping/log");
            for function in resolve.interfaces[*id].functions.values() {
                if !is_log || logs {
                    core.import(resolve, &interface, function);
                }
            }
        }
        core.realloc();
        for (key, item) in &resolve.worlds[world].exports {
            let WorldItem::Interface { id, .. } = item else {
                continue;
            };
            let interface = resolve.name_world_key(key);
            for function in resolve.interfaces[*id].functions.values() {
                core.export(
                    resolve,
                    &interface,
                    function,
                    self.does(&interface, &function.name),
                );
            }
        }
        core.finish()
    }
}

/// The core module under construction.
struct Core {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    exports: ExportSection,
    code: CodeSection,
    names: NameMap,
    count: u32,
    memory: Memory,
}

impl Core {
    fn new() -> Self {
        Self {
            types: TypeSection::new(),
            imports: ImportSection::new(),
            functions: FunctionSection::new(),
            exports: ExportSection::new(),
            code: CodeSection::new(),
            names: NameMap::new(),
            count: 0,
            memory: Memory::new(1024),
        }
    }

    fn signature(
        &mut self,
        resolve: &Resolve,
        function: &WitFunction,
        variant: AbiVariant,
    ) -> usize {
        let signature = resolve.wasm_signature(variant, function);
        let flat = |types: &[WasmType]| types.iter().map(|ty| val_type(*ty)).collect::<Vec<_>>();
        self.types
            .ty()
            .function(flat(&signature.params), flat(&signature.results));
        signature.params.len()
    }

    fn import(&mut self, resolve: &Resolve, interface: &str, function: &WitFunction) {
        self.signature(resolve, function, AbiVariant::GuestImport);
        self.imports.import(
            interface,
            &function.name,
            EntityType::Function(self.types.len() - 1),
        );
        self.names.append(self.count, &function.name);
        self.count += 1;
    }

    /// A heap that only grows: static data first, then whatever the host brings.
    fn realloc(&mut self) {
        self.types.ty().function([ValType::I32; 4], [ValType::I32]);
        let mut body = Function::new([(1, ValType::I32)]);
        body.instructions()
            .global_get(0)
            .local_get(2)
            .i32_add()
            .i32_const(1)
            .i32_sub()
            .i32_const(0)
            .local_get(2)
            .i32_sub()
            .i32_and()
            .local_tee(4)
            .local_get(3)
            .i32_add()
            .global_set(0)
            .local_get(4)
            .end();
        self.define("cabi_realloc", &body);
    }

    fn export(&mut self, resolve: &Resolve, interface: &str, function: &WitFunction, does: &Does) {
        let params = self.signature(resolve, function, AbiVariant::GuestExport);
        let me = self.count;
        let mut body = Function::new([(1, ValType::I32)]);
        let counter = u32::try_from(params).unwrap();
        if let Does::LogsAndPanics(line, times) | Does::LogsAndSays(line, times, _) = does {
            let at = self.memory.text(line);
            body.instructions()
                .i32_const(*times)
                .local_set(counter)
                .loop_(wasm_encoder::BlockType::Empty)
                .i32_const(3)
                .i32_const(at)
                .i32_const(i32::try_from(line.len()).unwrap())
                .call(0)
                .local_get(counter)
                .i32_const(1)
                .i32_sub()
                .local_tee(counter)
                .br_if(0)
                .end();
        }
        if let Does::SaysOnce(_) = does {
            body.instructions()
                .global_get(ASKED)
                .if_(wasm_encoder::BlockType::Empty)
                .unreachable()
                .end()
                .i32_const(1)
                .global_set(ASKED);
        }
        match does {
            Does::Says(answer) | Does::SaysOnce(answer) | Does::LogsAndSays(_, _, answer) => {
                let at = self
                    .memory
                    .value(resolve, function.result.as_ref().unwrap(), answer);
                body.instructions().i32_const(at).end();
            }
            Does::CallsTheFirstImport => {
                body.instructions().call(0).drop().unreachable().end();
            }
            Does::Panics | Does::LogsAndPanics(..) => {
                body.instructions().unreachable().end();
            }
            Does::Loops => {
                body.instructions()
                    .loop_(wasm_encoder::BlockType::Empty)
                    .br(0)
                    .end()
                    .unreachable()
                    .end();
            }
            Does::EatsMemory => {
                body.instructions()
                    .loop_(wasm_encoder::BlockType::Empty)
                    .i32_const(16)
                    .memory_grow(0)
                    .drop()
                    .br(0)
                    .end()
                    .unreachable()
                    .end();
            }
            Does::Recurses => {
                for param in 0..counter {
                    body.instructions().local_get(param);
                }
                body.instructions().call(me).i32_const(1).i32_add().end();
            }
        }
        self.define(&format!("{interface}#{}", function.name), &body);
    }

    fn define(&mut self, name: &str, body: &Function) {
        self.functions.function(self.types.len() - 1);
        self.exports.export(name, ExportKind::Func, self.count);
        self.names.append(self.count, name);
        self.code.function(body);
        self.count += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: PAGES,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        self.exports.export("memory", ExportKind::Memory, 0);
        assert!(self.memory.end() < i32::try_from(PAGES * PAGE).unwrap());
        let mut globals = GlobalSection::new();
        globals.global(
            GlobalType {
                val_type: ValType::I32,
                mutable: true,
                shared: false,
            },
            &ConstExpr::i32_const(self.memory.end()),
        );
        globals.global(
            GlobalType {
                val_type: ValType::I32,
                mutable: true,
                shared: false,
            },
            &ConstExpr::i32_const(0),
        );
        let mut data = DataSection::new();
        data.active(
            0,
            &ConstExpr::i32_const(self.memory.start()),
            self.memory.bytes().iter().copied(),
        );
        let mut names = NameSection::new();
        names.module("guest");
        names.functions(&self.names);
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&memories)
            .section(&globals)
            .section(&self.exports)
            .section(&self.code)
            .section(&data)
            .section(&names);
        module.finish()
    }
}

/// The contract under another number.
fn renumbered(contract: &Path, version: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(contract).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "wit") {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.replace(
                "cosell:mapping@1.0.0;",
                &format!("cosell:mapping@{version};"),
            );
            std::fs::write(dir.path().join(path.file_name().unwrap()), text).unwrap();
        }
    }
    dir
}

fn val_type(ty: WasmType) -> ValType {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
    }
}

/// `plugin-manifest`
pub(crate) fn manifest(id: &str, version: &str, settings: Vec<Val>) -> Val {
    Val::rec([
        Val::s(id),
        Val::s(version),
        Val::s("A guest of the tests."),
        Val::list(settings),
    ])
}

/// `setting-spec` of a text without default.
pub(crate) fn text_setting(name: &str, required: bool) -> Val {
    Val::rec([
        Val::s(name),
        Val::s("What it does."),
        Val::case("text"),
        Val::Bool(required),
        Val::none(),
    ])
}

fn columns(table: &str, columns: &[&str]) -> [Val; 2] {
    [
        Val::s(table),
        Val::list(columns.iter().map(|column| Val::s(column))),
    ]
}

pub(crate) fn reads(table: &str, names: &[&str]) -> Val {
    Val::with("reads", Val::rec(columns(table, names)))
}

pub(crate) fn writes(table: &str, names: &[&str]) -> Val {
    Val::with("writes", Val::rec(columns(table, names)))
}

pub(crate) fn asks(table: &str, names: &[&str]) -> Val {
    let [table, names] = columns(table, names);
    Val::with("asks", Val::rec([table, names, Val::Bool(true)]))
}

pub(crate) fn joins(label: &str, above: &str, table: &str, via: Val, names: &[&str]) -> Val {
    let [table, names] = columns(table, names);
    Val::with(
        "joins",
        Val::rec([Val::s(label), Val::s(above), table, via, names]),
    )
}

/// `value` of a text.
pub(crate) fn text(value: &str) -> Val {
    Val::with("text", Val::s(value))
}

/// `change.set`
pub(crate) fn set(column: &str, value: Val) -> Val {
    Val::with("set", Val::rec([Val::s(column), value]))
}

pub(crate) fn money(amount: &str, currency: &str) -> Val {
    Val::rec([Val::s(amount), Val::s(currency)])
}

pub(crate) fn reason(code: &str, message: &str) -> Val {
    Val::rec([Val::s(code), Val::s(message), Val::none(), Val::none()])
}

/// `query`: this column, where another is filled.
pub(crate) fn query(label: &str, table: &str, column: &str, filled: &str) -> Val {
    Val::rec([
        Val::s(label),
        Val::s(table),
        Val::list([Val::s(column)]),
        Val::list([Val::rec([Val::s(filled), Val::case("is-filled")])]),
        Val::U16(10),
    ])
}
