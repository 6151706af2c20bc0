//! An expression as a [`Plan`], where it has one: literals that must stand where the last step
//! ended, and between them runs whose end is forced, because what follows cannot begin with a byte
//! of theirs. Such a run is found by its bytes and then read by an automaton of its own.
//!
//! An expression without a plan is no fault: it is left to the regex engines.

use memchr::memmem::{Finder, FinderRev};
use regex_automata::MatchKind;
use regex_automata::dfa::{StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::look::Look as Assertion;
use regex_syntax::hir::{Class, Dot, Hir, HirKind, Look, Repetition};

use super::bytes::{self, Follow};
use super::plan::{Plan, Run, Step};

/// The largest automaton of one run, and the most that making it may take, in bytes.
const AUTOMATON_MAX: usize = 1 << 20;
const DETERMINIZE_MAX: usize = 4 << 20;
/// The most steps of a plan.
const STEPS_MAX: usize = 400;

/// The plan of `hir`, whose captures are numbered from 1; `None` where it has none.
pub(super) fn compile(hir: &Hir) -> Option<Plan> {
    let mut compiler = Compiler { steps: Vec::new() };
    compiler.sequence(std::slice::from_ref(hir), &Follow::FREE, None)?;
    compiler.emit(Step::Match)?;
    Some(Plan {
        steps: compiler.steps,
    })
}

struct Compiler {
    steps: Vec<Step>,
}

impl Compiler {
    fn emit(&mut self, step: Step) -> Option<usize> {
        if self.steps.len() >= STEPS_MAX {
            return None;
        }
        self.steps.push(step);
        Some(self.steps.len() - 1)
    }

    fn sequence(&mut self, parts: &[Hir], after: &Follow, then: Option<&[u8]>) -> Option<()> {
        for (at, part) in parts.iter().enumerate() {
            let rest = parts.get(at + 1..).unwrap_or_default();
            let follow = rest
                .iter()
                .rev()
                .fold(*after, |after, part| bytes::before(part, &after));
            let next = match rest.first() {
                Some(next) => leading_literal(next),
                None => then,
            };
            self.part(part, &follow, next)?;
        }
        Some(())
    }

    fn part(&mut self, hir: &Hir, follow: &Follow, next: Option<&[u8]>) -> Option<()> {
        match hir.kind() {
            HirKind::Empty => Some(()),
            HirKind::Literal(literal) => {
                self.emit(Step::Literal(literal.0.clone()))?;
                Some(())
            }
            HirKind::Capture(capture) => {
                let group = usize::try_from(capture.index).ok()?;
                self.emit(Step::Save(2 * group))?;
                self.part(&capture.sub, follow, next)?;
                self.emit(Step::Save(2 * group + 1))?;
                Some(())
            }
            HirKind::Look(look) => self.look(*look),
            HirKind::Class(class) => {
                self.emit(Step::One(run(class)))?;
                Some(())
            }
            _ if has_captures(hir) => self.choices(hir, follow, next),
            HirKind::Repetition(repetition) => match self.repetition(repetition, follow, next) {
                Some(()) => Some(()),
                None => self
                    .span(hir, follow)
                    .or_else(|| self.choices(hir, follow, next)),
            },
            _ => self
                .span(hir, follow)
                .or_else(|| self.choices(hir, follow, next)),
        }
    }

    fn look(&mut self, look: Look) -> Option<()> {
        let step = match look {
            Look::Start => Step::Start,
            Look::End => Step::End,
            Look::WordAscii => Step::Boundary { ascii: true },
            Look::WordUnicode => Step::Boundary { ascii: false },
            _ => return None,
        };
        self.emit(step).map(|_| ())
    }

    /// Repetitions of one class of characters.
    fn repetition(
        &mut self,
        repetition: &Repetition,
        follow: &Follow,
        next: Option<&[u8]>,
    ) -> Option<()> {
        let HirKind::Class(class) = repetition.sub.kind() else {
            return None;
        };
        if repetition.max.is_some() || repetition.min > 1 {
            return None;
        }
        let least = repetition.min;
        let any = *repetition.sub == Hir::dot(Dot::AnyCharExceptLF);
        let set = bytes::of_class(class);
        let step = if follow.excludes(&set) {
            // The end is where the class ends, greedy or not.
            Step::Run {
                run: run(class),
                least,
                sure: true,
            }
        } else if any && least == 0 {
            self.anything(repetition.greedy, follow, next)?
        } else if repetition.greedy {
            // The longest run comes first; where the rest does not fit it, shorter ones might.
            let sure = follow.always;
            Step::Run {
                run: run(class),
                least,
                sure,
            }
        } else {
            return None;
        };
        self.emit(step).map(|_| ())
    }

    /// `.*` and `.*?`.
    fn anything(&self, greedy: bool, follow: &Follow, next: Option<&[u8]>) -> Option<Step> {
        Some(match (greedy, next) {
            (true, _) if follow.always => Step::Rest,
            (false, _) if follow.free => return None,
            (false, Some(next)) => Step::Until(Box::new(Finder::new(next).into_owned())),
            (false, None) if !follow.end => Step::UntilByte(follow.bytes),
            (true, Some(next)) if !follow.free => {
                Step::UntilLast(Box::new(FinderRev::new(next).into_owned()))
            }
            _ => return None,
        })
    }

    /// A part that is read by an automaton of its own.
    fn span(&mut self, hir: &Hir, follow: &Follow) -> Option<()> {
        let set = bytes::of(hir);
        let last = follow.always;
        let kind = match last {
            true => MatchKind::LeftmostFirst,
            false if follow.excludes(&set) => MatchKind::All,
            false => return None,
        };
        let automaton = Box::new(automaton(hir, kind)?);
        let step = match last {
            true => Step::Tail(automaton),
            false => Step::Span { set, automaton },
        };
        self.emit(step).map(|_| ())
    }

    /// A part that is read one way or another, the first way first.
    fn choices(&mut self, hir: &Hir, follow: &Follow, next: Option<&[u8]>) -> Option<()> {
        match hir.kind() {
            HirKind::Concat(parts) => self.sequence(parts, follow, next),
            HirKind::Alternation(parts) => {
                let split = self.emit(Step::Split(Vec::new()))?;
                let (mut ways, mut jumps) = (Vec::new(), Vec::new());
                for part in parts {
                    ways.push(self.steps.len());
                    self.part(part, follow, next)?;
                    jumps.push(self.emit(Step::Jump(0))?);
                }
                self.set(split, Step::Split(ways));
                let end = self.steps.len();
                jumps
                    .into_iter()
                    .for_each(|jump| self.set(jump, Step::Jump(end)));
                Some(())
            }
            HirKind::Repetition(repetition) if repetition.min == 0 && repetition.max == Some(1) => {
                let split = self.emit(Step::Split(Vec::new()))?;
                let with = self.steps.len();
                self.part(&repetition.sub, follow, next)?;
                let without = self.steps.len();
                let ways = match repetition.greedy {
                    true => vec![with, without],
                    false => vec![without, with],
                };
                self.set(split, Step::Split(ways));
                Some(())
            }
            _ => None,
        }
    }

    fn set(&mut self, at: usize, step: Step) {
        if let Some(place) = self.steps.get_mut(at) {
            *place = step;
        }
    }
}

/// What every match of `hir` begins with.
fn leading_literal(hir: &Hir) -> Option<&[u8]> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(&literal.0),
        HirKind::Capture(capture) => leading_literal(&capture.sub),
        HirKind::Concat(parts) => leading_literal(parts.first()?),
        _ => None,
    }
}

