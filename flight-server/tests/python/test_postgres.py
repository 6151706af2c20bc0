"""The PostgreSQL door, with psycopg and the ADBC driver for PostgreSQL."""

import datetime
import io
import threading
import uuid
from decimal import Decimal

import adbc_driver_postgresql.dbapi as adbc_postgres
import polars
import psycopg
import pytest

NOON = datetime.datetime(2026, 2, 5, 12, 30, 15)
ENDLESS = "SELECT count(*) FROM generate_series(1, 1000000000000)"


@pytest.fixture
def dsn(server):
    host, port = server.postgres_address
    return f"postgresql://anyone@{host}:{port}/sluice?sslmode=disable"


@pytest.fixture(params=["text", "binary"])
def rows(request, dsn):
    """Runs a statement, with results as text and in PostgreSQL's binary form."""
    with psycopg.connect(dsn, autocommit=True) as db:

        def rows(sql, *values):
            with db.cursor(binary=request.param == "binary") as cursor:
                return cursor.execute(sql, values or None, prepare=bool(values)).fetchall()

        yield rows


VALUES = [
    ("1", 1),
    ("arrow_cast(-1, 'Int8')", -1),
    ("arrow_cast(-1, 'Int16')", -1),
    ("arrow_cast(-1, 'Int32')", -1),
    ("9223372036854775807", 2**63 - 1),
    ("arrow_cast(255, 'UInt8')", 255),
    ("arrow_cast(4294967295, 'UInt32')", 2**32 - 1),
    ("arrow_cast('18446744073709551615', 'UInt64')", 2**64 - 1),
    ("1.5e0", 1.5),
    ("arrow_cast(1.5, 'Float32')", 1.5),
    ("arrow_cast(1.5, 'Float16')", 1.5),
    ("CAST(-1.25 AS DECIMAL(10, 2))", Decimal("-1.25")),
    ("true", True),
    ("'grün'", "grün"),
    ("arrow_cast('v', 'Utf8View')", "v"),
    ("arrow_cast('l', 'LargeUtf8')", "l"),
    ("arrow_cast('d', 'Dictionary(Int32, Utf8)')", "d"),
    ("arrow_cast('ab', 'Binary')", b"ab"),
    ("DATE '2026-02-05'", datetime.date(2026, 2, 5)),
    ("TIME '12:30:15'", datetime.time(12, 30, 15)),
    ("arrow_cast('2026-02-05T12:30:15', 'Timestamp(Microsecond, None)')", NOON),
    ("arrow_cast('2026-02-05T12:30:15', 'Timestamp(Nanosecond, None)')", NOON),
    (
        "arrow_cast('2026-02-05T12:30:15Z', 'Timestamp(Microsecond, Some(\"UTC\"))')",
        NOON.replace(tzinfo=datetime.timezone.utc),
    ),
    ("INTERVAL '2 days'", datetime.timedelta(days=2)),
    ("NULL", None),
    ("[1, 2, NULL]", [1, 2, None]),
    ("['a', NULL]", ["a", None]),
]


@pytest.mark.parametrize(("sql", "value"), VALUES, ids=[sql for sql, _ in VALUES])
def test_values_arrive_as_they_are(rows, sql, value):
    assert rows(f"SELECT {sql}") == [(value,)]


@pytest.mark.parametrize("sql", ["named_struct('a', 1)", "MAP {'k': 1}", "[named_struct('a', 1)]", "arrow_cast(3, 'Duration(Second)')"])
def test_other_values_arrive_somehow(rows, sql):
    ((value,),) = rows(f"SELECT {sql}")
    assert value is not None


@pytest.mark.parametrize(
    ("sql", "values", "found"),
    [
        ("SELECT %s::BIGINT + 1", (1,), [(2,)]),
        ("SELECT id FROM {t} WHERE id = %s", (3,), [(3,)]),
        ("SELECT id FROM {t} WHERE message = %s", ("three",), [(3,)]),
        ("SELECT id FROM {t} WHERE at = %s", (datetime.datetime(2026, 1, 1),), [(1,)]),
        ("SELECT id FROM {t} WHERE id IN (%s, %s) ORDER BY id", (1, 3), [(1,), (3,)]),
        ("SELECT id FROM {t} ORDER BY id LIMIT %s", (1,), [(1,)]),
        ("SELECT %s::DOUBLE PRECISION, %s::VARCHAR, %s::BOOLEAN", (1.5, "x", True), [(1.5, "x", True)]),
        ("SELECT %s::DATE", (datetime.date(2026, 2, 5),), [(datetime.date(2026, 2, 5),)]),
        ("SELECT %s::NUMERIC(10, 2)", (Decimal("1.25"),), [(Decimal("1.25"),)]),
        ("SELECT %s::BIGINT", (None,), [(None,)]),
    ],
)
def test_parameters_are_bound(rows, table, sql, values, found):
    assert rows(sql.format(t=table), *values) == found


