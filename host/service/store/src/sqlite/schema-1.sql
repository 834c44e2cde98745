-- Version 1. The connection id leads every key, so that the tables can be distributed by it. Times are milliseconds since the Unix
-- epoch by the store's clock. Plain SQL: for PostgreSQL, INTEGER is BIGINT, and STRICT and WITHOUT ROWID (where SQLite keeps a row
-- inside its key instead of beside it) fall away. No row is ever found by an implicit row number.

-- Numbers that are handed out: `lane` per connection.
CREATE TABLE counter (
    connection TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    value      INTEGER NOT NULL,
    PRIMARY KEY (connection, name)
) STRICT, WITHOUT ROWID;

-- One row per deal: the queue's unit of work. The lease lies here, never on an event: events of one deal must not run side by side.
-- due_at is the one moment that claiming looks at: while free, when the lane runs next (NULL: when a bell rings); while leased, the
-- end of the lease. state is how the last run ended; `due`, `running` and `waiting` follow from the times.
CREATE TABLE lane (
    connection   TEXT    NOT NULL,
    lane         INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('settled', 'waiting', 'parked', 'held', 'orphaned', 'paused', 'retired')),
    reason       TEXT,
    due_at       INTEGER,
    lease_owner  TEXT,
    lease_until  INTEGER,
    fence        INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    failure      TEXT,
    born         INTEGER NOT NULL,
    retired_into INTEGER,
    -- Length and last hash of the audit chain: a chain whose tail was cut off does not end here.
    audited      INTEGER NOT NULL,
    audit_head   TEXT,
    PRIMARY KEY (connection, lane),
    FOREIGN KEY (connection, retired_into) REFERENCES lane (connection, lane),
    CHECK (lease_until IS NULL OR due_at = lease_until),
    CHECK ((state = 'retired') = (retired_into IS NOT NULL)),
    CHECK (state <> 'retired' OR (due_at IS NULL AND lease_until IS NULL))
) STRICT, WITHOUT ROWID;
-- The only index that does not start with the connection: a worker takes the oldest due lane of all. Idle lanes are not in it.
CREATE INDEX lane_due ON lane (due_at, connection, lane) WHERE due_at IS NOT NULL;

-- Which lane a record belongs to. A record belongs to one.
CREATE TABLE member (
    connection TEXT    NOT NULL,
    side       TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    record     TEXT    NOT NULL,
    lane       INTEGER NOT NULL,
    PRIMARY KEY (connection, side, kind, record),
    FOREIGN KEY (connection, lane) REFERENCES lane (connection, lane)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_lane ON member (connection, lane);

-- One row per record: how often it rang, up to which ring a run has answered. The lane is the member's; a record that moves takes
-- its bell with it.
CREATE TABLE bell (
    connection TEXT    NOT NULL,
    side       TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    record     TEXT    NOT NULL,
    rung       INTEGER NOT NULL,
    answered   INTEGER NOT NULL,
    cause      TEXT    NOT NULL,
    since      INTEGER NOT NULL,
    PRIMARY KEY (connection, side, kind, record),
    FOREIGN KEY (connection, side, kind, record) REFERENCES member (connection, side, kind, record),
    CHECK (answered <= rung)
) STRICT, WITHOUT ROWID;
CREATE INDEX bell_waiting ON bell (connection, since) WHERE rung > answered;

-- Every accepted event, once: ring number `ring` of its record's bell. Append only.
CREATE TABLE event (
    connection TEXT    NOT NULL,
    side       TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    record     TEXT    NOT NULL,
    ring       INTEGER NOT NULL,
    cause      TEXT    NOT NULL,
    dedupe     TEXT,
    at         INTEGER NOT NULL,
    PRIMARY KEY (connection, side, kind, record, ring),
    FOREIGN KEY (connection, side, kind, record) REFERENCES bell (connection, side, kind, record)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX event_once ON event (connection, dedupe) WHERE dedupe IS NOT NULL;

-- The pair (or trio) of records of a lane. etags: a JSON object of texts, read by the store only.
CREATE TABLE link (
    connection         TEXT    NOT NULL,
    lane               INTEGER NOT NULL,
    referral           TEXT,
    microsoft_referral TEXT,
    engagement         TEXT,
    crm_table          TEXT,
    crm_row            TEXT,
    generation         INTEGER NOT NULL,
    etags              TEXT    NOT NULL,
    mark               TEXT,
    set_hash           TEXT,
    notes              TEXT    NOT NULL,
    PRIMARY KEY (connection, lane),
    FOREIGN KEY (connection, lane) REFERENCES lane (connection, lane)
) STRICT;
CREATE UNIQUE INDEX link_referral ON link (connection, referral) WHERE referral IS NOT NULL;
CREATE UNIQUE INDEX link_crm_row ON link (connection, crm_row) WHERE crm_row IS NOT NULL;
CREATE INDEX link_engagement ON link (connection, engagement) WHERE engagement IS NOT NULL;

-- What a side showed for a unit when both were last in step. value is the host's JSON, raw names a row of `raw`.
CREATE TABLE base (
    connection TEXT    NOT NULL,
    lane       INTEGER NOT NULL,
    unit       TEXT    NOT NULL,
    side       TEXT    NOT NULL,
    value      TEXT,
    raw        TEXT,
    PRIMARY KEY (connection, lane, unit, side),
    FOREIGN KEY (connection, lane) REFERENCES link (connection, lane)
) STRICT;

-- Raw records behind the bases, once per hash; gone when no base of the lane names them.
CREATE TABLE raw (
    connection TEXT    NOT NULL,
    lane       INTEGER NOT NULL,
    hash       TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    PRIMARY KEY (connection, lane, hash),
    FOREIGN KEY (connection, lane) REFERENCES link (connection, lane)
) STRICT;

-- The write that is about to happen, or whose outcome is unknown. The key is what makes it one per lane (I5).
CREATE TABLE intent (
    connection   TEXT    NOT NULL,
    lane         INTEGER NOT NULL,
    operation    TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    side         TEXT    NOT NULL,
    record_kind  TEXT    NOT NULL,
    record       TEXT    NOT NULL,
    precondition TEXT,
    detail       TEXT    NOT NULL,
    since        INTEGER NOT NULL,
    PRIMARY KEY (connection, lane),
    FOREIGN KEY (connection, lane) REFERENCES lane (connection, lane)
) STRICT;

-- How writes ended. Append only.
CREATE TABLE attempt (
    connection TEXT    NOT NULL,
    lane       INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    operation  TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (connection, lane, number),
    FOREIGN KEY (connection, lane) REFERENCES lane (connection, lane)
) STRICT;

-- What happened to a deal, one hash chain per lane. scheme says how the hash was made: 1 is over the line as it stands; a later one
-- may be over salted commitments, so that erased values still verify. Append only.
CREATE TABLE audit (
    connection TEXT    NOT NULL,
    lane       INTEGER NOT NULL,
    sequence   INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    scheme     INTEGER NOT NULL,
    hash       TEXT    NOT NULL,
    PRIMARY KEY (connection, lane, sequence),
    FOREIGN KEY (connection, lane) REFERENCES lane (connection, lane)
) STRICT;

-- How far a stream was read. Moves only together with the events that it covers (I10).
CREATE TABLE cursor (
    connection TEXT    NOT NULL,
    stream     TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (connection, stream)
) STRICT;

-- Until when a credential may not be used (I11).
CREATE TABLE throttle (
    connection TEXT    NOT NULL,
    credential TEXT    NOT NULL,
    until      INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    PRIMARY KEY (connection, credential)
) STRICT;
