"""The Flight protocol as pyarrow speaks it: descriptors and tickets made by hand."""

import pathlib
import time

import pyarrow
import pyarrow.flight as flight
import pytest

import protocol
from protocol import command, field, fields, statement

KEY = "a key of tickets which two servers share, for this test only"
REFUSED = (pyarrow.ArrowInvalid, flight.FlightUnauthenticatedError, flight.FlightUnauthorizedError)


@pytest.fixture
def client(url):
    with protocol.client(url) as client:
        yield client


def ticket(client, sql):
    return client.get_flight_info(statement(sql)).endpoints[0].ticket


def test_a_statement_is_planned_then_fetched(client):
    info = client.get_flight_info(statement("SELECT 7 AS seven, 'x' AS letter"))
    assert len(info.endpoints) == 1
    assert info.endpoints[0].locations == []
    reader = client.do_get(info.endpoints[0].ticket)
    assert reader.schema == info.schema
    assert reader.read_all().to_pydict() == {"seven": [7], "letter": ["x"]}


def test_a_ticket_is_good_for_several_reads(client):
    seven = ticket(client, "SELECT 7 AS seven")
    assert [client.do_get(seven).read_all().to_pydict() for _ in range(2)] == [{"seven": [7]}] * 2


def test_messages_stay_below_the_limit_of_small_clients(client):
    sql = "SELECT value, repeat('x', 1000) AS line FROM generate_series(1, 20000)"
    rows = 0
    for chunk in client.do_get(ticket(client, sql)):
        assert chunk.data.nbytes <= 4 << 20
        rows += chunk.data.num_rows
    assert rows == 20_000


def test_a_ticket_of_ones_own_is_refused(client):
    forged = command("TicketStatementQuery", field(1, b"SELECT 1"))
    with pytest.raises(pyarrow.ArrowInvalid, match="not issued by this server"):
        client.do_get(flight.Ticket(forged)).read_all()


def test_a_ticket_with_a_flipped_bit_is_refused(client):
    """Each byte of the handle in turn: its envelope names the message and is no secret."""
    good = ticket(client, "SELECT 1 AS one").ticket
    ((_, name), (_, message)) = fields(good)
    ((_, handle),) = fields(message)
    for at in range(len(handle)):
        flipped = bytearray(handle)
        flipped[at] ^= 1 << at % 8
        forged = field(1, name) + field(2, field(1, bytes(flipped)))
        with pytest.raises(REFUSED):
            client.do_get(flight.Ticket(forged)).read_all()
    assert client.do_get(flight.Ticket(good)).read_all().num_rows == 1


@pytest.mark.parametrize("noise", [b"", b"\x00", b"\xff" * 100, b"SELECT 1", field(1, b"x")])
def test_noise_for_a_ticket_is_refused(client, noise):
    with pytest.raises((pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError)):
        client.do_get(flight.Ticket(noise)).read_all()


@pytest.mark.parametrize("path", ["x", ""])
def test_a_path_is_no_statement(client, path):
    with pytest.raises((pyarrow.ArrowInvalid, pyarrow.ArrowKeyError, pyarrow.ArrowNotImplementedError)):
        client.get_flight_info(flight.FlightDescriptor.for_path(path))


def test_servers_with_one_key_take_each_others_tickets(start):
    """What one server planned another streams."""
    settings = {"server": {"ticket_key": "${env:TICKET_KEY}"}}
    one, two = (start(settings, {"TICKET_KEY": KEY}) for _ in range(2))
    with protocol.client(one.url) as first, protocol.client(two.url) as second:
        planned = ticket(first, "SELECT 7 AS seven")
        assert second.do_get(planned).read_all().to_pydict() == {"seven": [7]}


def test_servers_without_a_key_refuse_each_others_tickets(client, start):
    other = start({})
    with protocol.client(other.url) as second, pytest.raises(REFUSED):
        second.do_get(ticket(client, "SELECT 7 AS seven")).read_all()


def test_tickets_say_when_they_expire(client):
    endpoint = client.get_flight_info(statement("SELECT 1 AS one")).endpoints[0]
    assert endpoint.expiration_time.as_py().timestamp() > time.time()


def test_a_reader_that_leaves_leaves_the_server_well(client):
    reader = client.do_get(ticket(client, "SELECT * FROM generate_series(1, 1000000000000)"))
    reader.read_chunk()
    reader.cancel()
    assert client.do_get(ticket(client, "SELECT 1 AS one")).read_all().num_rows == 1


def test_a_query_that_was_planned_can_be_cancelled(client):
    info = client.get_flight_info(statement("SELECT * FROM generate_series(1, 1000000000000)"))
    reader = client.do_get(info.endpoints[0].ticket)
    reader.read_chunk()
    (answer,) = protocol.action(client, "CancelFlightInfo", field(1, info.serialize()))
    assert fields(answer) == [(1, 1)], "the status is: cancelled"
    with pytest.raises((flight.FlightCancelledError, pyarrow.ArrowCancelled)):
        while True:
            reader.read_chunk()


def test_actions_are_listed(client):
    names = {action.type for action in client.list_actions()}
    assert {
        "CreatePreparedStatement",
        "ClosePreparedStatement",
        "CancelFlightInfo",
        "SetSessionOptions",
        "GetSessionOptions",
        "CloseSession",
    } <= names


def test_an_unknown_prepared_statement_is_closed_without_an_error(client):
    body = command("ActionClosePreparedStatementRequest", field(1, b"nobody's"))
    assert protocol.action(client, "ClosePreparedStatement", body) in ([], [b""])


