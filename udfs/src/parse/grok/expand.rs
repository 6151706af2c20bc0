//! A grok pattern to a regular expression: references are replaced by what they stand for, fields
//! become capture groups in order, and the dialect of Oniguruma, in which grok patterns are
//! written, is put into the one of the regex crate, which has no look-around and no way back.

use std::collections::HashMap;

use datafusion::common::plan_err;
use datafusion::error::Result;

use super::library;
use crate::parse::structs::Kind;

/// How deep references may lie in each other.
const DEPTH_MAX: usize = 40;
/// How long an expression may become.
const LENGTH_MAX: usize = 1 << 20;

/// A group of the expression whose text becomes a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capture {
    /// The field's name.
    pub(crate) field: String,
    /// The field's type.
    pub(crate) kind: Kind,
    /// The pattern itself names it, not one that it refers to.
    pub(crate) own: bool,
}

/// A pattern as a regular expression. Its only groups are the captures, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expanded {
    /// The expression.
    pub(crate) regex: String,
    /// Its groups.
    pub(crate) captures: Vec<Capture>,
}

/// Expands `pattern`; `own` definitions come before those of the library.
///
/// # Errors
/// Names what is unknown or not supported in it, and the way out.
pub(crate) fn expand(pattern: &str, own: &HashMap<String, String>) -> Result<Expanded> {
    let mut expander = Expander {
        own,
        out: Expanded::default(),
        within: Vec::new(),
    };
    expander.text(pattern)?;
    Ok(expander.out)
}

struct Expander<'a> {
    own: &'a HashMap<String, String>,
    out: Expanded,
    /// The patterns being expanded, outermost first.
    within: Vec<String>,
}

