//! Lists that no document shows whole: by our id, and by moment.

use cosell_remote::partner_center::{PartnerCenterSettings, Referral, patch_ops};
use cosell_remote::{Class, PartnerCenter};
use cosell_sync::deal::{Timestamp, Unit, UnitValue, Units};

use crate::fake::{Asked, Fake, Reply, http, reply, tokens};

const SINCE: &str = "2026-01-01T00:00:00Z";
const OUR_ID: &str = "OPP-7";

async fn client(fake: &Fake) -> PartnerCenter {
    let settings = PartnerCenterSettings {
        referrals: fake.endpoint("/v1.0/engagements"),
        webhooks: fake.endpoint("/webhooks/v1"),
    };
    PartnerCenter::new(settings, tokens().await, http())
}

fn since() -> Timestamp {
    SINCE.parse().unwrap()
}

fn id(number: usize) -> String {
    format!("aaaaaaaa-0000-4000-8000-{number:012}")
}

/// Changed on this day of January, with this id of ours.
fn referral(number: usize, day: usize, external: &str) -> String {
    format!(
        r#"{{"id":"{}","engagementId":"eeeeeeee-0000-4000-8000-000000000001","eTag":"\"1\"","externalReferenceId":"{external}",
        "updatedDateTime":"2026-01-{day:02}T00:00:00Z"}}"#,
        id(number)
    )
}

