-- Parts of batches that are stored although another part of the same batch was refused: the halves
-- of such a batch leave these rows out. `count` 0 = the whole batch.
CREATE TABLE IF NOT EXISTS stored_parts (
  tenant LowCardinality(String), batch String, first UInt64, count UInt64, target LowCardinality(String), day Date, stored DateTime
) ENGINE = ReplacingMergeTree(stored) ORDER BY (tenant, batch, first, count, target, day) TTL stored + INTERVAL 30 DAY;
