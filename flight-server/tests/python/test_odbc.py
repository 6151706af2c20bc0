"""pyodbc over psqlODBC, through unixODBC with settings of the test's own."""

import datetime
import glob
import subprocess
from decimal import Decimal

import pytest

# unixODBC reads where its settings are once in a process, so they must stand before pyodbc asks.
pyodbc = pytest.importorskip("pyodbc")

DRIVERS = glob.glob("/usr/lib/*/odbc/psqlodbcw.so") + glob.glob("/usr/lib*/psqlodbcw.so")
# What psqlODBC does by default, and what makes it fetch by cursor or leave preparing to itself.
OPTIONS = ["", "UseDeclareFetch=1;Fetch=100", "UseServerSidePrepare=0", "Protocol=7.4-0", "BoolsAsChar=0", "TextAsLongVarchar=1"]


@pytest.fixture(scope="session")
def dsn(server, tmp_path_factory):
    """A data source in an odbc.ini of its own, whose driver is in an odbcinst.ini beside it."""
    assert DRIVERS, "psqlODBC is missing"
    directory = tmp_path_factory.mktemp("odbc")
    (directory / "odbcinst.ini").write_text(f"[psqlODBC]\nDescription = PostgreSQL\nDriver = {DRIVERS[0]}\n")
    host, port = server.postgres_address
    (directory / "odbc.ini").write_text(
        "[sluice]\nDriver = psqlODBC\nDatabase = sluice\nUsername = anyone\nSSLmode = disable\n"
        f"Servername = {host}\nPort = {port}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ODBCSYSINI", str(directory))
        patch.setenv("ODBCINSTINI", "odbcinst.ini")
        patch.setenv("ODBCINI", str(directory / "odbc.ini"))
        yield "DSN=sluice"


@pytest.fixture(params=OPTIONS, ids=[option or "defaults" for option in OPTIONS])
def cursor_of_odbc(request, dsn):
    db = pyodbc.connect(f"{dsn};{request.param}", autocommit=True)
    with db.cursor() as cursor:
        yield cursor
    db.close()


@pytest.fixture
def odbc(dsn):
    db = pyodbc.connect(dsn, autocommit=True)
    with db.cursor() as cursor:
        yield cursor
    db.close()


def test_rows_arrive(table, cursor_of_odbc):
    cursor_of_odbc.execute(f"SELECT id, message, at FROM {table} ORDER BY id")
    assert [column[0] for column in cursor_of_odbc.description] == ["id", "message", "at"]
    rows = [tuple(row) for row in cursor_of_odbc.fetchall()]
    assert rows == [(1, "one", datetime.datetime(2026, 1, 1)), (2, None, None), (3, "three", None)]


def test_parameters_are_bound(table, cursor_of_odbc):
    for number, message in ((1, "one"), (2, None), (3, "three")):
        cursor_of_odbc.execute(f"SELECT message FROM {table} WHERE id = ?", number)
        assert cursor_of_odbc.fetchone()[0] == message
    cursor_of_odbc.execute(f"SELECT id FROM {table} WHERE message = ?", "three")
    assert cursor_of_odbc.fetchone()[0] == 3


def test_many_rows_arrive(cursor_of_odbc):
    cursor_of_odbc.execute("SELECT value FROM generate_series(1, 10000)")
    assert sum(row[0] for row in cursor_of_odbc) == 10_000 * 10_001 // 2


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("1", 1),
        ("1.5e0", 1.5),
        ("CAST(1.25 AS DECIMAL(10, 2))", Decimal("1.25")),
        ("'grün'", "grün"),
        ("arrow_cast('v', 'Utf8View')", "v"),
        ("arrow_cast('d', 'Dictionary(Int32, Utf8)')", "d"),
        ("repeat('x', 1000)", "x" * 1000),
        ("DATE '2026-02-05'", datetime.date(2026, 2, 5)),
        ("TIME '12:30:15'", datetime.time(12, 30, 15)),
        ("TIMESTAMP '2026-02-05T12:30:15'", datetime.datetime(2026, 2, 5, 12, 30, 15)),
        ("arrow_cast('ab', 'Binary')", b"ab"),
        ("CAST(NULL AS BIGINT)", None),
    ],
)
def test_values_arrive_as_they_are(odbc, sql, value):
    odbc.execute(f"SELECT {sql} AS v")
    assert odbc.fetchone()[0] == value


@pytest.mark.parametrize("value", [1, 2**40, 1.5, "text", True, None, Decimal("1.25"), datetime.date(2026, 2, 5)])
def test_parameters_of_every_type_are_bound(odbc, value):
    types = {int: "BIGINT", float: "DOUBLE PRECISION", str: "VARCHAR", bool: "BOOLEAN", Decimal: "DECIMAL(10, 2)"}
    wanted = types.get(type(value), "DATE" if value else "BIGINT")
    odbc.execute(f"SELECT CAST(? AS {wanted})", value)
    found = odbc.fetchone()[0]
    assert found in (value, "1") if value is True else found == value


def test_the_catalog_answers(table, odbc):
    assert table in [row.table_name for row in odbc.tables()]
    assert [row.table_name for row in odbc.tables(table=table, schema="public", tableType="TABLE")] == [table]
    assert [row.column_name for row in odbc.columns(table=table)][:3] == ["id", "message", "at"]
    assert odbc.primaryKeys(table=table).fetchall() == []
    assert odbc.foreignKeys(table=table).fetchall() == []
    assert [row for row in odbc.statistics(table) if row.index_name] == []
    assert odbc.getTypeInfo().fetchall()


def test_errors_name_the_thing_and_end_no_session(odbc):
    with pytest.raises(pyodbc.Error, match="no_such_table"):
        odbc.execute("SELECT * FROM no_such_table")
    odbc.execute("SELECT 7")
    assert odbc.fetchone()[0] == 7


def test_a_transaction_ends(dsn):
    db = pyodbc.connect(dsn)
    with db.cursor() as cursor:
        cursor.execute("SELECT 1").fetchall()
        db.commit()
        with pytest.raises(pyodbc.Error):
            cursor.execute("SELECT * FROM no_such_table")
        db.rollback()
        assert cursor.execute("SELECT 2").fetchone()[0] == 2
    db.close()


def test_isql_runs_a_query(dsn):
    ended = subprocess.run(["isql", "-b", "-d,", "sluice"], input="SELECT 1 AS one\n\n", text=True, capture_output=True)
    assert ended.returncode == 0 and "1" in ended.stdout, ended.stderr
