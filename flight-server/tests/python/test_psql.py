"""psql: its commands that look at the catalog, copying, cursors and errors."""

import subprocess

import pytest


@pytest.fixture
def psql(server):
    host, port = server.postgres_address

    def psql(*arguments, given=None):
        command = ["psql", "--no-psqlrc", "-h", host, "-p", str(port), "-U", "anyone", "-d", "sluice"]
        return subprocess.run([*command, *arguments], input=given, text=True, capture_output=True, timeout=60)

    return psql


@pytest.mark.parametrize(
    ("command", "part"),
    [
        (r"\l", "sluice"),
        (r"\dn", "public"),
        (r"\d", "{t}"),
        (r"\dt", "{t}"),
        (r"\dt+", "{t}"),
        (r"\dt public.*", "{t}"),
        (r"\dv", ""),
        (r"\du", ""),
        (r"\df", ""),
        (r"\di", ""),
        (r"\dx", ""),
        (r"\dp", ""),
        (r"\d {t}", "message"),
        (r"\d+ {t}", "message"),
        (r"\conninfo", "sluice"),
        (r"\timing on", ""),
        (r"\encoding", "UTF8"),
    ],
)
def test_commands_answer(psql, table, command, part):
    ended = psql("-v", "ON_ERROR_STOP=1", "-c", command.format(t=table))
    assert ended.returncode == 0, ended.stderr
    assert "ERROR" not in ended.stderr
    assert part.format(t=table) in ended.stdout


def test_rows_are_printed(psql, table):
    ended = psql("-A", "-t", "-c", f"SELECT id, message FROM {table} ORDER BY id")
    assert ended.stdout == "1|one\n2|\n3|three\n"


def test_statements_come_from_a_file(psql, tmp_path):
    script = tmp_path / "script.sql"
    script.write_text("SELECT 1 AS one;\nSELECT 2 AS two;\n")
    ended = psql("-A", "-t", "-f", str(script))
    assert ended.stdout == "1\n2\n"


def test_several_statements_are_one_message(psql):
    assert psql("-A", "-t", "-c", "SELECT 1; SELECT 2").stdout == "1\n2\n"


def test_errors_name_the_thing_and_end_no_session(psql):
    ended = psql("-A", "-t", given="SELECT * FROM no_such_table;\nSELECT 7;\n")
    assert "ERROR" in ended.stderr and "no_such_table" in ended.stderr
    assert ended.stdout == "7\n"


def test_rows_are_copied_to_a_file(psql, table, tmp_path):
    rows = tmp_path / "rows.csv"
    query = f"SELECT id, message FROM {table} ORDER BY id"
    ended = psql("-c", rf"\copy ({query}) TO '{rows}' WITH (FORMAT csv, HEADER)")
    assert ended.stdout == "COPY 3\n", ended.stderr
    assert rows.read_text() == "id,message\n1,one\n2,\n3,three\n"
    ended = psql("-c", rf"\copy {table} (id, message) TO '{rows}'")
    assert ended.returncode == 0, ended.stderr
    assert sorted(rows.read_text().splitlines()) == ["1\tone", "2\t\\N", "3\tthree"]


def test_cursors_fetch(psql, table):
    script = f"""
        BEGIN;
        DECLARE c CURSOR FOR SELECT id FROM {table} ORDER BY id;
        FETCH 2 FROM c;
        FETCH ALL FROM c;
        CLOSE c;
        COMMIT;
    """
    ended = psql("-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", given=script)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["1", "2", "3"]


def test_fetch_count_reads_in_pieces(psql):
    script = "\\set FETCH_COUNT 100\nSELECT value FROM generate_series(1, 1000);\n"
    ended = psql("-A", "-t", given=script)
    assert len(ended.stdout.splitlines()) == 1000, ended.stderr
