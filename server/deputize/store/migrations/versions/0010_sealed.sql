-- What is kept of users lies sealed under their keys, in one column of each row (KEEP-4).
--
-- `keys_made`, `sealed`, `keyed` and `digested` are `../sealing.py`'s. Tables are made anew, so that each row is written once.

SELECT keys_made(user_id, external_id) FROM users WHERE forgotten_at IS NULL;

CREATE TABLE users_sealed (
    seq INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL UNIQUE,
    handle BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    enrolls_until INTEGER NOT NULL,
    paused_since INTEGER,
    forgotten_at INTEGER,
    sealed BLOB
) STRICT;
INSERT INTO users_sealed
SELECT seq, user_id, handle, created_at, enrolls_until, paused_since, forgotten_at,
    sealed('users.sealed', user_id, user_id, 0, name, external_id)
FROM users ORDER BY seq;
DROP TABLE users;
ALTER TABLE users_sealed RENAME TO users;
CREATE INDEX users_forgotten ON users (user_id) WHERE forgotten_at IS NOT NULL;

CREATE TABLE credentials_sealed (
    seq INTEGER PRIMARY KEY,
    credential_id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (user_id),
    public_key BLOB NOT NULL,
    sign_count INTEGER NOT NULL,
    transports TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    active INTEGER NOT NULL,
    sealed BLOB
) STRICT;
INSERT INTO credentials_sealed
SELECT seq, credential_id, user_id, public_key, sign_count, transports, created_at, active,
    sealed('credentials.sealed', credential_id, user_id, 0, label)
FROM credentials ORDER BY seq;
DROP TABLE credentials;
ALTER TABLE credentials_sealed RENAME TO credentials;
CREATE INDEX credentials_user_id ON credentials (user_id);

CREATE TABLE grants_sealed (
    seq INTEGER PRIMARY KEY,
    grant_id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (user_id),
    client_id TEXT NOT NULL REFERENCES agents (client_id),
    scopes TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    jkt TEXT NOT NULL,
    parent_id TEXT REFERENCES grants (grant_id),
    refresh_generation INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    auth_time INTEGER NOT NULL,
    definitions TEXT NOT NULL,
    was_active INTEGER NOT NULL,
    sealed BLOB
) STRICT;
INSERT INTO grants_sealed
SELECT seq, grant_id, user_id, client_id, scopes, state, created_at, expires_at, jkt, parent_id, refresh_generation,
    refreshed_at, auth_time, definitions, was_active,
    sealed('grants.sealed', grant_id, user_id, 0, CAST(shown AS BLOB), constraints)
