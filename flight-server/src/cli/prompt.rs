//! `sluice sql` on a terminal: lines with history, statements over several lines, a few commands.

use std::path::PathBuf;
use std::process::ExitCode;

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use sluice_engine::config::Config;
use sluice_engine::error::{Error, Result};
use tokio::task::spawn_blocking;

use super::exit::{is_closed, report, say};
use super::format::Format;
use super::run::run;
use super::script::{is_complete, statements};
use super::target::Place;

const PROMPT: &str = "sluice> ";
const PROMPT_MORE: &str = "     -> ";

const GREETING: &str = concat!(
    "sluice ",
    env!("CARGO_PKG_VERSION"),
    ": statements end with ;  \\? shows the commands, \\q or Ctrl-D ends\n"
);

const COMMANDS: &str = "\
\\d          the tables\n\
\\d NAME     the columns of a table\n\
\\?          this list\n\
\\q, Ctrl-D  end\n\
Ctrl-C      stop the running query, or clear the line\n";

const TABLES: &str = "SELECT table_schema AS schema, table_name AS name, table_type AS type \
    FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY 1, 2";

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Quit,
    Help,
    Sql(String),
    Unknown,
}

/// Reads and runs statements until the user ends it.
///
/// # Errors
/// When the terminal cannot be used, or nobody reads standard output any more.
pub(crate) async fn prompt(mut place: Place, format: Format) -> Result<ExitCode> {
    let history = history_file();
    let mut editor = DefaultEditor::new().map_err(|error| unusable(&error))?;
    if let Some(file) = &history {
        // The first time there is none.
        let _absent = editor.load_history(file);
    }
    say(GREETING);
    let mut text = String::new();
    loop {
        let shown = if text.is_empty() { PROMPT } else { PROMPT_MORE };
        let (back, line) = read(editor, shown).await?;
        editor = back;
        let line = match line {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                text.clear();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(unusable(&error)),
        };
        let command = text.is_empty().then(|| command(&line)).flatten();
        match command {
            Some(Command::Quit) => break,
            Some(Command::Help) => say(COMMANDS),
            Some(Command::Unknown) => say("there is no such command; \\? shows them\n"),
            Some(Command::Sql(sql)) => run_all(&mut place, &sql, Format::Table).await?,
            None => {
                text.push_str(&line);
                text.push('\n');
                if is_complete(&text) {
                    run_all(&mut place, &text, format).await?;
                } else if !text.trim().is_empty() {
                    continue;
                }
            }
        }
        let entry = std::mem::take(&mut text);
        let entry = if entry.is_empty() { line } else { entry };
        remember(&mut editor, history.as_ref(), entry.trim());
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads one line, off the threads that run statements.
async fn read(
    mut editor: DefaultEditor,
    prompt: &'static str,
) -> Result<(DefaultEditor, rustyline::Result<String>)> {
    let reading = spawn_blocking(move || {
        let line = editor.readline(prompt);
        (editor, line)
    });
    reading
        .await
        .map_err(|error| Error::internal("the prompt met a fault").source(error))
}

/// Runs the statements of `text` until one fails; only an output that nobody reads ends the prompt.
async fn run_all(place: &mut Place, text: &str, format: Format) -> Result<()> {
    let statements = match statements(text, None) {
        Ok(statements) => statements,
        Err(error) => {
            report(&error);
            return Ok(());
        }
    };
    for statement in statements {
        let outcome = tokio::select! {
            outcome = run(place, &statement.sql, format) => outcome,
            _ = tokio::signal::ctrl_c() => Err(Error::cancelled("stopped")),
        };
        match outcome {
            Ok(summary) => say(&format!("{summary}\n")),
            Err(error) if is_closed(&error) => return Err(error),
            Err(error) => {
                report(&error);
                break;
            }
        }
    }
    Ok(())
}

/// The command that `line` is; `None` for SQL.
fn command(line: &str) -> Option<Command> {
    let words: Vec<&str> = line
        .trim()
        .trim_end_matches(';')
        .split_whitespace()
        .collect();
    Some(match words.as_slice() {
        ["\\q" | "quit" | "exit"] => Command::Quit,
        ["\\?" | "help"] => Command::Help,
        ["\\d"] => Command::Sql(TABLES.to_owned()),
        ["\\d", name] => Command::Sql(columns_of(name)),
        [first, ..] if first.starts_with('\\') => Command::Unknown,
        _ => return None,
    })
}

fn columns_of(name: &str) -> String {
    let (schema, table) = name.rsplit_once('.').unwrap_or(("public", name));
    let literal = |text: &str| text.trim_matches('"').replace('\'', "''");
    format!(
        "SELECT column_name AS column, data_type AS type, is_nullable AS nullable \
         FROM information_schema.columns WHERE table_schema = '{}' AND table_name = '{}' \
         ORDER BY ordinal_position",
        literal(schema),
        literal(table),
    )
}

fn remember(editor: &mut DefaultEditor, file: Option<&PathBuf>, entry: &str) {
    if entry.is_empty() {
        return;
    }
    // A history that cannot be written is no reason to disturb the user.
    let _same = editor.add_history_entry(entry);
    let _unwritten = file.map(|file| editor.append_history(file));
}

/// Where the history is kept: `$XDG_STATE_HOME/sluice/history`, or below `~/.local/state`.
fn history_file() -> Option<PathBuf> {
    let variable = |wanted: &str| {
        let mut all = Config::environment();
        all.find_map(|(name, value)| (name == wanted && !value.is_empty()).then_some(value))
    };
    let state = variable("XDG_STATE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(variable("HOME")?).join(".local/state"));
    let folder = state.or_else(home)?.join("sluice");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

fn unusable(error: &ReadlineError) -> Error {
    Error::unavailable(format!("cannot read from the terminal: {error}"))
        .hint("give the statements by -c or -f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_sql() {
        assert_eq!(command(" \\q "), Some(Command::Quit));
        assert_eq!(command("exit;"), Some(Command::Quit));
        assert_eq!(command("\\?"), Some(Command::Help));
        assert_eq!(command("\\d"), Some(Command::Sql(TABLES.to_owned())));
        assert_eq!(command("\\x 1"), Some(Command::Unknown));
        assert_eq!(command("SELECT 1;"), None);
        assert_eq!(command(""), None);
    }

    #[test]
    fn a_name_cannot_end_its_string() {
        let sql = columns_of("system.a'b");
        assert!(
            sql.contains("table_schema = 'system' AND table_name = 'a''b'"),
            "{sql}"
        );
    }
}
