//! Parts of a mapping that more than one plugin needs; the stock plugins are made of them, and yours may be too.
//!
//! Each part knows one thing of a CRM: the columns of Microsoft's co-sell connector, a person in a row, an address in a row, the
//! owner, a table of solutions, a column of codes. It brings what the three questions need: what to declare, facts out of a row,
//! changes for a row.

pub mod codes;
pub mod company;
pub mod connector;
pub mod help;
pub mod people;
pub mod sellers;
pub mod solutions;

pub use codes::Codes;
pub use solutions::SolutionTable;

use crate::types::{Deal, Fact, Reason, Row, Unit, Value};

/// What a deal is called. One without a name is called after who buys what: `Contoso Kft. @ Data platform`.
#[must_use]
pub fn called(deal: &Deal) -> Option<String> {
    let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    said(&deal.name).or_else(|| {
        let solution = deal.solutions.first().and_then(|first| said(&first.name));
        let parts: Vec<String> = said(&deal.company.name)
            .into_iter()
            .chain(solution)
            .collect();
        said(&parts.join(" @ "))
    })
}

/// The close date in this column; a column that was not read says nothing. One that holds a moment would move the day for everybody east
/// or west of Greenwich, so it is refused and not read as a day.
#[must_use]
pub fn close_date(row: &Row, column: &str) -> Option<Fact> {
    match row.cell(column)? {
        Value::Date(day) => Some(Fact::CloseDate(Some(day.clone()))),
        Value::Empty => Some(Fact::CloseDate(None)),
        _ => Some(Fact::refuse(
            Unit::CloseDate,
            Reason::new(
                "close-date-not-a-day",
                format!("the column {column} holds a time of day, which moves the day between time zones"),
            )
            .about_column(row.table.as_str(), column)
            .hint("let the column's behaviour be \"Date Only\""),
        )),
    }
}

/// At most so many characters, as the CRM counts them (UTF-16), and never half of one. Of a single-line column a longer text stops the
/// write.
#[must_use]
pub fn cut(text: &str, units_max: usize) -> String {
    let mut units = 0;
    text.chars()
        .take_while(|character| {
            units += character.len_utf16();
            units <= units_max
        })
        .collect()
}

/// A text that says something, without the blanks around it.
#[must_use]
pub fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}
