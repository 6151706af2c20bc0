//! Keeping a table small, fast to open and fast to read, beside writers and readers that go on.
//!
//! [`listing`] is what the log's folder holds. A [`checkpoint`] sums the log up, and only one that
//! was read back lets [`clean`] remove what it covers. [`select`] finds files worth merging,
//! [`read`] reads them, [`zorder`] sorts their rows, [`compact`] writes them anew and [`replace`]
//! commits that. [`vacuum`] deletes what no version names, and with [`staged`] what was never
//! written to its end.
//!
//! **What is promised.** Nothing here changes the rows of a table or a position: a rewrite says so
//! in the log (`dataChange = false`), so whoever follows the table's versions sees no new rows. A
//! rewrite whose files somebody else has replaced is refused as a whole. What is cut short leaves
//! files that no version names, and those only.

use sluice_engine::error::Result;
use sluice_engine::table::{Maintained, Maintenance};

use super::store::Store;

mod listing;
mod checkpoint;
mod clean;

mod select;
mod read;
mod zorder;
mod replace;
mod compact;

mod staged;
mod vacuum;

/// Does one piece of maintenance.
pub(super) async fn maintain(store: &Store, work: &Maintenance) -> Result<Maintained> {
    match work {
        Maintenance::Checkpoint => checkpoint::write(store).await,
        Maintenance::CleanLog { retention } => clean::clean(store, *retention).await,
        Maintenance::Compact(wanted) => compact::compact(store, wanted).await,
        Maintenance::Vacuum {
            retention,
            dry_run,
            orphans,
        } => {
            let extent = vacuum::Extent {
                deletes: !dry_run,
                orphans: *orphans,
            };
            vacuum::vacuum(store, *retention, extent).await
        }
    }
}
