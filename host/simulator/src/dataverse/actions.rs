//! Closing opportunities and what it leaves behind; actions bound to a row. (dataverse 3.4)

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::refusal::{self, Refusal};
use super::schema::{Kind, Name};
use super::session::Session;
use super::store::{Cell, Db, Event, Row, Write};
use super::{payload, qualify, write};
use crate::wire::{Reply, Request};

/// `POST /WinOpportunity` and `POST /LoseOpportunity`.
pub(super) fn close_opportunity(
    db: &mut Db,
    session: &Session,
    request: &Request,
    won: bool,
) -> Result<Reply, Refusal> {
    let body = request.json().map_err(|error| {
        refusal::payload(
            "opportunitycloses",
            format_args!("The body is not valid JSON: {error}"),
        )
    })?;
    let status = body["Status"].as_i64().ok_or_else(|| {
        refusal::payload("opportunitycloses", "The parameter 'Status' is missing.")
    })?;
    let close = body["OpportunityClose"].as_object().ok_or_else(|| {
        refusal::payload(
            "opportunitycloses",
            "The parameter 'OpportunityClose' is missing.",
        )
    })?;
    let bind = close
        .get("opportunityid@odata.bind")
        .and_then(Value::as_str);
    let bind = bind.ok_or_else(|| {
        refusal::payload(
            "opportunitycloses",
            "The parameter 'OpportunityClose' does not name an opportunity.",
        )
    })?;
    let Cell::Ref { id, .. } =
        payload::bound(db, session, "opportunity", bind, "opportunitycloses")?
    else {
        return Err(refusal::payload(
            "opportunitycloses",
            "The parameter 'OpportunityClose' does not name an opportunity.",
        ));
    };
    close_row(db, session, id, won, status, close)?;
    db.writes.push(Write {
        method: request.method.to_string(),
        url: request.target(),
        precondition: request.precondition(),
        operation: if won { "win" } else { "lose" },
        table: "opportunity".to_owned(),
        id,
        changed: vec!["statecode".to_owned(), "statuscode".to_owned()],
        tag: None,
        overwrote: Vec::new(),
        merged_away: false,
    });
    Ok(Reply::empty(204))
}

/// Closes an opportunity as control's seller does; `close` may be empty.
pub(super) fn close(
    db: &mut Db,
    session: &Session,
    id: Uuid,
    won: bool,
    status: i64,
    close: &Map<String, Value>,
) -> Result<Uuid, Refusal> {
    close_row(db, session, id, won, status, close)
}

fn close_row(
    db: &mut Db,
    session: &Session,
    id: Uuid,
    won: bool,
    status: i64,
    close: &Map<String, Value>,
) -> Result<Uuid, Refusal> {
    let table: Name = "opportunity".into();
    let row = db
        .row(&table, id)
        .cloned()
        .ok_or_else(|| refusal::no_row(&table, id))?;
    if row.int("statecode") != Some(0) {
        return Err(Refusal::new(
            400,
            "0x80040515",
            "The opportunity is already closed.",
        ));
    }
    let state = if won { 1 } else { 2 };
    let status = settled_status(db, state, status)?;
    let mut body = close.clone();
    body.retain(|name, _| {
        !matches!(
            name.as_str(),
            "Status" | "opportunityid@odata.bind" | "statecode" | "statuscode"
        ) && !name.starts_with("@odata")
    });
    body.entry("subject").or_insert_with(|| {
        json!(if won {
            "Opportunity won"
        } else {
            "Opportunity lost"
        })
    });
    let closed = close_note(db, session, &row, body)?;
    let close = db.row("opportunityclose", closed).cloned();
    let day = match close
        .as_ref()
        .and_then(|close| close.cells.get("actualend"))
    {
        Some(Cell::Time(at)) => day_of(*at),
        _ => day_of(session.now),
    };
    let revenue = close
        .as_ref()
        .and_then(|close| close.cells.get("actualrevenue"))
        .cloned();
    let mut changes = vec![
        ("statecode".into(), Some(Cell::Int(state))),
        ("statuscode".into(), Some(Cell::Int(status))),
        ("actualclosedate".into(), Some(Cell::Date(day))),
    ];
    changes.push((
        "actualvalue".into(),
        revenue.or_else(|| (!won).then_some(Cell::Decimal(Decimal::ZERO))),
    ));
    let events = db.events.len();
    write::apply(db, session, &table, id, changes)?;
    if !session.assumptions.close_raises_update() {
        db.events.truncate(events);
    }
    let primary_name = row.str("name").map(str::to_owned);
    let target = vec![
        ("opportunityid".into(), Some(Cell::Guid(id))),
        ("statuscode".into(), Some(Cell::Int(status))),
    ];
    let message = if won { "Win" } else { "Lose" };
    let event = Event {
        target,
        primary_name,
        before: Some(row),
        after: db.row("opportunity", id).cloned(),
        ..Event::new(message, table, id)
    };
    db.events.push(event);
    Ok(closed)
}

