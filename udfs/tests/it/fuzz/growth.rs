//! Time that grows with the length: of texts that repeat a piece, a long one may not take much
//! longer than as many bytes in short ones. It measures, so it is part of long runs only.

use std::fs;
use std::time::{Duration, Instant};

use super::call::{Call, Case};
use super::random::Random;
use super::seeds::{LINES, PATTERNS, TOKENS};
use super::{FAULTS_MAX, Run, target};

/// The length of a short text in bytes; a long one is [`TIMES`] as long.
const LENGTH: usize = 16_384;
/// Long enough that time that is quadratic stands out from what other work of the machine adds.
const TIMES: usize = 16;
/// How many times as long a long text may take as [`TIMES`] short ones: 1 where time is linear, and
/// [`TIMES`] where it is quadratic.
const RATIO_MAX: f64 = 5.0;
/// What takes less is not worth a second look.
const FLOOR: Duration = Duration::from_millis(20);

/// A text of any length: the piece again and again between head and tail.
#[derive(Debug)]
struct Shape {
    head: String,
    piece: String,
    tail: String,
    other: String,
}

impl Shape {
    fn of_length(&self, length: usize) -> Case {
        let times = length / self.piece.len().max(1);
        let middle = self.piece.repeat(times);
        Case {
            text: format!("{}{middle}{}", self.head, self.tail),
            other: self.other.clone(),
        }
    }
}

fn piece(random: &mut Random) -> String {
    let line = *random.pick(LINES);
    let mut part = || -> String {
        if random.once_in(2) {
            return (*random.pick(TOKENS)).to_owned();
        }
        let skip = random.below(line.chars().count());
        let take = 1 + random.below(40);
        line.chars().skip(skip).take(take).collect()
    };
    let first = part();
    if random.once_in(2) {
        first
    } else {
        first + *random.pick(TOKENS)
    }
}

fn shape(random: &mut Random) -> Shape {
    let part = |random: &mut Random| {
        let whole = (*random.pick(LINES)).to_owned();
        match random.below(3) {
            0 => String::new(),
            1 => whole,
            _ => piece(random),
        }
    };
    Shape {
        head: part(random),
        piece: piece(random),
        tail: part(random),
        other: (*random.pick(PATTERNS)).to_owned(),
    }
}

/// How long `times` calls take.
fn time(call: &Call, case: &Case, times: usize) -> Duration {
    let (since, before) = (Instant::now(), busy());
    for _ in 0..times {
        // What is wrong otherwise is the other test's matter.
        let _ = call.run(&[case]);
    }
    match (before, busy()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => since.elapsed(),
    }
}

/// How long this thread has run on a core, where Linux says it: a machine that is busy makes long
/// calls wait more often than short ones.
fn busy() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// Whether a long text takes far longer than as many bytes in short ones, each measured four times.
fn is_steep(call: &Call, shape: &Shape, factor: usize) -> bool {
    let short = shape.of_length(LENGTH * factor);
    let long = shape.of_length(LENGTH * TIMES * factor);
    let (mut first, mut second) = (Duration::MAX, Duration::MAX);
    for _ in 0..4 {
        second = second.min(time(call, &long, 1));
        if second < FLOOR {
            return false;
        }
        first = first.min(time(call, &short, TIMES));
        if second.as_secs_f64() < RATIO_MAX * first.as_secs_f64() {
            return false;
        }
    }
    true
}

#[test]
fn time_grows_with_the_length() {
    let run = Run::new();
    let mut random = Random::new(run.seed ^ 1);
    let calls: Vec<Call> = target::all()
        .into_iter()
        .flat_map(|target| target.calls)
        .collect();
    let (mut rounds, mut faults) = (0, Vec::new());
    // Nothing is measured in a short run: the hostile texts of the properties stand there.
    while run.goes_on(rounds, 0) && faults.len() < FAULTS_MAX {
        rounds += 1;
        let shape = shape(&mut random);
        if shape.piece.is_empty() {
            continue;
        }
        let call = random.pick(&calls);
        if faults.iter().all(|(name, _)| *name != call.name)
            && is_steep(call, &shape, 1)
            && is_steep(call, &shape, 2)
        {
            println!("FUZZ_SEED={} {} {shape:?}", run.seed, call.shown());
            faults.push((call.name, shape));
        }
    }
    println!("growth: {rounds} rounds");
    assert!(faults.is_empty(), "FUZZ_SEED={} {faults:#?}", run.seed);
}
