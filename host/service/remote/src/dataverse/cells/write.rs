//! Cells as members of a request.

use std::collections::BTreeMap;

use cosell_sync::deal::Money;
use cosell_sync::row::{Cell, Reason, Reference};
use rust_decimal::RoundingStrategy;

use crate::dataverse::cells::{
    Body, CURRENCY_COLUMN, CURRENCY_TABLE, Currency, Cut, World, seconds, words,
};
use crate::dataverse::metadata::{Choosable, Column, Kind, MoneyPrecision, Table};
use crate::http::{guid, readable};
use crate::json::{Exact, Raw, raw};

/// Writes cells. `row_currency`: what the row's amounts are in now, if it has any.
///
/// Every column that cannot be written is named, all together.
pub(in crate::dataverse) fn write(
    table: &Table,
    cells: &BTreeMap<String, Cell>,
    world: &World,
    creating: bool,
    row_currency: Option<&str>,
) -> Result<Body, Vec<Reason>> {
    let mut body = Body::default();
    let mut reasons = Vec::new();
    let mut currency: Option<&Currency> = None;
    for (name, cell) in cells {
        let Some(column) = table.column(name) else {
            reasons.push(reason(
                table,
                name,
                "no-such-column",
                "the table has no such column".to_owned(),
                "check the mapping, or create the column",
            ));
            continue;
        };
        if !(if creating {
            column.create
        } else {
            column.update
        }) {
            let when = if creating {
                "in a new row"
            } else {
                "in a row that is there"
            };
            reasons.push(reason(
                table,
                name,
                "read-only",
                format!("the column cannot be set {when}"),
                "leave it out of the mapping",
            ));
            continue;
        }
        if let Cell::Money(money) = cell {
            match (currency, world.by_code(&money.currency)) {
                (_, None) => {
                    let known: Vec<_> = world
                        .currencies
                        .iter()
                        .map(|currency| currency.code.as_str())
                        .collect();
                    let message = format!(
                        "the currency {} is not set up in the CRM, which has {}",
                        money.currency,
                        known.join(", ")
                    );
                    reasons.push(reason(
                        table,
                        name,
                        "currency-unknown",
                        message,
                        "set the currency up in the CRM",
                    ));
                    continue;
                }
                (Some(first), Some(second)) if first != second => {
                    let message = format!(
                        "one row has one currency, and both {} and {} were written",
                        first.code, second.code
                    );
                    reasons.push(reason(
                        table,
                        name,
                        "two-currencies",
                        message,
                        "write all amounts of a row in one currency",
                    ));
                    continue;
                }
                (_, found) => currency = found,
            }
        }
        if let Err(problem) = write_cell(
            table,
            column,
            cell,
            world,
            currency
                .map(|c| c.precision)
                .or(precision_of(world, row_currency)),
            &mut body,
        ) {
            reasons.push(reason(
                table,
                name,
                problem.code,
                problem.message,
                problem.hint,
            ));
        }
    }
    if let Some(currency) = currency
        && let Err(reason) = bind_currency(table, cells, currency, row_currency, &mut body)
    {
        reasons.push(reason);
    }
    if reasons.is_empty() {
        Ok(body)
    } else {
        Err(reasons)
    }
}

fn precision_of(world: &World, code: Option<&str>) -> Option<u32> {
    Some(world.by_code(code?)?.precision)
}

/// The row's currency goes along when it changes. Sent unchanged, it would still count as a change there, and be refused where the row has
/// products.
fn bind_currency(
    table: &Table,
    cells: &BTreeMap<String, Cell>,
    currency: &Currency,
    row_currency: Option<&str>,
    body: &mut Body,
) -> Result<(), Reason> {
    match cells.get(CURRENCY_COLUMN) {
        Some(Cell::Reference(named)) if named.id.eq_ignore_ascii_case(&currency.id) => {
            return Ok(());
        }
        Some(_) => {
            let message = format!(
                "the amounts are in {}, and the currency column was set to something else",
                currency.code
            );
            return Err(reason(
                table,
                CURRENCY_COLUMN,
                "two-currencies",
                message,
                "write the amount as money, and leave the currency column alone",
            ));
        }
        None => {}
    }
    if row_currency.is_none_or(|now| !now.eq_ignore_ascii_case(&currency.code)) {
        let navigation = table
            .navigation(CURRENCY_COLUMN, CURRENCY_TABLE)
            .unwrap_or(CURRENCY_COLUMN);
        body.members.insert(
            format!("{navigation}@odata.bind"),
            raw(&format!("/transactioncurrencies({})", currency.id)),
        );
    }
    Ok(())
}

