-- Methods of approval, and the questions that challenges commit to: those that were answered are kept. And how tools
-- were described when a user consented; older consents learn it from the next calls.
--
-- What is being asked at the time is asked again: challenges last minutes, and theirs commit to no question.

DELETE FROM challenges;
ALTER TABLE challenges ADD COLUMN method TEXT NOT NULL DEFAULT '';
ALTER TABLE challenges ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
ALTER TABLE calls ADD COLUMN method TEXT;
UPDATE calls SET method = 'webauthn' WHERE challenge_id IS NOT NULL;

ALTER TABLE challenges ADD COLUMN question TEXT;
DROP INDEX IF EXISTS challenges_expires_at;
CREATE INDEX challenges_unanswered ON challenges (expires_at) WHERE consumed_at IS NULL OR question IS NULL;

ALTER TABLE grants ADD COLUMN definitions TEXT NOT NULL DEFAULT '{}';

-- How often users are asked, and whether they have paused their agents.
CREATE TABLE declines (
    seq INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL,
    asker TEXT NOT NULL,
    at INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT;
CREATE INDEX declines_of ON declines (user_id, asker, at);
CREATE INDEX declines_until ON declines (until);
CREATE TABLE quiets (
    seq INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL,
    asker TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    UNIQUE (user_id, asker)
) STRICT;
CREATE INDEX quiets_until ON quiets (until);
CREATE INDEX challenges_open ON challenges (owner, expires_at) WHERE consumed_at IS NULL;
ALTER TABLE users ADD COLUMN paused_since INTEGER;

-- Questions that are put on another device, with the digits that are typed there; without, once others were.
CREATE TABLE phones (
    subject TEXT NOT NULL PRIMARY KEY,
    digits TEXT,
    until INTEGER NOT NULL
) STRICT;
CREATE INDEX phones_until ON phones (until);

-- All that was done in a user's name, refused calls too, newest first. Besides: what he approved, and by agent, so that
-- none buries what was not its own. Each index is paid for by every call; the rest is looked through (HIST-2).
DROP INDEX IF EXISTS calls_asked;
DROP INDEX IF EXISTS calls_unasked;
CREATE INDEX calls_of_user ON calls (user_id, created_at);
CREATE INDEX calls_approved ON calls (user_id, created_at) WHERE challenge_id IS NOT NULL;
CREATE INDEX calls_of_agent ON calls (user_id, client_id, created_at);
