//! From the deal to the columns of a row.

use std::collections::BTreeMap;

use cosell_sync::deal::{Deal, Unit, UnitValue};
use cosell_sync::row::{Cell, Children, Reason, RecordKind, Refusal, RowState};

use super::deciding::last_word;
use crate::bindings::cosell::mapping::types as wit;
use crate::convert::heard::{Bad, bad};
use crate::convert::units::unit_heard;
use crate::convert::{given, heard};
use crate::instance::{Instance, Places};
use crate::limits::CHANGES_MAX;
use crate::plugin::{Hook, Plugin};
use crate::question::{Asking, Draft, Order};
use crate::set::Chain;
use crate::stop::{Speaker, Spoken, Stop};

pub(super) const fn question(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Opportunity => "opportunity.to-row",
        RecordKind::Lead => "lead.to-row",
    }
}

pub(super) fn write(
    chain: &Chain,
    asking: &Asking,
    kind: RecordKind,
    order: &Order,
) -> Result<Draft, Stop> {
    let hook = match kind {
        RecordKind::Opportunity => Hook::Opportunity,
        RecordKind::Lead => Hook::Lead,
    };
    let mut desk = Desk::new(kind.table(), true);
    for plugin in chain.of(hook) {
        let (context, shown, draft) = (
            plugin.context(asking),
            order_shown(plugin, kind, order),
            desk.draft(),
        );
        let answer = plugin.ask(asking, question(kind), |instance, places| match kind {
            RecordKind::Opportunity => {
                let (hook, store) = instance.opportunity(places)?;
                hook.call_to_row(store, &context, &shown, &draft)
            }
            RecordKind::Lead => {
                let (hook, store) = instance.lead(places)?;
                hook.call_to_row(store, &context, &shown, &draft)
            }
        })?;
        desk.add(plugin, answer)
            .map_err(|bad| plugin.bad(question(kind), bad))?;
    }
    if kind == RecordKind::Lead {
        let existing = order.existing.as_ref().map(|seen| &seen.row);
        write_country(chain, asking, &order.deal, existing, &mut desk)?;
    }
    Ok(desk.into_draft())
}

pub(super) fn state(
    chain: &Chain,
    asking: &Asking,
    kind: RecordKind,
    order: &Order,
) -> Result<Option<Spoken<RowState>>, Stop> {
    last_word(
        asking,
        chain.of(Hook::Status),
        "status.to-row",
        |plugin| {
            let (context, shown) = (plugin.context(asking), order_shown(plugin, kind, order));
            move |instance: &mut Instance, places: &Places, draft: Option<&wit::RowState>| {
                let (hook, store) = instance.status(places)?;
                hook.call_to_row(store, &context, &shown, draft)
            }
        },
        |plugin, state| heard::row_state(&plugin.declared, state),
    )
}

/// Into the row that carries the address: an account or a lead. Without a country nobody is asked.
pub(super) fn write_country(
    chain: &Chain,
    asking: &Asking,
    deal: &Deal,
    existing: Option<&cosell_sync::row::Row>,
    desk: &mut Desk,
) -> Result<(), Stop> {
    const QUESTION: &str = "country.to-row";
    let Some(UnitValue::Address(address)) = deal.units.get(&Unit::Address) else {
        return Ok(());
    };
    let Some(code) = &address.country else {
        return Ok(());
    };
    for plugin in chain.of(Hook::Country) {
        let (context, draft) = (plugin.context(asking), desk.draft());
        let shown = wit::CountryOrder {
            code: code.clone(),
            table: desk.table.to_owned(),
            existing: existing.map(|row| plugin.row(row)),
            more: Vec::new(),
        };
        let answer = plugin.ask(asking, QUESTION, |instance, places| {
            let (hook, store) = instance.country(places)?;
            hook.call_to_row(store, &context, &shown, &draft)
        })?;
        desk.add_cells(plugin, answer)
            .map_err(|bad| plugin.bad(QUESTION, bad))?;
    }
    Ok(())
}

