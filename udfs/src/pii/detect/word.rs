//! Words that announce a secret, and who looks at what follows them.

use super::category::{Categories, Category};
use super::row::Row;
use super::{auth, option, pem, secret};

/// What is found here.
pub(super) const CATEGORIES: Categories = Categories::NONE
    .with(Category::Password)
    .with(Category::Cvv)
    .with(Category::AuthHeader)
    .with(Category::PrivateKey);

/// Appends what the word at `at` announces.
pub(super) fn find(row: &mut Row<'_>, at: usize) {
    let Some(head) = row.text.get(at..(at + 4).min(row.text.len())) else {
        return;
    };
    let mut word = [0; 4];
    for (slot, byte) in word.iter_mut().zip(head) {
        *slot = byte.to_ascii_lowercase();
    }
    match &word {
        b"pass" | b"secr" | b"sess" | b"toke" | b"auth" | b"cred" | b"cook" | b"sig=" | b"secu" => {
            secret::find(row, at);
        }
        b"iden" => {
            let all = row.text.get(at..at + "identified".len());
            if all.is_some_and(|all| all.eq_ignore_ascii_case(b"identified")) {
                secret::find_identified(row, at);
            }
        }
        b"bear" => auth::find_bearer(row, at),
        b"basi" => auth::find_basic(row, at),
        b"--be" => pem::find(row, at),
        b"curl" => option::find(row, at),
        // After three letters the word ends or goes on; its name says which.
        [b'p', b'w', b'd', _]
        | [b'o', b't', b'p', _]
        | [b'k', b'e', b'y', _]
        | [b'c', b'v', b'v' | b'c', _]
        | [b'c', b's', b'c', _]
        | [b'p', b'i', b'n', _]
        | [b'p', b'w', b'=' | b':' | b'"' | b'\'', _] => secret::find(row, at),
        _ => {}
    }
}
