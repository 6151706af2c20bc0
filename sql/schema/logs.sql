-- The log table: one row for each record that the pipeline keeps, in Delta under the data directory.
-- CREATE PIPELINE appends where each row came from: _topic, _partition, _offset, _kafka_ts.
CREATE TABLE IF NOT EXISTS logs (
  timestamp          TIMESTAMP,  -- when the service says it happened
  severity           VARCHAR,    -- as the service calls it, in upper case: DEBUG, INFO, WARN, ERROR
  source             VARCHAR,    -- the service
  message            VARCHAR,    -- redacted by the pipeline, before it is stored
  host               VARCHAR,
  service_version    VARCHAR,
  trace_id           VARCHAR,    -- joins the lines of one request across services
  user_id            VARCHAR,
  latency_ms         DOUBLE,
  status             INT,        -- the HTTP status the service answered with
  attributes         VARCHAR,    -- everything else the service sent, as JSON text; redacted
  pii                VARCHAR[],  -- the categories that were found and removed
  severity_number    TINYINT,    -- OpenTelemetry's: 5 DEBUG, 9 INFO, 13 WARN, 17 ERROR, 21 FATAL
  client_ip          VARCHAR,    -- who asked, from the record or from an access line
  client_country     VARCHAR,    -- of client_ip, where a database is configured
  threat_score       DOUBLE,     -- of client_ip in the configured feeds, 0 to 100
  threat_categories  VARCHAR[],  -- what the feeds list it for
  service_tier       VARCHAR,    -- of host, in the reference table "hosts"
  customer_tier      VARCHAR     -- of user_id, in the reference table "customers"
);
