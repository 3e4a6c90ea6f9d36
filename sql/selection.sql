-- name: select_rows
-- The numbers of the rows of a window that meet the user's condition. The condition stands on
-- lines of its own, so that a comment at its end comments out nothing else.
SELECT drugmon_row
FROM reviews
WHERE (
{condition}
);

-- name: select_rows_by_number
-- The same, with the given columns of text read as numbers.
SELECT drugmon_row
FROM (SELECT * REPLACE ({numbers}) FROM reviews)
WHERE (
{condition}
);

-- name: cell_as_number
-- A column of text as numbers, null where it holds none: an item of a REPLACE list.
TRY_CAST({column} AS DOUBLE) AS {column};
