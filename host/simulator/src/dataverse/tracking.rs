//! Change tracking: the full data once, then only what changed or went. (dataverse 4.1)

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::page::{Cookie, PAGE_MAX};
use super::prefer::Prefer;
use super::refusal::{self, Refusal};
use super::route::json_reply;
use super::schema::Table;
use super::session::Session;
use super::store::{Db, Row};
use super::{answering, read};
use crate::odata::options::Options;
use crate::wire::{Reply, Request, encode};

/// How many of the latest writes a delta delivers once more, where it does.
const REDELIVERED: u64 = 10;
/// Columns that every update writes.
const STAMPED: [&str; 2] = ["modifiedon", "versionnumber"];
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
    let started = cookie.tracking.unwrap_or_else(|| {
        let again = token.is_some() || db.version > db.tracking_floor;
        if again && session.assumptions.delta_redelivers() {
            // The latest writes come once more with the next delta.
            db.version
                .saturating_sub(REDELIVERED)
                .max(db.tracking_floor)
        } else {
            db.version
        }
    });
    let context = read::context(&request.origin, table, options);
    let (context, mut all) = match token {
        None => (context, everything(db, table, cookie.after)),
        Some(token) => (
            format!("{context}/$delta"),
            changes(db, session, table, token, options)?,
        ),
    };
    all.retain(|change| cookie.mark.is_none_or(|mark| change.mark() > mark));
    let rest = all.split_off(size.min(all.len()));
    let last = all.last().copied();
    let value: Value = all
        .iter()
        .map(|change| shown(db, table, *change, options, request, prefer))
        .collect();
    let mut body = json!({ "@odata.context": context });
    if rest.is_empty() {
        body["@odata.deltaLink"] = json!(delta_link(request, started, session.now));
        body["value"] = value;
    } else {
        body["value"] = value;
        let next = Cookie {
            page: cookie.page + 1,
            offset: cookie.offset + size,
            after: last.filter(|_| token.is_none()).map(|change| change.id),
            tracking: Some(started),
            mark: last.filter(|_| token.is_some()).map(|change| change.mark()),
        };
        body["@odata.nextLink"] = json!(next.link(request));
    }
    Ok(json_reply(200, &body))
}

/// All rows behind one, by id: what is already changed again comes with the delta.
fn everything(db: &Db, table: &Table, after: Option<Uuid>) -> Vec<Change> {
    let rows = db
        .rows(&table.logical)
        .into_iter()
        .flat_map(|rows| rows.live.values());
    let rest = rows.filter(|row| after.is_none_or(|after| row.id > after) && db.shows(row.id));
    rest.map(|row| Change {
        id: row.id,
        version: row.version,
        deleted: false,
    })
    .collect()
}

/// A changed row, or a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    id: Uuid,
    version: u64,
    deleted: bool,
}

impl Change {
    /// The place in a delta: rows by version first, then deletions.
    fn mark(self) -> (bool, u64) {
        (self.deleted, self.version)
    }
}

/// What changed since a token: rows by version first, then deletions.
pub(super) fn changes(
    db: &Db,
    session: &Session,
    table: &Table,
    token: &str,
    options: &Options,
) -> Result<Vec<Change>, Refusal> {
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
        return Err(answering::expired(&session.assumptions));
    }
    let Some(rows) = db.rows(&table.logical) else {
        return Ok(Vec::new());
    };
    let changed = rows
        .live
        .values()
        .filter(|row| row.version > version && db.shows(row.id))
        .filter(|row| tells(db, session, row, version, options));
    let changed = changed.map(|row| Change {
        id: row.id,
        version: row.version,
        deleted: false,
    });
    let gone = rows
        .deleted
        .iter()
        .filter(|(at, id)| *at > version && !rows.live.contains_key(id));
    let gone = gone.map(|(at, id)| Change {
        id: *id,
        version: *at,
        deleted: true,
    });
    let mut all: Vec<Change> = changed.chain(gone).collect();
    all.sort_unstable_by_key(|change| change.mark());
    Ok(all)
}

/// Whether a delta tells of a row that changed since a version.
fn tells(db: &Db, session: &Session, row: &Row, version: u64, options: &Options) -> bool {
    // A row that is new is told of in any case.
    let (Some(touched), Some(names)) = (db.touched(row.id), &options.select) else {
        return true;
    };
    if touched.made > version || !session.assumptions.delta_follows_selected_columns() {
        return true;
    }
    names.iter().any(|name| {
        let name = name.trim_start_matches('_').trim_end_matches("_value");
        STAMPED.contains(&name) || touched.at(name).is_some_and(|at| at > version)
    })
}

fn shown(
    db: &Db,
    table: &Table,
    change: Change,
    options: &Options,
    request: &Request,
    prefer: &Prefer,
) -> Value {
    if change.deleted {
        let context = format!(
            "{}/api/data/v9.2/$metadata#{}/$deletedEntity",
            request.origin, table.set
        );
        return json!({"@odata.context": context, "id": change.id.to_string(), "reason": "deleted"});
    }
    let row = db.row(&table.logical, change.id);
    row.map_or(Value::Null, |row| {
        Value::Object(read::render(db, table, row, options, prefer))
    })
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