impl Expander<'_> {
    fn text(&mut self, pattern: &str) -> Result<()> {
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            if self.out.regex.len() > LENGTH_MAX {
                return plan_err!("a grok pattern expands to more than {LENGTH_MAX} characters");
            }
            rest = match first {
                '%' if rest.starts_with("%{") => self.reference(rest)?,
                '\\' => self.escape(rest, false)?,
                '[' => self.class(rest)?,
                '(' => self.group(rest)?,
                '{' => self.brace(rest),
                '}' => self.literal("\\}", &rest[1..]),
                _ => {
                    self.out.regex.push(first);
                    &rest[first.len_utf8()..]
                }
            };
        }
        Ok(())
    }

    fn literal<'r>(&mut self, text: &str, rest: &'r str) -> &'r str {
        self.out.regex.push_str(text);
        rest
    }

    /// `%{NAME}`, `%{NAME:field}`, `%{NAME:field:type}`, each perhaps with `=definition`.
    fn reference<'r>(&mut self, rest: &'r str) -> Result<&'r str> {
        let Some(length) = closing(&rest[1..]) else {
            return plan_err!("grok: \"{rest}\" has no closing brace");
        };
        let (inside, after) = (&rest[2..length], &rest[length + 1..]);
        let (head, definition) = match inside.split_once('=') {
            Some((head, definition)) => (head, Some(definition)),
            None => (inside, None),
        };
        let mut parts = head.splitn(3, ':');
        let name = parts.next().unwrap_or_default();
        let (field, kind) = (parts.next(), parts.next());
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return plan_err!(
                "grok: \"%{{{inside}}}\" is no reference; write %{{NAME}}, %{{NAME:field}} or \
                 %{{NAME:field:type}}"
            );
        }
        let meaning = match definition {
            Some(text) => text.to_owned(),
            None => self.definition(name)?,
        };
        if self.within.iter().any(|outer| outer == name) || self.within.len() >= DEPTH_MAX {
            return plan_err!("grok pattern \"{name}\" refers to itself; define it without");
        }
        match field {
            Some(field) => self.open_field(field, kind)?,
            None => self.out.regex.push_str("(?:"),
        }
        self.within.push(name.to_owned());
        self.text(&meaning)?;
        self.within.pop();
        self.out.regex.push(')');
        Ok(after)
    }

    fn definition(&self, name: &str) -> Result<String> {
        if let Some(own) = self.own.get(name) {
            return Ok(own.clone());
        }
        if let Some(known) = library::definition(name) {
            return Ok(known.to_owned());
        }
        let near = library::near(name, self.own.keys().map(String::as_str));
        let near = match near.is_empty() {
            true => String::new(),
            false => format!("; near it are {}", near.join(", ")),
        };
        plan_err!(
            "grok does not know the pattern \"{name}\"{near}; define it where it is used, \
             %{{{name}:field=regex}}, or by definitions => ARRAY['{name} regex']"
        )
    }

    fn open_field(&mut self, field: &str, kind: Option<&str>) -> Result<()> {
        let field = field_name(field)?;
        let kind = match kind {
            None => Kind::Text,
            Some(word) => match kind_of(word) {
                Some(kind) => kind,
                None => {
                    return plan_err!(
                        "grok does not know the type \"{word}\" of \"{field}\"; valid are int, \
                         long, float, double, bool, string"
                    );
                }
            },
        };
        let own = self.within.is_empty();
        self.out.captures.push(Capture { field, kind, own });
        self.out.regex.push('(');
        Ok(())
    }

    /// `\x`; what the regex crate spells otherwise is respelled.
    fn escape<'r>(&mut self, rest: &'r str, in_class: bool) -> Result<&'r str> {
        let mut characters = rest.chars();
        characters.next();
        let Some(escaped) = characters.next() else {
            return plan_err!("grok: a pattern ends in a backslash; write \\\\ for one");
        };
        let after = characters.as_str();
        match escaped {
            'h' if in_class => self.out.regex.push_str("0-9A-Fa-f"),
            'h' => self.out.regex.push_str("[0-9A-Fa-f]"),
            'Z' => self.out.regex.push_str("\\z"),
            '1'..='9' | 'k' | 'g' if !in_class => {
                return plan_err!(
                    "grok: \"\\{escaped}\" refers back to a group, which is not supported; capture \
                     the text again under another name"
                );
            }
            ' ' | '<' | '>' | '_' => self.out.regex.push(escaped),
            other if other.is_ascii() => {
                self.out.regex.push('\\');
                self.out.regex.push(other);
            }
            other => self.out.regex.push(other),
        }
        Ok(after)
    }

    /// `[...]`, with classes inside of it.
    fn class<'r>(&mut self, rest: &'r str) -> Result<&'r str> {
        let (mut depth, mut at) = (0_usize, rest);
        while let Some(first) = at.chars().next() {
            if first == '\\' {
                at = self.escape(at, true)?;
                continue;
            }
            if at.starts_with("[:") && depth > 0 {
                let end = at.find(":]").map_or(1, |end| end + 2);
                at = self.literal(&at[..end], &at[end..]);
                continue;
            }
            depth = match first {
                '[' => depth + 1,
                ']' => depth.saturating_sub(1),
                _ => depth,
            };
            self.out.regex.push(first);
            at = &at[first.len_utf8()..];
            if first == '[' {
                // Right after its beginning a bracket is a member, also behind `^`.
                if let Some(after) = at.strip_prefix('^') {
                    at = self.literal("^", after);
                }
                if let Some(after) = at.strip_prefix(']') {
                    at = self.literal("\\]", after);
                }
            }
            if depth == 0 {
                return Ok(at);
            }
        }
        plan_err!("grok: \"{rest}\" has no closing bracket; write \\[ for a bracket itself")
    }

    /// `(`: a plain group captures nothing, a named one is a field.
    fn group<'r>(&mut self, rest: &'r str) -> Result<&'r str> {
        let Some(inside) = rest.strip_prefix("(?") else {
            return Ok(self.literal("(?:", &rest[1..]));
        };
        if ["=", "!", "<=", "<!"]
            .iter()
            .any(|look| inside.starts_with(look))
        {
            return plan_err!(
                "grok: \"(?{}\" looks around, which is not supported; match the text there and \
                 leave it out of the field",
                inside.chars().take(2).collect::<String>()
            );
        }
        if let Some(comment) = inside.strip_prefix('#') {
            let end = comment.find(')').map_or(comment.len(), |end| end + 1);
            return Ok(&comment[end..]);
        }
        if let Some(after) = inside.strip_prefix('>') {
            return Ok(self.literal("(?:", after));
        }
        let named = [("P<", '>'), ("<", '>'), ("'", '\'')];
        for (open, close) in named {
            let Some((name, after)) = inside
                .strip_prefix(open)
                .and_then(|inside| inside.split_once(close))
            else {
                continue;
            };
            let (name, kind) = match name.split_once(':') {
                Some((name, kind)) => (name, Some(kind)),
                None => (name, None),
            };
            self.open_field(name, kind)?;
            return Ok(after);
        }
        let flags = inside.find([')', ':']).map_or(inside.len(), |end| end + 1);
        self.out.regex.push_str("(?");
        Ok(self.literal(&inside[..flags], &inside[flags..]))
    }

    /// `{2,3}` repeats; any other brace is itself.
    fn brace<'r>(&mut self, rest: &'r str) -> &'r str {
        let inside = rest[1..].split_once('}');
        if let Some((bounds, after)) = inside {
            let (least, most) = bounds.split_once(',').unwrap_or((bounds, "0"));
            let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
            let repeats = digits(least) && digits(most) && !(least.is_empty() && most.is_empty());
            if repeats && !bounds.is_empty() && !self.out.regex.is_empty() {
                let zero = if least.is_empty() { "0" } else { "" };
                self.out.regex.push_str(&format!("{{{zero}{bounds}}}"));
                return after;
            }
        }
        self.literal("\\{", &rest[1..])
    }
}

