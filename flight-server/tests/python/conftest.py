"""A server to talk to: the one at SLUICE_URL, or else the binary at SLUICE_BIN started for the tests."""

import os
import queue
import subprocess
import threading
import uuid

import adbc_driver_flightsql.dbapi as flightsql
import pytest

READY = "ready flight="
READY_SECONDS = 60
END_SECONDS = 30


def _address(process):
    """The address in the line that says when the server serves."""
    lines = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        line = lines.get(timeout=READY_SECONDS)
        assert line is not None, "the server ended before it was ready"
        if line.startswith(READY):
            return line.strip().removeprefix(READY)


@pytest.fixture(scope="session")
def url(tmp_path_factory):
    given = os.environ.get("SLUICE_URL")
    if given:
        yield given
        return
    data = tmp_path_factory.mktemp("data")
    command = [os.environ["SLUICE_BIN"], "serve", "--listen", "127.0.0.1:0", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield _address(process)
        process.terminate()
        assert process.wait(END_SECONDS) == 0


@pytest.fixture
def connect(url):
    """Opens connections, which end with the test."""
    opened = []

    def connect():
        connection = flightsql.connect(url, autocommit=True)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def cursor(connect):
    with connect().cursor() as cursor:
        yield cursor


@pytest.fixture
def table(cursor):
    """The name of a new table with three rows."""
    name = f"t_{uuid.uuid4().hex}"
    cursor.execute(f"CREATE TABLE {name} (id BIGINT, message VARCHAR, at TIMESTAMP)")
    cursor.execute(
        f"INSERT INTO {name} VALUES (1, 'one', '2026-01-01T00:00:00'), (2, NULL, NULL), (3, 'three', NULL)"
    )
    yield name
    cursor.execute(f"DROP TABLE {name}")
