//! Deals and rows as no example has them: emptied, overlong, in other scripts, in kinds that the column never had. What a plugin is shown is still
//! what the contract allows: the columns that it declared, the joins that it named.

use crate::bindings::cosell::mapping::types as wit;
use crate::convert::given::Columns;
use crate::declared::Declared;
use crate::standard::ROW_ID;

use super::dice::Dice;

const TEXTS: [&str; 20] = [
    "",
    " ",
    "Contoso Kft.",
    "Váci út 1.",
    "e\u{301}\u{301}\u{301}",
    "👩‍👩‍👧 & co",
    "\u{202e}desrever",
    "first line\nsecond\r\n\tthird",
    "'; drop table opportunity; --",
    "%_[*]",
    "null",
    "undefined",
    "0",
    "-1",
    "1e400",
    "12k",
    "../../etc/passwd",
    "a,b;c|d",
    "\u{1}\u{7f}",
    "ﬁ İ ß ẞ",
];
const DECIMALS: [&str; 8] = [
    "0",
    "0.00",
    "-1",
    "125000.00",
    "79228162514264337593543950335",
    "0.0000000001",
    "922337203685477.5807",
    "3.10",
];
const CURRENCIES: [&str; 5] = ["EUR", "USD", "HUF", "JPY", "XXX"];
const DAYS: [&str; 5] = [
    "2026-12-15",
    "1900-01-01",
    "2024-02-29",
    "9999-12-31",
    "2000-06-01",
];
const MOMENTS: [&str; 3] = [
    "2026-09-30T14:05:00Z",
    "1900-01-01T00:00:00Z",
    "9999-12-31T23:59:59.9999999Z",
];
const COUNTRIES: [&str; 6] = ["HU", "DE", "US", "GB", "XK", "AQ"];
/// Longer than any column that is not a memo.
const LONG_CHARS: usize = 5_000;

/// What a question starts from.
pub(super) fn subject(declared: &Declared, question: &str, dice: &mut Dice) -> Vec<wit::Given> {
    let mut givens = facts(dice);
    let (hook, function) = question.split_once('.').unwrap_or((question, ""));
    match (hook, function) {
        ("opportunity" | "lead" | "status", _) | ("country", "to-deal") => {
            let table = match hook {
                "lead" => "lead",
                "opportunity" => "opportunity",
                _ => dice.pick(&["opportunity", "lead"]),
            };
            if function == "to-deal" || dice.one_in(2) {
                record(declared, table, dice, &mut givens);
            }
        }
        ("should-sync", _) if dice.one_in(2) => {
            let table = dice.pick(&["opportunity", "lead"]);
            record(declared, table, dice, &mut givens);
        }
        ("country", _) => {
            givens.push(wit::Given::Text((*dice.pick(&COUNTRIES)).to_owned()));
            if dice.one_in(2) {
                let table = *dice.pick(&["account", "lead"]);
                givens.push(wit::Given::Row(row(declared, table, dice)));
            }
        }
        ("account" | "contact", "choose") => {
            for _ in 0..dice.below(4) {
                givens.push(wit::Given::Candidate(candidate(declared, hook, dice)));
            }
        }
        ("account" | "contact", "to-row") if dice.one_in(2) => {
            givens.push(wit::Given::Row(row(declared, hook, dice)));
        }
        ("decorate", _) => givens.push(wit::Given::Outcome(outcome(dice))),
        _ => {}
    }
    givens
}

fn record(declared: &Declared, table: &str, dice: &mut Dice, givens: &mut Vec<wit::Given>) {
    let mut record = row(declared, table, dice);
    record.id = ROW_ID.to_owned();
    givens.push(wit::Given::Row(record));
    for join in &declared.joins {
        let many = !matches!(join.via, cosell_sync::row::Link::Lookup(_));
        let count = dice.below(if many { 4 } else { 2 });
        let columns = join.columns.iter().map(String::as_str);
        let columns: Vec<&str> = columns.collect();
        let rows = (0..count).map(|_| filled(&join.table, &columns, dice));
        givens.push(wit::Given::Related(wit::Related {
            label: join.label.clone(),
            rows: rows.collect(),
        }));
    }
}

/// The row of this table with every column that the plugin declared.
fn row(declared: &Declared, table: &str, dice: &mut Dice) -> wit::Row {
    filled(table, &declared_columns(&[&declared.reads], table), dice)
}

