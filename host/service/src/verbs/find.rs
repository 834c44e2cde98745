//! Which deal a person means: a lane number, an id of a record, or the beginning of one.

use std::collections::BTreeSet;

use cosell_store::{LaneFilter, LaneId, LinkState, RecordKey};
use cosell_sync::row::RecordKind;
use cosell_sync::side::Side;

use super::pages::Pages;
use super::{Archive, DealKey, VerbError};
use crate::records::REFERRAL;

/// Shorter beginnings of an id are numbers of lanes, or mistakes.
const PREFIX_MIN: usize = 4;
/// Deals named in the answer that more than one is meant.
const NAMED_MAX: usize = 5;

/// The deal that `asked` names: a lane number, `CONNECTION/LANE`, a referral id, a row id, or a beginning of an id that no other deal has.
///
/// # Errors
/// [`VerbError::NoDeal`], [`VerbError::ManyDeals`], [`VerbError::TooShort`].
pub async fn find(archive: &Archive, asked: &str) -> Result<DealKey, VerbError> {
    let asked = asked.trim().to_ascii_lowercase();
    let mut found = by_number(archive, &asked).await?;
    if found.is_empty() {
        found = by_record(archive, &asked).await?;
    }
    if found.is_empty() {
        if asked.len() < PREFIX_MIN {
            return Err(match asked.parse::<i64>() {
                Ok(_) => VerbError::NoDeal { asked },
                Err(_) => VerbError::TooShort {
                    asked,
                    least: PREFIX_MIN,
                },
            });
        }
        found = by_beginning(archive, &asked).await?;
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (None, _) => Err(VerbError::NoDeal { asked }),
        (Some(key), None) => Ok(key),
        (Some(first), Some(second)) => Err(VerbError::ManyDeals {
            asked,
            found: [first, second]
                .into_iter()
                .chain(found)
                .take(NAMED_MAX)
                .map(|key| key.to_string())
                .collect(),
        }),
    }
}

async fn by_number(archive: &Archive, asked: &str) -> Result<BTreeSet<DealKey>, VerbError> {
    let mut found = BTreeSet::new();
    let (connection, number) = match asked.rsplit_once('/') {
        Some((connection, number)) => (Some(connection), number),
        None => (None, asked),
    };
    let Ok(lane) = number.parse::<i64>() else {
        return Ok(found);
    };
    for id in &archive.connections {
        if connection.is_none_or(|one| one == id)
            && archive.store.lane(id, LaneId(lane)).await?.is_some()
        {
            found.insert(DealKey {
                connection: id.clone(),
                lane,
            });
        }
    }
    Ok(found)
}

async fn by_record(archive: &Archive, asked: &str) -> Result<BTreeSet<DealKey>, VerbError> {
    let mut found = BTreeSet::new();
    let Ok(id) = uuid::Uuid::try_parse(asked) else {
        return Ok(found);
    };
    for connection in &archive.connections {
        for record in records(&id.hyphenated().to_string()) {
            if let Some(lane) = archive.store.lane_of(connection, &record).await? {
                found.insert(DealKey {
                    connection: connection.clone(),
                    lane: lane.0,
                });
            }
        }
    }
    Ok(found)
}

/// The records of a deal that an id can be of.
pub(super) fn records(id: &str) -> [RecordKey; 3] {
    let key = |side: Side, kind: &str| RecordKey {
        side: side.as_str().to_owned(),
        kind: kind.to_owned(),
        id: id.to_owned(),
    };
    [
        key(Side::PartnerCenter, REFERRAL),
        key(Side::Crm, RecordKind::Opportunity.table()),
        key(Side::Crm, RecordKind::Lead.table()),
    ]
}

async fn by_beginning(archive: &Archive, asked: &str) -> Result<BTreeSet<DealKey>, VerbError> {
    let mut found = BTreeSet::new();
    for connection in &archive.connections {
        let mut pages = Pages::of(&*archive.store, connection, LaneFilter::default());
        while let Some(page) = pages.next().await? {
            for summary in page.into_iter().filter(|one| one.state != "retired") {
                let begins = match &summary.link {
                    Some(link) => ids(link).any(|id| id.starts_with(asked)),
                    // Nothing is linked yet: the lane is known by what rang.
                    None => archive
                        .store
                        .peek(connection, summary.lane)
                        .await?
                        .is_some_and(|state| {
                            state.members.iter().any(|one| one.id.starts_with(asked))
                        }),
                };
                if begins {
                    found.insert(DealKey {
                        connection: connection.clone(),
                        lane: summary.lane.0,
                    });
                }
            }
        }
    }
    Ok(found)
}

fn ids(link: &LinkState) -> impl Iterator<Item = &str> {
    [&link.referral, &link.microsoft_referral, &link.crm_row]
        .into_iter()
        .filter_map(|id| id.as_deref())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cosell_store::{AcceptedEvent, SqliteStore, Store as _};

    use super::*;

    #[tokio::test]
    async fn what_could_be_more_than_one_deal_is_none_and_the_answer_names_them() {
        let store = SqliteStore::in_memory(Arc::new(|| 1_000)).unwrap();
        for (connection, id) in [("here", "abcd1"), ("here", "abcd2"), ("there", "abcd1")] {
            let [record, ..] = records(id);
            let event = AcceptedEvent {
                connection: connection.to_owned(),
                record,
                cause: "test".to_owned(),
                dedupe: None,
                lane: None,
            };
            store.accept(vec![event], None).await.unwrap();
        }
        let archive = Archive {
            store: Arc::new(store),
            connections: vec!["here".to_owned(), "there".to_owned()],
        };
        for (asked, says) in [
            ("abcd", "here/1, here/2, there/1"),
            ("1", "here/1, there/1"),
        ] {
            let said = find(&archive, asked).await.unwrap_err().to_string();
            assert!(said.contains(says), "{said}");
        }
        let key = find(&archive, "there/1").await.unwrap();
        assert_eq!(key.to_string(), "there/1");
        assert_eq!(find(&archive, "abcd2").await.unwrap().lane, 2);
        assert!(find(&archive, "there/2").await.is_err());
    }
}
