//! What a finding is, and the search for all of them in one text. The detectors are pure: bytes
//! in, spans out. Their order is by trigger: keys of secrets, `@`, digit runs.

mod boundary;
mod context;

mod secret_key;
mod secret_value;
mod secret;

mod email;

mod groups;

mod card;
mod phone;
mod ssn;

mod number;

/// A kind of personal data or secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    /// Payment card number.
    CreditCard,
    /// Social security number of the United States.
    UsSsn,
    /// E-mail address.
    Email,
    /// Telephone number.
    Phone,
    /// Password, token, key or other secret.
    Password,
}

impl Category {
    /// Every category, in the order of the documentation.
    pub(crate) const ALL: [Self; 5] = [
        Self::CreditCard,
        Self::UsSsn,
        Self::Email,
        Self::Phone,
        Self::Password,
    ];

    /// The name in SQL.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CreditCard => "credit_card",
            Self::UsSsn => "us_ssn",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Password => "password",
        }
    }

    /// Which of two findings in conflict stands: a key or checksum says more than a shape.
    const fn rank(self) -> u8 {
        match self {
            Self::Password => 0,
            Self::CreditCard => 1,
            Self::UsSsn => 2,
            Self::Email => 3,
            Self::Phone => 4,
        }
    }
}

/// A set of categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Categories(u8);

impl Categories {
    /// No category.
    pub(crate) const NONE: Self = Self(0);
    /// Every category.
    pub(crate) const ALL: Self = Self(0b1_1111);

    /// This set and `category`.
    pub(crate) const fn with(self, category: Category) -> Self {
        Self(self.0 | 1 << category as u8)
    }

    /// Whether `category` is in the set.
    pub(crate) const fn has(self, category: Category) -> bool {
        self.0 & 1 << category as u8 != 0
    }
}

/// A span of text that is personal data or a secret. Both ends are character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What it is.
    pub(crate) category: Category,
    /// First byte.
    pub(crate) start: usize,
    /// Byte after the last one.
    pub(crate) end: usize,
    /// Where the part that a mask treats by itself begins: the `@` of an address, the extension
    /// of a phone number; `end` elsewhere.
    pub(crate) mark: usize,
}

impl Finding {
    /// A finding without a part of its own.
    const fn new(category: Category, start: usize, end: usize) -> Self {
        Self {
            category,
            start,
            end,
            mark: end,
        }
    }

    const fn contains(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether this finding stands where it overlaps `other`: a secret always, then the one that
    /// contains the other, then the one with better evidence.
    const fn beats(&self, other: &Self) -> bool {
        if matches!(self.category, Category::Password) {
            return true;
        }
        if matches!(other.category, Category::Password) {
            return false;
        }
        match (self.contains(other), other.contains(self)) {
            (true, false) => true,
            (false, true) => false,
            _ => self.category.rank() <= other.category.rank(),
        }
    }
}

/// Replaces `found` by the findings of `wanted` categories in `text`, in order, without overlap.
pub(crate) fn find(text: &str, wanted: Categories, found: &mut Vec<Finding>) {
    found.clear();
    let bytes = text.as_bytes();
    if wanted.has(Category::Password) {
        secret::find(bytes, found);
    }
    if wanted.has(Category::Email) {
        email::find(bytes, found);
    }
    if wanted.has(Category::CreditCard)
        || wanted.has(Category::UsSsn)
        || wanted.has(Category::Phone)
    {
        number::find(bytes, wanted, found);
    }
    if found.len() > 1 {
        resolve(found);
    }
}

/// How many of `run` backslashes before a quote are its own: none in a document, 1 in a document in
/// a string of another, then 3, then 7. The others escape each other.
pub(crate) fn quote_depth(run: usize) -> usize {
    [0, 1, 3, 7]
        .into_iter()
        .find(|depth| run % (2 * (depth + 1)) == *depth)
        .unwrap_or(run)
}

fn resolve(found: &mut Vec<Finding>) {
    found.sort_unstable_by_key(|finding| (finding.start, finding.category.rank()));
    found.dedup_by(|next, kept| {
        let overlap = next.start < kept.end;
        if overlap && !kept.beats(next) {
            *kept = *next;
        }
        overlap
    });
}

#[cfg(test)]
pub(crate) fn spans(category: Category, text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    find(text, Categories::NONE.with(category), &mut found);
    found
        .iter()
        .map(|finding| &text[finding.start..finding.end])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_go_to_the_secret_the_container_or_the_better_evidence() {
        let cases = [
            (
                "https://bob:hunter2@example.com/",
                vec![(Category::Password, "hunter2")],
            ),
            (
                "password=bob@example.com",
                vec![(Category::Password, "bob@example.com")],
            ),
            (
                "4111111111111111@example.com",
                vec![(Category::Email, "4111111111111111@example.com")],
            ),
            (
                "4111 1111 1111 1111@example.com",
                vec![(Category::CreditCard, "4111 1111 1111 1111")],
            ),
        ];
        for (text, want) in cases {
            let mut found = Vec::new();
            find(text, Categories::ALL, &mut found);
            let got: Vec<_> = found
                .iter()
                .map(|one| (one.category, &text[one.start..one.end]))
                .collect();
            assert_eq!(got, want, "{text}");
        }
    }
}
