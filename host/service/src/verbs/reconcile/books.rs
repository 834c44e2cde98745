//! The books that are compared: what each side lists, and what the store has linked.

use std::collections::{BTreeMap, BTreeSet};

use cosell_remote::partner_center::ListQuery;
use cosell_store::LinkedReferral;
use cosell_sync::row::{Cell, Condition, Query, RecordKind, Test};

use crate::desk::{Connection, Desk};
use crate::pace;
use crate::records::kinds;
use crate::verbs::VerbError;
use crate::verbs::plan::candidates::{gated, name_of, row_name};

/// Links of one read.
const PAGE: usize = 1_000;
/// Rows that are asked for in one call, by id: an address has room for some hundred.
const IDS_MAX: usize = 100;

/// One of our own referrals.
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) external_reference: Option<String>,
    /// Closed in Partner Center.
    pub(super) ended: bool,
}

/// A row whose sync is on.
pub(super) struct RowOf {
    pub(super) kind: RecordKind,
    pub(super) id: String,
    pub(super) name: Option<String>,
}

/// Everything that is compared.
pub(super) struct Books {
    pub(super) listed: Vec<Listed>,
    pub(super) gated: Vec<RowOf>,
    pub(super) links: BTreeMap<String, LinkedReferral>,
    by_row: BTreeMap<String, String>,
    rows: BTreeSet<String>,
}

impl Books {
    pub(super) async fn read(
        desk: &Desk,
        connection: &Connection,
        query: &ListQuery,
    ) -> Result<Self, VerbError> {
        // The store first: what is linked meanwhile is listed, and not the other way round.
        let links = links(desk, connection).await?;
        let mut listed = Vec::new();
        let mut pages = connection.partner_center.list(query);
        loop {
            let _turn = pace::bulk_turn(connection).await;
            let Some(page) = pages.next().await? else {
                break;
            };
            // It is there, whatever is wrong with it.
            listed.extend(page.unread.into_iter().filter_map(|one| {
                Some(Listed {
                    id: one.id?,
                    name: None,
                    external_reference: None,
                    ended: false,
                })
            }));
            let ours = page.referrals.iter().filter(|one| !one.is_microsofts());
            listed.extend(ours.map(|one| {
                Listed {
                    id: one.id.clone(),
                    name: name_of(one),
                    external_reference: one
                        .external_reference
                        .as_ref()
                        .map(|id| id.to_ascii_lowercase()),
                    ended: one.is_frozen(),
                }
            }));
        }
        let set = desk.plugins.current();
        let mut all = Vec::new();
        for kind in kinds(set.needs()) {
            let _turn = pace::bulk_turn(connection).await;
            for row in gated(desk, connection, kind, None).await? {
                let name = row_name(connection, kind, &row).await?;
                all.push(RowOf {
                    kind,
                    name,
                    id: row.id,
                });
            }
        }
        let mut rows: BTreeSet<String> = all.iter().map(|row| row.id.clone()).collect();
        let mut unseen: Vec<String> = links
            .values()
            .filter_map(|link| link.crm_row.clone())
            .filter(|row| !rows.contains(row))
            .collect();
        for kind in kinds(set.needs()) {
            let found = there(connection, kind, &unseen).await?;
            unseen.retain(|id| !found.contains(id));
            rows.extend(found);
        }
        let by_row = links
            .values()
            .filter_map(|link| Some((link.crm_row.clone()?, link.referral.clone())));
        Ok(Self {
            by_row: by_row.collect(),
            listed,
            gated: all,
            links,
            rows,
        })
    }

    /// Whether the row is there.
    pub(super) fn has(&self, row: &str) -> bool {
        self.rows.contains(row)
    }

    /// The referral that the row is linked with.
    pub(super) fn referral_of(&self, row: &str) -> Option<&String> {
        self.by_row.get(row)
    }
}

async fn links(
    desk: &Desk,
    connection: &Connection,
) -> Result<BTreeMap<String, LinkedReferral>, VerbError> {
    let mut links = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = desk
            .store
            .linked_referrals(&connection.id, after.as_deref(), PAGE)
            .await?;
        let Some(last) = page.last() else {
            return Ok(links);
        };
        after = Some(last.referral.clone());
        links.extend(page.into_iter().map(|one| (one.referral.clone(), one)));
    }
}

/// Which of the rows are there.
async fn there(
    connection: &Connection,
    kind: RecordKind,
    ids: &[String],
) -> Result<BTreeSet<String>, VerbError> {
    let known = connection.dataverse.metadata(kind.table()).await?;
    let mut found = BTreeSet::new();
    for some in ids.chunks(IDS_MAX) {
        let _turn = pace::bulk_turn(connection).await;
        let any = some.iter().cloned().map(Cell::Text).collect();
        let query = Query {
            label: "rows that are linked".to_owned(),
            table: kind.table().to_owned(),
            columns: Vec::new(),
            conditions: vec![Condition {
                column: known.id_column.clone(),
                test: Test::OneOf(any),
            }],
            limit: 0,
        };
        let rows = connection.dataverse.every(&query).await?;
        found.extend(rows.into_iter().map(|row| row.id));
    }
    Ok(found)
}
