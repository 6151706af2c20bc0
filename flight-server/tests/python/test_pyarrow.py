"""The Flight protocol as pyarrow speaks it: descriptors and tickets made by hand."""

import pyarrow
import pyarrow.flight as flight
import pytest

PREFIX = b"type.googleapis.com/arrow.flight.protocol.sql."


def field(number, value):
    """One field of a protobuf message, as bytes with their length."""
    length, size = len(value), b""
    while True:
        length, low = length >> 7, length & 0x7F
        size += bytes([low | (0x80 if length else 0)])
        if not length:
            return bytes([number << 3 | 2]) + size + value


def command(name, message=b""):
    return field(1, PREFIX + name.encode()) + field(2, message)


def statement(sql):
    return flight.FlightDescriptor.for_command(command("CommandStatementQuery", field(1, sql.encode())))


@pytest.fixture
def client(url):
    with flight.connect(url) as client:
        yield client


def test_a_statement_is_planned_then_fetched(client):
    info = client.get_flight_info(statement("SELECT 7 AS seven, 'x' AS letter"))
    assert len(info.endpoints) == 1
    assert info.endpoints[0].locations == []
    reader = client.do_get(info.endpoints[0].ticket)
    assert reader.schema == info.schema
    assert reader.read_all().to_pydict() == {"seven": [7], "letter": ["x"]}


def test_a_schema_is_given_alone(client):
    result = client.get_schema(statement("SELECT 1 AS a"))
    assert result.schema.names == ["a"]


def test_messages_stay_below_the_limit_of_small_clients(client):
    sql = "SELECT value, repeat('x', 1000) AS line FROM generate_series(1, 20000)"
    info = client.get_flight_info(statement(sql))
    rows = 0
    for chunk in client.do_get(info.endpoints[0].ticket):
        assert chunk.data.nbytes <= 4 << 20
        rows += chunk.data.num_rows
    assert rows == 20_000


def test_a_ticket_of_ones_own_is_refused(client):
    forged = command("TicketStatementQuery", field(1, b"SELECT 1"))
    with pytest.raises(pyarrow.ArrowInvalid, match="not issued by this server"):
        client.do_get(flight.Ticket(forged)).read_all()


def test_a_reader_that_leaves_leaves_the_server_well(client):
    info = client.get_flight_info(statement("SELECT * FROM generate_series(1, 1000000000000)"))
    reader = client.do_get(info.endpoints[0].ticket)
    reader.read_chunk()
    reader.cancel()
    info = client.get_flight_info(statement("SELECT 1 AS one"))
    assert client.do_get(info.endpoints[0].ticket).read_all().num_rows == 1


def test_actions_are_listed(client):
    names = {action.type for action in client.list_actions()}
    assert {"CreatePreparedStatement", "ClosePreparedStatement", "CloseSession"} <= names
