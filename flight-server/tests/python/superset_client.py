"""What Superset does with its engine for DataFusion: `superset_client.py HOST:PORT TABLE`."""

import sys

import flightsql.sqlalchemy  # registers the dialect
import sqlalchemy

address, table = sys.argv[1:]
engine = sqlalchemy.create_engine(f"datafusion+flightsql://{address}?insecure=true")

with engine.connect() as connection:
    # Testing the connection.
    assert connection.execute("SELECT 1").fetchall() == [(1,)]
    # Choosing a data set.
    inspector = sqlalchemy.inspect(engine)
    assert {"public", "system"} <= set(inspector.get_schema_names())
    assert table in inspector.get_table_names(schema="public")
    columns = {column["name"]: column["type"] for column in inspector.get_columns(table, schema="public")}
    assert isinstance(columns["id"], sqlalchemy.BIGINT), columns
    assert isinstance(columns["at"], (sqlalchemy.TIMESTAMP, sqlalchemy.DateTime)), columns
    # Looking at rows, and at a data set that is a query.
    assert len(connection.execute(f"SELECT * FROM public.{table} LIMIT 1001").fetchall()) == 3
    virtual = f"SELECT id AS id FROM (SELECT id FROM public.{table}) AS virtual_table LIMIT 1000"
    assert len(connection.execute(virtual).fetchall()) == 3
    # A chart over time, by each grain.
    for grain in ("second", "minute", "hour", "day", "week", "month", "quarter", "year"):
        chart = f"""
            SELECT DATE_TRUNC('{grain}', at) AS __timestamp, COUNT(*) AS count FROM public.{table}
            WHERE at >= TIMESTAMP '2025-12-31 00:00:00' AND at < TIMESTAMP '2026-02-01 00:00:00'
            GROUP BY DATE_TRUNC('{grain}', at) ORDER BY count DESC LIMIT 10000
        """
        rows = connection.execute(chart).fetchall()
        assert [row[1] for row in rows] == [1], rows
    try:
        connection.execute("SELECT * FROM no_such_table").fetchall()
    except Exception as error:
        assert "no_such_table" in str(error), error
    else:
        raise AssertionError("a missing table gave rows")
print("done")
