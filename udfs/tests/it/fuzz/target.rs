//! The functions, by what their texts have in common, and what holds of their answers.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::scalar::ScalarValue;
use serde_json::Value;

use super::call::{Arg, Call, Case, Outcome};
use super::feature;

/// Functions whose cases are alike.
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) calls: Vec<Call>,
    check: fn(&[Call], &Case) -> Result<Vec<u64>, Finding>,
}

/// What does not hold.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    /// The call, as it is written.
    pub(super) call: String,
    /// What is wrong with its answer.
    pub(super) what: String,
}

impl Finding {
    pub(super) fn new(call: &Call, what: impl Into<String>) -> Self {
        Self {
            call: call.shown(),
            what: what.into(),
        }
    }

    /// Whether `other` is the same fault, perhaps of another case.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        // What follows a colon is of the case.
        let kind = |finding: &Self| feature::sentence(finding.what.split(':').next().unwrap_or(""));
        self.call == other.call && kind(self) == kind(other)
    }
}

impl Target {
    /// The features of a case.
    ///
    /// # Errors
    /// With what does not hold of it.
    pub(super) fn check(&self, case: &Case) -> Result<Vec<u64>, Finding> {
        (self.check)(&self.calls, case)
    }
}

const MODES: [&str; 4] = ["mask", "label", "hash", "remove"];
const CATEGORIES: [&str; 2] = ["tier1", "all"];

/// All that there are.
pub(super) fn all() -> Vec<Target> {
    vec![
        Target {
            name: "personal data",
            calls: personal(),
            check: check_personal,
        },
        Target {
            name: "parsers",
            calls: parsers(),
            check: check_each,
        },
        Target {
            name: "json",
            calls: json(),
            check: check_json,
        },
        Target {
            name: "patterns",
            calls: patterns(),
            check: check_each,
        },
        Target {
            name: "addresses",
            calls: addresses(),
            check: check_each,
        },
    ]
}

fn fixed(text: &str) -> Arg {
    Arg::Fixed(ScalarValue::from(text))
}

fn with_options(name: &'static str, options: &[&str]) -> Call {
    let options = options.iter().map(|option| fixed(option));
    let args: Vec<Arg> = std::iter::once(Arg::Text).chain(options).collect();
    Call::new(name, &args)
}

/// For each of [`CATEGORIES`] the spans and then each of [`MODES`]; then the audit of each; what
/// else there is after them.
fn personal() -> Vec<Call> {
    let mut calls = Vec::new();
    for categories in CATEGORIES {
        calls.push(with_options("redact_spans", &[categories]));
        calls.extend(MODES.map(|mode| with_options("redact", &[categories, mode])));
    }
    calls.extend(CATEGORIES.map(|categories| with_options("redact_audit", &[categories])));
    calls.push(with_options("pii_categories", &["all"]));
    calls.push(Call::new("match_pii", &[Arg::Text, Arg::Other]));
    calls.push(Call::new(
        "match_pii",
        &[Arg::Text, Arg::Other, fixed("email")],
    ));
    calls.push(with_options("pii_token", &["credit_card"]));
    calls
}

