//! Where a table may be: an absolute path, a file:// URL, or a bucket where that is built in.

use std::path::{Path, PathBuf};

use sluice_engine::error::{Error, Result};
use url::Url;

/// The URL of the folder that `location` names.
///
/// # Errors
/// [`sluice_engine::error::Kind::Unsupported`] for a scheme that is not built in,
/// [`sluice_engine::error::Kind::User`] for what is no location.
pub(super) fn parse(location: &str) -> Result<Url> {
    if cfg!(feature = "s3") && location.starts_with("s3://") {
        return bucket(location);
    }
    let path = if location.contains("://") || location.starts_with("file:") {
        local(location)?
    } else {
        PathBuf::from(location)
    };
    if !path.is_absolute() {
        return Err(Error::user(format!(
            "location \"{location}\" is not an absolute path"
        )));
    }
    Url::from_directory_path(&path)
        .ok()
        .and_then(|url| Url::parse(url.as_str()).ok())
        .ok_or_else(|| {
            Error::user(format!(
                "location \"{location}\" is not a path of this machine"
            ))
        })
}

/// Whether a URL made by [`parse`] is one of S3's.
pub(super) fn is_s3(url: &Url) -> bool {
    url.scheme() == "s3"
}

/// The folder that a URL made by [`parse`] names; `None` where there are no folders.
pub(super) fn folder(url: &Url) -> Option<PathBuf> {
    (url.scheme() == "file").then(|| url.to_file_path().ok())?
}

fn bucket(location: &str) -> Result<Url> {
    let wrong = |what: &str| {
        Err(Error::user(format!("location \"{location}\" {what}"))
            .hint("write it like s3://bucket/folder"))
    };
    let Ok(mut url) = Url::parse(location) else {
        return wrong("is not a URL");
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
    if url.host_str().is_none_or(str::is_empty) || !plain {
        return wrong("names no bucket");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("has more than a bucket and a folder");
    }
    if url.path().trim_matches('/').is_empty() {
        return wrong("names no folder in the bucket");
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

fn local(location: &str) -> Result<PathBuf> {
    let wrong = |error: &dyn std::fmt::Display| {
        Error::user(format!("location \"{location}\" is not a URL: {error}"))
    };
    let url = Url::parse(location).map_err(|error| wrong(&error))?;
    if url.scheme() != "file" {
        let scheme = url.scheme();
        return Err(Error::unsupported(format!(
            "location \"{location}\" has the scheme \"{scheme}\", which is not built in"
        ))
        .hint(match cfg!(feature = "s3") {
            true => "give an absolute path, or a URL that begins with file:// or s3://",
            false => "give an absolute path, or a URL that begins with file://",
        }));
    }
    url.to_file_path()
        .map(|path| Path::new(&path).to_path_buf())
        .map_err(|()| wrong(&"a file URL has no host and an absolute path"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_engine::error::Kind;

    #[test]
    fn paths_and_file_urls_name_the_same_folder() {
        let path = parse("/data/my logs").unwrap();
        assert_eq!(path.as_str(), "file:///data/my%20logs/");
        assert_eq!(parse("file:///data/my%20logs/").unwrap(), path);
        assert_eq!(folder(&path).unwrap(), Path::new("/data/my logs"));
    }

    #[test]
    fn other_locations_are_refused_with_the_way_out() {
        let error = parse("gs://bucket/logs").unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.message().contains("\"gs\""), "{error}");
        assert!(error.hint_text().unwrap().contains("file://"), "{error}");
        assert_eq!(parse("logs").unwrap_err().kind(), Kind::User);
        assert_eq!(parse("file://host/logs").unwrap_err().kind(), Kind::User);
    }

    #[cfg(feature = "s3")]
    #[test]
    fn a_bucket_has_a_folder_and_nothing_else() {
        let url = parse("s3://bucket/my logs/a").unwrap();
        assert_eq!(url.as_str(), "s3://bucket/my%20logs/a/");
        assert!(is_s3(&url) && folder(&url).is_none());
        for wrong in [
            "s3://bucket",
            "s3://bucket/",
            "s3:///logs",
            "s3://key:secret@bucket/logs",
            "s3://bucket/logs?x=1",
        ] {
            let error = parse(wrong).unwrap_err();
            assert_eq!(error.kind(), Kind::User, "{wrong}");
            assert!(error.hint_text().is_some(), "{wrong}");
        }
    }
}
