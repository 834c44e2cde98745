//! S23: which of the connections that share a partner tenant takes an inbound deal. Decided once for all of them, and stored. A deal that was born in
//! the CRM of one of them, or is linked there, is at home: all of them see its referral, and no rule moves it.

use cosell_store::{AcceptedEvent, CardChange, Next, RecordKey, Store, StoreError};
use cosell_sync::route::route;
use cosell_sync::row::RecordKind;
use cosell_sync::side::Side;
use serde_json::json;

use super::look::Sight;
use super::read::Reading;
use super::run::Run;
use crate::records::REFERRAL;
use crate::trouble::Trouble;

pub(super) const CARD: &str = "route";

/// Whether the deal is this connection's to create. None: it is; else where the lane stands instead.
pub(super) async fn elsewhere(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
) -> Result<Option<Next>, Trouble> {
    let Some(facts) = &reading.facts else {
        return Ok(None);
    };
    let here = run.connection;
    let mut sharing: Vec<_> = run.desk.sharing_tenant(&here.id).collect();
    sharing.sort_by_key(|other| other.place);
    if sharing.len() == 1 && here.route.fits.is_empty() {
        return Ok(None);
    }
    let others: Vec<&str> = sharing
        .iter()
        .map(|other| other.id.as_str())
        .filter(|id| *id != here.id)
        .collect();
    let store = &run.desk.store;
    let note = format!("route/{}", facts.id);
    let mut stored = store.note(&here.id, &note).await?;
    for other in &others {
        if stored.is_none() {
            stored = store.note(other, &note).await?;
        }
    }
    let reference = sight.own.as_ref();
    let reference = reference.and_then(|own| own.external_reference.as_deref());
    let home = at_home(&**store, &others, &facts.id, reference).await?;
    let answer = run
        .cards
        .iter()
        .find(|card| card.kind == CARD)
        .and_then(|card| card.answer.clone());
    let rules = sharing
        .iter()
        .map(|other| (other.id.as_str(), &other.route));
    let was_asked = answer.is_some() && stored.is_none();
    let chosen = match (home, stored, answer) {
        (Some(home), _, _) => home,
        (None, Some(stored), _) => stored,
        (None, None, Some(answer)) => answer.choice,
        (None, None, None) => match route(rules, &reading.partner_center, facts) {
            Some(id) => id.to_owned(),
            None => return Ok(Some(ask(run, &facts.id))),
        },
    };
    if !run.is_preview() {
        // For all of them, before any is told: none asks again, and none decides otherwise.
        for id in others.iter().copied().chain([here.id.as_str()]) {
            store.set_note(id, &note, Some(chosen.clone())).await?;
        }
        // Each of them has asked the same, and waits.
        for other in others.iter().filter(|_| was_asked) {
            ring(run, &facts.id, other).await?;
        }
    }
    run.close_card(CARD, &facts.id, "decided");
    if chosen == here.id {
        return Ok(None);
    }
    hand_over(run, &facts.id, &chosen).await.map(Some)
}

/// The other connection in whose CRM the deal was born, or is linked already.
async fn at_home(
    store: &dyn Store,
    others: &[&str],
    referral: &str,
    reference: Option<&str>,
) -> Result<Option<String>, StoreError> {
    for other in others {
        // A row is known where somebody has heard of it: the id that the referral names is of that CRM, whether its link stands already or not.
        for kind in [RecordKind::Opportunity, RecordKind::Lead] {
            let Some(row) = reference else {
                continue;
            };
            let record = Run::record(Side::Crm, kind.table(), &row.to_ascii_lowercase());
            if store.lane_of(other, &record).await?.is_some() {
                return Ok(Some((*other).to_owned()));
            }
        }
        // The referral alone is known to all of them.
        let record = Run::record(Side::PartnerCenter, REFERRAL, referral);
        if let Some(lane) = store.lane_of(other, &record).await? {
            let link = store.lane(other, lane).await?.and_then(|lane| lane.link);
            if link.is_some_and(|link| link.crm_row.is_some()) {
                return Ok(Some((*other).to_owned()));
            }
        }
    }
    Ok(None)
}

