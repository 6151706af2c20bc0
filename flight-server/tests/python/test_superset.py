"""Superset's engine for DataFusion, which is a dialect of SQLAlchemy 1.4."""

import os
import pathlib
import subprocess
import sys

CLIENT = pathlib.Path(__file__).with_name("superset_client.py")
PACKAGES = pathlib.Path(sys.prefix) / "superset"


def test_supersets_engine_for_datafusion(server, table):
    environment = {**os.environ, "PYTHONPATH": str(PACKAGES), "SQLALCHEMY_SILENCE_UBER_WARNING": "1"}
    command = [sys.executable, str(CLIENT), server.address, table]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.stdout == "done\n", ended.stderr
