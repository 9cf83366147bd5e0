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
