//! Where a table may be: an absolute path, or a URL of a scheme that is built in.

use std::path::{Path, PathBuf};

use sluice_engine::error::{Error, Result};
use url::Url;

/// The URL of the folder that `location` names.
///
/// # Errors
/// [`sluice_engine::error::Kind::Unsupported`] for a scheme that is not built in,
/// [`sluice_engine::error::Kind::User`] for what is no location.
pub(super) fn parse(location: &str) -> Result<Url> {
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

/// The folder that a URL made by [`parse`] names.
pub(super) fn folder(url: &Url) -> Option<PathBuf> {
    url.to_file_path().ok()
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
        .hint("give an absolute path, or a URL that begins with file://"));
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
        let error = parse("s3://bucket/logs").unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.message().contains("\"s3\""), "{error}");
        assert!(error.hint_text().unwrap().contains("file://"), "{error}");
        assert_eq!(parse("logs").unwrap_err().kind(), Kind::User);
        assert_eq!(parse("file://host/logs").unwrap_err().kind(), Kind::User);
    }
}