/// An answer to a query, with the columns that were asked for.
pub(super) fn found(query: &wit::Query, dice: &mut Dice) -> wit::Found {
    let columns: Vec<&str> = query.columns.iter().map(String::as_str).collect();
    let count = dice.below(3).min(usize::from(query.limit));
    wit::Found {
        label: query.label.clone(),
        rows: (0..count)
            .map(|_| filled(&query.table, &columns, dice))
            .collect(),
        cut: dice.one_in(8),
    }
}

fn candidate(declared: &Declared, table: &str, dice: &mut Dice) -> wit::Candidate {
    let columns = declared_columns(&[&declared.reads, &declared.asks], table);
    let row = filled(table, &columns, dice);
    let mut found_by = vec![(*dice.pick(&["name", "duns", "domain"])).to_owned()];
    if dice.one_in(2) {
        found_by.push("identifies".to_owned());
    }
    wit::Candidate { row, found_by }
}

fn declared_columns<'a>(among: &[&'a Columns], table: &str) -> Vec<&'a str> {
    let mut columns: Vec<&str> = among
        .iter()
        .filter_map(|columns| columns.get(table))
        .flatten()
        .map(String::as_str)
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

fn filled(table: &str, columns: &[&str], dice: &mut Dice) -> wit::Row {
    wit::Row {
        table: table.to_owned(),
        // No two rows of a CRM have the same.
        id: dice.row_id(),
        cells: columns
            .iter()
            .map(|column| ((*column).to_owned(), value(column, dice)))
            .collect(),
    }
}

/// Any kind: an author knows which kind a column has, and an organisation may have made it anew.
fn value(column: &str, dice: &mut Dice) -> wit::Value {
    // The platform's own two are what they are everywhere.
    if matches!(column, "statecode" | "statuscode") {
        return wit::Value::Choice(choice(dice));
    }
    match dice.below(12) {
        0..=2 => wit::Value::Empty,
        3 | 4 => wit::Value::Text(text(dice)),
        5 => wit::Value::Integer(*dice.pick(&[0, 1, -1, i32::MAX, i32::MIN])),
        6 => wit::Value::Money(money(dice)),
        7 => wit::Value::Boolean(dice.one_in(2)),
        8 => wit::Value::Date((*dice.pick(&DAYS)).to_owned()),
        9 => wit::Value::Choice(choice(dice)),
        10 => wit::Value::Reference(wit::Reference {
            table: (*dice.pick(&["account", "contact", "systemuser", "team"])).to_owned(),
            id: dice.row_id(),
            name: dice.one_in(2).then(|| text(dice)),
        }),
        _ => match dice.below(3) {
            0 => wit::Value::Decimal((*dice.pick(&DECIMALS)).to_owned()),
            1 => wit::Value::Timestamp((*dice.pick(&MOMENTS)).to_owned()),
            _ => wit::Value::Choices((0..dice.below(3)).map(|_| choice(dice)).collect()),
        },
    }
}

fn choice(dice: &mut Dice) -> wit::Choice {
    wit::Choice {
        code: *dice.pick(&[0, 1, 2, 3, 4, 5, -1, 100_000_000, 100_000_004, 192_350_000]),
        label: dice.one_in(2).then(|| text(dice)),
    }
}

fn money(dice: &mut Dice) -> wit::Money {
    wit::Money {
        amount: (*dice.pick(&DECIMALS)).to_owned(),
        currency: (*dice.pick(&CURRENCIES)).to_owned(),
    }
}

fn text(dice: &mut Dice) -> String {
    if dice.one_in(12) {
        return "x".repeat(LONG_CHARS);
    }
    (*dice.pick(&TEXTS)).to_owned()
}

fn maybe(dice: &mut Dice) -> Option<String> {
    (!dice.one_in(3)).then(|| text(dice))
}

