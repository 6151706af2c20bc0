//! Schema `system`: what Sluice says of itself, as tables made when they are asked for.

use std::any::Any;
use std::sync::{Arc, Weak};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use async_trait::async_trait;
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::Documentation;

use crate::catalog::Catalog;
use crate::pipeline::Pipelines;
use crate::plugin::Plugin;
use crate::statement::{self, Statement};

const NAMES: [&str; 2] = ["functions", "pipelines"];

/// The tables of schema `system`.
#[derive(Debug)]
pub struct SystemSchema {
    /// For `system.pipelines`.
    pub catalog: Arc<Catalog>,
    /// For `system.pipelines`; weak, because pipelines hold sessions and those hold this schema.
    pub pipelines: Weak<Pipelines>,
    /// For `system.functions`.
    pub functions: Plugin,
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
        let rows = match name {
            "functions" => functions(&self.functions)?,
            "pipelines" => self.pipelines()?,
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

impl SystemSchema {
    fn pipelines(&self) -> DfResult<RecordBatch> {
        let pipelines = self.pipelines.upgrade();
        let progress = pipelines
            .map(|pipelines| pipelines.progress())
            .unwrap_or_default();
        let stored = self.catalog.pipelines();
        let bodies = progress.iter().map(|p| {
            let sql = &stored.get(&p.pipeline)?.sql;
            match statement::parse(sql).ok()? {
                Statement::CreatePipeline(create) => Some(create.body),
                _ => None,
            }
        });
        let bodies: StringArray = bodies.collect();
        let text =
            |get: fn(&crate::pipeline::status::PipelineProgress) -> Option<&str>| -> ArrayRef {
                Arc::new(progress.iter().map(get).collect::<StringArray>())
            };
        let number =
            |get: fn(&crate::pipeline::status::PipelineProgress) -> Option<u64>| -> ArrayRef {
                let values = progress
                    .iter()
                    .map(|p| get(p).and_then(|n| i64::try_from(n).ok()));
                Arc::new(values.collect::<Int64Array>())
            };
        Ok(RecordBatch::try_from_iter_with_nullable([
            ("name", text(|p| Some(&p.pipeline)), false),
            ("state", text(|p| Some(p.state.as_str())), false),
            ("definition", Arc::new(bodies) as ArrayRef, true),
            ("events", number(|p| Some(p.events)), false),
            ("rows", number(|p| Some(p.rows)), false),
            ("rejected", number(|p| Some(p.rejected)), false),
            ("lag", number(|p| Some(p.lag)), false),
            ("freshness_ms", number(|p| p.freshness_ms), true),
            ("version", number(|p| p.version), true),
            ("error", text(|p| p.error.as_deref()), true),
        ])?)
    }
}

fn functions(plugin: &Plugin) -> DfResult<RecordBatch> {
    let mut rows: Vec<(&str, &str, Option<&Documentation>)> = Vec::new();
    rows.extend(
        plugin
            .scalars
            .iter()
            .map(|f| (f.name(), "scalar", f.documentation())),
    );
    rows.extend(
        plugin
            .aggregates
            .iter()
            .map(|f| (f.name(), "aggregate", f.documentation())),
    );
    rows.extend(
        plugin
            .windows
            .iter()
            .map(|f| (f.name(), "window", f.documentation())),
    );
    rows.sort_unstable_by_key(|row| row.0);
    let column = |get: fn(&Documentation) -> &str| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| row.2.map(get))
                .collect::<StringArray>(),
        )
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        (
            "name",
            Arc::new(rows.iter().map(|r| Some(r.0)).collect::<StringArray>()) as ArrayRef,
            false,
        ),
        (
            "kind",
            Arc::new(rows.iter().map(|r| Some(r.1)).collect::<StringArray>()) as ArrayRef,
            false,
        ),
        ("family", column(|doc| doc.doc_section.label), true),
        ("syntax", column(|doc| &doc.syntax_example), true),
        ("description", column(|doc| &doc.description), true),
        (
            "example",
            column(|doc| doc.sql_example.as_deref().unwrap_or_default()),
            true,
        ),
    ])?)
}
