-- Statements that put verdicts into a database; all of a run's are one transaction.

-- name: begin
-- Open the transaction.
BEGIN TRANSACTION;

-- name: commit
-- From here on the new state is the one that a kill leaves.
COMMIT;

-- name: checkpoint
-- Empty the write-ahead log into the database file.
CHECKPOINT;

-- name: describe_staged
-- The types of the staged columns.
DESCRIBE SELECT {columns} FROM read_parquet($staged, hive_partitioning = false);

-- name: create_companion
-- An empty companion, its types those of the staged verdicts.
CREATE TABLE {companion} AS
SELECT {columns} FROM read_parquet($staged, hive_partitioning = false) LIMIT 0;

-- name: collect_fresh
-- The staged verdicts that the companion lacks; of reviews with one key, one.
CREATE TEMP TABLE drugmon_fresh AS
SELECT DISTINCT ON (drugmon_key) {columns}
FROM read_parquet($staged, hive_partitioning = false) AS staged
ANTI JOIN {companion} AS companion
    ON staged.drugmon_key = companion.drugmon_key
    AND staged.drugmon_fingerprint = companion.drugmon_fingerprint
    AND staged.drugmon_scored_at = companion.drugmon_scored_at;

-- name: delete_replaced
-- Take out the verdicts that fresh ones replace.
DELETE FROM {companion} AS companion
USING temp.drugmon_fresh AS fresh
WHERE companion.drugmon_key = fresh.drugmon_key;

-- name: delete_gone
-- Take out the verdicts of reviews that the source no longer has.
DELETE FROM {companion} AS companion
WHERE NOT EXISTS (
    FROM read_parquet($staged, hive_partitioning = false) AS staged
    WHERE staged.drugmon_key = companion.drugmon_key
);

-- name: insert_fresh
-- Put in the fresh verdicts.
INSERT INTO {companion} BY NAME FROM temp.drugmon_fresh;

-- name: comment_on
-- The comment on the table or view of a name; no row where there is none of that name.
SELECT comment
FROM (
    SELECT database_name, schema_name, view_name AS name, comment FROM duckdb_views()
    UNION ALL
    SELECT database_name, schema_name, table_name AS name, comment FROM duckdb_tables()
)
WHERE database_name = current_database()
    AND schema_name = $schema
    AND lower(name) = lower($name);

-- name: create_view
-- The reviews with their verdicts. The names inside lack the database, which may be renamed.
CREATE OR REPLACE VIEW {view} AS
SELECT {columns}
FROM {relation} AS review
LEFT JOIN {companion} AS verdict ON {match};

-- name: view_column
-- A verdict in the view, under the name that it has there.
{column} AS {as_name};

-- name: comment_view
-- Note on the view whose it is and a hash of what it was made from.
COMMENT ON VIEW {view} IS 'made by drugmon, definition {definition}';

-- name: comment_companion
-- Note on the companion what its keys are.
COMMENT ON TABLE {companion} IS 'made by drugmon, keys of {kind}';

-- name: add_column
-- A verdict column in the table itself.
ALTER TABLE {relation} ADD COLUMN IF NOT EXISTS {column} {type};

-- name: drop_column
-- A column of the table that is called like a verdict and is none.
ALTER TABLE {relation} DROP COLUMN {column};

-- name: clear_column
-- The same, where its type is that of the verdict.
UPDATE {relation} SET {column} = NULL;

-- name: collect_stale
-- The rows whose verdicts are not the staged ones, though their texts are those that were scored.
-- Of rows with equal texts some may be new and others keep the time of their verdicts; where none
-- does, all are new. Only few columns are made distinct, as most rows are not stale. The result is in the order of the
-- rows: DuckDB updates many columns of a million rows a hundred times slower in any other order.
CREATE TEMP TABLE drugmon_stale AS
WITH once AS (
    SELECT
        drugmon_key,
        any_value(drugmon_fingerprint) AS drugmon_fingerprint,
        min(drugmon_scored_at) AS oldest,
        arg_max(file_row_number, drugmon_scored_at) AS file_row_number
    FROM read_parquet($staged, hive_partitioning = false, file_row_number = true)
    GROUP BY drugmon_key
),
stale AS (
    SELECT review.rowid AS drugmon_row, once.file_row_number
    FROM {relation} AS review
    JOIN once ON {key} = once.drugmon_key
    WHERE review.{fingerprint} IS DISTINCT FROM once.drugmon_fingerprint
        OR coalesce(review.{scored_at} < once.oldest, true)
)
SELECT drugmon_row, {columns}
FROM stale
JOIN read_parquet($staged, hive_partitioning = false, file_row_number = true) AS staged USING (file_row_number)
ORDER BY drugmon_row;

-- name: update_stale
-- Fill the verdict columns of those rows.
UPDATE {relation} AS review
SET {assignments}
FROM temp.drugmon_stale AS stale
WHERE review.rowid = stale.drugmon_row;

-- name: assignment
-- One column of `update_stale`.
{column} = stale.{verdict};
