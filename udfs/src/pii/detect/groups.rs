//! Groups of digits with one separator between them, as cards, social security numbers and phones
//! are written.

use super::boundary::digits_end;

/// Groups of digits that one candidate may have.
pub(super) const GROUPS_MAX: usize = 8;
/// Digits of the longest group that is part of a candidate.
const GROUP_DIGITS_MAX: usize = 19;

/// Groups of digits with the same single separator between them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Groups {
    /// First byte of the first group.
    pub(super) start: usize,
    /// The separator, or 0 for a single group.
    pub(super) separator: u8,
    count: u8,
    sizes: [u8; GROUPS_MAX],
    /// Where groups end, counted from the start: small, because the whole is copied often.
    ends: [u8; GROUPS_MAX],
}

impl Groups {
    /// Reads groups from the run at `start`, which ends at `end`, into new groups. False if the
    /// run is longer than any group.
    pub(super) fn read(&mut self, text: &[u8], start: usize, end: usize) -> bool {
        self.start = start;
        if self.push(start, end).is_none() {
            return false;
        }
        let mut end = end;
        while let Some(separator @ (b' ' | b'-' | b'.')) = text.get(end).copied() {
            if self.separator != 0 && self.separator != separator {
                break;
            }
            let next_end = digits_end(text, end + 1);
            if next_end == end + 1 || self.push(end + 1, next_end).is_none() {
                break;
            }
            self.separator = separator;
            end = next_end;
        }
        true
    }

    fn push(&mut self, start: usize, end: usize) -> Option<()> {
        let size = u8::try_from(end - start).ok()?;
        if usize::from(size) > GROUP_DIGITS_MAX {
            return None;
        }
        *self.sizes.get_mut(usize::from(self.count))? = size;
        *self.ends.get_mut(usize::from(self.count))? = u8::try_from(end - self.start).ok()?;
        self.count += 1;
        Some(())
    }

    /// How many digits each group has.
    pub(super) fn sizes(&self) -> &[u8] {
        self.sizes
            .get(..usize::from(self.count))
            .unwrap_or_default()
    }

    /// How many groups there are.
    pub(super) fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// How many digits all groups have.
    pub(super) fn digits(&self) -> usize {
        self.sizes().iter().map(|size| usize::from(*size)).sum()
    }

    /// Where the first `count` groups end.
    pub(super) fn end(&self, count: usize) -> usize {
        count
            .checked_sub(1)
            .and_then(|last| self.ends.get(last))
            .map_or(self.start, |end| self.start + usize::from(*end))
    }

    /// The separator between the first `count` groups, 0 for one group.
    pub(super) const fn separator_of(&self, count: usize) -> u8 {
        if count > 1 { self.separator } else { 0 }
    }
}
