//! Ranges of addresses with a value each, made disjoint once and then found by one bisection.

/// Ranges that share their first 16 bits are found through a table, where there are this many.
const TABLE_FROM: usize = 256;
/// Slots of that table: one for each value of the first 16 bits of an IPv4 address.
const SLOTS: usize = 1 << 16;

/// A number that is an address.
pub(crate) trait Position: Copy + Ord {
    /// The address after it.
    fn after(self) -> Option<Self>;
    /// The address before it.
    fn before(self) -> Option<Self>;
    /// Its slot in the table, for addresses that have one.
    fn slot(self) -> Option<usize>;
}

impl Position for u32 {
    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }

    fn slot(self) -> Option<usize> {
        usize::try_from(self >> 16).ok()
    }
}

impl Position for u128 {
    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }

    fn slot(self) -> Option<usize> {
        None
    }
}

/// One range: first address, last address, value.
pub(crate) type Range<P> = (P, P, u32);

/// Disjoint ranges in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ranges<P> {
    firsts: Vec<P>,
    lasts: Vec<P>,
    values: Vec<u32>,
    /// For each slot, how many ranges begin before it.
    table: Vec<u32>,
}

impl<P: Position> Ranges<P> {
    /// Takes ranges that are disjoint and in order, as [`flatten`] makes them.
    pub(crate) fn new(disjoint: &[Range<P>]) -> Self {
        let mut table = Vec::new();
        let slots = disjoint.iter().filter_map(|(first, ..)| first.slot());
        if disjoint.len() >= TABLE_FROM && slots.clone().count() == disjoint.len() {
            let mut counts = vec![0_u32; SLOTS];
            for slot in slots {
                if let Some(count) = counts.get_mut(slot) {
                    *count += 1;
                }
            }
            let mut before = 0;
            table.push(before);
            for count in counts {
                before += count;
                table.push(before);
            }
        }
        Self {
            firsts: disjoint.iter().map(|range| range.0).collect(),
            lasts: disjoint.iter().map(|range| range.1).collect(),
            values: disjoint.iter().map(|range| range.2).collect(),
            table,
        }
    }

    /// The value of the range that holds `address`.
    pub(crate) fn get(&self, address: P) -> Option<u32> {
        let (from, to) = self.part(address);
        let part = self.firsts.get(from..to)?;
        let at = (from + part.partition_point(|first| *first <= address)).checked_sub(1)?;
        let last = self.lasts.get(at)?;
        (address <= *last).then(|| self.values.get(at).copied())?
    }

    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Which ranges begin in the slot of `address`.
    fn part(&self, address: P) -> (usize, usize) {
        let bound = |slot: usize| Some(*self.table.get(slot)? as usize);
        let slot = address.slot();
        let bounds = slot.and_then(|slot| Some((bound(slot)?, bound(slot + 1)?)));
        bounds.unwrap_or((0, self.firsts.len()))
    }
}

/// Makes ranges disjoint: where several hold an address, the one that begins last counts, and of
/// those that begin together the shortest, which for networks is the longest prefix. Of equal ones
/// the last counts.
pub(crate) fn flatten<P: Position>(mut ranges: Vec<Range<P>>) -> Vec<Range<P>> {
    ranges.sort_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
    let mut flat = Vec::with_capacity(ranges.len());
    // Ranges around the present one, the innermost last, and the first address not yet given out.
    let mut open: Vec<(P, u32)> = Vec::new();
    let mut next: Option<P> = None;
    for (first, last, value) in ranges {
        if let Some(before) = first.before() {
            close(&mut open, &mut next, Some(before), &mut flat);
        }
        next = Some(first);
        open.push((last, value));
    }
    close(&mut open, &mut next, None, &mut flat);
    flat
}

/// Gives out what is open up to `until`, all of it without a bound, and drops what ends there.
fn close<P: Position>(
    open: &mut Vec<(P, u32)>,
    next: &mut Option<P>,
    until: Option<P>,
    flat: &mut Vec<Range<P>>,
) {
    while let (Some((last, value)), Some(from)) = (open.last().copied(), *next) {
        let ends = until.is_none_or(|until| last <= until);
        let to = until.map_or(last, |until| until.min(last));
        if from <= to {
            flat.push((from, to, value));
            *next = to.after();
        }
        if !ends {
            return;
        }
        open.pop();
    }
}

