//! Dataverse's webhooks: which steps an event meets, how it is sent, and what is kept of that. (dataverse 4.2, 4.3)

mod context;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::session::Session;
use super::store::{Cell, Db, Event, Row};
use crate::deliveries::{Delivery, DeliveryRecord, Retry};
use crate::faults::Service;

/// Bodies above this many bytes lose their contents.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// One try, and one more on 502, 503 and 504.
const ATTEMPTS_MAX: u32 = 2;

/// The deliveries that events cause, each with the step that asked for it.
pub(super) fn deliveries(
    db: &Db,
    session: &Session,
    events: &[Event],
    url: &str,
    are_posted: bool,
) -> Vec<(Uuid, Delivery)> {
    let Some(steps) = db.rows("sdkmessageprocessingstep") else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for event in events {
        for step in steps.live.values() {
            if let Some(endpoint) = meets(db, step, event) {
                let delivery = if are_posted {
                    delivery(db, session, event, step, &endpoint, url)
                } else {
                    unwritten(event, &endpoint)
                };
                out.push((step.id, delivery));
            }
        }
    }
    out
}

/// The endpoint of a step that an event meets.
fn meets(db: &Db, step: &Row, event: &Event) -> Option<Row> {
    if step.int("statecode") != Some(0) {
        return None;
    }
    let name_of = |column: &str, name: &str| -> Option<String> {
        let (table, id) = step.reference(column)?;
        db.row(table, id)?.str(name).map(str::to_owned)
    };
    if name_of("sdkmessageid", "name")?.as_str() != event.message {
        return None;
    }
    if let Some(table) = name_of("sdkmessagefilterid", "primaryobjecttypecode")
        && *table != *event.table
    {
        return None;
    }
    if matches!(event.message, "Update" | "UpdateMultiple")
        && let Some(filter) = step.str("filteringattributes")
    {
        let wanted: Vec<&str> = filter.split(',').map(str::trim).collect();
        // The stamps ride along with every update; they are not what changed.
        let stamped =
            |name: &str| matches!(name, "modifiedon" | "modifiedby" | "modifiedonbehalfby");
        let members = event.members.iter().flat_map(|(_, target)| target);
        if !event
            .target
            .iter()
            .chain(members)
            .any(|(name, _)| wanted.contains(&&**name) && !stamped(name))
        {
            return None;
        }
    }
    let (table, id) = step.reference("eventhandler")?;
    let endpoint = db.row(table, id)?;
    (endpoint.int("contract") == Some(8)).then(|| (**endpoint).clone())
}

/// For an outbox: whom it concerns is all that is read there.
fn unwritten(event: &Event, endpoint: &Row) -> Delivery {
    Delivery {
        service: Service::Dataverse,
        event: format!("{} {}", event.message, event.table),
        record: event.id.to_string(),
        url: endpoint.str("url").unwrap_or_default().to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        attempts_max: ATTEMPTS_MAX,
        retry: Retry::GatewayErrors,
    }
}

