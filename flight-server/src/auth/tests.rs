//! Credentials in every shape, right and wrong, and the sessions they find.

use std::collections::BTreeMap;

use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::*;
use crate::users::{ScramVerifier, hash_key};

const TOKEN: &str = "s3cret:with:colons";

fn gate(token: Option<&str>) -> Gate {
    let none = BTreeMap::new();
    let users = Users::new(token, &none, &none, false, None).unwrap();
    Gate::new(Arc::new(users), Signer::new(None), false)
}

fn guarded() -> Gate {
    let users = BTreeMap::from([("alice".to_owned(), ScramVerifier::make("open:sesame"))]);
    let keys = BTreeMap::from([("grafana".to_owned(), hash_key("slk_1"))]);
    let users = Users::new(Some(TOKEN), &users, &keys, false, None).unwrap();
    Gate::new(Arc::new(users), Signer::new(None), true)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, value.parse().unwrap());
    }
    map
}

fn peer(certificate: Option<&str>) -> Peer {
    Peer {
        connection: Uuid::from_u128(7),
        address: "192.0.2.1".parse().unwrap(),
        certificate: certificate.map(Into::into),
    }
}

async fn admit(gate: &Gate, pairs: &[(&'static str, &str)]) -> Result<Caller> {
    gate.admit(&headers(pairs), &peer(None)).await
}

/// The name of whoever presents `authorization`.
async fn name(gate: &Gate, authorization: &str) -> Option<String> {
    let caller = admit(gate, &[("authorization", authorization)]).await;
    Some(caller.ok()?.principal.name().to_string())
}

#[tokio::test]
async fn an_open_gate_lets_everyone_in_by_connection() {
    let gate = gate(None);
    let caller = admit(&gate, &[]).await.unwrap();
    assert_eq!(caller.principal, Principal::anonymous());
    assert_eq!(caller.session, Uuid::from_u128(7));
    assert_eq!(caller.found, Found::Connection);
    for any in [
        "Bearer of nothing",
        "Bearer",
        "Basic ???",
        "Basic Og==",
        "Digest x",
    ] {
        assert_eq!(
            name(&gate, any).await.as_deref(),
            Some("anonymous"),
            "{any}"
        );
    }
}

#[tokio::test]
async fn a_token_is_accepted_in_every_shape_drivers_send() {
    let gate = guarded();
    for shape in [format!("Bearer {TOKEN}"), format!("bEARER  {TOKEN} ")] {
        assert_eq!(
            name(&gate, &shape).await.as_deref(),
            Some("token"),
            "{shape}"
        );
    }
    for user in ["", "a", "ab", "abc"] {
        let pair = format!("{user}:{TOKEN}");
        for shape in [STANDARD.encode(&pair), STANDARD_NO_PAD.encode(&pair)] {
            let shape = format!("basic {shape}");
            assert_eq!(
                name(&gate, &shape).await.as_deref(),
                Some("token"),
                "{shape}"
            );
        }
    }
}

#[tokio::test]
async fn users_and_keys_have_names() {
    let gate = guarded();
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    let alice = basic("alice:open:sesame");
    for _ in 0..2 {
        assert_eq!(name(&gate, &alice).await.as_deref(), Some("alice"));
    }
    assert_eq!(
        name(&gate, "Bearer slk_1").await.as_deref(),
        Some("grafana")
    );
    assert_eq!(
        name(&gate, &basic("any:slk_1")).await.as_deref(),
        Some("grafana")
    );
    let key = admit(&gate, &[("x-api-key", "slk_1")]).await.unwrap();
    assert_eq!(&**key.principal.name(), "grafana");
    let both = [("authorization", "Bearer wrong"), ("authorization", &alice)];
    let caller = admit(&gate, &both).await.unwrap();
    assert_eq!(&**caller.principal.name(), "alice");
}

#[tokio::test]
async fn whatever_is_wrong_is_refused_with_what_is_wanted_and_never_what_was_sent() {
    let gate = guarded();
    let secret = STANDARD.encode("alice:hunter2");
    let rows: [(&[(&'static str, &str)], &str); 9] = [
        (&[], "this server wants credentials"),
        (&[("authorization", "Bearer")], "the bearer token is wrong"),
        (
            &[("authorization", "Bearer hunter2")],
            "the bearer token is wrong",
        ),
        (&[("authorization", "Basic")], "not Basic with the base64"),
        (
            &[("authorization", "Basic ???")],
            "not Basic with the base64",
        ),
        (
            &[("authorization", "Digest hunter2")],
            "neither Basic nor Bearer",
        ),
        (&[("x-api-key", "hunter2")], "the API key is wrong"),
        (
            &[("authorization", &format!("Basic {secret}"))],
            "password is wrong",
        ),
        (
            &[("cookie", "sluice_session=hunter2")],
            "this server wants credentials",
        ),
    ];
    for (pairs, want) in rows {
        match admit(&gate, pairs).await.unwrap_err() {
            Refusal::Unauthenticated(text) => {
                assert!(text.contains(want), "{pairs:?}: {text}");
                assert!(
                    !text.contains("hunter2") && !text.contains(&secret),
                    "{text}"
                );
            }
            other => panic!("{pairs:?}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_bearer_of_ours_brings_its_session_until_it_expires_or_the_password_changes() {
    let gate = guarded();
    let alice = Principal::of("alice");
    let session = Uuid::new_v4();
    let sealed = |gate: &Gate, expires| gate.sealed(Purpose::Bearer, session, &alice, expires);
    let good = format!("Bearer {}", sealed(&gate, seconds() + 9));
    let caller = admit(&gate, &[("authorization", &good)]).await.unwrap();
    assert_eq!((caller.session, caller.found), (session, Found::Presented));
    assert_eq!(caller.principal, alice);

    let expired = format!("Bearer {}", sealed(&gate, seconds() - 1));
    let refused = admit(&gate, &[("authorization", &expired)])
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("expired"), "{refused}");

    let mut changed = guarded();
    changed.signer = gate.signer.clone();
    let refused = admit(&changed, &[("authorization", &good)])
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("have changed"), "{refused}");
    let cookie = format!(
        "Bearer {}",
        gate.sealed(Purpose::Cookie, session, &alice, u64::MAX)
    );
    assert_eq!(name(&gate, &cookie).await, None);
}

#[tokio::test]
async fn a_cookie_brings_its_owner_the_session_back_and_nobody_else() {
    let gate = guarded();
    let session = Uuid::new_v4();
    let set = gate.set_cookie(session, &Principal::of("grafana"));
    assert!(set.ends_with("; Path=/; HttpOnly; Secure"), "{set}");
    let sent = format!("other=1; {}", set.split(';').next().unwrap());
    let with = |token: &str, cookie: &str| {
        let pairs = headers(&[("authorization", token), ("cookie", cookie)]);
        let gate = gate.clone();
        async move { gate.admit(&pairs, &peer(None)).await.unwrap() }
    };
    let caller = with("Bearer slk_1", &sent).await;
    assert_eq!((caller.session, caller.found), (session, Found::Presented));
    let other = with(&format!("Bearer {TOKEN}"), &sent).await;
    assert_eq!(other.found, Found::Connection);
    let forged = sent.replace("sluice_session=", "sluice_session=A");
    assert_eq!(with("Bearer slk_1", &forged).await.found, Found::Connection);
}

#[tokio::test]
async fn a_certificate_with_a_users_name_is_enough_and_a_wrong_password_beside_it_is_not() {
    let gate = guarded();
    let call = |certificate, pairs: &[(&'static str, &str)]| {
        let (headers, gate) = (headers(pairs), gate.clone());
        async move { gate.admit(&headers, &peer(Some(certificate))).await }
    };
    let alice = call("alice", &[]).await.unwrap();
    assert_eq!(alice.principal, Principal::of("alice"));
    let refused = call("stranger", &[]).await.unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
    assert!(
        call("alice", &[("authorization", "Bearer x")])
            .await
            .is_err()
    );
    let token = call("stranger", &[("x-api-key", "slk_1")]).await.unwrap();
    assert_eq!(token.principal, Principal::of("grafana"));
}
