//! What must hold in every store at any moment, each as a question that finds what does not.
//!
//! The tables forbid most of it by their keys and conditions; this looks again, because a damaged file, a restored half of a backup or a
//! hand in the database knows no conditions. I3, I6, I8, I10 to I13 are about what happens and not about what lies there: tests prove them.

use std::fmt;

use sha2::Digest as _;

use crate::ChainBreak;

/// Findings of one rule that are told: whoever has more needs a backup and not a list.
pub(crate) const FINDINGS_MAX: i64 = 100;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule: `I9`, `S13`.
    pub rule: &'static str,
    /// What is wrong, as a sentence about `subject`.
    pub says: &'static str,
    /// Whose.
    pub connection: String,
    /// Lane, record or number.
    pub subject: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            says,
            connection,
            subject,
        } = self;
        write!(f, "{rule}: {connection}, {subject}: {says}")
    }
}

impl From<ChainBreak> for Finding {
    fn from(found: ChainBreak) -> Self {
        Self {
            rule: "I7",
            says: "the audit chain does not verify from this entry on",
            connection: found.connection,
            subject: format!("lane {}, entry {}", found.lane, found.sequence),
        }
    }
}

/// A rule and the question for what breaks it: connection and subject, in SQL that both stores speak.
pub(crate) struct Invariant {
    pub(crate) rule: &'static str,
    pub(crate) says: &'static str,
    pub(crate) sql: &'static str,
}