def test_tools_find_out_where_they_are(rows):
    ((version, database, schema, user),) = rows("SELECT version(), current_database(), current_schema(), current_user")
    assert version.startswith("PostgreSQL ")
    assert (database, schema) == ("sluice", "public")
    assert user
    assert rows("SHOW server_version_num")[0][0].isdigit()
    assert rows("SHOW standard_conforming_strings") == [("on",)]


CATALOG = [
    "SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname = 'public'",
    "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'v') AND c.relname = '{t}'",
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a"
    " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid WHERE c.relname = '{t}' AND a.attnum > 0 ORDER BY a.attnum",
    "SELECT tablename FROM pg_tables WHERE tablename = '{t}'",
    "SELECT datname FROM pg_database WHERE datname = current_database()",
    "SELECT typname FROM pg_type WHERE oid = 20",
    "SELECT table_name FROM information_schema.tables WHERE table_name = '{t}'",
    "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{t}' ORDER BY ordinal_position",
    "SELECT has_table_privilege('{t}', 'SELECT'), pg_backend_pid(), pg_table_is_visible('{t}'::regclass)",
]


@pytest.mark.parametrize("sql", CATALOG)
def test_the_catalog_answers(rows, table, sql):
    assert rows(sql.format(t=table))


@pytest.mark.parametrize(
    "sql",
    [
        "SET client_encoding TO 'UTF8'",
        "SET extra_float_digits = 3",
        "SET DateStyle = 'ISO'",
        "SET application_name = 'grafana'",
        "SET search_path TO public",
        "SET TIME ZONE 'UTC'",
        "SET statement_timeout = 10000",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "DISCARD ALL",
        "DEALLOCATE ALL",
        "RESET ALL",
        "BEGIN",
        "",
        ";",
    ],
)
def test_what_tools_say_at_connect_is_no_error(dsn, sql):
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(sql)
        assert db.execute("SELECT 1").fetchone() == (1,)


def test_settings_are_the_connections_own(dsn):
    with psycopg.connect(dsn, autocommit=True) as one, psycopg.connect(dsn, autocommit=True) as two:
        one.execute("SET TIME ZONE 'America/New_York'")
        assert one.execute("SHOW TimeZone").fetchone() != two.execute("SHOW TimeZone").fetchone()


def test_transactions_are_taken_and_end(dsn):
    with psycopg.connect(dsn) as db:
        assert db.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with db.transaction():
            assert db.execute("SELECT 1").fetchone() == (1,)
            assert db.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
            with db.transaction():
                db.execute("SELECT 2")
        with pytest.raises(psycopg.Error):
            db.execute("SELECT no_such_column")
        assert db.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            db.execute("SELECT 1")
        db.rollback()
        assert db.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("sql", "error", "part"),
    [
        ("SELEC 1", psycopg.errors.SyntaxError, "SELEC"),
        ("SELECT no_such_column FROM {t}", psycopg.errors.UndefinedColumn, "no_such_column"),
        ("SELECT * FROM no_such_table", psycopg.errors.UndefinedTable, "no_such_table"),
        ("SELECT no_such_function(1)", psycopg.errors.UndefinedFunction, "no_such_function"),
    ],
)
def test_errors_have_postgresqls_codes(dsn, table, sql, error, part):
    with psycopg.connect(dsn, autocommit=True) as db:
        with pytest.raises(error, match=part):
            db.execute(sql.format(t=table))
        assert db.execute("SELECT 1").fetchone() == (1,)


