//! One expression, read by the fastest engine that can: a [`Plan`] where there is one, an automaton
//! with groups where one can be built, a general regex engine otherwise. All three give the first
//! match as a backtracking engine finds it, and none takes more than linear time.

use std::sync::OnceLock;

use datafusion::common::plan_err;
use datafusion::error::Result;
use memchr::memchr;
use regex_automata::dfa::onepass;
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input, meta};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, Look};

use super::compile::compile;
use super::plan::{Finding, Machine, Plan};

/// The most memory that the program of a general engine may take, in bytes.
const PROGRAM_MAX: usize = 32 << 20;
/// The most memory that an automaton with groups may take, in bytes.
const ONE_PASS_MAX: usize = 1 << 20;
/// How deep an expression may be nested.
const NEST_MAX: u32 = 250;

/// An expression, compiled.
#[derive(Debug)]
pub(crate) struct Matcher {
    source: String,
    /// The expression for one line.
    pub(super) hir: Hir,
    plan: Option<Plan>,
    one_pass: Option<onepass::DFA>,
    general: meta::Regex,
    /// For texts of several lines, where `^` and `$` stand at each; made when first needed.
    lines: OnceLock<Option<meta::Regex>>,
    /// The expression begins with `^`.
    anchored: bool,
    groups: usize,
}

/// Which engine to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The fastest that can read the text.
    Fastest,
    /// The automaton with groups or the general engine.
    #[cfg(test)]
    OnePass,
    /// The general engine.
    #[cfg(test)]
    General,
}

impl Engine {
    #[cfg(test)]
    fn is_general(self) -> bool {
        self == Self::General
    }

    #[cfg(not(test))]
    fn is_general(self) -> bool {
        false
    }
}

/// The memory of the engines, kept from text to text.
#[derive(Debug)]
pub(crate) struct Scratch {
    machine: Machine,
    one_pass: Option<onepass::Cache>,
    slots: Vec<Option<NonMaxUsize>>,
    /// Where the groups of the last match are: the start of group `g` at `2 * g`.
    pub(crate) groups: Vec<Option<usize>>,
}

impl Matcher {
    /// Compiles `source`, in which every group is a capture.
    ///
    /// # Errors
    /// Says what is wrong with the expression.
    pub(crate) fn new(source: &str) -> Result<Self> {
        let hir = parse(source, false)?;
        let Ok(general) = general(&hir) else {
            return plan_err!(
                "grok: the pattern makes too large an expression; use less counted repetition"
            );
        };
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().nfa_size_limit(Some(ONE_PASS_MAX)))
            .build_from_hir(&hir)
            .ok();
        let config = onepass::Config::new().size_limit(Some(ONE_PASS_MAX));
        let one_pass = nfa.and_then(|nfa| {
            onepass::Builder::new()
                .configure(config)
                .build_from_nfa(nfa)
                .ok()
        });
        Ok(Self {
            source: source.to_owned(),
            plan: compile(&hir),
            one_pass,
            anchored: hir.properties().look_set_prefix().contains(Look::Start),
            groups: hir.properties().explicit_captures_len() + 1,
            general,
            lines: OnceLock::new(),
            hir,
        })
    }

    /// What the engines need to read texts.
    pub(crate) fn scratch(&self) -> Scratch {
        Scratch {
            machine: Machine::default(),
            one_pass: self.one_pass.as_ref().map(onepass::DFA::create_cache),
            slots: vec![None; 2 * self.groups],
            groups: vec![None; 2 * self.groups],
        }
    }

    /// Finds the first match in `text` and leaves its groups in `scratch`.
    pub(crate) fn read(&self, scratch: &mut Scratch, text: &str, engine: Engine) -> bool {
        let one_line = memchr(b'\n', text.as_bytes()).is_none();
        if one_line
            && engine == Engine::Fastest
            && let Some(plan) = &self.plan
        {
            match plan.read(&mut scratch.machine, text, &mut scratch.groups) {
                Finding::Match => return true,
                Finding::None if self.anchored => return false,
                Finding::None => return self.search(scratch, text, &self.general),
                Finding::Unknown => {}
            }
        }
        if one_line
            && !engine.is_general()
            && let Some(found) = self.read_one_pass(scratch, text)
        {
            return found;
        }
        let regex = match one_line {
            true => Some(&self.general),
            false => self.lines().as_ref(),
        };
        regex.is_some_and(|regex| self.search(scratch, text, regex))
    }

    /// `None` where the automaton cannot tell.
    fn read_one_pass(&self, scratch: &mut Scratch, text: &str) -> Option<bool> {
        let automaton = self.one_pass.as_ref()?;
        let cache = scratch.one_pass.as_mut()?;
        let input = Input::new(text).anchored(Anchored::Yes);
        let found = automaton.try_search_slots(cache, &input, &mut scratch.slots);
        match found.ok()? {
            Some(_) => {
                scratch.take_slots();
                Some(true)
            }
            None if self.anchored => Some(false),
            None => None,
        }
    }

    fn search(&self, scratch: &mut Scratch, text: &str, regex: &meta::Regex) -> bool {
        let found = regex.search_slots(&Input::new(text), &mut scratch.slots);
        scratch.take_slots();
        found.is_some()
    }

    fn lines(&self) -> &Option<meta::Regex> {
        self.lines.get_or_init(|| {
            let hir = parse(&self.source, true).ok()?;
            general(&hir).ok()
        })
    }

    /// Whether the expression has a plan, and whether it has an automaton with groups.
    #[cfg(test)]
    pub(super) fn engines(&self) -> (bool, bool) {
        (self.plan.is_some(), self.one_pass.is_some())
    }
}

impl Scratch {
    fn take_slots(&mut self) {
        for (group, slot) in self.groups.iter_mut().zip(&self.slots) {
            *group = slot.map(|slot| slot.get());
        }
    }
}

fn parse(source: &str, lines: bool) -> Result<Hir> {
    let parsed = ParserBuilder::new()
        .nest_limit(NEST_MAX)
        .multi_line(lines)
        .build()
        .parse(source);
    match parsed {
        Ok(hir) => Ok(hir),
        Err(error) => plan_err!("grok: the pattern is no regular expression: {error}"),
    }
}

fn general(hir: &Hir) -> std::result::Result<meta::Regex, ()> {
    let config = meta::Config::new().nfa_size_limit(Some(PROGRAM_MAX));
    meta::Builder::new()
        .configure(config)
        .build_from_hir(hir)
        .map_err(|_| ())
}
