"""The ADBC driver for Flight SQL, through its DB-API."""

import subprocess
import sys
import threading

import adbc_driver_manager
import pyarrow
import pytest

ENDLESS = "SELECT * FROM generate_series(1, 1000000000000)"


def objects(connection, **filters):
    return connection.adbc_get_objects(**filters).read_all().to_pylist()


def test_rows_arrive_as_an_arrow_table(cursor, table):
    cursor.execute(f"SELECT id, message FROM {table} ORDER BY id")
    rows = cursor.fetch_arrow_table()
    assert rows.schema.field("message").type == pyarrow.string()
    assert rows.to_pydict() == {"id": [1, 2, 3], "message": ["one", None, "three"]}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT min(id), max(message), count(*) FROM {table}",
        "SELECT * FROM {table} WHERE false",
        "SELECT * FROM {table} LIMIT 0",
        "SELECT arrow_cast('v', 'Utf8View'), arrow_cast('d', 'Dictionary(Int32, Utf8)'), NULL",
        "SELECT [1.5], named_struct('k', id) FROM {table}",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "DESCRIBE {table}",
    ],
)
def test_announced_schemas_hold(cursor, table, sql):
    """The driver refuses rows whose schema is not the announced one."""
    cursor.execute(sql.format(table=table))
    cursor.fetch_arrow_table()


def test_effects_happen_without_a_fetch_and_count_their_rows(cursor, table):
    cursor.execute(f"INSERT INTO {table} (id) VALUES (4), (5)")
    assert cursor.rowcount in (-1, 2)
    cursor.execute(f"SELECT count(*) FROM {table}")
    assert cursor.fetchone() == (5,)


def test_a_script_runs_every_statement(cursor, table):
    cursor.executescript(f"INSERT INTO {table} (id) VALUES (6); INSERT INTO {table} (id) VALUES (7);")
    cursor.execute(f"SELECT sum(id) FROM {table} WHERE id > 5")
    assert cursor.fetchone() == (13,)


def test_parameters_are_bound_by_position(cursor, table):
    cursor.execute(f"SELECT message FROM {table} WHERE id = ? OR message = ? ORDER BY id", (1, "three"))
    assert cursor.fetchall() == [("one",), ("three",)]
    cursor.execute(f"SELECT message FROM {table} WHERE id = $1", (2,))
    assert cursor.fetchall() == [(None,)]


def test_many_rows_of_parameters_insert_many_rows(cursor, table):
    rows = [(10, "ten"), (11, "eleven"), (12, None)]
    cursor.executemany(f"INSERT INTO {table} (id, message) VALUES (?, ?)", rows)
    cursor.execute(f"SELECT id, message FROM {table} WHERE id >= 10 ORDER BY id")
    assert cursor.fetchall() == rows


@pytest.mark.parametrize("depth", ["catalogs", "db_schemas", "tables", "columns", "all"])
def test_objects_are_listed_to_every_depth(connect, table, depth):
    catalogs = objects(connect(), depth=depth)
    assert [catalog["catalog_name"] for catalog in catalogs] == ["sluice"]
    if depth == "catalogs":
        return
    schemas = {schema["db_schema_name"]: schema for schema in catalogs[0]["catalog_db_schemas"]}
    assert {"public", "system", "information_schema"} <= schemas.keys()
    if depth == "db_schemas":
        return
    tables = {found["table_name"]: found for found in schemas["public"]["db_schema_tables"]}
    assert tables[table]["table_type"] == "TABLE"
    if depth == "tables":
        return
    columns = [column["column_name"] for column in tables[table]["table_columns"]]
    assert columns[:3] == ["id", "message", "at"]


def test_objects_are_found_by_name_and_type(connect, table):
    found = objects(connect(), depth="tables", table_name_filter=table, table_types_filter=["BASE TABLE"])
    tables = [t for s in found[0]["catalog_db_schemas"] for t in s["db_schema_tables"] or []]
    assert [t["table_name"] for t in tables] == [table]