/// The `opportunityclose` row of a deal, completed.
fn close_note(
    db: &mut Db,
    session: &Session,
    deal: &Row,
    mut body: Map<String, Value>,
) -> Result<Uuid, Refusal> {
    body.insert(
        "opportunityid@odata.bind".to_owned(),
        json!(format!("/opportunities({})", deal.id)),
    );
    if let Some((_, currency)) = deal.reference("transactioncurrencyid") {
        body.insert(
            "transactioncurrencyid@odata.bind".to_owned(),
            json!(format!("/transactioncurrencies({currency})")),
        );
    }
    body.insert("statecode".to_owned(), json!(1));
    body.insert("statuscode".to_owned(), json!(2));
    let table = "opportunityclose".into();
    write::create(db, session, &table, &body, None, Vec::new(), 0)
}

/// What a reopened opportunity leaves: a row beside that of its close.
pub(super) fn note_reopening(db: &mut Db, session: &Session, id: Uuid) -> Result<(), Refusal> {
    let table: Name = "opportunity".into();
    let row = db
        .row(&table, id)
        .cloned()
        .ok_or_else(|| refusal::no_row(&table, id))?;
    let mut body = Map::new();
    body.insert("subject".to_owned(), json!("Opportunity reopened"));
    close_note(db, session, &row, body).map(drop)
}

/// A person reopens an opportunity; one that is open already is refused.
pub(super) fn reopen_by_hand(db: &mut Db, session: &Session, id: Uuid) -> Result<(), Refusal> {
    let table: Name = "opportunity".into();
    let state = db.row(&table, id).and_then(|row| row.int("statecode"));
    if state == Some(0) {
        return Err(Refusal::new(
            400,
            "0x8004051a",
            "The opportunity is already in the open state.",
        ));
    }
    let mut body = Map::new();
    body.insert("statecode".to_owned(), json!(0));
    write::update(db, session, &table, id, &body)
}

/// −1 means the state's default; anything else must belong to the state.
fn settled_status(db: &Db, state: i64, status: i64) -> Result<i64, Refusal> {
    let column = |name: &str| {
        db.schema
            .table("opportunity")?
            .column(name)
            .map(|column| &column.kind)
    };
    if status == -1 {
        let Some(Kind::State(states)) = column("statecode") else {
            return Ok(status);
        };
        return Ok(states
            .iter()
            .find(|choice| i64::from(choice.value) == state)
            .map_or(status, |choice| i64::from(choice.of)));
    }
    let Some(Kind::Status(statuses)) = column("statuscode") else {
        return Ok(status);
    };
    if statuses
        .iter()
        .any(|choice| i64::from(choice.value) == status && i64::from(choice.of) == state)
    {
        return Ok(status);
    }
    let narrow = |value: i64| i32::try_from(value).unwrap_or(-1);
    Err(refusal::wrong_status(narrow(state), narrow(status)))
}

fn day_of(at: jiff::Timestamp) -> jiff::civil::Date {
    jiff::tz::TimeZone::UTC.to_datetime(at).date()
}

/// Actions bound to a row.
pub(super) fn bound(
    db: &mut Db,
    session: &Session,
    request: &Request,
    table: &Name,
    id: Uuid,
    name: &str,
) -> Result<Reply, Refusal> {
    match (&**table, name) {
        ("lead", "Microsoft.Dynamics.CRM.QualifyLead") => qualify::answer(db, session, request, id),
        _ => Err(refusal::no_segment(name)),
    }
}