struct Problem {
    code: &'static str,
    message: String,
    hint: &'static str,
}

fn problem(code: &'static str, message: String, hint: &'static str) -> Problem {
    Problem {
        code,
        message,
        hint,
    }
}

fn write_cell(
    table: &Table,
    column: &Column,
    cell: &Cell,
    world: &World,
    currency_precision: Option<u32>,
    body: &mut Body,
) -> Result<(), Problem> {
    let value = match (&column.kind, cell) {
        (Kind::Lookup(targets), _) => {
            return write_lookup(table, column, targets, cell, world, body);
        }
        (_, Cell::Empty) => null(),
        (Kind::Text { max }, Cell::Text(text)) => {
            if let Some(max) = max.filter(|max| length(text) > *max) {
                let message = format!(
                    "the text has {} characters, and the column takes {max}",
                    length(text)
                );
                return Err(problem(
                    "text-too-long",
                    message,
                    "shorten it, or make the column longer",
                ));
            }
            raw(text)
        }
        (Kind::LongText { max }, Cell::Text(text)) => match max.filter(|max| length(text) > *max) {
            Some(max) => {
                let short = cut(text, max);
                body.cut.push(Cut {
                    column: format!("{}.{}", table.name, column.name),
                    length: length(text),
                    kept: length(short),
                });
                raw(short)
            }
            None => raw(text),
        },
        (Kind::Guid, Cell::Text(text)) => match guid(text) {
            Some(id) => raw(&id),
            None => {
                return Err(problem(
                    "no-guid",
                    format!("\"{}\" is no unique identifier", readable(text)),
                    "",
                ));
            }
        },
        (Kind::Integer, Cell::Integer(number)) => raw(number),
        (Kind::BigInteger | Kind::Decimal | Kind::Double, Cell::Integer(number)) => raw(number),
        (Kind::Integer | Kind::BigInteger, Cell::Decimal(number)) => {
            let whole = number.normalize();
            if !whole.fract().is_zero()
                || (column.kind == Kind::Integer && i32::try_from(whole).is_err())
            {
                return Err(problem(
                    "no-whole-number",
                    format!("{number} is no whole number that fits"),
                    "round it in the mapping",
                ));
            }
            raw(&Exact(whole.trunc()))
        }
        (Kind::Decimal | Kind::Double, Cell::Decimal(number)) => raw(&Exact(*number)),
        (
            Kind::Money { precision, by },
            Cell::Money(Money { amount, .. }) | Cell::Decimal(amount),
        ) => {
            let places = match by {
                MoneyPrecision::Currency => currency_precision.unwrap_or(*precision),
                MoneyPrecision::Column => *precision,
            };
            raw(&Exact(amount.round_dp_with_strategy(
                places,
                RoundingStrategy::MidpointAwayFromZero,
            )))
        }
        (Kind::Money { .. }, Cell::Integer(amount)) => raw(amount),
        (Kind::Bool, Cell::Bool(flag)) => raw(flag),
        (Kind::Date, Cell::Date(date)) => raw(&date.to_string()),
        (Kind::Timestamp, Cell::Timestamp(moment)) => raw(&seconds(*moment).to_string()),
        (Kind::Choice(options), Cell::Choice(choice)) => raw(&known(options, choice.code)?),
        (Kind::Choices(options), Cell::Choices(choices)) => {
            let mut codes = choices
                .iter()
                .map(|choice| known(options, choice.code))
                .collect::<Result<Vec<_>, _>>()?;
            codes.sort_unstable();
            raw(&codes
                .iter()
                .map(i32::to_string)
                .collect::<Vec<_>>()
                .join(","))
        }
        (kind, cell) => return Err(wrong_kind(kind, cell)),
    };
    body.members.insert(column.name.clone(), value);
    Ok(())
}

