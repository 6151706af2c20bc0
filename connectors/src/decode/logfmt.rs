//! The encoding `logfmt`: pairs as columns. A key alone is `true`. The grammar is that of the SQL
//! functions.

use std::borrow::Cow;

use sluice_udfs::parse::grammar::logfmt::{self, Pairs};

use super::fault::Fault;
use super::rows::{Found, Value};

/// Finds the pairs of the record `text`.
pub(super) fn read<'a>(text: &'a str, found: &mut Found<'a>) -> Result<(), Fault> {
    let mut is_empty = true;
    for pair in Pairs::of(text) {
        let (key, value) = pair.map_err(|wrong| fault(&wrong))?;
        let value = match value {
            logfmt::Value::Alone => Value::json("true"),
            logfmt::Value::Bare(text) => Value::text(text),
            logfmt::Value::Quoted(text) => Value::Text(text.to_cow()),
        };
        found.put(Cow::Borrowed(key), value)?;
        is_empty = false;
    }
    match is_empty {
        true => Err(fault(&"the record is empty")),
        false => Ok(()),
    }
}

fn fault(what: &dyn std::fmt::Display) -> Fault {
    Fault::bad_text("bad_logfmt", format!("not logfmt: {what}"))
}
