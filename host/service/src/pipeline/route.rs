//! S23: which of the connections that share a partner tenant takes an inbound deal. Decided once, by rule, and stored.

use cosell_store::{AcceptedEvent, CardChange, Next, RecordKey};
use cosell_sync::route::route;
use cosell_sync::side::Side;
use serde_json::json;

use super::read::Reading;
use super::run::Run;
use crate::records::REFERRAL;
use crate::trouble::Trouble;

const CARD: &str = "route";

/// Whether the deal is this connection's to create. None: it is; else where the lane stands instead.
pub(super) async fn elsewhere(
    run: &mut Run<'_>,
    reading: &Reading,
) -> Result<Option<Next>, Trouble> {
    let Some(facts) = &reading.facts else {
        return Ok(None);
    };
    let here = run.connection;
    let mut sharing: Vec<_> = run
        .desk
        .connections
        .values()
        .filter(|other| other.partner_tenant == here.partner_tenant)
        .collect();
    sharing.sort_by_key(|other| other.place);
    if sharing.len() == 1 && here.route.fits.is_empty() {
        return Ok(None);
    }
    let note = format!("route/{}", facts.id);
    let stored = run.desk.store.note(&here.id, &note).await?;
    let answer = run
        .cards
        .iter()
        .find(|card| card.kind == CARD)
        .and_then(|card| card.answer.clone());
    let rules = sharing
        .iter()
        .map(|other| (other.id.as_str(), &other.route));
    let chosen = match (stored, answer) {
        (Some(stored), _) => stored,
        (None, Some(answer)) => answer.choice,
        (None, None) => match route(rules, &reading.partner_center, facts) {
            Some(id) => id.to_owned(),
            None => return Ok(Some(ask(run, &facts.id))),
        },
    };
    if !run.is_preview() {
        let store = &run.desk.store;
        store
            .set_note(&here.id, &note, Some(chosen.clone()))
            .await?;
    }
    run.close_card(CARD, &facts.id, "decided");
    if chosen == here.id {
        return Ok(None);
    }
    hand_over(run, &facts.id, &chosen).await.map(Some)
}

fn ask(run: &mut Run<'_>, referral: &str) -> Next {
    let reason =
        format!("no routing rule says which CRM environment referral {referral} belongs to");
    let choices: Vec<_> = run
        .desk
        .connections
        .values()
        .filter(|other| other.partner_tenant == run.connection.partner_tenant)
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
    }
    Ok(Next::Paused { reason })
}
