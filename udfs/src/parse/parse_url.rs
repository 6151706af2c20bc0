//! `parse_url(text)` takes a URL apart, also one without scheme or host as request lines have it.
//! NULL gives NULL; what is no URL gives a struct of NULLs that says why in `parse_error`. Cost:
//! one pass over the text.

use std::any::Any;
use std::borrow::Cow;

use arrow::array::{ArrayBuilder, ArrayRef, MapBuilder, StringBuilder};
use arrow::datatypes::{DataType, Fields};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion_macros::user_doc;

use crate::args;
use crate::parse::structs::{Column, Kind, PARSE_ERROR, Rows, map_field, parse_text, text_map};

/// The fields before the parameters, and their types.
const FIELDS: [(&str, Kind); 8] = [
    ("scheme", Kind::Text),
    ("username", Kind::Text),
    ("password", Kind::Text),
    ("host", Kind::Text),
    ("port", Kind::Integer),
    ("path", Kind::Text),
    ("query", Kind::Text),
    ("fragment", Kind::Text),
];

/// The function `parse_url`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ParseUrl::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "Takes a URL apart into `scheme`, `username`, `password`, `host`, `port` \
(BIGINT), `path`, `query`, `fragment`, `parameters` (MAP of VARCHAR; of a repeated name the last) \
and `parse_error`. Scheme and host are in lower case; username, password and parameters are \
decoded, the rest is as written. A path alone, as in request lines, and `host:port` are read too. \
What is missing is NULL; what is no URL gives NULL fields and the reason in `parse_error`. NULL \
gives NULL.",
    syntax_example = "parse_url(text)",
    sql_example = r#"```sql
> SELECT u['host'] AS host, u['port'] AS port, u['path'] AS path, u['parameters']['q'] AS q
  FROM (SELECT parse_url('https://Shop.example.com:8443/find?q=caf%C3%A9+bar#top') AS u);
+------------------+------+-------+----------+
| host             | port | path  | q        |
+------------------+------+-------+----------+
| shop.example.com | 8443 | /find | café bar |
+------------------+------+-------+----------+
> SELECT parse_url('http://example.com:99999/')['parse_error'] AS parse_error;
+--------------------+
| parse_error        |
+--------------------+
| "99999" is no port |
+--------------------+
```"#,
    argument(
        name = "text",
        description = "A URL: VARCHAR in any of its Arrow forms, also dictionary encoded."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct ParseUrl {
    signature: Signature,
}

impl ParseUrl {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(vec!["text".to_owned()]);
        Self { signature }
    }
}

fn fields() -> Fields {
    let plain = FIELDS.iter().map(|(name, kind)| kind.field(name));
    let last = [map_field("parameters"), Kind::Text.field(PARSE_ERROR)];
    plain.chain(last).collect()
}

impl ScalarUDFImpl for ParseUrl {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "parse_url"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [text] => Ok(vec![args::text_type(self.name(), text)?]),
            _ => plan_err!("parse_url takes one argument: parse_url(text)"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text] = given.args.as_slice() else {
            return exec_err!("parse_url takes one argument");
        };
        parse_text(text, &fields(), &mut Urls::default())
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// The parts of a URL, as written.
#[derive(Debug, Default, PartialEq, Eq)]
struct Url<'a> {
    scheme: Option<&'a str>,
    username: Option<&'a str>,
    password: Option<&'a str>,
    host: Option<&'a str>,
    port: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

/// Takes `text` apart by RFC 3986, section 3.
fn split(text: &str) -> std::result::Result<Url<'_>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("there is nothing".to_owned());
    }
    if let Some(wrong) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("{wrong:?} cannot stand in a URL"));
    }
    let mut url = Url::default();
    let (scheme, rest) = split_scheme(text);
    url.scheme = scheme;
    let (rest, fragment) = cut(rest, '#');
    let (rest, query) = cut(rest, '?');
    (url.query, url.fragment) = (query, fragment);
    let authority = match rest.strip_prefix("//") {
        Some(rest) => Some(rest),
        None if scheme.is_none() && !rest.starts_with(['/', '?', '#']) => Some(rest),
        None => None,
    };
    let Some(rest) = authority else {
        url.path = rest;
        return Ok(url);
    };
    let length = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(length);
    url.path = path;
    let place = match authority.rsplit_once('@') {
        Some((user, place)) => {
            (url.username, url.password) = match user.split_once(':') {
                Some((name, password)) => (Some(name), Some(password)),
                None => (Some(user), None),
            };
            place
        }
        None => authority,
    };
    let (host, port) = split_host(place)?;
    url.host = Some(host).filter(|host| !host.is_empty());
    url.port = port.filter(|port| !port.is_empty());
    match url.port {
        Some(port) if port.parse::<u16>().is_err() || port.starts_with('+') => {
            Err(format!("\"{port}\" is no port"))
        }
        _ => Ok(url),
    }
}

/// A scheme is followed by `//`, or by what is no port: `mail.example.com:25` has none.
fn split_scheme(text: &str) -> (Option<&str>, &str) {
    let Some((scheme, rest)) = text.split_once(':') else {
        return (None, text);
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
    let is_scheme =
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(fits);
    let port = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match is_scheme && !is_port {
        true => (Some(scheme), rest),
        false => (None, text),
    }
}

fn split_host(place: &str) -> std::result::Result<(&str, Option<&str>), String> {
    if let Some(inside) = place.strip_prefix('[') {
        let Some((host, rest)) = inside.split_once(']') else {
            return Err(format!("\"{place}\" has no closing bracket"));
        };
        let address = host.split('%').next().unwrap_or_default();
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(format!("\"{host}\" is no IPv6 address"));
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(format!("\"{rest}\" cannot stand after a host")),
        };
    }
    Ok(match place.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    })
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Puts what `%XX` stands for in its place; what stands for no text is left as it is.
fn decode(text: &str, plus: bool) -> Cow<'_, str> {
    if !text.contains('%') && (!plus || !text.contains('+')) {
        return Cow::Borrowed(text);
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let hex = |at: usize| {
            let digit = after
                .get(at)
                .and_then(|byte| char::from(*byte).to_digit(16));
            digit.and_then(|digit| u8::try_from(digit).ok())
        };
        rest = after;
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _, _) if plus => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The rows of one batch.
struct Urls {
    columns: Vec<Column>,
    parameters: MapBuilder<StringBuilder, StringBuilder>,
    errors: StringBuilder,
}

