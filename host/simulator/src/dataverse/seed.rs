//! What a new organisation holds: units, users, currencies, messages, the solution catalogue, and the configured rows.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::refusal::Refusal;
use super::session::Session;
use super::store::{Cell, Db};
use super::{CrmUsers, write};
use crate::config::SimulatorConfig;

/// Code, name, symbol, decimals, units for one euro.
const CURRENCIES: [(&str, &str, &str, i64, &str); 10] = [
    ("EUR", "Euro", "€", 2, "1"),
    ("USD", "US Dollar", "$", 2, "1.08"),
    ("GBP", "Pound Sterling", "£", 2, "0.85"),
    ("HUF", "Hungarian Forint", "Ft", 2, "395"),
    ("CHF", "Swiss Franc", "CHF", 2, "0.95"),
    ("CZK", "Czech Koruna", "Kč", 2, "25"),
    ("PLN", "Polish Zloty", "zł", 2, "4.3"),
    ("SEK", "Swedish Krona", "kr", 2, "11.4"),
    ("DKK", "Danish Krone", "kr.", 2, "7.46"),
    ("JPY", "Yen", "¥", 0, "162"),
];
/// Messages that a step can be registered for, and the tables that have them; an empty list means every table.
const MESSAGES: [(&str, &[&str]); 10] = [
    ("Create", &[]),
    ("Update", &[]),
    ("Delete", &[]),
    ("Win", &["opportunity"]),
    ("Lose", &["opportunity"]),
    ("QualifyLead", &["lead"]),
    ("Assign", &[]),
    ("Merge", &["account", "contact"]),
    // These two belong to no table: a step for them has no filter.
    ("Associate", &["none"]),
    ("Disassociate", &["none"]),
];
/// Messages about many rows at once; every table has them. Planted last, so that what is older keeps its ids.
const MESSAGES_OF_MANY: [&str; 2] = ["CreateMultiple", "UpdateMultiple"];
/// Tables that raise events.
const LOUD: [&str; 8] = [
    "account",
    "contact",
    "lead",
    "opportunity",
    "opportunityclose",
    "msft_partnercentersolution",
    "msft_microsoftsolutiondetail",
    "systemuser",
];
/// The catalogue that sellers pick from.
const SOLUTIONS: [(&str, &str, &str, &str); 3] = [
    (
        "SOL-12345-ABC",
        "Contoso Analytics",
        "3P",
        "Contoso Partner",
    ),
    (
        "SOL-23456-DEF",
        "Contoso Data Platform",
        "3P",
        "Contoso Partner",
    ),
    (
        "SOL-34567-GHI",
        "Contoso Managed Azure",
        "3P",
        "Contoso Partner",
    ),
];

