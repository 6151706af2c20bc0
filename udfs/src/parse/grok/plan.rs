//! The steps by which a plan reads a text, and their machine.
//!
//! The machine finds what a backtracking regex engine finds first, or says that it does not know.
//! It knows as long as every step has one way only. A step that takes the first of several ways
//! makes the rest uncertain: when that fails, another way might have fitted, and the text is left
//! to a regex engine. So the machine looks at most a few times at a byte.

use memchr::memmem::{Finder, FinderRev};
use regex_automata::dfa::{Automaton, dense};
use regex_automata::{Anchored, Input};

use super::bytes::ByteSet;

/// How often a text may take another way before it is given up.
const TURNS_MAX: u32 = 64;

/// A class of characters.
#[derive(Debug)]
pub(super) struct Run {
    /// The bytes of its characters.
    pub(super) set: ByteSet,
    /// Its characters that are not ASCII.
    pub(super) high: Vec<(char, char)>,
}

impl Run {
    /// The length of the character at `at`, 0 if it is not of the class.
    fn one(&self, text: &str, at: usize) -> usize {
        match text.as_bytes().get(at) {
            Some(byte) if byte.is_ascii() => usize::from(self.set.contains(*byte)),
            Some(_) => self.high(text, at),
            None => 0,
        }
    }

    fn high(&self, text: &str, at: usize) -> usize {
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else {
            return 0;
        };
        let found = self.high.binary_search_by(|(first, last)| {
            if *last < c {
                std::cmp::Ordering::Less
            } else if *first > c {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        });
        found.map_or(0, |_| c.len_utf8())
    }

    /// Where the characters of the class from `at` on end.
    fn end(&self, text: &str, mut at: usize) -> usize {
        let bytes = text.as_bytes();
        while let Some(byte) = bytes.get(at) {
            let length = match byte.is_ascii() {
                true => usize::from(self.set.contains(*byte)),
                false if self.high.is_empty() => 0,
                false => self.high(text, at),
            };
            if length == 0 {
                break;
            }
            at += length;
        }
        at
    }
}

/// One step.
#[derive(Debug)]
pub(super) enum Step {
    /// These bytes stand here.
    Literal(Box<[u8]>),
    /// One character of the class.
    One(Run),
    /// As many characters of the class as there are.
    Run {
        /// The class.
        run: Run,
        /// How many at least, 0 or 1.
        least: u32,
        /// No other end can fit.
        sure: bool,
    },
    /// The bytes of the set, which must be what the automaton reads to their end.
    Span {
        /// The bytes.
        set: ByteSet,
        /// What they must be.
        automaton: Box<dense::DFA<Vec<u32>>>,
    },
    /// What the automaton reads first; nothing follows.
    Tail(Box<dense::DFA<Vec<u32>>>),
    /// Everything up to the first place of the literal that follows.
    Until(Box<Finder<'static>>),
    /// Everything up to the last place of the literal that follows.
    UntilLast(Box<FinderRev<'static>>),
    /// Everything up to the first byte that may follow.
    UntilByte(ByteSet),
    /// Everything.
    Rest,
    /// The text begins here.
    Start,
    /// The text ends here.
    End,
    /// A word begins or ends here.
    Boundary {
        /// Only ASCII makes words.
        ascii: bool,
    },
    /// A group begins or ends here.
    Save(usize),
    /// Go on at the first of these steps from which the rest fits.
    Split(Vec<usize>),
    /// Go on at this step.
    Jump(usize),
    /// The text is read.
    Match,
}

/// What a plan finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// The text matches from its start; the groups are set.
    Match,
    /// It does not match from its start.
    None,
    /// A regex engine must tell.
    Unknown,
}

/// The steps of one expression.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
}

/// A way that was not taken yet.
#[derive(Debug, Clone, Copy)]
struct Way {
    step: usize,
    choice: usize,
    at: usize,
    undo: usize,
    guesses: u32,
}

/// The memory of the machine, kept from text to text.
#[derive(Debug, Default)]
pub(super) struct Machine {
    ways: Vec<Way>,
    undo: Vec<(usize, Option<usize>)>,
}

enum Outcome {
    At(usize),
    Fail,
    Unknown,
}

impl Plan {
    /// Reads `text`, which has no line break, from its start. Group `g` is left in
    /// `groups[2 * g]` and `groups[2 * g + 1]`.
    pub(super) fn read(
        &self,
        machine: &mut Machine,
        text: &str,
        groups: &mut [Option<usize>],
    ) -> Finding {
        machine.ways.clear();
        machine.undo.clear();
        groups.fill(None);
        let (mut step, mut at, mut guesses, mut turns) = (0, 0, 0_u32, 0_u32);
        loop {
            let outcome = match self.steps.get(step) {
                None => return Finding::Unknown,
                Some(Step::Match) => return Finding::Match,
                Some(Step::Jump(to)) => {
                    step = *to;
                    continue;
                }
                Some(Step::Split(ways)) => {
                    let Some(first) = ways.first() else {
                        return Finding::Unknown;
                    };
                    let undo = machine.undo.len();
                    let way = Way {
                        step,
                        choice: 1,
                        at,
                        undo,
                        guesses,
                    };
                    machine.ways.push(way);
                    step = *first;
                    continue;
                }
                Some(Step::Save(slot)) => {
                    if let Some(place) = groups.get_mut(*slot) {
                        machine.undo.push((*slot, *place));
                        *place = Some(at);
                    }
                    Outcome::At(at)
                }
                Some(other) => {
                    guesses += u32::from(other.guesses());
                    other.take(text, at)
                }
            };
            match outcome {
                Outcome::At(end) => {
                    at = end;
                    step += 1;
                }
                Outcome::Unknown => return Finding::Unknown,
                Outcome::Fail => {
                    turns += 1;
                    let Some(way) = self.turn(machine, groups) else {
                        return match guesses {
                            0 => Finding::None,
                            _ => Finding::Unknown,
                        };
                    };
                    // A guess made since then had other ways, which come before this one.
                    if guesses > way.guesses || turns > TURNS_MAX {
                        return Finding::Unknown;
                    }
                    (step, at) = (way.step, way.at);
                }
            }
        }
    }