fn wrong_kind(kind: &Kind, cell: &Cell) -> Problem {
    let hint = match (kind, cell) {
        (Kind::Timestamp, Cell::Date(_)) => {
            "people see a date there, but the column holds a moment that shifts by zone: give a timestamp, or make it date-only"
        }
        (Kind::Date, Cell::Timestamp(_)) => "give the day only",
        (Kind::Choice(_), _) => "give the option's code",
        _ => "",
    };
    problem(
        "wrong-kind",
        format!("expects {}, and got {}", kind.words(), words(cell)),
        hint,
    )
}

fn write_lookup(
    table: &Table,
    column: &Column,
    targets: &[String],
    cell: &Cell,
    world: &World,
    body: &mut Body,
) -> Result<(), Problem> {
    match cell {
        // A lookup to several tables has one property for each, and only one of them is filled: empty all.
        Cell::Empty => {
            let mut navigations: Vec<_> = targets
                .iter()
                .filter_map(|target| table.navigation(&column.name, target))
                .collect();
            navigations.dedup();
            if navigations.is_empty() {
                return Err(problem(
                    "no-way",
                    "the CRM names no property by which this lookup can be emptied".to_owned(),
                    "",
                ));
            }
            for navigation in navigations {
                body.members
                    .insert(format!("{navigation}@odata.bind"), null());
            }
            Ok(())
        }
        Cell::Reference(Reference {
            table: target, id, ..
        }) => {
            if !targets.is_empty() && !targets.contains(target) {
                return Err(problem(
                    "wrong-table",
                    format!("expects {}, and got a row of {target}", column.kind.words()),
                    "",
                ));
            }
            let Some(navigation) = table.navigation(&column.name, target) else {
                return Err(problem(
                    "no-way",
                    format!("the CRM names no property by which this lookup can point to {target}"),
                    "",
                ));
            };
            let Some(id) = guid(id) else {
                return Err(problem(
                    "no-guid",
                    format!("\"{}\" is no unique identifier", readable(id)),
                    "",
                ));
            };
            let Some(set) = world.sets.get(target) else {
                return Err(problem(
                    "no-such-table",
                    format!("the CRM has no table {target}"),
                    "",
                ));
            };
            body.members.insert(
                format!("{navigation}@odata.bind"),
                raw(&format!("/{set}({id})")),
            );
            Ok(())
        }
        other => Err(wrong_kind(&column.kind, other)),
    }
}

/// An empty list of options means that the CRM did not tell them; then it is the judge.
fn known(options: &[Choosable], code: i32) -> Result<i32, Problem> {
    if options.is_empty() || options.iter().any(|option| option.code == code) {
        return Ok(code);
    }
    let all: Vec<_> = options
        .iter()
        .take(20)
        .map(|option| format!("{} {}", option.code, option.label.as_deref().unwrap_or("?")))
        .collect();
    Err(problem(
        "no-such-option",
        format!("there is no option {code}; there are {}", all.join(", ")),
        "add the option, or map to one of these",
    ))
}

fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// As much of a text as fits, without cutting a character in two.
fn cut(text: &str, max: usize) -> &str {
    let mut units = 0;
    for (at, character) in text.char_indices() {
        units += character.len_utf16();
        if units > max {
            return &text[..at];
        }
    }
    text
}

fn null() -> Raw {
    raw(&None::<bool>)
}

fn reason(table: &Table, column: &str, code: &str, message: String, hint: &str) -> Reason {
    let hint = (!hint.is_empty()).then(|| hint.to_owned());
    Reason {
        code: code.to_owned(),
        message,
        about: Some(format!("{}.{column}", table.name)),
        hint,
    }
}
