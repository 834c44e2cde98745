-- Version 2: what a person is asked, what writes count for the brakes, and facts about a connection. Rules as in version 1.

-- What the lane stood on when it was parked last (S26): kept and cleared with `failure`. When its last run ended.
ALTER TABLE lane ADD COLUMN parked_on TEXT;
ALTER TABLE lane ADD COLUMN ran_at INTEGER;
-- Version 1 did not write down when runs ended; what the last one said comes closest.
UPDATE lane SET ran_at = (
    SELECT max(audit.at) FROM audit WHERE audit.connection = lane.connection AND audit.lane = lane.lane);

-- Whether the write can be taken back (S24): 0 or 1.
ALTER TABLE intent ADD COLUMN irreversible INTEGER NOT NULL DEFAULT 0 CHECK (irreversible IN (0, 1));

-- An attempt keeps what its intent was; empty where the intent of a write from version 1 is gone.
ALTER TABLE attempt ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN side TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN record_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN record TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN irreversible INTEGER NOT NULL DEFAULT 0 CHECK (irreversible IN (0, 1));
-- Writes that took effect, for the mass-change brake (S25): counted before every write, from this index alone.
CREATE INDEX attempt_written ON attempt (connection, side, at, lane, irreversible, outcome) WHERE outcome IN ('done', 'adopted');

-- Questions for a person. A row is open until closed_at; closed ones are history. One that is asked anew with another body is a new
-- row: nobody answers what he has not seen.
CREATE TABLE card (
    connection  TEXT    NOT NULL,
    card        INTEGER NOT NULL,
    lane        INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    opened      INTEGER NOT NULL,
    choice      TEXT,
    answered_by TEXT,
    answered_at INTEGER,
    closed_why  TEXT,
    closed_at   INTEGER,
    PRIMARY KEY (connection, card),
    FOREIGN KEY (connection, lane) REFERENCES lane (connection, lane),
    CHECK ((choice IS NULL) = (answered_at IS NULL) AND (answered_by IS NULL) = (answered_at IS NULL)),
    CHECK ((closed_why IS NULL) = (closed_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX card_open ON card (connection, lane, kind, subject) WHERE closed_at IS NULL;

-- Writes that wait for time (until) or a person. Live until closed_at. fingerprint is of the exact write; another one is a new row.
CREATE TABLE hold (
    connection  TEXT    NOT NULL,
    hold        INTEGER NOT NULL,
    lane        INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    opened      INTEGER NOT NULL,
    until       INTEGER,
    released    INTEGER CHECK (released IN (0, 1)),
    settled_by  TEXT,
    settled_at  INTEGER,
    closed_why  TEXT,
    closed_at   INTEGER,
    PRIMARY KEY (connection, hold),
    FOREIGN KEY (connection, lane) REFERENCES lane (connection, lane),
    CHECK ((released IS NULL) = (settled_at IS NULL) AND (settled_by IS NULL) = (settled_at IS NULL)),
    CHECK ((closed_why IS NULL) = (closed_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX hold_live ON hold (connection, lane, kind, subject) WHERE closed_at IS NULL;

-- Small facts about a connection, by name: bound organisation (S22), routing (S23), mass-change brake (S25).
CREATE TABLE note (
    connection TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (connection, name)
) STRICT;
