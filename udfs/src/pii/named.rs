//! Categories as options of functions name them.

use datafusion::common::plan_err;
use datafusion::error::Result;

use crate::pii::detect::{Categories, Category};

/// The categories and sets that `words` name.
///
/// # Errors
/// Refuses an unknown name, listing the valid ones, and an empty list.
pub(crate) fn categories(function: &str, words: &[String]) -> Result<Categories> {
    let mut categories = Categories::NONE;
    for word in words {
        let Some(named) = Categories::named(word) else {
            let valid = Categories::valid_names();
            return plan_err!(
                "{function} does not know the category \"{word}\"; valid are {valid}"
            );
        };
        categories = categories.and(named);
    }
    if categories == Categories::NONE {
        return plan_err!("{function} was given an empty list of categories; leave it out");
    }
    Ok(categories)
}

/// The one category that `word` names.
///
/// # Errors
/// Refuses an unknown name and a set, listing the valid ones.
pub(crate) fn category(function: &str, word: &str) -> Result<Category> {
    let named = Category::ALL.iter().find(|one| one.name() == word);
    named.copied().map_or_else(
        || {
            let names: Vec<_> = Category::ALL.iter().map(|one| one.name()).collect();
            let valid = names.join(", ");
            plan_err!("{function} does not know the category \"{word}\"; valid are {valid}")
        },
        Ok,
    )
}
