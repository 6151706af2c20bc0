//! Every credential, right and wrong, against verifiers of PostgreSQL and our own.

use super::*;

/// What PostgreSQL's `\password` made of "pencil" with 4096 iterations (the key pair is the one of
/// RFC 7677's example).
const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
                      WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
                      wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

fn users(token: Option<&str>) -> Users {
    let table = |pairs: &[(&str, &str)]| {
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        pairs.iter().map(own).collect::<BTreeMap<_, _>>()
    };
    let named = table(&[("alice", PENCIL), ("robot", "certificate")]);
    let keys = table(&[("grafana", &hash_key("slk_1"))]);
    Users::new(token, &named, &keys, false, None).unwrap()
}

fn name(principal: Option<Principal>) -> Option<String> {
    Some(principal?.name().to_string())
}

#[test]
fn without_credentials_it_is_open() {
    let none = BTreeMap::new();
    let open = |token, certificates| {
        Users::new(token, &none, &none, certificates, None)
            .unwrap()
            .open()
    };
    assert!(open(None, false));
    assert!(!open(Some("t"), false));
    assert!(!open(None, true));
    assert!(!users(None).open());
}

#[test]
fn a_password_is_its_users_alone_and_remembered() {
    let users = users(Some("t0ken"));
    for _ in 0..2 {
        assert_eq!(
            name(users.password("alice", "pencil")).as_deref(),
            Some("alice")
        );
        for (user, wrong) in [
            ("alice", "Pencil"),
            ("alice", ""),
            ("alice", "t0ken"),
            ("bob", "pencil"),
            ("", "pencil"),
            ("robot", "pencil"),
            ("robot", ""),
        ] {
            assert_eq!(users.password(user, wrong), None, "{user}");
        }
    }
    assert_eq!(users.remembered.lock().unwrap().len(), 1);
}

#[test]
fn the_token_and_keys_are_bearers_and_passwords_of_unknown_users() {
    let users = users(Some("t0ken"));
    assert_eq!(name(users.bearer("t0ken")).as_deref(), Some("token"));
    assert_eq!(name(users.bearer("slk_1")).as_deref(), Some("grafana"));
    assert_eq!(
        name(users.password("any", "t0ken")).as_deref(),
        Some("token")
    );
    assert_eq!(
        name(users.password("", "slk_1")).as_deref(),
        Some("grafana")
    );
    for wrong in ["", "t0ke", "t0kenn", "slk_2"] {
        assert_eq!(users.bearer(wrong), None);
    }
    assert_eq!(self::users(None).bearer(""), None);
}

#[test]
fn what_is_made_verifies_what_it_was_made_of() {
    let made = ScramVerifier::make("пароль ½");
    let verifier = ScramVerifier::read("u", &made).unwrap();
    assert!(verifier.verify("пароль ½"));
    assert!(!verifier.verify("пароль"));
    assert_ne!(
        made,
        ScramVerifier::make("пароль ½"),
        "each has its own salt"
    );
}

#[test]
fn whoever_is_not_there_has_a_verifier_too() {
    let without_token = users(None);
    let made_up = without_token.scram("mallory").unwrap();
    assert_eq!(made_up, without_token.scram("mallory").unwrap());
    assert_eq!((made_up.iterations, made_up.salt.len()), (4_096, 16));
    let robot = without_token.scram("robot").unwrap();
    assert_ne!(made_up.salt, robot.salt);
    let token = users(Some("t")).scram("mallory").unwrap();
    assert!(token.verify("t"));
    assert_eq!(users(None).scram("alice").unwrap().salt.len(), 16);
    let none = BTreeMap::new();
    assert_eq!(
        Users::new(None, &none, &none, false, None)
            .unwrap()
            .scram("x"),
        None
    );
}

#[test]
fn certificates_name_users_or_anyone() {
    assert_eq!(
        name(users(None).certificate("robot")).as_deref(),
        Some("robot")
    );
    assert_eq!(users(None).certificate("stranger"), None);
    let none = BTreeMap::new();
    let any = Users::new(None, &none, &none, true, None).unwrap();
    assert_eq!(
        name(any.certificate("stranger")).as_deref(),
        Some("stranger")
    );
    for reserved in ["", "token", "anonymous"] {
        assert_eq!(any.certificate(reserved), None);
    }
}

#[test]
fn malformed_entries_are_named_and_not_shown() {
    let none = BTreeMap::new();
    for wrong in [
        "hunter2",
        "",
        "md5abc",
        "SCRAM-SHA-256$1:W22ZaJ0SNY7soEsUEjb6gQ==$AAAA:AAAA",
        &PENCIL.replace("4096", "1000"),
        &PENCIL.replace("4096", "99999999"),
    ] {
        let named = BTreeMap::from([("alice".to_owned(), wrong.to_owned())]);
        let users = Users::new(None, &named, &none, false, None);
        let text = users.unwrap_err().to_string();
        assert!(
            text.contains("alice") && !text.contains("hunter2"),
            "{text}"
        );
        assert!(Users::new(None, &none, &named, false, None).is_err());
    }
    let reserved = BTreeMap::from([("token".to_owned(), PENCIL.to_owned())]);
    assert!(Users::new(None, &reserved, &none, false, None).is_err());
}
