"""Many clients, slow clients and clients that vanish."""

import concurrent.futures
import resource
import subprocess
import sys
import time

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow.flight as flight
import pytest

import protocol

CONNECTIONS = 1_000
# Text of which each batch is made anew, so that nothing of it can be shared.
LINES = "SELECT value, repeat('x', 1000) || value AS line FROM generate_series(1, 100000000)"
ENDLESS = "SELECT count(*) FROM generate_series(1, 1000000000000)"
GROWTH = 256 << 20


@pytest.fixture(scope="module")
def many_files():
    """Handles for a thousand connections, in this process and in the server, which inherits the limit."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, files)


@pytest.fixture(scope="module")
def own(start, many_files):
    """A server that no other test uses, for its memory and its queries are watched."""
    server = start({"server": {"metrics_listen": "127.0.0.1:0"}})
    with flightsql.connect(server.url, autocommit=True) as db, db.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM generate_series(1, 1000000)")
        cursor.fetchall()
    return server


def running(server):
    """How many queries the server runs."""
    return server.gauges()["sluice_queries_running"]


def await_running(server, wanted, seconds):
    """Waits until so many queries run; true if they do in time."""
    deadline = time.monotonic() + seconds
    while running(server) != wanted:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_thousand_connections_run_queries_at_the_same_time(own):
    """All are open at once, and so are their results, before the first of them is read."""
    apart = [("grpc.use_local_subchannel_pool", 1)]
    clients = [protocol.client(own.url, generic_options=apart) for _ in range(CONNECTIONS)]
    sql = "SELECT {} + value AS n FROM generate_series(1, 3) ORDER BY n"

    def plan(number):
        info = clients[number].get_flight_info(protocol.statement(sql.format(number)))
        return info.endpoints[0].ticket

    def read(number, reader):
        return reader.read_all().column("n").to_pylist() == [number + value for value in (1, 2, 3)]

    with concurrent.futures.ThreadPoolExecutor(50) as threads:
        for _ in range(2):
            tickets = list(threads.map(plan, range(CONNECTIONS)))
            readers = list(threads.map(lambda client, ticket: client.do_get(ticket), clients, tickets))
            assert own.gauges()['sluice_connections{protocol="flight"}'] >= CONNECTIONS
            assert all(threads.map(read, range(CONNECTIONS), readers))
        list(threads.map(lambda client: client.close(), clients))
    assert await_running(own, 0, 5)


def test_a_slow_client_costs_no_memory(own):
    """A reader that stops while the query could give 100 GB more."""
    before = own.resident()
    with protocol.client(own.url) as client:
        info = client.get_flight_info(protocol.statement(LINES))
        reader = client.do_get(info.endpoints[0].ticket)
        peak = 0
        for _ in range(20):
            reader.read_chunk()
            time.sleep(0.1)
            peak = max(peak, own.resident())
        reader.cancel()
    assert peak - before < GROWTH, f"grew by {(peak - before) >> 20} MiB"


READ = """
import sys
import adbc_driver_flightsql.dbapi as flightsql
db = flightsql.connect(sys.argv[1], autocommit=True)
cursor = db.cursor()
cursor.execute(sys.argv[2])
reader = cursor.fetch_record_batch()
print("reading", flush=True)
for batch in reader:
    pass
"""


@pytest.mark.parametrize("query", [LINES, ENDLESS], ids=["while rows flow", "before the first row"])
def test_a_client_that_vanishes_frees_its_query(own, query):
    assert await_running(own, 0, 5)
    command = [sys.executable, "-c", READ, own.url, query]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        if query is LINES:
            assert client.stdout.readline() == "reading\n"
        assert await_running(own, 1, 10)
    finally:
        client.kill()
    assert await_running(own, 0, 1), "the query runs a second after its client is gone"
    client.wait()
    client.stdout.close()


def test_a_client_that_cancels_frees_its_query(own):
    with protocol.client(own.url) as client:
        info = client.get_flight_info(protocol.statement(LINES))
        reader = client.do_get(info.endpoints[0].ticket)
        reader.read_chunk()
        assert await_running(own, 1, 5)
        reader.cancel()
        assert await_running(own, 0, 1)


def test_a_client_past_its_deadline_frees_its_query(own):
    with protocol.client(own.url) as client:
        ticket = client.get_flight_info(protocol.statement(ENDLESS)).endpoints[0].ticket
        with pytest.raises(flight.FlightTimedOutError):
            client.do_get(ticket, flight.FlightCallOptions(timeout=0.5)).read_all()
        assert await_running(own, 0, 1)
