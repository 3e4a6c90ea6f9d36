-- Statements about monitored numbers: what each score run wrote, and what each report found.

-- name: create_run_targets
-- Per run, output and target, the verdicts that the run gave: counts, means of the probabilities.
CREATE TABLE IF NOT EXISTS {run_targets} (
    run_id VARCHAR NOT NULL,
    output VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    negative BIGINT NOT NULL,
    neutral BIGINT NOT NULL,
    positive BIGINT NOT NULL,
    none BIGINT NOT NULL,
    mean_confidence DOUBLE,
    mean_p_negative DOUBLE,
    mean_p_neutral DOUBLE,
    mean_p_positive DOUBLE
);

-- name: insert_run_target
-- One target of a run.
INSERT INTO {run_targets} BY NAME
SELECT
    $run_id AS run_id,
    $output AS output,
    $target AS target,
    $negative AS negative,
    $neutral AS neutral,
    $positive AS positive,
    $none AS none,
    $mean_confidence AS mean_confidence,
    $mean_p_negative AS mean_p_negative,
    $mean_p_neutral AS mean_p_neutral,
    $mean_p_positive AS mean_p_positive;

-- name: list_run_targets
-- The numbers of all runs.
SELECT {columns} FROM {run_targets} ORDER BY run_id, output, target;

-- name: create_run_profiles
-- Per run and output, the profile of the rows that the run scored: JSON, without any text.
CREATE TABLE IF NOT EXISTS {run_profiles} (
    run_id VARCHAR NOT NULL,
    output VARCHAR NOT NULL,
    profile VARCHAR NOT NULL
);

-- name: insert_run_profile
-- The profile of one run and output.
INSERT INTO {run_profiles} BY NAME
SELECT $run_id AS run_id, $output AS output, $profile AS profile;

-- name: list_run_profiles
-- The profiles of some runs.
SELECT run_id, output, profile
FROM {run_profiles}
WHERE list_contains($run_ids, run_id)
ORDER BY run_id, output;

-- name: create_reports
-- One row a report; the time is UTC, `page` the folder of its page within that of all reports.
CREATE TABLE IF NOT EXISTS {reports} (
    report_id VARCHAR NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    source VARCHAR NOT NULL,
    adapter VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    reasons VARCHAR[] NOT NULL,
    page VARCHAR NOT NULL,
    reference VARCHAR,
    scored_runs VARCHAR[] NOT NULL,
    rows BIGINT NOT NULL,
    empty BIGINT NOT NULL,
    scored BIGINT,
    reused BIGINT,
    seconds DOUBLE
);

-- name: insert_report
-- One report.
INSERT INTO {reports} BY NAME
SELECT
    $report_id AS report_id,
    $created_at AS created_at,
    $source AS source,
    $adapter AS adapter,
    $status AS status,
    $reasons AS reasons,
    $page AS page,
    $reference AS reference,
    $scored_runs AS scored_runs,
    $rows AS rows,
    $empty AS empty,
    $scored AS scored,
    $reused AS reused,
    $seconds AS seconds;

-- name: list_reports
-- The reports, oldest first, times in UTC without a zone.
SELECT {columns}
FROM (SELECT * REPLACE (created_at AT TIME ZONE 'UTC' AS created_at) FROM {reports})
ORDER BY created_at, report_id;

-- name: create_report_targets
-- Per report and target: verdicts of its window, and quality as measured and as estimated.
CREATE TABLE IF NOT EXISTS {report_targets} (
    report_id VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    negative BIGINT NOT NULL,
    neutral BIGINT NOT NULL,
    positive BIGINT NOT NULL,
    none BIGINT NOT NULL,
    mean_confidence DOUBLE,
    accuracy DOUBLE,
    macro_f1 DOUBLE,
    estimated_accuracy DOUBLE,
    estimated_macro_f1 DOUBLE
);

-- name: insert_report_target
-- One target of a report.
INSERT INTO {report_targets} BY NAME
SELECT
    $report_id AS report_id,
    $target AS target,
    $negative AS negative,
    $neutral AS neutral,
    $positive AS positive,
    $none AS none,
    $mean_confidence AS mean_confidence,
    $accuracy AS accuracy,
    $macro_f1 AS macro_f1,
    $estimated_accuracy AS estimated_accuracy,
    $estimated_macro_f1 AS estimated_macro_f1;

-- name: list_report_targets
-- The targets of all reports.
SELECT {columns} FROM {report_targets} ORDER BY report_id, target;

-- name: create_report_checks
-- Per report, its checks; `number` is a check's place in the report.
CREATE TABLE IF NOT EXISTS {report_checks} (
    report_id VARCHAR NOT NULL,
    number BIGINT NOT NULL,
    area VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    statistic VARCHAR,
    effect DOUBLE,
    low DOUBLE,
    high DOUBLE,
    p_value DOUBLE,
    p_adjusted DOUBLE,
    warn_at DOUBLE,
    fail_at DOUBLE
);

-- name: insert_report_check
-- One check of a report.
INSERT INTO {report_checks} BY NAME
SELECT
    $report_id AS report_id,
    $number AS number,
    $area AS area,
    $name AS name,
    $title AS title,
    $status AS status,
    $statistic AS statistic,
    $effect AS effect,
    $low AS low,
    $high AS high,
    $p_value AS p_value,
    $p_adjusted AS p_adjusted,
    $warn_at AS warn_at,
    $fail_at AS fail_at;

-- name: list_report_checks
-- The checks of all reports.
SELECT {columns} FROM {report_checks} ORDER BY report_id, number;

-- name: has_table
-- Whether the history has a table of a name; it lacks those that came with later versions.
SELECT count(*) > 0 FROM information_schema.tables
WHERE table_catalog = current_database() AND table_schema = 'drugmon' AND table_name = $name;
