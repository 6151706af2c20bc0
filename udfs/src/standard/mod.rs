//! What PostgreSQL, MySQL, SQL Server and ODBC call functions that DataFusion has by other names or
//! not at all, so that the SQL of tools and drivers runs as they write it.

mod docs;
mod moment;
mod part;
mod place;
mod renamed;

/// The heading in the reference.
const SECTION: &str = "Names of other databases";

crate::registry::functions! {
    charindex,
    curdate,
    curtime,
    datediff,
    day,
    dayname,
    dayofweek,
    dayofyear,
    hour,
    isnull,
    last_day,
    lcase,
    len,
    locate,
    minute,
    month,
    monthname,
    quarter,
    second,
    space,
    timestampadd,
    timestampdiff,
    truncate,
    ucase,
    week,
    year,
}
