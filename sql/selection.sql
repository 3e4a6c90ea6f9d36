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
-- The numbers of the rows of a window that meet the user's condition. The condition stands on
-- lines of its own, so that a comment at its end comments out nothing else.
SELECT {row}
FROM reviews
WHERE (
{condition}
);

-- name: select_rows_by_number
-- The same, with the given columns of text read as numbers.
SELECT {row}
FROM (SELECT * REPLACE ({numbers}) FROM reviews)
WHERE (
{condition}
);

-- name: cell_as_number
-- A column of text as numbers, null where it holds none: an item of a REPLACE list.
TRY_CAST({column} AS DOUBLE) AS {column};
