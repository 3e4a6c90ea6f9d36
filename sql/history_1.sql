-- Version 1 of the history. Databases without a version have some of these tables already.

-- name: history_1
-- The tables, and the schema that holds what drugmon keeps about its runs.
CREATE SCHEMA IF NOT EXISTS {schema};

-- One row a migration.
CREATE TABLE IF NOT EXISTS {schema}.schema_version (
    version INTEGER NOT NULL,
    migrated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    drugmon_version VARCHAR NOT NULL
);

-- One row a run and output.
CREATE TABLE IF NOT EXISTS {schema}.runs (
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

-- Per run, output and target, the verdicts that the run gave: counts, means of the probabilities.
CREATE TABLE IF NOT EXISTS {schema}.run_targets (
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

-- Per run and output, the profile of the rows that the run scored: JSON, without any text.
CREATE TABLE IF NOT EXISTS {schema}.run_profiles (
    run_id VARCHAR NOT NULL,
    output VARCHAR NOT NULL,
    profile VARCHAR NOT NULL
);

-- One row a report; `page` is the folder of its page within that of all reports.
CREATE TABLE IF NOT EXISTS {schema}.reports (
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

-- Per report and target: verdicts of its window, and quality as measured and as estimated.
CREATE TABLE IF NOT EXISTS {schema}.report_targets (
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

-- Per report, its checks; `number` is a check's place in the report.
CREATE TABLE IF NOT EXISTS {schema}.report_checks (
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
