//! Functions that redact, small enough to recount: every `secret` is replaced by `***` and counted
//! as the category `word`, once for each time that a function sees it.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::{
    Array, ArrayRef, AsArray, ListBuilder, StringArray, StringBuilder, StructArray,
};
use arrow::datatypes::{DataType, Field, Fields};
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
        scalars: vec![udf("redact"), udf("redact_audit"), udf("pii_union")],
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
        match self.name {
            "pii_union" => Ok(given.to_vec()),
            _ => Ok(vec![DataType::Utf8; given.len()]),
        }
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(match self.name {
            "redact" => DataType::Utf8,
            "pii_union" => words(),
            _ => DataType::Struct(parts()),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        if self.name == "pii_union" {
            let lists = args.args.iter().map(|list| list.to_array(args.number_rows));
            let lists: Vec<ArrayRef> = lists.collect::<DfResult<_>>()?;
            return Ok(ColumnarValue::Array(union(&lists, args.number_rows)));
        }
        let texts = args.args[0].to_array(args.number_rows)?;
        let texts = texts.as_string::<i32>();
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
        if self.name == "redact" {
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
        let columns: Vec<ArrayRef> = vec![Arc::new(plain), Arc::new(lists.finish())];
        let audit = StructArray::new(parts(), columns, texts.nulls().cloned());
        Ok(ColumnarValue::Array(Arc::new(audit)))
    }
}

fn words() -> DataType {
    DataType::new_list(DataType::Utf8, true)
}

fn parts() -> Fields {
    let part = |name: &str, kind: DataType| Field::new(name, kind, true);
    Fields::from(vec![
        part("text", DataType::Utf8),
        part("categories", words()),
    ])
}

/// There is one word, so a row has it or not.
fn union(lists: &[ArrayRef], rows: usize) -> ArrayRef {
    let mut union = ListBuilder::new(StringBuilder::new());
    for row in 0..rows {
        let lists = lists.iter().map(|list| list.as_list::<i32>());
        let known: Vec<_> = lists.filter(|list| list.is_valid(row)).collect();
        match known.iter().any(|list| !list.value(row).is_empty()) {
            true => union.append_value([Some("word")]),
            false => union.append(!known.is_empty()),
        }
    }
    Arc::new(union.finish())
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
