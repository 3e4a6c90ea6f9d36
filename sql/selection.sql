-- Statements about `--where`: reading a condition, and asking it of rows.

-- name: condition_alone
-- A condition as a statement of its own, for its syntax.
SELECT 1 WHERE
{condition}
;

-- name: condition_within
-- The same inside of parentheses. A condition is one expression where both can be read.
SELECT 1 WHERE (
{condition}
);

-- name: parse
-- The syntax tree of a statement as JSON; nothing in it is run.
SELECT json_serialize_sql($sql);

-- name: unparse
-- The statement of a syntax tree as JSON.
SELECT json_deserialize_sql(CAST($tree AS JSON));

-- name: select_sides
-- A statement whose columns are to be a comparison and its sides.
SELECT 1 FROM {rows} AS review;

-- name: select_sides_by_number
-- The same, with the given columns of text read as numbers.
SELECT 1 FROM (SELECT * REPLACE ({numbers}) FROM {rows});

-- name: allow_folder
-- The folders whose files stay within reach when external access is denied.
SET allowed_directories = $folders;

-- name: deny_external_access
-- No file, no network, no other database and no extension.
SET enable_external_access = false;

-- name: lock_settings
-- No statement changes a setting any more.
SET lock_configuration = true;

-- name: select_rows
-- The numbers of the rows that meet the user's condition. The condition stands on lines of its own,
-- so that a comment at its end comments out nothing else.
SELECT {row}
FROM {rows}
WHERE (
{condition}
);

-- name: select_rows_by_number
-- The same, with the given columns of text read as numbers.
SELECT {row}
FROM (SELECT * REPLACE ({numbers}) FROM {rows})
WHERE (
{condition}
);

-- name: cell_as_number
-- A column of text as numbers, null where a cell is empty: an item of a REPLACE list.
CASE
    WHEN lower(trim({column})) NOT IN ('', 'nan', '-nan', '+nan') THEN CAST(trim({column}) AS {type})
END AS {column};

-- name: kind_of_cells
-- The type in which the numbers of a column of text stay what they are; null where it holds
-- something else. A long id is another number as a DOUBLE.
CASE
    WHEN bool_and(trim({column}) = '') IS NOT false THEN 'BIGINT'
    WHEN bool_and(regexp_full_match(trim({column}), '[-+]?[0-9]{1,18}'))
        FILTER (WHERE trim({column}) <> '')
    THEN 'BIGINT'
    WHEN bool_and(regexp_full_match(trim({column}), '[-+]?[0-9]{1,37}'))
        FILTER (WHERE trim({column}) <> '')
    THEN 'HUGEINT'
    WHEN bool_and(TRY_CAST({column} AS DOUBLE) IS NOT NULL) FILTER (WHERE trim({column}) <> '')
    THEN 'DOUBLE'
END;

-- name: find_numbers
-- That, of some columns.
SELECT {kinds} FROM {rows};
