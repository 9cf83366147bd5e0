-- The session at the site's own login that a session here comes from: when that ends, this does.

ALTER TABLE sessions ADD COLUMN sid TEXT;
CREATE INDEX sessions_sid ON sessions (sid) WHERE sid IS NOT NULL;
