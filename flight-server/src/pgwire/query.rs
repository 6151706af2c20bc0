//! The simple protocol: a text of statements, each run to its end before the next.

use sluice_engine::session::{Prepared, Session};
use sluice_engine::statement::split;

use super::cancel::Stop;
use super::command;
use super::connection::{Connection, Protocol};
use super::fault::{Refusal, Result};
use super::rows::{Rows, Sink, described, watched};
use super::words::{Word, Words};

impl Connection {
    /// Runs the statements of `text`.
    ///
    /// # Errors
    /// Those of the first statement that fails; the ones before it stay done.
    pub(super) async fn query(&mut self, text: &str) -> Result<()> {
        let statements = split(text).map_err(|error| Refusal::of(&error, text))?;
        if statements.is_empty() {
            self.wire.output.bare(b'I');
        }
        for sql in &statements {
            match command::parse(sql)? {
                Some(command) => self.command(&command, Protocol::Simple).await?,
                None => self.statement(sql).await?,
            }
        }
        Ok(())
    }

    async fn statement(&mut self, sql: &str) -> Result<()> {
        self.check_block()?;
        let stop = self.stop();
        let prepared = self.plan(sql, &stop).await?;
        if !prepared.parameters()?.is_empty() {
            let text = "there is no value for the parameters of this statement";
            return Err(Refusal::new("42P02", text).into());
        }
        let columns = (!prepared.has_effect()).then(|| described(&prepared.schema()));
        if let Some(columns) = &columns {
            self.wire.output.columns(columns);
        }
        let formats = vec![0; columns.as_ref().map_or(0, Vec::len)];
        let mut rows = match self.start(&prepared, &stop).await? {
            Started::Rows(rows) => rows,
            Started::Affected(affected) => {
                self.wire.output.complete(&tag(sql, affected));
                return Ok(());
            }
        };
        let sink = Sink::Rows(&formats);
        let sent = rows.send(&mut self.wire, &stop, sink, None).await?;
        self.wire.output.complete(&tag(sql, sent.rows as u64));
        Ok(())
    }

    /// Starts `prepared`: an effect is done to its end.
    ///
    /// # Errors
    /// Those of the statement, and what stops it.
    pub(super) async fn start(&mut self, prepared: &Prepared, stop: &Stop) -> Result<Started> {
        let (session, plan): (Session, Prepared) = (self.session.clone(), prepared.clone());
        let running = Box::pin(async move { session.execute(&plan).await });
        let answer = watched(&mut self.wire, stop, prepared.sql(), running);
        let answer = answer.await?;
        Ok(match answer.affected {
            Some(affected) if prepared.has_effect() => Started::Affected(affected),
            _ => Started::Rows(Box::new(Rows::new(answer.rows, self.settings.zone()))),
        })
    }
}

/// What came of starting a statement.
#[derive(Debug)]
pub(super) enum Started {
    Rows(Box<Rows>),
    Affected(u64),
}

/// What `sql` did, in the words that drivers read: the count is that of `rows`.
pub(super) fn tag(sql: &str, rows: u64) -> String {
    let mut words = Words::of(sql);
    let mut next = || match words.next() {
        Some(Word::Bare(word)) => word.to_uppercase(),
        _ => String::new(),
    };
    let (first, second) = (next(), next());
    match first.as_str() {
        "INSERT" => format!("INSERT 0 {rows}"),
        "UPDATE" | "DELETE" | "MERGE" | "COPY" => format!("{first} {rows}"),
        "EXPLAIN" | "SHOW" | "CALL" | "SET" | "RESET" | "USE" => first,
        "DESCRIBE" | "DESC" => "SHOW".to_owned(),
        "CREATE" | "DROP" | "ALTER" => {
            let mut kind = second;
            while matches!(
                kind.as_str(),
                "OR" | "REPLACE" | "EXTERNAL" | "TEMPORARY" | "TEMP"
            ) {
                kind = next();
            }
            match kind.as_str() {
                "MATERIALIZED" => format!("{first} MATERIALIZED VIEW"),
                kind => format!("{first} {kind}"),
            }
        }
        _ => format!("SELECT {rows}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_those_that_drivers_read() {
        for (sql, want) in [
            ("select 1", "SELECT 3"),
            ("WITH a AS (SELECT 1) SELECT * FROM a", "SELECT 3"),
            ("(SELECT 1)", "SELECT 3"),
            ("VALUES (1)", "SELECT 3"),
            ("insert into t select 1", "INSERT 0 3"),
            ("CREATE OR REPLACE EXTERNAL TABLE t ()", "CREATE TABLE"),
            ("create pipeline p as", "CREATE PIPELINE"),
            ("DROP TABLE t", "DROP TABLE"),
            ("explain select 1", "EXPLAIN"),
            ("DELETE FROM t", "DELETE 3"),
        ] {
            assert_eq!(tag(sql, 3), want, "{sql}");
        }
    }
}
