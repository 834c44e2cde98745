//! What the platform does by itself: stamps, defaults, money, names, states. (dataverse 3.1 to 3.4, 6)

use std::sync::Arc;

use rust_decimal::Decimal;

use super::cells::round;
use super::payload::Payload;
use super::refusal::{self, Refusal};
use super::schema::{BASE_DECIMALS, Choice, Kind, Name};
use super::session::Session;
use super::store::{Cell, Db, Row};

/// Tables whose rows cannot be changed once they left the state 0.
const FROZEN_WHEN_CLOSED: [&str; 2] = ["opportunity", "lead"];

/// Fills what a create leaves out.
pub(super) fn before_create(
    db: &Db,
    session: &Session,
    table: &Name,
    payload: &mut Payload,
) -> Result<(), Refusal> {
    let Some(held) = db.schema.table(table) else {
        return Ok(());
    };
    if &**table == "opportunity" {
        // An opportunity is always created open.
        payload.cells.retain(|(name, _)| &**name != "statecode");
        if payload.get("customerid").is_none_or(Option::is_none) {
            let parent = ["parentaccountid", "parentcontactid"]
                .iter()
                .find_map(|name| payload.get(name)?.clone());
            if let Some(parent) = parent {
                payload.set("customerid", Some(parent));
            }
        }
        refuse_inactive_customer(db, session, payload)?;
        calculated_revenue(session, None, payload);
    }
    for column in held.columns.values() {
        if payload.get(&column.logical).is_some_and(Option::is_some) {
            continue;
        }
        let default = match (&column.kind, column.default) {
            (Kind::Bool, default) => Some(Cell::Bool(default == Some(1))),
            (Kind::Choice(_) | Kind::Int { .. }, Some(default)) => {
                Some(Cell::Int(i64::from(default)))
            }
            _ => None,
        };
        if let Some(default) = default {
            payload.set(&column.logical, Some(default));
        }
    }
    if held.column("statecode").is_some() {
        let state = payload.int("statecode").unwrap_or(0);
        settle_state(db, table, Some(state), payload, Some(state))?;
    }
    if held.column("ownerid").is_some() && payload.get("ownerid").is_none_or(Option::is_none) {
        payload.set(
            "ownerid",
            Some(Cell::Ref {
                table: "systemuser".into(),
                id: session.user,
            }),
        );
    }
    if held.column("transactioncurrencyid").is_some()
        && payload
            .get("transactioncurrencyid")
            .is_none_or(Option::is_none)
    {
        let base = base_currency(db).map(|id| Cell::Ref {
            table: "transactioncurrency".into(),
            id,
        });
        payload.set("transactioncurrencyid", base);
    }
    if &**table == "serviceendpoint" {
        payload.set(
            "isauthvalueset",
            Some(Cell::Bool(
                payload.get("authvalue").is_some_and(Option::is_some),
            )),
        );
    }
    Ok(())
}

/// Checks the step from the row as it is; completes a lone statecode.
pub(super) fn before_update(
    db: &Db,
    session: &Session,
    table: &Name,
    id: uuid::Uuid,
    payload: &mut Payload,
) -> Result<(), Refusal> {
    let row = db
        .row(table, id)
        .ok_or_else(|| refusal::no_row(table, id))?;
    let state = row.int("statecode");
    let wanted = payload.int("statecode");
    if &**table == "opportunity"
        && let Some(wanted @ (1 | 2)) = wanted
        && state == Some(0)
    {
        let word = if wanted == 1 { "won" } else { "lost" };
        return Err(Refusal::new(
            400,
            "0x80100005",
            format!(
                "This message can not be used to set the state of opportunity to {word}. In order to set state of opportunity to {word}, use the {word} message instead."
            ),
        ));
    }
    let only_state = payload
        .cells
        .iter()
        .all(|(name, _)| matches!(&**name, "statecode" | "statuscode"));
    if !only_state || wanted != Some(0) {
        refuse_closed(db, table, id)?;
    }
    if wanted.is_some() || payload.int("statuscode").is_some() {
        settle_state(db, table, wanted, payload, state)?;
    }
    if &**table == "opportunity" {
        refuse_inactive_customer(db, session, payload)?;
        calculated_revenue(session, Some(row), payload);
    }
    Ok(())
}