fn order_shown(plugin: &Plugin, kind: RecordKind, order: &Order) -> wit::Order {
    wit::Order {
        deal: given::deal(&order.deal),
        existing: order.existing.as_ref().map(|seen| plugin.seen(seen)),
        account: order.account.as_ref().map(given::reference),
        contacts: order
            .contacts
            .iter()
            .map(|contact| contact.as_ref().map(given::reference))
            .collect(),
        lead: order.lead.as_ref().map(given::reference),
        more: vec![(
            "record-kind".to_owned(),
            wit::Value::Text(kind.table().to_owned()),
        )],
    }
}

/// Where the words of several plugins about one row come together.
pub(super) struct Desk {
    table: &'static str,
    may_have_children: bool,
    cells: BTreeMap<String, (wit::Value, Cell, Speaker)>,
    children: BTreeMap<String, (Children, Speaker)>,
    refusals: BTreeMap<Unit, Reason>,
}

impl Desk {
    pub(super) const fn new(table: &'static str, may_have_children: bool) -> Self {
        Self {
            table,
            may_have_children,
            cells: BTreeMap::new(),
            children: BTreeMap::new(),
            refusals: BTreeMap::new(),
        }
    }

    pub(super) fn draft(&self) -> Vec<wit::Cell> {
        self.cells
            .iter()
            .map(|(column, (value, ..))| (column.clone(), value.clone()))
            .collect()
    }

    pub(super) fn add(&mut self, plugin: &Plugin, answer: Vec<wit::Change>) -> Result<(), Bad> {
        if answer.len() > CHANGES_MAX {
            return Err(bad(format!(
                "answers {} changes to one row of {}, more than {CHANGES_MAX}",
                answer.len(),
                self.table
            )));
        }
        for change in answer {
            self.change(plugin, change)?;
        }
        Ok(())
    }

    /// As `add`, where child rows have no place whatever the row.
    fn add_cells(&mut self, plugin: &Plugin, answer: Vec<wit::Change>) -> Result<(), Bad> {
        let may_have_children = std::mem::replace(&mut self.may_have_children, false);
        let added = self.add(plugin, answer);
        self.may_have_children = may_have_children;
        added
    }

    fn change(&mut self, plugin: &Plugin, change: wit::Change) -> Result<(), Bad> {
        let speaker = || plugin.speaker.clone();
        match change {
            wit::Change::Set((column, value)) => {
                heard::settable(&plugin.declared, self.table, &column)?;
                let cell = heard::cell(
                    &plugin.declared,
                    &format!("{}.{column}", self.table),
                    &value,
                )?;
                self.cells.insert(column, (value, cell, speaker()));
            }
            wit::Change::Withdraw(column) => {
                self.cells.remove(&column);
            }
            wit::Change::Children(_) if !self.may_have_children => {
                return Err(bad(format!(
                    "answers `children` for a row of {}; only opportunity.to-row and lead.to-row have them",
                    self.table
                )));
            }
            wit::Change::Children(children) => {
                let children = heard::children(&plugin.declared, plugin.id(), &children)?;
                self.children
                    .insert(children.label.clone(), (children, speaker()));
            }
            wit::Change::Refuse(refusal) => {
                self.refusals
                    .insert(unit_heard(refusal.unit), heard::reason(&refusal.reason));
            }
            // A change of a later contract: by rule ignored.
            wit::Change::More(_) => {}
        }
        Ok(())
    }

    pub(super) fn into_draft(self) -> Draft {
        Draft {
            cells: self
                .cells
                .into_iter()
                .map(|(column, (_, cell, by))| (column, (cell, by)))
                .collect(),
            children: self.children.into_values().collect(),
            refusals: self
                .refusals
                .into_iter()
                .map(|(unit, reason)| Refusal { unit, reason })
                .collect(),
        }
    }
}
