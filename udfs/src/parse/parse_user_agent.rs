//! `parse_user_agent(text)` says which browser, system and device a User-Agent header speaks of,
//! and whether it is a bot. NULL gives NULL; what no rule knows is NULL. Each distinct value of a
//! batch is read once. Cost: a few hundred expressions for each distinct value, of which at most
//! the first two kilobytes are read.

use std::any::Any;
use std::collections::HashMap;

use arrow::array::{ArrayBuilder, ArrayRef, BooleanBuilder, StringBuilder};
use arrow::datatypes::{DataType, Fields};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion_macros::user_doc;
use simple_useragent::UserAgentParser;

use crate::args;
use crate::parse::structs::{Kind, PARSE_ERROR, Rows, parse_text};

/// The texts of a row, before `is_bot`.
const TEXTS: [&str; 5] = ["browser", "browser_version", "os", "os_version", "device"];

/// How much of a header is read, in bytes: real ones are a few hundred long.
const READ_MAX: usize = 2048;

/// What the rules call what they do not know.
const UNKNOWN: &str = "Other";

/// Words that only bots, crawlers and monitors put in their headers, in lower case.
const BOT_WORDS: [&str; 20] = [
    "bot",
    "crawl",
    "spider",
    "slurp",
    "scrape",
    "archiver",
    "fetcher",
    "monitor",
    "preview",
    "headless",
    "lighthouse",
    "facebookexternalhit",
    "mediapartners",
    "feedfetcher",
    "pingdom",
    "uptime",
    "python-requests",
    "scan",
    "wget",
    "curl/",
];

/// Devices whose names contain one of those words.
const NOT_BOTS: [&str; 2] = ["cubot", "scanpal"];

/// The function `parse_user_agent`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ParseUserAgent::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "Reads a User-Agent header into `browser`, `browser_version`, `os`, \
`os_version`, `device` (the model where the header names it, else `Mac`, `PC` or `Bot`), \
`is_bot` (BOOLEAN) and `parse_error`. Browsers and systems have the names of the uap-core \
project. What the header does not say is NULL; NULL gives NULL.",
    syntax_example = "parse_user_agent(text)",
    sql_example = r#"```sql
> SELECT u['browser'] AS browser, u['browser_version'] AS version, u['os'] AS os,
    u['device'] AS device, u['is_bot'] AS is_bot
  FROM (SELECT parse_user_agent(text) AS u FROM (VALUES
    ('Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0'),
    ('Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)')) AS t(text));
