-- The embedded and the served store's tables. Every row is sealed, or carries a code, but those of
-- `salt`, each judged by the value that it opens, and of `unpurged`, which only asks for a purge.
-- Times are milliseconds since 1970 in UTC.

-- Random keys, made once, sealed under the master key.
CREATE TABLE keyring (
    purpose    TEXT PRIMARY KEY NOT NULL,
    format     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    key_id     BLOB NOT NULL,
    salt       BLOB NOT NULL,
    sealed     BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE organization (
    name       TEXT PRIMARY KEY NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    code       BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE secret (
    organization TEXT NOT NULL REFERENCES organization,
    name         TEXT NOT NULL,
    format       INTEGER NOT NULL,
    id           BLOB NOT NULL,
    version      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    created_by   TEXT NOT NULL,
    updated_at   INTEGER NOT NULL,
    updated_by   TEXT NOT NULL,
    key_id       BLOB NOT NULL,
    slot         INTEGER NOT NULL,
    sealed       BLOB NOT NULL,
    PRIMARY KEY (organization, name)
) STRICT, WITHOUT ROWID;

-- Without its salt a sealed value is noise, so deleting means overwriting the salt. SQLite leaves
-- copies of cells behind when it rebuilds a page, `secure_delete` notwithstanding. Here it never
-- does: rows all have one size, are added at the end, overwritten in place, and never removed.
CREATE TABLE salt (
    slot INTEGER PRIMARY KEY,
    free INTEGER NOT NULL,
    salt BLOB NOT NULL
) STRICT;

CREATE INDEX salt_free ON salt (slot) WHERE free = 1;

CREATE INDEX secret_updated ON secret (organization, updated_at, name);

CREATE TABLE audit (
    organization TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    actor        TEXT NOT NULL,
    action       TEXT NOT NULL,
    name         TEXT,
    secrets      TEXT NOT NULL,
    workload     TEXT,
    client       TEXT,
    outcome      TEXT NOT NULL,
    code         BLOB NOT NULL,
    PRIMARY KEY (organization, sequence)
) STRICT, WITHOUT ROWID;

-- The last change of each name: its version is the only one that a row may have.
CREATE INDEX audit_change ON audit (organization, name, sequence) WHERE name IS NOT NULL;

-- Changes whose old value may still stand in the journal.
CREATE TABLE unpurged (
    organization TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    deleted      INTEGER NOT NULL,
    PRIMARY KEY (organization, name)
) STRICT, WITHOUT ROWID;
