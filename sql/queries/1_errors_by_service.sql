-- Errors per service, minute by minute
SELECT
  to_char(date_trunc('minute', timestamp), '%H:%M') AS minute,
  count(*) FILTER (WHERE source = 'api-gateway') AS "api-gateway",
  count(*) FILTER (WHERE source = 'auth') AS auth,
  count(*) FILTER (WHERE source = 'inventory') AS inventory,
  count(*) FILTER (WHERE source = 'notification') AS notification,
  count(*) FILTER (WHERE source = 'order') AS "order",
  count(*) FILTER (WHERE source = 'payment') AS payment,
  count(*) FILTER (WHERE source = 'user') AS "user",
  count(*) AS all_services
FROM logs
WHERE severity_number >= 17
GROUP BY date_trunc('minute', timestamp)
ORDER BY date_trunc('minute', timestamp) DESC
LIMIT 10;
