-- Clients on a threat feed, and what they were refused
SELECT
  client_ip,
  min(client_country) AS country,
  array_to_string(min(threat_categories), ', ') AS listed_for,
  max(threat_score) AS score,
  count(*) AS requests,
  count(*) FILTER (WHERE status = 401) AS logins_refused,
  count(*) FILTER (WHERE status = 404) AS pages_not_found
FROM logs
WHERE threat_score > 0
GROUP BY client_ip
ORDER BY requests DESC, client_ip
LIMIT 8;
