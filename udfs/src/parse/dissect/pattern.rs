//! A dissect pattern: keys and the delimiters between them. The syntax is that of the dissect
//! processors of Elasticsearch and Logstash.

use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::plan_err;
use datafusion::error::Result;
use memchr::memmem::Finder;

use crate::parse::structs::{PARSE_ERROR, map_field};

/// A pattern, read.
#[derive(Debug)]
pub(super) struct Pattern {
    /// What the text begins with.
    prefix: String,
    keys: Vec<Key>,
    outputs: Vec<Output>,
    separator: String,
    fields: Fields,
}

/// A place in the text.
#[derive(Debug)]
struct Key {
    /// Repeated delimiters after it belong to it.
    padded: bool,
    /// What ends it; nothing after the last.
    delimiter: Option<Finder<'static>>,
}

/// A field of the struct.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// The texts of these keys, in order.
    Text {
        /// The keys.
        keys: Vec<usize>,
    },
    /// A map of one entry.
    Pair {
        /// The key whose text is the entry's key.
        key: usize,
        /// The key whose text is the entry's value.
        value: usize,
    },
}

/// What the first character in a key says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Plain,
    Skip,
    Append(u32),
    Name,
    Value,
}

impl Pattern {
    /// Reads `pattern`; values of an appended field are joined by `separator`.
    ///
    /// # Errors
    /// Names what is wrong with it.
    pub(super) fn parse(pattern: &str, separator: &str) -> Result<Self> {
        let Some((prefix, mut rest)) = pattern.split_once("%{") else {
            return plan_err!("dissect: \"{pattern}\" has no field; write %{{name}}");
        };
        let (mut keys, mut found) = (Vec::new(), Vec::new());
        loop {
            let Some((inside, after)) = rest.split_once('}') else {
                return plan_err!("dissect: \"%{{{rest}\" has no closing brace");
            };
            let (delimiter, next) = match after.split_once("%{") {
                Some((delimiter, next)) => (delimiter, Some(next)),
                None => (after, None),
            };
            if delimiter.is_empty() && next.is_some() {
                return plan_err!(
                    "dissect: nothing stands between \"%{{{inside}}}\" and the next field; put a \
                     delimiter there, or use grok"
                );
            }
            let (inside, padded) = match inside.strip_suffix("->") {
                Some(inside) => (inside, true),
                None => (inside, false),
            };
            let ends = !delimiter.is_empty();
            let delimiter = ends.then(|| Finder::new(delimiter.as_bytes()).into_owned());
            keys.push(Key { padded, delimiter });
            found.push(role(inside)?);
            match next {
                Some(next) => rest = next,
                None => break,
            }
        }
        let named = outputs(&found)?;
        let fields = named.iter().map(|(name, output)| match output {
            Output::Text { .. } => Field::new(name, DataType::Utf8, true),
            Output::Pair { .. } => map_field(name),
        });
        let error = Field::new(PARSE_ERROR, DataType::Utf8, true);
        let fields = fields.chain(std::iter::once(error)).collect();
        Ok(Self {
            prefix: prefix.to_owned(),
            keys,
            outputs: named.into_iter().map(|(_, output)| output).collect(),
            separator: separator.to_owned(),
            fields,
        })
    }

    /// The fields of the struct; `parse_error` is the last.
    pub(super) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// What the fields hold, without `parse_error`.
    pub(super) fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// What joins the values of an appended field.
    pub(super) fn separator(&self) -> &str {
        &self.separator
    }

    /// Leaves in `spans` where each key's text is.
    ///
    /// # Errors
    /// The delimiter that is missing.
    pub(super) fn split(
        &self,
        text: &str,
        spans: &mut Vec<(usize, usize)>,
    ) -> std::result::Result<(), String> {
        spans.clear();
        if !text.starts_with(&self.prefix) {
            return Err(self.prefix.clone());
        }
        let (bytes, mut at) = (text.as_bytes(), self.prefix.len());
        for key in &self.keys {
            let Some(delimiter) = &key.delimiter else {
                spans.push((at, bytes.len()));
                break;
            };
            let needle = delimiter.needle();
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(length) = delimiter.find(rest) else {
                return Err(String::from_utf8_lossy(needle).into_owned());
            };
            spans.push((at, at + length));
            at += length + needle.len();
            while key.padded && bytes.get(at..).is_some_and(|rest| rest.starts_with(needle)) {
                at += needle.len();
            }
        }
        Ok(())
    }
}

