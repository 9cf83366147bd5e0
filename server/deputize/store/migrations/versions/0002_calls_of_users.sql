-- The calls of a user are found for the account page, newest first.
--
-- Those that he was asked about apart, so that nobody pushes them out of sight by many others.

CREATE INDEX calls_asked ON calls (user_id, seq) WHERE description IS NOT NULL;
CREATE INDEX calls_unasked ON calls (user_id, seq) WHERE description IS NULL;
