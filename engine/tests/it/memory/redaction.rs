//! Functions that redact, small enough to recount: every `secret` is replaced by `***` and counted
//! as the category `word`.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, AsArray, ListBuilder, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::config::ConfigOptions;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use sluice_engine::error::{Error, Result};
use sluice_engine::plugin::Plugin;
use sluice_engine::redaction::{Configured, Ledger, Policies, PolicyRule, Redacted, Redaction};

const WORD: &str = "secret";

/// A plugin of these functions.
pub(crate) fn plugin() -> Plugin {
    let udf = |name: &'static str| {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(vec!["text".to_owned(), "policy".to_owned()]);
        Arc::new(ScalarUDF::from(Function { name, signature }))
    };
    Plugin {
        scalars: vec![udf("redact"), udf("pii_categories")],
        redaction: Some(Arc::new(Words)),
        ..Plugin::default()
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Function {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> DfResult<Vec<DataType>> {
        Ok(vec![DataType::Utf8; given.len()])
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(match self.name {
            "redact" => DataType::Utf8,
            _ => DataType::new_list(DataType::Utf8, true),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let texts = args.args[0].to_array(args.number_rows)?;
        let texts = texts.as_string::<i32>();
        if self.name == "redact" {
            let policy = match args.args.get(1) {
                Some(ColumnarValue::Scalar(ScalarValue::Utf8(Some(name)))) => name.as_str(),
                _ => "none",
            };
            let found: usize = texts
                .iter()
                .flatten()
                .map(|t| t.matches(WORD).count())
                .sum();
            if let Some(counts) = args.config_options.extensions.get::<Counts>() {
                let mut counts = counts.0.lock().unwrap();
                *counts.entry(format!("hash of {policy}")).or_default() += found as u64;
            }
            let plain = texts.iter().map(|text| Some(text?.replace(WORD, "***")));
            let plain: StringArray = plain.collect();
            return Ok(ColumnarValue::Array(Arc::new(plain)));
        }
        let mut lists = ListBuilder::new(StringBuilder::new());
        for text in texts {
            match text {
                Some(text) if text.contains(WORD) => lists.append_value([Some("word")]),
                Some(_) => lists.append(true),
                None => lists.append_null(),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish()) as ArrayRef))
    }
}

#[derive(Debug, Clone, Default)]
struct Counts(Arc<Mutex<BTreeMap<String, u64>>>);

impl ConfigExtension for Counts {
    const PREFIX: &'static str = "words";
}

impl ExtensionOptions for Counts {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, _: &str, _: &str) -> DfResult<()> {
        Ok(())
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

#[derive(Debug)]
struct Words;

#[derive(Debug)]
struct Known(Vec<String>);

impl Redaction for Words {
    fn policies(&self, configured: &Configured) -> Result<Arc<dyn Policies>> {
        let mut names: Vec<String> = configured.policies.keys().cloned().collect();
        if names.iter().any(|name| name == "wrong") {
            return Err(Error::user("policy \"wrong\" is wrong"));
        }
        names.push("plain".to_owned());
        Ok(Arc::new(Known(names)))
    }
}

impl Policies for Known {
    fn install(&self, _: &mut ConfigOptions) {}

    fn ledger(&self, options: &mut ConfigOptions) -> Arc<dyn Ledger> {
        let counts = Counts::default();
        options.extensions.insert(counts.clone());
        Arc::new(counts)
    }

    fn rules(&self) -> Vec<PolicyRule> {
        let rule = |policy: &String| PolicyRule {
            policy: policy.clone(),
            hash: format!("hash of {policy}"),
            category: "word".to_owned(),
            mode: "mask".to_owned(),
        };
        self.0.iter().map(rule).collect()
    }
}

impl Ledger for Counts {
    fn take(&self) -> Vec<Redacted> {
        let counts = std::mem::take(&mut *self.0.lock().unwrap());
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        let line = |(hash, count): (String, u64)| Redacted {
            policy: None,
            hash,
            category: "word".to_owned(),
            count,
        };
        counts.map(line).collect()
    }
}
