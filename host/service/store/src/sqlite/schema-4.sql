-- Version 4: what runs saw, for replay; and an audit whose words can be erased. Rules as in version 1.

-- From scheme 2 on the chain is over a commitment to an entry's words (SHA-256 of a random salt, message and detail) and not over the words. Erased
-- words lose their salt, so that nobody can find out by trying what they were; `erased` says so, and a later entry of the kind `erased` says which
-- entries, and the hash of what stands there now. An entry of scheme 1 has neither salt nor commitment; erased, its hash is believed, because
-- the entry after it is chained to it.
ALTER TABLE audit ADD COLUMN salt TEXT;
ALTER TABLE audit ADD COLUMN commitment TEXT;
ALTER TABLE audit ADD COLUMN erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1));

-- What a run saw and what plugins answered, sealed by the host. content names it: the same again is one row, seen last at `at`. Gone after `until`.
CREATE TABLE recording (
    connection TEXT    NOT NULL,
    lane       INTEGER NOT NULL,
    content    TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    at         INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    PRIMARY KEY (connection, lane, content),
    FOREIGN KEY (connection, lane) REFERENCES lane (connection, lane)
) STRICT;
CREATE INDEX recording_until ON recording (until);
