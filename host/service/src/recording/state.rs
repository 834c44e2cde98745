//! What a run remembers of its deal, as JSON and back. What has to do with the queue (attempts, leases) is no part of it.

use cosell_store::{
    Answer, Base, Bell, Card, Closed, Hold, HoldVerdict, LaneId, LaneState, LinkState, RecordKey,
};
use serde_json::{Map, Value, json};

pub(super) fn there(state: &LaneState) -> Value {
    let members: Vec<Value> = state.members.iter().map(record).collect();
    let bells: Vec<Value> = state
        .bells
        .iter()
        .map(|bell| {
            json!({
                "record": record(&bell.record), "rung": bell.rung, "answered": bell.answered, "cause": bell.cause,
                "since": bell.since
            })
        })
        .collect();
    let cards: Vec<Value> = state
        .cards
        .iter()
        .map(|card| {
            let answer = card
                .answer
                .as_ref()
                .map(|answer| json!({ "choice": answer.choice, "by": answer.by, "at": answer.at }));
            json!({
                "kind": card.kind, "subject": card.subject, "body": card.body, "opened": card.opened, "answer": answer
            })
        })
        .collect();
    let holds: Vec<Value> = state
        .holds
        .iter()
        .map(|hold| {
            let verdict = hold.verdict.as_ref().map(
                |verdict| json!({ "released": verdict.released, "by": verdict.by, "at": verdict.at }),
            );
            json!({
                "kind": hold.kind, "subject": hold.subject, "body": hold.body, "fingerprint": hold.fingerprint,
                "opened": hold.opened, "until": hold.until, "verdict": verdict
            })
        })
        .collect();
    json!({
        "members": members, "bells": bells, "cards": cards, "holds": holds, "born": state.born,
        "failure": state.failure, "parked-on": state.parked_on, "link": state.link.as_ref().map(link),
    })
}

fn record(record: &RecordKey) -> Value {
    json!({ "side": record.side, "kind": record.kind, "id": record.id })
}

fn link(link: &LinkState) -> Value {
    let bases: Vec<Value> = link
        .bases
        .iter()
        .map(|base| json!({ "unit": base.unit, "side": base.side, "value": base.value, "raw": base.raw }))
        .collect();
    json!({
        "referral": link.referral, "microsoft-referral": link.microsoft_referral, "engagement": link.engagement,
        "crm-table": link.crm_table, "crm-row": link.crm_row, "generation": link.generation, "etags": link.etags,
        "mark": link.mark, "set": link.set_hash, "bases": bases, "raws": link.raws, "notes": link.notes,
    })
}

/// What cannot be read is as if it had not been there.
pub(super) fn back(value: &Value) -> LaneState {
    let list = |name: &str| value[name].as_array().into_iter().flatten();
    LaneState {
        members: list("members").map(record_back).collect(),
        bells: list("bells").map(bell_back).collect(),
        cards: list("cards").map(card_back).collect(),
        holds: list("holds").map(hold_back).collect(),
        born: number(&value["born"]),
        failure: text(&value["failure"]),
        parked_on: text(&value["parked-on"]),
        link: value["link"].as_object().map(link_back),
        ..LaneState::default()
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn word(value: &Value) -> String {
    text(value).unwrap_or_default()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn record_back(value: &Value) -> RecordKey {
    RecordKey {
        side: word(&value["side"]),
        kind: word(&value["kind"]),
        id: word(&value["id"]),
    }
}

fn bell_back(value: &Value) -> Bell {
    Bell {
        record: record_back(&value["record"]),
        rung: number(&value["rung"]),
        answered: number(&value["answered"]),
        cause: word(&value["cause"]),
        since: number(&value["since"]),
    }
}

fn card_back(value: &Value) -> Card {
    let answer = &value["answer"];
    Card {
        connection: String::new(),
        lane: LaneId(0),
        card: 0,
        kind: word(&value["kind"]),
        subject: word(&value["subject"]),
        body: word(&value["body"]),
        opened: number(&value["opened"]),
        answer: answer.as_object().map(|_| Answer {
            choice: word(&answer["choice"]),
            by: word(&answer["by"]),
            at: number(&answer["at"]),
        }),
        closed: None::<Closed>,
    }
}

fn hold_back(value: &Value) -> Hold {
    let verdict = &value["verdict"];
    Hold {
        connection: String::new(),
        lane: LaneId(0),
        hold: 0,
        kind: word(&value["kind"]),
        subject: word(&value["subject"]),
        body: word(&value["body"]),
        fingerprint: word(&value["fingerprint"]),
        opened: number(&value["opened"]),
        until: value["until"].as_i64(),
        verdict: verdict.as_object().map(|_| HoldVerdict {
            released: verdict["released"] == true,
            by: word(&verdict["by"]),
            at: number(&verdict["at"]),
        }),
        closed: None,
    }
}

fn link_back(link: &Map<String, Value>) -> LinkState {
    let get = |name: &str| link.get(name).cloned().unwrap_or_default();
    let texts = |name: &str| {
        let members = get(name);
        let members = members.as_object().into_iter().flatten();
        members
            .map(|(name, value)| (name.clone(), word(value)))
            .collect()
    };
    let bases = get("bases");
    let bases = bases.as_array().into_iter().flatten().map(|base| Base {
        unit: word(&base["unit"]),
        side: word(&base["side"]),
        value: text(&base["value"]),
        raw: text(&base["raw"]),
    });
    LinkState {
        referral: text(&get("referral")),
        microsoft_referral: text(&get("microsoft-referral")),
        engagement: text(&get("engagement")),
        crm_table: text(&get("crm-table")),
        crm_row: text(&get("crm-row")),
        generation: number(&get("generation")),
        etags: texts("etags"),
        mark: text(&get("mark")),
        set_hash: text(&get("set")),
        bases: bases.collect(),
        raws: texts("raws"),
        notes: word(&get("notes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_remembers_comes_back() {
        let key = RecordKey {
            side: "crm".into(),
            kind: "opportunity".into(),
            id: "7".into(),
        };
        let state = LaneState {
            members: vec![key.clone()],
            bells: vec![Bell {
                record: key,
                rung: 3,
                answered: 2,
                cause: "person".into(),
                since: 5,
            }],
            born: 4,
            failure: Some("[]".into()),
            parked_on: Some("x".into()),
            link: Some(LinkState {
                referral: Some("1".into()),
                crm_row: Some("7".into()),
                generation: 2,
                etags: [("crm".into(), "W/1".into())].into(),
                bases: vec![Base {
                    unit: "name".into(),
                    side: "crm".into(),
                    value: Some("[]".into()),
                    raw: Some("h".into()),
                }],
                raws: [("h".into(), "{}".into())].into(),
                notes: "{}".into(),
                ..LinkState::default()
            }),
            ..LaneState::default()
        };
        assert_eq!(back(&there(&state)), state);
        assert_eq!(back(&Value::Null), LaneState::default());
    }
}
