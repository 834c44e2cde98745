//! Two records and a run over them, without any I/O.

use std::collections::BTreeMap;

use cosell_sync::ability::Phase;
use cosell_sync::deal::{
    DealState, Decimal, Money, Person, Solution, Standing, Unit, UnitValue, Units,
};
use cosell_sync::merge::{Answer, Bases, Look, Plan, Policies, Policy, View, noticed, plan};
use cosell_sync::side::{Side, Sides};

/// Two records, what we remember of them, and the writes we have made.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) units: Sides<Units>,
    pub(crate) bases: Bases,
    pub(crate) policies: Policies,
    pub(crate) noticed: BTreeMap<Unit, Side>,
    pub(crate) answers: BTreeMap<Unit, Answer>,
    /// The CRM cuts texts to so many characters: a lossy column.
    pub(crate) crm_text_max: usize,
    pub(crate) writes: usize,
}

impl World {
    pub(crate) fn new(units: Units) -> Self {
        let bases = units
            .iter()
            .map(|(unit, value)| {
                (
                    unit.clone(),
                    Sides {
                        partner_center: Some(value.clone()),
                        crm: Some(value.clone()),
                    },
                )
            })
            .collect();
        Self {
            units: Sides {
                partner_center: units.clone(),
                crm: units,
            },
            bases,
            policies: Policies {
                conflict: Policy::Wins(Side::Crm),
                link: Policy::Wins(Side::PartnerCenter),
                ..Policies::default()
            },
            noticed: BTreeMap::new(),
            answers: BTreeMap::new(),
            crm_text_max: 1000,
            writes: 0,
        }
    }

    pub(crate) fn phase(&self, side: Side) -> Phase {
        match self.units[side].get(&Unit::State) {
            Some(UnitValue::State(state)) if state.standing.is_closed() => Phase::Closed,
            _ if side == Side::PartnerCenter && self.is_shared() => Phase::Shared,
            _ => Phase::Open,
        }
    }

    fn is_shared(&self) -> bool {
        self.units.partner_center.get(&Unit::Visibility) == Some(&UnitValue::Flag(true))
    }

    /// What `side` shows after `value` was written to it.
    pub(crate) fn stored(&self, side: Side, value: &UnitValue) -> UnitValue {
        match value {
            UnitValue::Text(Some(text)) if side == Side::Crm => {
                UnitValue::Text(Some(text.chars().take(self.crm_text_max).collect()))
            }
            other => other.clone(),
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        let views = Sides::of(|side| View {
            units: self.units[side].clone(),
            phase: self.phase(side),
            round_trip: self.units[side.other()]
                .iter()
                .map(|(unit, value)| (unit.clone(), self.stored(side, value)))
                .collect(),
        });
        plan(Look {
            views: &views,
            bases: &self.bases,
            policies: &self.policies,
            noticed: &self.noticed,
            answers: &self.answers,
        })
    }

    /// A run whose writes are all refused because somebody saves in between (412): it has only looked.
    pub(crate) fn look(&mut self) -> Plan {
        let plan = self.plan();
        self.noticed = noticed(&self.noticed, &plan);
        plan
    }

    /// One run: every carry is written, and bases move as S6 says. The closing state goes last, as S16 says.
    pub(crate) fn run(&mut self) -> Plan {
        let plan = self.look();
        let mut carries = plan.carries.clone();
        carries.sort_by_key(|carry| carry.unit == Unit::State);
        for carry in carries {
            let frozen = self.phase(carry.to) == Phase::Closed;
            assert!(!frozen, "a frozen record was written: {carry:?}");
            let stored = self.stored(carry.to, &carry.value);
            self.units[carry.to].insert(carry.unit.clone(), stored.clone());
            let base = self.bases.entry(carry.unit.clone()).or_default();
            base[carry.to] = Some(stored);
            // A list may travel both ways in one plan; then each side's base is what it shows after its own write.
            let both_ways = plan
                .carries
                .iter()
                .any(|other| other.unit == carry.unit && other.to != carry.to);
            if !both_ways && !carry.is_step() {
                base[carry.to.other()] = Some(carry.source.clone());
            }
            self.writes += 1;
        }
        for unit in &plan.remember {
            let shown = Sides::of(|side| self.units[side].get(unit).cloned());
            self.bases.insert(unit.clone(), shown);
        }
        plan
    }

    pub(crate) fn edit(&mut self, side: Side, unit: Unit, value: UnitValue) {
        if self.phase(side) != Phase::Closed {
            self.units[side].insert(unit, value);
        }
    }
}

pub(crate) fn text(text: &str) -> UnitValue {
    UnitValue::Text(Some(text.into()))
}

pub(crate) fn money(amount: i64, currency: &str) -> UnitValue {
    UnitValue::Money(Some(Money {
        amount: Decimal::new(amount, 2),
        currency: currency.into(),
    }))
}

/// One solution a letter.
pub(crate) fn solutions(ids: &str) -> UnitValue {
    let solution = |id: char| Solution {
        id: id.into(),
        name: id.into(),
        kind: None,
        publisher: None,
        price: None,
        quantity: None,
        close_date: None,
    };
    UnitValue::Solutions(ids.chars().map(solution).collect())
}

/// One person a letter, known by mail.
pub(crate) fn people(ids: &str) -> UnitValue {
    let person = |id: char| Person {
        first_name: Some(id.into()),
        last_name: None,
        email: Some(format!("{id}@contoso.example").to_lowercase()),
        phone: None,
        title: None,
    };
    UnitValue::People(ids.chars().map(person).collect())
}

pub(crate) fn standing(standing: Standing) -> UnitValue {
    UnitValue::State(DealState {
        standing,
        reason: None,
    })
}

pub(crate) fn deal() -> Units {
    [
        (Unit::Name, text("Data platform")),
        (Unit::Value, money(12_500_000, "EUR")),
        (Unit::Notes, text("first notes")),
        (Unit::State, standing(Standing::Accepted)),
        (Unit::Visibility, UnitValue::Flag(false)),
        (Unit::Campaign, UnitValue::Text(None)),
        (Unit::Solutions, solutions("AB")),
        (Unit::Contacts, people("AB")),
        (Unit::Help, UnitValue::Help(None)),
    ]
    .into()
}
