-- What became of every record: stored once, left out by the pipeline, or a dead letter with its reason
WITH positions AS (
  SELECT _topic, _partition, _offset, 'stored' AS outcome FROM logs
  UNION ALL
  SELECT _topic, _partition, _offset, 'dead letter: ' || code FROM logs__dlq
), committed AS (
  -- Commits that came after the rows which this query sees are left aside.
  SELECT _topic, _partition, max(to_offset) AS next, sum(filtered) AS filtered,
    sum(to_offset - from_offset - gap - missing - filtered) AS kept
  FROM system.commits
  JOIN (SELECT _topic, _partition, max(_offset) AS last FROM logs GROUP BY 1, 2)
    ON _topic = topic AND _partition = "partition" AND from_offset <= last
  WHERE "table" = 'logs'
  GROUP BY 1, 2
), settled AS (
  -- A dead letter is committed just before the rows around it; those past the last commit wait for them.
  SELECT positions.* FROM positions JOIN committed USING (_topic, _partition) WHERE _offset < next
), seen AS (
  SELECT _topic, _partition, count(*) AS records, count(DISTINCT _offset) AS offsets
  FROM settled GROUP BY 1, 2
)
SELECT outcome, count(*) AS records FROM settled GROUP BY outcome
UNION ALL SELECT 'left out: DEBUG lines and repeats', sum(filtered) FROM committed
UNION ALL SELECT 'missing', sum(kept - offsets) FROM committed JOIN seen USING (_topic, _partition)
UNION ALL SELECT 'stored twice', sum(records - offsets) FROM seen
ORDER BY records DESC, outcome;
