//! Patterns of STIX 2.1 (section 9): which addresses, domains, URLs and hashes are enough for one
//! to match. `[ipv4-addr:value = '1.2.3.4' OR domain-name:value IN ('a.example', 'b.example')]` has
//! three. Of what only matches together with something else, such as a file's name, none is one;
//! ports and protocols beside an address are left aside, as no lookup has them.

/// Brackets in each other that are followed.
const DEPTH_MAX: usize = 32;

/// Properties whose values are looked up.
const VALUES: [&str; 8] = [
    "ipv4-addr:value",
    "ipv6-addr:value",
    "domain-name:value",
    "url:value",
    "network-traffic:src_ref.value",
    "network-traffic:dst_ref.value",
    "file:hashes.MD5",
    "file:hashes.SHA-1",
];
const SHA256: &str = "file:hashes.SHA-256";

/// The values of `pattern` that are enough for it to match, which may be none; `None` for what is
/// no pattern.
pub(super) fn values(pattern: &str) -> Option<Vec<String>> {
    let mut parser = Parser {
        rest: pattern,
        depth: 0,
    };
    let meaning = parser.observations()?;
    match (meaning, parser.next()) {
        (Meaning::Any(values), Token::End) => Some(values),
        (_, Token::End) => Some(Vec::new()),
        _ => None,
    }
}

/// What a part of a pattern asks for.
#[derive(Debug, PartialEq)]
enum Meaning {
    /// Any one of these values.
    Any(Vec<String>),
    /// A port, a protocol or a kind, beside a value.
    Narrow,
    /// What no lookup can tell.
    Other,
}

impl Meaning {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any(values), Self::Narrow) | (Self::Narrow, Self::Any(values)) => {
                Self::Any(values)
            }
            (Self::Narrow, Self::Narrow) => Self::Narrow,
            _ => Self::Other,
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any(mut values), Self::Any(more)) => {
                values.extend(more);
                Self::Any(values)
            }
            (Self::Any(values), _) | (_, Self::Any(values)) => Self::Any(values),
            (Self::Narrow, Self::Narrow) => Self::Narrow,
            _ => Self::Other,
        }
    }
}

