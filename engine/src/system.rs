//! Schema `system`: what Sluice says of itself, as tables made when they are asked for.
//!
//! | table | one row for each |
//! |---|---|
//! | `commits` | range of each commit of each table |
//! | `dead_letters` | record that did not reach its table |
//! | `enrichment` | file that functions read beside their arguments |
//! | `functions` | SQL function |
//! | `partitions` | partition that a pipeline of this process reads |
//! | `pipelines` | pipeline |
//! | `policies` | rule of each policy of redaction |
//! | `redactions` | policy and category of each commit that redacted something |

pub(crate) mod selection;

mod history;

mod commits;
mod dead_letters;
mod enrichment;
mod functions;
mod partitions;
mod pipelines;
mod policies;
mod redactions;

use std::any::Any;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::error::Result as DfResult;

use crate::catalog::Catalog;
use crate::context::Contexts;
use crate::enrichment::Enrichment;
use crate::pipeline::Pipelines;
use crate::plugin::Plugin;
use crate::redaction::PolicyRule;

use dead_letters::DeadLetters;

const NAMES: [&str; 8] = [
    "commits",
    "dead_letters",
    "enrichment",
    "functions",
    "partitions",
    "pipelines",
    "policies",
    "redactions",
];

/// The tables of schema `system`.
#[derive(Debug)]
pub struct SystemSchema {
    /// Tables and pipelines as they are defined.
    pub catalog: Arc<Catalog>,
    /// Pipelines as they run; weak, because pipelines hold sessions and those hold this schema.
    pub pipelines: Weak<Pipelines>,
    /// For `system.functions`.
    pub functions: Plugin,
    /// For `system.enrichment`.
    pub enrichment: Arc<Enrichment>,
    /// For the functions of users; weak, as above.
    pub contexts: Weak<Contexts>,
    /// For `system.policies`.
    pub rules: Vec<PolicyRule>,
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        NAMES.map(str::to_owned).to_vec()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        let running = self.pipelines.upgrade();
        let rows = match name {
            "commits" => return Ok(Some(Arc::new(commits::table(&self.catalog)))),
            "redactions" => return Ok(Some(Arc::new(redactions::table(&self.catalog)))),
            "policies" => policies::rows(&self.rules)?,
            "dead_letters" => {
                return Ok(Some(Arc::new(DeadLetters::new(Arc::clone(&self.catalog)))));
            }
            "enrichment" => enrichment::rows(&self.enrichment.present())?,
            "functions" => {
                let contexts = self.contexts.upgrade();
                let own = contexts.map(|contexts| contexts.functions());
                functions::rows(&self.functions, &own.unwrap_or_default())?
            }
            "partitions" => {
                let progress = running.map(|pipelines| pipelines.partitions());
                partitions::rows(&progress.unwrap_or_default())?
            }
            "pipelines" => {
                let progress = running.map(|pipelines| pipelines.progress());
                pipelines::rows(&progress.unwrap_or_default(), &self.catalog.pipelines())?
            }
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(MemTable::try_new(
            rows.schema(),
            vec![vec![rows]],
        )?)))
    }

    fn table_exist(&self, name: &str) -> bool {
        NAMES.contains(&name)
    }
}
