//! A component that is many: more instances, tables or handles than a guest may have. Each attack hangs inside a guest that is good otherwise, so that
//! what refuses it is the limit, and one short of it passes.

use wasm_encoder::{
    CanonicalFunctionSection, CodeSection, Component, ComponentInstanceSection, ComponentSection,
    ComponentTypeSection, EntityType, ExportKind, Function, FunctionSection, ImportSection,
    InstanceSection, Module, ModuleArg, ModuleSection, NestedComponentSection, RefType,
    StartSection, TableSection, TableType, TypeSection, ValType,
};

use crate::guest::Guest;
use crate::house::House;

/// As `limits.rs` has them. The guest around each attack is an instance itself, and has no table and no handle.
const INSTANCES_MAX: u32 = 50;
const TABLES_MAX: u32 = 50;
const HANDLES_MAX: i32 = 1_000;

/// Id of a section that holds a component.
const NESTED: u8 = 4;

/// A good guest that brings up another component before it answers anything.
fn guest_with(inside: &Component) -> Vec<u8> {
    let mut guest = Guest::of(&["decorate"]).named("crowd").build();
    let index = nested_in(&guest);
    NestedComponentSection(inside).append_to_component(&mut guest);
    let mut instances = ComponentInstanceSection::new();
    let nothing: [(&str, wasm_encoder::ComponentExportKind, u32); 0] = [];
    instances.instantiate(index, nothing);
    instances.append_to_component(&mut guest);
    guest
}

/// How many components it has inside: the index of the next one.
fn nested_in(component: &[u8]) -> u32 {
    let mut count = 0;
    let mut rest = &component[8..];
    while let [id, after @ ..] = rest {
        count += u32::from(*id == NESTED);
        let (bytes, size) = leb128(after);
        rest = &after[size + bytes..];
    }
    count
}

/// The number, and how long it is.
fn leb128(bytes: &[u8]) -> (usize, usize) {
    let size = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let number = bytes[..size]
        .iter()
        .rev()
        .fold(0, |number, byte| number << 7 | usize::from(byte & 0x7f));
    (number, size)
}

/// One module, so often.
fn instances(module: &Module, times: u32) -> Component {
    let mut component = Component::new();
    component.section(&ModuleSection(module));
    let mut instances = InstanceSection::new();
    let nothing: [(&str, ModuleArg); 0] = [];
    for _ in 0..times {
        instances.instantiate(0, nothing);
    }
    component.section(&instances);
    component
}

fn tables(times: u32) -> Module {
    let mut tables = TableSection::new();
    for _ in 0..times {
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: 1,
            maximum: None,
            shared: false,
        });
    }
    let mut module = Module::new();
    module.section(&tables);
    module
}

/// Makes so many handles as soon as it is brought up, and gives none back.
fn handles(times: i32) -> Component {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([], []);
    let mut imports = ImportSection::new();
    imports.import("", "new", EntityType::Function(0));
    let mut functions = FunctionSection::new();
    functions.function(1);
    let mut body = Function::new([(1, ValType::I32)]);
    body.instructions()
        .i32_const(times)
        .local_set(0)
        .loop_(wasm_encoder::BlockType::Empty)
        .i32_const(7)
        .call(0)
        .drop()
        .local_get(0)
        .i32_const(1)
        .i32_sub()
        .local_tee(0)
        .br_if(0)
        .end()
        .end();
    let mut code = CodeSection::new();
    code.function(&body);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&StartSection { function_index: 1 })
        .section(&code);

    let mut component = Component::new();
    let mut resource = ComponentTypeSection::new();
    resource.resource(ValType::I32, None);
    component.section(&resource);
    let mut new = CanonicalFunctionSection::new();
    new.resource_new(0);
    component.section(&new);
    component.section(&ModuleSection(&module));
    let mut instances = InstanceSection::new();
    instances.export_items([("new", ExportKind::Func, 0)]);
    instances.instantiate(0, [("", ModuleArg::Instance(0))]);
    component.section(&instances);
    component
}

#[track_caller]
fn passes(inside: &Component) {
    let house = House::with(&[("66-crowd.wasm", guest_with(inside))]);
    assert_eq!(
        house.serving(),
        ["crowd 1.0.0"],
        "{:#?}",
        house.folder.refused()
    );
}

#[track_caller]
fn is_refused_for(inside: &Component, what: &str) {
    let house = House::with(&[("66-crowd.wasm", guest_with(inside))]);
    assert!(house.serving().is_empty());
    let refusal = house.refusal();
    assert!(
        refusal.starts_with("[link/memory] does not come up: wanted more instances, tables, memories or handles than it may have")
            && refusal.contains(what),
        "{refusal}"
    );
}

#[test]
fn more_instances_than_a_guest_may_have_are_refused() {
    let empty = Module::new();
    passes(&instances(&empty, INSTANCES_MAX / 2));
    is_refused_for(
        &instances(&empty, INSTANCES_MAX + 1),
        "instance count too high",
    );
}

#[test]
fn more_tables_than_a_guest_may_have_are_refused() {
    passes(&instances(&tables(TABLES_MAX / 2), 1));
    is_refused_for(
        &instances(&tables(TABLES_MAX + 1), 1),
        "table count too high",
    );
    // Also when no module alone has too many.
    is_refused_for(
        &instances(&tables(TABLES_MAX / 10), 11),
        "table count too high",
    );
}

#[test]
fn more_handles_than_a_guest_may_have_are_refused() {
    passes(&handles(HANDLES_MAX / 2));
    is_refused_for(&handles(HANDLES_MAX + 1), "handle limit exceeded");
}
