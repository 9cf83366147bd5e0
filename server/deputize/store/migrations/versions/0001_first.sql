-- The tables of the first version.
--
-- Column types are SQLite's; PostgreSQL says BYTEA for BLOB, BIGINT for INTEGER, and identity for `seq`.

CREATE TABLE users (
    seq INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    handle BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    external_id TEXT UNIQUE,
    enrolls_until INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    digest BLOB NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (user_id),
    auth_time INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE credentials (
    seq INTEGER PRIMARY KEY,
    credential_id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (user_id),
    public_key BLOB NOT NULL,
    sign_count INTEGER NOT NULL,
    transports TEXT NOT NULL,
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    active INTEGER NOT NULL
) STRICT;
CREATE INDEX credentials_user_id ON credentials (user_id);

CREATE TABLE recoveries (
    digest BLOB NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (user_id),
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT;

CREATE TABLE agents (
    seq INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL UNIQUE,
    assurance TEXT NOT NULL,
    jkt TEXT UNIQUE,
    user_id TEXT REFERENCES users (user_id),
    created_at INTEGER NOT NULL,
    name TEXT NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX agents_user_id ON agents (user_id);

CREATE TABLE grants (
    seq INTEGER PRIMARY KEY,
    grant_id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (user_id),
    client_id TEXT NOT NULL REFERENCES agents (client_id),
    scopes TEXT NOT NULL,
    state TEXT NOT NULL,
    shown TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    jkt TEXT NOT NULL,
    constraints TEXT NOT NULL,
    parent_id TEXT REFERENCES grants (grant_id),
    refresh_generation INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    auth_time INTEGER NOT NULL,
    was_active INTEGER NOT NULL
) STRICT;
CREATE INDEX grants_user_id ON grants (user_id);
CREATE UNIQUE INDEX grants_active ON grants (user_id, client_id, jkt)
WHERE state = 'active' AND parent_id IS NULL;
CREATE INDEX grants_client_id ON grants (client_id) WHERE state = 'active';
CREATE INDEX grants_pending ON grants (expires_at) WHERE state = 'pending';
CREATE INDEX grants_parent_id ON grants (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE requests (
    request_id TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    assurance TEXT NOT NULL,
    name TEXT NOT NULL,
    document_s256 TEXT NOT NULL,
    jkt TEXT NOT NULL,
    scopes TEXT NOT NULL,
    constraints TEXT NOT NULL,
    redirect_uri TEXT,
    state TEXT,
    code_challenge TEXT,
    user_code TEXT,
    secret_digest BLOB UNIQUE,
    expires_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    user_id TEXT,
    grant_id TEXT,
    polled_at INTEGER NOT NULL,
    interval INTEGER NOT NULL
) STRICT;
CREATE INDEX requests_expires_at ON requests (expires_at);
CREATE UNIQUE INDEX requests_user_code ON requests (user_code) WHERE status = 'requested';

CREATE TABLE counters (
    grant_id TEXT NOT NULL REFERENCES grants (grant_id),
    counter TEXT NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (grant_id, counter)
) STRICT;

CREATE TABLE challenges (
    challenge_id TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL,
    nonce BLOB NOT NULL,
    action_hash BLOB NOT NULL,
    tool TEXT NOT NULL,
    subject TEXT NOT NULL,
    owner TEXT,
    page_jkt TEXT,
    expires_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    consumed_at INTEGER
) STRICT;
CREATE INDEX challenges_expires_at ON challenges (expires_at);

CREATE TABLE proofs (
    seq INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    keep_until INTEGER NOT NULL
) STRICT;

CREATE TABLE calls (
    seq INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    user_id TEXT NOT NULL,
    client_id TEXT,
    grant_id TEXT,
    page_jkt TEXT,
    tool TEXT NOT NULL,
    scopes TEXT NOT NULL,
    arguments BLOB NOT NULL,
    args_s256 TEXT NOT NULL,
    definition_s256 TEXT NOT NULL,
    match_key BLOB,
    salt BLOB NOT NULL,
    description TEXT,
    authenticator_class TEXT NOT NULL,
    executes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    challenge_id TEXT,
    delivered INTEGER NOT NULL
) STRICT;
CREATE INDEX calls_match_key ON calls (match_key) WHERE match_key IS NOT NULL;
CREATE INDEX calls_deadline ON calls (deadline) WHERE state IN ('approved', 'pending', 'redeemed');

CREATE TABLE entries (
    idx INTEGER PRIMARY KEY,
    leaf BLOB NOT NULL,
    leaf_hash BLOB NOT NULL
) STRICT;

CREATE TABLE log_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    frontier BLOB NOT NULL
) STRICT;

CREATE TABLE checkpoints (
    seq INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    note TEXT NOT NULL UNIQUE
) STRICT;
