//! One organisation, asked and written to.

mod following;
mod reading;
mod writing;

use std::collections::{BTreeMap, BTreeSet};

use cosell_sync::deal::Money;
use cosell_sync::row::{Cell, Join, Link};

use crate::fake::{Reply, reply};
use crate::organisation::OPPORTUNITY;

pub(crate) fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

pub(crate) fn cells<const N: usize>(cells: [(&str, Cell); N]) -> BTreeMap<String, Cell> {
    cells
        .into_iter()
        .map(|(name, cell)| (name.to_owned(), cell))
        .collect()
}

pub(crate) fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

pub(crate) fn money(amount: &str, currency: &str) -> Cell {
    Cell::Money(Money {
        amount: amount.parse().unwrap(),
        currency: currency.to_owned(),
    })
}

pub(crate) fn join(label: &str, above: &str, table: &str, via: Link, columns: &[&str]) -> Join {
    Join {
        label: label.to_owned(),
        above: above.to_owned(),
        table: table.to_owned(),
        via,
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
    }
}

/// A row as the server shows it, with its key and version.
pub(crate) fn row(members: &str) -> String {
    format!(
        r#"{{"@odata.context":"c","@odata.etag":"W/\"8\"","opportunityid":"{OPPORTUNITY}",{members}}}"#
    )
}

pub(crate) fn error(status: u16, code: &str) -> Reply {
    reply(
        status,
        format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#),
    )
}
