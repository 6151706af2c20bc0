//! What the functions of personal data are to the engine: their policies and their ledger behind
//! its contract.

use std::sync::Arc;

use datafusion::config::ConfigOptions;
use sluice_engine::error::{Error, Result};
use sluice_engine::redaction::{
    Configured, Ledger as EngineLedger, NerModel, Policies as EnginePolicies, PolicyRule, Redacted,
    Redaction,
};
use sluice_udfs::model::ModelFiles;
use sluice_udfs::pii::ledger::Ledger;
use sluice_udfs::pii::ner::{Ner, NerError, NerSettings};
use sluice_udfs::pii::policy::{HashKey, Policies, PolicyText};

/// The functions that redact.
#[derive(Debug)]
pub(crate) struct Functions;

impl Redaction for Functions {
    fn policies(&self, configured: &Configured) -> Result<Arc<dyn EnginePolicies>> {
        let texts = configured.policies.iter().map(|(name, modes)| {
            let text = PolicyText {
                categories: modes.keys().cloned().collect(),
                mode: None,
                modes: modes.clone(),
            };
            (name.clone(), text)
        });
        let key = configured.key.as_deref();
        let key = key.map(|key| HashKey::new(key.as_bytes()));
        let model = configured.ner.as_ref().map(model).transpose()?;
        let policies = Policies::with_model(&texts.collect(), key, model);
        let policies = policies.map_err(|error| {
            Error::user(format!("configuration of redaction: {error}"))
                .hint("policies stand under [redaction.policies]; `docs/config.md` shows one")
        })?;
        Ok(Arc::new(Known(policies)))
    }
}

/// The model of the configuration.
fn model(files: &NerModel) -> Result<Ner> {
    let settings = NerSettings {
        minimum_score: files.minimum_score,
        labels: files.labels.clone(),
    };
    let directory = files.directory.display();
    let files = ModelFiles {
        config: &files.config,
        tokenizer: &files.tokenizer,
        weights: &files.weights,
    };
    Ner::load(files, &settings).map_err(|error| match error {
        NerError::Model(fault) => {
            let (file, message) = (fault.file, fault.message);
            Error::user(format!(
                "redaction.ner.model: cannot use \"{directory}/{file}\": {message}"
            ))
            .hint(fault.hint)
        }
        error => Error::user(format!("redaction.ner.labels: {error}"))
            .hint("`docs/operations.md` says which labels are known without being named"),
    })
}

#[derive(Debug)]
struct Known(Policies);

impl EnginePolicies for Known {
    fn install(&self, options: &mut ConfigOptions) {
        options.extensions.insert(self.0.clone());
    }

    fn ledger(&self, options: &mut ConfigOptions) -> Arc<dyn EngineLedger> {
        let ledger = Ledger::default();
        options.extensions.insert(ledger.clone());
        Arc::new(Counts(ledger))
    }

    fn rules(&self) -> Vec<PolicyRule> {
        let rules = self.0.iter().flat_map(|policy| {
            policy.modes().map(|(category, mode)| PolicyRule {
                policy: policy.name().to_owned(),
                hash: policy.hash().to_owned(),
                category: category.to_owned(),
                mode: mode.to_owned(),
            })
        });
        rules.collect()
    }
}

#[derive(Debug)]
struct Counts(Ledger);

impl EngineLedger for Counts {
    fn take(&self) -> Vec<Redacted> {
        let lines = self.0.take().into_iter().map(|line| Redacted {
            policy: None,
            hash: line.policy_hash,
            category: line.category.to_owned(),
            count: line.count,
        });
        lines.collect()
    }
}
