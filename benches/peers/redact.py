"""Redacts the lines that the bench `redact_peers` wrote, with DuckDB and with Presidio.

    redact.py FOLDER LINES

prints "NAME MIX MEGABYTES_PER_SECOND" for DuckDB on one thread, running the chain of
`regexp_replace` of FOLDER/chain.sql over all lines, and for Presidio's analyzer over the first LINES
of them. Presidio recognises by patterns alone, for the same kinds of data: its tokenizer is spaCy's
blank one, and it only finds, which is less than to replace.
"""

import logging
import os
import sys
import time

import duckdb
import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine

ENTITIES = ["CREDIT_CARD", "US_SSN", "US_ITIN", "EMAIL_ADDRESS", "PHONE_NUMBER", "IBAN_CODE", "CRYPTO"]


class BlankEngine(SpacyNlpEngine):
    """A tokenizer without a model, so that nothing but patterns decides."""

    def __init__(self):
        super().__init__()
        self.nlp = {"en": spacy.blank("en")}


def fastest(times, work):
    """Seconds for the fastest of `times` runs."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def by_duckdb(lines, chain):
    """Seconds for the chain over all lines."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("CREATE TABLE logs (text VARCHAR)")
        connection.execute("INSERT INTO logs SELECT unnest($1)", [lines])
        query = f"SELECT sum(strlen({chain})) FROM logs"
        return fastest(3, lambda: connection.execute(query).fetchall())


def by_presidio(lines, analyzer):
    """Seconds for the analysis of the lines."""

    def analyze():
        for line in lines:
            analyzer.analyze(line, language="en", entities=ENTITIES)

    return fastest(1, analyze)


def main():
    folder, count = sys.argv[1], int(sys.argv[2])
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    # The list of domains that came with the package, so that no time is spent on fetching it.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    with open(os.path.join(folder, "chain.sql"), encoding="utf-8") as file:
        chain = file.read()
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=BlankEngine(), supported_languages=["en"])
    for mix in ["clean", "dirty"]:
        with open(os.path.join(folder, f"{mix}.txt"), encoding="utf-8") as file:
            lines = file.read().split("\n")
        megabytes = sum(len(line.encode()) for line in lines) / 1e6
        print("duckdb", mix, f"{megabytes / by_duckdb(lines, chain):.3f}", flush=True)
        sample = lines[:count]
        by_presidio(sample[:20], analyzer)
        megabytes = sum(len(line.encode()) for line in sample) / 1e6
        print("presidio", mix, f"{megabytes / by_presidio(sample, analyzer):.3f}", flush=True)


main()
