-- Statements about scored reviews: one view of whatever holds them, and aggregates over it.

-- name: describe_parquet
-- The columns of some Parquet files together: name, type, null, key.
DESCRIBE FROM read_parquet({paths}, union_by_name = true, hive_partitioning = false);

-- name: from_parquet
-- Some Parquet files as one relation.
read_parquet({paths}, union_by_name = true, hive_partitioning = false);

-- name: with_partitions
-- The same with the columns that the folders of the files are.
(SELECT *, {columns} FROM {relation});

-- name: partition_column
-- One of them: each row has the value of its file, which is text.
list_extract(CAST({values} AS VARCHAR[]), CAST(file_index AS BIGINT) + 1) AS {as_name};

-- name: select_path
-- A table or view by its full name.
{relation};

-- name: view_scored
-- The reviews under the names that drugmon has for their columns.
CREATE OR REPLACE TEMP VIEW {view} AS SELECT {columns} FROM {relation};

-- name: view_window
-- Those of them that a window takes.
CREATE OR REPLACE TEMP VIEW {view} AS SELECT * FROM {relation} WHERE {condition};

-- name: is_unscored
-- Whether no run has looked at a row: it came since.
drugmon_scored_at IS NULL AND drugmon_fingerprint IS NULL AND coalesce({labels}) IS NULL;

-- name: count_unscored
-- How many such rows there are.
SELECT count(*) FROM {view} WHERE {condition};

-- name: view_looked_at
-- The other ones.
CREATE OR REPLACE TEMP VIEW {view} AS SELECT * FROM {relation} WHERE NOT ({condition});

-- name: keep_scored
-- A join is made once, not by every aggregate.
CREATE OR REPLACE TEMP TABLE {view} AS SELECT {columns} FROM {relation};

-- name: cast_column
-- A column under another name and in a type of ours.
CAST({column} AS {type}) AS {as_name};

-- name: cast_number
-- The same of a column of floating-point numbers, in which NaN is no value. Whether one equals NaN is
-- answered wrongly by the statistics of a Parquet file, which leave it out.
CASE WHEN NOT isnan({column}) THEN CAST({column} AS {type}) END AS {as_name};

-- name: lone_text
-- A review's only text, where no aspect has one.
CASE
    WHEN NOT ({any_aspect}) THEN CAST({text} AS VARCHAR)
END AS {as_name};

-- name: together
-- Some texts as one, which is empty where all are null.
concat_ws(' ', {texts});

-- name: shows_something
-- Whether a text has a character that can be seen, be it as an entity.
NOT regexp_full_match({text}, {blank});

-- name: null_column
-- A column that the source lacks.
CAST(NULL AS {type}) AS {as_name};

-- name: moment_of
-- When, by a column of dates or times; what lies beyond a few centuries is a mistake, and no date.
CASE
    WHEN TRY_CAST({column} AS TIMESTAMP WITH TIME ZONE)
        BETWEEN TIMESTAMP WITH TIME ZONE '1900-01-01' AND TIMESTAMP WITH TIME ZONE '2199-12-31'
    THEN TRY_CAST({column} AS TIMESTAMP WITH TIME ZONE)
END AS {as_name};