def test_names_are_patterns_in_filters_and_names_in_schemas(connect, cursor, new_name):
    name = new_name()
    cursor.execute(f'CREATE TABLE "{name}_a" (x BIGINT)')
    cursor.execute(f'CREATE TABLE "{name}xa" (y BIGINT)')
    try:
        found = objects(connect(), depth="tables", table_name_filter=f"{name}%")
        names = {t["table_name"] for s in found[0]["catalog_db_schemas"] for t in s["db_schema_tables"] or []}
        assert names == {f"{name}_a", f"{name}xa"}
        assert connect().adbc_get_table_schema(f"{name}_a").names[:1] == ["x"]
        with pytest.raises(adbc_driver_manager.Error):
            connect().adbc_get_table_schema("no_such_table")
    finally:
        cursor.execute(f'DROP TABLE "{name}_a"')
        cursor.execute(f'DROP TABLE "{name}xa"')


def test_columns_tell_their_types_to_tools(connect, table):
    found = objects(connect(), depth="all", table_name_filter=table)
    tables = [t for s in found[0]["catalog_db_schemas"] for t in s["db_schema_tables"] or []]
    columns = tables[0]["table_columns"]
    assert [column["ordinal_position"] for column in columns][:3] == [1, 2, 3]
    assert columns[0]["xdbc_type_name"].upper() == "BIGINT"
    assert columns[1]["xdbc_type_name"].upper().startswith("VARCHAR")


def test_a_tables_schema_is_given(connect, table):
    schema = connect().adbc_get_table_schema(table)
    assert schema.names[:3] == ["id", "message", "at"]
    assert schema.field("id").type == pyarrow.int64()


def test_the_server_says_what_it_is(connect):
    connection = connect()
    assert connection.adbc_get_info()["vendor_name"] == "Sluice"
    assert "TABLE" in connection.adbc_get_table_types()


def test_the_current_schema_is_the_connections_own(connect):
    one, two = connect(), connect()
    assert (one.adbc_current_catalog, one.adbc_current_db_schema) == ("sluice", "public")
    one.adbc_current_db_schema = "system"
    assert one.adbc_current_db_schema == "system"
    assert two.adbc_current_db_schema == "public"


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        ("SELEC 1", "SELEC"),
        ("SELECT no_such_column FROM {table}", "no_such_column"),
        ("SELECT * FROM no_such_table", "no_such_table"),
        ("SELECT 1; SELECT 2", "hint: send them one by one"),
    ],
)
def test_errors_are_programming_errors_that_name_the_thing(cursor, table, sql, part):
    with pytest.raises(adbc_driver_manager.ProgrammingError) as error:
        cursor.execute(sql.format(table=table))
    assert part in str(error.value)
    cursor.execute("SELECT 1")
    assert cursor.fetchone() == (1,)


def test_a_table_is_read_while_another_connection_inserts(connect, table):
    reader, writer = connect().cursor(), connect().cursor()
    reader.execute(f"SELECT t.id FROM {table} t CROSS JOIN generate_series(1, 200000)")
    for number in range(100, 105):
        writer.execute(f"INSERT INTO {table} (id) VALUES ({number})")
    assert reader.fetch_arrow_table().num_rows == 3 * 200_000
    reader.execute(f"SELECT count(*) FROM {table}")
    assert reader.fetchone() == (8,)
    reader.close()
    writer.close()


def test_the_schema_of_a_query_is_told_without_running_it(cursor):
    schema = cursor.adbc_execute_schema(f"SELECT value AS v, 'x' AS letter FROM ({ENDLESS})")
    assert schema.names == ["v", "letter"]


def test_settings_are_the_connections_own(connect):
    one, two = connect().cursor(), connect().cursor()
    one.execute("SET datafusion.execution.batch_size = 99")
    sizes = []
    for cursor in (one, two):
        cursor.execute("SHOW datafusion.execution.batch_size")
        sizes.append(cursor.fetchone()[1])
        cursor.close()
    assert sizes[0] == "99" != sizes[1]


