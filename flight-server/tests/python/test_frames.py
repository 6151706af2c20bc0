"""Data frames: polars and pandas over ADBC, both ways."""

import pandas
import polars
import pytest

SQL = "SELECT id, message, at FROM {} ORDER BY id"


def test_polars_reads_from_a_connection(connect, table):
    frame = polars.read_database(SQL.format(table), connect())
    assert frame["id"].to_list() == [1, 2, 3]
    assert frame["message"].to_list() == ["one", None, "three"]
    assert frame["at"].null_count() == 2


def test_polars_reads_in_batches(connect):
    sql = "SELECT value FROM generate_series(1, 50000)"
    frames = list(polars.read_database(sql, connect(), iter_batches=True, batch_size=8192))
    assert len(frames) > 1
    assert sum(len(frame) for frame in frames) == 50_000


def test_polars_reads_from_an_address(server, table):
    address = f"flightsql://{server.address}?transport=tcp"
    frame = polars.read_database_uri(SQL.format(table), address, engine="adbc")
    assert frame["id"].to_list() == [1, 2, 3]


def test_polars_binds_parameters(connect, table):
    sql = f"SELECT id FROM {table} WHERE id > ? ORDER BY id"
    frame = polars.read_database(sql, connect(), execute_options={"parameters": (1,)})
    assert frame["id"].to_list() == [2, 3]


def test_pandas_reads_from_a_connection(connect, table):
    frame = pandas.read_sql(SQL.format(table), connect())
    assert frame["id"].tolist() == [1, 2, 3]
    assert frame["message"].isna().tolist() == [False, True, False]
    assert frame["at"][0].isoformat().startswith("2026-01-01T00:00:00")


@pytest.mark.parametrize("if_exists", ["fail", "append", "replace"])
def test_pandas_writes(connect, cursor, new_name, if_exists):
    name, connection = new_name(), connect()
    frame = pandas.DataFrame({"id": [1, 2], "message": ["a", None]})
    if if_exists != "fail":
        frame.to_sql(name, connection, index=False)
    frame.to_sql(name, connection, index=False, if_exists=if_exists)
    cursor.execute(f"SELECT count(*) FROM {name}")
    assert cursor.fetchone() == ({"append": 4}.get(if_exists, 2),)


def test_polars_writes(connect, cursor, new_name):
    name = new_name()
    frame = polars.DataFrame({"id": [1, 2], "message": ["a", None]})
    frame.write_database(name, connect(), engine="adbc", if_table_exists="replace")
    cursor.execute(f"SELECT id, message FROM {name} ORDER BY id")
    assert cursor.fetchall() == [(1, "a"), (2, None)]