/// Fills an empty organisation.
pub(super) fn plant(
    db: &mut Db,
    session: &Session,
    users: &CrmUsers,
    config: &SimulatorConfig,
) -> Result<(), String> {
    let mut make = |table: &str, values: Value| make_row(db, session, table, &values);
    make(
        "businessunit",
        json!({"businessunitid": users.business_unit.to_string(), "name": "Contoso"}),
    )?;
    let base = CURRENCIES
        .iter()
        .find(|(code, ..)| *code == config.base_currency);
    let (.., base_rate) =
        base.ok_or_else(|| format!("the base currency '{}' is not known", config.base_currency))?;
    let base_rate: Decimal = base_rate
        .parse()
        .map_err(|_| "an exchange rate".to_owned())?;
    let mut base_id = None;
    for (code, name, symbol, decimals, rate) in CURRENCIES {
        let rate: Decimal = rate.parse().map_err(|_| "an exchange rate".to_owned())?;
        let rate: Value = serde_json::from_str(&(rate / base_rate).round_dp(10).to_string())
            .map_err(|error| error.to_string())?;
        let id = make(
            "transactioncurrency",
            json!({"isocurrencycode": code, "currencyname": name, "currencysymbol": symbol,
            "currencyprecision": decimals, "exchangerate": rate}),
        )?;
        if code == config.base_currency {
            base_id = Some(id);
        }
    }
    make(
        "organization",
        json!({"organizationid": users.organization.to_string(), "name": "simulated", "expirechangetrackingindays": 7,
        "basecurrencyid@odata.bind": base_id.map(|id| format!("/transactioncurrencies({id})"))}),
    )?;
    let unit = format!("/businessunits({})", users.business_unit);
    make(
        "systemuser",
        json!({"systemuserid": users.app_user.to_string(), "firstname": "#", "lastname": "Cosell", "fullname": "# Cosell",
        "applicationid": users.app_client_id, "businessunitid@odata.bind": unit, "isdisabled": false}),
    )?;
    make(
        "systemuser",
        json!({"systemuserid": users.seller.to_string(), "firstname": "Sally", "lastname": "Seller",
        "fullname": "Sally Seller", "internalemailaddress": users.seller_mail, "domainname": users.seller_mail,
        "businessunitid@odata.bind": unit}),
    )?;
    let tables: Vec<String> = LOUD
        .iter()
        .map(|table| (*table).to_owned())
        .chain(
            config
                .tables
                .iter()
                .map(|table| table.schema_name.to_lowercase()),
        )
        .collect();
    for (message, only) in MESSAGES {
        let id = make("sdkmessage", json!({ "name": message }))?;
        for table in tables
            .iter()
            .filter(|table| only.is_empty() || only.contains(&table.as_str()))
        {
            make("sdkmessagefilter", filter_row(table, id))?;
        }
    }
    for (id, name, kind, publisher) in SOLUTIONS {
        make(
            "msft_microsoftsolutiondetail",
            json!({"msft_solutionidentifier": id, "msft_solutionname": name, "msft_type": kind,
            "msft_publishername": publisher}),
        )?;
    }
    for row in &config.rows {
        make(&row.table, row.values.clone())?;
    }
    // Entra's object ids of the two people are not chosen by anyone else.
    for user in [users.app_user, users.seller] {
        let object_id = db.ids.guid();
        if let Some(mut row) = db.row("systemuser", user).map(|row| (**row).clone()) {
            row.cells
                .insert("azureactivedirectoryobjectid".into(), Cell::Guid(object_id));
            db.put(&"systemuser".into(), row);
        }
    }
    for message in MESSAGES_OF_MANY {
        let id = make_row(db, session, "sdkmessage", &json!({ "name": message }))?;
        for table in &tables {
            make_row(db, session, "sdkmessagefilter", &filter_row(table, id))?;
        }
    }
    Ok(())
}

fn make_row(db: &mut Db, session: &Session, table: &str, values: &Value) -> Result<Uuid, String> {
    let body = values
        .as_object()
        .ok_or_else(|| format!("a row of '{table}' is not an object"))?;
    write::create(db, session, &table.into(), body, None, Vec::new(), 0)
        .map_err(|refusal| format!("a row of '{table}': {}", refusal.message))
}

/// Makes it possible to register steps for a table: one filter for each message that it has.
pub(super) fn message_filters(db: &mut Db, session: &Session, table: &str) -> Result<(), Refusal> {
    let has = |message: &str| {
        let known = MESSAGES.iter().find(|(name, _)| *name == message);
        known.is_some_and(|(_, only)| only.is_empty() || only.contains(&table))
            || MESSAGES_OF_MANY.contains(&message)
    };
    let messages = db.rows("sdkmessage").into_iter();
    let messages = messages.flat_map(|rows| rows.live.values());
    let messages = messages.filter(|row| row.str("name").is_some_and(has));
    let ids: Vec<Uuid> = messages.map(|row| row.id).collect();
    for id in ids {
        let body = filter_row(table, id);
        let body = body.as_object().cloned().unwrap_or_default();
        let filter = "sdkmessagefilter".into();
        write::create(db, session, &filter, &body, None, Vec::new(), 0)?;
    }
    Ok(())
}

fn filter_row(table: &str, message: Uuid) -> Value {
    json!({"primaryobjecttypecode": table, "sdkmessageid@odata.bind": format!("/sdkmessages({message})")})
}