def test_effects_are_counted_and_seen_through_the_other_door(dsn, cursor, table):
    with psycopg.connect(dsn, autocommit=True) as db:
        done = db.execute(f"INSERT INTO {table} (id, message) VALUES (%s, %s), (5, NULL)", (4, "four"))
        assert (done.rowcount, done.statusmessage) == (2, "INSERT 0 2")
    cursor.execute(f"SELECT message FROM {table} WHERE id = 4")
    assert cursor.fetchall() == [("four",)]


def test_results_are_read_by_a_cursor_of_the_server(dsn):
    with psycopg.connect(dsn) as db, db.cursor(name="c") as cursor:
        cursor.execute("SELECT value FROM generate_series(1, 10000)")
        assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
        assert len(cursor.fetchall()) == 9997


def test_rows_are_copied_out(dsn, table):
    with psycopg.connect(dsn, autocommit=True) as db, db.cursor() as cursor:
        text = io.BytesIO()
        with cursor.copy(f"COPY (SELECT id, message FROM {table} ORDER BY id) TO STDOUT") as copy:
            for block in copy:
                text.write(block)
        assert text.getvalue() == b"1\tone\n2\t\\N\n3\tthree\n"
        with cursor.copy(f"COPY (SELECT id, message FROM {table} ORDER BY id) TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int8", "text"])
            assert list(copy.rows()) == [(1, "one"), (2, None), (3, "three")]


def test_a_query_is_cancelled(dsn):
    with psycopg.connect(dsn, autocommit=True) as db:
        threading.Timer(0.3, db.cancel_safe).start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            db.execute(ENDLESS)
        assert db.execute("SELECT 1").fetchone() == (1,)


def test_a_million_rows_arrive(dsn):
    with psycopg.connect(dsn, autocommit=True) as db, db.cursor(binary=True) as cursor:
        total = 0
        for row in cursor.stream("SELECT value, 'line ' || value FROM generate_series(1, 200000)"):
            total += row[0]
        assert total == 200_000 * 200_001 // 2


def test_prepared_statements_are_run_again(dsn, table):
    with psycopg.connect(dsn, autocommit=True) as db:
        for number in [1, 2, 3] * 4:
            row = db.execute(f"SELECT id FROM {table} WHERE id = %s", (number,), prepare=True).fetchone()
            assert row == (number,)


def test_a_pipeline_of_statements_is_answered_in_order(dsn):
    with psycopg.connect(dsn, autocommit=True) as db, db.pipeline():
        cursors = [db.execute("SELECT %s::BIGINT", (number,)) for number in range(20)]
        assert [cursor.fetchone() for cursor in cursors] == [(number,) for number in range(20)]


@pytest.fixture
def arrow(dsn):
    with adbc_postgres.connect(dsn, autocommit=True) as db:
        yield db


def test_adbc_reads_arrow(arrow, table):
    with arrow.cursor() as cursor:
        cursor.execute(f"SELECT id, message, at FROM {table} ORDER BY id")
        rows = cursor.fetch_arrow_table()
    assert rows.column("id").to_pylist() == [1, 2, 3]
    assert rows.column("message").to_pylist() == ["one", None, "three"]
    assert rows.column("at").null_count == 2


def test_adbc_reads_many_rows(arrow):
    with arrow.cursor() as cursor:
        cursor.execute("SELECT value, 'line ' || value AS line FROM generate_series(1, 200000)")
        assert cursor.fetch_arrow_table().num_rows == 200_000


def test_adbc_binds_parameters(arrow, table):
    with arrow.cursor() as cursor:
        cursor.execute(f"SELECT message FROM {table} WHERE id = $1", (3,))
        assert cursor.fetchall() == [("three",)]


def test_adbc_lists_objects(arrow, table):
    found = arrow.adbc_get_objects(depth="tables", db_schema_filter="public").read_all().to_pylist()
    names = [t["table_name"] for c in found for s in c["catalog_db_schemas"] for t in s["db_schema_tables"] or []]
    assert table in names
    assert arrow.adbc_get_table_schema(table).names[:2] == ["id", "message"]


def test_polars_reads(dsn, table):
    frame = polars.read_database_uri(f"SELECT id FROM {table} ORDER BY id", dsn, engine="adbc")
    assert frame["id"].to_list() == [1, 2, 3]


def test_connections_end_with_their_clients(dsn):
    for _ in range(100):
        with psycopg.connect(dsn, application_name=uuid.uuid4().hex) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)
