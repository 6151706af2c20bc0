"""Servers to talk to: the binary at SLUICE_BIN, started for the tests on free ports of loopback.

One server without credentials serves most tests; `start` starts others with settings of their own.
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import queue
import re
import subprocess
import threading
import urllib.request
import uuid

import adbc_driver_flightsql.dbapi as flightsql
import pytest

READY_SECONDS = 60
END_SECONDS = 30


class Server:
    """A running server: `url`, `postgres` and `metrics` are its addresses, None where it has none."""

    def __init__(self, directory, settings, environment=None):
        self.directory = pathlib.Path(directory)
        config = self.directory / "sluice.toml"
        config.write_text(settings)
        self.log = self.directory / "server.log"
        command = [os.environ["SLUICE_BIN"], "serve", "--listen", "127.0.0.1:0"]
        command += ["--data", str(self.directory / "data"), "--config", str(config)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **(environment or {})},
            )
        addresses = self._ready()
        self.url = addresses.get("flight")
        self.postgres = addresses.get("postgres")
        self.metrics = addresses.get("metrics")

    @property
    def pid(self):
        return self.process.pid

    @property
    def address(self):
        """HOST:PORT of Flight."""
        return self.url.split("://")[1]

    @property
    def postgres_address(self):
        """Host and port of PostgreSQL."""
        host, port = re.search(r"([\w.]+):(\d+)", self.postgres).groups()
        return host, int(port)

    def _ready(self):
        """The addresses in the line that says when the server serves."""
        lines = queue.Queue()

        def read():
            for line in self.process.stdout:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        while True:
            line = lines.get(timeout=READY_SECONDS)
            assert line is not None, f"the server ended before it was ready:\n{self.log.read_text()}"
            if line.startswith("ready "):
                return dict(word.split("=", 1) for word in line.split()[1:])

    def gauges(self):
        """What /metrics says, by name with labels."""
        address = self.metrics.removeprefix("http://").split("/")[0]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def resident(self):
        """Bytes of memory the process holds."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10

    def end(self):
        """Asks the server to end, and holds that it ended well."""
        self.process.terminate()
        assert self.process.wait(END_SECONDS) == 0, self.log.read_text()


def verifier(password, iterations=4096):
    """A password as the server keeps it: a verifier of SCRAM-SHA-256 in PostgreSQL's form."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt, stored, server = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt}${stored}:{server}"


def toml(sections):
    """Settings, by section and key, as a TOML file."""
    lines = []
    for section, settings in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server without credentials that most tests share, with all its doors open."""
    open_doors = {"postgres_listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0"}
    server = Server(tmp_path_factory.mktemp("server"), toml({"server": open_doors}))
    yield server
    server.end()


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts servers with settings of their own, which end with the module's tests."""
    started = []

    def start(sections, environment=None):
        server = Server(tmp_path_factory.mktemp("server"), toml(sections), environment)
        started.append(server)
        return server

    yield start
    for server in started:
        server.end()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """PEM files of a certificate for localhost and 127.0.0.1 and of its key."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    openssl = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    openssl += ["-subj", "/CN=localhost", "-addext", names, "-keyout", str(key), "-out", str(cert)]
    subprocess.run(openssl, check=True, capture_output=True)
    return cert, key


@pytest.fixture(scope="session")
def url(server):
    return server.url


@pytest.fixture
def connect(url):
    """Opens connections, which end with the test."""
    opened = []

    def connect(url=url, **options):
        connection = flightsql.connect(url, autocommit=True, **options)
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


@pytest.fixture
def new_name(cursor):
    """Names of tables that the test will make, and which go with it."""
    names = []

    def name():
        names.append(f"n_{uuid.uuid4().hex}")
        return names[-1]

    yield name
    for made in names:
        cursor.execute(f"DROP TABLE IF EXISTS {made}")