FROM grants ORDER BY seq;
DROP TABLE grants;
ALTER TABLE grants_sealed RENAME TO grants;
CREATE INDEX grants_user_id ON grants (user_id);
CREATE UNIQUE INDEX grants_active ON grants (user_id, client_id, jkt)
WHERE state = 'active' AND parent_id IS NULL;
CREATE INDEX grants_asking ON grants (user_id, expires_at) WHERE state = 'pending';
CREATE INDEX grants_expires_at ON grants (expires_at);
CREATE INDEX grants_of_agent ON grants (client_id, state);
CREATE INDEX grants_parent_id ON grants (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX grants_pending ON grants (expires_at) WHERE state = 'pending';
CREATE INDEX grants_suspended ON grants (client_id) WHERE state = 'suspended';

CREATE TABLE requests_sealed (
    request_id TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    assurance TEXT NOT NULL,
    name TEXT NOT NULL,
    document_s256 TEXT NOT NULL,
    jkt TEXT NOT NULL,
    scopes TEXT NOT NULL,
    redirect_uri TEXT,
    code_challenge TEXT,
    user_code TEXT,
    secret_digest BLOB UNIQUE,
    expires_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    user_id TEXT,
    grant_id TEXT,
    polled_at INTEGER NOT NULL,
    interval INTEGER NOT NULL,
    sealed BLOB
) STRICT;
INSERT INTO requests_sealed
SELECT request_id, client_id, assurance, name, document_s256, jkt, scopes, redirect_uri, code_challenge, user_code,
    secret_digest, expires_at, status, user_id, grant_id, polled_at, interval,
    sealed('requests.sealed', request_id, user_id, expires_at, constraints, state)
FROM requests ORDER BY rowid;
DROP TABLE requests;
ALTER TABLE requests_sealed RENAME TO requests;
CREATE INDEX requests_expires_at ON requests (expires_at);
CREATE UNIQUE INDEX requests_user_code ON requests (user_code) WHERE status = 'requested';

CREATE TABLE challenges_sealed (
    challenge_id TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL,
    nonce BLOB NOT NULL,
    tool TEXT NOT NULL,
    owner TEXT,
    page_jkt TEXT,
    expires_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    consumed_at INTEGER,
    method TEXT NOT NULL,
    sealed BLOB,
    question BLOB
) STRICT;
INSERT INTO challenges_sealed
SELECT challenge_id, purpose, nonce, tool, owner, page_jkt, expires_at, attempts, consumed_at, method,
    sealed('challenges.sealed', challenge_id, owner, expires_at, CAST(subject AS BLOB), hex(action_hash), hex(salt)),
    iif(question IS NULL, NULL,
        sealed('challenges.question', challenge_id, owner, expires_at, CAST(question AS BLOB), hex(salt)))
FROM challenges ORDER BY rowid;
DROP TABLE challenges;
ALTER TABLE challenges_sealed RENAME TO challenges;
CREATE INDEX challenges_answered ON challenges (expires_at) WHERE consumed_at IS NOT NULL AND question IS NOT NULL;
CREATE INDEX challenges_open ON challenges (owner, expires_at) WHERE consumed_at IS NULL;
CREATE INDEX challenges_owner ON challenges (owner) WHERE owner IS NOT NULL;
CREATE INDEX challenges_unanswered ON challenges (expires_at) WHERE consumed_at IS NULL OR question IS NULL;

CREATE TABLE calls_sealed (
    seq INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    user_id TEXT NOT NULL,
    client_id TEXT,
    grant_id TEXT,
    page_jkt TEXT,
    tool TEXT NOT NULL,
    scopes TEXT NOT NULL,
    definition_s256 TEXT NOT NULL,
    authenticator_class TEXT NOT NULL,
    executes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    challenge_id TEXT,
    delivered INTEGER NOT NULL,
    method TEXT,
    match_key BLOB, -- keyed: it is made of what can be guessed
    sealed BLOB
) STRICT;
INSERT INTO calls_sealed
SELECT seq, call_id, state, user_id, client_id, grant_id, page_jkt, tool, scopes, definition_s256, authenticator_class,
    executes, created_at, deadline, entry, challenge_id, delivered, method, keyed(user_id, match_key),
    iif(salt = x'', NULL,
        sealed('calls.sealed', call_id, user_id, 0, arguments, args_s256, description, hex(salt),
            iif(match_key IS NULL, NULL, hex(match_key))))
FROM calls ORDER BY seq;
DROP TABLE calls;
ALTER TABLE calls_sealed RENAME TO calls;
CREATE INDEX calls_match_key ON calls (match_key) WHERE match_key IS NOT NULL;
CREATE INDEX calls_deadline ON calls (deadline) WHERE state IN ('approved', 'pending', 'redeemed');
CREATE INDEX calls_pending ON calls (user_id, deadline) WHERE state = 'pending';
CREATE INDEX calls_of_user ON calls (user_id, created_at);
CREATE INDEX calls_approved ON calls (user_id, created_at) WHERE challenge_id IS NOT NULL;
CREATE INDEX calls_of_agent ON calls (user_id, client_id, created_at);
CREATE INDEX calls_telling ON calls (created_at) WHERE sealed IS NOT NULL;
CREATE INDEX calls_emptied ON calls (created_at) WHERE sealed IS NULL;
CREATE INDEX calls_stopped ON calls (created_at) WHERE state IN ('cancelled', 'declined', 'denied', 'expired');

UPDATE sessions SET sid = digested(sid) WHERE sid IS NOT NULL;