fn delivery(
    db: &Db,
    session: &Session,
    event: &Event,
    step: &Row,
    endpoint: &Row,
    url: &str,
) -> Delivery {
    let request_id = db.traces.guid_text();
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    let mut headers = vec![
        ("x-request-id".to_owned(), request_id),
        ("x-ms-dynamics-organization".to_owned(), host.to_owned()),
        (
            "x-ms-dynamics-entity-name".to_owned(),
            event.table.to_string(),
        ),
        (
            "x-ms-dynamics-request-name".to_owned(),
            event.message.to_owned(),
        ),
        (
            "x-ms-correlation-request-id".to_owned(),
            event.correlation.to_string(),
        ),
    ];
    if !session.assumptions.events_have_no_content_type() {
        headers.push((
            "content-type".to_owned(),
            "application/json; charset=utf-8".to_owned(),
        ));
    }
    let settings = |secret: &str| match session.assumptions.secret_headers_are_json() {
        true => named_values(secret),
        false => settings(secret),
    };
    let mut address = endpoint.str("url").unwrap_or_default().to_owned();
    let secret = endpoint.str("authvalue").unwrap_or_default();
    let mut query = Vec::new();
    match endpoint.int("authtype") {
        Some(4) => query.push(("code".to_owned(), secret.to_owned())),
        Some(5) => headers.extend(settings(secret)),
        Some(6) => query.extend(settings(secret)),
        _ => {}
    }
    for (name, value) in query {
        let separator = if address.contains('?') { '&' } else { '?' };
        address.push_str(&format!(
            "{separator}{name}={}",
            crate::wire::encode(&value)
        ));
    }
    let mut context = context::context(db, session, event, step);
    let mut body = context::text(&context);
    if body.len() > BODY_BYTES_MAX {
        for name in [
            "ParentContext",
            "InputParameters",
            "PreEntityImages",
            "PostEntityImages",
        ] {
            context[name] = Value::Null;
        }
        headers.push((
            "x-ms-dynamics-msg-size-exceeded".to_owned(),
            "true".to_owned(),
        ));
        body = context::text(&context);
    }
    Delivery {
        service: Service::Dataverse,
        event: format!("{} {}", event.message, event.table),
        record: event.id.to_string(),
        url: address,
        headers,
        body: body.into_bytes(),
        attempts_max: ATTEMPTS_MAX,
        retry: Retry::GatewayErrors,
    }
}

/// `{"name": "value"}` as pairs.
fn named_values(json: &str) -> Vec<(String, String)> {
    let read: std::collections::BTreeMap<String, String> =
        serde_json::from_str(json).unwrap_or_default();
    read.into_iter().collect()
}

/// `<settings><setting name="…" value="…"/></settings>` as pairs.
fn settings(xml: &str) -> Vec<(String, String)> {
    let attribute = |element: &str, name: &str| -> Option<String> {
        let from = element.find(&format!("{name}="))? + name.len() + 1;
        let quote = element[from..]
            .chars()
            .next()
            .filter(|quote| matches!(quote, '"' | '\''))?;
        let value = &element[from + 1..];
        let value = &value[..value.find(quote)?];
        Some(
            value
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&apos;", "'")
                .replace("&amp;", "&"),
        )
    };
    xml.split("<setting ")
        .skip(1)
        .filter_map(|element| Some((attribute(element, "name")?, attribute(element, "value")?)))
        .collect()
}

/// The system job of a delivery: kept when it failed, and when the step does not delete those that succeeded. (dataverse 4.3)
pub(super) fn record_job(db: &mut Db, step: Uuid, record: &DeliveryRecord, now: Timestamp) {
    let failed = record.outcome == "failed";
    let held = db.row("sdkmessageprocessingstep", step);
    let deleted = held.and_then(|row| row.cells.get("asyncautodelete"));
    if !failed && deleted == Some(&Cell::Bool(true)) {
        return;
    }
    let (code, reason) = match record.attempts.last() {
        Some(Some(status)) => ("0x80050201", format!("the endpoint answered {status}")),
        _ => ("0x80050205", "the endpoint did not answer".to_owned()),
    };
    let message = format!("{code}: The webhook call failed because {reason}.");
    let id = db.ids.guid();
    let mut row = Row::blank(id);
    for (name, cell) in [
        ("asyncoperationid", Cell::Guid(id)),
        ("name", Cell::text(&record.event)),
        ("statecode", Cell::Int(3)),
        ("statuscode", Cell::Int(if failed { 31 } else { 30 })),
        (
            "owningextensionid",
            Cell::Ref {
                table: "sdkmessageprocessingstep".into(),
                id: step,
            },
        ),
        (
            "createdon",
            Cell::Time(Timestamp::from_second(now.as_second()).unwrap_or(now)),
        ),
    ] {
        row.cells.insert(name.into(), cell);
    }
    if failed {
        row.cells.insert("message".into(), Cell::text(&message));
    }
    db.put(&"asyncoperation".into(), row);
}
