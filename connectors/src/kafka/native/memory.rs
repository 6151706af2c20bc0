//! What the C library does with large pieces of memory that are free again.

/// Keeps large pieces of memory for the next who needs some, in the whole process. To be called
/// once, before there is a second thread.
///
/// Every fetch, every batch that librdkafka decompresses, every chunk of rows and every page of
/// Parquet takes and frees megabytes. The GNU C library gives such pieces back to the kernel at
/// once, as if they were rare, and the kernel clears each page that it gives out anew. What is kept
/// has been in use before. Other C libraries are left alone.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    gnu::keep_memory();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod gnu {
    use std::ffi::c_int;

    // From `malloc.h`.
    const M_TRIM_THRESHOLD: c_int = -1;
    const M_MMAP_THRESHOLD: c_int = -3;
    /// Pieces from here on are mapped for their user alone; the library allows no more.
    const MAPPED_BYTES: c_int = 32 << 20;
    /// The free end of a heap from which on it is given back.
    const FREE_BYTES: c_int = 256 << 20;

    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }

    pub(super) fn keep_memory() {
        // SAFETY: declared as in `malloc.h`. It takes two numbers, and keeps what it had where it
        // does not like them. It must not run beside other calls of the allocator, which is what
        // the caller promises; a race would be one for numbers that both sides write and read
        // whole, and only decide where memory comes from.
        unsafe {
            mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
            mallopt(M_TRIM_THRESHOLD, FREE_BYTES);
        }
    }
}
