-- Who was hit: customers with a failed request, by their tier
SELECT
  customer_tier AS tier,
  count(DISTINCT user_id) AS customers,
  count(DISTINCT user_id) FILTER (WHERE status >= 500) AS hit,
  count(DISTINCT trace_id) FILTER (WHERE status >= 500) AS failed_requests,
  round(max(latency_ms) FILTER (WHERE status >= 500)) AS longest_wait_ms
FROM logs
WHERE customer_tier IS NOT NULL
GROUP BY customer_tier
ORDER BY customers;
