"""Each Arrow type as ADBC receives it: the value, and a type on the wire that every client can read."""

import datetime
from decimal import Decimal

import adbc_driver_manager
import pyarrow as pa
import pytest

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 2, 5, 12, 30, 15)

VALUES = [
    ("arrow_cast(-1, 'Int8')", pa.int8(), -1),
    ("arrow_cast(-1, 'Int16')", pa.int16(), -1),
    ("arrow_cast(-1, 'Int32')", pa.int32(), -1),
    ("9223372036854775807", pa.int64(), 2**63 - 1),
    ("arrow_cast(255, 'UInt8')", pa.uint8(), 255),
    ("arrow_cast(65535, 'UInt16')", pa.uint16(), 65535),
    ("arrow_cast(4294967295, 'UInt32')", pa.uint32(), 2**32 - 1),
    ("arrow_cast('18446744073709551615', 'UInt64')", pa.uint64(), 2**64 - 1),
    ("arrow_cast(1.5, 'Float16')", pa.float32(), 1.5),
    ("arrow_cast(1.5, 'Float32')", pa.float32(), 1.5),
    ("1.5e0", pa.float64(), 1.5),
    ("true", pa.bool_(), True),
    ("'grün'", pa.string(), "grün"),
    ("arrow_cast('v', 'Utf8View')", pa.string(), "v"),
    ("arrow_cast('l', 'LargeUtf8')", pa.string(), "l"),
    ("arrow_cast('d', 'Dictionary(Int32, Utf8)')", pa.string(), "d"),
    ("arrow_cast('ab', 'Binary')", pa.binary(), b"ab"),
    ("arrow_cast('ab', 'LargeBinary')", pa.binary(), b"ab"),
    ("arrow_cast(arrow_cast('ab', 'Binary'), 'BinaryView')", pa.binary(), b"ab"),
    ("arrow_cast(1.25, 'Decimal32(5, 2)')", pa.decimal128(5, 2), Decimal("1.25")),
    ("arrow_cast(1.25, 'Decimal64(10, 2)')", pa.decimal128(10, 2), Decimal("1.25")),
    ("arrow_cast(1.25, 'Decimal128(20, 2)')", pa.decimal128(20, 2), Decimal("1.25")),
    ("arrow_cast(1.25, 'Decimal256(50, 2)')", None, Decimal("1.25")),
    ("DATE '2026-02-05'", pa.date32(), datetime.date(2026, 2, 5)),
    ("arrow_cast(DATE '2026-02-05', 'Date64')", pa.date32(), datetime.date(2026, 2, 5)),
    ("TIME '12:30:15'", None, datetime.time(12, 30, 15)),
    ("arrow_cast(TIME '12:30:15', 'Time32(Second)')", None, datetime.time(12, 30, 15)),
    ("arrow_cast('2026-02-05T12:30:15', 'Timestamp(Second, None)')", None, NOON),
    ("arrow_cast('2026-02-05T12:30:15', 'Timestamp(Millisecond, None)')", None, NOON),
    ("arrow_cast('2026-02-05T12:30:15', 'Timestamp(Microsecond, None)')", None, NOON),
    ("arrow_cast('2026-02-05T12:30:15', 'Timestamp(Nanosecond, None)')", None, NOON),
    (
        "arrow_cast('2026-02-05T12:30:15Z', 'Timestamp(Microsecond, Some(\"UTC\"))')",
        pa.timestamp("us", "UTC"),
        NOON.replace(tzinfo=UTC),
    ),
    ("arrow_cast(3, 'Duration(Second)')", pa.duration("s"), datetime.timedelta(seconds=3)),
    ("INTERVAL '1 month 2 days'", pa.month_day_nano_interval(), pa.MonthDayNano([1, 2, 0])),
    ("NULL", pa.string(), None),
    ("[1, 2, NULL]", pa.list_(pa.int64()), [1, 2, None]),
    ("arrow_cast([1, 2], 'LargeList(Int64)')", pa.list_(pa.int64()), [1, 2]),
    ("arrow_cast([1.5, 2.5], 'FixedSizeList(2, Float32)')", pa.list_(pa.float32(), 2), [1.5, 2.5]),
    ("['x', arrow_cast('y', 'Utf8View')]", pa.list_(pa.string()), ["x", "y"]),
    ("named_struct('a', 1, 'b', 'x')", None, {"a": 1, "b": "x"}),
    ("MAP {'k': 1}", None, [("k", 1)]),
]


@pytest.mark.parametrize(("sql", "wire", "value"), VALUES, ids=[sql for sql, _, _ in VALUES])
def test_values_arrive_as_they_are(cursor, sql, wire, value):
    cursor.execute(f"SELECT {sql} AS v")
    rows = cursor.fetch_arrow_table()
    got = rows.column("v")[0].as_py()
    assert (got.to_pydatetime() if hasattr(got, "to_pydatetime") else got) == value
    if wire is not None:
        assert plain(rows.schema.field("v").type) == plain(wire)


def plain(kind):
    """A type without the names and the nullability of list items."""
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(plain(kind.value_type), kind.list_size)
    return pa.list_(plain(kind.value_type)) if pa.types.is_list(kind) else kind


def test_columns_become_data_frames(cursor, table):
    cursor.execute(f"SELECT id, message, at FROM {table} ORDER BY id")
    frame = cursor.fetch_df()
    assert list(frame["id"]) == [1, 2, 3]
    assert frame["at"][0].isoformat().startswith("2026-01-01T00:00:00")
    assert frame["at"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize("size", [100, 10_000, 1_000_000, 3_000_000])
def test_long_texts_arrive(cursor, size):
    cursor.execute(f"SELECT repeat('x', {size}) AS text FROM generate_series(1, 3)")
    assert [len(text) for (text,) in cursor.fetchall()] == [size] * 3


def test_a_row_larger_than_a_message_names_its_column(cursor):
    nine = "repeat('x', 9000000)"
    cursor.execute(f"SELECT 1 AS small, {nine} || {nine} AS enormous")
    with pytest.raises(adbc_driver_manager.Error, match="enormous"):
        cursor.fetchall()


def test_a_thousand_columns_arrive(cursor):
    cursor.execute("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(1000)))
    assert cursor.fetchone() == tuple(range(1000))


def test_columns_may_share_a_name(cursor):
    cursor.execute("SELECT a.v, b.v FROM (SELECT 1 AS v) a CROSS JOIN (SELECT 2 AS v) b")
    assert cursor.fetchall() == [(1, 2)]
    assert [column[0] for column in cursor.description] == ["v", "v"]
