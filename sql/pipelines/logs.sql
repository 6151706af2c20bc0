-- From the topic "log-events" to the table "logs" (sql/schema/logs.sql). What is personal or secret in the
-- message and in the attributes is masked before anything is stored, "pii" says of which categories it was,
-- and system.redactions counts it. ${KAFKA} stands for the broker, HOST:PORT.
CREATE EXTERNAL TABLE IF NOT EXISTS log_events (
  timestamp        TIMESTAMP,
  severity         VARCHAR,
  source           VARCHAR,
  message          VARCHAR,
  host             VARCHAR,
  service_version  VARCHAR,
  trace_id         VARCHAR,
  user_id          VARCHAR,
  latency_ms       DOUBLE,
  status           INT,
  attributes       VARCHAR
) STORED AS KAFKA LOCATION 'kafka://${KAFKA}/log-events' OPTIONS ('format' 'json');

CREATE PIPELINE IF NOT EXISTS ingest WITH (
  max_latency = '500ms',
  'redact.message' = 'default',
  'redact.attributes' = 'default'
) AS
INSERT INTO logs
SELECT
  timestamp,
  severity,
  source,
  message,
  host,
  service_version,
  trace_id,
  user_id,
  latency_ms,
  status,
  attributes
FROM log_events;
