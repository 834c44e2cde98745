//! What a question costs: on a fresh instance, on a warm one, and what a bare call into WebAssembly costs on the same machine.
//!
//! `COSELL_BENCH_PLUGIN` names the component; without it the first of `target/plugins` is taken (`cargo xtask plugins` builds them).

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use cosell_plugins::{
    Arrival, Asking, Engine, EngineSettings, FolderSettings, Order, PluginFolder, PluginSet,
};
use cosell_sync::deal::{Deal, DealState, Standing, Unit, UnitValue};
use cosell_sync::row::{RecordKind, Row, Seen};
use cosell_sync::side::Side;
use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bare_call(&mut criterion);
    match component() {
        Some(path) => {
            stock_plugin(&mut criterion, &path, false);
            stock_plugin(&mut criterion, &path, true);
        }
        // Said on the log: benches have no other voice here.
        None => tracing::warn!(
            "no plugin to measure: build the stock plugins first, or name one in COSELL_BENCH_PLUGIN"
        ),
    }
    criterion.final_summary();
}

fn component() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("COSELL_BENCH_PLUGIN") {
        return Some(named.into());
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../target/plugins");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "wasm")
    });
    files.sort();
    files.into_iter().next()
}

/// The floor: a core function of one argument, called from the host.
fn bare_call(criterion: &mut Criterion) {
    let module = {
        use wasm_encoder::{
            CodeSection, ExportKind, ExportSection, Function, FunctionSection, Module, TypeSection,
            ValType,
        };
        let (mut types, mut functions, mut exports, mut code) = (
            TypeSection::new(),
            FunctionSection::new(),
            ExportSection::new(),
            CodeSection::new(),
        );
        types.ty().function([ValType::I32], [ValType::I32]);
        functions.function(0);
        exports.export("same", ExportKind::Func, 0);
        let mut body = Function::new([]);
        body.instructions().local_get(0).end();
        code.function(&body);
        let mut module = Module::new();
        module
            .section(&types)
            .section(&functions)
            .section(&exports)
            .section(&code);
        module.finish()
    };
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::from_binary(&engine, &module).expect("the module is valid");
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).expect("it imports nothing");
    let same = instance
        .get_typed_func::<i32, i32>(&mut store, "same")
        .expect("it was exported");
    criterion.bench_function("bare wasmtime call", |bench| {
        bench.iter(|| same.call(&mut store, black_box(7)).expect("it cannot trap"));
    });
}

fn stock_plugin(criterion: &mut Criterion, path: &std::path::Path, fresh: bool) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::copy(path, dir.path().join("1.wasm")).expect("the component is readable");
    if fresh {
        std::fs::write(
            dir.path().join("1.toml"),
            "[limits]\nfresh_per_call = true\n",
        )
        .expect("the directory is ours");
    }
    let engine = Engine::new(EngineSettings::default()).expect("an engine");
    let settings = FolderSettings {
        rescan: Duration::from_secs(3600),
        ..FolderSettings::default()
    };
    let folder =
        PluginFolder::open(engine, dir.path(), settings, |_| {}).expect("the folder is readable");
    let set = folder.current();
    assert_eq!(set.plugins().len(), 1, "{:?}", folder.refused());
    let name = format!(
        "{} {}",
        set.plugins()[0].id,
        if fresh { "on a fresh instance" } else { "warm" }
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let questions: [(&str, Ask); 3] = [
        ("should-sync", door),
        ("to-deal", to_deal),
        ("to-row", to_row),
    ];
    for (question, ask) in questions {
        criterion.bench_function(&format!("{name}: {question}"), |bench| {
            bench.iter(|| runtime.block_on(ask(&set)));
        });
    }
}

type Ask = for<'a> fn(&'a PluginSet) -> Asked<'a>;
type Asked<'a> = std::pin::Pin<Box<dyn Future<Output = bool> + 'a>>;

fn asking() -> Asking {
    Asking::new("2026-09-30T14:05:00Z".parse().expect("a moment"), "en")
}

fn deal() -> Deal {
    let mut deal = Deal::default();
    deal.units.insert(
        Unit::Name,
        UnitValue::Text(Some("Data platform for Contoso".to_owned())),
    );
    deal.units.insert(
        Unit::State,
        UnitValue::State(DealState {
            standing: Standing::Accepted,
            reason: None,
        }),
    );
    deal
}

fn seen() -> Seen {
    Seen {
        row: Row {
            table: "opportunity".to_owned(),
            id: "0c0c0c0c-0000-4000-8000-000000000001".to_owned(),
            cells: std::collections::BTreeMap::new(),
        },
        related: Vec::new(),
    }
}

fn door(set: &PluginSet) -> Asked<'_> {
    let arrival = Arrival {
        origin: Side::PartnerCenter,
        deal: Some(deal()),
        seen: None,
        linked: false,
    };
    Box::pin(async move { set.decide(&asking(), arrival).await.is_ok() })
}

fn to_deal(set: &PluginSet) -> Asked<'_> {
    Box::pin(async move {
        set.read(&asking(), RecordKind::Opportunity, &seen())
            .await
            .is_ok()
    })
}

fn to_row(set: &PluginSet) -> Asked<'_> {
    let order = Order {
        deal: deal(),
        ..Order::default()
    };
    Box::pin(async move {
        set.write(&asking(), RecordKind::Opportunity, &order)
            .await
            .is_ok()
    })
}
