CREATE TABLE IF NOT EXISTS series (
  tenant LowCardinality(String), day Date, metric LowCardinality(String), series_id UInt128, otlp_name LowCardinality(String), labels Map(LowCardinality(String), String),
  type Enum8('unknown'=0,'gauge'=1,'counter'=2,'histogram'=3,'exp_histogram'=4,'summary'=5), temporality Enum8('unspecified'=0,'delta'=1,'cumulative'=2), monotonic Bool,
  unit LowCardinality(String), help String, res_id UInt64, last_seen DateTime,
  INDEX by_label arrayMap((k, v) -> concat(k, '=', v), mapKeys(labels), mapValues(labels)) TYPE text(tokenizer = 'array') GRANULARITY 100000000
) ENGINE = ReplacingMergeTree(last_seen) PARTITION BY toYYYYMM(day) ORDER BY (tenant, day, metric, series_id) TTL day + INTERVAL 400 DAY;
CREATE TABLE IF NOT EXISTS samples (
  tenant LowCardinality(String), metric LowCardinality(String) CODEC(ZSTD(1)), series_id UInt128 CODEC(ZSTD(1)), ts DateTime64(3) CODEC(DoubleDelta, ZSTD(1)), value Float64 CODEC(Gorilla(8), ZSTD(1)),
  start_ts DateTime64(3) CODEC(Delta(8), ZSTD(1)), stale Bool CODEC(ZSTD(1))
) ENGINE = MergeTree PARTITION BY toDate(ts) PRIMARY KEY (tenant, metric, toStartOfHour(ts), series_id) ORDER BY (tenant, metric, toStartOfHour(ts), series_id, ts) TTL toDateTime(ts) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000;
CREATE TABLE IF NOT EXISTS samples_5m (
  tenant LowCardinality(String), metric LowCardinality(String), series_id UInt128 CODEC(ZSTD(1)), t DateTime CODEC(DoubleDelta, ZSTD(1)), n SimpleAggregateFunction(sum, UInt64), sum SimpleAggregateFunction(sum, Float64),
  min SimpleAggregateFunction(min, Float64), max SimpleAggregateFunction(max, Float64), first AggregateFunction(argMin, Float64, DateTime64(3)), last AggregateFunction(argMax, Float64, DateTime64(3))
) ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(t) ORDER BY (tenant, metric, series_id, t) TTL t + INTERVAL 400 DAY SETTINGS non_replicated_deduplication_window = 100000;
CREATE MATERIALIZED VIEW IF NOT EXISTS samples_5m_mv TO samples_5m AS
SELECT tenant, metric, series_id, toStartOfFiveMinutes(ts) AS t, count() AS n, sum(s.value) AS sum, min(s.value) AS min, max(s.value) AS max, argMinState(s.value, s.ts) AS first, argMaxState(s.value, s.ts) AS last
FROM samples AS s WHERE NOT stale GROUP BY tenant, metric, series_id, t;
CREATE TABLE IF NOT EXISTS histograms (            -- OTLP explicit, exponential (bounds empty, scale set) and summary points: one row a point
  tenant LowCardinality(String), metric LowCardinality(String) CODEC(ZSTD(1)), series_id UInt128 CODEC(ZSTD(1)), ts DateTime64(3) CODEC(DoubleDelta, ZSTD(1)), start_ts DateTime64(3) CODEC(Delta(8), ZSTD(1)), stale Bool CODEC(ZSTD(1)),
  count UInt64 CODEC(Delta(8), ZSTD(1)), sum Float64 CODEC(Gorilla(8), ZSTD(1)), min Nullable(Float64) CODEC(ZSTD(1)), max Nullable(Float64) CODEC(ZSTD(1)),
  bounds Array(Float64) CODEC(ZSTD(1)), counts Array(UInt64) CODEC(Delta(8), ZSTD(1)),
  scale Int8 CODEC(ZSTD(1)), zero_count UInt64 CODEC(ZSTD(1)), zero_threshold Float64 CODEC(ZSTD(1)), pos_offset Int32 CODEC(ZSTD(1)), neg_offset Int32 CODEC(ZSTD(1)), neg_counts Array(UInt64) CODEC(ZSTD(1)), quantile_values Array(Float64) CODEC(ZSTD(1))   -- summary: bounds has the quantiles
) ENGINE = MergeTree PARTITION BY toDate(ts) PRIMARY KEY (tenant, metric, toStartOfHour(ts), series_id) ORDER BY (tenant, metric, toStartOfHour(ts), series_id, ts) TTL toDateTime(ts) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000;
CREATE TABLE IF NOT EXISTS exemplars (
  tenant LowCardinality(String), metric LowCardinality(String), series_id UInt128, ts DateTime64(3), value Float64, trace_id FixedString(16), span_id FixedString(8), labels Map(LowCardinality(String), String)
) ENGINE = MergeTree PARTITION BY toDate(ts) ORDER BY (tenant, metric, series_id, ts) TTL toDateTime(ts) + INTERVAL 30 DAY SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000;
CREATE TABLE IF NOT EXISTS edges_5m (
  tenant LowCardinality(String), t DateTime, parent LowCardinality(String), child LowCardinality(String), link Enum8('call'=0,'messaging'=1,'db'=2,'link'=3), version UInt64,
  calls UInt64, errors UInt64, duration_ns UInt64, hist Map(Int16, UInt64)
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(t) ORDER BY (tenant, t, parent, child, link) TTL t + INTERVAL 400 DAY;
CREATE TABLE IF NOT EXISTS findings (
  tenant LowCardinality(String), t DateTime, kind LowCardinality(String), subject String, version UInt64, until DateTime, score Float64, baseline Float64, observed Float64, evidence String /* JSON */, trace_ids Array(FixedString(16))
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(t) ORDER BY (tenant, t, kind, subject) TTL t + INTERVAL 400 DAY;
CREATE TABLE IF NOT EXISTS attribute_keys (
  tenant LowCardinality(String), day Date, signal Enum8('traces'=0,'metrics'=1,'logs'=2), scope Enum8('resource'=0,'scope'=1,'item'=2,'event'=3,'link'=4), key LowCardinality(String), type Enum8('str'=0,'int'=1,'dbl'=2,'bool'=3,'other'=4), service_name LowCardinality(String)
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(day) ORDER BY (tenant, day, signal, scope, key, type, service_name) TTL day + INTERVAL 31 DAY;
