//! Which deals a plan is about: lanes of the store, and records that no bell has told of yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cosell_plugins::PluginSet;
use cosell_remote::Class;
use cosell_remote::partner_center::{ListQuery, Order, Referral, read};
use cosell_store::{LaneFilter, LaneId, LaneState, Millis, RecordKey};
use cosell_sync::deal::{Timestamp, Unit, UnitValue};
use cosell_sync::mark;
use cosell_sync::row::{Cell, Condition, Query, RecordKind, Role, Row, Test};
use cosell_sync::side::Side;

use super::super::pages::Pages;
use super::Scope;
use crate::desk::{Connection, Desk};
use crate::records::{REFERRAL, kinds};
use crate::verbs::deals::is_a_deal;
use crate::verbs::{Archive, DealKey, VerbError, find};

/// A record without a lane is looked at as if by the youngest lane of all: every real one is its elder.
const NO_LANE: i64 = i64::MAX;

/// Something to judge.
#[derive(Debug, Clone)]
pub(in crate::verbs) struct Candidate {
    connection: String,
    lane: Option<LaneId>,
    /// Records that the lane does not know yet.
    members: Vec<RecordKey>,
    pub(super) name: Option<String>,
}

impl Candidate {
    /// A deal that has a lane.
    pub(super) fn of_lane(connection: &str, lane: LaneId) -> Self {
        Self {
            connection: connection.to_owned(),
            lane: Some(lane),
            members: Vec::new(),
            name: None,
        }
    }

    pub(in crate::verbs) fn key(&self) -> DealKey {
        DealKey {
            connection: self.connection.clone(),
            lane: self.lane.map_or(NO_LANE, |lane| lane.0),
        }
    }

    /// What a run would begin with. A record without a lane was born long ago: its quiet period is over.
    pub(in crate::verbs) fn state(&self, stored: Option<LaneState>) -> LaneState {
        let mut state = stored.unwrap_or_default();
        for member in &self.members {
            if !state.members.contains(member) {
                state.members.push(member.clone());
            }
        }
        state
    }
}

/// Everything in the scope.
pub(in crate::verbs) async fn of(
    desk: &Desk,
    archive: &Archive,
    scope: &Scope,
) -> Result<Vec<Candidate>, VerbError> {
    let since = match scope {
        Scope::Deal(asked) => return one(desk, archive, asked).await,
        Scope::Since(since) => Some(*since),
        Scope::All => None,
    };
    let mut all = Vec::new();
    for id in &archive.connections {
        if let Some(connection) = desk.connections.get(id) {
            all.extend(many(desk, connection, since).await?);
        }
    }
    Ok(all)
}

