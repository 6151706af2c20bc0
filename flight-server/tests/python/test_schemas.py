"""The schema that GetFlightInfo announces is the one that DoGet streams, for queries of every kind."""

import pytest

import protocol

QUERIES = [
    "SELECT * FROM {t}",
    "SELECT * FROM {t} LIMIT 0",
    "SELECT * FROM {t} WHERE false",
    "SELECT * FROM {t} WHERE id = 99",
    "SELECT min(id), max(id), count(*), count(id) FROM {t}",
    "SELECT min(message), max(message), min(at), max(at) FROM {t}",
    "SELECT min(id) FROM {t} WHERE false",
    "SELECT count(*) FROM {t} WHERE false",
    "SELECT sum(id), avg(id), stddev(id), median(id) FROM {t}",
    "SELECT count(DISTINCT message), approx_distinct(id) FROM {t}",
    "SELECT array_agg(id), string_agg(message, ',') FROM {t}",
    "SELECT message, count(*) FROM {t} GROUP BY message",
    "SELECT message, count(*) FROM {t} GROUP BY GROUPING SETS ((message), ())",
    "SELECT message, id, sum(id) FROM {t} GROUP BY ROLLUP (message, id)",
    "SELECT id FROM {t} UNION ALL SELECT NULL",
    "SELECT id FROM {t} UNION SELECT 4",
    "SELECT 1 UNION ALL SELECT id FROM {t}",
    "SELECT NULL UNION ALL SELECT 'x'",
    "SELECT id FROM {t} EXCEPT SELECT 1",
    "SELECT id FROM {t} INTERSECT SELECT 1",
    "SELECT row_number() OVER (ORDER BY id), rank() OVER (ORDER BY id) FROM {t}",
    "SELECT lag(id) OVER (ORDER BY id), lead(id, 1, 0) OVER (ORDER BY id) FROM {t}",
    "SELECT sum(id) OVER (ORDER BY id ROWS 1 PRECEDING) FROM {t}",
    "SELECT ntile(2) OVER (ORDER BY id), percent_rank() OVER (ORDER BY id) FROM {t}",
    "SELECT a.id, b.id FROM {t} a LEFT JOIN {t} b ON a.id = b.id + 1",
    "SELECT a.id, b.id FROM {t} a RIGHT JOIN {t} b ON a.id = b.id + 1",
    "SELECT a.id, b.id FROM {t} a FULL JOIN {t} b ON a.id = b.id + 1",
    "SELECT id FROM {t} a WHERE EXISTS (SELECT 1 FROM {t} b WHERE b.id = a.id)",
    "SELECT id FROM {t} WHERE id NOT IN (SELECT id FROM {t} WHERE id > 1)",
    "SELECT (SELECT max(id) FROM {t}) AS m",
    "SELECT (SELECT id FROM {t} WHERE false) AS nothing",
    "WITH c AS (SELECT id FROM {t}) SELECT * FROM c",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
    "SELECT CASE WHEN id > 1 THEN 'big' END FROM {t}",
    "SELECT CASE WHEN id > 1 THEN 1 ELSE 2.5 END FROM {t}",
    "SELECT coalesce(message, 'none'), nullif(id, 1) FROM {t}",
    "SELECT id + 1, id / 2, id * 1.5, -id, id % 2 FROM {t}",
    "SELECT id = 1, id IS NULL, message LIKE 'o%' FROM {t}",
    "SELECT at + INTERVAL '1 day', at - at, date_trunc('day', at) FROM {t}",
    "SELECT extract(year FROM at), date_bin(INTERVAL '1 hour', at) FROM {t}",
    "SELECT upper(message), length(message), split_part(message, 'n', 1) FROM {t}",
    "SELECT CAST(id AS VARCHAR) a, CAST(id AS DECIMAL(20, 3)) b, CAST(id AS DOUBLE) c FROM {t}",
    "SELECT arrow_cast(message, 'Dictionary(Int32, Utf8)') FROM {t}",
    "SELECT arrow_cast(message, 'Utf8View'), arrow_cast(message, 'LargeUtf8') FROM {t}",
    "SELECT [id], named_struct('m', message), [named_struct('id', id)] FROM {t}",
    "SELECT unnest([1, 2, NULL])",
    "SELECT * FROM unnest([1, 2, 3])",
    "SELECT MAP {{'a': 1}} FROM {t}",
    "SELECT NULL",
    "SELECT NULL AS a, 1 AS b, 'x' AS c",
    "SELECT 1",
    "SELECT 1 WHERE false",
    "VALUES (1, 'a'), (NULL, NULL)",
    "SELECT * FROM generate_series(1, 3)",
    "SELECT DISTINCT message FROM {t}",
    "SELECT DISTINCT ON (message) message, id FROM {t} ORDER BY message, id",
    "SELECT * FROM {t} ORDER BY id DESC NULLS LAST LIMIT 1 OFFSET 1",
    "SELECT now(), current_date, version()",
    "SELECT arrow_cast(1.5, 'Float16'), arrow_cast(1, 'Decimal32(5, 2)')",
    "SELECT arrow_cast([1, 2], 'LargeList(Int64)'), arrow_cast([1, 2], 'FixedSizeList(2, Int64)')",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM system.functions LIMIT 2",
    "SHOW TABLES",
    "SHOW ALL",
    "DESCRIBE {t}",
    "EXPLAIN SELECT * FROM {t}",
    "EXPLAIN ANALYZE SELECT count(*) FROM {t}",
]


@pytest.mark.parametrize("query", QUERIES)
def test_the_announced_schema_is_the_streamed_one(url, table, query):
    with protocol.client(url) as client:
        info = client.get_flight_info(protocol.statement(query.format(t=table)))
        reader = client.do_get(info.endpoints[0].ticket)
        assert reader.schema.equals(info.schema)
        assert all(field.nullable for field in info.schema)
        assert reader.read_all().schema.equals(info.schema)
        alone = client.get_schema(protocol.statement(query.format(t=table)))
        assert alone.schema.equals(info.schema)