-- name: moment_of_text
-- When, by a column of text or of whole numbers: ISO 8601 from the years 1900 to 2199, or a date as
-- people write it where no order can be mistaken. 5/12/20 may be three days, and is none.
CASE
    WHEN regexp_full_match(trim(CAST({column} AS VARCHAR)), '(19|20|21)[0-9][0-9]-[0-9][0-9]?-[0-9][0-9]?([T ].*)?')
    THEN TRY_CAST(trim(CAST({column} AS VARCHAR)) AS TIMESTAMP WITH TIME ZONE)
    WHEN regexp_full_match(trim(CAST({column} AS VARCHAR)), '(19|20|21)[0-9][0-9][0-9][0-9][0-9][0-9]')
    THEN CAST(try_strptime(trim(CAST({column} AS VARCHAR)), '%Y%m%d') AS TIMESTAMP WITH TIME ZONE)
    WHEN regexp_full_match(trim(CAST({column} AS VARCHAR)), '(19|20|21)[0-9][0-9][-/][0-9][0-9]?')
    THEN CAST(try_strptime(trim(CAST({column} AS VARCHAR)), ['%Y-%m', '%Y/%m']) AS TIMESTAMP WITH TIME ZONE)
    WHEN regexp_full_match(trim(CAST({column} AS VARCHAR)), '(19|20|21)[0-9][0-9]/[0-9][0-9]?/[0-9][0-9]?')
    THEN CAST(try_strptime(trim(CAST({column} AS VARCHAR)), '%Y/%m/%d') AS TIMESTAMP WITH TIME ZONE)
    WHEN regexp_full_match(
        trim(CAST({column} AS VARCHAR)),
        '([0-9][0-9]?-[A-Za-z]+-([0-9][0-9]|(19|20|21)[0-9][0-9])|.*[ ](19|20|21)[0-9][0-9])'
    )
    THEN CAST(
        try_strptime(
            trim(CAST({column} AS VARCHAR)),
            ['%d-%b-%y', '%d-%b-%Y', '%d %B %Y', '%d %b %Y', '%B %d, %Y', '%b %d, %Y']
        ) AS TIMESTAMP WITH TIME ZONE
    )
END AS {as_name};

-- name: scored_since
-- A window's beginning.
moment >= TIMESTAMP WITH TIME ZONE {moment};

-- name: scored_until
-- A window's end, which is not within.
moment < TIMESTAMP WITH TIME ZONE {moment};

-- name: scored_between
-- The rows that a run scored.
(drugmon_scored_at >= TIMESTAMP WITH TIME ZONE {since}
AND drugmon_scored_at <= TIMESTAMP WITH TIME ZONE {until});

-- name: not_in_window
-- The rows that another window does not take; one without a time is in none.
NOT coalesce({condition}, false);

-- name: count_shared
-- Rows that another view has too: the same review, scored at the same time.
SELECT count(*)
FROM {view} AS own
SEMI JOIN {other} AS other
    ON own.drugmon_fingerprint = other.drugmon_fingerprint
    AND own.drugmon_scored_at = other.drugmon_scored_at;

-- name: view_unshared
-- The rows that another view does not have.
CREATE OR REPLACE TEMP VIEW {view} AS
SELECT own.*
FROM {relation} AS own
ANTI JOIN {other} AS other
    ON own.drugmon_fingerprint = other.drugmon_fingerprint
    AND own.drugmon_scored_at = other.drugmon_scored_at;

-- name: list_scored_at
-- When verdicts were given: a moment for every batch.
SELECT DISTINCT epoch_us(drugmon_scored_at) AS moment
FROM {view}
WHERE year(drugmon_scored_at) BETWEEN 1900 AND 2199
ORDER BY moment;

-- name: count_scored
-- Rows, those without any verdict, and the span of time.
SELECT
    count(*) AS rows,
    count(*) FILTER (WHERE coalesce({labels}) IS NULL) AS empty,
    min(moment) AT TIME ZONE 'UTC' AS since,
    max(moment) AT TIME ZONE 'UTC' AS until,
    max(drugmon_scored_at) FILTER (WHERE year(drugmon_scored_at) BETWEEN 1900 AND 2199)
        AT TIME ZONE 'UTC' AS newest
FROM {view};

-- name: count_adapters
-- Who judged how many rows.
SELECT drugmon_adapter, count(*) AS rows
FROM {view}
WHERE drugmon_adapter IS NOT NULL
GROUP BY ALL
ORDER BY rows DESC, drugmon_adapter;

-- name: count_broken
-- The verdicts of a target whose label or probabilities are none.
SELECT
    count(*) FILTER (WHERE {label} NOT IN ('negative', 'neutral', 'positive')) AS labels,
    count(*) FILTER (
        WHERE {label} IS NOT NULL
        AND NOT coalesce(
            {confidence} BETWEEN 0 AND 1.001
            AND {p_negative} BETWEEN 0 AND 1.001
            AND {p_neutral} BETWEEN 0 AND 1.001
            AND {p_positive} BETWEEN 0 AND 1.001,
            false
        )
    ) AS probabilities