def test_statements_with_effects_run_once_however_often_their_ticket_is_read(client, cursor, table):
    counted = ticket(client, f"INSERT INTO {table} (id) VALUES (4)")
    for _ in range(2):
        client.do_get(counted).read_all()
    cursor.execute(f"SELECT count(*) FROM {table} WHERE id = 4")
    assert cursor.fetchone() == (1,)


def test_compressed_batches_are_sent_to_whoever_asks(client):
    sql = "SELECT value, 'the same line' AS line FROM generate_series(1, 10000)"
    for codec in (b"lz4", b"zstd"):
        options = flight.FlightCallOptions(headers=[(b"x-sluice-compression", codec)])
        assert protocol.rows(client, statement(sql), options).num_rows == 10_000


def test_a_query_split_over_several_endpoints_is_whole(client):
    options = flight.FlightCallOptions(headers=[(b"x-sluice-endpoints", b"4")])
    info = client.get_flight_info(statement("SELECT value FROM generate_series(1, 100000)"), options)
    parts = [client.do_get(end.ticket, options).read_all() for end in info.endpoints]
    values = pyarrow.concat_tables(parts).column("value").to_pylist()
    assert sorted(values) == list(range(1, 100_001))


METADATA = {
    "CommandGetCatalogs": (b"", "catalog_name"),
    "CommandGetDbSchemas": (b"", "catalog_name? db_schema_name"),
    "CommandGetTables": (b"", "catalog_name? db_schema_name? table_name table_type"),
    "CommandGetTableTypes": (b"", "table_type"),
    "CommandGetPrimaryKeys": (
        field(3, b"logs"),
        "catalog_name? db_schema_name? table_name column_name key_sequence key_name?",
    ),
    "CommandGetImportedKeys": (field(3, b"logs"), None),
    "CommandGetExportedKeys": (field(3, b"logs"), None),
    "CommandGetCrossReference": (field(3, b"logs") + field(6, b"logs"), None),
    "CommandGetXdbcTypeInfo": (b"", None),
    "CommandGetSqlInfo": (b"", "info_name value?"),
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_is_announced_as_it_is_streamed(client, name):
    message, wanted = METADATA[name]
    info = client.get_flight_info(protocol.descriptor(name, message))
    rows = client.do_get(info.endpoints[0].ticket).read_all()
    assert rows.schema.equals(info.schema)
    if wanted is not None:
        found = {f"{f.name}?" if f.nullable else f.name for f in rows.schema}
        assert {word.rstrip("?") for word in wanted.split()} == {f.rstrip("?") for f in found}
        if name != "CommandGetSqlInfo":
            assert set(wanted.split()) == found


def test_every_fact_of_the_server_is_told(client):
    rows = protocol.rows(client, protocol.descriptor("CommandGetSqlInfo"))
    facts = dict(zip(rows.column("info_name").to_pylist(), rows.column("value").to_pylist()))
    codes = set(range(0, 12)) | {100, 101} | set(range(500, 577))
    assert codes <= facts.keys()
    assert (facts[0], facts[4], facts[504], facts[9], facts[10]) == ("Sluice", True, '"', True, True)
    some = protocol.rows(client, protocol.descriptor("CommandGetSqlInfo", field(1, b"\x00\xf8\x03")))
    assert some.column("info_name").to_pylist() == [0, 504]


def test_tables_carry_their_columns_types_by_name(client, table):
    message = field(3, table.encode()) + field(5, 1)
    rows = protocol.rows(client, protocol.descriptor("CommandGetTables", message)).to_pylist()
    schema = pyarrow.ipc.read_schema(pyarrow.BufferReader(rows[0]["table_schema"]))
    names = [f.metadata[b"ARROW:FLIGHT:SQL:TYPE_NAME"].decode() for f in schema]
    assert [name.split("(")[0].upper() for name in names][:2] == ["BIGINT", "VARCHAR"]


def test_a_header_of_thirty_kilobytes_is_taken(client):
    options = flight.FlightCallOptions(headers=[(b"x-trace", b"t" * 30_000)])
    assert protocol.rows(client, statement("SELECT 1 AS one"), options).num_rows == 1


@pytest.mark.parametrize("depth", [300, 1_000, 30_000])
def test_deep_expressions_end_no_session_but_their_own(client, depth):
    for sql in ("SELECT " + "+".join(["1"] * depth), "SELECT 1 WHERE " + " OR ".join(["1 = 2"] * depth)):
        try:
            protocol.rows(client, statement(sql + " AS n" if "WHERE" not in sql else sql))
        except pyarrow.ArrowInvalid as refused:
            assert "hint" in str(refused) or "limit" in str(refused)
    assert protocol.rows(client, statement("SELECT 1 AS one")).num_rows == 1


def test_an_answer_to_an_action_of_no_name_is_an_error(client):
    with pytest.raises((pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError)):
        protocol.action(client, "NoSuchAction", b"")


def test_the_bare_protocols_example_in_the_documentation_works(client, url):
    page = pathlib.Path(__file__).parents[3] / "docs" / "clients.md"
    example = page.read_text().split("## Python, pyarrow.flight")[1].split("```python")[1].split("```")[0]
    example = example.replace("grpc://127.0.0.1:50051", url)
    example = example.replace("FROM logs", "FROM (SELECT 'web' AS source)")
    exec(compile(example, str(page), "exec"), {})