fn has_captures(hir: &Hir) -> bool {
    hir.properties().explicit_captures_len() > 0
}

fn run(class: &Class) -> Run {
    let set = bytes::of_class(class);
    let high = match class {
        Class::Unicode(class) => {
            let ranges = class
                .ranges()
                .iter()
                .filter(|range| !range.end().is_ascii());
            ranges.map(|range| (range.start(), range.end())).collect()
        }
        Class::Bytes(_) => Vec::new(),
    };
    Run { set, high }
}

/// An automaton that reads `hir` from where it is put.
fn automaton(hir: &Hir, kind: MatchKind) -> Option<dense::DFA<Vec<u32>>> {
    let nfa = thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .which_captures(WhichCaptures::None)
                .nfa_size_limit(Some(AUTOMATON_MAX)),
        )
        .build_from_hir(hir)
        .ok()?;
    // Words of other scripts are left to the engines that know them.
    let words = nfa.look_set_any().contains(Assertion::WordUnicode);
    let config = dense::Config::new()
        .match_kind(kind)
        .start_kind(StartKind::Anchored)
        .unicode_word_boundary(words)
        .dfa_size_limit(Some(AUTOMATON_MAX))
        .determinize_size_limit(Some(DETERMINIZE_MAX));
    dense::Builder::new()
        .configure(config)
        .build_from_nfa(&nfa)
        .ok()
}
