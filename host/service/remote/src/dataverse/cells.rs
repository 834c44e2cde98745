//! Cells ⇄ JSON, by the CRM's own metadata. Pure.

use std::collections::BTreeMap;
use std::str::FromStr;

use cosell_sync::deal::{Date, Decimal, Money, Timestamp};
use cosell_sync::row::{Cell, Choice, Reason, Reference, Row};
use rust_decimal::RoundingStrategy;

use crate::dataverse::metadata::{Choosable, Column, Kind, MoneyPrecision, Table};
use crate::http::guid;
use crate::json::{self, Exact, Object, Raw, raw};

/// Platform's column for the currency of a row's amounts.
pub(super) const CURRENCY_COLUMN: &str = "transactioncurrencyid";

/// Platform's table of currencies.
pub(super) const CURRENCY_TABLE: &str = "transactioncurrency";

/// A multi-line text that did not fit and was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// `opportunity.description`
    pub column: String,
    /// What it was, in UTF-16 units, as the CRM counts.
    pub length: usize,
    /// What is left of it.
    pub kept: usize,
}

/// A currency that the organisation has set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Currency {
    /// GUID of its row.
    pub(super) id: String,
    /// ISO 4217.
    pub(super) code: String,
    /// Decimal places.
    pub(super) precision: u32,
}

/// What must be known beside the table itself.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) currencies: Vec<Currency>,
    /// Logical name to set name, of every table that a reference points to.
    pub(super) sets: BTreeMap<String, String>,
}

impl World {
    pub(super) fn by_id(&self, id: &str) -> Option<&Currency> {
        self.currencies
            .iter()
            .find(|currency| currency.id.eq_ignore_ascii_case(id))
    }

    fn by_code(&self, code: &str) -> Option<&Currency> {
        self.currencies
            .iter()
            .find(|currency| currency.code.eq_ignore_ascii_case(code))
    }
}

/// Members of a request body, and what had to be cut.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) members: Object,
    pub(super) cut: Vec<Cut>,
}

/// Writes cells. `row_currency`: what the row's amounts are in now, if it has any.
///
/// Every column that cannot be written is named, all together.
pub(super) fn write(
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
                    format!(
                        "\"{}\" is no unique identifier",
                        crate::http::readable(text)
                    ),
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
                    format!("\"{}\" is no unique identifier", crate::http::readable(id)),
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

/// What a cell is, for people.
pub(super) fn words(cell: &Cell) -> String {
    match cell {
        Cell::Empty => "nothing".to_owned(),
        Cell::Text(text) => format!("text \"{}\"", text.chars().take(40).collect::<String>()),
        Cell::Integer(number) => format!("the whole number {number}"),
        Cell::Decimal(number) => format!("the number {number}"),
        Cell::Money(money) => format!("money {} {}", money.amount, money.currency),
        Cell::Bool(flag) => format!("yes/no {flag}"),
        Cell::Date(date) => format!("the date {date}"),
        Cell::Timestamp(moment) => format!("the moment {moment}"),
        Cell::Choice(choice) => format!("the option {}", choice.code),
        Cell::Choices(_) => "a list of options".to_owned(),
        Cell::Reference(reference) => format!("a reference to {}", reference.table),
        Cell::RowWhere(key) => format!("a reference to {} by key", key.table),
    }
}

/// The CRM keeps no fraction of a second.
pub(super) fn seconds(moment: Timestamp) -> Timestamp {
    let whole = moment.as_second() - i64::from(moment.subsec_nanosecond() < 0);
    Timestamp::from_second(whole).unwrap_or(moment)
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

/// Reads a row. Every asked column must be there, because an answer without it would look like an emptied column.
pub(super) fn read_row<'a>(
    table: &Table,
    members: &Object,
    columns: impl IntoIterator<Item = &'a str>,
    world: &World,
) -> Result<Row, String> {
    let id = members
        .get(&table.id_column)
        .and_then(|id| guid(&json::text(id)?));
    let id = id.ok_or_else(|| {
        format!(
            "a row of {} came without its {}",
            table.name, table.id_column
        )
    })?;
    let currency = currency_of(members, world);
    let mut cells = BTreeMap::new();
    for name in columns {
        let column = table
            .column(name)
            .ok_or_else(|| format!("{} has no column {name}", table.name))?;
        let cell = read_cell(table, column, members, currency)
            .map_err(|problem| format!("{}.{name} {problem}", table.name))?;
        cells.insert(name.to_owned(), cell);
    }
    Ok(Row {
        table: table.name.clone(),
        id,
        cells,
    })
}

/// What the row's amounts are in.
pub(super) fn currency_of<'w>(members: &Object, world: &'w World) -> Option<&'w str> {
    let id = members
        .get("_transactioncurrencyid_value")
        .and_then(|id| json::text(id))?;
    world.by_id(&id).map(|currency| currency.code.as_str())
}

const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
const LOOKUP_TABLE: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";

