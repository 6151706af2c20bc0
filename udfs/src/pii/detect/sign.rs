//! What stands around an `@`: an e-mail address, or the password before the host of a URL or a
//! data source name.

use super::boundary::before;
use super::category::{Categories, Category};
use super::email;
use super::finding::Finding;
use super::row::Row;
use super::secret_value::is_harmless;

/// What is found here.
pub(super) const CATEGORIES: Categories = Categories::NONE
    .with(Category::Email)
    .with(Category::Password);

/// Longest user and password before a host.
const USER_MAX: usize = 256;

/// Appends what the sign at `at` belongs to.
pub(super) fn find(row: &mut Row<'_>, at: usize) {
    if row.wanted.has(Category::Password) {
        let password = password_before(row, at);
        if let Some(start) = password {
            let span = start..at;
            let finding = Finding::new(Category::Password, span, (100, "userinfo"));
            row.found.push(finding);
        }
    }
    let address = row.wanted.has(Category::Email) && at >= row.progress.address;
    if let Some(finding) = address.then(|| email::verify(row.text, at)).flatten() {
        row.progress.address = finding.end;
        row.found.push(finding);
    }
}

/// Where the password in `user:password@host` begins, after `://`, or before `tcp(` as the
/// drivers of Go write it.
fn password_before(row: &mut Row<'_>, at: usize) -> Option<usize> {
    let text = row.text;
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'/')
    };
    // Signs in one word share what stands before them: it is read once.
    let known = row.progress.authority;
    let from = at.saturating_sub(USER_MAX).max(known);
    let head = text.get(from..at)?;
    let start = match head.iter().rposition(ends) {
        Some(end) => from + end + 1,
        None if from == known && known > 0 => known,
        None if from == 0 => 0,
        None => {
            row.progress.authority = at;
            return None;
        }
    };
    row.progress.authority = start;
    let user = text.get(start..at)?;
    let url = text.get(..start)?.ends_with(b"://");
    let driver = text.get(at..)?.starts_with(b"@tcp(");
    if !url && !driver {
        return None;
    }
    // A password may have a sign itself: the last one before the host counts.
    let later = text.get(at + 1..(at + USER_MAX).min(text.len()))?;
    let host = later
        .iter()
        .position(|byte| ends(byte) || matches!(byte, b'?' | b'#'));
    let later = later.get(..host.unwrap_or(later.len()))?;
    if url && later.contains(&b'@') {
        return None;
    }
    let name = if driver {
        user.iter()
            .rposition(|byte| *byte == b'=')
            .map_or(0, |equals| equals + 1)
    } else {
        0
    };
    let colon = name + memchr::memchr(b':', user.get(name..)?)?;
    let password = start + colon + 1;
    let empty = before(text, at) == Some(b':') && password == at;
    (!empty && !is_harmless(text.get(password..at)?)).then_some(password)
}
