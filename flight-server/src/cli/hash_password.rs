//! `sluice hash-password`: the lines of the configuration that let a user or a program in.

use std::io::{IsTerminal, Write, stderr, stdin};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use sluice_engine::error::{Error, Result};
use tokio::task::spawn_blocking;
use toml::{Table, Value};

use super::output::print;
use crate::users::{ScramVerifier, hash_key};

/// What an API key begins with, so that scanners for leaked secrets know one.
const KEY: &str = "slk_";

const EXAMPLES: &str = "\
Examples:
  sluice hash-password --user alice < password.txt    a line for [server.users]
  sluice hash-password --api-key grafana              a new key, and its line for [server.api_keys]

The password is read from standard input, up to the end of the line, and nowhere else. What is
printed for it is a SCRAM-SHA-256 verifier in PostgreSQL's form. Of an API key the first line is the
key itself, which is shown this once; the configuration holds its hash.";

/// Arguments of `sluice hash-password`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HashPasswordArgs {
    /// The user; without it only the verifier is printed, as a file for "${file:...}" holds it
    #[arg(long, value_name = "NAME", conflicts_with = "api_key")]
    user: Option<String>,

    /// Make a key for the program of this name, and read no password
    #[arg(long, value_name = "NAME")]
    api_key: Option<String>,
}

impl HashPasswordArgs {
    /// Prints the line.
    ///
    /// # Errors
    /// When there is no password.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let text = match self.api_key {
            Some(name) => {
                let key = format!(
                    "{KEY}{}",
                    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
                );
                format!("{key}\n{}", line(&name, hash_key(&key)))
            }
            None => {
                let made =
                    spawn_blocking(|| read_password().map(|text| ScramVerifier::make(&text))).await;
                let fault = |error| Error::internal("hashing met a fault").source(error);
                let verifier = made.map_err(fault)??;
                match self.user {
                    Some(name) => line(&name, verifier),
                    None => verifier + "\n",
                }
            }
        };
        print(text.into_bytes()).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// One entry of a section.
fn line(name: &str, text: String) -> String {
    Table::from_iter([(name.to_owned(), Value::String(text))]).to_string()
}

/// The first line of standard input.
fn read_password() -> Result<String> {
    if stdin().is_terminal() {
        // Whoever reads a terminal's errors elsewhere does not need the question.
        let _unasked = stderr().write_all(b"password (it is shown): ");
    }
    let mut line = String::new();
    stdin()
        .read_line(&mut line)
        .map_err(|error| Error::user("the password cannot be read").source(error))?;
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err(Error::user("the password is empty").hint("write it to standard input")),
        password => Ok(password.to_owned()),
    }
}
