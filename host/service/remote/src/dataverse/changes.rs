//! What changed in a table since last time: keys and versions only, for bells and nothing else.

use http::Method;

use crate::dataverse::client::{Dataverse, rows};
use crate::dataverse::codes::EXPIRED_DELTA;
use crate::dataverse::query::member;
use crate::error::RemoteError;
use crate::http::{guid, query_text};

/// Rows of one page. The platform's own limit is 5 000; a tenth keeps a page's bells within one transaction.
const PAGE_ROWS: usize = 500;

/// One page, or the news that there is no way on from the link that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// Ring these.
    Page(ChangePage),
    /// The link is too old (seven days, unless the organisation says otherwise): compare everything, then start again without a link.
    Expired,
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
                let query = query_text(&[("$select", head.id_column.clone())]);
                self.call(Method::GET, &format!("/{}", head.set), Some(&query), doing)
            }
            Some(link) => self.linked(link, &doing)?,
        };
        let call = call.header(
            "prefer",
            &format!("odata.track-changes,odata.maxpagesize={PAGE_ROWS}"),
        );
        let (answer, members) = match self.object(&call).await {
            Ok(read) => read,
            Err(error) if link.is_some() && error.has_code(EXPIRED_DELTA) => {
                return Ok(Changes::Expired);
            }
            Err(error) => return Err(error),
        };
        let (objects, more) = rows(&members)
            .ok_or_else(|| answer.unreadable(&call, "the answer is no list of rows"))?;
        let mut page = ChangePage {
            changed: Vec::new(),
            deleted: Vec::new(),
            next: Next::Kept(String::new()),
        };
        for object in &objects {
            let id = |name: &str| member(object, name).and_then(|id| guid(&id));
            let is_deletion = member(object, "reason").is_some_and(|reason| reason == "deleted")
                || member(object, "@odata.context")
                    .is_some_and(|context| context.ends_with("$deletedEntity"));
            if is_deletion {
                page.deleted.push(
                    id("id").ok_or_else(|| {
                        answer.unreadable(&call, "a deletion came without its id")
                    })?,
                );
            } else {
                let id = id(&head.id_column)
                    .ok_or_else(|| answer.unreadable(&call, "a changed row came without its id"))?;
                page.changed.push(RowVersion {
                    id,
                    etag: member(object, "@odata.etag").unwrap_or_default(),
                });
            }
        }
        page.next = match (more, member(&members, "@odata.deltaLink")) {
            (Some(more), _) => Next::More(more),
            (None, Some(kept)) => Next::Kept(kept),
            (None, None) => {
                return Err(
                    answer.unreadable(&call, "the last page came without a link for the next time")
                );
            }
        };
        Ok(Changes::Page(page))
    }
}
