//! What deciding costs: the plan of a deal of forty units, beside comparing the same units once, which no plan can do without.
//!
//! `cargo bench -p cosell-sync` prints both, and ends with an error above the budget.
#![allow(
    clippy::print_stdout,
    missing_docs,
    reason = "a bench talks to the person before it"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use cosell_sync::ability::Phase;
use cosell_sync::deal::{
    Address, DealState, Decimal, Money, Person, Solution, Standing, Unit, UnitValue, Units,
};
use cosell_sync::merge::{Bases, Look, Policies, View, plan, same};
use cosell_sync::side::{Side, Sides};

/// Units of the deal: all that have a name, and a long tail of an organisation's own.
const UNITS: usize = 40;
const TIMES: u32 = 20_000;
const BUDGET: Duration = Duration::from_micros(50);

fn value(unit: &Unit, word: &str) -> UnitValue {
    let person = |name: &str| Person {
        first_name: Some(name.into()),
        last_name: Some("Kovács".into()),
        email: Some(format!("{name}@contoso.example")),
        phone: Some("+36 1 555 0100".into()),
        title: None,
    };
    let solution = |id: &str| Solution {
        id: id.into(),
        name: "Contoso Data Platform".into(),
        kind: Some("3P".into()),
        publisher: None,
        price: None,
        quantity: None,
        close_date: None,
    };
    match unit {
        Unit::Value => UnitValue::Money(Some(Money {
            amount: Decimal::new(12_500_000, 2),
            currency: "EUR".into(),
        })),
        Unit::CloseDate => UnitValue::Date(Some(jiff::civil::date(2026, 12, 15))),
        Unit::State => UnitValue::State(DealState {
            standing: Standing::Accepted,
            reason: None,
        }),
        Unit::Visibility => UnitValue::Flag(true),
        Unit::Help => UnitValue::Help(None),
        Unit::CompanyIds => UnitValue::Ids(Vec::new()),
        Unit::Address => UnitValue::Address(Address {
            city: Some("Budapest".into()),
            country: Some("HU".into()),
            ..Address::default()
        }),
        Unit::Contacts | Unit::Team => {
            UnitValue::People(vec![person("anna"), person("bela"), person(word)])
        }
        Unit::Solutions => UnitValue::Solutions(vec![solution("SOL-1"), solution(word)]),
        _ => UnitValue::Text(Some(format!("what stands in {unit}, {word}"))),
    }
}

fn deal(word: &str) -> Units {
    let tail = (Unit::NAMED.len()..UNITS).map(|number| Unit::More(format!("own-field-{number}")));
    Unit::NAMED
        .into_iter()
        .chain(tail)
        .map(|unit| (unit.clone(), value(&unit, word)))
        .collect()
}

fn each(mut work: impl FnMut()) -> Duration {
    let began = Instant::now();
    for _ in 0..TIMES {
        work();
    }
    began.elapsed() / TIMES
}

fn main() {
    let (before, after) = (deal("before"), deal("after"));
    let view = |units: &Units| View {
        units: units.clone(),
        phase: Phase::Open,
        round_trip: Units::new(),
    };
    let views = Sides {
        partner_center: view(&before),
        crm: view(&after),
    };
    let bases: Bases = before
        .iter()
        .map(|(unit, value)| (unit.clone(), Sides::of(|_: Side| Some(value.clone()))))
        .collect();
    let (policies, noticed, answers) = (Policies::default(), BTreeMap::new(), BTreeMap::new());
    let look = Look {
        views: &views,
        bases: &bases,
        policies: &policies,
        noticed: &noticed,
        answers: &answers,
    };
    let planned = each(|| drop(black_box(plan(black_box(look)))));
    let compared = each(|| {
        let alike = before
            .iter()
            .filter(|(unit, value)| same(value, &after[*unit]))
            .count();
        black_box(alike);
    });
    println!(
        "the plan of {} units, nearly all of them edited on one side",
        before.len()
    );
    println!("  plan                {planned:>10.1?}");
    println!("  comparing them once {compared:>10.1?}   (nothing can be planned without)");
    println!(
        "  plan / comparing    {:>8.1}     plan / {BUDGET:?} budget {:.2}",
        planned.as_secs_f64() / compared.as_secs_f64(),
        planned.as_secs_f64() / BUDGET.as_secs_f64()
    );
    assert!(planned <= BUDGET, "the plan takes longer than {BUDGET:?}");
}
