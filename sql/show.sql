-- Statements behind `drugmon show`: the rows of a scored source that a person looks at.

-- name: keep_shown
-- The rows of the source under numbers, in its order.
CREATE OR REPLACE TEMP TABLE {shown} AS
SELECT row_number() OVER () AS drugmon_shown_row, * FROM {relation};

-- name: choose_shown
-- Those that meet a condition.
CREATE OR REPLACE TEMP TABLE {chosen} AS
{selected};

-- name: count_dated
-- The rows, and those whose date can be read.
SELECT count(*) AS rows, count(moment) AS dated FROM (SELECT {moment} FROM {shown});

-- name: leave_out_undated
-- Of these, those stay that a window takes by the dates of the rows, as reports read them.
DELETE FROM {chosen}
WHERE drugmon_shown_row NOT IN (
    SELECT drugmon_shown_row
    FROM (SELECT drugmon_shown_row, {moment} FROM {shown})
    WHERE {condition}
);

-- name: list_names
-- What a column of names holds.
SELECT DISTINCT {name} FROM {shown};

-- name: leave_out_unnamed
-- Of the chosen rows, those stay that have one of some names.
DELETE FROM {chosen}
WHERE drugmon_shown_row NOT IN (
    SELECT drugmon_shown_row
    FROM {shown}
    WHERE list_contains($names, CAST({column} AS VARCHAR))
);

-- name: view_chosen
-- The rows that were chosen, with all of their columns.
CREATE OR REPLACE TEMP VIEW {view} AS
SELECT * FROM {shown} SEMI JOIN {chosen} USING (drugmon_shown_row);

-- name: list_chosen
-- The first of them.
SELECT {columns} FROM {view} ORDER BY {order} LIMIT $most;

-- name: order_rising
-- Numbers by size, also where they are text, and then by the text; what is none is no largest one.
nullif(TRY_CAST({column} AS DOUBLE), 'nan') NULLS LAST, {column} NULLS LAST;

-- name: order_falling
-- The same from the other end.
nullif(TRY_CAST({column} AS DOUBLE), 'nan') DESC NULLS LAST, {column} DESC NULLS LAST;

-- name: order_as_read
-- The order of the source.
drugmon_shown_row;

-- name: count_chosen
-- How many rows there are, and how many have each label.
SELECT count(*) AS rows, {counts} FROM {view};

-- name: list_adapters
-- Who judged them.
SELECT DISTINCT {adapter} AS adapter FROM {view} WHERE {adapter} IS NOT NULL ORDER BY adapter;
