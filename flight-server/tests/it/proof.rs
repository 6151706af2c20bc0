//! The proof in SQL that every record of a [`crate::feeder::Feeder`] is in the table once or in the
//! dead letters once, as it was sent.

use std::collections::BTreeMap;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use crate::cli::{output, text};
use crate::feeder::{REST, STRIDE, is_bad};
use crate::process::{ask, try_ask};

const STEP: Duration = Duration::from_millis(100);

/// What was sent, and where it must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'a> {
    /// The target; its dead letters are in `<table>__dlq`.
    pub(crate) table: &'a str,
    /// Records of each partition.
    pub(crate) records: &'a [i64],
    /// One in so many cannot be decoded.
    pub(crate) bad_every: i64,
}

/// What a table holds of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Held {
    rows: i64,
    offsets: i64,
    /// Rows that are what the record at their offset says, and belong into this table.
    correct: i64,
    /// One past the greatest offset.
    end: i64,
}

impl Sent<'_> {
    /// What is not as it must be, a line for each partition and table; empty when all is.
    pub(crate) fn faults(&self, url: &str) -> Vec<String> {
        let (rows, letters) = (self.rows(url), self.dead_letters(url));
        let mut faults = Vec::new();
        for (part, sent) in self.partitions() {
            let bad = self.bad(part, sent);
            for (place, held, wanted) in [
                ("table", &rows, sent - bad),
                ("dead letters", &letters, bad),
            ] {
                let held = held.get(&part).copied().unwrap_or_default();
                let right = (held.rows, held.offsets, held.correct) == (wanted, wanted, wanted);
                if !right || held.end > sent {
                    faults.push(format!(
                        "partition {part}, {place}: {wanted} of {sent}, not {held:?}"
                    ));
                }
            }
        }
        for part in rows.keys().chain(letters.keys()) {
            if usize::try_from(*part).is_ok_and(|part| part >= self.records.len()) {
                faults.push(format!("partition {part} was never fed"));
            }
        }
        faults
    }

    /// How many records are stored, and the partitions that lack some. Asks a server that may be
    /// on its way out, so no answer is no progress.
    pub(crate) fn progress(&self, url: &str) -> (i64, Vec<String>) {
        let sql = format!(
            "SELECT _partition, count(*) FROM (SELECT _partition FROM {0} UNION ALL \
             SELECT _partition FROM {0}__dlq) AS held GROUP BY _partition",
            self.table
        );
        let answer = try_ask(url, &sql).unwrap_or_default();
        let held: BTreeMap<i64, i64> = numbers(&answer).map(|row| (row[0], row[1])).collect();
        let behind = self.partitions().filter_map(|(part, sent)| {
            let held = held.get(&i64::from(part)).copied().unwrap_or_default();
            (held < sent).then(|| format!("partition {part} has {held} of {sent}"))
        });
        (held.values().sum(), behind.collect())
    }

    /// Waits until everything is stored; gives the time it took.
    ///
    /// # Panics
    /// When nothing moves for `patience`, naming the partitions that stand still.
    pub(crate) fn wait(
        &self,
        url: &str,
        patience: Duration,
        complaints: &dyn Fn() -> String,
    ) -> Duration {
        let began = Instant::now();
        let (mut most, mut moved) = (-1, began);
        loop {
            let (held, behind) = self.progress(url);
            if behind.is_empty() {
                return began.elapsed();
            }
            if held > most {
                (most, moved) = (held, Instant::now());
            }
            assert!(
                moved.elapsed() < patience,
                "stands still for {patience:?}: {behind:#?}\n{}",
                complaints()
            );
            park_timeout(STEP);
        }
    }

    /// Everything is there once and right, and the table's own commits prove it to the last record.
    ///
    /// # Panics
    /// When it is not.
    pub(crate) fn prove(&self, url: &str) {
        let faults = self.faults(url);
        assert!(faults.is_empty(), "{faults:#?}");
        let verified = output(&["verify", self.table, "--url", url, "--format", "csv"]);
        let proof = text(&verified.stdout);
        assert!(
            verified.status.success(),
            "{proof}{}",
            text(&verified.stderr)
        );
        let mut next = BTreeMap::new();
        let mut lines = proof.lines();
        let head: Vec<&str> = lines.next().unwrap().split(',').collect();
        let place = |name| head.iter().position(|column| *column == name).unwrap();
        for line in lines {
            let fields: Vec<&str> = line.split(',').collect();
            let number = |name| fields[place(name)].parse::<i64>().unwrap();
            next.insert(number("partition"), number("next"));
        }
        let wanted = self
            .partitions()
            .map(|(part, sent)| (i64::from(part), sent));
        assert_eq!(
            next,
            wanted.collect(),
            "committed offsets and ends of partitions"
        );
    }

    fn partitions(&self) -> impl Iterator<Item = (i32, i64)> {
        (0..).zip(self.records.iter().copied())
    }

    fn bad(&self, part: i32, sent: i64) -> i64 {
        let bad = (0..sent).filter(|seq| is_bad(part, *seq, self.bad_every));
        i64::try_from(bad.count()).unwrap()
    }

    fn rows(&self, url: &str) -> BTreeMap<i32, Held> {
        let correct = format!(
            "part = _partition AND seq = _offset AND id = {STRIDE} * _partition + _offset \
             AND text = concat('line ', {STRIDE} * _partition + _offset, '{REST}') \
             AND (_offset + _partition) % {} <> 1",
            self.bad_every
        );
        held(url, self.table, &correct)
    }

    fn dead_letters(&self, url: &str) -> BTreeMap<i32, Held> {
        let correct = format!(
            "arrow_cast(raw, 'Utf8') = concat('{{\"id\":', {STRIDE} * _partition + _offset, \
             ',\"part\":', _partition, ',\"seq\":', _offset) \
             AND (_offset + _partition) % {} = 1",
            self.bad_every
        );
        held(url, &format!("{}__dlq", self.table), &correct)
    }
}

fn held(url: &str, table: &str, correct: &str) -> BTreeMap<i32, Held> {
    let sql = format!(
        "SELECT _partition, count(*), count(DISTINCT _offset), \
         count(*) FILTER (WHERE {correct}), max(_offset) + 1 FROM {table} GROUP BY _partition"
    );
    let answer = ask(url, &sql);
    let held = numbers(&answer).map(|row| {
        let [part, rows, offsets, correct, end] = row[..] else {
            panic!("five columns: {row:?}")
        };
        let held = Held {
            rows,
            offsets,
            correct,
            end,
        };
        (i32::try_from(part).unwrap(), held)
    });
    held.collect()
}

/// The rows of an answer in CSV that is all numbers.
fn numbers(answer: &str) -> impl Iterator<Item = Vec<i64>> {
    let row = |line: &str| {
        line.split(',')
            .map(|field| field.parse().unwrap())
            .collect()
    };
    answer.lines().skip(1).map(row)
}