fn ask(run: &mut Run<'_>, referral: &str) -> Next {
    let reason =
        format!("no routing rule says which CRM environment referral {referral} belongs to");
    let choices: Vec<_> = run
        .desk
        .sharing_tenant(&run.connection.id)
        .map(|other| json!({ "choice": other.id, "means": format!("connection {}", other.id) }))
        .collect();
    run.card(CardChange::Open {
        kind: CARD.to_owned(),
        subject: referral.to_owned(),
        body: json!({ "question": reason, "choices": choices }).to_string(),
    });
    run.tell_once("question", &reason, &json!({ "rule": "S23" }));
    Next::Held { reason }
}

async fn hand_over(run: &mut Run<'_>, referral: &str, to: &str) -> Result<Next, Trouble> {
    let reason = format!("the deal belongs to connection \"{to}\" by its routing rule");
    run.tell_once("skip", &reason, &json!({ "to": to, "rule": "S23" }));
    if !run.is_preview() {
        ring(run, referral, to).await?;
    }
    Ok(Next::Paused { reason })
}

/// Another connection looks at the referral, once for each decision.
async fn ring(run: &Run<'_>, referral: &str, to: &str) -> Result<(), StoreError> {
    let event = AcceptedEvent {
        connection: to.to_owned(),
        record: RecordKey {
            side: Side::PartnerCenter.as_str().to_owned(),
            kind: REFERRAL.to_owned(),
            id: referral.to_owned(),
        },
        cause: format!("routed from {}", run.connection.id),
        dedupe: Some(format!("route/{referral}/{to}")),
        lane: None,
    };
    run.desk.store.accept(vec![event], None).await?;
    run.desk.rope.notify_one();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cosell_store::{Change, LinkState, SqliteStore};

    use super::*;

    fn heard(connection: &str, record: RecordKey) -> AcceptedEvent {
        AcceptedEvent {
            connection: connection.to_owned(),
            record,
            cause: "sweep".to_owned(),
            dedupe: None,
            lane: None,
        }
    }

    /// Two environments of one tenant: both see every referral of the organisation.
    #[tokio::test]
    async fn s23_a_deal_is_at_home_where_its_row_is_and_not_where_its_referral_is_seen() {
        let store = SqliteStore::in_memory(Arc::new(|| 1_000)).unwrap();
        let home = async |others: &[&str], reference: Option<&str>| {
            at_home(&store, others, "r1", reference).await.unwrap()
        };
        let referral = Run::record(Side::PartnerCenter, REFERRAL, "r1");
        let row = Run::record(Side::Crm, RecordKind::Opportunity.table(), "o1");
        let seen = vec![heard("a", referral.clone()), heard("b", referral)];
        store.accept(seen, None).await.unwrap();
        assert_eq!(home(&["a"], None).await, None, "seen there, and no more");
        assert_eq!(home(&["a"], Some("o1")).await, None, "nobody knows the row");
        store.accept(vec![heard("a", row)], None).await.unwrap();
        // Its POST may be under way: the referral names the row before anything is linked.
        assert_eq!(home(&["b", "a"], Some("O1")).await.as_deref(), Some("a"));
        assert_eq!(home(&["b"], Some("o1")).await, None);
        let lease = store
            .claim("host", 60_000, 1)
            .await
            .unwrap()
            .into_iter()
            .find(|lease| lease.connection == "a")
            .unwrap();
        let link = LinkState {
            referral: Some("r1".to_owned()),
            crm_row: Some("o2".to_owned()),
            ..LinkState::default()
        };
        let linked = Change {
            link: Some(link),
            ..Change::default()
        };
        store
            .complete_run(&lease, &[], linked, Next::Settled)
            .await
            .unwrap();
        assert_eq!(home(&["a"], None).await.as_deref(), Some("a"), "linked");
    }
}