FROM {view};

-- name: count_verdicts
-- A target's verdicts by label and bins of 1/20 of confidence and probabilities; and, of each cell,
-- the sums of the probabilities and of their products.
SELECT
    {label} AS label,
    least(CAST(floor(CAST({confidence} AS DOUBLE) * 20) AS INTEGER), 19) AS confidence_bin,
    least(CAST(floor(CAST({p_negative} AS DOUBLE) * 20) AS INTEGER), 19) AS negative_bin,
    least(CAST(floor(CAST({p_neutral} AS DOUBLE) * 20) AS INTEGER), 19) AS neutral_bin,
    least(CAST(floor(CAST({p_positive} AS DOUBLE) * 20) AS INTEGER), 19) AS positive_bin,
    count(*) AS rows,
    sum({confidence}) AS confidence,
    sum({p_negative}) AS negative,
    sum({p_neutral}) AS neutral,
    sum({p_positive}) AS positive,
    sum({p_negative} * {p_negative}) AS negative_negative,
    sum({p_negative} * {p_neutral}) AS negative_neutral,
    sum({p_negative} * {p_positive}) AS negative_positive,
    sum({p_neutral} * {p_neutral}) AS neutral_neutral,
    sum({p_neutral} * {p_positive}) AS neutral_positive,
    sum({p_positive} * {p_positive}) AS positive_positive
FROM {view}
GROUP BY ALL;

-- name: count_lengths
-- Characters of an aspect's texts as cleaned: an entity counts as the one character that it is, and
-- a text that shows nothing is none.
SELECT
    CASE
        WHEN NOT ({shows}) THEN 0
        WHEN contains({text}, '&') THEN length(
            trim(regexp_replace({text}, '&(#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);', '.', 'g'), {blanks})
        )
        ELSE length(trim({text}, {blanks}))
    END AS characters,
    count(*) AS rows
FROM {view}
GROUP BY ALL;

-- name: count_cells
-- Rows by what a column of grades holds.
SELECT trim({column}) AS cell, count(*) AS rows FROM {view} GROUP BY ALL;

-- name: count_names
-- Rows by the name that a column gives, with the labels of every target.
SELECT {column} AS name, count(*) AS rows, {counts}
FROM {view}
GROUP BY ALL;

-- name: count_label
-- One label of one target, as an item of `count_names`.
count(*) FILTER (WHERE {column} = {value}) AS {as_name};

-- name: count_repeats
-- How many reviews there are once, twice, and so on. Of many rows, those are taken whose
-- fingerprints fall into one of {parts} parts: all copies of a review, or none.
SELECT copies, count(*) AS reviews
FROM (
    SELECT count(*) AS copies
    FROM {view}
    WHERE coalesce({labels}) IS NOT NULL AND hash(drugmon_fingerprint) % {parts} = 0
    GROUP BY hash(drugmon_fingerprint)
)
GROUP BY ALL;

-- name: sample_rows
-- Some rows, the same ones each time: those whose fingerprints fall into one of some parts.
SELECT {columns}
FROM {view}
WHERE {condition} AND hash(drugmon_fingerprint) % $parts = 0
ORDER BY hash(drugmon_fingerprint, 'sample'), drugmon_fingerprint
LIMIT $most;

-- name: count_rows
-- How many rows there are.
SELECT count(*) FROM {view};

-- name: count_undated
-- How many rows have no time that can be read.
SELECT count(*) FROM {view} WHERE moment IS NULL;

-- name: length_of
-- A text's characters as a column of their own.
length({text}) AS {as_name};

-- name: has_text
-- A review with some text.
coalesce({texts}) IS NOT NULL;

-- name: is_known
-- A value that is there.
{column} IS NOT NULL;
