-- Statements about the tables of reviews: finding them, their keys, and reading their texts.

-- name: catalog
-- What the open database is called in qualified names.
SELECT current_database();

-- name: hide_progress
-- In notebooks and `python -c` the client would draw a bar of its own on standard output.
SET enable_progress_bar = false;

-- name: is_in_memory
-- Whether the open database has no file: a csv or parquet file is opened as a view in memory.
SELECT count(*) > 0 FROM duckdb_databases()
WHERE database_name = current_database() AND path IS NULL;

-- name: list_tables
-- Every table and view of the database.
SELECT table_schema, table_name, table_type = 'VIEW' AS is_view
FROM information_schema.tables
WHERE table_catalog = current_database()
ORDER BY table_schema, table_name;

-- name: describe
-- The columns of a relation: name, type, null, key.
DESCRIBE FROM {relation};

-- name: key_problems
-- How many rows of a key column are null, and how many values it has several times.
SELECT
    (SELECT count(*) FROM {relation} WHERE {column} IS NULL) AS nulls,
    (
        SELECT count(*)
        FROM (
            SELECT {column}
            FROM {relation}
            WHERE {column} IS NOT NULL
            GROUP BY {column}
            HAVING count(*) > 1
        )
    ) AS duplicates;

-- name: as_text
-- A column as text: numbers, UUIDs and timestamps come back from it unchanged.
CAST({column} AS VARCHAR);

-- name: match_typed
-- Whether a verdict is of a review: its key, read back in the type that it came from, so that the
-- reader's time zone, in which a moment is written as text, does not matter.
{column} = TRY_CAST(verdict.drugmon_key AS {type});

-- name: match_text
-- The same for keys that are text, sign by sign: a column's own collation may take A for a.
({key}) COLLATE C = verdict.drugmon_key;

-- name: text_key
-- The key of a review without an id: equal texts have equal keys.
md5(concat({parts}));

-- name: text_key_part
-- One text of a text key behind its length, so that null, empty and shifted texts differ.
coalesce(strlen({text}) || ':' || {text}, '-');

-- name: has_copies
-- Whether some rows share their texts.
SELECT count(*) > count(DISTINCT {key}) FROM {relation} AS review;

-- name: number_copies
-- The rows with their number among those of equal texts, in their order.
(
    SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY drugmon_place) AS drugmon_copy
    FROM (SELECT *, row_number() OVER () AS drugmon_place FROM {relation} AS review) AS review
);

-- name: in_order
-- The order from before their copies were numbered.
ORDER BY drugmon_place;

-- name: numbered_key
-- The key of one of several reviews with equal texts; the first has that of a review without copies.
{key} || CASE WHEN review.drugmon_copy > 1 THEN '#' || review.drugmon_copy ELSE '' END;

-- name: own_verdict
-- What a row's own earlier verdict was given for, and when, in microseconds since 1970.
{fingerprint} AS drugmon_own_fingerprint,
epoch_us(TRY_CAST({scored_at} AS TIMESTAMP WITH TIME ZONE)) AS drugmon_own_scored_at;

-- name: text_column
-- A text under the name that drugmon has for it.
{text} AS {as_name};

-- name: snapshot
-- The keys and texts of the chosen rows, to a Parquet file. The user's condition may end in a
-- comment, hence its line of its own.
COPY (
    SELECT {key} AS drugmon_key, {columns}
    FROM (
        FROM {relation} AS review
        WHERE (
            {condition}
        )
        {order}
        LIMIT $limit
    ) AS review
) TO $path (FORMAT parquet, COMPRESSION zstd);

-- name: select_columns
-- Some columns of a relation.
SELECT {columns} FROM {relation};