/// One deal; or a record that the host has never heard of, on whichever side it is.
async fn one(desk: &Desk, archive: &Archive, asked: &str) -> Result<Vec<Candidate>, VerbError> {
    let unknown = match find(archive, asked).await {
        Ok(key) => {
            return Ok(vec![Candidate {
                lane: Some(key.id()),
                connection: key.connection,
                members: Vec::new(),
                name: None,
            }]);
        }
        Err(error @ VerbError::NoDeal { .. }) => error,
        Err(error) => return Err(error),
    };
    let Ok(id) = uuid::Uuid::try_parse(asked.trim()) else {
        return Err(unknown);
    };
    let id = id.hyphenated().to_string();
    for connection in archive
        .connections
        .iter()
        .filter_map(|id| desk.connections.get(id))
    {
        let mut search = Search::new(desk, connection);
        match connection.partner_center.get(&id).await {
            Ok(referral) => search.referral(&referral).await?,
            Err(error) if is_nowhere(error.class) => {}
            Err(error) => return Err(error.into()),
        }
        let set = Arc::clone(&search.set);
        for kind in kinds(set.needs()) {
            let none = BTreeSet::new();
            match connection
                .dataverse
                .retrieve(kind.table(), &id, &none, &[])
                .await
            {
                Ok(row) => search.row(kind, &row.seen.row).await?,
                Err(error) if is_nowhere(error.class) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let found = search.into_candidates();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(unknown)
}

const fn is_nowhere(class: Class) -> bool {
    matches!(class, Class::NotFound | Class::Forbidden)
}

/// Lanes, and records without one.
async fn many(
    desk: &Desk,
    connection: &Connection,
    since: Option<Millis>,
) -> Result<Vec<Candidate>, VerbError> {
    let mut search = Search::new(desk, connection);
    search.lanes(since).await?;
    let moment = since.map(|ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH));
    let mut pages = match moment {
        Some(moment) => connection.partner_center.updated_since(moment),
        None => connection.partner_center.list(&ListQuery {
            order: Some(Order::Created),
            ..ListQuery::default()
        }),
    };
    while let Some(page) = pages.next().await? {
        let own = page.referrals.iter().filter(|one| !one.is_microsofts());
        for referral in own {
            search.referral(referral).await?;
        }
        // Its deal says what is wrong with it; the others are no worse for that.
        for id in page.unread.iter().filter_map(|one| one.id.as_deref()) {
            search.unread(id).await?;
        }
    }
    let set = Arc::clone(&search.set);
    for kind in kinds(set.needs()) {
        for row in gated(desk, connection, kind, moment).await? {
            search.row(kind, &row).await?;
        }
    }
    Ok(search.into_candidates())
}

/// Rows whose sync is switched on, with their name and the identifier that they carry.
pub(in crate::verbs) async fn gated(
    desk: &Desk,
    connection: &Connection,
    kind: RecordKind,
    since: Option<Timestamp>,
) -> Result<Vec<Row>, VerbError> {
    let set = desk.plugins.current();
    let table = kind.table();
    let Some(gate) = set.needs().column(table, Role::Gate) else {
        return Ok(Vec::new());
    };
    let known = connection.dataverse.metadata(table).await?;
    let identifier = set.needs().column(table, Role::Identifier);
    let columns = known
        .name_column
        .iter()
        .cloned()
        .chain(identifier.map(str::to_owned))
        .collect();
    let on = Condition {
        column: gate.to_owned(),
        test: Test::Equals(Cell::Bool(true)),
    };
    let fresh = since.map(|moment| Condition {
        column: cosell_remote::dataverse::MODIFIED_ON_COLUMN.to_owned(),
        test: Test::AtLeast(Cell::Timestamp(moment)),
    });
    let query = Query {
        label: "rows whose sync is on".to_owned(),
        table: table.to_owned(),
        columns,
        conditions: [on].into_iter().chain(fresh).collect(),
        limit: 0,
    };
    Ok(connection.dataverse.every(&query).await?)
}

/// Records that no lane knows yet, and the name by which people know them.
type Found = (Vec<RecordKey>, Option<String>);

/// What was found so far, each deal once.
struct Search<'a> {
    desk: &'a Desk,
    connection: &'a Connection,
    set: Arc<PluginSet>,
    lanes: BTreeMap<LaneId, Found>,
    news: Vec<Found>,
    /// Which of `news` has a record, or is named by it.
    claimed: BTreeMap<RecordKey, usize>,
}

impl<'a> Search<'a> {
    fn new(desk: &'a Desk, connection: &'a Connection) -> Self {
        Self {
            desk,
            connection,
            set: desk.plugins.current(),
            lanes: BTreeMap::new(),
            news: Vec::new(),
            claimed: BTreeMap::new(),
        }
    }

    async fn lanes(&mut self, since: Option<Millis>) -> Result<(), VerbError> {
        let filter = LaneFilter {
            since,
            ..LaneFilter::default()
        };
        let mut pages = Pages::of(&*self.desk.store, &self.connection.id, filter);
        while let Some(page) = pages.next().await? {
            // What was left alone and has changed since is found by its record.
            let deals = page.iter().filter(|one| is_a_deal(one));
            for summary in deals {
                self.lanes.entry(summary.lane).or_default();
            }
        }
        Ok(())
    }

    async fn lane_of(&self, record: &RecordKey) -> Result<Option<LaneId>, VerbError> {
        let store = &self.desk.store;
        Ok(store.lane_of(&self.connection.id, record).await?)
    }

    async fn referral(&mut self, referral: &Referral) -> Result<(), VerbError> {
        let record = key(Side::PartnerCenter, REFERRAL, &referral.id);
        let name = name_of(referral);
        if let Some(lane) = self.lane_of(&record).await? {
            self.lanes.entry(lane).or_default().1 = name;
            return Ok(());
        }
        // A bell about it would join it to the lane of the row that it names, or of its engagement (S13).
        let rows: Vec<RecordKey> = referral
            .external_reference
            .iter()
            .filter(|id| uuid::Uuid::try_parse(id).is_ok())
            .flat_map(|id| {
                [RecordKind::Opportunity, RecordKind::Lead]
                    .map(|kind| key(Side::Crm, kind.table(), id))
            })
            .collect();
        for row in &rows {
            if let Some(lane) = self.lane_of(row).await? {
                self.lanes.entry(lane).or_default().0.push(record);
                return Ok(());
            }
        }
        if let Some(lane) = self
            .desk
            .store
            .lane_of_engagement(&self.connection.id, &referral.engagement_id)
            .await?
        {
            self.lanes.entry(lane).or_default();
            return Ok(());
        }
        let place = self.news.len();
        for row in rows {
            self.claimed.entry(row).or_insert(place);
        }
        self.claimed.insert(record.clone(), place);
        self.news.push((vec![record], name));
        Ok(())
    }

    async fn unread(&mut self, id: &str) -> Result<(), VerbError> {
        let record = key(Side::PartnerCenter, REFERRAL, id);
        match self.lane_of(&record).await? {
            Some(lane) => drop(self.lanes.entry(lane).or_default()),
            None => self.news.push((vec![record], None)),
        }
        Ok(())
    }

    async fn row(&mut self, kind: RecordKind, row: &Row) -> Result<(), VerbError> {
        let record = key(Side::Crm, kind.table(), &row.id);
        let name = row_name(self.connection, kind, row).await?;
        if let Some(lane) = self.lane_of(&record).await? {
            self.lanes.entry(lane).or_default().1 = name;
            return Ok(());
        }
        let named = self
            .set
            .needs()
            .column(kind.table(), Role::Identifier)
            .and_then(|column| match row.cells.get(column) {
                Some(Cell::Text(id)) => Some(key(Side::PartnerCenter, REFERRAL, id)),
                _ => None,
            });
        let place = self
            .claimed
            .get(&record)
            .or_else(|| self.claimed.get(named.as_ref()?));
        if let Some(place) = place {
            self.news[*place].0.push(record);
            return Ok(());
        }
        self.news.push((vec![record], name));
        Ok(())
    }

    fn into_candidates(self) -> Vec<Candidate> {
        let connection = &self.connection.id;
        let lanes = self.lanes.into_iter().rev();
        let lanes = lanes.map(|(lane, (members, name))| Candidate {
            connection: connection.clone(),
            lane: Some(lane),
            members,
            name,
        });
        let news = self.news.into_iter().map(|(members, name)| Candidate {
            connection: connection.clone(),
            lane: None,
            members,
            name,
        });
        lanes.chain(news).collect()
    }
}

fn key(side: Side, kind: &str, id: &str) -> RecordKey {
    RecordKey {
        side: side.as_str().to_owned(),
        kind: kind.to_owned(),
        id: id.to_ascii_lowercase(),
    }
}

/// The referral's name.
pub(in crate::verbs) fn name_of(referral: &Referral) -> Option<String> {
    match read(referral, None, "").units.remove(&Unit::Name) {
        Some(UnitValue::Text(text)) => text,
        _ => None,
    }
}

/// What people know the row by, when it was read.
pub(in crate::verbs) async fn row_name(
    connection: &Connection,
    kind: RecordKind,
    row: &Row,
) -> Result<Option<String>, VerbError> {
    let known = connection.dataverse.metadata(kind.table()).await?;
    let column = known.name_column.as_ref();
    Ok(column.and_then(|column| match row.cells.get(column) {
        Some(Cell::Text(text)) => Some(mark::strip(text, None).to_owned()),
        _ => None,
    }))
}
