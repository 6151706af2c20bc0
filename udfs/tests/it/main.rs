//! Tests of the crate as its users see it: everything that is listed in the registry, and each
//! function that needs more than its examples.

#[cfg(test)]
mod mmdb;

#[cfg(test)]
mod enrich;

#[cfg(test)]
mod call;

#[cfg(test)]
mod registry;

#[cfg(test)]
mod examples;

#[cfg(test)]
mod conformance;

#[cfg(test)]
mod options;

#[cfg(test)]
mod pii;

#[cfg(test)]
mod by_name;

#[cfg(test)]
mod policies;

#[cfg(test)]
mod ner_model;

#[cfg(test)]
mod ner;

#[cfg(test)]
mod ner_files;

#[cfg(test)]
mod properties;

#[cfg(test)]
mod samples;

#[cfg(test)]
mod parse;

#[cfg(test)]
mod parse_properties;

#[cfg(test)]
mod parse_samples;

#[cfg(test)]
mod accuracy;

#[cfg(test)]
mod fuzz;