fn list(referrals: &[String]) -> Reply {
    reply(200, format!(r#"{{"value":[{}]}}"#, referrals.join(",")))
}

fn bad_request() -> Reply {
    let body = r#"{"error":{"code":"invalidRequest","message":"Not in a filter."}}"#;
    reply(400, body)
}

fn numbers(referrals: &[Referral]) -> Vec<usize> {
    let number = |referral: &Referral| referral.id[24..].parse().unwrap();
    referrals.iter().map(number).collect()
}

fn filter(asked: &Asked) -> String {
    asked.query("$filter").unwrap_or_default()
}

#[tokio::test]
async fn s14_a_referral_is_found_by_our_id_whatever_becomes_of_the_filter() {
    type Answer = fn() -> Reply;
    // Understood; refused; passed over; finding nothing although there is one.
    let readings: [(Answer, usize); 4] = [
        (|| list(&[referral(7, 3, OUR_ID)]), 1),
        (bad_request, 2),
        (
            || list(&[referral(1, 2, "other"), referral(7, 3, OUR_ID)]),
            2,
        ),
        (|| list(&[]), 2),
    ];
    for (answer, calls) in readings {
        let fake = Fake::start(move |asked| {
            if filter(asked).starts_with("externalReferenceId") {
                answer()
            } else {
                list(&[referral(1, 2, "other"), referral(7, 3, OUR_ID)])
            }
        })
        .await;
        let client = client(&fake).await;
        let found = client.by_external_reference("opp-7", since()).await;
        assert_eq!(numbers(&found.unwrap()), [7]);
        let asked = fake.asked();
        assert_eq!(asked.len(), calls);
        if calls == 2 {
            assert_eq!(filter(&asked[1]), format!("updatedDateTime ge {SINCE}"));
        }
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_says_so_and_not_that_there_is_none() {
    let fake = Fake::start(|asked| {
        if filter(asked).starts_with("externalReferenceId") {
            list(&[])
        } else {
            reply(503, "")
        }
    })
    .await;
    let client = client(&fake).await;
    let found = client.by_external_reference("opp-7", since()).await;
    let error = found.unwrap_err();
    assert!(matches!(error.class, Class::Transient { .. }), "{error}");
}

/// What a server takes, and how often it has to be asked until that is known.
struct Reading {
    name: &'static str,
    takes: fn(&Asked) -> bool,
    calls: usize,
}

fn order(asked: &Asked) -> String {
    asked.query("$orderby").unwrap_or_default()
}

const READINGS: [Reading; 6] = [
    Reading {
        name: "bare moments",
        takes: |asked| !filter(asked).contains('\''),
        calls: 1,
    },
    Reading {
        name: "quoted moments",
        takes: |asked| filter(asked).is_empty() || filter(asked).contains('\''),
        calls: 2,
    },
    Reading {
        name: "no filter",
        takes: |asked| filter(asked).is_empty(),
        calls: 3,
    },
    Reading {
        name: "bare moments and no order",
        takes: |asked| !filter(asked).contains('\'') && order(asked).is_empty(),
        calls: 4,
    },
    Reading {
        name: "quoted moments and no order",
        takes: |asked| filter(asked).contains('\'') && order(asked).is_empty(),
        calls: 5,
    },
    Reading {
        name: "neither",
        takes: |asked| filter(asked).is_empty() && order(asked).is_empty(),
        calls: 6,
    },
];

#[tokio::test]
async fn what_was_changed_since_a_moment_comes_oldest_first_in_every_wording() {
    for reading in READINGS {
        let takes = reading.takes;
        let fake = Fake::start(move |asked| {
            if !takes(asked) {
                return bad_request();
            }
            let mut days = vec![(1, 3), (2, 5), (3, 4)];
            // Where nothing is filtered, what is older comes too.
            if filter(asked).is_empty() {
                days.push((4, 0));
            }
            match order(asked).as_str() {
                "updatedDateTime asc" => days.sort_by_key(|(_, day)| *day),
                "updatedDateTime desc" => days.sort_by_key(|(_, day)| 100 - *day),
                _ => {}
            }
            let all: Vec<String> = days
                .into_iter()
                .map(|(number, day)| match day {
                    0 => referral(number, 1, "x").replace("2026-01-01", "2025-12-31"),
                    day => referral(number, day, "x"),
                })
                .collect();
            list(&all)
        })
        .await;
        let client = client(&fake).await;
        let name = reading.name;
        let all = client.updated_since(since()).all().await.unwrap();
        assert_eq!(numbers(&all), [1, 3, 2], "{name}");
        assert_eq!(fake.asked().len(), reading.calls, "{name}");
        // Found out once: the next list is asked for as it is taken, also by a copy of the client.
        let again = client.clone().updated_since(since()).all().await.unwrap();
        assert_eq!(numbers(&again), [1, 3, 2], "{name}");
        assert_eq!(fake.asked().len(), reading.calls + 1, "{name}");
    }
}

#[tokio::test]
async fn newest_first_is_read_until_the_moment_is_reached() {
    let fake = Fake::start(|asked| {
        if !filter(asked).is_empty() {
            return bad_request();
        }
        let (numbers, next) = match asked.query("$skiptoken").as_deref() {
            None => ([(1, 9), (2, 8)], "2"),
            Some("2") => ([(3, 7), (4, 1)], "3"),
            Some(other) => panic!("{other}: that is all older"),
        };
        let rows = numbers.map(|(number, day)| {
            let text = referral(number, day, "x");
            // The fourth is of before.
            text.replace("2026-01-01", "2025-12-31")
        });
        let next = format!(r#","@odata.nextLink":"http://x/?$skiptoken={next}""#);
        reply(200, format!(r#"{{"value":[{}]{next}}}"#, rows.join(",")))
    })
    .await;
    let all = client(&fake).await.updated_since(since()).all().await;
    assert_eq!(numbers(&all.unwrap()), [3, 2, 1]);
}

#[tokio::test]
async fn one_that_cannot_be_read_keeps_nobody_from_the_others() {
    for filters in [true, false] {
        let fake = Fake::start(move |asked| {
            if !filters && !filter(asked).is_empty() {
                return bad_request();
            }
            let odd = format!(r#"{{"id":"{}","details":"none"}}"#, id(2));
            let nobody = r#"{"name":"nobody"}"#.to_owned();
            list(&[referral(1, 3, "x"), odd, nobody, referral(3, 2, "x")])
        })
        .await;
        let client = client(&fake).await;
        let mut pages = client.updated_since(since());
        let page = pages.next().await.unwrap().unwrap();
        let mut read = numbers(&page.referrals);
        read.sort_unstable();
        assert_eq!(read, [1, 3], "{filters}");
        let unread: Vec<_> = page.unread.iter().map(|one| one.id.clone()).collect();
        assert_eq!(unread, [Some(id(2)), None], "{filters}");
        let told = page.unread[0].problem.to_string();
        assert!(told.contains("no referral"), "{told}");
        assert!(pages.next().await.unwrap().is_none(), "{filters}");
        // Who looks for one among all of them is not told that it is not there.
        let found = client.by_external_reference("opp-7", since()).await;
        let error = found.unwrap_err();
        assert!(matches!(error.class, Class::Transient { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_of_every_wording_is_told() {
    let fake = Fake::start(|_| bad_request()).await;
    let error = client(&fake).await.updated_since(since()).all().await;
    let error = error.unwrap_err();
    assert_eq!((error.class, error.status), (Class::Refused, Some(400)));
    assert_eq!(fake.asked().len(), 6);
}

#[tokio::test]
async fn a_state_that_does_not_allow_a_change_is_a_conflict_only_while_it_moves() {
    for (etag, class) in [("1", Class::Refused), ("2", Class::Conflict)] {
        let fake = Fake::start(move |asked| {
            if asked.method == "PATCH" {
                let body = r#"{"error":{"code":"invalidRequest","message":"It is closed."}}"#;
                return reply(409, body);
            }
            reply(
                200,
                referral(1, 2, "x").replace(r#"\"1\""#, &format!(r#"\"{etag}\""#)),
            )
        })
        .await;
        let seen = Referral::parse(&referral(1, 2, "x")).unwrap();
        let notes = Units::from([(Unit::Notes, UnitValue::Text(Some("n".to_owned())))]);
        let operations = patch_ops(&seen, &notes).unwrap();
        let client = client(&fake).await;
        let patched = client.patch(&seen.id, &operations, &seen.etag, "op").await;
        let error = patched.unwrap_err();
        assert_eq!((error.class, error.status), (class, Some(409)));
        assert_eq!(error.about.message, "It is closed.");
    }
}
