//! What queries may take of the machine's memory, where nothing else is configured.

/// Without a figure of the machine's memory, what queries may use.
const MEMORY_FALLBACK_BYTES: usize = 2 << 30;

/// 40 % of the machine's memory: resident memory runs to a multiple of the pool.
pub(super) fn default_memory_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    kib.map_or(MEMORY_FALLBACK_BYTES, |kib| kib * 1024 / 5 * 2)
}
