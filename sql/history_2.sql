-- Version 2 of the history: what a run wrote is a path, a schema and a table, no sentence. A path
-- that is null is this database itself; others begin at the history's folder or at the root.

-- name: history_2_columns
-- Where the output goes.
ALTER TABLE {table} ADD COLUMN output_path VARCHAR;
ALTER TABLE {table} ADD COLUMN output_schema VARCHAR;
ALTER TABLE {table} ADD COLUMN output_table VARCHAR;

-- name: history_2_sentences
-- The outputs as version 1 told them.
SELECT output FROM {schema}.runs
UNION
SELECT output FROM {schema}.run_targets
UNION
SELECT output FROM {schema}.run_profiles;

-- name: history_2_outputs
-- What they mean, handed over as an Arrow table.
UPDATE {table} AS recorded
SET
    output_path = meant.output_path,
    output_schema = meant.output_schema,
    output_table = meant.output_table
FROM temp.drugmon_rows AS meant
WHERE recorded.output = meant.output;

-- name: history_2_drop
-- The sentence goes.
ALTER TABLE {table} DROP COLUMN output;

-- name: history_2_reports
-- What a report judged: the output of its runs, or where it names no run the output that is called
-- like its source. Version 1 confused outputs of one name, so that those stay unknown. Sources that
-- are tables get the schema into their name, where it is not main.
WITH outputs AS (
    SELECT DISTINCT
        output_path,
        output_schema,
        output_table,
        lower(coalesce(output_table, parse_filename(output_path))) AS name
    FROM {schema}.runs
),
alone AS (
    FROM outputs WHERE name IN (SELECT name FROM outputs GROUP BY name HAVING count(*) = 1)
),
of_runs AS (
    SELECT DISTINCT report_id, runs.output_path, runs.output_schema, runs.output_table
    FROM {schema}.reports AS reports
    JOIN {schema}.runs AS runs ON list_contains(reports.scored_runs, runs.run_id)
),
of_names AS (
    SELECT report_id, alone.output_path, alone.output_schema, alone.output_table
    FROM {schema}.reports AS reports
    JOIN alone
        ON len(reports.scored_runs) = 0
        AND (
            lower(reports.source) = alone.name
            OR ends_with(lower(reports.source), ', table ' || alone.name)
        )
),
meant AS (
    SELECT
        report_id,
        any_value(output_path) AS output_path,
        any_value(output_schema) AS output_schema,
        any_value(output_table) AS output_table
    FROM (FROM of_runs UNION ALL FROM of_names)
    GROUP BY report_id
    HAVING count(*) = 1
        AND lower(any_value(coalesce(output_table, parse_filename(output_path))))
            IN (SELECT name FROM alone)
)
UPDATE {schema}.reports AS reports
SET
    output_path = meant.output_path,
    output_schema = meant.output_schema,
    output_table = meant.output_table,
    source = CASE
        WHEN meant.output_schema <> 'main'
            AND ends_with(lower(source), ', table ' || lower(meant.output_table))
        THEN left(source, length(source) - length(meant.output_table))
            || meant.output_schema || '.' || meant.output_table
        ELSE source
    END
FROM meant
WHERE reports.report_id = meant.report_id;
