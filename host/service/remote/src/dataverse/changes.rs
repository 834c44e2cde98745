//! What changed in a table since last time: keys and versions only, for bells and nothing else.

use http::Method;

use crate::dataverse::client::{Dataverse, rows};
use crate::dataverse::query::member;
use crate::error::{Class, RemoteError};
use crate::http::{guid, query_text};
use crate::json::Object;

/// Rows of one page. The platform's own limit is 5 000; a tenth keeps a page's bells within one transaction.
const PAGE_ROWS: usize = 500;

/// The version of a row. In one reading of the papers a change is told only when it touched a selected column, and this one every change touches.
const VERSION_COLUMN: &str = "versionnumber";

/// One page, or the news that there is no way on from the link that was kept.
#[derive(Debug, Clone)]
pub enum Changes {
    /// Ring these.
    Page(ChangePage),
    /// The link leads nowhere, and most likely it is too old (seven days, unless the organisation says otherwise): compare everything, then start
    /// again without a link. What the CRM said is for the log.
    Expired(RemoteError),
}

/// Rows that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePage {
    /// Created or updated, by whomever.
    pub changed: Vec<RowVersion>,
    /// GUIDs of rows that are gone.
    pub deleted: Vec<String>,
    /// Where it goes on.
    pub next: Next,
}

/// A row and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowVersion {
    /// GUID.
    pub id: String,
    /// `W/"919050"`
    pub etag: String,
}

/// Where it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// More pages now. Nothing may be kept yet.
    More(String),
    /// That was all. Keep this link for the next time, once everything on the pages is committed.
    Kept(String),
}

impl Dataverse {
    /// One page of changes. Without a link: everything that there is, and a link to start from. With one: what it led to, be it the next
    /// page or a kept one.
    ///
    /// # Errors
    /// Refused with `0x80072491` when the table does not track changes.
    pub async fn changes(&self, table: &str, link: Option<&str>) -> Result<Changes, RemoteError> {
        let doing = format!("read what changed in {table}");
        let head = self.head(table).await?;
        let call = match link {
            None => {
                let columns = format!("{},{VERSION_COLUMN}", head.id_column);
                let query = query_text(&[("$select", columns)]);
                self.call(Method::GET, &format!("/{}", head.set), Some(&query), doing)
            }
            Some(link) => self.linked(link, &doing)?,
        };
        // A link that holds a token tracks by itself; nobody knows whether it bears to be told so.
        let tracks_itself = link.is_some_and(|link| link.contains("deltatoken="));
        let track = if tracks_itself {
            ""
        } else {
            "odata.track-changes,"
        };
        let call = call.header("prefer", &format!("{track}odata.maxpagesize={PAGE_ROWS}"));
        let (answer, members) = match self.object(&call).await {
            Ok(read) => read,
            Err(error) if link.is_some() && is_about_the_link(&error) => {
                return Ok(Changes::Expired(error));
            }
            Err(error) => return Err(error),
        };
        let page = page_of(&head.id_column, &members)
            .map_err(|problem| answer.unreadable(&call, problem))?;
        Ok(Changes::Page(page))
    }
}

/// A page as it came.
pub(super) fn page_of(id_column: &str, members: &Object) -> Result<ChangePage, &'static str> {
    let (objects, more) = rows(members).ok_or("the answer is no list of rows")?;
    let mut page = ChangePage {
        changed: Vec::new(),
        deleted: Vec::new(),
        next: match (more, member(members, "@odata.deltaLink")) {
            (Some(more), _) => Next::More(more),
            (None, Some(kept)) => Next::Kept(kept),
            (None, None) => {
                return Err("the last page came without a link for the next time");
            }
        },
    };
    for object in &objects {
        let id = |name: &str| member(object, name).and_then(|id| guid(&id));
        let is_deletion = member(object, "reason").is_some_and(|reason| reason == "deleted")
            || member(object, "@odata.context")
                .is_some_and(|context| context.ends_with("$deletedEntity"));
        if is_deletion {
            let id = id("id").ok_or("a deletion came without its id")?;
            page.deleted.push(id);
        } else {
            let id = id(id_column).ok_or("a changed row came without its id")?;
            page.changed.push(RowVersion {
                id,
                etag: member(object, "@odata.etag").unwrap_or_default(),
            });
        }
    }
    Ok(page)
}

/// Whether a refusal may be about the link. Nobody has seen by which status and code the CRM tells that one is too old; what is no throttle, no
/// outage and no missing right is taken for that, because a new start costs one reading, and says by itself whether it was something else.
fn is_about_the_link(error: &RemoteError) -> bool {
    match error.class {
        Class::Refused | Class::Conflict | Class::NotFound => error.status.is_some(),
        Class::Transient {
            throttled: false, ..
        } => error.status == Some(500),
        _ => false,
    }
}
