//! Tables in S3, and in stores that speak its protocol.
//!
//! A log entry is written by a conditional put, which is what makes two writers of one version a
//! winner and a loser; a store that does not honour the condition is refused.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::{
    BackoffConfig, ClientConfigKey, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig,
};
use sha2::{Digest, Sha256};
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::secret;
use url::Url;

use super::fault;

/// What tables in S3 take in `OPTIONS`.
pub(super) const OPTIONS: [&str; 12] = [
    "s3.region",
    "s3.endpoint",
    "s3.access_key_id",
    SECRET,
    TOKEN,
    "s3.allow_http",
    "s3.virtual_hosted_style",
    "s3.skip_signature",
    "s3.server_side_encryption",
    "s3.sse_kms_key_id",
    "s3.checksum_algorithm",
    "s3.timeout",
];
const SECRET: &str = "s3.secret_access_key";
const TOKEN: &str = "s3.session_token";
/// Options that say who asks. With one of them the server's own credentials play no part.
const IDENTITY: [&str; 2] = ["s3.access_key_id", "s3.skip_signature"];

/// One request is tried again for this long; whoever asked goes on from there and tells the user.
const RETRY: Duration = Duration::from_secs(15);
const TRIES: usize = 5;

fn key(option: &str) -> Option<AmazonS3ConfigKey> {
    match option.strip_prefix("s3.")? {
        "allow_http" => Some(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp)),
        "timeout" => Some(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout)),
        "virtual_hosted_style" => Some(AmazonS3ConfigKey::VirtualHostedStyleRequest),
        other => other.parse().ok(),
    }
}

/// The bucket that `url` names, as `definition` says to reach it.
///
/// # Errors
/// [`sluice_engine::error::Kind::User`] for an option that is wrong, a secret that is written out,
/// or a reference to nothing.
pub(super) fn bucket(definition: &TableDefinition, url: &Url) -> Result<Arc<dyn ObjectStore>> {
    let name = &definition.name;
    let wrong = |error: &dyn std::fmt::Display| {
        Error::user(format!("cannot use the location of \"{name}\": {error}"))
    };
    let options = &definition.options;
    let own = IDENTITY.iter().any(|option| options.contains_key(*option));
    let mut builder = match own {
        true => AmazonS3Builder::new(),
        false => AmazonS3Builder::from_env(),
    };
    for (option, value) in options {
        if [SECRET, TOKEN].contains(&option.as_str()) {
            secret::check(option, value)?;
        }
        let key = key(option).ok_or_else(|| wrong(&format!("option \"{option}\" is unknown")))?;
        builder = builder.with_config(key, secret::resolve(option, value)?);
    }
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: TRIES,
        retry_timeout: RETRY,
    };
    let bucket = builder
        .with_bucket_name(url.host_str().unwrap_or_default())
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(retry)
        .build()
        .map_err(|error| wrong(&error))?;
    Ok(Arc::new(bucket))
}

/// The URL under which a table's files are known in this process. Queries find a store by scheme
/// and host; so that one table's credentials are never used for another's files, tables that bring
/// options get a host of their own.
pub(super) fn alias(definition: &TableDefinition, url: &Url) -> Url {
    if definition.options.is_empty() {
        return url.clone();
    }
    let mut hash = Sha256::new();
    for (option, value) in &definition.options {
        hash.update(format!(
            "{}:{option}={}:{value};",
            option.len(),
            value.len()
        ));
    }
    let hash = hash.finalize();
    let digits: String = hash
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut alias = url.clone();
    let host = url.host_str().unwrap_or_default();
    match alias.set_host(Some(&format!("{host}.{digits}"))) {
        Ok(()) => alias,
        Err(_) => url.clone(),
    }
}

/// Refuses a store that lets a second writer put what is there already.
///
/// # Errors
/// [`sluice_engine::error::Kind::Unsupported`] then, and what else keeps a file from being put.
pub(super) async fn check_conditions(name: &str, files: &Arc<dyn ObjectStore>) -> Result<()> {
    let wrong = |error| fault::store(format!("write to the location of \"{name}\""), error);
    let path = format!("_sluice_probe_{}", uuid::Uuid::new_v4()).into();
    let put = || files.put_opts(&path, PutPayload::from_static(b"1"), PutMode::Create.into());
    put().await.map_err(wrong)?;
    let again = put().await;
    if let Err(error) = files.delete(&path).await {
        tracing::debug!(table = name, %path, %error, "a probe is left over");
    }
    match again {
        Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(wrong(error)),
        Ok(_) => Err(Error::unsupported(format!(
            "the store of \"{name}\" overwrites what is there when told not to: two writers would \
             lose each other's commits"
        ))
        .hint("use a store that honours If-None-Match on PUT, as Amazon S3 does")),
    }
}
