//! A person is erased from everything, and what must hold still holds; and everything leaves as lines of JSON.

use std::sync::Arc;

use cosell_store::{
    AuditLine, Base, Change, Erased, Keep, LaneId, Next, Recording, Scrub, Speaks, dump,
    erase_person, export, find_person,
};

use crate::filled::{TABLES, fill};
use crate::stage::*;

const NAME: &str = "Zsófia Kereszturi";

/// A store that knows the person everywhere where a host can write it.
async fn planted(stage: &Stage) {
    stage.ring(&referral("r9")).await;
    let lease = stage.claim().await;
    let bells = stage.open(&lease).await.bells;
    let says = |kind: &str| AuditLine {
        kind: kind.into(),
        message: format!("contacts in crm: nobody → {NAME}"),
        detail: format!("{{\"after\":[[\"0.name\",\"{NAME}\"]]}}"),
    };
    let base = |unit: &str, side: &str, value: &str, raw: Option<&str>| Base {
        unit: unit.into(),
        side: side.into(),
        value: Some(value.into()),
        raw: raw.map(Into::into),
    };
    let mut link = pair("r9", "o9");
    link.notes = format!("{{\"name\":\"{NAME}\"}}");
    let change = Change {
        bases: vec![
            base("contacts", "crm", NAME, Some("h9")),
            base("contacts", "partner-center", "nobody", None),
            base("value", "crm", "12", Some("h9")),
            base("value", "partner-center", "12", None),
        ],
        raws: [("h9".to_owned(), format!("{{\"emailaddress1\":\"{NAME}\"}}"))].into(),
        cards: vec![asks("conflict", "contacts", NAME)],
        holds: vec![holds_back("contacts", "contacts", NAME, None)],
        audit: vec![
            says("write"),
            line("nothing about anybody"),
            says("conflict"),
        ],
        ..linking(link)
    };
    let next = Next::Held {
        reason: format!("{NAME} is asked about"),
    };
    stage
        .store
        .complete_run(&lease, &bells, change, next)
        .await
        .unwrap();
    for content in ["k1", "k2"] {
        let body = if content == "k1" { NAME } else { "else" };
        let recording = Recording {
            connection: HERE.into(),
            lane: lease.lane,
            content: content.into(),
            body: body.as_bytes().to_vec(),
            at: 0,
        };
        let keep = Keep {
            per_deal: 9,
            for_ms: 9_999,
        };
        stage.store.record(recording, keep).await.unwrap();
    }
    let note = Some(format!("bound by {NAME}"));
    stage.store.set_note(HERE, "who", note).await.unwrap();
}

fn scrub() -> Scrub {
    Arc::new(|words| match words.said {
        Speaks::Text(text) => text.contains(NAME).then(|| text.replace(NAME, "[erased]")),
        Speaks::Bytes(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            text.contains(NAME).then(String::new)
        }
    })
}

async fn who_speaks(stage: &Stage) -> Vec<String> {
    let lines = dump(&stage.address()).await.unwrap();
    lines
        .into_iter()
        .filter(|line| line.contains(NAME) || line.contains(&hex::encode(NAME)))
        .collect()
}

async fn stages() -> [Stage; 2] {
    [Stage::in_a_file(), Stage::on_postgres().await]
}

#[tokio::test]
async fn a_person_is_erased_everywhere_and_the_chains_verify() {
    for stage in stages().await {
        planted(&stage).await;
        let found = find_person(&stage.address(), &scrub()).await.unwrap();
        assert_eq!(who_speaks(&stage).await.len(), 10, "before");
        let expected = [
            ("audit", 2),
            ("base", 1),
            ("card", 1),
            ("hold", 1),
            ("lane", 1),
            ("link", 1),
            ("note", 1),
            ("raw", 1),
            ("recording", 1),
        ];
        assert_eq!(found.rows, expected.into());
        assert_eq!(found.lanes, [(HERE.to_owned(), 1)].into());
        let clock = Some(stage.hand.clock());
        let erased = erase_person(&stage.address(), clock, &scrub(), "ada")
            .await
            .unwrap();
        assert_eq!(erased, found);
        assert_eq!(who_speaks(&stage).await, Vec::<String>::new());
        assert_eq!(stage.store.check().await.unwrap(), []);

        let link = stage.store.link(HERE, LaneId(1)).await.unwrap().unwrap();
        let known = |unit: &str| -> Vec<Option<&str>> {
            let bases = link.bases.iter().filter(|base| base.unit == unit);
            bases.map(|base| base.value.as_deref()).collect()
        };
        assert_eq!(known("contacts"), [None, None], "unknown, and not empty");
        assert_eq!(known("value"), [Some("12"), Some("12")]);
        assert_eq!(link.raws.len(), 0);
        let audit = stage.store.audit(HERE, LaneId(1)).await.unwrap();
        let said: Vec<&str> = audit.iter().map(|one| one.line.message.as_str()).collect();
        assert_eq!(
            said,
            [
                "contacts in crm: nobody → [erased]",
                "nothing about anybody",
                "contacts in crm: nobody → [erased]",
                "ada has erased a person: 2 entries of this history no longer say the name, and 2 values are unknown until the deal is read again",
            ]
        );
        let left = stage.store.recordings(HERE, LaneId(1)).await.unwrap();
        assert_eq!((left.len(), left[0].content.as_str()), (1, "k2"));
        let again = erase_person(&stage.address(), None, &scrub(), "ada")
            .await
            .unwrap();
        assert_eq!(again, Erased::default(), "once is enough");
    }
}