/// Each unit is that of the standard deal, or another one.
fn facts(dice: &mut Dice) -> Vec<wit::Given> {
    use wit::Fact;
    let mut facts = Vec::new();
    for unit in 0..17 {
        if !dice.one_in(3) {
            continue;
        }
        facts.push(match unit {
            0 => Fact::Name(text(dice)),
            1 => Fact::Value((!dice.one_in(3)).then(|| money(dice))),
            2 => Fact::CloseDate((!dice.one_in(3)).then(|| (*dice.pick(&DAYS)).to_owned())),
            3 => Fact::Notes(maybe(dice)),
            4 => Fact::SalesStage(maybe(dice)),
            5 => Fact::Campaign(maybe(dice)),
            6 => Fact::Visibility(dice.one_in(2)),
            7 => Fact::Help((!dice.one_in(3)).then(|| help(dice))),
            8 => Fact::CompanyName(text(dice)),
            9 => Fact::CompanySize(maybe(dice)),
            10 => Fact::CompanyIds((0..dice.below(3)).map(|_| external_id(dice)).collect()),
            11 => Fact::Address(address(dice)),
            12 => Fact::Contacts((0..dice.below(30)).map(|_| person(dice)).collect()),
            13 => Fact::Team((0..dice.below(4)).map(|_| person(dice)).collect()),
            14 => Fact::Solutions(solutions(dice)),
            15 => Fact::ExternalReference(maybe(dice)),
            _ => Fact::More(("solution-area".to_owned(), wit::Value::Text(text(dice)))),
        });
    }
    let mut givens: Vec<wit::Given> = facts.into_iter().map(wit::Given::Fact).collect();
    if dice.one_in(2) {
        givens.push(wit::Given::State(wit::DealState {
            standing: standing(dice),
            reason: maybe(dice),
        }));
    }
    givens
}

fn standing(dice: &mut Dice) -> wit::Standing {
    use wit::Standing;
    match dice.below(9) {
        0 => Standing::Pending,
        1 => Standing::Received,
        2 => Standing::Accepted,
        3 => Standing::Won,
        4 => Standing::Lost,
        5 => Standing::Declined,
        6 => Standing::Expired,
        7 => Standing::Error,
        _ => Standing::Unlisted("Reopened".to_owned()),
    }
}

fn help(dice: &mut Dice) -> wit::Help {
    use wit::Help;
    match dice.below(7) {
        0 => Help::WorkloadValueProposition,
        1 => Help::TechnicalArchitecture,
        2 => Help::ProofOfConceptOrDemo,
        3 => Help::QuotesOrLicensing,
        4 => Help::PostSalesSuccess,
        5 => Help::GeneralOrOther,
        _ => Help::Unlisted("T-Something-New".to_owned()),
    }
}

fn external_id(dice: &mut Dice) -> wit::ExternalId {
    wit::ExternalId {
        scheme: (*dice.pick(&["duns", "external", "acme"])).to_owned(),
        id: text(dice),
    }
}

fn address(dice: &mut Dice) -> wit::Address {
    wit::Address {
        line1: maybe(dice),
        line2: maybe(dice),
        city: maybe(dice),
        state: maybe(dice),
        postal_code: maybe(dice),
        region: maybe(dice),
        country: (!dice.one_in(3)).then(|| (*dice.pick(&COUNTRIES)).to_owned()),
    }
}

fn person(dice: &mut Dice) -> wit::Person {
    wit::Person {
        first_name: maybe(dice),
        last_name: maybe(dice),
        email: maybe(dice),
        phone: maybe(dice),
        title: maybe(dice),
        more: Vec::new(),
    }
}

/// Ids are what tells them apart, so no two are the same.
fn solutions(dice: &mut Dice) -> Vec<wit::Solution> {
    (0..dice.below(5))
        .map(|number| wit::Solution {
            id: format!("SOL-{number}-{}", dice.below(1_000)),
            name: text(dice),
            kind: Some((*dice.pick(&["1P", "3P", "?"])).to_owned()),
            publisher: maybe(dice),
            price: dice.one_in(2).then(|| money(dice)),
            quantity: dice.one_in(2).then(|| (*dice.pick(&DECIMALS)).to_owned()),
            close_date: dice.one_in(2).then(|| (*dice.pick(&DAYS)).to_owned()),
            more: Vec::new(),
        })
        .collect()
}

fn outcome(dice: &mut Dice) -> wit::Outcome {
    let mut reason = || wit::Reason {
        code: "some-reason".to_owned(),
        message: text(dice),
        about: None,
        hint: None,
    };
    match reason().message.len() % 3 {
        0 => wit::Outcome::InStep,
        1 => wit::Outcome::Failed(vec![reason()]),
        _ => wit::Outcome::Paused(reason()),
    }
}