impl Default for Urls {
    fn default() -> Self {
        Self {
            columns: FIELDS.iter().map(|(_, kind)| Column::new(*kind)).collect(),
            parameters: text_map(),
            errors: StringBuilder::new(),
        }
    }
}

impl Urls {
    fn fill(&mut self, values: [Option<&str>; 8]) {
        for (column, value) in self.columns.iter_mut().zip(values) {
            // A port was checked before.
            let _fits = column.push(value);
        }
    }

    fn fill_parameters(&mut self, query: &str) {
        let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decode(name, true), decode(value, true)));
        }
        // Stable, so that of a repeated name the last stays last.
        pairs.sort_by(|one, other| one.0.cmp(&other.0));
        for (at, (name, value)) in pairs.iter().enumerate() {
            if pairs.get(at + 1).is_none_or(|next| next.0 != *name) {
                self.parameters.keys().append_value(name);
                self.parameters.values().append_value(value);
            }
        }
    }
}

impl Rows for Urls {
    fn push(&mut self, text: &str) {
        let url = match split(text) {
            Ok(url) => url,
            Err(error) => {
                self.fill([None; 8]);
                drop(self.parameters.append(false));
                self.errors.append_value(error);
                return;
            }
        };
        let (scheme, host) = (
            url.scheme.map(str::to_ascii_lowercase),
            url.host.map(str::to_ascii_lowercase),
        );
        let username = url.username.map(|name| decode(name, false));
        let password = url.password.map(|word| decode(word, false));
        self.fill([
            scheme.as_deref(),
            username.as_deref(),
            password.as_deref(),
            host.as_deref(),
            url.port,
            Some(url.path).filter(|path| !path.is_empty()),
            url.query,
            url.fragment,
        ]);
        self.fill_parameters(url.query.unwrap_or_default());
        drop(self.parameters.append(url.query.is_some()));
        self.errors.append_null();
    }

    fn push_null(&mut self) {
        self.fill([None; 8]);
        drop(self.parameters.append(false));
        self.errors.append_null();
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let columns = self.columns.iter_mut().map(Column::finish);
        let mut columns: Vec<_> = columns.collect();
        columns.push(ArrayBuilder::finish(&mut self.parameters));
        columns.push(ArrayBuilder::finish(&mut self.errors));
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn parts_are_found() {
        let parts = |text| {
            let url = split(text).unwrap();
            (
                url.scheme,
                url.host,
                url.port,
                url.path,
                url.query,
                url.fragment,
            )
        };
        let cases = [
            (
                "ftp://ftp.is.co.za/rfc/rfc1808.txt",
                (
                    Some("ftp"),
                    Some("ftp.is.co.za"),
                    None,
                    "/rfc/rfc1808.txt",
                    None,
                    None,
                ),
            ),
            (
                "ldap://[2001:db8::7]/c=GB?objectClass?one",
                (
                    Some("ldap"),
                    Some("2001:db8::7"),
                    None,
                    "/c=GB",
                    Some("objectClass?one"),
                    None,
                ),
            ),
            (
                "mailto:John.Doe@example.com",
                (
                    Some("mailto"),
                    None,
                    None,
                    "John.Doe@example.com",
                    None,
                    None,
                ),
            ),
            (
                "telnet://192.0.2.16:80/",
                (
                    Some("telnet"),
                    Some("192.0.2.16"),
                    Some("80"),
                    "/",
                    None,
                    None,
                ),
            ),
            (
                "/a/b?c=d#e",
                (None, None, None, "/a/b", Some("c=d"), Some("e")),
            ),
            (
                "example.com:443",
                (None, Some("example.com"), Some("443"), "", None, None),
            ),
            (
                "//cdn.example.com/x",
                (None, Some("cdn.example.com"), None, "/x", None, None),
            ),
            (
                "http://h?a/b",
                (Some("http"), Some("h"), None, "", Some("a/b"), None),
            ),
        ];
        for (text, want) in cases {
            assert_eq!(parts(text), want, "{text}");
        }
        let url = split("postgres://bob:p%40ss:x@db/logs").unwrap();
        assert_eq!(
            (url.username, url.password),
            (Some("bob"), Some("p%40ss:x"))
        );
        for wrong in [
            "",
            "  ",
            "http://a b/",
            "http://[::1/",
            "http://[zz]/",
            "http://h:x1/",
        ] {
            assert!(split(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn escapes_are_decoded_where_they_stand_for_text() {
        assert_eq!(decode("caf%C3%A9+x", true), "caf\u{e9} x");
        assert_eq!(decode("caf%C3%A9+x", false), "caf\u{e9}+x");
        for kept in ["%", "%4", "%zz", "%FF"] {
            assert_eq!(decode(kept, true), kept);
        }
    }
}