fn read_cell(
    table: &Table,
    column: &Column,
    members: &Object,
    currency: Option<&str>,
) -> Result<Cell, String> {
    let wire = table.wire_name(&column.name);
    let value = members
        .get(&wire)
        .ok_or_else(|| "is missing in the answer".to_owned())?;
    if json::is_null(value) {
        return Ok(Cell::Empty);
    }
    let shown = || {
        members
            .get(&format!("{wire}@{FORMATTED}"))
            .and_then(|label| json::text(label))
    };
    let text = json::text(value).ok_or_else(|| "holds no plain value".to_owned())?;
    let wrong = || {
        format!(
            "is {} and came as {}",
            column.kind.words(),
            text.chars().take(40).collect::<String>()
        )
    };
    let number = || json::decimal(value).ok_or_else(wrong);
    Ok(match &column.kind {
        Kind::Text { .. } | Kind::LongText { .. } if text.is_empty() => Cell::Empty,
        Kind::Text { .. } | Kind::LongText { .. } | Kind::Guid => Cell::Text(text),
        Kind::Integer => Cell::Integer(text.parse().map_err(|_| wrong())?),
        Kind::BigInteger | Kind::Decimal | Kind::Double => Cell::Decimal(number()?),
        // Base amounts are in the organisation's currency, not in the row's.
        Kind::Money { .. } => match currency {
            Some(currency) if !column.name.ends_with("_base") => Cell::Money(Money {
                amount: number()?,
                currency: currency.to_owned(),
            }),
            _ => Cell::Decimal(number()?),
        },
        Kind::Bool => Cell::Bool(text.parse().map_err(|_| wrong())?),
        Kind::Date => {
            Cell::Date(Date::from_str(text.get(..10).unwrap_or(&text)).map_err(|_| wrong())?)
        }
        Kind::Timestamp => Cell::Timestamp(seconds(json::moment(&text).ok_or_else(wrong)?)),
        Kind::Choice(options) => {
            Cell::Choice(choice(options, text.parse().map_err(|_| wrong())?, shown()))
        }
        Kind::Choices(options) => {
            let codes = text
                .split(',')
                .map(|code| code.trim().parse::<i32>())
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| wrong())?;
            let mut choices: Vec<_> = codes
                .into_iter()
                .map(|code| choice(options, code, None))
                .collect();
            choices.sort_unstable_by_key(|choice| choice.code);
            Cell::Choices(choices)
        }
        Kind::Lookup(targets) => {
            let named = members
                .get(&format!("{wire}@{LOOKUP_TABLE}"))
                .and_then(|name| json::filled(name));
            let target = match (named, targets.as_slice()) {
                (Some(named), _) => named,
                (None, [only]) => only.clone(),
                (None, _) => {
                    return Err(
                        "may point to several tables, and the answer does not say to which"
                            .to_owned(),
                    );
                }
            };
            Cell::Reference(Reference {
                table: target,
                id: guid(&text).ok_or_else(wrong)?,
                name: shown(),
            })
        }
        Kind::Other(_) => return Err(format!("is {}", column.kind.words())),
    })
}

fn choice(options: &[Choosable], code: i32, shown: Option<String>) -> Choice {
    let label = shown.or_else(|| {
        options
            .iter()
            .find(|option| option.code == code)
            .and_then(|option| option.label.clone())
    });
    Choice { code, label }
}

/// A value in `$filter`, and in an alternate key. None when the column cannot be compared with such a cell.
pub(super) fn literal(column: &Column, cell: &Cell) -> Option<String> {
    Some(match (&column.kind, cell) {
        (Kind::Text { .. } | Kind::LongText { .. }, Cell::Text(text)) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        (Kind::Guid, Cell::Text(id)) => guid(id)?,
        (
            Kind::Integer | Kind::BigInteger | Kind::Decimal | Kind::Double | Kind::Money { .. },
            Cell::Integer(number),
        ) => number.to_string(),
        (
            Kind::Integer | Kind::BigInteger | Kind::Decimal | Kind::Double | Kind::Money { .. },
            Cell::Decimal(number),
        ) => number.to_string(),
        (Kind::Money { .. }, Cell::Money(money)) => money.amount.to_string(),
        (Kind::Bool, Cell::Bool(flag)) => flag.to_string(),
        (Kind::Date, Cell::Date(date)) => date.to_string(),
        (Kind::Timestamp, Cell::Timestamp(moment)) => seconds(*moment).to_string(),
        (Kind::Choice(_), Cell::Choice(choice)) => choice.code.to_string(),
        (Kind::Choice(_), Cell::Integer(code)) => code.to_string(),
        (Kind::Lookup(_), Cell::Reference(reference)) => guid(&reference.id)?,
        _ => return None,
    })
}

/// A text as a value of the column: how keys come.
pub(super) fn from_text(column: &Column, text: &str) -> Option<Cell> {
    let trimmed = text.trim();
    Some(match &column.kind {
        Kind::Text { .. } | Kind::LongText { .. } => Cell::Text(text.to_owned()),
        Kind::Guid => Cell::Text(guid(trimmed)?),
        Kind::Integer => Cell::Integer(trimmed.parse().ok()?),
        Kind::BigInteger | Kind::Decimal | Kind::Double | Kind::Money { .. } => {
            Cell::Decimal(json::decimal_of_text(trimmed)?)
        }
        Kind::Bool => Cell::Bool(match trimmed {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => return None,
        }),
        Kind::Date => Cell::Date(Date::from_str(trimmed).ok()?),
        Kind::Timestamp => Cell::Timestamp(json::moment(trimmed)?),
        Kind::Choice(_) => Cell::Choice(Choice {
            code: trimmed.parse().ok()?,
            label: None,
        }),
        Kind::Lookup(targets) => Cell::Reference(Reference {
            table: targets.first()?.clone(),
            id: guid(trimmed)?,
            name: None,
        }),
        Kind::Choices(_) | Kind::Other(_) => return None,
    })
}

/// The number of a currency's decimal places, as the CRM writes it.
pub(super) fn places(raw: &Raw) -> u32 {
    json::decimal(raw)
        .and_then(|number: Decimal| u32::try_from(number).ok())
        .unwrap_or(2)
}

#[cfg(test)]
mod tests;
