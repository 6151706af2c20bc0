//! What a call presents, in every shape that drivers send.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use tonic::codegen::http::HeaderMap;

/// A header that may hold an API key.
const API_KEY: &str = "x-api-key";
/// Credentials looked at in one call; each may cost a verification.
const PRESENTED_MAX: usize = 4;

/// Some clients send base64 without padding, others with it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The credentials of one call.
#[derive(Debug, Default)]
pub(super) struct Presented<'a> {
    /// Of headers "authorization: Bearer".
    pub(super) bearers: Vec<&'a str>,
    /// Of headers "x-api-key".
    pub(super) keys: Vec<&'a str>,
    /// Users and passwords, of headers "authorization: Basic".
    pub(super) passwords: Vec<(String, String)>,
    /// A header "authorization: Basic" that cannot be read.
    unreadable: bool,
    /// A header "authorization" of another scheme.
    foreign: bool,
}

impl<'a> Presented<'a> {
    /// Reads the headers of a call.
    pub(super) fn read(headers: &'a HeaderMap) -> Self {
        let mut presented = Self::default();
        for text in texts(headers, "authorization") {
            let text = text.trim();
            let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
            let rest = rest.trim();
            if scheme.eq_ignore_ascii_case("bearer") {
                presented.bearers.push(rest);
            } else if !scheme.eq_ignore_ascii_case("basic") {
                presented.foreign = true;
            } else if let Some(pair) = basic(rest) {
                presented.passwords.push(pair);
            } else {
                presented.unreadable = true;
            }
        }
        presented.keys = texts(headers, API_KEY).map(str::trim).collect();
        presented
    }

    /// What is wrong with credentials of which none was right; `None` when there are none.
    pub(super) fn wrong(&self, expired: bool) -> Option<&'static str> {
        let text = if expired {
            "the bearer token has expired, or its user's credentials have changed\n\
             hint: connect again"
        } else if !self.passwords.is_empty() {
            "the user name or password is wrong\n\
             hint: the password is the user's own, the server's token or an API key"
        } else if !self.bearers.is_empty() {
            "the bearer token is wrong\n\
             hint: send the server's token or an API key, or connect with a user and password"
        } else if !self.keys.is_empty() {
            "the API key is wrong\nhint: the header x-api-key holds a key of `server.api_keys`"
        } else if self.unreadable {
            "the authorization header is not Basic with the base64 of \"user:password\""
        } else if self.foreign {
            "the authorization header is neither Basic nor Bearer"
        } else {
            return None;
        };
        Some(text)
    }
}

/// The values of the first headers `name` that are text.
fn texts<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().take(PRESENTED_MAX);
    values.map(|value| value.to_str().unwrap_or_default())
}

/// User and password in the value of a Basic header.
fn basic(text: &str) -> Option<(String, String)> {
    let pair = String::from_utf8(LENIENT.decode(text).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The values of the cookie `name`.
pub(super) fn cookies<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> impl Iterator<Item = &'a str> {
    let lines = headers
        .get_all("cookie")
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(move |pair| {
            let (found, value) = pair.trim().split_once('=')?;
            (found == name).then(|| value.trim_matches('"'))
        })
}