@pytest.mark.parametrize("statement", ["BEGIN", "COMMIT", "SET search_path = public", "SET NAMES 'utf8'"])
def test_what_tools_say_at_connect_is_no_error(cursor, statement):
    cursor.execute(statement)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT id FROM {t} ORDER BY id FETCH FIRST 1 ROWS ONLY", [(1,)]),
        ("SELECT id FROM {t} ORDER BY id FETCH FIRST ROW ONLY", [(1,)]),
        ("SELECT id FROM {t} ORDER BY id OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY", [(2,)]),
        ("SELECT TOP 2 id FROM {t} ORDER BY id", [(1,), (2,)]),
        ("SELECT {{fn upper('a')}}, {{d '2026-02-05'}} = DATE '2026-02-05'", [("A", True)]),
        ("SELECT year(at), month(at), day(at) FROM {t} WHERE id = 1", [(2026, 1, 1)]),
        ("SELECT current_schema(), current_database()", [("public", "sluice")]),
        ("SELECT * FROM (SELECT id FROM {t}) AS probe WHERE 1 = 0", []),
        ("SELECT count(*) FROM information_schema.table_constraints", [(0,)]),
        (
            "SELECT ordinal_position, column_name FROM information_schema.columns"
            " WHERE table_name = '{t}' ORDER BY 1 LIMIT 2",
            [(1, "id"), (2, "message")],
        ),
    ],
)
def test_the_sql_of_tools_is_understood(cursor, table, sql, rows):
    cursor.execute(sql.format(t=table))
    assert cursor.fetchall() == rows


def test_statements_that_end_a_session_end_no_other(connect):
    one, two = connect(), connect()
    one.close()
    with two.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_a_query_is_cancelled_while_it_is_read(cursor):
    cursor.execute(ENDLESS)
    assert cursor.fetchone() == (1,)
    threading.Timer(0.2, cursor.adbc_cancel).start()
    with pytest.raises(adbc_driver_manager.Error, match="(?i)cancel"):
        while cursor.fetchmany(10_000):
            pass
    cursor.execute("SELECT 1")
    assert cursor.fetchone() == (1,)


def test_a_query_is_bounded_by_the_clients_deadline(connect):
    deadline = {"adbc.flight.sql.rpc.timeout_seconds.fetch": "0.5"}
    with connect(db_kwargs=deadline).cursor() as cursor:
        with pytest.raises(adbc_driver_manager.Error, match="(?i)deadline|timeout|cancel"):
            cursor.execute(f"SELECT count(*) FROM ({ENDLESS})")
            cursor.fetchall()


READ_PARTITION = """
import sys
import adbc_driver_flightsql.dbapi as flightsql
with flightsql.connect(sys.argv[1], autocommit=True) as db, db.cursor() as cursor:
    rows = 0
    for line in sys.stdin:
        cursor.adbc_read_partition(bytes.fromhex(line))
        rows += cursor.fetch_arrow_table().num_rows
    print(rows)
"""


def test_partitions_are_read_by_another_process(cursor, url):
    partitions, schema = cursor.adbc_execute_partitions("SELECT value FROM generate_series(1, 1000)")
    assert schema.names == ["value"]
    lines = "".join(partition.hex() + "\n" for partition in partitions)
    command = [sys.executable, "-c", READ_PARTITION, url]
    assert subprocess.run(command, input=lines, text=True, capture_output=True, check=True).stdout == "1000\n"


def test_partitions_come_while_the_query_is_planned(connect):
    """PollFlightInfo: partitions are given until there are no more."""
    with connect().cursor(adbc_stmt_kwargs={"adbc.statement.exec.incremental": "true"}) as cursor:
        rows, calls = 0, 0
        while calls < 10:
            partitions, _ = cursor.adbc_execute_partitions("SELECT value FROM generate_series(1, 1000)")
            if not partitions:
                break
            calls += 1
            with connect().cursor() as reader:
                for partition in partitions:
                    reader.adbc_read_partition(partition)
                    rows += reader.fetch_arrow_table().num_rows
        assert rows == 1000


def test_a_million_rows_arrive(cursor):
    cursor.execute("SELECT value, 'line ' || value AS line FROM generate_series(1, 1000000)")
    rows = cursor.fetch_arrow_table()
    assert rows.num_rows == 1_000_000
    assert rows.column("line")[999_999].as_py().startswith("line ")
