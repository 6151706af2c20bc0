//! The processes of a chaos run, and what is done to them.

use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::process::{Place, Process, try_ask};

const LEAVE_MAX: Duration = Duration::from_secs(30);
/// Fewer than these at the end of the chaos get company.
const SURVIVORS_MIN: usize = 2;

/// What may be done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// SIGKILL; it is started again.
    Kill,
    /// SIGSTOP, and SIGCONT later.
    Stop,
    /// SIGTERM; it is started again later.
    Leave,
    /// Started, if it is away.
    Join,
}

const DEEDS: [Deed; 4] = [Deed::Kill, Deed::Stop, Deed::Leave, Deed::Join];

enum State {
    Running(Process),
    Stopped(Process, Instant),
    Leaving(Process, Instant),
    Away(Instant),
}

struct Member {
    place: Place,
    state: State,
}

/// All processes.
pub(super) struct Members {
    members: Vec<Member>,
    random: StdRng,
    next: Instant,
    /// Each kind is done once before chance decides.
    first: Vec<Deed>,
    done: [u32; 4],
}

impl Members {
    /// Starts all but the last, which joins later.
    pub(super) fn start(folder: &Path, init: &str, count: usize, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut first = DEEDS.to_vec();
        first.shuffle(&mut random);
        let later = Instant::now() + Duration::from_secs(3600);
        let member = |number: usize| {
            let place = Place::new(folder, &format!("member-{number}"), init);
            let state = match number + 1 < count {
                true => State::Running(place.start(&[])),
                false => State::Away(later),
            };
            Member { place, state }
        };
        let mut members: Vec<Member> = (0..count).map(member).collect();
        for member in &mut members {
            if let State::Running(process) = &mut member.state {
                process.ready();
            }
        }
        Self {
            members,
            random,
            next: Instant::now() + Duration::from_secs(2),
            first,
            done: [0; 4],
        }
    }

    /// Does what is due, and now and then something new.
    pub(super) fn step(&mut self) {
        let now = Instant::now();
        let random = &mut self.random;
        for member in &mut self.members {
            member.step(now, seconds(random, 2.0, 10.0));
        }
        if now < self.next {
            return;
        }
        let deed = match self.first.last() {
            Some(deed) => *deed,
            None => DEEDS[self.random.random_range(0..DEEDS.len())],
        };
        let at = self.random.random_range(0..self.members.len());
        let time = match deed {
            Deed::Kill => seconds(&mut self.random, 0.0, 4.0),
            Deed::Stop => seconds(&mut self.random, 1.0, 15.0),
            Deed::Leave | Deed::Join => Duration::ZERO,
        };
        if self.members[at].suffer(deed, now + time) {
            self.next = now + seconds(&mut self.random, 0.3, 2.5);
            self.done[deed as usize] += 1;
            self.first.retain(|first| *first != deed);
        }
    }

    /// How many times each was done.
    pub(super) fn deeds(&self) -> String {
        let done = DEEDS
            .iter()
            .zip(self.done)
            .map(|(deed, done)| format!("{deed:?} {done}"));
        done.collect::<Vec<_>>().join(", ")
    }

    /// Rows and dead letters of `table`, as one of the running processes sees them.
    pub(super) fn count(&mut self, table: &str) -> Option<i64> {
        let running = self
            .members
            .iter_mut()
            .filter_map(|member| match &mut member.state {
                State::Running(process) => process.url().map(str::to_owned),
                _ => None,
            });
        let url = running.last()?;
        let sql = format!(
            "SELECT (SELECT count(*) FROM {table}) + (SELECT count(*) FROM {table}__dlq) AS n"
        );
        try_ask(&url, &sql).ok()?.lines().nth(1)?.parse().ok()
    }

    /// Ends the chaos: who is stopped goes on, who is leaving leaves, who is away stays away unless
    /// too few are left. Gives the address of one that runs.
    pub(super) fn calm(&mut self) -> String {
        assert!(
            self.first.is_empty(),
            "not done: {:?}; raise CHAOS_SECONDS",
            self.first
        );
        let now = Instant::now();
        let mut running = 0;
        for member in &mut self.members {
            member.calm();
            running += usize::from(matches!(member.state, State::Running(_)));
        }
        for member in &mut self.members {
            if running < SURVIVORS_MIN && member.suffer(Deed::Join, now) {
                running += 1;
            }
        }
        let mut urls = self
            .members
            .iter_mut()
            .filter_map(|member| match &mut member.state {
                State::Running(process) => Some(process.ready()),
                _ => None,
            });
        urls.next().unwrap()
    }

    /// The warnings of all logs.
    pub(super) fn complaints(&self) -> String {
        let logs = self.members.iter().map(|member| member.place.complaints());
        logs.collect::<Vec<_>>().join("\n")
    }

    /// Every process that is left ends as it should when it is asked to.
    pub(super) fn leave_in_order(self) {
        for mut member in self.members {
            if member.suffer(Deed::Leave, Instant::now()) {
                member.calm();
            }
        }
    }
}

impl Member {
    fn step(&mut self, now: Instant, away: Duration) {
        match &mut self.state {
            State::Running(process) => {
                let ended = process.ended();
                assert!(
                    ended.is_none(),
                    "it ended by itself: {ended:?}\n{}",
                    self.place.complaints()
                );
            }
            State::Stopped(process, until) if *until <= now => {
                process.signal("CONT");
                self.turn(|state| match state {
                    State::Stopped(process, _) => State::Running(process),
                    other => other,
                });
            }
            State::Leaving(process, by) => match process.ended() {
                Some(status) => {
                    assert!(
                        status.success(),
                        "it left with {status}\n{}",
                        self.place.complaints()
                    );
                    self.state = State::Away(now + away);
                }
                None => assert!(now < *by, "it does not leave\n{}", self.place.complaints()),
            },
            State::Away(until) if *until <= now => {
                self.state = State::Running(self.place.start(&[]));
            }
            _ => {}
        }
    }

    /// Whether the deed could be done.
    fn suffer(&mut self, deed: Deed, until: Instant) -> bool {
        // Before it says that it is ready it need not know what SIGTERM is.
        let ready = match &mut self.state {
            State::Running(process) => process.url().is_some(),
            _ => false,
        };
        match (&mut self.state, deed) {
            (State::Running(_) | State::Stopped(..), Deed::Kill) => self.state = State::Away(until),
            (State::Running(process), Deed::Stop) => {
                process.signal("STOP");
                self.turn(|state| match state {
                    State::Running(process) => State::Stopped(process, until),
                    other => other,
                });
            }
            (State::Running(process), Deed::Leave) if ready => {
                process.signal("TERM");
                self.turn(|state| match state {
                    State::Running(process) => State::Leaving(process, until + LEAVE_MAX),
                    other => other,
                });
            }
            (State::Away(_), Deed::Join) => self.state = State::Running(self.place.start(&[])),
            _ => return false,
        }
        true
    }

    fn calm(&mut self) {
        if let State::Stopped(_, until) = &mut self.state {
            *until = Instant::now();
        }
        if let State::Leaving(process, _) = &mut self.state {
            process.wait("it was sent SIGTERM");
        }
        let away = Duration::from_secs(3600);
        if !matches!(self.state, State::Away(_)) {
            self.step(Instant::now(), away);
        }
    }

    fn turn(&mut self, change: impl FnOnce(State) -> State) {
        let state = std::mem::replace(&mut self.state, State::Away(Instant::now()));
        self.state = change(state);
    }
}

fn seconds(random: &mut StdRng, least: f64, most: f64) -> Duration {
    Duration::from_secs_f64(random.random_range(least..most))
}
