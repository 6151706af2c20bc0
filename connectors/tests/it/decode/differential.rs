//! JSON is taken exactly when `serde_json` takes it, with the same values.

use proptest::prelude::*;

use super::{decoder, first, text};

/// JSON, or something like it.
fn json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|x| x.to_string()),
        "-?[0-9]{1,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,3})?",
        "\"([a-z\u{e9} ]|\\\\[nrt\"\\\\/bfu]|\\\\u[0-9a-fD]{4}|\\\\ud83d\\\\ude00){0,6}\"",
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        let entry = ("(\"[abcx]\"|\"\\\\u006[1-4]\")", inner.clone());
        let entry = entry.prop_map(|(key, value)| format!("{key}: {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|of| format!("[{}]", of.join(" ,"))),
            prop::collection::vec(entry, 0..6).prop_map(|of| format!("{{{}}}", of.join(",\n"))),
        ]
    })
}

/// The same with a few bytes changed, so that most of it is almost JSON.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    (json(), prop::collection::vec(change, 0..3)).prop_map(|(text, changes)| {
        let mut bytes = format!("{{\"a\":{text}, \"b\" :{text},\"x\":{text}}}").into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            match byte {
                0..80 => bytes[at] = byte,
                80..140 => drop(bytes.remove(at)),
                140..200 => bytes.insert(at, b"{}[]\",:\\0e.-"[byte as usize % 12]),
                _ => bytes[at] = byte,
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn exactly_what_serde_json_takes_is_taken(record in mutated()) {
        let theirs = serde_json::from_slice::<serde_json::Value>(&record);
        for columns in [vec![text("a"), text("b")], vec![text("_extra"), text("b")]] {
            let mut decoder = decoder(columns);
            let ours = decoder.append(&record, None);
            let object = theirs.as_ref().is_ok_and(serde_json::Value::is_object);
            prop_assert_eq!(ours.is_ok(), object, "{:?}: {:?} {:?}",
                String::from_utf8_lossy(&record), ours, theirs);
            if let Err(fault) = ours {
                prop_assert_eq!(fault.code, "bad_json");
                prop_assert!(first(&mut decoder).is_empty());
            }
        }
    }

    #[test]
    fn text_columns_hold_what_serde_json_reads(value in json()) {
        let record = format!("{{\"a\":{value}}}");
        if let Ok(theirs) = serde_json::from_str::<serde_json::Value>(&record) {
            let wanted = match &theirs["a"] {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text.clone()),
                _ => Some(value.clone()),
            };
            let mut decoder = decoder(vec![text("a")]);
            // The second one has a known shape.
            for _ in 0..2 {
                decoder.append(record.as_bytes(), None).expect("serde_json takes it");
            }
            prop_assert_eq!(first(&mut decoder), vec![wanted; 2]);
        }
    }
}
