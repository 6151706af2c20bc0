"""The ADBC driver for Go: a program that prints a line for each check and fails when one does."""

import os
import pathlib
import subprocess

import pytest

CLIENT = pathlib.Path(os.environ["SLUICE_GO_CLIENT"])


@pytest.mark.skipif(not CLIENT.exists(), reason="SKIPPED: the Go client was not built, for Go is missing")
def test_adbc_for_go(url):
    ended = subprocess.run([CLIENT, url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180)
    assert ended.returncode == 0, ended.stdout
