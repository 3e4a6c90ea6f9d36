-- Version 3 of the history: under each prefix of verdict columns, an output has a history of its own.

-- name: history_3_prefix
-- What the names of the output's verdict columns begin with; null for nothing, as before.
ALTER TABLE {table} ADD COLUMN output_prefix VARCHAR;