pub(crate) const INVARIANTS: &[Invariant] = &[
    Invariant {
        rule: "I1",
        // Answered rings may be gone, from the oldest on and never the last: see `history`.
        says: "the bell has rung more or less often than events are stored or were dropped after their answer",
        sql: "SELECT bell.connection, bell.side || ' ' || bell.kind || ' ' || bell.record
              FROM bell LEFT JOIN (
                  SELECT connection, side, kind, record, count(*) AS stored, min(ring) AS first, max(ring) AS last
                  FROM event GROUP BY connection, side, kind, record) AS events
              ON events.connection = bell.connection AND events.side = bell.side AND events.kind = bell.kind
                  AND events.record = bell.record
              WHERE coalesce(events.last, 0) <> bell.rung OR events.stored <> events.last - events.first + 1
                  OR events.first < 1 OR events.first > bell.answered + 1",
    },
    Invariant {
        rule: "I1",
        says: "an event is stored whose record has no bell",
        sql: "SELECT DISTINCT event.connection, event.side || ' ' || event.kind || ' ' || event.record FROM event
              WHERE NOT EXISTS (SELECT 1 FROM bell WHERE bell.connection = event.connection AND bell.side = event.side
                  AND bell.kind = event.kind AND bell.record = event.record)",
    },
    Invariant {
        rule: "I1",
        says: "the same event is stored twice",
        sql: "SELECT connection, 'event ' || dedupe FROM event WHERE dedupe IS NOT NULL
              GROUP BY connection, dedupe HAVING count(*) > 1",
    },
    Invariant {
        rule: "I2",
        says: "it is leased to nobody, or was never claimed",
        sql: "SELECT connection, 'lane ' || CAST(lane AS TEXT) FROM lane
              WHERE lease_until IS NOT NULL AND (lease_owner IS NULL OR fence < 1)",
    },
    Invariant {
        rule: "I2",
        says: "its lease ends at another moment than it becomes due again",
        sql: "SELECT connection, 'lane ' || CAST(lane AS TEXT) FROM lane
              WHERE lease_until IS NOT NULL AND (due_at IS NULL OR due_at <> lease_until)",
    },
    Invariant {
        rule: "I4",
        says: "it is linked in more than one lane",
        sql: "SELECT connection, 'referral ' || referral FROM link WHERE referral IS NOT NULL
              GROUP BY connection, referral HAVING count(*) > 1",
    },
    Invariant {
        rule: "I4",
        says: "it is linked in more than one lane",
        sql: "SELECT connection, 'row ' || crm_row FROM link WHERE crm_row IS NOT NULL
              GROUP BY connection, crm_row HAVING count(*) > 1",
    },
    Invariant {
        rule: "I5",
        says: "it has more than one open intent",
        sql: "SELECT connection, 'lane ' || CAST(lane AS TEXT) FROM intent GROUP BY connection, lane HAVING count(*) > 1",
    },
    Invariant {
        rule: "I5",
        says: "it has an open intent and never runs to find out what became of it",
        sql: "SELECT DISTINCT intent.connection, 'lane ' || CAST(intent.lane AS TEXT) FROM intent
              LEFT JOIN lane ON lane.connection = intent.connection AND lane.lane = intent.lane WHERE lane.due_at IS NULL",
    },
    Invariant {
        rule: "I5",
        // Where the oldest are gone, the newest 50 (`ATTEMPTS_KEPT`) are there.
        says: "writes are missing in its history",
        sql: "SELECT connection, 'lane ' || CAST(lane AS TEXT) FROM attempt
              GROUP BY connection, lane HAVING count(*) <> max(number) - min(number) + 1 OR min(number) < 1
                  OR (min(number) > 1 AND count(*) < 50)",
    },
    Invariant {
        rule: "I7",
        says: "more rings are answered than rang",
        sql: "SELECT connection, side || ' ' || kind || ' ' || record FROM bell WHERE answered > rung OR answered < 0",
    },
    Invariant {
        rule: "I9",
        says: "a bell waits for an answer, and the lane never runs",
        sql: "SELECT DISTINCT member.connection, 'lane ' || CAST(member.lane AS TEXT)
              FROM bell JOIN member ON member.connection = bell.connection AND member.side = bell.side
                  AND member.kind = bell.kind AND member.record = bell.record
              JOIN lane ON lane.connection = member.connection AND lane.lane = member.lane
              WHERE bell.rung > bell.answered AND lane.due_at IS NULL",
    },
    Invariant {
        rule: "I9",
        says: "it rang and belongs to no lane",
        sql: "SELECT bell.connection, bell.side || ' ' || bell.kind || ' ' || bell.record FROM bell
              WHERE NOT EXISTS (SELECT 1 FROM member WHERE member.connection = bell.connection AND member.side = bell.side
                  AND member.kind = bell.kind AND member.record = bell.record)",
    },
    Invariant {
        rule: "S6",
        says: "a base names a raw record that is not there",
        sql: "SELECT base.connection, 'lane ' || CAST(base.lane AS TEXT) || ', ' || base.unit FROM base
              WHERE base.raw IS NOT NULL AND NOT EXISTS (SELECT 1 FROM raw
                  WHERE raw.connection = base.connection AND raw.lane = base.lane AND raw.hash = base.raw)",
    },
    Invariant {
        rule: "S6",
        says: "it has bases and no link",
        sql: "SELECT DISTINCT base.connection, 'lane ' || CAST(base.lane AS TEXT) FROM base
              WHERE NOT EXISTS (SELECT 1 FROM link WHERE link.connection = base.connection AND link.lane = base.lane)",
    },
    Invariant {
        rule: "S10",
        says: "the same question is open twice",
        sql: "SELECT connection, 'lane ' || CAST(lane AS TEXT) || ', ' || kind || ' ' || subject FROM card
              WHERE closed_at IS NULL GROUP BY connection, lane, kind, subject HAVING count(*) > 1",
    },
    Invariant {
        rule: "S13",
        says: "it belongs to more than one lane",
        sql: "SELECT connection, side || ' ' || kind || ' ' || record FROM member
              GROUP BY connection, side, kind, record HAVING count(*) > 1",
    },
    Invariant {
        rule: "S13",
        says: "it belongs to a lane that is not there or has retired",
        sql: "SELECT member.connection, member.side || ' ' || member.kind || ' ' || member.record FROM member
              LEFT JOIN lane ON lane.connection = member.connection AND lane.lane = member.lane
              WHERE lane.lane IS NULL OR lane.state = 'retired'",
    },
    Invariant {
        rule: "S13",
        says: "it has retired, and has a link, a question, a hold or a time to run",
        sql: "SELECT connection, 'lane ' || CAST(lane AS TEXT) FROM lane WHERE state = 'retired' AND (
                  due_at IS NOT NULL OR lease_until IS NOT NULL
                  OR EXISTS (SELECT 1 FROM link WHERE link.connection = lane.connection AND link.lane = lane.lane)
                  OR EXISTS (SELECT 1 FROM card WHERE card.connection = lane.connection AND card.lane = lane.lane
                      AND card.closed_at IS NULL)
                  OR EXISTS (SELECT 1 FROM hold WHERE hold.connection = lane.connection AND hold.lane = lane.lane
                      AND hold.closed_at IS NULL))",
    },
    Invariant {
        rule: "S13",
        says: "it has retired into no living lane",
        sql: "WITH RECURSIVE living (connection, lane) AS (
                  SELECT connection, lane FROM lane WHERE state <> 'retired'
                  UNION SELECT lane.connection, lane.lane FROM lane JOIN living
                  ON living.connection = lane.connection AND living.lane = lane.retired_into WHERE lane.state = 'retired')
              SELECT lane.connection, 'lane ' || CAST(lane.lane AS TEXT) FROM lane
              WHERE NOT EXISTS (SELECT 1 FROM living WHERE living.connection = lane.connection AND living.lane = lane.lane)",
    },
    Invariant {
        rule: "S13",
        says: "a link belongs to a lane that is not there",
        sql: "SELECT link.connection, 'lane ' || CAST(link.lane AS TEXT) FROM link
              WHERE NOT EXISTS (SELECT 1 FROM lane WHERE lane.connection = link.connection AND lane.lane = link.lane)",
    },
    Invariant {
        rule: "S13",
        says: "a number that is used already would be given out again",
        sql: "SELECT used.connection, used.name || ' ' || CAST(used.last AS TEXT) FROM (
                  SELECT connection, 'lane' AS name, max(lane) AS last FROM lane GROUP BY connection
                  UNION ALL SELECT connection, 'card', max(card) FROM card GROUP BY connection
                  UNION ALL SELECT connection, 'hold', max(hold) FROM hold GROUP BY connection) AS used
              LEFT JOIN counter ON counter.connection = used.connection AND counter.name = used.name
              WHERE coalesce(counter.value, 0) < used.last",
    },
    Invariant {
        rule: "S24",
        says: "the same write is held twice",
        sql: "SELECT connection, 'lane ' || CAST(lane AS TEXT) || ', ' || kind || ' ' || subject FROM hold
              WHERE closed_at IS NULL GROUP BY connection, lane, kind, subject HAVING count(*) > 1",
    },
    Invariant {
        rule: "S29",
        says: "a generation of the set is missing between the oldest and the newest",
        sql: "SELECT 'plugins', 'generation ' || CAST(generation + 1 AS TEXT) FROM active_set AS one
              WHERE generation < (SELECT max(generation) FROM active_set)
                  AND NOT EXISTS (SELECT 1 FROM active_set AS next WHERE next.generation = one.generation + 1)",
    },
    Invariant {
        rule: "S29",
        says: "a file belongs to a generation that is not there",
        sql: "SELECT DISTINCT 'plugins', 'generation ' || CAST(generation AS TEXT) FROM set_member
              WHERE NOT EXISTS (SELECT 1 FROM active_set WHERE active_set.generation = set_member.generation)",
    },
    Invariant {
        rule: "S29",
        says: "its bytes are not there",
        sql: "SELECT 'plugins', file || ' of generation ' || CAST(generation AS TEXT) FROM set_member
              WHERE NOT EXISTS (SELECT 1 FROM component WHERE component.hash = set_member.component)
                  OR (source IS NOT NULL AND NOT EXISTS (SELECT 1 FROM component WHERE component.hash = set_member.source))",
    },
    Invariant {
        rule: "S29",
        says: "it is quarantined and in the set",
        sql: "SELECT 'plugins', set_member.file FROM set_member JOIN quarantine ON quarantine.sha256 = set_member.sha256
              WHERE released_at IS NULL AND generation = (SELECT max(generation) FROM active_set)",
    },
];

/// Names of all bytes, in SQL that both stores speak; each is looked at by itself, because together they are large.
pub(crate) const COMPONENTS: &str = "SELECT hash FROM component ORDER BY hash";

/// Bytes that are not what their name says.
pub(crate) fn damaged(hash: &str, bytes: &[u8]) -> Option<Finding> {
    let is_sound = hex::encode(sha2::Sha256::digest(bytes)) == hash;
    (!is_sound).then(|| Finding {
        rule: "S29",
        says: "the bytes have another hash than their name",
        connection: "plugins".to_owned(),
        subject: format!("component {hash}"),
    })
}

impl Invariant {
    /// What a question found.
    pub(crate) fn broken(&self, connection: String, subject: String) -> Finding {
        Finding {
            rule: self.rule,
            says: self.says,
            connection,
            subject,
        }
    }
}