#[tokio::test]
async fn nothing_of_the_person_is_left_in_the_bytes_of_a_file() {
    let mut stage = Stage::in_a_file();
    planted(&stage).await;
    erase_person(&stage.address(), None, &scrub(), "ada")
        .await
        .unwrap();
    stage.reopen().await;
    let bytes = std::fs::read(stage.path()).unwrap();
    let log = std::fs::read(stage.path().with_extension("db-wal")).unwrap_or_default();
    for bytes in [bytes, log] {
        let is_there = bytes
            .windows(NAME.len())
            .any(|part| part == NAME.as_bytes());
        assert!(!is_there);
    }
}

/// What is said of an erased entry is what it may say, and nothing else.
#[tokio::test]
async fn i7_nobody_changes_words_under_the_name_of_an_erasure() {
    for (tampering, sequence) in [
        (
            "UPDATE audit SET message = 'worse' WHERE lane = 1 AND sequence = 1",
            1,
        ),
        (
            "UPDATE audit SET message = 'worse', salt = NULL, erased = 1 WHERE lane = 1 AND sequence = 2",
            2,
        ),
        (
            "UPDATE audit SET erased = 0 WHERE lane = 1 AND sequence = 3",
            3,
        ),
        (
            "UPDATE audit SET commitment = 'x' WHERE lane = 1 AND sequence = 3",
            3,
        ),
    ] {
        for stage in stages().await {
            planted(&stage).await;
            erase_person(&stage.address(), None, &scrub(), "ada")
                .await
                .unwrap();
            stage.by_hand(tampering).await;
            let breaks = stage.store.check_audit().await.unwrap();
            let found: Vec<_> = breaks.iter().map(|one| (one.lane, one.sequence)).collect();
            assert_eq!(found, [(1, sequence)], "{tampering}");
        }
    }
}

#[tokio::test]
async fn a_deal_with_a_write_under_way_is_left_until_it_is_over() {
    for stage in stages().await {
        stage.ring(&referral("r1")).await;
        let lease = stage.claim().await;
        let mut open = intent("op-1");
        open.detail = format!("{{\"contacts\":\"{NAME}\"}}");
        stage.store.intend(&lease, open).await.unwrap();
        let erased = erase_person(&stage.address(), None, &scrub(), "ada")
            .await
            .unwrap();
        assert_eq!(erased.under_way, [(HERE.to_owned(), 1)].into());
        assert!(!erased.coming_in);
        assert_eq!(who_speaks(&stage).await.len(), 1);
    }
}

#[tokio::test]
async fn everything_leaves_as_lines_of_json() {
    for stage in stages().await {
        fill(&stage).await;
        let mut lines = Vec::new();
        let rows = export(&stage.address(), false, |line| {
            lines.push(line.clone());
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(lines[0]["cosell-export"], 1);
        assert_eq!(lines.len() as u64, rows + 1);
        assert_eq!(rows, dump(&stage.address()).await.unwrap().len() as u64);
        for table in TABLES {
            assert!(lines.iter().any(|line| line["table"] == table), "{table}");
        }
        let of = |table: &str| lines.iter().find(|line| line["table"] == table).unwrap();
        assert_eq!(
            of("recording")["row"]["body"],
            format!("hex:{}", hex::encode("whole"))
        );
        assert!(
            of("component")["row"]["bytes"]
                .as_str()
                .unwrap()
                .ends_with(" bytes")
        );
        assert_eq!(of("lane")["row"]["lane"], 1);
    }
}
