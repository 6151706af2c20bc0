-- What became of every record: stored once, or a dead letter with its reason
WITH positions AS (
  SELECT _topic, _partition, _offset, 'stored' AS outcome FROM logs
  UNION ALL
  SELECT _topic, _partition, _offset, 'dead letter: ' || code FROM logs__dlq
), stored AS (
  SELECT _topic, _partition, max(_offset) AS last FROM logs GROUP BY 1, 2
), settled AS (
  -- A dead letter is committed just before the rows around it; those past the last row wait for them.
  SELECT positions.* FROM positions JOIN stored USING (_topic, _partition) WHERE _offset <= last
), spans AS (
  SELECT max(_offset) - min(_offset) + 1 AS span, count(*) AS records, count(DISTINCT _offset) AS seen
  FROM settled GROUP BY _topic, _partition
)
SELECT outcome, count(*) AS records FROM settled GROUP BY outcome
UNION ALL SELECT 'missing', sum(span - seen) FROM spans
UNION ALL SELECT 'stored twice', sum(records - seen) FROM spans
ORDER BY records DESC, outcome;
