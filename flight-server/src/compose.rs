//! What Sluice is made of: the engine with every function and every connector. All modes of the
//! binary open the same composition.

mod enrichment;

use std::path::Path;
use std::sync::Arc;

use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::error::Result;
use sluice_engine::plugin::Plugin;
use sluice_udfs::Function;

use crate::redaction::Functions;

/// Opens the engine on the data directory `data`, or with `None` on a temporary one.
///
/// # Errors
/// When another process owns the directory, or it cannot be read.
pub async fn engine(config: Config, data: Option<&Path>) -> Result<Arc<Engine>> {
    Engine::open(config, plugin(), data).await
}

/// Every function and every connector.
#[must_use]
pub fn plugin() -> Plugin {
    let mut plugin = Plugin {
        enricher: Some(Arc::new(enrichment::Functions)),
        ..Plugin::default()
    };
    for function in sluice_udfs::functions() {
        match function {
            Function::Scalar(udf) => plugin.scalars.push(Arc::new(udf)),
            Function::Aggregate(udf) => plugin.aggregates.push(Arc::new(udf)),
            Function::Window(udf) => plugin.windows.push(Arc::new(udf)),
        }
    }
    plugin.planners = sluice_udfs::planners();
    plugin.redaction = Some(Arc::new(Functions));
    plugin.and(sluice_connectors::plugin())
}
