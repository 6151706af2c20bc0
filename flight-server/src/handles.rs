//! What the server remembers between two calls: a [`Shelf`] holds so many things and no more, and
//! forgets what nobody asked for in a while. Sessions, prepared statements and plans each have one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

/// A bounded map whose entries expire when they are not used.
pub(crate) struct Shelf<V> {
    max: usize,
    idle: Duration,
    entries: Mutex<HashMap<Uuid, Entry<V>>>,
}

struct Entry<V> {
    value: V,
    used: Instant,
}

impl<V> fmt::Debug for Shelf<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("entries", &self.lock().len())
            .finish_non_exhaustive()
    }
}

impl<V: Clone> Shelf<V> {
    /// A shelf for `max` things, each forgotten when it lies unused for `idle`.
    pub(crate) fn new(max: usize, idle: Duration) -> Self {
        Self {
            max,
            idle,
            entries: Mutex::default(),
        }
    }

    /// Puts `value` under `id`; when the shelf is full, what was used longest ago makes room.
    pub(crate) fn put(&self, id: Uuid, value: V) {
        self.place(&mut self.lock(), id, value);
    }

    fn place(&self, entries: &mut HashMap<Uuid, Entry<V>>, id: Uuid, value: V) {
        if entries.len() >= self.max {
            entries.retain(|_, entry| entry.used.elapsed() < self.idle);
        }
        if entries.len() >= self.max {
            let oldest = entries
                .iter()
                .min_by_key(|(_, entry)| entry.used)
                .map(|(id, _)| *id);
            oldest.and_then(|oldest| entries.remove(&oldest));
        }
        entries.insert(
            id,
            Entry {
                value,
                used: Instant::now(),
            },
        );
    }

    /// What lies under `id`.
    pub(crate) fn get(&self, id: Uuid) -> Option<V> {
        self.find(&mut self.lock(), id)
    }

    fn find(&self, entries: &mut HashMap<Uuid, Entry<V>>, id: Uuid) -> Option<V> {
        let entry = entries
            .get_mut(&id)
            .filter(|entry| entry.used.elapsed() < self.idle)?;
        entry.used = Instant::now();
        Some(entry.value.clone())
    }

    /// What lies under `id`, put there by `make` if nothing does.
    pub(crate) fn get_or_put(&self, id: Uuid, make: impl FnOnce() -> V) -> V {
        // Under one lock: two first calls at a time get the same thing.
        let mut entries = self.lock();
        self.find(&mut entries, id).unwrap_or_else(|| {
            let value = make();
            self.place(&mut entries, id, value.clone());
            value
        })
    }

    /// Takes away what lies under `id`.
    pub(crate) fn take(&self, id: Uuid) -> Option<V> {
        self.lock().remove(&id).map(|entry| entry.value)
    }
}

impl<V> Shelf<V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Entry<V>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_full_shelf_forgets_what_was_used_longest_ago() {
        let shelf = Shelf::new(2, LONG);
        let [a, b, c] = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
        shelf.put(a, 'a');
        shelf.put(b, 'b');
        assert_eq!(shelf.get(a), Some('a'));
        shelf.put(c, 'c');
        assert_eq!(
            (shelf.get(a), shelf.get(b), shelf.get(c)),
            (Some('a'), None, Some('c'))
        );
    }

    #[test]
    fn what_lies_too_long_is_gone() {
        let shelf = Shelf::new(2, Duration::ZERO);
        let id = Uuid::new_v4();
        shelf.put(id, 1);
        assert_eq!(shelf.get(id), None);
        assert_eq!(shelf.get_or_put(id, || 2), 2);
    }

    #[test]
    fn what_is_taken_is_gone() {
        let shelf = Shelf::new(2, LONG);
        let id = Uuid::new_v4();
        shelf.put(id, 1);
        assert_eq!(
            (shelf.take(id), shelf.take(id), shelf.get(id)),
            (Some(1), None, None)
        );
    }
}
