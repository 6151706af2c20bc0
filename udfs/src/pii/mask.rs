//! Putting something else in the place of findings.
//!
//! The result has no findings left: whatever a replacement uncovers is replaced in turn, which is
//! what makes redaction idempotent. Later passes put a fence in place of a finding, so that text
//! made to fall together again and again ends too.

use datafusion::error::Result;

use crate::pii::detect::{self, Categories, Category, Finder, Finding};
use crate::pii::hash::Hasher;
use crate::pii::ledger::Counts;
use crate::pii::mask_by_name;
use crate::pii::mode::{Mode, Rules};
use crate::pii::ner::Ner;
use crate::pii::search::Search;
use crate::rows::{Bounds, Changes, Rows};

/// Passes that replace as the mode says; more than two are seen only in text made for it.
const PLAIN_PASSES: usize = 4;
/// Passes altogether, so that the cost is bounded by construction.
const PASSES_MAX: usize = 16;
/// What later passes leave: nothing next to it can grow into a finding again.
const FENCE: &str = "***";
/// Characters of an address that stay: its length less three, within these limits.
const EMAIL_KEPT: std::ops::RangeInclusive<usize> = 1..=4;
/// Letters of an account number that stay: its country.
const COUNTRY_KEPT: usize = 2;
/// Digits of a number that stay.
const DIGITS_KEPT: usize = 4;

/// Redacts text after text, keeping its buffers.
#[derive(Debug)]
pub(crate) struct Redactor {
    finder: Finder,
    writer: Writer,
    /// Finds what a replacement uncovers.
    again: Finder,
    text: String,
    earlier: String,
    /// Finds by a model too.
    search: Option<Search>,
}

impl Redactor {
    /// A redactor by `rules`, with what hashes and what finds names where they ask for it.
    pub(crate) fn new(rules: Rules, hasher: Option<Hasher>, model: Option<Ner>) -> Self {
        let named = |model| Search::with_model(rules.categories(), Some(model));
        Self {
            finder: Finder::new(rules.categories()),
            writer: Writer {
                rules,
                hasher,
                counts: Counts::NONE,
                held: Categories::NONE,
            },
            again: Finder::new(rules.categories()),
            text: String::new(),
            earlier: String::new(),
            search: model.map(named),
        }
    }

    /// How many findings were replaced until now.
    pub(crate) const fn counts(&self) -> &Counts {
        &self.writer.counts
    }

    /// Replaces the findings in `rows`.
    ///
    /// # Errors
    /// When the model fails; without one it does not.
    pub(crate) fn redact(&mut self, rows: Rows<'_>, changes: &mut Changes) -> Result<()> {
        self.redact_and_tell(rows, changes, &mut |_, _| {})
    }

    /// Replaces the findings in `rows`, and tells of each row that has some which categories they
    /// are of.
    ///
    /// # Errors
    /// As [`Redactor::redact`].
    pub(crate) fn redact_and_tell(
        &mut self,
        rows: Rows<'_>,
        changes: &mut Changes,
        tell: &mut dyn FnMut(usize, Categories),
    ) -> Result<()> {
        if let Some(search) = &mut self.search {
            let writing = (&mut self.writer, &mut self.again);
            return redact_names(search, writing, rows, (changes, tell));
        }
        let Self {
            finder,
            writer,
            again,
            text,
            earlier,
            ..
        } = self;
        let each = &mut |row: usize, found: &[Finding]| {
            text.clear();
            writer.held = Categories::NONE;
            writer.write(rows.text(row), found, Style::Rules, text);
            settle(writer, again, text, earlier);
            tell(changes.number(row), writer.held);
            changes.write(row, |out| {
                out.push_str(text);
                true
            });
        };
        match rows.bounds {
            Bounds::Small(bounds) => finder.rows(rows.bytes, bounds, each),
            Bounds::Large(bounds) => finder.rows(rows.bytes, bounds, each),
        }
        Ok(())
    }
}