fn parsers() -> Vec<Call> {
    let calls: [(&'static str, &[&str]); 17] = [
        ("parse_log", &[]),
        ("parse_log", &["Europe/Berlin"]),
        ("parse_syslog", &[]),
        ("parse_cef", &[]),
        ("parse_leef", &[]),
        ("parse_logfmt", &[]),
        ("parse_kv", &[]),
        ("parse_kv", &["&", "=>", ""]),
        ("parse_clf", &[]),
        ("parse_csv", &[]),
        ("parse_csv", &["a BIGINT, b VARCHAR, c TIMESTAMP"]),
        ("parse_url", &[]),
        ("parse_user_agent", &[]),
        ("severity_number", &[]),
        (
            "grok",
            &["%{TIMESTAMP_ISO8601:ts} %{LOGLEVEL:level} %{GREEDYDATA:msg}"],
        ),
        (
            "grok",
            &[
                "%{COMBINEDAPACHELOG}",
                "^%{SYSLOGLINE}",
                "%{IP:ip}",
                "(?<a>x+)+b",
            ],
        ),
        (
            "dissect",
            &["%{ts->} %{+ts} %{host} %{*k}=%{&k}: %{rest}", "-"],
        ),
    ];
    calls
        .map(|(name, options)| with_options(name, options))
        .into()
}

fn json() -> Vec<Call> {
    let index = Arg::Fixed(ScalarValue::Int64(Some(0)));
    let schema = "a BIGINT, b STRUCT<c VARCHAR, d INT[]>, m MAP(VARCHAR, VARCHAR), t TIMESTAMP";
    let mut calls = vec![
        Call::new("parse_json", &[Arg::Text]),
        Call::new("parse_json", &[Arg::Text, fixed(schema)]),
    ];
    let getters = [
        "json_get",
        "json_as_text",
        "json_contains",
        "json_get_array",
        "json_get_bool",
        "json_get_float",
        "json_get_int",
        "json_get_str",
        "json_length",
        "json_object_keys",
    ];
    for name in getters {
        calls.push(Call::new(name, &[Arg::Text]));
        calls.push(Call::new(name, &[Arg::Text, fixed("a")]));
        calls.push(Call::new(name, &[Arg::Text, fixed("a"), fixed("b")]));
        calls.push(Call::new(name, &[Arg::Text, index.clone()]));
        calls.push(Call::new(name, &[Arg::Text, Arg::Pattern]));
    }
    calls
}

fn patterns() -> Vec<Call> {
    vec![
        Call::new("grok", &[Arg::Text, Arg::Pattern]),
        Call::new("grok", &[Arg::Text, Arg::Pattern, fixed("%{WORD:w}")]),
        Call::new("dissect", &[Arg::Text, Arg::Pattern]),
        Call::new("dissect", &[Arg::Text, Arg::Pattern, fixed(" ")]),
        Call::new("cidr_match", &[Arg::Text, Arg::Pattern]),
        Call::new("parse_kv", &[Arg::Text, Arg::Pattern]),
        Call::new("parse_csv", &[Arg::Text, Arg::Pattern]),
        Call::new("parse_json", &[Arg::Text, Arg::Pattern]),
        Call::new("redact", &[Arg::Text, Arg::Pattern]),
    ]
}

fn addresses() -> Vec<Call> {
    let number = |number| Arg::Fixed(ScalarValue::Int64(Some(number)));
    vec![
        Call::new("ip_info", &[Arg::Text]),
        Call::new("ip_trunc", &[Arg::Text]),
        Call::new("ip_trunc", &[Arg::Text, number(0), number(127)]),
        Call::new("cidr_match", &[Arg::Text, Arg::Other]),
        Call::new("cidr_match", &[Arg::Text, fixed("10.0.0.0/8, ::/1")]),
        Call::new("geoip", &[Arg::Text]),
        Call::new("threat_lookup", &[Arg::Text]),
        Call::new("lookup", &[fixed("customers"), Arg::Text]),
        Call::new(
            "sample",
            &[Arg::Text, Arg::Fixed(ScalarValue::Float64(Some(0.5)))],
        ),
        Call::new("parse_url", &[Arg::Text]),
    ]
}

/// The answer to `case`, and the same when it stands beside another row.
fn answer(call: &Call, case: &Case) -> Result<Outcome, Finding> {
    let found = |what| Finding::new(call, what);
    let alone = call.run(&[case]).map_err(found)?;
    let Outcome::Answer(alone) = alone else {
        return Ok(alone);
    };
    // Every fourth text stands beside a longer row, with the same literals.
    if !case.text.len().is_multiple_of(4) {
        return Ok(Outcome::Answer(alone));
    }
    let neighbour = Case {
        text: format!("{} {}", case.other, case.text),
        other: case.other.clone(),
    };
    if let Outcome::Answer(beside) = call.run(&[case, &neighbour, case]).map_err(found)? {
        let first = alone.slice(0, 1);
        if beside.slice(0, 1).as_ref() != first.as_ref()
            || beside.slice(2, 1).as_ref() != first.as_ref()
        {
            return Err(Finding::new(call, "depends on the rows beside"));
        }
    }
    Ok(Outcome::Answer(alone))
}

fn check_each(calls: &[Call], case: &Case) -> Result<Vec<u64>, Finding> {
    let mut features = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        match answer(call, case)? {
            Outcome::Refused(why) => {
                features.push(feature::of((number, feature::sentence(&why))));
            }
            Outcome::Answer(answer) => {
                bounded(call, case, &answer)?;
                features.extend(feature::of_answer(number, &answer));
            }
        }
    }
    Ok(features)
}

/// An answer takes memory in proportion to its text, beside what its columns begin with.
fn bounded(call: &Call, case: &Case, answer: &ArrayRef) -> Result<(), Finding> {
    let given = case.text.len() + case.other.len();
    match answer.get_array_memory_size() {
        taken if taken > 400_000 + 200 * given => Err(Finding::new(
            call,
            format!("takes much memory: {taken} bytes for {given}"),
        )),
        _ => Ok(()),
    }
}

