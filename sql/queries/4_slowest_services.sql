-- The slowest services: latency in milliseconds
SELECT
  source,
  min(service_tier) AS tier,
  count(*) AS events,
  round(approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms), 1) AS p50_ms,
  round(approx_percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms), 1) AS p95_ms,
  round(max(latency_ms), 1) AS max_ms,
  round(100.0 * count(*) FILTER (WHERE status >= 500) / count(*), 2) AS failed_percent
FROM logs
GROUP BY source
ORDER BY p95_ms DESC;
