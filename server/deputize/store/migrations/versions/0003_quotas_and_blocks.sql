-- What was counted of quotas, and whom users and the owner have blocked.
--
-- What waits for a user is found by its user, so that counting it does not take longer the more users there are.

CREATE TABLE quotas (
    name TEXT NOT NULL PRIMARY KEY,
    used INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT;
CREATE INDEX quotas_ends_at ON quotas (ends_at);
CREATE INDEX calls_pending ON calls (user_id, deadline) WHERE state = 'pending';
CREATE INDEX grants_asking ON grants (user_id, expires_at) WHERE state = 'pending';

-- An empty user_id is everybody, an empty client_id the user himself: NULLs would not be unique.
CREATE TABLE blocks (
    seq INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    grant_id TEXT,
    UNIQUE (user_id, client_id)
) STRICT;
CREATE INDEX blocks_until ON blocks (until);
CREATE INDEX sessions_user_id ON sessions (user_id);