/// A won, lost, qualified or disqualified row takes nothing but to be reopened.
pub(super) fn refuse_closed(db: &Db, table: &str, id: uuid::Uuid) -> Result<(), Refusal> {
    let state = db.row(table, id).and_then(|row| row.int("statecode"));
    if FROZEN_WHEN_CLOSED.contains(&table) && state.is_some_and(|state| state != 0) {
        return Err(refusal::closed(table, id));
    }
    Ok(())
}

/// A deal for a customer that was deactivated. (dataverse 6, row 30)
fn refuse_inactive_customer(db: &Db, session: &Session, payload: &Payload) -> Result<(), Refusal> {
    let Some(Some(Cell::Ref { table, id })) = payload.get("customerid") else {
        return Ok(());
    };
    let state = db.row(table, *id).and_then(|row| row.int("statecode"));
    if state.is_some_and(|state| state != 0) && session.assumptions.inactive_customer_is_refused() {
        return Err(Refusal::new(
            400,
            "0x80040517",
            format!("The {table} {id} is inactive, so it cannot be the customer."),
        ));
    }
    Ok(())
}

/// A revenue that the platform computes is the sum of the product lines, whatever a caller sends. (dataverse 3.1)
///
/// There are no product lines here: what a person enters stands for them, and is kept as their sum.
fn calculated_revenue(session: &Session, row: Option<&Arc<Row>>, payload: &mut Payload) {
    let kept = |name: &str| row.and_then(|row| row.cells.get(name)).cloned();
    let calculated = payload
        .bool("isrevenuesystemcalculated")
        .unwrap_or(kept("isrevenuesystemcalculated") == Some(Cell::Bool(true)));
    let sent = payload.get("estimatedvalue").cloned();
    if !calculated || (sent.is_none() && payload.get("isrevenuesystemcalculated").is_none()) {
        return;
    }
    match sent {
        Some(amount) if session.is_person() => payload.set("totalamount", amount),
        _ => {
            let sum = kept("totalamount").unwrap_or(Cell::Decimal(Decimal::ZERO));
            payload.set("estimatedvalue", Some(sum));
        }
    }
}

/// Completes and checks the pair of state and status.
fn settle_state(
    db: &Db,
    table: &Name,
    wanted: Option<i64>,
    payload: &mut Payload,
    current: Option<i64>,
) -> Result<(), Refusal> {
    let Some(held) = db.schema.table(table) else {
        return Ok(());
    };
    let choices = |name: &str| -> &[Choice] {
        match held.column(name).map(|column| &column.kind) {
            Some(Kind::State(choices) | Kind::Status(choices)) => choices,
            _ => &[],
        }
    };
    let (states, statuses) = (choices("statecode"), choices("statuscode"));
    let state = i32::try_from(wanted.or(current).unwrap_or(0)).unwrap_or(0);
    match payload.int("statuscode") {
        Some(status) => {
            let status = i32::try_from(status).unwrap_or(-1);
            if !statuses
                .iter()
                .any(|choice| choice.value == status && choice.of == state)
            {
                return Err(refusal::wrong_status(state, status));
            }
        }
        None => {
            // The platform takes the state's default status, even when the row already is in that state.
            let default = states
                .iter()
                .find(|choice| choice.value == state)
                .map(|choice| choice.of);
            payload.set(
                "statuscode",
                default.map(|status| Cell::Int(i64::from(status))),
            );
        }
    }
    if wanted.is_some() {
        payload.set("statecode", Some(Cell::Int(i64::from(state))));
    }
    Ok(())
}

pub(super) fn stamp_created(session: &Session, row: &mut Row) {
    let user = Cell::Ref {
        table: "systemuser".into(),
        id: session.user,
    };
    let created = row
        .cells
        .get("overriddencreatedon")
        .cloned()
        .unwrap_or(now(session));
    row.cells.insert("createdon".into(), created);
    row.cells.insert("createdby".into(), user);
    if let Some(app) = session.behalf {
        row.cells.insert(
            "createdonbehalfby".into(),
            Cell::Ref {
                table: "systemuser".into(),
                id: app,
            },
        );
    }
    stamp_modified(session, row);
}

