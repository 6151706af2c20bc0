"""Parameters of prepared statements through ADBC: by position, of every type, in every place."""

import datetime
from decimal import Decimal

import adbc_driver_manager
import pytest

AT = datetime.datetime(2026, 1, 1)


@pytest.mark.parametrize(
    ("sql", "values", "rows"),
    [
        ("SELECT ? + 1", (1,), [(2,)]),
        ("SELECT $1 + $1", (2,), [(4,)]),
        ("SELECT $2 - $1", (1, 10), [(9,)]),
        ("SELECT " + ", ".join("?" * 12), tuple(range(12)), [tuple(range(12))]),
        ("SELECT id FROM {t} WHERE id IN (?, ?) ORDER BY id", (1, 3), [(1,), (3,)]),
        ("SELECT id FROM {t} ORDER BY id LIMIT ?", (2,), [(1,), (2,)]),
        ("SELECT id FROM {t} ORDER BY id LIMIT ? OFFSET ?", (1, 1), [(2,)]),
        ("SELECT id FROM {t} WHERE id BETWEEN ? AND ? ORDER BY id", (2, 3), [(2,), (3,)]),
        ("SELECT id FROM {t} WHERE message LIKE ?", ("t%",), [(3,)]),
        ("SELECT id FROM {t} WHERE at = ?", (AT,), [(1,)]),
        ("SELECT id FROM {t} WHERE at >= ?", (datetime.date(2026, 1, 1),), [(1,)]),
        ("SELECT id FROM {t} WHERE at > ? - INTERVAL '1 day'", (AT,), [(1,)]),
        ("SELECT coalesce(message, ?) FROM {t} WHERE id = 2", ("none",), [("none",)]),
        ("SELECT upper(?)", ("a",), [("A",)]),
        ("SELECT CASE WHEN id = ? THEN ? ELSE 'no' END FROM {t} ORDER BY id LIMIT 1", (1, "yes"), [("yes",)]),
        ("SELECT '?', ? -- ?\n, \"?\" FROM (SELECT 1 AS \"?\")", ("x",), [("?", "x", 1)]),
        ("SELECT CAST(? AS INT), CAST(? AS VARCHAR)", (1, "a"), [(1, "a")]),
        ("SELECT ?::BIGINT IS NULL", (None,), [(True,)]),
        ("SELECT id FROM {t} WHERE id = ?", (None,), []),
        ("SELECT ?", (True,), [(True,)]),
        ("SELECT id FROM {t} WHERE id = ?", (2.0,), [(2,)]),
        ("SELECT id FROM {t} WHERE id = ?", (Decimal("3"),), [(3,)]),
    ],
)
def test_parameters_stand_where_values_do(cursor, table, sql, values, rows):
    cursor.execute(sql.format(t=table), values)
    assert cursor.fetchall() == rows


def test_statements_are_run_again_with_other_values(cursor, table):
    for number in (1, 2, 3):
        cursor.execute(f"SELECT id FROM {table} WHERE id = ?", (number,))
        assert cursor.fetchall() == [(number,)]


@pytest.mark.parametrize("values", [(), (1,), (1, 2, 3)])
def test_a_wrong_number_of_values_is_refused(cursor, values):
    with pytest.raises(adbc_driver_manager.Error):
        cursor.execute("SELECT ? + ?", values)
        cursor.fetchall()
    cursor.execute("SELECT 1")
    assert cursor.fetchone() == (1,)


def test_a_value_of_a_wrong_type_is_refused(cursor, table):
    with pytest.raises(adbc_driver_manager.ProgrammingError):
        cursor.execute(f"SELECT id FROM {table} WHERE id = ?", ("not a number",))
        cursor.fetchall()


def test_values_are_not_sql(cursor, table):
    cursor.execute(f"SELECT count(*) FROM {table} WHERE message = ?", ("x' OR '1' = '1",))
    assert cursor.fetchone() == (0,)


def test_effects_take_parameters_of_every_type(cursor, new_name):
    name = new_name()
    cursor.execute(f"CREATE TABLE {name} (a BIGINT, b DOUBLE, c VARCHAR, d BOOLEAN, e DATE, f TIMESTAMP)")
    row = (1, 2.5, "three", True, datetime.date(2026, 2, 5), datetime.datetime(2026, 2, 5, 1, 2, 3))
    nothing = (None,) * 6
    cursor.execute(f"INSERT INTO {name} VALUES (?, ?, ?, ?, ?, ?)", row)
    cursor.executemany(f"INSERT INTO {name} VALUES (?, ?, ?, ?, ?, ?)", [row, row])
    cursor.execute(f"INSERT INTO {name} VALUES (?, ?, ?, ?, ?, ?)", nothing)
    cursor.execute(f"SELECT a, b, c, d, e, f FROM {name} ORDER BY a NULLS LAST")
    rows = [tuple(v.replace(tzinfo=None) if hasattr(v, "tzinfo") else v for v in r) for r in cursor.fetchall()]
    assert rows == [row, row, row, nothing]


def test_the_schema_of_parameters_is_told(cursor, table):
    schema = cursor.adbc_prepare(f"SELECT id FROM {table} WHERE id = ? AND message = ? LIMIT ?")
    assert len(schema) == 3
    assert all(field.nullable for field in schema)
    assert [str(kind) for kind in schema.types] == ["int64", "string", "int64"]


def test_more_than_nine_parameters_keep_their_order(cursor):
    schema = cursor.adbc_prepare("SELECT " + ", ".join(f"CAST(${n} AS BIGINT)" for n in range(1, 13)))
    assert len(schema) == 12
    cursor.execute("SELECT $10, $2, $1, $3, $4, $5, $6, $7, $8, $9", tuple(range(1, 11)))
    assert cursor.fetchone() == (10, 2, 1, 3, 4, 5, 6, 7, 8, 9)
