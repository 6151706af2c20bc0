//! Neural models on the processor, made of files that somebody else has read: nothing here does
//! input or output, and a query finds a model only in its configuration.
//!
//! [`ModelFiles`] become an encoder of the BERT family, which turns tokens into vectors. Texts of
//! any length are cut into what an encoder can take at a time, and a classifier says of every token
//! which label it has. Sequences are packed behind each other and never padded, so the cost is that
//! of the tokens there are, and a text is read alike alone and in company.

mod files;

mod shape;

mod gelu;

mod encoder;

mod tokens;

mod classifier;

pub use files::{ModelFault, ModelFiles};

pub(crate) use classifier::{Classifier, Token};
