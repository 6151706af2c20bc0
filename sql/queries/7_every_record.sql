-- What became of every record: stored once, left out by the pipeline, or a dead letter with its reason
WITH positions AS (
  SELECT _topic, _partition, _offset, 'stored' AS outcome FROM logs
  UNION ALL
  SELECT _topic, _partition, _offset, 'dead letter: ' || code FROM logs__dlq
), committed AS (
  SELECT topic AS _topic, "partition" AS _partition, max(to_offset) AS next,
    sum(to_offset - from_offset) AS span, sum(filtered) AS filtered
  FROM system.commits WHERE "table" = 'logs' AND topic IS NOT NULL GROUP BY 1, 2
), settled AS (
  -- A dead letter is committed just before the rows around it; those past the last commit wait for them.
  SELECT positions.* FROM positions JOIN committed USING (_topic, _partition) WHERE _offset < next
), seen AS (
  SELECT _topic, _partition, count(*) AS records, count(DISTINCT _offset) AS offsets
  FROM settled GROUP BY 1, 2
)
SELECT outcome, count(*) AS records FROM settled GROUP BY outcome
UNION ALL SELECT 'left out: DEBUG lines and repeats', sum(filtered) FROM committed
UNION ALL SELECT 'missing', sum(span - filtered - offsets) FROM committed JOIN seen USING (_topic, _partition)
UNION ALL SELECT 'stored twice', sum(records - offsets) FROM seen
ORDER BY records DESC, outcome;
