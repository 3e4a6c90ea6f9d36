-- Version 4 of the history: how many of a run's reviews went on to a second adapter.

-- name: history_4_sent_on
-- Those of `scored` that both adapters judged; null without a second one, and before it was kept.
ALTER TABLE {table} ADD COLUMN sent_on BIGINT;
