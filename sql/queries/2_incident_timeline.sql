-- The incident: the database pool of "payment" runs dry and the callers feel it
WITH moments AS (
  SELECT
    date_bin(INTERVAL '5 seconds', timestamp) AS moment,
    count(*) FILTER (WHERE source = 'payment') AS payments,
    count(*) FILTER (WHERE severity_number >= 13 AND message LIKE '%from pool payment-db%')
      AS pool_waits,
    count(*) FILTER (WHERE source = 'payment' AND status >= 500) AS failed,
    count(*) FILTER (WHERE source = 'order' AND status >= 500) AS orders_lost,
    count(*) FILTER (WHERE source = 'api-gateway' AND status IN (502, 504)) AS gateway_502_504,
    approx_percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms)
      FILTER (WHERE source = 'payment') AS payment_p95_ms
  FROM logs
  GROUP BY 1
), bounds AS (
  SELECT
    coalesce(min(moment) FILTER (WHERE failed * 10 > payments), max(moment)) AS first_failures
  FROM moments
)
SELECT
  to_char(moment, '%H:%M:%S') AS time,
  payments,
  pool_waits,
  failed,
  orders_lost,
  gateway_502_504,
  round(payment_p95_ms) AS payment_p95_ms
FROM moments CROSS JOIN bounds
WHERE moment >= first_failures - INTERVAL '10 seconds'
ORDER BY moment
LIMIT 14;