#[derive(Debug, PartialEq)]
enum Token<'a> {
    /// A word, a path, a number or an operator.
    Word(&'a str),
    /// The content of a string.
    Text(String),
    Sign(char),
    End,
    Broken,
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn observations(&mut self) -> Option<Meaning> {
        let mut all = self.observations_or()?;
        while self.takes("FOLLOWEDBY") {
            self.observations_or()?;
            all = Meaning::Other;
        }
        Some(all)
    }

    fn observations_or(&mut self) -> Option<Meaning> {
        let mut all = self.observations_and()?;
        while self.takes("OR") {
            all = all.or(self.observations_and()?);
        }
        Some(all)
    }

    fn observations_and(&mut self) -> Option<Meaning> {
        let mut all = self.observation()?;
        while self.takes("AND") {
            self.observation()?;
            // Two things that have both been seen, of which neither is enough.
            all = Meaning::Other;
        }
        Some(all)
    }

    fn observation(&mut self) -> Option<Meaning> {
        let inner = match self.next() {
            Token::Sign('[') => {
                let inner = self.comparisons()?;
                self.sign(']').then_some(inner)?
            }
            Token::Sign('(') => {
                let inner = self.deeper(Self::observations)?;
                self.sign(')').then_some(inner)?
            }
            _ => return None,
        };
        self.qualifiers()?;
        Some(inner)
    }

    /// Within which time and how often: a lookup knows of one sighting at a time.
    fn qualifiers(&mut self) -> Option<()> {
        loop {
            if self.takes("WITHIN") || self.takes("REPEATS") {
                self.next();
                (self.takes("SECONDS") || self.takes("TIMES")).then_some(())?;
            } else if self.takes("START") {
                self.instant()?;
                self.takes("STOP").then_some(())?;
                self.instant()?;
            } else {
                return Some(());
            }
        }
    }

    /// `t'2026-02-05T10:00:00Z'`.
    fn instant(&mut self) -> Option<()> {
        self.takes("t");
        matches!(self.next(), Token::Text(_)).then_some(())
    }

    fn comparisons(&mut self) -> Option<Meaning> {
        let mut all = self.comparisons_and()?;
        while self.takes("OR") {
            all = all.or(self.comparisons_and()?);
        }
        Some(all)
    }

    fn comparisons_and(&mut self) -> Option<Meaning> {
        let mut all = self.comparison()?;
        while self.takes("AND") {
            all = all.and(self.comparison()?);
        }
        Some(all)
    }

    fn comparison(&mut self) -> Option<Meaning> {
        if self.sign('(') {
            let inner = self.deeper(Self::comparisons)?;
            return self.sign(')').then_some(inner);
        }
        let mut negated = self.takes("NOT");
        if self.takes("EXISTS") {
            self.property()?;
            return Some(Meaning::Other);
        }
        let property = self.property()?;
        negated |= self.takes("NOT");
        let Token::Word(operator) = self.next() else {
            return None;
        };
        let values = match operator {
            "IN" => self.set()?,
            "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" | "LIKE" | "MATCHES" | "ISSUBSET"
            | "ISSUPERSET" => vec![self.literal()?],
            _ => return None,
        };
        let wanted = ["=", "IN", "ISSUBSET"].contains(&operator) && !negated;
        Some(match wanted {
            true if is_value(&property) => Meaning::Any(values),
            true if is_narrow(&property) => Meaning::Narrow,
            _ => Meaning::Other,
        })
    }

    /// An object path such as `file:hashes.'SHA-256'`, without its quotes.
    fn property(&mut self) -> Option<String> {
        let Token::Word(first) = self.next() else {
            return None;
        };
        let mut property = first.to_owned();
        property.contains(':').then_some(())?;
        while property.ends_with('.') || self.rest.starts_with(['[', '.', '\'']) {
            match self.next() {
                Token::Word(more) => property.push_str(more),
                Token::Text(more) => property.push_str(&more),
                Token::Sign('[') => {
                    self.next();
                    self.sign(']').then(|| property.push_str("[]"))?;
                }
                _ => return None,
            }
        }
        Some(property)
    }

    fn set(&mut self) -> Option<Vec<String>> {
        self.sign('(').then_some(())?;
        let mut values = vec![self.literal()?];
        while self.sign(',') {
            values.push(self.literal()?);
        }
        self.sign(')').then_some(values)
    }

    fn literal(&mut self) -> Option<String> {
        match self.next() {
            Token::Text(text) => Some(text),
            // Binary, hexadecimal and times: a letter before the string.
            Token::Word("b" | "h" | "t") => match self.next() {
                Token::Text(text) => Some(text),
                _ => None,
            },
            Token::Word(number) => Some(number.to_owned()),
            _ => None,
        }
    }

    fn deeper(&mut self, inner: fn(&mut Self) -> Option<Meaning>) -> Option<Meaning> {
        self.depth += 1;
        let meaning = (self.depth <= DEPTH_MAX).then(|| inner(self)).flatten();
        self.depth -= 1;
        meaning
    }

    /// Takes `word` if it is next.
    fn takes(&mut self, word: &str) -> bool {
        let before = self.rest;
        let taken = self.next() == Token::Word(word);
        if !taken {
            self.rest = before;
        }
        taken
    }

    fn sign(&mut self, sign: char) -> bool {
        let before = self.rest;
        let taken = self.next() == Token::Sign(sign);
        if !taken {
            self.rest = before;
        }
        taken
    }

    fn next(&mut self) -> Token<'a> {
        let text = self.rest.trim_start();
        let Some(first) = text.chars().next() else {
            self.rest = text;
            return Token::End;
        };
        if first == '\'' {
            return self.text(text);
        }
        let end = match first {
            '[' | ']' | '(' | ')' | ',' => {
                self.rest = text.get(1..).unwrap_or_default();
                return Token::Sign(first);
            }
            '=' | '!' | '<' | '>' => text.find(|c| !"=!<>".contains(c)),
            _ => text.find(|c: char| c.is_whitespace() || "[](),='!<>".contains(c)),
        };
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        self.rest = rest;
        Token::Word(word)
    }

    /// A string from its quote on; a backslash stands before a quote or a backslash.
    fn text(&mut self, text: &str) -> Token<'a> {
        let mut value = String::new();
        let mut characters = text.char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            match c {
                '\'' => {
                    let skipped = self.rest.len() - text.len();
                    self.rest = self.rest.get(skipped + at + 1..).unwrap_or_default();
                    return Token::Text(value);
                }
                '\\' => value.extend(characters.next().map(|(_, c)| c)),
                _ => value.push(c),
            }
        }
        self.rest = "";
        Token::Broken
    }
}

