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

-- The audit trail. `subject` is what a change was made to: a secret by its name, `member:ADDRESS` or
-- `token:ID`.
CREATE TABLE audit (
    organization TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    actor        TEXT NOT NULL,
    action       TEXT NOT NULL,
    subject      TEXT,
    secrets      TEXT NOT NULL,
    detail       TEXT,
    workload     TEXT,
    client       TEXT,
    outcome      TEXT NOT NULL,
    code         BLOB NOT NULL,
    PRIMARY KEY (organization, sequence)
) STRICT, WITHOUT ROWID;

-- The last change of each subject: a row may only be the one that it made.
CREATE INDEX audit_change ON audit (organization, subject, sequence) WHERE subject IS NOT NULL;

-- The changes behind a record, among many records that changed nothing.
CREATE INDEX audit_sequence ON audit (organization, sequence) WHERE subject IS NOT NULL;

-- `sequence` is that of the record that wrote the row.
CREATE TABLE member (
    organization TEXT NOT NULL,
    email        TEXT NOT NULL,
    role         TEXT NOT NULL,
    names        TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    created_by   TEXT NOT NULL,
    updated_at   INTEGER NOT NULL,
    updated_by   TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    code         BLOB NOT NULL,
    PRIMARY KEY (organization, email)
) STRICT, WITHOUT ROWID;

-- A member's token or a workload's; the token itself is not here, only its keyed hash.
CREATE TABLE token (
    id           TEXT PRIMARY KEY NOT NULL,
    organization TEXT NOT NULL,
    member       TEXT,
    workload     TEXT,
    names        TEXT,
    created_at   INTEGER NOT NULL,
    created_by   TEXT NOT NULL,
    expires_at   INTEGER,
    network      TEXT,
    hash         BLOB NOT NULL,
    sequence     INTEGER NOT NULL,
    code         BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX token_listed ON token (organization, created_at, id);

-- What each workload resolved last. The time is exact to the minute.
CREATE TABLE usage (
    organization TEXT NOT NULL,
    workload     TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    code         BLOB NOT NULL,
    PRIMARY KEY (organization, workload, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_name ON usage (organization, name);

-- Changes whose old value may still stand in the journal.
CREATE TABLE unpurged (
    organization TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    deleted      INTEGER NOT NULL,
    PRIMARY KEY (organization, name)
) STRICT, WITHOUT ROWID;