    /// Goes back to the last place with another way.
    fn turn(&self, machine: &mut Machine, groups: &mut [Option<usize>]) -> Option<Way> {
        loop {
            let way = machine.ways.pop()?;
            let Some(Step::Split(ways)) = self.steps.get(way.step) else {
                continue;
            };
            let Some(next) = ways.get(way.choice).copied() else {
                continue;
            };
            for (slot, before) in machine.undo.drain(way.undo..).rev() {
                if let Some(place) = groups.get_mut(slot) {
                    *place = before;
                }
            }
            let choice = way.choice + 1;
            if choice < ways.len() {
                machine.ways.push(Way { choice, ..way });
            }
            return Some(Way { step: next, ..way });
        }
    }
}

impl Step {
    /// Whether the step takes one of several ways.
    fn guesses(&self) -> bool {
        match self {
            Self::Run { sure, .. } => !sure,
            Self::Until(_) | Self::UntilLast(_) | Self::UntilByte(_) => true,
            _ => false,
        }
    }

    fn take(&self, text: &str, at: usize) -> Outcome {
        let bytes = text.as_bytes();
        let rest = bytes.get(at..).unwrap_or_default();
        let found = match self {
            Self::Literal(literal) => rest.starts_with(literal).then_some(at + literal.len()),
            Self::One(run) => Some(run.one(text, at))
                .filter(|length| *length > 0)
                .map(|n| at + n),
            Self::Run { run, least, .. } => {
                Some(run.end(text, at)).filter(|end| *least == 0 || *end > at)
            }
            Self::Span { set, automaton } => {
                let end = at + set.run(bytes, at);
                return match read(automaton, text, at, end) {
                    Ok(Some(read)) if read == end => Outcome::At(end),
                    Ok(_) => Outcome::Fail,
                    Err(()) => Outcome::Unknown,
                };
            }
            Self::Tail(automaton) => match read(automaton, text, at, text.len()) {
                Ok(end) => end,
                Err(()) => return Outcome::Unknown,
            },
            Self::Until(finder) => finder.find(rest).map(|length| at + length),
            Self::UntilLast(finder) => finder.rfind(rest).map(|length| at + length),
            Self::UntilByte(set) => rest
                .iter()
                .position(|byte| set.contains(*byte))
                .map(|length| at + length),
            Self::Rest => Some(text.len()),
            Self::Start => (at == 0).then_some(at),
            Self::End => (at == text.len()).then_some(at),
            Self::Boundary { ascii } => match boundary(bytes, at, *ascii) {
                Some(stands) => stands.then_some(at),
                None => return Outcome::Unknown,
            },
            Self::Save(_) | Self::Split(_) | Self::Jump(_) | Self::Match => None,
        };
        found.map_or(Outcome::Fail, Outcome::At)
    }
}

/// Where what `automaton` reads between `at` and `end` ends.
fn read(
    automaton: &dense::DFA<Vec<u32>>,
    text: &str,
    at: usize,
    end: usize,
) -> Result<Option<usize>, ()> {
    let input = Input::new(text).range(at..end).anchored(Anchored::Yes);
    let half = automaton.try_search_fwd(&input).map_err(|_| ())?;
    Ok(half.map(|half| half.offset()))
}

/// Whether a word begins or ends at `at`; `None` where it takes more than ASCII to tell.
fn boundary(bytes: &[u8], at: usize, ascii: bool) -> Option<bool> {
    let side = |byte: Option<&u8>| match byte {
        Some(byte) if !byte.is_ascii() && !ascii => None,
        Some(byte) => Some(byte.is_ascii_alphanumeric() || *byte == b'_'),
        None => Some(false),
    };
    let before = at.checked_sub(1).and_then(|at| bytes.get(at));
    Some(side(before)? != side(bytes.get(at))?)
}
