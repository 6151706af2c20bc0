//! What a detector reports, and which of two reports stands where they overlap.

use super::category::Category;

/// Most bytes of an end of line, in a string within a string.
const LINE_END: usize = 4;

/// A span of text that is personal data or a secret. Both ends are character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What it is.
    pub(crate) category: Category,
    /// First byte.
    pub(crate) start: usize,
    /// Byte after the last one.
    pub(crate) end: usize,
    /// Where the part that a mask treats by itself begins: the `@` of an address, the extension
    /// of a phone number; `end` elsewhere.
    pub(crate) mark: usize,
    /// How sure the detector is, in percent.
    pub(crate) score: u8,
    /// What spoke for it, such as `luhn+issuer`.
    pub(crate) rule: &'static str,
}

impl Finding {
    /// A finding without a part of its own.
    pub(crate) const fn new(
        category: Category,
        span: std::ops::Range<usize>,
        (score, rule): (u8, &'static str),
    ) -> Self {
        Self {
            category,
            start: span.start,
            end: span.end,
            mark: span.end,
            score,
            rule,
        }
    }

    const fn contains(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether this secret is all of the secret `other`, but for the end of a line.
    const fn fills(&self, other: &Self) -> bool {
        self.is_secret()
            && other.contains(self)
            && self.end - self.start + LINE_END >= other.end - other.start
            && self.score != other.score
    }

    /// Whether the whole of it is secret, so that nothing inside may be shown by a mask.
    const fn is_secret(&self) -> bool {
        matches!(
            self.category,
            Category::Password
                | Category::AuthHeader
                | Category::PrivateKey
                | Category::CardTrack
                | Category::Jwt
                | Category::CloudToken
        )
    }

    /// Whether this finding stands where it overlaps `other`: a secret before what is none, then
    /// the one that contains the other, then the surer one, then the earlier category.
    const fn beats(&self, other: &Self) -> bool {
        match (self.is_secret(), other.is_secret()) {
            (true, false) => return true,
            (false, true) => return false,
            _ => {}
        }
        // A secret that is known by its own form says more than its key, unless the key's value
        // has more to hide.
        if self.fills(other) || other.fills(self) {
            return self.score > other.score;
        }
        match (self.contains(other), other.contains(self)) {
            (true, false) => true,
            (false, true) => false,
            _ if self.score != other.score => self.score > other.score,
            _ => self.category as u8 <= other.category as u8,
        }
    }
}

/// Puts findings in order and leaves one of those that overlap.
pub(super) fn resolve(found: &mut Vec<Finding>) {
    if found.len() < 2 {
        return;
    }
    found.sort_unstable_by_key(|finding| (finding.start, finding.category));
    found.dedup_by(|next, kept| {
        let overlap = next.start < kept.end;
        if overlap && !kept.beats(next) {
            *kept = *next;
        }
        overlap
    });
}
