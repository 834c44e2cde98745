//! The exports: one table for each instance.
#![allow(
    unsafe_code,
    unreachable_pub,
    reason = "the exported functions of a component have C's calling convention and no other caller"
)]

use std::cell::OnceCell;

use cosell_guest_sdk::prelude::*;

use crate::file::Table;
use crate::mapping::Subject;

mod bindings {
    #![allow(
        unsafe_code,
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::unwrap_used,
        reason = "generated from the contract"
    )]
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package cosell:of-source; world of-source { export cosell:mapping/source@1.0.0; }",
        generate_all,
        pub_export_macro: true,
    });
}

thread_local! {
    /// A component has one thread.
    static TABLE: OnceCell<Table> = const { OnceCell::new() };
}

struct Engine;

impl bindings::exports::cosell::mapping::source::Guest for Engine {
    fn load(file: String, text: String) -> Result<Vec<String>, Vec<String>> {
        let table = Table::read(&file, &text)?;
        let serves = table.serves();
        TABLE.with(|held| match held.set(table) {
            Ok(()) => Ok(serves),
            Err(_) => Err(vec![format!(
                "{file}:1:1: this instance has a table already"
            )]),
        })
    }
}

bindings::export!(Engine with_types_in bindings);

/// The host hands over the table before it asks; an engine without one has nothing to say.
fn asked<R: Default>(question: impl FnOnce(&Table) -> R) -> R {
    TABLE.with(|table| table.get().map(question).unwrap_or_default())
}

fn about(order: &Order) -> Subject<'_> {
    Subject {
        deal: Some(&order.deal),
        company: &order.deal.company,
        person: None,
    }
}

impl Plugin for Engine {
    fn manifest() -> PluginManifest {
        asked(|table| Some(table.manifest()))
            .unwrap_or_else(|| PluginManifest::new("table-engine", "0.0.0", "No table was given."))
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(asked(Table::needs))
    }
}

impl Opportunity for Engine {
    fn to_deal(_: &Context, seen: &Seen, _: &[Fact]) -> Answer<Vec<Fact>> {
        Ok(asked(|table| table.facts("opportunity", seen)))
    }

    fn to_row(_: &Context, order: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        Ok(asked(|table| table.changes("opportunity", about(order))))
    }
}

impl Lead for Engine {
    fn to_deal(_: &Context, seen: &Seen, _: &[Fact]) -> Answer<Vec<Fact>> {
        Ok(asked(|table| table.facts("lead", seen)))
    }

    fn to_row(_: &Context, order: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        Ok(asked(|table| table.changes("lead", about(order))))
    }
}

impl Account for Engine {
    fn to_row(_: &Context, deal: &Deal, _: Option<&Row>, _: &[Cell]) -> Answer<Vec<Change>> {
        let subject = Subject {
            deal: Some(deal),
            company: &deal.company,
            person: None,
        };
        Ok(asked(|table| table.changes("account", subject)))
    }
}

impl Contact for Engine {
    fn to_row(
        _: &Context,
        question: &ContactQuestion,
        _: Option<&Row>,
        _: &[Cell],
    ) -> Answer<Vec<Change>> {
        let subject = Subject {
            deal: None,
            company: &question.company,
            person: Some(&question.person),
        };
        Ok(asked(|table| table.changes("contact", subject)))
    }
}

impl Country for Engine {
    fn to_deal(_: &Context, seen: &Seen, _: Option<&str>) -> Answer<Option<String>> {
        Ok(asked(|table| table.read_country(seen)))
    }

    fn to_row(_: &Context, order: &CountryOrder, _: &[Cell]) -> Answer<Vec<Change>> {
        Ok(asked(|table| table.write_country(order)))
    }
}

plugin!(Engine: opportunity, lead, account, contact, country);
