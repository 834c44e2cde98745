//! Change tracking: the full data once, then only what changed or went. (dataverse 4.1)

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::read::{self, Cookie, PAGE_MAX, Prefer};
use super::refusal::{self, Refusal};
use super::route::json_reply;
use super::schema::Table;
use super::session::Session;
use super::store::Db;
use crate::odata::options::Options;
use crate::wire::{Reply, Request, encode};

/// Days a delta link lives when the organisation does not say.
const EXPIRY_DAYS: i64 = 7;

/// Answers a tracked query: the start, a later page of it, or a delta link.
pub(super) fn answer(
    db: &Db,
    session: &Session,
    table: &Table,
    options: &Options,
    request: &Request,
    prefer: &Prefer,
) -> Result<Reply, Refusal> {
    if !table.tracked {
        return Err(Refusal::new(
            400,
            "0x80072491",
            format!(
                "Entity {} isn't enabled for change tracking.",
                table.logical
            ),
        ));
    }
    let refused = [
        ("filter", options.filter.is_some()),
        ("orderby", !options.order.is_empty()),
        ("expand", !options.expand.is_empty()),
        ("top", options.top.is_some()),
    ];
    if let Some((name, _)) = refused.iter().find(|(_, used)| *used) {
        return Err(refusal::query(format!(
            "The \"${{filter|orderby|expand|top}}\" query parameter isn't supported when Change Tracking is enabled. Parameter: ${name}"
        )));
    }
    let pairs = request.pairs();
    let cookie = Cookie::read(&pairs)?;
    let size = prefer.page.unwrap_or(PAGE_MAX);
    let token = pairs
        .iter()
        .find(|(name, _)| name == "$deltatoken")
        .map(|(_, token)| token.as_str());
    let started = cookie.tracking.unwrap_or(db.version);
    let context = read::context(&request.origin, table, options);
    let (context, all): (String, Vec<Value>) = match token {
        None => {
            let rows = db
                .rows(&table.logical)
                .into_iter()
                .flat_map(|rows| rows.live.values());
            (
                context,
                rows.map(|row| Value::Object(read::render(db, table, row, options, prefer)))
                    .collect(),
            )
        }
        Some(token) => {
            let changes = changes(db, session, table, token)?;
            (
                format!("{context}/$delta"),
                changes
                    .into_iter()
                    .map(|change| shown(db, table, change, options, request, prefer))
                    .collect(),
            )
        }
    };
    let total = all.len();
    let page: Vec<Value> = all.into_iter().skip(cookie.offset).take(size).collect();
    let next = cookie.offset + page.len();
    let mut body = json!({ "@odata.context": context });
    if next < total {
        body["value"] = Value::Array(page);
        body["@odata.nextLink"] = json!(
            Cookie {
                page: cookie.page + 1,
                offset: next,
                tracking: Some(started)
            }
            .link(request)
        );
    } else {
        body["@odata.deltaLink"] = json!(delta_link(request, started, session.now));
        body["value"] = Value::Array(page);
    }
    Ok(json_reply(200, &body))
}

/// A changed row, or a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Row(Uuid),
    Deleted(Uuid),
}

/// What changed since a token: rows by version first, then deletions.
pub(super) fn changes(
    db: &Db,
    session: &Session,
    table: &Table,
    token: &str,
) -> Result<Vec<Change>, Refusal> {
    let expired = || {
        Refusal::new(
            400,
            "0x80044352",
            "Version stamp associated with the client has expired. Please perform a full sync.",
        )
    };
    let (version, date) = token
        .split_once('!')
        .ok_or_else(|| refusal::query("The delta token is malformed."))?;
    let version: u64 = version
        .parse()
        .map_err(|_| refusal::query("The delta token is malformed."))?;
    let given = jiff::fmt::strtime::parse("%m/%d/%Y %H:%M:%S", date)
        .and_then(|parsed| parsed.to_datetime());
    let given = given
        .and_then(|at| at.to_zoned_datetime(jiff::tz::TimeZone::UTC))
        .map(|at| at.timestamp());
    let given = given.map_err(|_| refusal::query("The delta token is malformed."))?;
    let days = db
        .rows("organization")
        .and_then(|rows| rows.live.values().next()?.int("expirechangetrackingindays"))
        .unwrap_or(EXPIRY_DAYS);
    if version < db.tracking_floor
        || session.now.duration_since(given) > SignedDuration::from_hours(24 * days)
    {
        return Err(expired());
    }
    let Some(rows) = db.rows(&table.logical) else {
        return Ok(Vec::new());
    };
    let mut changed: Vec<(u64, Uuid)> = rows
        .live
        .values()
        .filter(|row| row.version > version)
        .map(|row| (row.version, row.id))
        .collect();
    changed.sort_unstable();
    let deleted = rows
        .deleted
        .iter()
        .filter(|(at, id)| *at > version && !rows.live.contains_key(id));
    Ok(changed
        .into_iter()
        .map(|(_, id)| Change::Row(id))
        .chain(deleted.map(|(_, id)| Change::Deleted(*id)))
        .collect())
}

fn shown(
    db: &Db,
    table: &Table,
    change: Change,
    options: &Options,
    request: &Request,
    prefer: &Prefer,
) -> Value {
    match change {
        Change::Row(id) => db.row(&table.logical, id).map_or(Value::Null, |row| {
            Value::Object(read::render(db, table, row, options, prefer))
        }),
        Change::Deleted(id) => json!({
            "@odata.context": format!("{}/api/data/v9.2/$metadata#{}/$deletedEntity", request.origin, table.set),
            "id": id.to_string(),
            "reason": "deleted",
        }),
    }
}

/// The same URL, with a token of the version at which the read began.
fn delta_link(request: &Request, version: u64, now: Timestamp) -> String {
    let kept: Vec<&str> = request
        .query
        .split('&')
        .filter(|part| {
            !part.is_empty()
                && ![
                    "$skiptoken=",
                    "%24skiptoken=",
                    "$deltatoken=",
                    "%24deltatoken=",
                ]
                .iter()
                .any(|name| part.starts_with(name))
        })
        .collect();
    let token = encode(&format!("{version}!{}", now.strftime("%m/%d/%Y %H:%M:%S")));
    let separator = if kept.is_empty() { "" } else { "&" };
    format!(
        "{}{}?{}{separator}$deltatoken={token}",
        request.origin,
        request.path,
        kept.join("&")
    )
}
