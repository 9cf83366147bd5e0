-- Which entries of the record tell of what, by 64 bits of a hash. Filled in a while after they came, so that no call
-- waits for it; what is not in it yet is looked through.

CREATE TABLE trails (
    about INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    PRIMARY KEY (about, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE trails_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    size INTEGER NOT NULL
) STRICT;
