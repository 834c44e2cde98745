//! Pages of a collection, and the opaque cookie that leads to the next. (dataverse 2.4)

use serde_json::{Value, json};
use uuid::Uuid;

use super::prefer::Prefer;
use super::read::{context, fits, render, sort};
use super::refusal::{self, Refusal};
use super::schema::Table;
use super::store::{Db, Row};
use crate::odata::options::Options;
use crate::wire::{Request, decode_segment, encode};

/// Largest page, and the default one.
pub(super) const PAGE_MAX: usize = 5_000;
/// `$count` does not count further.
const COUNT_MAX: usize = 5_000;

/// Where the next page starts. Travels as XML, encoded twice, as the platform's cookie does.
///
/// A page starts behind the row that was shown last, so that rows which come or go before it shift nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cookie {
    pub(super) page: usize,
    /// How many rows were shown: where to go on when the last one is gone.
    pub(super) offset: usize,
    /// The row that was shown last.
    pub(super) after: Option<Uuid>,
    /// Version at which change tracking started, when it did.
    pub(super) tracking: Option<u64>,
    /// In a delta: whether deletions had begun, and the version that was shown last.
    pub(super) mark: Option<(bool, u64)>,
}

impl Cookie {
    pub(super) fn read(pairs: &[(String, String)]) -> Result<Self, Refusal> {
        let Some((_, text)) = pairs.iter().find(|(name, _)| name == "$skiptoken") else {
            return Ok(Self {
                page: 1,
                ..Self::default()
            });
        };
        let bad = || refusal::query("Malformed XML in the Paging Cookie");
        let inner = attribute(text, "pagingcookie").ok_or_else(bad)?;
        let inner = decode_segment(&decode_segment(inner));
        let number = |text: &str, name: &str| {
            attribute(text, name).and_then(|value| value.parse::<u64>().ok())
        };
        let size = |text: &str, name: &str| {
            number(text, name)
                .and_then(|value| usize::try_from(value).ok())
                .ok_or_else(bad)
        };
        let mark = attribute(&inner, "mark").and_then(|mark| {
            let deleted = mark.starts_with('d');
            Some((deleted, mark.trim_start_matches(['d', 'r']).parse().ok()?))
        });
        Ok(Self {
            page: size(text, "pagenumber")?,
            offset: size(&inner, "offset")?,
            after: attribute(&inner, "after").and_then(|id| Uuid::try_parse(id).ok()),
            tracking: number(&inner, "version"),
            mark,
        })
    }

    fn text(self) -> String {
        let mut inner = format!(
            "<cookie page=\"{}\" offset=\"{}\"",
            self.page - 1,
            self.offset
        );
        if let Some(after) = self.after {
            inner.push_str(&format!(" after=\"{after}\""));
        }
        if let Some(version) = self.tracking {
            inner.push_str(&format!(" version=\"{version}\""));
        }
        if let Some((deleted, version)) = self.mark {
            inner.push_str(&format!(
                " mark=\"{}{version}\"",
                if deleted { 'd' } else { 'r' }
            ));
        }
        inner.push_str(" />");
        let istracking = if self.tracking.is_some() {
            "True"
        } else {
            "False"
        };
        encode(&format!(
            "<cookie pagenumber=\"{}\" pagingcookie=\"{}\" istracking=\"{istracking}\" />",
            self.page,
            encode(&encode(&inner))
        ))
    }

    /// The link to the page that this cookie stands for: the same query, and the cookie.
    pub(super) fn link(self, request: &Request) -> String {
        let address = format!("{}{}", request.origin, request.path);
        self.link_from(&address, &request.query)
    }

    /// The same behind an address and a query that nobody sent so.
    pub(super) fn link_from(self, address: &str, query: &str) -> String {
        let is_token =
            |part: &&str| part.starts_with("$skiptoken=") || part.starts_with("%24skiptoken=");
        let kept: Vec<&str> = query
            .split('&')
            .filter(|part| !part.is_empty() && !is_token(part))
            .collect();
        let separator = if kept.is_empty() { "" } else { "&" };
        format!(
            "{address}?{}{separator}$skiptoken={}",
            kept.join("&"),
            self.text()
        )
    }
}

/// The value of an XML attribute.
fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let from = text.find(&format!("{name}=\""))? + name.len() + 2;
    let rest = &text[from..];
    rest.find('"').map(|to| &rest[..to])
}

/// Answers a query over `rows` of a table.
pub(super) fn collection(
    db: &Db,
    table: &Table,
    rows: Vec<&Row>,
    options: &Options,
    request: &Request,
    prefer: &Prefer,
) -> Result<Value, Refusal> {
    let cookie = Cookie::read(&request.pairs())?;
    let mut found: Vec<&Row> = rows
        .into_iter()
        .filter(|row| fits(db, table, row, options))
        .collect();
    sort(db, table, &mut found, options);
    let total = found.len();
    // `$top` is ignored when a page size is asked for.
    let top = if prefer.page.is_some() {
        usize::MAX
    } else {
        options.top.unwrap_or(usize::MAX)
    };
    let left = top.saturating_sub(cookie.offset);
    let behind = cookie
        .after
        .and_then(|id| found.iter().position(|row| row.id == id))
        .map(|at| at + 1);
    let rest = found.split_off(behind.unwrap_or(cookie.offset).min(total));
    let wanted = rest.len().min(left);
    let page = &rest[..wanted.min(prefer.page.unwrap_or(PAGE_MAX))];
    let mut body = json!({ "@odata.context": context(&request.origin, table, options) });
    if options.count {
        body["@odata.count"] = json!(total.min(COUNT_MAX));
    }
    // Who asks for annotations and not for a count is told that nobody counted.
    let counted = if options.count {
        json!(total.min(COUNT_MAX))
    } else {
        json!(-1)
    };
    for (name, value) in [
        ("totalrecordcount", counted),
        (
            "totalrecordcountlimitexceeded",
            json!(options.count && total > COUNT_MAX),
        ),
        (
            "globalmetadataversion",
            json!(db.schema.version.to_string()),
        ),
    ] {
        let name = format!("Microsoft.Dynamics.CRM.{name}");
        if prefer.wants(&name) {
            body[format!("@{name}")] = value;
        }
    }
    body["value"] = page
        .iter()
        .map(|row| Value::Object(render(db, table, row, options, prefer)))
        .collect();
    if page.len() < wanted {
        let next = Cookie {
            page: cookie.page + 1,
            offset: cookie.offset + page.len(),
            after: page.last().map(|row| row.id),
            ..Cookie::default()
        };
        body["@odata.nextLink"] = json!(next.link(request));
    }
    Ok(body)
}
