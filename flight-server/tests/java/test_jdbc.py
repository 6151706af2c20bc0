"""The JDBC drivers: Java programs that print a line for each check and fail when one does."""

import os
import pathlib
import subprocess

import pytest

from conftest import verifier

HERE = pathlib.Path(__file__).parent
# The heap is small, so that a driver which collects a large result fails.
JAVA = ["java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC"]
JAVA += ["--add-opens=java.base/java.nio=ALL-UNNAMED"]
SECONDS = 240


@pytest.fixture(scope="session")
def classes(tmp_path_factory):
    directory = tmp_path_factory.mktemp("classes")
    sources = map(str, sorted(HERE.glob("*.java")))
    subprocess.run(["javac", "-Xlint:all", "-Werror", "-d", str(directory), *sources], check=True)
    return directory


@pytest.fixture
def run(classes):
    def run(program, driver, *arguments):
        jars = pathlib.Path(os.environ["SLUICE_JARS"])
        (jar,) = jars.glob(f"{driver}-*.jar")
        command = [*JAVA, "-cp", f"{classes}{os.pathsep}{jar}", program, *map(str, arguments)]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS)
        assert ended.returncode == 0, "\n".join(ended.stdout.splitlines()[-60:]) or ended.stderr
        assert " passed, 0 failed" in ended.stdout

    return run


def test_flight_sql_jdbc(run, server):
    run("FlightJdbc", "flight-sql-jdbc-driver", server.address)


def test_flight_sql_jdbc_with_tls_and_credentials(run, start, certificate):
    cert, key = certificate
    token, user, password = "a-token-of-the-servers-own", "alice", "open sesame"
    settings = {"token": token, "tls_cert": str(cert), "tls_key": str(key)}
    guarded = start({"server": settings, "server.users": {user: verifier(password)}})
    address = guarded.address.replace("127.0.0.1", "localhost")
    run("FlightJdbcAuth", "flight-sql-jdbc-driver", address, cert, token, user, password)


def test_postgresql_jdbc(run, server, cursor):
    cursor.execute("CREATE TABLE jdbc_postgres (id BIGINT, message VARCHAR, at TIMESTAMP)")
    cursor.execute(
        "INSERT INTO jdbc_postgres VALUES (1, 'one', '2026-02-05T12:30:15'), (2, NULL, NULL), (3, 'three', NULL)"
    )
    run("PostgresJdbc", "postgresql", "{}:{}".format(*server.postgres_address))
    cursor.execute("DROP TABLE jdbc_postgres")