/// Replaces the findings of rules and of a model. The model reads all rows, and then again those
/// that changed, until it finds nothing in them: another text around a name is another chance.
fn redact_names(
    search: &mut Search,
    (writer, again): (&mut Writer, &mut Finder),
    rows: Rows<'_>,
    (changes, tell): (&mut Changes, &mut dyn FnMut(usize, Categories)),
) -> Result<()> {
    let all = || (0..rows.count()).map(|row| rows.text(row));
    let (mut changed, mut earlier) = (Vec::new(), String::new());
    let names = search.names(all())?;
    for (row, text) in all().enumerate() {
        let found = search.text(text, names.of(row));
        if found.is_empty() {
            continue;
        }
        let mut out = String::with_capacity(text.len());
        writer.held = Categories::NONE;
        writer.write(text, found, Style::Rules, &mut out);
        settle(writer, again, &mut out, &mut earlier);
        changed.push((row, writer.held, out));
    }
    let mut open: Vec<usize> = (0..changed.len()).collect();
    for pass in 1..PASSES_MAX {
        let texts = open.iter().filter_map(|at| changed.get(*at));
        let names = search.names(texts.map(|(_, _, text)| text.as_str()))?;
        let mut next = Vec::new();
        for (number, at) in open.into_iter().enumerate() {
            let Some((_, held, text)) = changed.get_mut(at) else {
                continue;
            };
            let found = search.text(text, names.of(number));
            if found.is_empty() {
                continue;
            }
            let mut out = String::with_capacity(text.len());
            writer.held = *held;
            writer.write(text, found, Style::of(pass), &mut out);
            settle(writer, again, &mut out, &mut earlier);
            (*held, *text) = (writer.held, out);
            next.push(at);
        }
        if next.is_empty() {
            break;
        }
        open = next;
    }
    for (row, held, text) in &changed {
        tell(changes.number(*row), *held);
        changes.write(*row, |out| {
            out.push_str(text);
            true
        });
    }
    Ok(())
}

/// Replaces what is found in `text` until nothing is.
fn settle(writer: &mut Writer, finder: &mut Finder, text: &mut String, earlier: &mut String) {
    for pass in 1..PASSES_MAX {
        let found = finder.text(text);
        if found.is_empty() {
            return;
        }
        std::mem::swap(text, earlier);
        text.clear();
        writer.write(earlier, found, Style::of(pass), text);
    }
}

/// How findings are replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// As the rules say.
    Rules,
    /// By the fence.
    Fence,
}

impl Style {
    const fn of(pass: usize) -> Self {
        if pass < PLAIN_PASSES {
            Self::Rules
        } else {
            Self::Fence
        }
    }
}

/// Writes text with something else in place of its findings.
#[derive(Debug)]
struct Writer {
    rules: Rules,
    hasher: Option<Hasher>,
    counts: Counts,
    /// The categories of the row at hand.
    held: Categories,
}

