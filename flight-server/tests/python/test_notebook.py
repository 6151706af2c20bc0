"""What notebooks use: SQLAlchemy, its cells of SQL, and the shipped notebook run without a screen."""

import os
import pathlib
import subprocess
import sys

import nbformat
import pandas
import pytest
import sqlalchemy

NOTEBOOK = pathlib.Path(__file__).parents[3] / "docs" / "notebooks" / "logs.ipynb"


@pytest.fixture
def dsn(server):
    return f"adbc+flightsql://{server.address}/?tls=false"


@pytest.fixture
def engine(dsn):
    engine = sqlalchemy.create_engine(dsn, isolation_level=None)
    yield engine
    engine.dispose()


def test_sqlalchemy_queries(engine, table):
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
        query = sqlalchemy.text(f"SELECT message FROM {table} WHERE id = :id")
        assert connection.execute(query, {"id": 3}).scalar() == "three"


def test_sqlalchemy_makes_queries_of_expressions(engine, table):
    columns = sqlalchemy.column("id"), sqlalchemy.column("message")
    logs = sqlalchemy.table(table, *columns)
    query = sqlalchemy.select(logs.c.id).where(logs.c.message.is_not(None)).order_by(logs.c.id).limit(1)
    with engine.connect() as connection:
        assert connection.execute(query).all() == [(1,)]
        assert connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(logs)).scalar() == 3


def test_sqlalchemy_looks_at_tables(engine, table):
    inspector = sqlalchemy.inspect(engine)
    assert {"public", "system"} <= set(inspector.get_schema_names())
    assert inspector.has_table(table, schema="public")
    columns = inspector.get_columns(table, schema="public")
    assert [column["name"] for column in columns][:3] == ["id", "message", "at"]
    reflected = sqlalchemy.Table(table, sqlalchemy.MetaData(), schema="public", autoload_with=engine)
    with engine.connect() as connection:
        assert len(connection.execute(sqlalchemy.select(reflected.c.id)).all()) == 3


def test_pandas_reads_through_sqlalchemy(engine, table):
    with engine.connect() as connection:
        frame = pandas.read_sql(sqlalchemy.text(f"SELECT id FROM {table} ORDER BY id"), connection)
    assert frame["id"].tolist() == [1, 2, 3]


CELLS = """
%load_ext sql
%config SqlMagic.displaylimit = 5
%sql {dsn}
result = %sql SELECT id, message FROM {table} ORDER BY id
assert [row[0] for row in result] == [1, 2, 3], result
frame = result.DataFrame()
assert list(frame.columns) == ["id", "message"]
"""


def test_cells_of_sql_run(dsn, table, tmp_path):
    code = CELLS.format(dsn=dsn, table=table).strip()
    run(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), tmp_path)


def test_the_shipped_notebook_queries_and_plots(server, tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    done = run(notebook, tmp_path, SLUICE_URL=server.url)
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)


def run(notebook, directory, **environment):
    """Executes a notebook as `jupyter nbconvert` does and returns it with its outputs."""
    given, done = directory / "given.ipynb", directory / "done.ipynb"
    nbformat.write(notebook, given)
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--output", str(done), str(given)]
    # The kernel must be this Python, whatever others are registered on the machine.
    home = {"JUPYTER_PLATFORM_DIRS": "1", "HOME": str(directory), "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    ended = subprocess.run(command, env={**os.environ, **home, **environment}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return nbformat.read(done, as_version=4)
