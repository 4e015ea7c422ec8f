-- Members of the fleet as the chain of decisions and their manifests show them.
CREATE TABLE fleet_nodes (
    node_id      TEXT PRIMARY KEY,
    tier         TEXT NOT NULL,
    epoch        INTEGER NOT NULL,
    member_key   TEXT NOT NULL,
    admitted_at  INTEGER NOT NULL,
    software     TEXT NOT NULL,
    addresses    TEXT NOT NULL,
    capabilities TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Signed records, byte for byte as their authors signed them.
CREATE TABLE records (
    author TEXT NOT NULL,
    key    BLOB NOT NULL,
    bytes  BLOB NOT NULL,
    PRIMARY KEY (author, key)
) STRICT;

-- What outlives an author's records: epoch, highest counter, proofs of equivocation.
CREATE TABLE authors (
    author TEXT PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;

-- The chain of decisions with their certificates.
CREATE TABLE decisions (
    slot  INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- What this member promised and accepted in the slot that is being decided.
CREATE TABLE acceptor (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    bytes BLOB NOT NULL
) STRICT;

-- Everything that was wanted, is being done or was done. `prepared` is written before anything moves.
CREATE TABLE actions (
    id       TEXT PRIMARY KEY,
    kind     TEXT NOT NULL,
    state    TEXT NOT NULL,
    proposal TEXT NOT NULL,
    result   TEXT,
    wall_ms  INTEGER NOT NULL,
    prepared TEXT
) STRICT;

CREATE INDEX actions_by_time ON actions (wall_ms);

-- Money that is reserved or spent. A closed entry counts in no window any more; reports read it.
CREATE TABLE ledger (
    id     TEXT PRIMARY KEY,
    entry  TEXT NOT NULL,
    closed INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Proposals that wait for the operator, in the order in which they were put.
CREATE TABLE pending (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT,
    id    TEXT NOT NULL UNIQUE,
    entry TEXT NOT NULL
) STRICT;

-- The last proposals that wait no more, and how they ended.
CREATE TABLE ended (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT,
    entry TEXT NOT NULL
) STRICT;

-- Mode, pause and clock of the gate.
CREATE TABLE gate (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- Policies from before this node joined, to be restored when it leaves.
CREATE TABLE saved_fees (
    channel TEXT PRIMARY KEY,
    policy  TEXT NOT NULL
) STRICT;

-- How often the agent was started.
CREATE TABLE boots (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    count INTEGER NOT NULL
) STRICT;

-- Single values by name.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- What happened and why. Each hash covers the row and the hash before it.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    boot    INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    subject TEXT NOT NULL,
    action  TEXT,
    text    TEXT NOT NULL,
    hash    BLOB NOT NULL
) STRICT;

CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log only grows');
END;

CREATE TRIGGER audit_keeps_content BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log only grows');
END;