/// Lays disjoint ranges of several layers over each other: the pieces of the result each have the
/// value that `combine` gives for the values of all layers there.
pub(crate) fn overlay<P: Position>(
    layers: &[&[Range<P>]],
    mut combine: impl FnMut(&[Option<u32>]) -> u32,
) -> Vec<Range<P>> {
    // A layer's value from an address on, None after the end of a range.
    let mut changes: Vec<(P, usize, Option<u32>)> = Vec::new();
    for (layer, ranges) in layers.iter().enumerate() {
        for (at, (first, last, value)) in ranges.iter().enumerate() {
            changes.push((*first, layer, Some(*value)));
            let end = last.after();
            let adjoins = ranges.get(at + 1).map(|next| next.0);
            if let Some(end) = end.filter(|end| Some(*end) != adjoins) {
                changes.push((end, layer, None));
            }
        }
    }
    changes.sort_by_key(|change| change.0);
    let mut values = vec![None; layers.len()];
    let mut pieces: Vec<Range<P>> = Vec::new();
    let mut changes = changes.into_iter().peekable();
    while let Some((first, layer, value)) = changes.next() {
        set(&mut values, layer, value);
        while let Some((_, layer, value)) = changes.next_if(|change| change.0 == first) {
            set(&mut values, layer, value);
        }
        if values.iter().all(Option::is_none) {
            continue;
        }
        let last = match changes.peek() {
            Some(change) => change.0.before(),
            None => greatest(layers),
        };
        if let Some(last) = last {
            pieces.push((first, last, combine(&values)));
        }
    }
    pieces
}

fn set(values: &mut [Option<u32>], layer: usize, value: Option<u32>) {
    if let Some(place) = values.get_mut(layer) {
        *place = value;
    }
}

/// The last address of all layers: only a range up to the end of all addresses has no end.
fn greatest<P: Position>(layers: &[&[Range<P>]]) -> Option<P> {
    let lasts = layers.iter().filter_map(|ranges| ranges.last());
    lasts.map(|range| range.1).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(ranges: &[Range<u32>], address: u32) -> Option<u32> {
        let around = ranges.iter().enumerate();
        let around = around.filter(|(_, range)| range.0 <= address && address <= range.1);
        let inner = around.max_by(|(i, one), (j, other)| {
            one.0.cmp(&other.0).then(other.1.cmp(&one.1)).then(i.cmp(j))
        });
        inner.map(|(_, range)| range.2)
    }

    /// Numbers of a linear congruence, the same on every run.
    fn numbers(mut seed: u64) -> impl FnMut(u32) -> u32 {
        move |below| {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            u32::try_from(seed >> 33).unwrap() % below
        }
    }

    #[test]
    fn networks_inside_networks_win() {
        let mut number = numbers(7);
        for round in 0..200 {
            let ranges: Vec<Range<u32>> = (0..12)
                .map(|value| {
                    let bits = number(7);
                    let first = number(64) >> bits << bits;
                    (first, first + (1 << bits) - 1, value)
                })
                .collect();
            let flat = flatten(ranges.clone());
            assert!(
                flat.windows(2).all(|pair| pair[0].1 < pair[1].0),
                "{round}: {flat:?}"
            );
            let found = Ranges::new(&flat);
            for address in 0..130 {
                assert_eq!(
                    found.get(address),
                    naive(&ranges, address),
                    "{round} {address}"
                );
            }
        }
    }

    #[test]
    fn ranges_that_cross_lose_no_address() {
        let mut number = numbers(11);
        for _ in 0..200 {
            let ranges: Vec<Range<u32>> = (0..8)
                .map(|value| {
                    let first = number(40);
                    (first, first + number(20), value)
                })
                .collect();
            let found = Ranges::new(&flatten(ranges.clone()));
            for address in 0..70 {
                let covered = naive(&ranges, address).is_some();
                assert_eq!(
                    found.get(address).is_some(),
                    covered,
                    "{address} {ranges:?}"
                );
            }
        }
    }

    #[test]
    fn the_ends_of_all_addresses_are_found() {
        let all = Ranges::new(&flatten(vec![
            (0, u32::MAX, 1),
            (u32::MAX, u32::MAX, 2),
            (0, 0, 3),
        ]));
        assert_eq!(
            (all.get(0), all.get(1), all.get(u32::MAX)),
            (Some(3), Some(1), Some(2))
        );
        let all = Ranges::new(&flatten(vec![(0, u128::MAX, 1)]));
        assert_eq!((all.get(0), all.get(u128::MAX)), (Some(1), Some(1)));
    }

    #[test]
    fn many_ranges_are_found_through_the_table() {
        let mut number = numbers(3);
        let ranges: Vec<Range<u32>> = (0..2000)
            .map(|value| {
                let first = number(u32::MAX >> 8) << 8;
                (first, first + 255, value)
            })
            .collect();
        let found = Ranges::new(&flatten(ranges.clone()));
        assert!(!found.table.is_empty());
        for (first, last, _) in &ranges {
            for address in [first.wrapping_sub(1), *first, *last, last.wrapping_add(1)] {
                assert_eq!(found.get(address), naive(&ranges, address));
            }
        }
    }

    #[test]
    fn layers_are_combined_piece_by_piece() {
        let (one, other) = (
            [(0_u32, 9, 1), (10, 19, 2)],
            [(5_u32, 12, 1), (30, u32::MAX, 3)],
        );
        let combine = |values: &[Option<u32>]| {
            values
                .iter()
                .fold(0, |sum, value| sum * 10 + value.unwrap_or(0))
        };
        let pieces = overlay(&[&one, &other], combine);
        let want = [
            (0, 4, 10),
            (5, 9, 11),
            (10, 12, 21),
            (13, 19, 20),
            (30, u32::MAX, 3),
        ];
        assert_eq!(pieces, want);
    }
}
