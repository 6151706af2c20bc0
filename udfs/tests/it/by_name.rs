//! What holds for every text of the categories that are looked for by name.

use proptest::prelude::*;

use crate::call::{redact, spans};

/// Pieces that findings, near misses and the edges between them are made of.
const PIECES: &[&str] = &[
    "10.20.30.40",
    "2001:db8::1",
    "::ffff:",
    "00:1a:2b:3c:4d:5e",
    "001a.2b3c.4d5e",
    "imei=",
    "490154203237518",
    "iccid ",
    "8944500102198304826",
    "lat=",
    "gps ",
    "40.712776",
    "-74.005974",
    "user=",
    "\"user\":",
    "\\\"user\\\":\\\"",
    "last_name: '",
    "address=",
    "bob",
    "dob: ",
    "1980-05-12",
    "943 476 5919",
    "nhs ",
    "12345678Z",
    "AB123456C",
    "1M8GDM9AXKP042788",
    "routing 021000021",
    "swift: DEUTDEFF",
    "1EG4-TE5-MK73",
    "44051401359",
    "111.444.777-35",
    "id=",
    "version ",
    "b***",
    "xxxx",
    "[PERSON]",
    ",",
    ":",
    "::",
    ".",
    "-",
    " ",
    "\"",
    "'",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "=",
    "/",
    "A",
    "Z",
    "1",
    "22",
    "a",
    "\u{e9}",
    "\u{1f600}",
];

const MODES: [&str; 3] = ["mask", "label", "remove"];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn redacting_twice_is_redacting_once(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..16)
    ) {
        let text = pieces.concat();
        for mode in MODES {
            let once = redact(&[&text], &["all", mode]);
            let twice = redact(&[&once[0]], &["all", mode]);
            prop_assert_eq!(&once, &twice, "{} of {:?}", mode, text);
        }
        let mut at = 0;
        let letters = text.chars().count();
        for (_, start, end) in &spans(&[&text], "all")[0] {
            prop_assert!(at <= *start && start < end && *end <= letters, "{}", text);
            at = *end;
        }
    }
}

/// A quadratic search needs hours for one of them.
#[test]
fn hostile_text_is_read_in_linear_time() {
    for piece in PIECES {
        let text = piece.repeat(500_000 / piece.len());
        let found = spans(&[&text], "all");
        assert!(found[0].len() <= text.len(), "{piece}");
    }
}
