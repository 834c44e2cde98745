//! Lanes by the page: a connection may have a million, and no verb holds them all.

use cosell_store::{LaneFilter, LaneSummary, Store, StoreError};

/// Lanes of one read.
const PAGE: usize = 500;

/// Every lane of a connection that a filter lets through, a page at a time.
pub(crate) struct Pages<'a> {
    store: &'a dyn Store,
    connection: &'a str,
    filter: LaneFilter,
}

impl<'a> Pages<'a> {
    /// All lanes that `filter` lets through, or those behind its `after`; how many come at once is not the caller's business.
    pub(crate) fn of(store: &'a dyn Store, connection: &'a str, filter: LaneFilter) -> Self {
        let filter = LaneFilter {
            limit: PAGE,
            ..filter
        };
        Self {
            store,
            connection,
            filter,
        }
    }

    /// The next page, which is never empty. None: there is no further one.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<LaneSummary>>, StoreError> {
        let page = self.store.lanes_page(self.connection, &self.filter).await?;
        Ok(page.last().map(|last| last.lane).map(|last| {
            self.filter.after = Some(last);
            page
        }))
    }
}
