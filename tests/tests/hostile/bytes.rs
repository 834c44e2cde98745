//! Components made worse: a plugin that nobody could object to, and something more inside it.

use anyhow::{Context as _, ensure};
use cosell_tests::components;
use wasm_encoder::{
    CodeSection, ComponentSection as _, ConstExpr, CustomSection, Encode as _, EntityType,
    Function, FunctionSection, GlobalSection, GlobalType, ImportSection, InstanceSection,
    MemorySection, MemoryType, Module, ModuleSection, NestedComponentSection, RefType,
    StartSection, TableSection, TableType, TypeSection, ValType,
};
use wasmparser::{Parser, Payload};

pub(crate) type Bytes = anyhow::Result<Vec<u8>>;

/// A guest from the shelf of those that misbehave.
pub(crate) fn guest(name: &str) -> Bytes {
    let path = components("hostile")?.join(format!("{name}.wasm"));
    std::fs::read(&path).with_context(|| format!("{} was not built", path.display()))
}

/// A plugin that nobody could object to: it says nothing.
pub(crate) fn healthy() -> Bytes {
    guest("acts-up")
}

/// Another file that calls itself like a plugin of the stock.
pub(crate) fn impostor() -> Bytes {
    let path = components("plugins")?.join("30-country.wasm");
    let bytes =
        std::fs::read(&path).with_context(|| format!("{} was not built", path.display()))?;
    Ok(marked(bytes, "impostor"))
}

/// The first half, as a copy leaves it that was cut off.
pub(crate) fn half() -> Bytes {
    let mut bytes = healthy()?;
    bytes.truncate(bytes.len() / 2);
    Ok(bytes)
}

/// The healthy guest under another name of the same length. Its code compares no names, so nothing else changes.
pub(crate) fn calling_itself(id: &str) -> Bytes {
    const OLD: &[u8] = b"acts-up";
    ensure!(
        id.len() == OLD.len(),
        "\"{id}\" is not as long as the old name"
    );
    let mut bytes = guest("acts-up")?;
    let places: Vec<usize> = bytes
        .windows(OLD.len())
        .enumerate()
        .filter(|(_, window)| *window == OLD)
        .map(|(at, _)| at)
        .collect();
    ensure!(!places.is_empty(), "the guest does not say its name");
    for at in places {
        bytes[at..at + OLD.len()].copy_from_slice(id.as_bytes());
    }
    Ok(bytes)
}

/// The same component as another file: one more custom section, so that it has a hash of its own.
pub(crate) fn marked(mut bytes: Vec<u8>, mark: &str) -> Vec<u8> {
    CustomSection {
        name: "mark".into(),
        data: mark.as_bytes().into(),
    }
    .append_to_component(&mut bytes);
    bytes
}

/// With one more core module inside, instantiated so often.
pub(crate) fn with_module(module: &Module, instances: usize) -> Bytes {
    let mut bytes = guest("acts-up")?;
    let mut depth = 0_usize;
    let mut modules = 0_u32;
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload? {
            Payload::ModuleSection { .. } => {
                modules += u32::from(depth == 0);
                depth += 1;
            }
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    ModuleSection(module).append_to_component(&mut bytes);
    if instances > 0 {
        let mut section = InstanceSection::new();
        for _ in 0..instances {
            section.instantiate(
                modules,
                std::iter::empty::<(&str, wasm_encoder::ModuleArg)>(),
            );
        }
        section.append_to_component(&mut bytes);
    }
    Ok(bytes)
}

/// A module whose start function is this.
pub(crate) fn starting(body: &Function) -> Module {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    module.section(&types);
    let mut functions = FunctionSection::new();
    functions.function(0);
    module.section(&functions);
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: 1,
        maximum: None,
        shared: false,
    });
    module.section(&tables);
    module.section(&memories(&[1]));
    module.section(&StartSection { function_index: 0 });
    let mut code = CodeSection::new();
    code.function(body);
    module.section(&code);
    module
}

pub(crate) fn loops() -> Function {
    let mut body = Function::new([]);
    body.instructions()
        .loop_(wasm_encoder::BlockType::Empty)
        .br(0)
        .end()
        .end();
    body
}

pub(crate) fn calls_itself() -> Function {
    let mut body = Function::new([]);
    body.instructions().call(0).end();
    body
}