impl Writer {
    fn write(&mut self, text: &str, found: &[Finding], style: Style, out: &mut String) {
        let mut json = Json::new(text);
        let mut copied = 0;
        for finding in found {
            self.counts.add(finding.category);
            self.held = self.held.with(finding.category);
            out.push_str(text.get(copied..finding.start).unwrap_or_default());
            let quote = json.missing_quote(finding);
            out.push_str(quote);
            match style {
                Style::Rules => self.replace(text, finding, out),
                Style::Fence => out.push_str(FENCE),
            }
            if style == Style::Rules && quote.is_empty() && needs_space(text, finding, out) {
                out.push(' ');
            }
            out.push_str(quote);
            copied = finding.end;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
    }

    fn replace(&self, text: &str, finding: &Finding, out: &mut String) {
        match (self.rules.mode(finding.category), &self.hasher) {
            (Mode::Mask, _) => push_mask(text, finding, out),
            (Mode::Hash, Some(hasher)) => {
                let value = text.get(finding.start..finding.end).unwrap_or_default();
                let hash = hasher.hash(finding.category, &detect::plain(value));
                push_label(finding.category, Some(&hash), out);
            }
            // Without a key, which planning refuses, the category is all that may be said.
            (Mode::Label | Mode::Hash, _) => push_label(finding.category, None, out),
            (Mode::Remove, _) => {}
        }
    }
}

/// Whether the word after a removed secret would read as the secret: in `password:x user`, but
/// not in `password=x user`, where a value begins at the separator.
fn needs_space(text: &str, finding: &Finding, out: &str) -> bool {
    removed(finding.category)
        && out.ends_with([':', '>'])
        && text
            .as_bytes()
            .get(finding.end)
            .is_some_and(|next| matches!(next, b' ' | b'\t'))
}

fn push_label(category: Category, hash: Option<&str>, out: &mut String) {
    out.push('[');
    let name = category.name().chars();
    out.extend(name.map(|letter| letter.to_ascii_uppercase()));
    if let Some(hash) = hash {
        out.push(':');
        out.push_str(hash);
    }
    out.push(']');
}

fn push_mask(text: &str, finding: &Finding, out: &mut String) {
    let shown = text.get(finding.start..finding.mark).unwrap_or_default();
    match finding.category {
        Category::CreditCard => push_last_digits("xxxx-xxxx-xxxx-", shown, out),
        Category::UsSsn | Category::UsItin => push_last_digits("xxx-xx-", shown, out),
        Category::Phone | Category::Msisdn => push_last_digits("xxx-xxx-", shown, out),
        Category::Email => {
            let length = shown.chars().count();
            let kept = length
                .saturating_sub(3)
                .clamp(*EMAIL_KEPT.start(), *EMAIL_KEPT.end());
            out.extend(shown.chars().take(kept));
            out.push_str("***");
            out.push_str(text.get(finding.mark..finding.end).unwrap_or_default());
        }
        Category::Iban => {
            let plain = detect::plain(shown);
            out.extend(plain.chars().take(COUNTRY_KEPT));
            out.push_str("****");
            let kept: Vec<char> = plain.chars().rev().take(DIGITS_KEPT).collect();
            out.extend(kept.iter().rev());
        }
        category if removed(category) => {}
        category if !Categories::TIER1.has(category) => {
            if !mask_by_name::push(category, &detect::plain(shown), out) {
                push_label(category, None, out);
            }
        }
        _ => out.push_str(FENCE),
    }
}

/// Secrets, of which no mask may show anything.
const fn removed(category: Category) -> bool {
    matches!(
        category,
        Category::Password
            | Category::AuthHeader
            | Category::Jwt
            | Category::PrivateKey
            | Category::CloudToken
            | Category::CardTrack
            | Category::Cvv
            | Category::Crypto
    )
}

fn push_last_digits(mask: &str, shown: &str, out: &mut String) {
    out.push_str(mask);
    let plain = detect::plain(shown);
    let digits = plain.bytes().filter(u8::is_ascii_digit);
    let skipped = digits.clone().count().saturating_sub(DIGITS_KEPT);
    out.extend(digits.skip(skipped).map(char::from));
}

/// Where the strings of a JSON text are, read as far as the findings need.
struct Json<'a> {
    text: &'a [u8],
    /// A document, not a line that holds one.
    document: bool,
    position: usize,
    in_string: bool,
}

impl<'a> Json<'a> {
    fn new(text: &'a str) -> Self {
        let document = text.trim_start().starts_with(['{', '[']);
        Self {
            text: text.as_bytes(),
            document,
            position: 0,
            in_string: false,
        }
    }

    /// The quote that a replacement of `finding` needs on both sides: a bare JSON number is
    /// replaced by a string. Findings are asked for in order.
    fn missing_quote(&mut self, finding: &Finding) -> &'a str {
        let after = self
            .text
            .get(finding.end..)
            .unwrap_or_default()
            .trim_ascii_start();
        if !matches!(after.first(), Some(b',' | b'}' | b']')) {
            return "";
        }
        let before = self
            .text
            .get(..finding.start)
            .unwrap_or_default()
            .trim_ascii_end();
        let key = before.strip_suffix(b":").map(<[u8]>::trim_ascii_end);
        let quote = key.and_then(trailing_quote);
        let listed = matches!(before.last(), Some(b',' | b'['));
        match quote {
            // The quote may open a string that begins with a colon.
            Some(quote) if self.document && quote.len() == 1 => {
                if self.inside_string(finding.start) {
                    ""
                } else {
                    quote
                }
            }
            Some(quote) => quote,
            None if self.document && listed && !self.inside_string(finding.start) => "\"",
            None => "",
        }
    }

    fn inside_string(&mut self, at: usize) -> bool {
        while self.position < at {
            match self.text.get(self.position) {
                Some(b'"') => self.in_string = !self.in_string,
                Some(b'\\') if self.in_string => self.position += 1,
                _ => {}
            }
            self.position += 1;
        }
        self.in_string
    }
}

