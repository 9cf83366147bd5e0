-- Which entries of the record tell of a call, or of a grant's own states: so that nobody reads all of it for one receipt.

CREATE TABLE filed (
    subject TEXT NOT NULL,
    idx INTEGER NOT NULL,
    PRIMARY KEY (subject, idx)
) STRICT, WITHOUT ROWID;

INSERT INTO filed (subject, idx)
SELECT subject, idx FROM (
    SELECT idx, CASE
        WHEN NOT json_valid(told) THEN NULL
        WHEN json_type(told, '$.call_id') = 'text' THEN json_extract(told, '$.call_id')
        WHEN json_extract(told, '$.kind') LIKE 'grant.%' THEN json_extract(told, '$.grant_id')
    END AS subject
    FROM (SELECT idx, CAST(leaf AS TEXT) AS told FROM entries)
) WHERE subject IS NOT NULL;
