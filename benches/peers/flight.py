"""Reads the same Parquet files from Sluice, ROAPI, DuckDB and pyarrow's Flight server.

    flight.py write FOLDER ROWS
    flight.py measure FOLDER SLUICE_URL ROAPI_URL

`write` makes `numbers.parquet` (13 columns of fixed width) and `logs.parquet` (four columns of text)
of ROWS rows. `measure` reads each from beginning to end, from every server in turn, three rounds, and
prints "NAME TABLE ROWS_PER_SECOND MEGABYTES_PER_SECOND FIRST_BATCH_MILLISECONDS", the medians;
megabytes are those of the columns as DuckDB's reader counts them once for all, so that padding earns
nothing. Then it prints "NAME connections PER_SECOND": connect, `SELECT 1`, close.
"""

import os
import statistics
import sys
import time

import duckdb
import numpy
import pyarrow
import pyarrow.flight as flight
import pyarrow.parquet as parquet

SEED = 7
ROUNDS = 3
CONNECTIONS = 200
TABLES = ["numbers", "logs"]
PREFIX = b"type.googleapis.com/arrow.flight.protocol.sql."


def numbers(rows, random):
    columns = {
        "id": numpy.arange(rows, dtype="int64"),
        "at": (1_790_000_000_000_000 + numpy.arange(rows) * 137).astype("datetime64[us]"),
    }
    for index in range(4):
        columns[f"count_{index}"] = random.integers(0, 1 << 40, rows)
    for index in range(3):
        columns[f"code_{index}"] = random.integers(0, 1_000, rows).astype("int32")
    for index in range(4):
        columns[f"value_{index}"] = random.normal(100, 15, rows)
    return pyarrow.table(columns)


def logs(rows, random):
    services = numpy.array([f"service-{n}" for n in range(40)])
    hosts = numpy.array([f"host-{n:03}.example.com" for n in range(200)])
    levels = numpy.array(["DEBUG", "INFO", "WARN", "ERROR"])
    numbers = random.integers(0, 1 << 31, (3, rows))
    messages = [
        f"request {a:08x} took {b % 5_000} ms, user {c % 90_000} read /api/v1/accounts/{a % 1_000_000}"
        for a, b, c in zip(*numbers.tolist())
    ]
    return pyarrow.table(
        {
            "service": services[random.integers(0, len(services), rows)],
            "host": hosts[random.integers(0, len(hosts), rows)],
            "severity": levels[random.integers(0, len(levels), rows)],
            "message": messages,
        }
    )


def write(folder, rows):
    random = numpy.random.default_rng(SEED)
    for name, make in [("numbers", numbers), ("logs", logs)]:
        parquet.write_table(make(rows, random), path(folder, name), row_group_size=1 << 20, compression="zstd")


def path(folder, table):
    return os.path.join(folder, f"{table}.parquet")


def field(number, value):
    """One field of a protobuf message, as bytes with their length."""
    length, size = len(value), b""
    while True:
        length, low = length >> 7, length & 0x7F
        size += bytes([low | (0x80 if length else 0)])
        if not length:
            return bytes([number << 3 | 2]) + size + value


def statement(sql):
    message = field(1, PREFIX + b"CommandStatementQuery") + field(2, field(1, sql.encode()))
    return flight.FlightDescriptor.for_command(message)


class Reference(flight.FlightServerBase):
    """pyarrow's own server: batches that lie in memory, sent by C++."""

    def __init__(self, folder):
        super().__init__("grpc://127.0.0.1:0")
        self.tables = {name: parquet.read_table(path(folder, name)) for name in TABLES}

    def do_get(self, _context, ticket):
        return flight.RecordBatchStream(self.tables[ticket.ticket.decode()])


def by_flight_sql(url, sql):
    """The batches of `sql`, whose first is timed from before the statement is planned."""
    with flight.connect(url) as client:
        info = client.get_flight_info(statement(sql))
        for chunk in client.do_get(info.endpoints[0].ticket):
            yield chunk.data


def by_ticket(url, table):
    with flight.connect(url) as client:
        for chunk in client.do_get(flight.Ticket(table.encode())):
            yield chunk.data


def by_duckdb(folder, table):
    with duckdb.connect() as connection:
        relation = connection.sql(f"SELECT * FROM '{path(folder, table)}'")
        yield from relation.to_arrow_reader(1 << 16)


def read(batches):
    """Seconds for all batches, milliseconds to the first one that holds rows, and the rows."""
    start, first, rows = time.perf_counter(), None, 0
    for batch in batches:
        rows += batch.num_rows
        if rows and first is None:
            first = (time.perf_counter() - start) * 1e3
    return time.perf_counter() - start, first, rows


def connections(url):
    start = time.perf_counter()
    for _ in range(CONNECTIONS):
        read(by_flight_sql(url, "SELECT 1"))
    return CONNECTIONS / (time.perf_counter() - start)


def measure(folder, sluice, roapi):
    with Reference(folder) as server:
        reference = f"grpc://127.0.0.1:{server.port}"
        for table in TABLES:
            megabytes = sum(batch.nbytes for batch in by_duckdb(folder, table)) / 1e6
            expected = parquet.read_metadata(path(folder, table)).num_rows
            readers = {
                "sluice": lambda: by_flight_sql(sluice, f"SELECT * FROM {table}"),
                "roapi": lambda: by_flight_sql(roapi, f"SELECT * FROM {table}"),
                "duckdb": lambda: by_duckdb(folder, table),
                "reference": lambda: by_ticket(reference, table),
            }
            results = {name: [] for name in readers}
            for _ in range(ROUNDS):
                for name, reader in readers.items():
                    seconds, first, rows = read(reader())
                    assert rows == expected, f"{name} gave {rows} rows of {table} instead of {expected}"
                    results[name].append((rows / seconds, megabytes / seconds, first))
            for name, runs in results.items():
                rate, speed, first = (statistics.median(column) for column in zip(*runs))
                print(name, table, f"{rate:.0f} {speed:.1f} {first:.1f}", flush=True)
    for name, url in [("sluice", sluice), ("roapi", roapi)]:
        print(name, "connections", f"{connections(url):.0f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], int(sys.argv[3]))
    else:
        measure(*sys.argv[2:])