fn check_json(calls: &[Call], case: &Case) -> Result<Vec<u64>, Finding> {
    let features = check_each(calls, case)?;
    let call = &calls[0];
    if let Outcome::Answer(ours) = answer(call, case)? {
        let theirs = serde_json::from_str::<Value>(&case.text);
        // A number may have any size (RFC 8259, section 6), which not all readers can tell.
        let large = |error: &serde_json::Error| error.to_string().contains("out of range");
        if theirs.as_ref().is_err_and(large) {
            return Ok(features);
        }
        let theirs = theirs.ok();
        let text = ours
            .is_valid(0)
            .then(|| ours.as_string::<i32>().value(0).to_owned());
        let read = text
            .as_ref()
            .map(|text| serde_json::from_str::<Value>(text).ok());
        if read.clone().flatten() != theirs || read.is_some() != theirs.is_some() {
            return Err(Finding::new(call, "is not what serde_json reads"));
        }
    }
    Ok(features)
}

fn text_of(call: &Call, case: &Case) -> Result<String, Finding> {
    match answer(call, case)? {
        Outcome::Answer(answer) if answer.is_valid(0) => {
            Ok(answer.as_string::<i32>().value(0).to_owned())
        }
        _ => Err(Finding::new(call, "gives NULL for a text")),
    }
}

fn check_personal(calls: &[Call], case: &Case) -> Result<Vec<u64>, Finding> {
    let mut features = Vec::new();
    let (sets, rest) = calls.split_at(CATEGORIES.len() * (MODES.len() + 1));
    let document = case.text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<Value>(&case.text).is_ok();
    let (audits, rest) = rest.split_at(CATEGORIES.len());
    for (number, set) in sets.chunks(MODES.len() + 1).enumerate() {
        check_audit(&audits[number], &text_of(&set[1], case)?, case)?;
        let Outcome::Answer(spans) = answer(&set[0], case)? else {
            return Err(Finding::new(&set[0], "cannot be planned"));
        };
        let found = check_spans(&set[0], case, &spans)?;
        features.extend(feature::of_answer(number, &spans));
        for call in &set[1..] {
            let once = text_of(call, case)?;
            let second = Case {
                text: once.clone(),
                other: case.other.clone(),
            };
            let twice = text_of(call, &second)?;
            if twice != once {
                return Err(Finding::new(
                    call,
                    format!("gives another text the second time: '{once}', then '{twice}'"),
                ));
            }
            if found == 0 && once != case.text {
                return Err(Finding::new(
                    call,
                    format!("changes text without a span: '{once}'"),
                ));
            }
            if document && serde_json::from_str::<Value>(&once).is_err() {
                return Err(Finding::new(call, format!("breaks JSON: '{once}'")));
            }
        }
    }
    features.extend(
        check_each(rest, case)?
            .into_iter()
            .map(|one| feature::of((one, "rest"))),
    );
    Ok(features)
}

/// An audit gives what `redact` gives, and tells of categories where that changed something.
fn check_audit(call: &Call, redacted: &str, case: &Case) -> Result<(), Finding> {
    let Outcome::Answer(audit) = answer(call, case)? else {
        return Err(Finding::new(call, "cannot be planned"));
    };
    let audit = audit.as_struct();
    let text = audit.column(0).as_string::<i32>().value(0);
    let told = audit.column(1).as_list::<i32>().value_length(0) > 0;
    if text != redacted {
        let what = format!("gives another text than redact: '{text}', and '{redacted}'");
        return Err(Finding::new(call, what));
    }
    if !told && redacted != case.text {
        return Err(Finding::new(
            call,
            "tells of no category and changes the text",
        ));
    }
    Ok(())
}

/// How many spans there are. They are within the text, in order, and apart.
fn check_spans(call: &Call, case: &Case, spans: &ArrayRef) -> Result<usize, Finding> {
    let wrong = |what: String| Err(Finding::new(call, what));
    let spans = spans.as_list::<i32>().value(0);
    let spans = spans.as_struct();
    let text = |at: usize, row| {
        let text = cast(spans.column(at), &DataType::Utf8).expect("text is text");
        text.as_string::<i32>().value(row).to_owned()
    };
    let numbers = |at: usize| spans.column(at).as_primitive::<Int64Type>().values();
    let scores = spans.column(3).as_primitive::<Float64Type>().values();
    let characters = case.text.chars().count() as i64;
    let mut last = 0;
    for row in 0..spans.len() {
        let (start, end) = (numbers(1)[row], numbers(2)[row]);
        if !(last <= start && start < end && end <= characters) {
            return wrong(format!(
                "has the span {start} to {end} of {characters} after {last}"
            ));
        }
        if !(0.0..=1.0).contains(&scores[row]) || text(0, row).is_empty() || text(4, row).is_empty()
        {
            return wrong(format!(
                "has a span without a category, rule or score: {}",
                scores[row]
            ));
        }
        last = end;
    }
    Ok(spans.len())
}
