//! Which bytes an expression may consist of, and which may stand first in what follows it. Both
//! are upper bounds: a byte that is not in a set does not occur, one that is may.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// A set of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteSet([bool; 256]);

impl std::fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.0.iter().filter(|held| **held).count();
        write!(f, "ByteSet of {count}")
    }
}

impl ByteSet {
    /// No byte.
    pub(super) const EMPTY: Self = Self([false; 256]);

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).copied().unwrap_or(false)
    }

    pub(super) fn insert(&mut self, byte: u8) {
        if let Some(held) = self.0.get_mut(usize::from(byte)) {
            *held = true;
        }
    }

    fn insert_all(&mut self, bytes: std::ops::RangeInclusive<u8>) {
        bytes.for_each(|byte| self.insert(byte));
    }

    pub(super) fn union(mut self, other: &Self) -> Self {
        for (held, more) in self.0.iter_mut().zip(other.0) {
            *held |= more;
        }
        self
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(one, two)| *one && two)
    }

    /// How many bytes from `at` on are in the set.
    pub(super) fn run(&self, text: &[u8], at: usize) -> usize {
        let rest = text.get(at..).unwrap_or_default();
        rest.iter()
            .position(|byte| !self.contains(*byte))
            .unwrap_or(rest.len())
    }
}

/// The bytes of the characters of `class`; one that is not ASCII stands for all that are not.
pub(super) fn of_class(class: &Class) -> ByteSet {
    let mut set = ByteSet::EMPTY;
    match class {
        Class::Unicode(class) => {
            for range in class.ranges() {
                let (first, last) = (u32::from(range.start()), u32::from(range.end()));
                if first < 0x80 {
                    set.insert_all(low(first)..=low(last));
                }
                if last >= 0x80 {
                    set.insert_all(0x80..=0xff);
                }
            }
        }
        Class::Bytes(class) => {
            for range in class.ranges() {
                set.insert_all(range.start()..=range.end());
            }
        }
    }
    set
}

fn low(point: u32) -> u8 {
    u8::try_from(point.min(0x7f)).unwrap_or(0x7f)
}

/// Every byte that a match of `hir` may hold.
pub(super) fn of(hir: &Hir) -> ByteSet {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => ByteSet::EMPTY,
        HirKind::Literal(literal) => {
            let mut set = ByteSet::EMPTY;
            literal.0.iter().for_each(|byte| set.insert(*byte));
            set
        }
        HirKind::Class(class) => of_class(class),
        HirKind::Repetition(repetition) => of(&repetition.sub),
        HirKind::Capture(capture) => of(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts
            .iter()
            .fold(ByteSet::EMPTY, |set, part| set.union(&of(part))),
    }
}

/// What may stand after a place in an expression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Follow {
    /// The bytes it may begin with.
    pub(super) bytes: ByteSet,
    /// It may be nothing, wherever the text goes on.
    pub(super) free: bool,
    /// It fits everywhere, if need be as nothing.
    pub(super) always: bool,
    /// It may be the end of the text.
    pub(super) end: bool,
}

impl Follow {
    /// After the whole expression.
    pub(super) const FREE: Self = Self {
        bytes: ByteSet::EMPTY,
        free: true,
        always: true,
        end: false,
    };

    fn or(self, other: &Self) -> Self {
        Self {
            bytes: self.bytes.union(&other.bytes),
            free: self.free || other.free,
            always: self.always || other.always,
            end: self.end || other.end,
        }
    }

    /// Whether bytes in `set` cannot go on here, so that a run of them ends where it must.
    pub(super) fn excludes(&self, set: &ByteSet) -> bool {
        !self.free && !self.bytes.meets(set)
    }
}

/// What stands first where `hir` and then `after` stand.
pub(super) fn before(hir: &Hir, after: &Follow) -> Follow {
    let begins = |bytes: ByteSet| Follow {
        bytes,
        free: false,
        always: false,
        end: false,
    };
    match hir.kind() {
        HirKind::Empty => *after,
        HirKind::Look(Look::End) => Follow {
            bytes: ByteSet::EMPTY,
            free: false,
            always: false,
            end: true,
        },
        HirKind::Look(_) => Follow {
            always: false,
            ..*after
        },
        HirKind::Literal(literal) => {
            let mut set = ByteSet::EMPTY;
            literal
                .0
                .first()
                .into_iter()
                .for_each(|byte| set.insert(*byte));
            begins(set)
        }
        HirKind::Class(class) => begins(of_class(class)),
        HirKind::Repetition(repetition) => {
            let first = before(&repetition.sub, after);
            match repetition.min {
                0 => first.or(after),
                _ => first,
            }
        }
        HirKind::Capture(capture) => before(&capture.sub, after),
        HirKind::Concat(parts) => parts
            .iter()
            .rev()
            .fold(*after, |after, part| before(part, &after)),
        HirKind::Alternation(parts) => {
            let none = begins(ByteSet::EMPTY);
            parts
                .iter()
                .fold(none, |all, part| all.or(&before(part, after)))
        }
    }
}
