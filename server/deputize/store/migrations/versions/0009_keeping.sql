-- How long things are kept: each index finds what has to go without looking at what stays. And whom to forget.

CREATE INDEX calls_telling ON calls (created_at) WHERE salt <> x'';
CREATE INDEX calls_emptied ON calls (created_at) WHERE salt = x'';
CREATE INDEX calls_stopped ON calls (created_at) WHERE state IN ('cancelled', 'declined', 'denied', 'expired');
CREATE INDEX challenges_answered ON challenges (expires_at) WHERE consumed_at IS NOT NULL AND question IS NOT NULL;
CREATE INDEX grants_expires_at ON grants (expires_at);
DROP INDEX IF EXISTS grants_client_id; -- the next one serves for it
CREATE INDEX grants_of_agent ON grants (client_id, state);

ALTER TABLE users ADD COLUMN forgotten_at INTEGER;
CREATE INDEX users_forgotten ON users (user_id) WHERE forgotten_at IS NOT NULL;
CREATE INDEX challenges_owner ON challenges (owner) WHERE owner IS NOT NULL;
