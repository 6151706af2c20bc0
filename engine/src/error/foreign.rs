//! Errors of the planner, the parser and Arrow as ours: whose fault they are, where in the
//! statement it is, and what was meant.

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use super::{Error, Inner, Kind, Place};
use crate::near::{listed, near};

/// Names that a hint lists at most; beyond them nobody reads it.
const NAMES_MAX: usize = 40;

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        if let Some(own) = carried(error.find_root()) {
            return own;
        }
        let place = place(&error);
        let own = match error.find_root() {
            DataFusionError::SQL(parse, _) => syntax(parse),
            DataFusionError::SchemaError(schema, _) => column(schema),
            root => {
                let text = primary(&root.message());
                function(&text).unwrap_or_else(|| Self::new(kind(root), text))
            }
        };
        match place {
            Some((line, column)) => own.at(line, column),
            None => own,
        }
        .source(error)
    }
}

impl From<&ParserError> for Error {
    fn from(error: &ParserError) -> Self {
        syntax(error)
    }
}

fn kind(root: &DataFusionError) -> Kind {
    match root {
        DataFusionError::ResourcesExhausted(_) => Kind::Limit,
        DataFusionError::NotImplemented(_) => Kind::Unsupported,
        DataFusionError::Internal(text) if is_mistake(text) => Kind::User,
        DataFusionError::Internal(_) => Kind::Internal,
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => Kind::Unavailable,
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::MemoryError(_) => Kind::Limit,
            ArrowError::IoError(..) => Kind::Unavailable,
            _ => Kind::User,
        },
        _ => Kind::User,
    }
}

/// Mistakes of users that DataFusion takes for its own.
const MISTAKES: [&str; 5] = [
    "could not cast",
    "Unsupported data type",
    "expects",
    "must be",
    "Invalid",
];

fn is_mistake(text: &str) -> bool {
    MISTAKES.iter().any(|mistake| text.contains(mistake))
}

/// Where in the statement the planner met the fault.
fn place(error: &DataFusionError) -> Option<Place> {
    let start = error.diagnostic()?.span?.start;
    Some((start.line, start.column))
}

/// A parser's words, with the place that stands at their end.
fn syntax(error: &ParserError) -> Error {
    let text = match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
        ParserError::RecursionLimitExceeded => {
            return Error::limit("the statement is nested too deep")
                .hint("name inner queries in WITH, and take long expressions apart");
        }
    };
    let split = text.rsplit_once(" at Line: ").and_then(|(text, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((text, line.parse().ok()?, column.trim().parse().ok()?))
    });
    match split {
        Some((text, line, column)) => Error::user(format!("syntax error: {text}")).at(line, column),
        None => Error::user(format!("syntax error: {text}")),
    }
}

fn column(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            let name = field.flat_name();
            let mut valid: Vec<&str> = valid_fields.iter().map(|column| column.name()).collect();
            valid.dedup();
            let near = near(field.name(), valid.iter().copied());
            let error = Error::user(format!("there is no column \"{name}\""));
            match (near.is_empty(), valid.len()) {
                (_, 0) => error,
                (false, _) => error.hint(format!("did you mean {}?", listed(near))),
                (true, count) if count > NAMES_MAX => {
                    let some = listed(valid.into_iter().take(NAMES_MAX));
                    error.hint(format!("there are {some} and {} more", count - NAMES_MAX))
                }
                (true, _) => error.hint(format!("there are {}", listed(valid))),
            }
        }
        SchemaError::AmbiguousReference { field } => {
            let name = field.name();
            Error::user(format!(
                "column \"{name}\" is in more than one of the tables"
            ))
            .hint(format!("write which: table.{name}"))
        }
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => {
            Error::user(format!("two columns are called \"{name}\""))
                .hint("give one of them another name with AS")
        }
    }
}

/// DataFusion's word for a function that does not exist, in ours.
fn function(text: &str) -> Option<Error> {
    let rest = text.strip_prefix("invalid function '")?;
    let (name, rest) = rest.split_once('\'')?;
    let error = Error::user(format!("there is no function \"{name}\""));
    let meant = rest
        .split_once("Did you mean '")
        .and_then(|(_, meant)| meant.split('\'').next());
    // It names the nearest of all, however far that is.
    let near = meant.map(|meant| near(name, [meant])).unwrap_or_default();
    Some(match near.first() {
        Some(meant) => error.hint(format!("did you mean \"{meant}\"?")),
        None => error.hint("SHOW FUNCTIONS lists them"),
    })
}

/// A message of DataFusion's or Arrow's in the form of ours: lowercase, without the variant's name
/// in front and the dot at the end.
fn primary(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    let text = [
        "Cast error: ",
        "Error during planning: ",
        "Arrow error: ",
        "External error: ",
    ]
    .iter()
    .fold(text, |text, prefix| {
        text.strip_prefix(prefix).unwrap_or(text)
    });
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        // A name in capitals, such as NULL, stays.
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// Gets back an [`Error`] that travelled through DataFusion or Arrow as an external one.
fn carried(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(Error(inner)) = error.downcast_ref::<Error>() {
            let Inner {
                kind,
                message,
                hint,
                place,
                ..
            } = inner.as_ref();
            let (message, hint) = (message.clone(), hint.clone());
            return Some(Error(Box::new(Inner {
                kind: *kind,
                message,
                hint,
                place: *place,
                source: None,
            })));
        }
        next = error.source();
    }
    None
}
