//! A session as it was at its beginning.

use std::collections::BTreeMap;

use datafusion::config::{ConfigField, ConfigOptions};
use datafusion::prelude::SessionContext;

use super::update_functions;
use crate::error::Result;
use crate::options::SessionOptions;

/// Gives the settings of `context` the values that they have in `initial`.
///
/// # Errors
/// When one cannot be set.
pub fn restore(context: &SessionContext, initial: &ConfigOptions) -> Result<()> {
    let wanted: BTreeMap<String, Option<String>> = initial
        .entries()
        .into_iter()
        .map(|entry| (entry.key, entry.value))
        .collect();
    let shared = context.state_ref();
    let mut state = shared.write();
    let options = state.config_mut().options_mut();
    // Those of extensions have no prefix there.
    let own = options.entries().into_iter();
    for entry in own.filter(|entry| entry.key.starts_with("datafusion.")) {
        match wanted.get(&entry.key) {
            Some(value) if *value == entry.value => {}
            Some(Some(value)) => options.set(&entry.key, value)?,
            Some(None) => options.reset(&entry.key)?,
            None => {}
        }
    }
    if let Some(options) = options.extensions.get_mut::<SessionOptions>() {
        options.on_error = SessionOptions::default().on_error;
    }
    update_functions(&mut state)
}
