-- Statements about a source that is looked at before its first night.

-- name: span_of_cells
-- The first and the last moment of some cells, how many have one, and how many are filled.
SELECT min(moment), max(moment), count(moment), count(*) FILTER (WHERE trim(cell) <> '')
FROM (SELECT cell, {moment} FROM cells);
