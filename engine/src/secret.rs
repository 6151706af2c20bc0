//! Secrets in options are references, `${env:NAME}` and `${file:PATH}`. What is stored, listed and
//! logged is the reference; a connector resolves it when it opens a connection, and never before.

use crate::config;
use crate::error::{Error, Result};

const FORM: &str = "write '${env:NAME}' for a variable of the server's environment, or \
                    '${file:/path}' for the content of a file";

/// Whether `value` has a reference in it.
#[must_use]
pub fn is_reference(value: &str) -> bool {
    value.contains("${")
}

/// Refuses a secret that is written out, because definitions are stored and listed.
///
/// # Errors
/// [`crate::error::Kind::User`] when `value` is not one reference and nothing else.
pub fn check(option: &str, value: &str) -> Result<()> {
    let whole = value.starts_with("${") && value.find('}') == Some(value.len().saturating_sub(1));
    if whole {
        return parse(option, value.get(2..value.len() - 1).unwrap_or_default()).map(drop);
    }
    Err(Error::user(format!(
        "option \"{option}\" is a secret and is written out"
    ))
    .hint(FORM))
}

/// `value` with every reference replaced by what it refers to. A file's last line break is no part
/// of the secret.
///
/// # Errors
/// [`crate::error::Kind::User`] when a reference is malformed, or what it names is not there. The
/// message names the option and the reference, never a secret.
pub fn resolve(option: &str, value: &str) -> Result<String> {
    let mut resolved = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let (reference, after) = after.split_once('}').ok_or_else(|| {
            Error::user(format!("option \"{option}\" has a \"${{\" without \"}}\"")).hint(FORM)
        })?;
        resolved.push_str(before);
        resolved.push_str(&parse(option, reference)?.read(option)?);
        rest = after;
    }
    resolved.push_str(rest);
    Ok(resolved)
}

enum Reference<'a> {
    Variable(&'a str),
    File(&'a str),
}

fn parse<'a>(option: &str, reference: &'a str) -> Result<Reference<'a>> {
    match reference.split_once(':') {
        Some(("env", name)) if !name.is_empty() => Ok(Reference::Variable(name)),
        Some(("file", path)) if !path.is_empty() => Ok(Reference::File(path)),
        _ => Err(Error::user(format!(
            "option \"{option}\" has the reference \"${{{reference}}}\", which is none"
        ))
        .hint(FORM)),
    }
}

impl Reference<'_> {
    fn read(&self, option: &str) -> Result<String> {
        match self {
            Self::Variable(name) => config::variable(name).ok_or_else(|| {
                Error::user(format!(
                    "option \"{option}\" refers to the variable \"{name}\", which is not set"
                ))
                .hint("set it in the environment of the server")
            }),
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => Err(Error::user(format!(
                    "option \"{option}\" refers to the file \"{path}\", which cannot be read: \
                     {error}"
                ))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_and_name_what_is_missing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret\n").unwrap();
        let reference = format!("${{file:{}}}", file.path().display());
        assert_eq!(resolve("p", &format!("a{reference}b")).unwrap(), "as3cretb");
        assert_eq!(resolve("p", "plain").unwrap(), "plain");
        for wrong in [
            "${env:SLUICE_NOT_SET_ANYWHERE}",
            "${file:/no/such}",
            "${vault:x}",
            "${env:",
        ] {
            let error = resolve("kafka.sasl.password", wrong).unwrap_err();
            assert!(error.message().contains("kafka.sasl.password"), "{error}");
        }
    }

    #[test]
    fn a_secret_written_out_is_refused_without_being_shown() {
        let error = check("kafka.sasl.password", "hunter2").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(check("p", "${env:A}").is_ok());
        assert!(check("p", "${env:A}x").is_err());
        assert!(check("p", "${A}").is_err());
    }
}
