-- Personal data: lines with a mask, lines that kept the real thing, and one line as it is stored
WITH kinds (kind, mask, raw) AS (
  VALUES
    ('credit card', 'xxxx-xxxx-xxxx-\d{4}', '\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b'),
    ('us ssn', 'xxx-xx-\d{4}', '\d{3}-\d{2}-\d{4}'),
    ('email', '\*\*\*@example', '[A-Za-z0-9]@example'),
    ('phone', 'xxx-xxx-\d{4}', '\d{3}-\d{3}-\d{4}'),
    ('password', 'password=(\s|$)', 'password=\S')
)
SELECT
  kind,
  count(*) FILTER (WHERE message ~ mask) AS masked,
  count(*) FILTER (WHERE message ~ raw) AS kept_raw,
  max(message) FILTER (WHERE message ~ mask AND message NOT LIKE '{%') AS a_stored_line
FROM logs CROSS JOIN kinds
GROUP BY kind
ORDER BY kind;
