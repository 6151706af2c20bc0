-- The pipeline of logs.sql with two reference tables beside, which the configuration names:
-- "hosts" (key "host") and "customers" (key "id"), each with a column "tier". docs/enrichment.md says
-- how; without them the pipeline cannot be defined. `sluice demo` runs this one.
CREATE EXTERNAL TABLE IF NOT EXISTS log_events (
  timestamp        TIMESTAMP,
  severity         VARCHAR,
  source           VARCHAR,
  message          VARCHAR,
  host             VARCHAR,
  service_version  VARCHAR,
  trace_id         VARCHAR,
  user_id          VARCHAR,
  client_ip        VARCHAR,
  latency_ms       DOUBLE,
  status           INT,
  attributes       VARCHAR
) STORED AS KAFKA LOCATION 'kafka://${KAFKA}/log-events' OPTIONS ('format' 'json');

CREATE PIPELINE IF NOT EXISTS ingest WITH (
  max_latency = '500ms',
  event_time = 'timestamp',
  dedup_key = 'trace_id, timestamp, source, host, message',
  dedup_window = '1 minute',
  'redact.message' = 'default',
  'redact.attributes' = 'default',
  'redact.severity' = 'default',
  'redact.source' = 'default',
  'redact.host' = 'default',
  'redact.client_ip' = 'default'
) AS
INSERT INTO logs (
  timestamp, severity, source, message, host, service_version, trace_id, user_id, latency_ms, status,
  attributes,
  service_tier, customer_tier,
  severity_number, client_ip, client_country, threat_score, threat_categories
)
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
  attributes,
  lookup('hosts', host, 'tier'),
  lookup('customers', user_id, 'tier'),
  severity_number(severity),
  client_ip,
  geoip(client_ip)['country_iso'],
  threat_lookup(client_ip)['score'],
  threat_lookup(client_ip)['categories']
FROM (
  SELECT
    coalesce(timestamp, line['timestamp'], _kafka_ts) AS timestamp,
    upper(coalesce(severity, line['severity_text'])) AS severity,
    coalesce(source, line['service_name']) AS source,
    message,
    coalesce(host, line['host_name']) AS host,
    service_version,
    coalesce(trace_id, line['trace_id']) AS trace_id,
    user_id,
    coalesce(client_ip, line['attributes']['client.address']) AS client_ip,
    latency_ms,
    coalesce(status, TRY_CAST(line['attributes']['http.response.status_code'] AS INT)) AS status,
    attributes
  FROM (SELECT *, parse_log(message, ref_time => _kafka_ts) AS line FROM log_events)
)
WHERE coalesce(severity_number(severity), 9) > 8 OR sample(coalesce(trace_id, message), 0.1);
