-- Statements about the history of runs.

-- name: create_history
-- The schema that holds what drugmon keeps about its runs.
CREATE SCHEMA IF NOT EXISTS {schema};

-- name: create_runs
-- One row a run; times are UTC.
CREATE TABLE IF NOT EXISTS {runs} (
    run_id VARCHAR NOT NULL,
    command VARCHAR NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE NOT NULL,
    source VARCHAR NOT NULL,
    output VARCHAR NOT NULL,
    adapter VARCHAR NOT NULL,
    total BIGINT NOT NULL,
    scored BIGINT NOT NULL,
    reused BIGINT NOT NULL,
    empty BIGINT NOT NULL,
    seconds DOUBLE NOT NULL,
    drugmon_version VARCHAR NOT NULL
);

-- name: insert_run
-- Record a run.
INSERT INTO {runs} BY NAME
SELECT
    $run_id AS run_id,
    $command AS command,
    $started_at AS started_at,
    $finished_at AS finished_at,
    $source AS source,
    $output AS output,
    $adapter AS adapter,
    $total AS total,
    $scored AS scored,
    $reused AS reused,
    $empty AS empty,
    $seconds AS seconds,
    $drugmon_version AS drugmon_version;

-- name: has_runs
-- Whether the database has a history.
SELECT count(*) > 0 FROM information_schema.tables
WHERE table_catalog = current_database() AND table_schema = 'drugmon' AND table_name = 'runs';

-- name: list_runs
-- The runs, oldest first, times in UTC without a zone.
SELECT {columns}
FROM (
    SELECT * REPLACE (
        started_at AT TIME ZONE 'UTC' AS started_at,
        finished_at AT TIME ZONE 'UTC' AS finished_at
    )
    FROM {runs}
)
ORDER BY finished_at, run_id;
