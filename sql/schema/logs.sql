-- The log table: one row for each record, kept in Delta under the data directory.
-- CREATE PIPELINE appends where each row came from: _topic, _partition, _offset, _kafka_ts.
CREATE TABLE IF NOT EXISTS logs (
  timestamp        TIMESTAMP,  -- when the service says it happened
  severity         VARCHAR,    -- DEBUG, INFO, WARN, ERROR, FATAL
  source           VARCHAR,    -- the service
  message          VARCHAR,    -- redacted by the pipeline, before it is stored
  host             VARCHAR,
  service_version  VARCHAR,
  trace_id         VARCHAR,    -- joins the lines of one request across services
  user_id          VARCHAR,
  latency_ms       DOUBLE,
  status           INT,        -- the HTTP status the service answered with
  attributes       VARCHAR,    -- everything else the service sent, as JSON text
  pii              VARCHAR[]   -- the categories that were found and removed
);