+-----------+---------+--------+--------+--------+
| browser   | version | os     | device | is_bot |
+-----------+---------+--------+--------+--------+
| Firefox   | 121.0   | Ubuntu | PC     | false  |
| Googlebot | 2.1     |        | Bot    | true   |
+-----------+---------+--------+--------+--------+
```"#,
    argument(
        name = "text",
        description = "A User-Agent header: VARCHAR in any of its Arrow forms, also dictionary \
encoded."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct ParseUserAgent {
    signature: Signature,
}

impl ParseUserAgent {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(vec!["text".to_owned()]);
        Self { signature }
    }
}

fn fields() -> Fields {
    let texts = TEXTS.iter().map(|name| Kind::Text.field(name));
    let last = [Kind::Boolean.field("is_bot"), Kind::Text.field(PARSE_ERROR)];
    texts.chain(last).collect()
}

impl ScalarUDFImpl for ParseUserAgent {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "parse_user_agent"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [text] => Ok(vec![args::text_type(self.name(), text)?]),
            _ => plan_err!("parse_user_agent takes one argument: parse_user_agent(text)"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text] = given.args.as_slice() else {
            return exec_err!("parse_user_agent takes one argument");
        };
        parse_text(text, &fields(), &mut Agents::default())
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// What a header says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Agent {
    /// In the order of [`TEXTS`].
    texts: [Option<String>; 5],
    is_bot: bool,
}

fn read(parser: &UserAgentParser, text: &str) -> Agent {
    let text = text
        .get(..text.floor_char_boundary(READ_MAX))
        .unwrap_or(text);
    let parsed = parser.parse(text);
    let known = |name: String| Some(name).filter(|name| !name.is_empty() && name != UNKNOWN);
    let (browser, os) = (known(parsed.client.family), known(parsed.os.family));
    let is_bot = is_bot(text);
    let device = device(text, os.as_deref(), is_bot).map(str::to_owned);
    Agent {
        texts: [
            browser,
            parsed.client.version,
            os,
            parsed.os.version,
            device,
        ],
        is_bot,
    }
}

fn is_bot(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    has(&BOT_WORDS) && !has(&NOT_BOTS)
}

/// Apple's devices stand at the start of the comment; those of Android behind its version, before
/// the build.
fn device<'a>(text: &'a str, os: Option<&str>, is_bot: bool) -> Option<&'a str> {
    if is_bot {
        return Some("Bot");
    }
    for apple in [
        "iPhone",
        "iPad",
        "iPod",
        "Apple TV",
        "AppleTV",
        "Apple Watch",
    ] {
        if text.contains(apple) {
            return Some(apple);
        }
    }
    if let Some((_, after)) = text.split_once("Android") {
        return android(after);
    }
    match os {
        Some("Mac OS X") => Some("Mac"),
        Some(os) if os.starts_with("Windows") => Some("PC"),
        Some("Linux" | "Ubuntu" | "Fedora" | "Debian" | "Chrome OS" | "FreeBSD") => Some("PC"),
        _ => None,
    }
}

fn android(after: &str) -> Option<&str> {
    let comment = after.split(')').next().unwrap_or_default();
    let parts = comment.split(';').skip(1).map(str::trim);
    let model = parts.filter(|part| {
        // A language, such as en-us, is no model, nor are the words of browsers.
        let language = part.len() == 5 && part.as_bytes().get(2) == Some(&b'-');
        !language && !["Mobile", "Tablet", "wv", "U", ""].contains(part) && !part.starts_with("rv:")
    });
    let model = model
        .map(|part| part.split(" Build").next().unwrap_or(part))
        .next();
    // Browsers that tell less than they could call every model K.
    model
        .map(str::trim)
        .filter(|model| !model.is_empty() && *model != "K")
}

/// The rows of one batch.
struct Agents {
    parser: UserAgentParser,
    /// The rows of headers seen before.
    seen: HashMap<String, usize>,
    distinct: Vec<Agent>,
    texts: [StringBuilder; 5],
    bots: BooleanBuilder,
    errors: StringBuilder,
}

impl Default for Agents {
    fn default() -> Self {
        Self {
            parser: UserAgentParser::new(),
            seen: HashMap::new(),
            distinct: Vec::new(),
            texts: std::array::from_fn(|_| StringBuilder::new()),
            bots: BooleanBuilder::new(),
            errors: StringBuilder::new(),
        }
    }
}

impl Rows for Agents {
    fn push(&mut self, text: &str) {
        let at = match self.seen.get(text) {
            Some(at) => *at,
            None => {
                self.distinct.push(read(&self.parser, text));
                self.seen.insert(text.to_owned(), self.distinct.len() - 1);
                self.distinct.len() - 1
            }
        };
        let Some(agent) = self.distinct.get(at) else {
            return self.push_null();
        };
        for (column, text) in self.texts.iter_mut().zip(&agent.texts) {
            column.append_option(text.as_deref());
        }
        self.bots.append_value(agent.is_bot);
        self.errors.append_null();
    }

    fn push_null(&mut self) {
        self.texts.iter_mut().for_each(StringBuilder::append_null);
        self.bots.append_null();
        self.errors.append_null();
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let texts = self
            .texts
            .iter_mut()
            .map(|column| ArrayBuilder::finish(column));
        let mut columns: Vec<_> = texts.collect();
        columns.push(ArrayBuilder::finish(&mut self.bots));
        columns.push(ArrayBuilder::finish(&mut self.errors));
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0";

    fn row(text: &str) -> (String, bool) {
        let agent = read(&UserAgentParser::new(), text);
        let texts = agent
            .texts
            .map(|text| text.unwrap_or_else(|| "-".to_owned()));
        (texts.join(" "), agent.is_bot)
    }

    #[test]
    fn common_agents_are_known() {
        let cases = [
            (
                format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36"),
                "Chrome 120.0.0 Windows 10 PC",
            ),
            (
                format!("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {CHROME} Edg/120.0.1"),
                "Edge 120.0.1 Mac OS X 10.15.7 Mac",
            ),
            (
                format!(
                    "Mozilla/5.0 (Linux; Android 13; SM-G991B Build/TP1A) {CHROME} Mobile Safari/5"
                ),
                "Chrome Mobile 120.0.0 Android 13 SM-G991B",
            ),
            (
                "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"
                    .to_owned(),
                "Firefox 121.0 Ubuntu - PC",
            ),
            ("nothing known".to_owned(), "- - - - -"),
            (String::new(), "- - - - -"),
        ];
        for (text, want) in cases {
            assert_eq!(row(&text), (want.to_owned(), false), "{text}");
        }
        assert!(row("curl/8.5.0").1);
        assert!(row("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)").1);
    }

    #[test]
    fn long_headers_are_cut_between_characters() {
        let text = "\u{1f600}".repeat(100_000);
        assert_eq!(row(&text).0, "- - - - -");
    }
}
