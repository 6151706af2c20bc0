//! A pointer that librdkafka has given away, to be given back once.

use std::fmt;
use std::ptr::NonNull;

/// A pointer to give back.
pub(super) struct Owned<T> {
    pointer: NonNull<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// `None` for NULL.
    ///
    /// # Safety
    /// `pointer` is NULL or belongs to the caller, who may give it to `destroy`, once.
    pub(super) unsafe fn new(
        pointer: *mut T,
        destroy: unsafe extern "C" fn(*mut T),
    ) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self { pointer, destroy })
    }

    pub(super) fn as_ptr(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: by the contract of `new`; a value is dropped once.
        unsafe { (self.destroy)(self.pointer.as_ptr()) }
    }
}

impl<T> fmt::Debug for Owned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Owned").field(&self.pointer).finish()
    }
}
