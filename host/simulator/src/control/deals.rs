//! Both sides of every deal in one list: what a person wants to see first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Control;
use crate::referrals::MICROSOFT;

/// Column that holds the referral's id in the CRM.
const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";

/// What of each table is shown.
const COLUMNS: [(&str, &[&str]); 2] = [
    (
        "opportunity",
        &[
            "name",
            "estimatedvalue",
            "statecode",
            "_customerid_value",
            IDENTIFIER,
        ],
    ),
    (
        "lead",
        &[
            "subject",
            "companyname",
            "estimatedvalue",
            "statecode",
            IDENTIFIER,
        ],
    ),
];

/// A deal: a partner's referral, a row of the CRM, or both where the one names the other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deal {
    /// The deal's name, at Partner Center if it is there.
    pub name: String,
    /// The customer's.
    pub customer: String,
    /// Value and currency, such as `5000 USD`.
    pub value: String,
    /// The partner's referral.
    pub referral: Option<String>,
    /// Its state, such as `Active/Accepted`.
    pub referral_state: Option<String>,
    /// The state of Microsoft's referral in the engagement.
    pub microsoft_state: Option<String>,
    /// Table of the row.
    pub table: Option<String>,
    /// The row.
    pub row: Option<String>,
    /// Its state, such as `Open`.
    pub row_state: Option<String>,
}

impl Control {
    /// Every deal, those at Partner Center first. With `find` only those in whose name, customer or ids it stands.
    pub fn deals(&self, find: &str) -> Vec<Deal> {
        let find = find.to_lowercase();
        let names = self.customers();
        let mut rows = BTreeMap::new();
        let mut named = BTreeMap::new();
        for (table, properties) in COLUMNS {
            for row in self.world.dataverse.glance(table, properties) {
                let id = text(&row, &format!("{table}id"));
                if let Some(referral) = row[IDENTIFIER].as_str() {
                    // A qualified lead names the referral that its opportunity goes on with.
                    named
                        .entry(referral.to_lowercase())
                        .or_insert_with(|| id.clone());
                }
                rows.insert(id, (table, row));
            }
        }
        let mut deals = Vec::new();
        {
            let book = self.world.referrals.book();
            for referral in book
                .all()
                .filter(|held| held["organizationId"] != MICROSOFT)
            {
                let theirs = book
                    .in_engagement(&text(referral, "engagementId"), MICROSOFT)
                    .and_then(|id| book.get(id));
                let external = text(referral, "externalReferenceId").to_lowercase();
                let row = match rows.contains_key(&external) {
                    true => Some(external),
                    false => named.get(&text(referral, "id")).cloned(),
                };
                let mut deal = of_referral(referral, theirs);
                if let Some((table, row)) = row.and_then(|id| rows.remove(&id)) {
                    let customer = customer_of(&row, &names);
                    of_row(&mut deal, table, &row, &customer);
                }
                deals.push(deal);
            }
        }
        for (table, row) in rows.values() {
            let mut deal = Deal::default();
            of_row(&mut deal, table, row, &customer_of(row, &names));
            deals.push(deal);
        }
        deals.retain(|deal| {
            let ids = [&deal.referral, &deal.row].into_iter().flatten();
            let mut words = ids.chain([&deal.name, &deal.customer]);
            find.is_empty() || words.any(|word| word.to_lowercase().contains(&find))
        });
        deals
    }

    /// Names of accounts and contacts.
    fn customers(&self) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for (table, name) in [("account", "name"), ("contact", "fullname")] {
            let rows = self.world.dataverse.glance(table, &[name]);
            names.extend(
                rows.iter()
                    .map(|row| (text(row, &format!("{table}id")), text(row, name))),
            );
        }
        names
    }

    /// The name of the account or contact that one opportunity is for.
    pub(crate) fn customer_of(&self, row: &Value) -> String {
        let id = text(row, "_customerid_value");
        let named = |table: &str, name: &str| Some(text(&self.row(table, &id)?, name));
        let named = named("account", "name").or_else(|| named("contact", "fullname"));
        named.unwrap_or_default()
    }

    /// The row that a referral names as its own: table and id.
    pub(crate) fn row_of(&self, referral: &Value) -> Option<(&'static str, String)> {
        let id = text(referral, "externalReferenceId");
        let tables = ["opportunity", "lead"].into_iter();
        let table = tables
            .into_iter()
            .find(|table| self.row(table, &id).is_some())?;
        Some((table, id))
    }
}

fn customer_of(row: &Value, names: &BTreeMap<String, String>) -> String {
    let id = text(row, "_customerid_value");
    names.get(&id).cloned().unwrap_or_default()
}

fn of_referral(referral: &Value, microsoft: Option<&Value>) -> Deal {
    Deal {
        name: text(referral, "name"),
        customer: text(&referral["customerProfile"], "name"),
        value: format!(
            "{} {}",
            referral["details"]["dealValue"],
            text(&referral["details"], "currency")
        ),
        referral: Some(text(referral, "id")),
        referral_state: Some(state(referral)),
        microsoft_state: microsoft.map(state),
        ..Deal::default()
    }
}

/// What a row adds to a deal, or all of it when there is no referral.
fn of_row(deal: &mut Deal, table: &str, row: &Value, customer: &str) {
    if deal.referral.is_none() {
        deal.name = text(row, if table == "lead" { "subject" } else { "name" });
        deal.customer = match table {
            "lead" => text(row, "companyname"),
            _ => customer.to_owned(),
        };
        deal.value = match &row["estimatedvalue"] {
            Value::Null => String::new(),
            value => value.to_string(),
        };
    }
    deal.table = Some(table.to_owned());
    deal.row = Some(text(row, &format!("{table}id")));
    deal.row_state = Some(row_state(table, row).to_owned());
}

/// Both halves of a referral's state.
pub(crate) fn state(referral: &Value) -> String {
    format!(
        "{}/{}",
        text(referral, "status"),
        text(referral, "substatus")
    )
}

/// The state of a lead or opportunity, as people call it.
pub(crate) fn row_state(table: &str, row: &Value) -> &'static str {
    match (table, row["statecode"].as_i64()) {
        ("opportunity", Some(1)) => "Won",
        ("opportunity", Some(2)) => "Lost",
        ("lead", Some(1)) => "Qualified",
        ("lead", Some(2)) => "Disqualified",
        _ => "Open",
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}
