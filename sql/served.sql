-- Statements about the verdicts that the service keeps.

-- name: create_served
-- The table of what passed through, empty, with the columns of what is to be put in first.
CREATE TABLE IF NOT EXISTS {served} AS FROM drugmon_served LIMIT 0;

-- name: insert_served
-- Put in what has passed through since the last time.
INSERT INTO {served} BY NAME FROM drugmon_served;