fn is_value(property: &str) -> bool {
    VALUES.contains(&property) || property == SHA256
}

fn is_narrow(property: &str) -> bool {
    let Some(path) = property.strip_prefix("network-traffic:") else {
        return false;
    };
    ["src_ref.type", "dst_ref.type", "src_port", "dst_port"].contains(&path)
        || path.starts_with("protocols")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_that_are_enough() {
        let rows: [(&str, Option<&[&str]>); 22] = [
            ("[ipv4-addr:value = '5.6.7.8']", Some(&["5.6.7.8"])),
            ("[ipv4-addr:value='5.6.7.8']", Some(&["5.6.7.8"])),
            (
                "[ipv4-addr:value ISSUBSET '5.6.0.0/16']",
                Some(&["5.6.0.0/16"]),
            ),
            (
                "[ipv6-addr:value IN ('2a00::1', '2a00::2')]",
                Some(&["2a00::1", "2a00::2"]),
            ),
            (
                "[ipv4-addr:value = '5.6.7.8' OR domain-name:value = 'bad.example']",
                Some(&["5.6.7.8", "bad.example"]),
            ),
            (
                "[url:value = 'http://a.example/it\\'s']",
                Some(&["http://a.example/it's"]),
            ),
            ("[file:hashes.'SHA-256' = 'aa']", Some(&["aa"])),
            ("[file:hashes.MD5 = 'bb']", Some(&["bb"])),
            (
                "[network-traffic:dst_ref.type = 'ipv4-addr' AND \
                 network-traffic:dst_ref.value = '5.6.7.8' AND network-traffic:dst_port = 443]",
                Some(&["5.6.7.8"]),
            ),
            (
                "[ipv4-addr:value = '5.6.7.8' AND file:name = 'x']",
                Some(&[]),
            ),
            (
                "[ipv4-addr:value = '5.6.7.8' OR file:name = 'x']",
                Some(&["5.6.7.8"]),
            ),
            (
                "[file:name = 'x' AND file:size = 1 OR ipv4-addr:value = '5.6.7.8']",
                Some(&["5.6.7.8"]),
            ),
            ("[ipv4-addr:value != '5.6.7.8']", Some(&[])),
            ("[ipv4-addr:value NOT = '5.6.7.8']", Some(&[])),
            ("[ipv4-addr:value LIKE '5.6.%']", Some(&[])),
            (
                "[ipv4-addr:value = '5.6.7.8'] OR [ipv4-addr:value = '5.6.7.9']",
                Some(&["5.6.7.8", "5.6.7.9"]),
            ),
            (
                "[ipv4-addr:value = '5.6.7.8'] AND [file:name = 'x']",
                Some(&[]),
            ),
            (
                "([ipv4-addr:value = '5.6.7.8'] FOLLOWEDBY [file:name = 'x']) WITHIN 5 SECONDS",
                Some(&[]),
            ),
            (
                "[(ipv4-addr:value = '5.6.7.8')] REPEATS 5 TIMES WITHIN 60 SECONDS START \
                 t'2026-02-05T00:00:00Z' STOP t'2026-03-05T00:00:00Z'",
                Some(&["5.6.7.8"]),
            ),
            (
                "[process:opened_connection_refs[*].dst_port = 1]",
                Some(&[]),
            ),
            ("[ipv4-addr:value = '5.6.7.8'", None),
            ("[ipv4-addr:value = '5.6.7.8]", None),
        ];
        for (pattern, want) in rows {
            let want = want.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
            assert_eq!(values(pattern), want, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_has_no_values() {
        assert_eq!(values(""), None);
        assert_eq!(values("5.6.7.8"), None);
        // Brackets are followed to a depth.
        let deep = format!("[{}a:b = 1{}]", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(values(&deep), None);
        assert_eq!(
            values(&format!("[a:b = {}'c']", "b ".repeat(1_000_000))),
            None
        );
    }

    #[test]
    fn one_of_several_ports_beside_an_address() {
        let pattern = "[network-traffic:dst_ref.value = '5.6.7.8' AND \
                       (network-traffic:dst_port = 80 OR network-traffic:dst_port = 443)]";
        assert_eq!(values(pattern), Some(vec!["5.6.7.8".to_owned()]));
    }
}
