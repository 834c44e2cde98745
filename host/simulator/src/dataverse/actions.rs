//! Actions: winning and losing opportunities, qualifying leads. (dataverse 3.4, 3.5)

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::refusal::{self, Refusal};
use super::route::json_reply;
use super::schema::{Kind, Name};
use super::session::Session;
use super::store::{Cell, Db, Event, Write};
use super::{read, write};
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
    let Cell::Ref { id, .. } = write::bound(db, session, "opportunity", bind, "opportunitycloses")?
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
    body.insert(
        "opportunityid@odata.bind".to_owned(),
        json!(format!("/opportunities({id})")),
    );
    if let Some((_, currency)) = row.reference("transactioncurrencyid") {
        body.insert(
            "transactioncurrencyid@odata.bind".to_owned(),
            json!(format!("/transactioncurrencies({currency})")),
        );
    }
    body.entry("subject").or_insert_with(|| {
        json!(if won {
            "Opportunity won"
        } else {
            "Opportunity lost"
        })
    });
    body.insert("statecode".to_owned(), json!(1));
    body.insert("statuscode".to_owned(), json!(2));
    let closed = write::create(
        db,
        session,
        &"opportunityclose".into(),
        &body,
        None,
        Vec::new(),
        0,
    )?;
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
    if !session.assumptions.close_raises_update {
        db.events.truncate(events);
    }
    let primary_name = row.str("name").map(str::to_owned);
    let target = vec![
        ("opportunityid".into(), Some(Cell::Guid(id))),
        ("statuscode".into(), Some(Cell::Int(status))),
    ];
    let message = if won { "Win" } else { "Lose" };
    db.events.push(Event {
        message,
        table,
        id,
        target,
        primary_name,
        tag: None,
        correlation: Uuid::nil(),
    });
    Ok(closed)
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
        ("lead", "Microsoft.Dynamics.CRM.QualifyLead") => qualify(db, session, request, id),
        _ => Err(refusal::no_segment(name)),
    }
}

fn qualify(db: &mut Db, session: &Session, request: &Request, id: Uuid) -> Result<Reply, Refusal> {
    let body = request.json().map_err(|error| {
        refusal::payload("leads", format_args!("The body is not valid JSON: {error}"))
    })?;
    let wants = |name: &str| {
        body[name].as_bool().ok_or_else(|| {
            refusal::payload("leads", format_args!("The parameter '{name}' is missing."))
        })
    };
    let (make_account, make_contact, make_opportunity) = (
        wants("CreateAccount")?,
        wants("CreateContact")?,
        wants("CreateOpportunity")?,
    );
    let status = body["Status"]
        .as_i64()
        .ok_or_else(|| refusal::payload("leads", "The parameter 'Status' is missing."))?;
    let lead_table: Name = "lead".into();
    let lead = db
        .row(&lead_table, id)
        .cloned()
        .ok_or_else(|| refusal::no_row(&lead_table, id))?;
    if lead.int("statecode") != Some(0) {
        return Err(Refusal::new(
            400,
            "0x80040519",
            "The lead is already closed.",
        ));
    }
    let text = |name: &str| lead.str(name).map_or(Value::Null, Value::from);
    let mut made = Vec::new();
    let mut account = given(&body["OpportunityCustomerId"], "accountid");
    let mut contact = given(&body["OpportunityCustomerId"], "contactid");
    if make_account {
        let mut row = Map::new();
        row.insert(
            "name".to_owned(),
            match text("companyname") {
                Value::Null => text("fullname"),
                name => name,
            },
        );
        for name in [
            "address1_line1",
            "address1_line2",
            "address1_city",
            "address1_stateorprovince",
            "address1_postalcode",
            "address1_country",
            "telephone1",
            "emailaddress1",
            "websiteurl",
        ] {
            row.insert(name.to_owned(), text(name));
        }
        let new = write::create(db, session, &"account".into(), &row, None, Vec::new(), 0)?;
        made.push(
            json!({"@odata.type": "#Microsoft.Dynamics.CRM.account", "accountid": new.to_string()}),
        );
        account = Some(new);
    }
    if make_contact {
        let mut row = Map::new();
        for name in [
            "firstname",
            "lastname",
            "jobtitle",
            "emailaddress1",
            "telephone1",
        ] {
            row.insert(name.to_owned(), text(name));
        }
        if let Some(account) = account {
            row.insert(
                "parentcustomerid_account@odata.bind".to_owned(),
                json!(format!("/accounts({account})")),
            );
        }
        let new = write::create(db, session, &"contact".into(), &row, None, Vec::new(), 0)?;
        made.push(
            json!({"@odata.type": "#Microsoft.Dynamics.CRM.contact", "contactid": new.to_string()}),
        );
        contact = Some(new);
    }
    if make_opportunity {
        let mut row = Map::new();
        row.insert("name".to_owned(), text("subject"));
        row.insert("description".to_owned(), text("description"));
        row.insert(
            "originatingleadid@odata.bind".to_owned(),
            json!(format!("/leads({id})")),
        );
        let bind = |row: &mut Map<String, Value>, name: &str, set: &str, id: Option<Uuid>| {
            if let Some(id) = id {
                row.insert(format!("{name}@odata.bind"), json!(format!("/{set}({id})")));
            }
        };
        bind(&mut row, "parentaccountid", "accounts", account);
        bind(&mut row, "parentcontactid", "contacts", contact);
        let currency = given(&body["OpportunityCurrencyId"], "transactioncurrencyid")
            .or(lead.reference("transactioncurrencyid").map(|(_, id)| id));
        bind(
            &mut row,
            "transactioncurrencyid",
            "transactioncurrencies",
            currency,
        );
        for (from, to) in [
            ("estimatedamount", "estimatedvalue"),
            ("estimatedclosedate", "estimatedclosedate"),
        ] {
            row.insert(to.to_owned(), super::cells::write(lead.cells.get(from)));
        }
        let new = write::create(
            db,
            session,
            &"opportunity".into(),
            &row,
            None,
            Vec::new(),
            0,
        )?;
        made.push(json!({"@odata.type": "#Microsoft.Dynamics.CRM.opportunity", "opportunityid": new.to_string()}));
    }
    let mut close = Map::new();
    close.insert("statecode".to_owned(), json!(1));
    if status != -1 {
        close.insert("statuscode".to_owned(), json!(status));
    }
    write::update(db, session, &lead_table, id, &close)?;
    if let Some(row) = db.row(&lead_table, id).cloned() {
        write::raise(db, "QualifyLead", &lead_table, &row, Vec::new());
    }
    db.writes.push(Write {
        method: request.method.to_string(),
        url: request.target(),
        precondition: request.precondition(),
        operation: "qualify",
        table: "lead".to_owned(),
        id,
        changed: Vec::new(),
        tag: None,
    });
    let context = read::context(
        &request.origin,
        db.schema
            .table("lead")
            .ok_or_else(|| refusal::no_segment("lead"))?,
        &Default::default(),
    );
    Ok(json_reply(
        200,
        &json!({"@odata.context": context, "value": made}),
    ))
}

fn given(entity: &Value, key: &str) -> Option<Uuid> {
    Uuid::try_parse(entity[key].as_str()?).ok()
}
