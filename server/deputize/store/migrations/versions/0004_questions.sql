-- Methods of approval, and the questions that were answered.
--
-- What is being asked at the time is asked again: challenges last minutes, and theirs commit to no question.

DELETE FROM challenges;
ALTER TABLE challenges ADD COLUMN method TEXT NOT NULL DEFAULT '';
ALTER TABLE challenges ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
ALTER TABLE calls ADD COLUMN method TEXT;
UPDATE calls SET method = 'webauthn' WHERE challenge_id IS NOT NULL;

CREATE TABLE questions (
    seq INTEGER PRIMARY KEY,
    challenge_id TEXT NOT NULL UNIQUE,
    salt BLOB NOT NULL,
    question TEXT NOT NULL
) STRICT;