/// The quote at the end of `key`, with the backslashes that belong to it.
fn trailing_quote(key: &[u8]) -> Option<&str> {
    let quote = key
        .len()
        .checked_sub(1)
        .filter(|last| matches!(key.get(*last), Some(b'"' | b'\'')))?;
    let escapes = key
        .get(..quote)?
        .iter()
        .rev()
        .take_while(|byte| **byte == b'\\')
        .count();
    std::str::from_utf8(key.get(quote - detect::quote_depth(escapes)..)?).ok()
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::ColumnarValue;
    use datafusion::scalar::ScalarValue;

    use super::*;
    use crate::pii::detect::Categories;
    use crate::pii::policy::HashKey;
    use crate::rows::change;

    fn redact(mode: Mode, text: &str) -> String {
        let hasher = Hasher::new(&HashKey::new(b"key"));
        let rules = Rules::of(Categories::TIER1, mode);
        let mut redactor = Redactor::new(rules, hasher, None);
        let value = ColumnarValue::Scalar(ScalarValue::from(text));
        let read = &mut |rows: Rows<'_>, changes: &mut Changes| {
            redactor.redact(rows, changes).unwrap();
        };
        match change(&value, read).unwrap() {
            ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn masks_keep_what_they_promise() {
        let cases = [
            ("4111-1111-1111-1234 no", "4111-1111-1111-1234 no"),
            ("4111111111111111", "xxxx-xxxx-xxxx-1111"),
            ("378282246310005", "xxxx-xxxx-xxxx-0005"),
            ("536-90-5678", "xxx-xx-5678"),
            ("user1234@domain.com", "user***@domain.com"),
            ("username@domain.com", "user***@domain.com"),
            ("bob@domain.com", "b***@domain.com"),
            ("call +1 (212) 555-7890 ext. 42!", "call xxx-xxx-7890!"),
            ("password=hunter2", "password="),
            ("password=hunter2 user=bob", "password= user=bob"),
            ("password:hunter2 user:bob", "password:  user:bob"),
            (
                r#"{"password":"hun\"ter2","a":1}"#,
                r#"{"password":"","a":1}"#,
            ),
            (r#"{"password": 12345678}"#, r#"{"password": ""}"#),
            (
                r#"{"card": 4111111111111111}"#,
                r#"{"card": "xxxx-xxxx-xxxx-1111"}"#,
            ),
            (r#"[1, 4111111111111111]"#, r#"[1, "xxxx-xxxx-xxxx-1111"]"#),
            (
                r#"["a, 4111111111111111, b"]"#,
                r#"["a, xxxx-xxxx-xxxx-1111, b"]"#,
            ),
            (
                r#"{"m":"{\"pin_card\":4111111111111111}"}"#,
                r#"{"m":"{\"pin_card\":\"xxxx-xxxx-xxxx-1111\"}"}"#,
            ),
            ("4111 1111 1111 1111@x.com", "xxxx***@x.com"),
        ];
        for (text, want) in cases {
            assert_eq!(redact(Mode::Mask, text), want, "{text}");
            assert_eq!(redact(Mode::Mask, want), want, "twice: {text}");
        }
    }

    #[test]
    fn labels_name_the_category_and_removal_leaves_nothing() {
        let text = "bob@x.com 4111111111111111 536-90-5678 (212) 555-7890 password=hunter2";
        let labels = "[EMAIL] [CREDIT_CARD] [US_SSN] [PHONE] password=[PASSWORD]";
        assert_eq!(redact(Mode::Label, text), labels);
        assert_eq!(redact(Mode::Label, labels), labels);
        assert_eq!(redact(Mode::Remove, text), "    password=");
        let bearer = redact(Mode::Label, "Authorization: Bearer abc.def rest");
        assert_eq!(bearer, "Authorization: Bearer [AUTH_HEADER] rest");
    }

    #[test]
    fn text_that_falls_together_again_comes_to_rest() {
        let text = "(212) 555-(212) 555-78907890 4111 4111111111111111 1111 1111 1111";
        for mode in Mode::ALL {
            let once = redact(mode, text);
            assert_eq!(redact(mode, &once), once);
        }
    }
}
