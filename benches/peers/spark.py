"""Drains a topic of a real Kafka into Delta with PySpark Structured Streaming, as `drain` does.

    spark.py BROKER TOPIC EVENTS JARS FOLDER plain|regexp_replace

drains twice in one session, each time from the first record to the last into a new table: cold (a
new JVM) and warm. `regexp_replace` calls that function five times on the message. JARS is a folder
with Spark's Kafka source and Delta for Spark. Prints a line "NAME-cold EVENTS_PER_SECOND", and the
same for warm.
"""

import os
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

SCHEMA = (
    "timestamp TIMESTAMP, severity STRING, source STRING, message STRING, host STRING, "
    "service_version STRING, trace_id STRING, user_id STRING, latency_ms DOUBLE, status BIGINT"
)

# Card numbers, social security numbers, mail addresses, telephone numbers and secrets.
PATTERNS = [
    (r"\b(?:\d{4}[ -]?){3}(\d{4})\b", "xxxx-xxxx-xxxx-$1"),
    (r"\b\d{3}-\d{2}-(\d{4})\b", "xxx-xx-$1"),
    (r"\b([A-Za-z0-9._%+-]{1,4})[A-Za-z0-9._%+-]*@([A-Za-z0-9.-]+\.[A-Za-z]{2,})\b", "$1***@$2"),
    (r"(?:\+?1[ .-]?)?\(?\b[2-9]\d{2}\)?[ .-]\d{3}[ .-](\d{4})\b", "xxx-xxx-$1"),
    (r"(?i)((?:password|passwd|pwd|secret|token|api_?key)\"?\s*[=:]\s*\"?)[^\s\"&,;}]+", "$1"),
]


def session(jars, folder):
    """Two threads, as many as the machine of the published figures has cores."""
    paths = [os.path.join(jars, name) for name in sorted(os.listdir(jars)) if name.endswith(".jar")]
    settings = {
        "spark.jars": ",".join(paths),
        "spark.driver.memory": "3g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": folder,
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[2]").appName("drain")
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def drain(spark, broker, topic, events, folder, patterns):
    """Seconds for one drain of the whole topic; the number of rows is checked."""
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", broker)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .load()
    )
    event = f.from_json(f.col("value").cast("string"), SCHEMA).alias("event")
    rows = records.select(event, "topic", "partition", "offset", f.col("timestamp").alias("kafka_ts"))
    rows = rows.select("event.*", "topic", "partition", "offset", "kafka_ts")
    message = f.col("message")
    for pattern, mask in patterns:
        message = f.regexp_replace(message, pattern, mask)
    rows = rows.withColumn("message", message)
    began = time.monotonic()
    query = (
        rows.writeStream.format("delta")
        .option("checkpointLocation", os.path.join(folder, "checkpoint"))
        .trigger(availableNow=True)
        .start(os.path.join(folder, "table"))
    )
    query.awaitTermination()
    took = time.monotonic() - began
    stored = spark.read.format("delta").load(os.path.join(folder, "table")).count()
    if stored != events:
        sys.exit(f"spark stored {stored} of {events} events")
    return took


def main():
    broker, topic, events, jars, folder, name = sys.argv[1:]
    events, patterns = int(events), PATTERNS if name == "regexp_replace" else []
    spark = session(jars, folder)
    for heat in ["cold", "warm"]:
        place = os.path.join(folder, f"{name}-{heat}")
        took = drain(spark, broker, topic, events, place, patterns)
        print(f"{name}-{heat} {events / took:.0f}", flush=True)
    spark.stop()


main()
