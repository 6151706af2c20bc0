"""Arrow data stored in bulk through ADBC, in each of its modes."""

import adbc_driver_manager
import pyarrow as pa
import pytest

ROWS = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "message": ["one", None, "three"]})


def count(cursor, name):
    cursor.execute(f"SELECT count(*) FROM {name}")
    return cursor.fetchone()[0]


def test_create_makes_a_table_and_refuses_one_that_exists(cursor, new_name):
    name = new_name()
    assert cursor.adbc_ingest(name, ROWS, mode="create") in (-1, 3)
    cursor.execute(f"SELECT id, message FROM {name} ORDER BY id")
    assert cursor.fetch_arrow_table().to_pydict() == ROWS.to_pydict()
    with pytest.raises(adbc_driver_manager.Error, match=name):
        cursor.adbc_ingest(name, ROWS, mode="create")
    assert count(cursor, name) == 3


def test_append_adds_to_a_table_and_refuses_one_that_is_missing(cursor, new_name):
    name = new_name()
    with pytest.raises(adbc_driver_manager.Error, match=name):
        cursor.adbc_ingest(name, ROWS, mode="append")
    cursor.adbc_ingest(name, ROWS, mode="create")
    cursor.adbc_ingest(name, ROWS, mode="append")
    assert count(cursor, name) == 6


def test_create_append_does_either(cursor, new_name):
    name = new_name()
    for rows in (3, 6):
        cursor.adbc_ingest(name, ROWS, mode="create_append")
        assert count(cursor, name) == rows


def test_replace_leaves_the_new_rows_alone(cursor, new_name):
    name = new_name()
    cursor.adbc_ingest(name, ROWS, mode="replace")
    other = pa.table({"other": ["only"]})
    cursor.adbc_ingest(name, other, mode="replace")
    cursor.execute(f"SELECT other FROM {name}")
    assert cursor.fetchall() == [("only",)]


def test_columns_find_their_places_by_name(cursor, new_name):
    name = new_name()
    cursor.adbc_ingest(name, ROWS, mode="create")
    cursor.adbc_ingest(name, ROWS.select(["message", "id"]), mode="append")
    cursor.execute(f"SELECT count(*) FROM {name} WHERE message = 'three' AND id = 3")
    assert cursor.fetchone() == (2,)


def test_a_column_the_table_lacks_is_refused_by_name(cursor, new_name):
    name = new_name()
    cursor.adbc_ingest(name, ROWS, mode="create")
    with pytest.raises(adbc_driver_manager.Error, match="unheard_of"):
        cursor.adbc_ingest(name, ROWS.append_column("unheard_of", pa.array([1, 2, 3])), mode="append")
    assert count(cursor, name) == 3


def test_a_million_rows_and_large_messages_are_stored(cursor, new_name):
    name, size = new_name(), 1_000_000
    rows = pa.table({"id": pa.array(range(size), pa.int64()), "line": pa.array(["x" * 40] * size)})
    # The driver sends at most 16 MiB in a message; servers by default take a quarter of that.
    batches = rows.to_batches(max_chunksize=250_000)
    assert batches[0].nbytes > 12 << 20
    cursor.adbc_ingest(name, pa.RecordBatchReader.from_batches(rows.schema, batches), mode="create")
    cursor.execute(f"SELECT count(*), sum(id), min(length(line)) FROM {name}")
    assert cursor.fetchone() == (size, size * (size - 1) // 2, 40)


def test_a_stream_of_batches_is_stored_as_one(cursor, new_name):
    name = new_name()
    batches = ROWS.to_batches() * 50
    cursor.adbc_ingest(name, pa.RecordBatchReader.from_batches(ROWS.schema, batches), mode="create")
    assert count(cursor, name) == 150


def test_a_batch_without_rows_still_makes_a_table(cursor, new_name):
    """Of a stream without any batch the driver sends nothing, not even the table's name."""
    name = new_name()
    empty = [pa.RecordBatch.from_pylist([], ROWS.schema)]
    cursor.adbc_ingest(name, pa.RecordBatchReader.from_batches(ROWS.schema, empty), mode="create")
    assert count(cursor, name) == 0


def test_a_schema_is_named(cursor, new_name):
    name = new_name()
    cursor.adbc_ingest(name, ROWS, mode="create", db_schema_name="public")
    assert count(cursor, f"public.{name}") == 3