pub(crate) fn grows_memory() -> Function {
    let mut body = Function::new([]);
    // 16 MiB at a time, for ever.
    body.instructions()
        .loop_(wasm_encoder::BlockType::Empty)
        .i32_const(256)
        .memory_grow(0)
        .drop()
        .br(0)
        .end()
        .end();
    body
}

pub(crate) fn grows_table() -> Function {
    let mut body = Function::new([]);
    body.instructions()
        .ref_null(wasm_encoder::HeapType::FUNC)
        .i32_const(1_000_000)
        .table_grow(0)
        .drop()
        .end();
    body
}

fn memories(pages: &[u64]) -> MemorySection {
    let mut section = MemorySection::new();
    for pages in pages {
        section.memory(MemoryType {
            minimum: *pages,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
    }
    section
}

/// A module that has so many pages of 64 KiB from its very start.
pub(crate) fn large_from_the_start(pages: u64) -> Module {
    let mut module = Module::new();
    module.section(&memories(&[pages]));
    module
}

/// A module with memories that are addressed by 64 bits.
pub(crate) fn memory64() -> Module {
    let mut module = Module::new();
    let mut section = MemorySection::new();
    section.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: true,
        shared: false,
        page_size_log2: None,
    });
    module.section(&section);
    module
}

/// A module whose memory other threads may share.
pub(crate) fn shared_memory() -> Module {
    let mut module = Module::new();
    let mut section = MemorySection::new();
    section.memory(MemoryType {
        minimum: 1,
        maximum: Some(1),
        memory64: false,
        shared: true,
        page_size_log2: None,
    });
    module.section(&section);
    module
}

/// A module that imports a function from nowhere.
pub(crate) fn importing() -> Module {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    module.section(&types);
    let mut imports = ImportSection::new();
    imports.import("env", "system", EntityType::Function(0));
    module.section(&imports);
    module
}

/// So many functions that do nothing.
pub(crate) fn many_functions(count: u32) -> Module {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    module.section(&types);
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    let mut body = Function::new([]);
    body.instructions().end();
    for _ in 0..count {
        functions.function(0);
        code.function(&body);
    }
    module.section(&functions);
    module.section(&code);
    module
}

/// One function of so many blocks over so many locals, all of them alive: the work of a compiler grows with the product.
pub(crate) fn one_heavy_function(blocks: u32, locals: u32) -> Module {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    module.section(&types);
    let mut functions = FunctionSection::new();
    functions.function(0);
    module.section(&functions);
    let mut body = Function::new([(locals, ValType::I32)]);
    let mut code = body.instructions();
    for block in 0..blocks {
        code.local_get(0)
            .if_(wasm_encoder::BlockType::Empty)
            .local_get(1 + block % locals)
            .i32_const(1)
            .i32_add()
            .local_set(1 + (block * 7 + 1) % locals)
            .end();
    }
    code.i32_const(0);
    for local in 0..locals {
        code.local_get(1 + local).i32_add();
    }
    code.end();
    let mut section = CodeSection::new();
    section.function(&body);
    module.section(&section);
    module
}

/// A module with so many globals: what an instance takes before it runs.
pub(crate) fn many_types(count: u32) -> Module {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    for _ in 0..count {
        types.ty().function([ValType::I64; 8], [ValType::F64; 4]);
    }
    module.section(&types);
    let mut globals = GlobalSection::new();
    globals.global(
        GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        },
        &ConstExpr::i32_const(0),
    );
    module.section(&globals);
    module
}

/// Components within components, so deep.
pub(crate) fn nested(depth: usize) -> Bytes {
    let mut inner = wasm_encoder::Component::new();
    for _ in 1..depth {
        let mut outer = wasm_encoder::Component::new();
        outer.section(&NestedComponentSection(&inner));
        inner = outer;
    }
    let mut bytes = guest("acts-up")?;
    NestedComponentSection(&inner).append_to_component(&mut bytes);
    Ok(bytes)
}

/// With a custom section whose length runs past the end of the file.
pub(crate) fn lying_about_a_length() -> Bytes {
    let mut bytes = guest("acts-up")?;
    bytes.push(0);
    u32::MAX.encode(&mut bytes);
    bytes.extend(b"name");
    Ok(bytes)
}

/// With names that are no text, a megabyte of them, and twice.
pub(crate) fn with_false_names() -> Bytes {
    let mut bytes = guest("acts-up")?;
    for _ in 0..2 {
        CustomSection {
            name: "component-name".into(),
            data: vec![0xff; 1 << 20].into(),
        }
        .append_to_component(&mut bytes);
    }
    Ok(bytes)
}
