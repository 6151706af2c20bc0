//! Every function that takes text, fed with texts made of lines, tokens and each other. Whatever
//! the text is, a function does not panic or fail, gives sound arrays, reads a row without looking
//! at its neighbours, and keeps the promises of its family.
//!
//! | file | holds |
//! |---|---|
//! | `seeds.rs`, `mutate.rs` | what texts are made of, and how |
//! | `call.rs`, `target.rs` | the functions, and what holds of their answers |
//! | `feature.rs` | what makes a case worth keeping |
//! | `feeds.rs` | files of enrichment data, as bytes |
//! | `growth.rs` | time that grows with the length, in long runs only |
//! | `minimise.rs` | the shortest case that shows a fault |
//!
//! A run is short and the same each time. For a long one, and for one as it was:
//!
//! ```text
//! FUZZ_SECONDS=600 cargo test --locked -p sluice-udfs --test it -- --nocapture fuzz::
//! FUZZ_SECONDS=600 FUZZ_SEED=17 cargo test --locked -p sluice-udfs --test it -- --nocapture fuzz::
//! ```

mod call;
mod feature;
mod feeds;
mod growth;
mod minimise;
mod mutate;
mod quiet;
mod random;
mod seeds;
mod target;

use std::env;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use call::Case;
use feature::Seen;
use minimise::minimised;
use random::Random;
use seeds::{LINES, PATTERNS};
use target::{Finding, Target};

/// Rounds of a short run, for each target.
const ROUNDS: usize = 250;
/// Cases kept for each target; then a new one takes the place of any.
const KEPT_MAX: usize = 4_000;
/// A run ends with this many faults.
const FAULTS_MAX: usize = 12;

/// How long a run lasts, and where chance begins.
#[derive(Debug, Clone, Copy)]
struct Run {
    long: Option<Duration>,
    seed: u64,
    since: Instant,
}

impl Run {
    fn new() -> Self {
        let number = |name: &str| {
            let text = env::var(name).ok()?;
            Some(text.parse::<u64>().expect("a whole number"))
        };
        let long = number("FUZZ_SECONDS").map(Duration::from_secs);
        let now = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("a clock")
                .as_secs()
        };
        let seed = number("FUZZ_SEED").unwrap_or_else(|| long.map_or(0, |_| now()));
        Self {
            long,
            seed,
            since: Instant::now(),
        }
    }

    /// The same from here on, for a share of the time.
    fn part(self, share: f64) -> Self {
        let long = self.long.map(|long| long.mul_f64(share));
        Self {
            long,
            since: Instant::now(),
            ..self
        }
    }

    /// Whether there is another round, of at `most` so many in a short run.
    fn goes_on(&self, rounds: usize, most: usize) -> bool {
        match self.long {
            None => rounds < most,
            Some(long) => self.since.elapsed() < long,
        }
    }
}

/// Texts and patterns that showed something new.
struct Corpus {
    texts: Vec<String>,
    patterns: Vec<String>,
}

impl Corpus {
    fn new() -> Self {
        let own = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        Self {
            texts: own(LINES),
            patterns: own(PATTERNS),
        }
    }

    fn case(&self, random: &mut Random, target: &Target) -> Case {
        let text = mutate::text(random, &self.texts);
        let other = match target.name {
            "patterns" => mutate::pattern(random, &self.patterns),
            _ if random.once_in(8) => mutate::pattern(random, &self.patterns),
            _ if random.once_in(2) => random.pick(&self.texts).clone(),
            _ => mutate::text(random, &self.texts),
        };
        Case { text, other }
    }

    fn keep(&mut self, random: &mut Random, case: Case, target: &Target) {
        put(random, &mut self.texts, case.text);
        if target.name == "patterns" {
            put(random, &mut self.patterns, case.other);
        }
    }
}

fn put(random: &mut Random, all: &mut Vec<String>, one: String) {
    if all.len() < KEPT_MAX {
        all.push(one);
    } else {
        let at = random.below(all.len());
        all[at] = one;
    }
}

/// Tells of a fault once: of `found` in its shortest case.
fn report(faults: &mut Vec<Finding>, seed: u64, target: &Target, case: &Case, found: Finding) {
    if faults.iter().any(|known| known.is_like(&found)) {
        return;
    }
    let shows = |case: &Case| target.check(case).is_err_and(|other| other.is_like(&found));
    let case = minimised(case, shows);
    let now = target.check(&case).err().unwrap_or_else(|| found.clone());
    println!("{} {}\n  FUZZ_SEED={seed}", now.call, now.what);
    println!("  text:  {:?}\n  other: {:?}", case.text, case.other);
    faults.push(found);
}

/// The seeds themselves, whole and cut off after some of their characters; what is cut off
/// elsewhere comes with the mutations.
fn seeds_of(target: &Target, faults: &mut Vec<Finding>, run: Run) {
    for line in LINES.iter().chain(PATTERNS) {
        // A short run leaves most places out.
        let every = if run.long.is_some() { 3 } else { 17 };
        let ends = line
            .char_indices()
            .map(|(at, _)| at)
            .step_by(every)
            .chain([line.len()]);
        for end in ends {
            let other = PATTERNS[end % PATTERNS.len()].to_owned();
            let case = Case {
                text: line[..end].to_owned(),
                other,
            };
            if let Err(found) = target.check(&case) {
                report(faults, run.seed, target, &case, found);
            }
        }
    }
}

fn fuzz(target: &Target, run: Run) -> Vec<Finding> {
    let (mut faults, mut seen, mut corpus) = (Vec::new(), Seen::default(), Corpus::new());
    let mut random = Random::new(run.seed);
    seeds_of(target, &mut faults, run);
    let mut rounds = 0;
    while run.goes_on(rounds, ROUNDS) && faults.len() < FAULTS_MAX {
        rounds += 1;
        let case = corpus.case(&mut random, target);
        match target.check(&case) {
            Ok(features) if seen.add(&features) => corpus.keep(&mut random, case, target),
            Ok(_) => {}
            Err(found) => report(&mut faults, run.seed, target, &case, found),
        }
    }
    let (kept, features) = (corpus.texts.len() - LINES.len(), seen.len());
    println!(
        "{}: {rounds} rounds, {kept} cases kept, {features} features",
        target.name
    );
    faults
}

#[test]
fn every_function_takes_every_text() {
    let run = Run::new();
    let targets = target::all();
    let mut faults = Vec::new();
    let shares = [0.45, 0.2, 0.1, 0.15, 0.1];
    for (target, share) in targets.iter().zip(shares) {
        faults.extend(fuzz(target, run.part(share)));
    }
    assert!(faults.is_empty(), "FUZZ_SEED={} {faults:#?}", run.seed);
}

#[test]
fn every_text_function_is_called() {
    let targets = target::all();
    let called = |name: &str| {
        let mut calls = targets.iter().flat_map(|target| &target.calls);
        calls.any(|call| call.name == name)
    };
    let functions = sluice_udfs::functions();
    // One takes lists; the others say who asks, or are names of other databases for what
    // DataFusion has.
    let others = [
        sluice_udfs::session::functions(),
        sluice_udfs::standard::functions(),
    ]
    .concat();
    let of_text = functions.iter().filter(|one| {
        one.name() != "pii_union" && others.iter().all(|other| other.name() != one.name())
    });
    for function in of_text {
        assert!(
            called(function.name()),
            "{} is in no target",
            function.name()
        );
    }
}
