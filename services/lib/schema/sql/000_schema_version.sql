CREATE TABLE IF NOT EXISTS schema_version (version UInt32, checksum String, applied DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version;