pub(super) fn stamp_modified(session: &Session, row: &mut Row) {
    row.cells.insert("modifiedon".into(), now(session));
    row.cells.insert(
        "modifiedby".into(),
        Cell::Ref {
            table: "systemuser".into(),
            id: session.user,
        },
    );
    match session.behalf {
        Some(app) => row.cells.insert(
            "modifiedonbehalfby".into(),
            Cell::Ref {
                table: "systemuser".into(),
                id: app,
            },
        ),
        None => row.cells.remove("modifiedonbehalfby"),
    };
}

fn now(session: &Session) -> Cell {
    Cell::Time(jiff::Timestamp::from_second(session.now.as_second()).unwrap_or(session.now))
}

/// Columns that follow from others: rounded money and its base amount, full names, composite addresses.
pub(super) fn compute(db: &Db, table: &Name, row: &mut Row) -> Result<(), Refusal> {
    let Some(held) = db.schema.table(table) else {
        return Ok(());
    };
    if &**table != "transactioncurrency" {
        money(db, held, row)?;
    }
    if matches!(&**table, "contact" | "lead") {
        let parts = [row.str("firstname"), row.str("lastname")];
        let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        put_text(row, "fullname", &name);
    }
    if held.column("address1_composite").is_some() {
        let part = |name: &str| row.str(&format!("address1_{name}")).map(str::to_owned);
        let town = [part("city"), part("stateorprovince"), part("postalcode")]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        let lines = [
            part("line1"),
            part("line2"),
            part("line3"),
            (!town.is_empty()).then_some(town),
            part("country"),
        ];
        let text = lines.into_iter().flatten().collect::<Vec<_>>().join("\r\n");
        put_text(row, "address1_composite", &text);
    }
    Ok(())
}

fn put_text(row: &mut Row, column: &str, text: &str) {
    if text.is_empty() {
        row.cells.remove(column);
    } else {
        row.cells.insert(column.into(), Cell::text(text));
    }
}

/// One currency for all money of a row; amounts in its precision, base amounts by its exchange rate.
fn money(db: &Db, table: &super::schema::Table, row: &mut Row) -> Result<(), Refusal> {
    let amounts: Vec<(Name, Option<u32>)> = table
        .columns
        .values()
        .filter(|column| !column.logical.ends_with("_base"))
        .filter_map(|column| match column.kind {
            Kind::Money { precision, .. } => Some((column.logical.clone(), precision)),
            _ => None,
        })
        .collect();
    if amounts.is_empty() {
        return Ok(());
    }
    let currency = row
        .reference("transactioncurrencyid")
        .and_then(|(table, id)| db.row(table, id))
        .cloned();
    let Some(currency) = currency else {
        if amounts.iter().any(|(name, _)| row.cells.contains_key(name)) {
            return Err(Refusal::new(
                400,
                "0x80048cfb",
                "The currency cannot be null when any of the money fields is not null.",
            ));
        }
        return Ok(());
    };
    let precision = u32::try_from(currency.int("currencyprecision").unwrap_or(2)).unwrap_or(2);
    let rate = match currency.cells.get("exchangerate") {
        Some(Cell::Decimal(rate)) if !rate.is_zero() => *rate,
        _ => Decimal::ONE,
    };
    if table.column("exchangerate").is_some() {
        row.cells.insert("exchangerate".into(), Cell::Decimal(rate));
    }
    for (name, own) in amounts {
        let base: Name = format!("{name}_base").into();
        match row.cells.get(&name) {
            Some(Cell::Decimal(amount)) => {
                let amount = round(*amount, own.unwrap_or(precision));
                row.cells.insert(name, Cell::Decimal(amount));
                row.cells
                    .insert(base, Cell::Decimal(round(amount / rate, BASE_DECIMALS)));
            }
            _ => {
                row.cells.remove(&base);
            }
        }
    }
    Ok(())
}

fn base_currency(db: &Db) -> Option<uuid::Uuid> {
    let organization = db.rows("organization")?.live.values().next()?;
    organization.reference("basecurrencyid").map(|(_, id)| id)
}