fn role(inside: &str) -> Result<(Role, String)> {
    let named = |role, name: &str| Ok((role, name.to_owned()));
    if let Some(name) = inside.strip_prefix('?') {
        return named(Role::Skip, name);
    }
    if inside.is_empty() {
        return named(Role::Skip, "");
    }
    let (role, name) = if let Some(name) = inside.strip_prefix('+') {
        match name.split_once('/') {
            None => (Role::Append(0), name),
            Some((name, order)) => match order.parse() {
                Ok(order) => (Role::Append(order), name),
                Err(_) => {
                    return plan_err!("dissect: \"{order}\" in \"%{{{inside}}}\" is no number");
                }
            },
        }
    } else if let Some(name) = inside.strip_prefix('*') {
        (Role::Name, name)
    } else if let Some(name) = inside.strip_prefix('&') {
        (Role::Value, name)
    } else {
        (Role::Plain, inside)
    };
    if name.is_empty() || name.contains(['{', '%', '}']) {
        return plan_err!("dissect: \"%{{{inside}}}\" has no name of a field");
    }
    if name == PARSE_ERROR {
        return plan_err!("dissect: the field \"{name}\" is its own; give yours another name");
    }
    named(role, name)
}

/// The fields that keys make, in the order in which their names first stand.
fn outputs(found: &[(Role, String)]) -> Result<Vec<(String, Output)>> {
    let mut named: Vec<(String, Output)> = Vec::new();
    for (role, name) in found {
        if *role == Role::Skip || named.iter().any(|(known, _)| known == name) {
            continue;
        }
        let places = |wanted: fn(&Role) -> bool| {
            let all = found.iter().enumerate();
            let places = all.filter(move |(_, (role, other))| other == name && wanted(role));
            places
                .map(|(at, (role, _))| (at, *role))
                .collect::<Vec<_>>()
        };
        let pair = |role: &Role| matches!(role, Role::Name | Role::Value);
        if pair(role) {
            let keys = places(|role| *role == Role::Name);
            let values = places(|role| *role == Role::Value);
            let others = places(|role| matches!(role, Role::Plain | Role::Append(_)));
            let ([(key, _)], [(value, _)], true) =
                (keys.as_slice(), values.as_slice(), others.is_empty())
            else {
                return plan_err!(
                    "dissect: \"{name}\" needs one %{{*{name}}} and one %{{&{name}}}, and no more"
                );
            };
            let (key, value) = (*key, *value);
            named.push((name.clone(), Output::Pair { key, value }));
            continue;
        }
        let mut keys = places(|role| matches!(role, Role::Plain | Role::Append(_)));
        let plain = keys.iter().filter(|(_, role)| *role == Role::Plain).count();
        if plain > 1 {
            return plan_err!(
                "dissect: the field \"{name}\" stands twice; write %{{+{name}}} to append to it"
            );
        }
        if !places(|role| matches!(role, Role::Name | Role::Value)).is_empty() {
            return plan_err!("dissect: \"{name}\" is a field and a reference; use two names");
        }
        keys.sort_by_key(|(_, role)| match role {
            Role::Append(order) => *order,
            _ => 0,
        });
        let keys = keys.into_iter().map(|(at, _)| at).collect();
        named.push((name.clone(), Output::Text { keys }));
    }
    if named.is_empty() {
        return plan_err!("dissect: the pattern names no field; write %{{name}}");
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pattern: &str, text: &str) -> std::result::Result<Vec<String>, String> {
        let pattern = Pattern::parse(pattern, "").unwrap();
        let mut spans = Vec::new();
        pattern.split(text, &mut spans)?;
        Ok(spans
            .iter()
            .map(|(from, to)| text[*from..*to].to_owned())
            .collect())
    }

    #[test]
    fn text_is_split_at_delimiters() {
        let cases: [(&str, &str, &[&str]); 8] = [
            ("%{a} %{b}", "x y z", &["x", "y z"]),
            ("[%{a}] %{b}", "[x] y", &["x", "y"]),
            ("%{a->} %{b}", "x    y", &["x", "y"]),
            ("%{a} %{b}", "x  y", &["x", " y"]),
            ("%{a},%{b},%{c}", "x,,z", &["x", "", "z"]),
            ("%{a};", "x;rest", &["x"]),
            ("%{a}, %{b}", "\u{e9}, \u{1f600}", &["\u{e9}", "\u{1f600}"]),
            ("%{a->}::%{b}", "x::::y", &["x", "y"]),
        ];
        for (pattern, text, want) in cases {
            assert_eq!(values(pattern, text).unwrap(), want, "{pattern}");
        }
        assert_eq!(values("%{a} - %{b}", "x y"), Err(" - ".to_owned()));
        assert_eq!(values("<%{a}>", "x>"), Err("<".to_owned()));
    }

    #[test]
    fn errors_name_the_way_out() {
        let cases = [
            ("plain", "has no field"),
            ("%{a}%{b}", "nothing stands between"),
            ("%{a", "no closing brace"),
            ("%{a} %{a}", "write %{+a} to append"),
            ("%{*a} %{b}", "one %{*a} and one %{&a}"),
            ("%{+a/x}", "is no number"),
            ("%{} %{?b}", "names no field"),
            ("%{parse_error}", "another name"),
        ];
        for (pattern, want) in cases {
            let got = Pattern::parse(pattern, "").unwrap_err().to_string();
            assert!(got.contains(want), "{pattern}: {got}");
        }
    }
}
