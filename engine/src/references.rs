//! What of the server's own a client on the network may name in `OPTIONS`: variables of its
//! environment and files on its disk, whether as references or as paths. Nothing, unless the
//! owner lists it under `[security] allow_references`.

use crate::error::{Error, Result};

/// The last word of options whose value is a place on the server's disk.
const PLACES: [&str; 8] = [
    "location",
    "locations",
    "path",
    "paths",
    "file",
    "files",
    "keytab",
    "profile",
];
/// Options whose whole family reads files of the server.
const FAMILIES: [&str; 1] = ["kafka.sasl.kerberos."];

/// What the owner allows: `env:NAME` and `file:/path`, where a `*` at the end stands for any rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedReferences(Vec<String>);

impl AllowedReferences {
    /// Reads the list of the configuration.
    ///
    /// # Errors
    /// [`crate::error::Kind::User`] for an entry that is neither form, naming it.
    pub fn new(entries: &[String]) -> Result<Self> {
        for entry in entries {
            let place = match entry.split_once(':') {
                Some(("env", name)) => !name.is_empty(),
                Some(("file", path)) => path.starts_with('/') && is_plain(path),
                _ => false,
            };
            let star = entry.find('*').is_some_and(|at| at + 1 < entry.len());
            if !place || star {
                return Err(Error::user(format!(
                    "`security.allow_references` has the entry \"{entry}\", which is none"
                ))
                .hint("write \"env:NAME\" or \"file:/path\"; a * may stand at the end"));
            }
        }
        Ok(Self(entries.to_vec()))
    }

    /// Refuses an option by which a client would make the server read what is not allowed.
    ///
    /// # Errors
    /// [`crate::error::Kind::Denied`], naming the option and what the owner can do.
    pub fn check(&self, key: &str, value: &str) -> Result<()> {
        let lower = key.to_lowercase();
        let mut named: Vec<String> = Vec::new();
        let mut rest = value;
        while let Some((_, after)) = rest.split_once("${") {
            let (reference, after) = after.split_once('}').unwrap_or((after, ""));
            named.push(reference.to_owned());
            rest = after;
        }
        let last = lower.rsplit(['.', '_']).next().unwrap_or_default();
        let place =
            PLACES.contains(&last) || FAMILIES.iter().any(|family| lower.starts_with(family));
        if place && named.is_empty() {
            named.push(format!("file:{value}"));
        }
        let Some(refused) = named.iter().find(|reference| !self.allows(reference)) else {
            return Ok(());
        };
        Err(Error::denied(format!(
            "option \"{key}\" names \"{refused}\", which is the server's own"
        ))
        .hint(
            "the owner of the server defines such tables, by --init or sluice sql, or lists it in \
             the configuration under [security] allow_references",
        ))
    }

    fn allows(&self, reference: &str) -> bool {
        is_plain(reference)
            && self.0.iter().any(|entry| match entry.strip_suffix('*') {
                Some(begin) => reference.starts_with(begin),
                None => reference == entry,
            })
    }
}

/// Refuses a place in an object store that would be reached with the server's own credentials,
/// because the definition brings none.
///
/// # Errors
/// [`crate::error::Kind::Denied`], naming the place and the way out.
pub fn check_location(location: &str, options: &[(String, String)]) -> Result<()> {
    let scheme = location
        .split("://")
        .next()
        .unwrap_or_default()
        .to_lowercase();
    let option = |name: &str| {
        let found = options
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    let unsigned = option("s3.skip_signature").is_some_and(|on| on.eq_ignore_ascii_case("true"));
    if !["s3", "s3a"].contains(&scheme.as_str()) || unsigned || option("s3.access_key_id").is_some()
    {
        return Ok(());
    }
    Err(Error::denied(format!(
        "\"{location}\" would be reached with the server's own credentials"
    ))
    .hint(
        "give the options 's3.access_key_id' and 's3.secret_access_key'; the owner of the server \
         defines tables that use its credentials, by --init or sluice sql",
    ))
}

/// Whether a path stays below where it begins.
fn is_plain(path: &str) -> bool {
    !path.split('/').any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entries: &[&str]) -> Result<AllowedReferences> {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        AllowedReferences::new(&entries)
    }

    #[test]
    fn what_is_not_listed_is_refused() {
        let some = allowed(&["env:KAFKA_*", "file:/etc/sluice/*", "env:ONE"]).unwrap();
        let none = AllowedReferences::default();
        let rows = [
            ("kafka.sasl.password", "${env:KAFKA_PASSWORD}", true),
            ("kafka.sasl.password", "${env:ONE}", true),
            ("kafka.sasl.password", "${env:ONE_MORE}", false),
            ("kafka.sasl.password", "${env:KAFKA_A}${env:HOME}", false),
            ("kafka.sasl.password", "${env:KAFKA_A", true),
            ("kafka.ssl.ca.location", "/etc/sluice/ca.pem", true),
            ("kafka.ssl.ca.location", "/etc/sluice/../passwd", false),
            ("kafka.ssl.ca.location", "/etc/passwd", false),
            ("KAFKA.SSL.CA.LOCATION", "/etc/passwd", false),
            ("kafka.ssl.key.pem", "${file:/etc/sluice/key.pem}", true),
            ("kafka.ssl.key.pem", "${file:/etc/sluice/../shadow}", false),
            ("aws_web_identity_token_file", "/tmp/token", false),
            ("kafka.sasl.kerberos.keytab", "/tmp/x", false),
            ("kafka.sasl.kerberos.service.name", "kafka", false),
        ];
        for (key, value, want) in rows {
            assert_eq!(some.check(key, value).is_ok(), want, "{key} {value}");
            let error = none.check(key, value).unwrap_err().to_string();
            assert!(error.contains("allow_references"), "{error}");
        }
        assert!(none.check("format", "json").is_ok());
        assert!(none.check("kafka.client.id", "a").is_ok());
    }

    #[test]
    fn the_servers_credentials_are_its_owners() {
        let options = |all: &[(&str, &str)]| -> Vec<(String, String)> {
            let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            all.iter().map(own).collect()
        };
        let rows = [
            ("s3://bucket/t", options(&[]), false),
            ("S3A://bucket/t", options(&[("s3.region", "eu")]), false),
            (
                "s3://bucket/t",
                options(&[("s3.skip_signature", "false")]),
                false,
            ),
            (
                "s3://bucket/t",
                options(&[("s3.skip_signature", "true")]),
                true,
            ),
            ("s3://bucket/t", options(&[("S3.access_key_id", "A")]), true),
            ("kafka://host:1/t", options(&[]), true),
        ];
        for (location, options, want) in rows {
            let checked = check_location(location, &options);
            assert_eq!(checked.is_ok(), want, "{location} {options:?}");
        }
    }

    #[test]
    fn entries_that_mean_nothing_are_named() {
        for entry in [
            "*",
            "env:",
            "file:etc",
            "vault:x",
            "env:A*B",
            "file:/a/../b",
        ] {
            let error = allowed(&[entry]).unwrap_err().to_string();
            assert!(error.contains(entry), "{error}");
        }
    }
}