/// Where the brace that opens `text` closes.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut escaped) = (0_usize, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The name of a field: `[a][b]` is `a.b`.
fn field_name(text: &str) -> Result<String> {
    let name = match text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
    {
        Some(path) => path.replace("][", "."),
        None => text.to_owned(),
    };
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-' | ' ');
    if name.is_empty() || !name.chars().all(fits) {
        return plan_err!("grok: \"{text}\" cannot be the name of a field; use letters and digits");
    }
    if name == crate::parse::structs::PARSE_ERROR {
        return plan_err!("grok: the field \"{name}\" is its own; give yours another name");
    }
    Ok(name)
}

fn kind_of(word: &str) -> Option<Kind> {
    Some(match word {
        "int" | "integer" | "long" => Kind::Integer,
        "float" | "double" => Kind::Float,
        "bool" | "boolean" => Kind::Boolean,
        "string" | "keyword" | "text" => Kind::Text,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(pattern: &str) -> String {
        expand(pattern, &HashMap::new()).unwrap().regex
    }

    fn error(pattern: &str) -> String {
        expand(pattern, &HashMap::new()).unwrap_err().to_string()
    }

    #[test]
    fn oniguruma_is_respelled() {
        let cases = [
            ("(a|b)", "(?:a|b)"),
            ("(?>a+)b", "(?:a+)b"),
            ("(?<x>a)(?P<y>b)(?'z'c)", "(a)(b)(c)"),
            ("(?i)a(?#note)b(?i:c)", "(?i)ab(?i:c)"),
            (r"\h[\h-]\<a\>\ b", "[0-9A-Fa-f][0-9A-Fa-f-]<a> b"),
            (r#"{"a":1}"#, r#"\{"a":1\}"#),
            ("a{2}b{,3}c{1,}d{x}", r"a{2}b{0,3}c{1,}d\{x\}"),
            ("[]a][^]b][[:alpha:]_]", r"[\]a][^\]b][[:alpha:]_]"),
            ("%{N:[a][b]=x{2}}", "(x{2})"),
        ];
        for (pattern, want) in cases {
            assert_eq!(regex(pattern), want, "{pattern}");
        }
    }

    #[test]
    fn fields_have_names_and_types() {
        let expanded = expand("%{A:[a][b]=x} %{B:n:int=y} (?<c:float>z)", &HashMap::new());
        let captures = expanded.unwrap().captures;
        let got: Vec<_> = captures
            .iter()
            .map(|c| (c.field.as_str(), c.kind))
            .collect();
        let want = [
            ("a.b", Kind::Text),
            ("n", Kind::Integer),
            ("c", Kind::Float),
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn errors_name_the_way_out() {
        let cases = [
            ("%{INTT:a}", "near it are INT"),
            ("%{INTT:a}", "definitions => ARRAY['INTT regex']"),
            ("%{INT:a:number}", "valid are int, long, float"),
            ("%{INT", "no closing brace"),
            ("%{a b}", "is no reference"),
            ("(?=a)", "looks around"),
            ("(?<!a)b", "looks around"),
            (r"(?<x>a)\k<x>", "refers back"),
            ("[a", "no closing bracket"),
            ("a\\", "ends in a backslash"),
            ("%{INT:parse_error}", "give yours another name"),
        ];
        for (pattern, want) in cases {
            let got = error(pattern);
            assert!(got.contains(want), "{pattern}: {got}");
        }
        let circle = [("X", "%{Y}"), ("Y", "a%{X}")];
        let circle = circle.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let got = expand("%{X:a}", &HashMap::from(circle)).unwrap_err();
        assert!(got.to_string().contains("refers to itself"), "{got}");
    }
}
