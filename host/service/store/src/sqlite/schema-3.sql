-- Version 3: the set of plugins that serves, its bytes, and what became of it (S29, S30). Rules as in version 1. These tables are of the whole
-- store and not of a connection: hosts that share a store serve one set.

-- Bytes by their SHA-256 in hex: components, engines, texts that engines run. Those that no generation names any more are dropped.
CREATE TABLE component (
    hash  TEXT    NOT NULL PRIMARY KEY,
    bytes BLOB    NOT NULL,
    at    INTEGER NOT NULL
) STRICT;

-- The newest generation serves. Generations count from 1 without a gap; the oldest are dropped.
CREATE TABLE active_set (
    generation INTEGER NOT NULL PRIMARY KEY,
    by_whom    TEXT    NOT NULL,
    note       TEXT    NOT NULL,
    at         INTEGER NOT NULL
) STRICT;

-- Files of a generation: at most one that serves, and at most one candidate that is judged or tried. sha256 names the version, component
-- and source its bytes; operator is the text of the operator file, detail what only the host reads.
CREATE TABLE set_member (
    generation INTEGER NOT NULL REFERENCES active_set (generation),
    file       TEXT    NOT NULL,
    candidate  INTEGER NOT NULL CHECK (candidate IN (0, 1)),
    sha256     TEXT    NOT NULL,
    component  TEXT    NOT NULL REFERENCES component (hash),
    source     TEXT             REFERENCES component (hash),
    operator   TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    PRIMARY KEY (generation, file, candidate)
) STRICT;
CREATE INDEX set_member_component ON set_member (component);
CREATE INDEX set_member_source ON set_member (source);

-- Versions that were taken out of service. One that a person has released keeps its row, so that nobody takes an old note of it for news.
CREATE TABLE quarantine (
    sha256      TEXT    NOT NULL PRIMARY KEY,
    file        TEXT    NOT NULL,
    plugin      TEXT    NOT NULL,
    why         TEXT    NOT NULL,
    by_whom     TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    released_by TEXT,
    released_at INTEGER,
    CHECK ((released_by IS NULL) = (released_at IS NULL))
) STRICT;

-- What each folder held when it was last heard: it is heard again only about what is different then.
CREATE TABLE proposal (
    folder   TEXT NOT NULL,
    file     TEXT NOT NULL,
    sha256   TEXT NOT NULL,
    operator TEXT NOT NULL,
    PRIMARY KEY (folder, file)
) STRICT;

-- What happened to files and to the set, in words; the oldest are dropped.
CREATE TABLE plugin_event (
    number     INTEGER NOT NULL PRIMARY KEY,
    what       TEXT    NOT NULL,
    file       TEXT    NOT NULL,
    plugin     TEXT,
    version    TEXT,
    sha256     TEXT,
    generation INTEGER,
    by_whom    TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    at         INTEGER NOT NULL
) STRICT;

-- What a set of candidates would make of a deal otherwise than the set that serves. pair names the two; judgements of another pair are old.
CREATE TABLE judgement (
    pair       TEXT    NOT NULL,
    connection TEXT    NOT NULL,
    lane       INTEGER NOT NULL,
    verdict    TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (pair, connection, lane),
    FOREIGN KEY (connection, lane) REFERENCES lane (connection, lane)
) STRICT;
