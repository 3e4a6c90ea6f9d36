-- Statements about the history of runs and reports; its tables are made in history_1.sql and on.

-- name: has_table
-- Whether the history has a table of a name.
SELECT count(*) > 0 FROM information_schema.tables
WHERE table_catalog = current_database() AND table_schema = 'drugmon' AND table_name = $name;

-- name: history_version
-- The version of the history: that of its newest migration.
SELECT max(version) FROM {schema_version};

-- name: insert_version
-- A migration that is done.
INSERT INTO {schema_version} BY NAME
SELECT $version AS version, now() AS migrated_at, $drugmon_version AS drugmon_version;

-- name: insert_rows
-- Some rows, handed over as an Arrow table whose columns are named like the table's.
INSERT INTO {table} BY NAME FROM temp.drugmon_rows;

-- name: read_rows
-- All rows of a table of the history.
FROM {table} ORDER BY {order};

-- name: read_profiles
-- The profiles of some runs.
FROM {run_profiles} WHERE list_contains($run_ids, run_id) ORDER BY run_id, output_path;

-- name: has_report
-- Whether a report is recorded.
SELECT count(*) > 0 FROM {reports} WHERE report_id = $report_id;

-- name: attach_copy
-- A new database file, to take a copy of the history.
ATTACH {path} AS drugmon_copy;

-- name: copy_history
-- Everything, as it is.
COPY FROM DATABASE {catalog} TO drugmon_copy;

-- name: detach_copy
-- The copy is whole, and is closed.
DETACH drugmon_copy;
