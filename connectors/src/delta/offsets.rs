//! The names under which a table keeps positions: one application id for each writer, topic and
//! partition. The version stored under it is the offset to read next.

use std::collections::BTreeSet;

use sluice_engine::error::{Error, Result};
use sluice_engine::source::Partition;
use sluice_engine::table::CommitRange;

/// One position that a commit moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// The name of the position.
    pub(super) app_id: String,
    /// The partition, for messages.
    pub(super) partition: Partition,
    /// What must be stored before.
    pub(super) from: Option<i64>,
    /// What is stored after.
    pub(super) to: i64,
}

/// The claims that `ranges` make for `writer`.
///
/// # Errors
/// [`sluice_engine::error::Kind::Internal`] when a partition comes twice.
pub(super) fn claims(writer: &str, ranges: &[CommitRange]) -> Result<Vec<Claim>> {
    let mut seen = BTreeSet::new();
    let mut claims = Vec::with_capacity(ranges.len());
    for range in ranges {
        let claim = Claim {
            app_id: app_id(writer, &range.partition),
            partition: range.partition.clone(),
            from: range.from,
            to: range.to,
        };
        if !seen.insert(claim.app_id.clone()) {
            let partition = &claim.partition;
            return Err(Error::internal(format!(
                "one append covers {partition} twice"
            )));
        }
        claims.push(claim);
    }
    Ok(claims)
}

/// The application id of one position. Parts are told apart whatever they contain.
pub(super) fn app_id(writer: &str, partition: &Partition) -> String {
    let (topic, identity) = (encoded(&partition.topic), encoded(&partition.identity));
    format!(
        "sluice:{}:{topic}:{identity}:{}",
        encoded(writer),
        partition.index
    )
}

/// The partition of a position of `writer`; `None` for those of others.
pub(super) fn partition_of(writer: &str, app_id: &str) -> Option<Partition> {
    let mut parts = app_id.split(':');
    let own = parts.next() == Some("sluice") && parts.next() == Some(&encoded(writer));
    let (topic, identity, index) = (parts.next()?, parts.next()?, parts.next()?);
    if !own || parts.next().is_some() {
        return None;
    }
    Some(Partition {
        topic: decoded(topic),
        identity: decoded(identity),
        index: index.parse().ok()?,
    })
}

fn decoded(part: &str) -> String {
    part.replace("%3A", ":").replace("%25", "%")
}

fn encoded(part: &str) -> String {
    part.replace('%', "%25").replace(':', "%3A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(parts: &(String, String, String, i32)) -> String {
        let (writer, topic, identity, index) = parts.clone();
        app_id(
            &writer,
            &Partition {
                topic,
                identity,
                index,
            },
        )
    }

    #[test]
    fn an_id_reads_as_its_parts() {
        let partition = Partition {
            topic: "a:b".into(),
            identity: "c-50%".into(),
            index: 3,
        };
        assert_eq!(
            app_id("ingest", &partition),
            "sluice:ingest:a%3Ab:c-50%25:3"
        );
    }

    proptest! {
        #[test]
        fn different_partitions_have_different_ids(
            one in ("[a:%253A]{0,4}", "[a:%253A]{0,4}", "[a:%253A]{0,4}", 0..3i32),
            other in ("[a:%253A]{0,4}", "[a:%253A]{0,4}", "[a:%253A]{0,4}", 0..3i32),
        ) {
            prop_assert_eq!(id(&one) == id(&other), one == other);
            prop_assert_eq!(id(&one).split(':').count(), 5);
            let (writer, topic, identity, index) = other;
            let partition = Partition { topic, identity, index };
            let own = (one.0 == writer).then(|| partition.clone());
            prop_assert_eq!(partition_of(&one.0, &app_id(&writer, &partition)), own);
        }
    }
}
