-- Windows whose edges_5m and findings have been written: rows of these two count from the version on
-- that stands here. `part` of the window's traces, in number `traces`, were read.
CREATE TABLE IF NOT EXISTS insight_windows (
  tenant LowCardinality(String), t DateTime, version UInt64, part Float64, traces UInt64
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(t) ORDER BY (tenant, t) TTL t + INTERVAL 400 DAY;
