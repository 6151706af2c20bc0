"""Who may connect: tokens, users with passwords, API keys, and TLS, as ADBC and pyarrow present them."""

import base64
import hashlib
import re

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import psycopg
import pyarrow.flight as flight
import pytest
from adbc_driver_flightsql import DatabaseOptions

import protocol
from conftest import verifier

TOKEN = "a-token-of-the-servers-own"
KEY = "sluice-key-of-a-program-0123456789abcdef"
ALICE = {"username": "alice", "password": "open sesame"}


@pytest.fixture(scope="module")
def guarded(start, certificate):
    """A server with TLS that takes a token, one user and one API key."""
    cert, key = certificate
    server = {"token": TOKEN, "tls_cert": str(cert), "tls_key": str(key), "postgres_listen": "127.0.0.1:0"}
    return start(
        {
            "server": server,
            "server.users": {"alice": verifier(ALICE["password"])},
            "server.api_keys": {"robot": "sha256:" + hashlib.sha256(KEY.encode()).hexdigest()},
        }
    )


def one(guarded, certificate, **options):
    """What SELECT 1 gives to whoever presents `options`."""
    options = {DatabaseOptions.TLS_ROOT_CERTS.value: certificate[0].read_text(), **options}
    url = guarded.url.replace("127.0.0.1", "localhost")
    with flightsql.connect(url, db_kwargs=options, autocommit=True) as db, db.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()


def header(value):
    return {DatabaseOptions.AUTHORIZATION_HEADER.value: value}


def test_a_guarded_server_says_that_it_encrypts(guarded):
    assert guarded.url.startswith("grpc+tls://")


@pytest.mark.parametrize(
    "options",
    [
        header(f"Bearer {TOKEN}"),
        {"username": "anyone", "password": TOKEN},
        ALICE,
        header("Basic " + base64.b64encode(b"alice:open sesame").decode()),
        header("Basic " + base64.b64encode(b"alice:open sesame").decode().rstrip("=")),
        header(f"Bearer {KEY}"),
        {DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + "x-api-key": KEY},
        {**ALICE, DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true"},
    ],
    ids=["token", "token as password", "user", "basic", "unpadded basic", "key", "key header", "cookie"],
)
def test_credentials_open_the_door(guarded, certificate, options):
    assert one(guarded, certificate, **options) == (1,)


@pytest.mark.parametrize(
    "options",
    [
        {},
        header("Bearer wrong"),
        header("Bearer "),
        header("Basic !!!"),
        header("nonsense"),
        {"username": "alice", "password": "wrong"},
        {"username": "nobody", "password": "open sesame"},
        {DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + "x-api-key": "wrong"},
    ],
)
def test_other_credentials_do_not(guarded, certificate, options):
    with pytest.raises(adbc_driver_manager.Error, match="(?i)unauthenticated"):
        one(guarded, certificate, **options)


def test_a_certificate_nobody_vouches_for_is_not_trusted(guarded):
    with pytest.raises(adbc_driver_manager.Error):
        with flightsql.connect(guarded.url, db_kwargs=header(f"Bearer {TOKEN}"), autocommit=True) as db:
            db.cursor().execute("SELECT 1")


def test_a_client_may_waive_the_certificate(guarded):
    options = {DatabaseOptions.TLS_SKIP_VERIFY.value: "true", **header(f"Bearer {TOKEN}")}
    with flightsql.connect(guarded.url, db_kwargs=options, autocommit=True) as db, db.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_a_client_without_tls_is_refused(guarded):
    plain = guarded.url.replace("grpc+tls", "grpc")
    with pytest.raises(adbc_driver_manager.Error):
        flightsql.connect(plain, db_kwargs=header(f"Bearer {TOKEN}"), autocommit=True).cursor().execute("SELECT 1")


def test_a_handshake_gives_a_token_that_is_good_for_calls(guarded, certificate):
    options = {"tls_root_certs": certificate[0].read_bytes()}
    url = guarded.url.replace("127.0.0.1", "localhost")
    with protocol.client(url, **options) as client:
        token = client.authenticate_basic_token(ALICE["username"], ALICE["password"])
        assert re.match(rb"(?i)authorization", token[0]) and token[1].startswith(b"Bearer ")
        call = flight.FlightCallOptions(headers=[token])
        assert protocol.rows(client, protocol.statement("SELECT 1 AS one"), call).num_rows == 1
        with pytest.raises(flight.FlightUnauthenticatedError):
            protocol.rows(client, protocol.statement("SELECT 1 AS one"))


def test_the_ticket_of_one_is_no_key_for_another(guarded, certificate):
    url = guarded.url.replace("127.0.0.1", "localhost")
    with protocol.client(url, tls_root_certs=certificate[0].read_bytes()) as client:
        alice = flight.FlightCallOptions(headers=[client.authenticate_basic_token(*ALICE.values())])
        robot = flight.FlightCallOptions(headers=[(b"authorization", b"Bearer " + KEY.encode())])
        info = client.get_flight_info(protocol.statement("SELECT 1 AS one"), alice)
        assert client.do_get(info.endpoints[0].ticket, alice).read_all().num_rows == 1
        with pytest.raises((flight.FlightUnauthenticatedError, flight.FlightUnauthorizedError)):
            client.do_get(info.endpoints[0].ticket, robot).read_all()


def postgres(guarded, user, password, sslmode="require"):
    host, port = guarded.postgres_address
    options = {"host": host, "port": port, "dbname": "sluice", "sslmode": sslmode}
    return psycopg.connect(user=user, password=password, **options)


@pytest.mark.parametrize(("user", "password"), [("alice", ALICE["password"]), ("anyone", TOKEN)])
def test_the_postgresql_door_opens_to_the_same(guarded, user, password):
    with postgres(guarded, user, password) as db:
        assert db.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("user", "password", "sslmode"),
    [
        ("alice", "wrong", "require"),
        ("alice", "", "require"),
        ("nobody", ALICE["password"], "require"),
        ("alice", ALICE["password"], "disable"),
    ],
)
def test_the_postgresql_door_is_closed_to_others(guarded, user, password, sslmode):
    with pytest.raises(psycopg.OperationalError):
        postgres(guarded, user, password, sslmode)
