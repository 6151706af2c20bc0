//! The extended protocol: statements that are parsed, bound, described and executed in messages of
//! their own.

use std::sync::Arc;

use sluice_engine::statement::split;

use super::command::{self, Command};
use super::connection::{Connection, Protocol};
use super::fault::{Refusal, Result};
use super::frame::{Bind, Described, Target};
use super::query::{Started, tag};
use super::rows::{Sent, Sink};
use super::statement::{Portal, State, Statement, Work, text_column};

/// Statements that one connection may keep.
const STATEMENTS_MAX: usize = 4_096;
/// Portals and cursors that one connection may keep; each of them holds a query.
const PORTALS_MAX: usize = 256;

impl Connection {
    /// Prepares `sql` under `name`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) async fn parse(&mut self, name: String, sql: &str, oids: &[u32]) -> Result<()> {
        if !name.is_empty() && self.statements.contains_key(&name) {
            let text = format!("prepared statement \"{name}\" already exists");
            return Err(Refusal::new("42P05", text).into());
        }
        if self.statements.len() >= STATEMENTS_MAX {
            return Err(Refusal::new("54000", "too many prepared statements")
                .hint("close those that are no longer needed")
                .into());
        }
        let statements = split(sql).map_err(|error| Refusal::of(&error, sql))?;
        let statement = match statements.as_slice() {
            [] => Statement::empty(),
            [one] => match command::parse(one)? {
                Some(command) => {
                    let columns = self.columns_of(&command);
                    Statement::command(one.clone(), command, columns)
                }
                None => {
                    self.check_block()?;
                    let stop = self.stop();
                    // The text as it was sent, so that places in it are the client's.
                    let prepared = self.plan(sql, &stop).await?;
                    Statement::prepared(sql.to_owned(), prepared, oids)?
                }
            },
            _ => {
                let text = "cannot insert multiple commands into a prepared statement";
                return Err(Refusal::syntax(text).into());
            }
        };
        self.statements.insert(name, statement.into());
        self.wire.output.bare(b'1');
        Ok(())
    }

    /// The columns that a statement about the connection gives.
    pub(super) fn columns_of(&self, command: &Command) -> Option<Vec<Described>> {
        match command {
            Command::Show(name) => Some(text_column(name)),
            Command::Fetch(fetch) if !fetch.dropped => {
                self.portals.get(&fetch.cursor)?.statement.columns.clone()
            }
            _ => None,
        }
    }

    /// Makes a portal of a statement and values.
    ///
    /// # Errors
    /// When there is no such statement, or the values do not fit.
    pub(super) async fn bind(&mut self, bind: Bind) -> Result<()> {
        let statement = self.statement_named(&bind.statement)?;
        self.portals.remove(&bind.portal);
        let prepared = match &statement.work {
            Work::Engine(_) => {
                self.check_block()?;
                let prepared = match statement.fresh() {
                    Some(prepared) => prepared,
                    None => {
                        let stop = self.stop();
                        self.plan(&statement.sql, &stop).await?
                    }
                };
                Some(Box::new(statement.bound(prepared, &bind)?))
            }
            _ => None,
        };
        let portal = Portal {
            formats: statement.formats(&bind.results),
            statement,
            state: State::Ready(prepared),
            hold: false,
        };
        self.open(bind.portal, portal)?;
        self.wire.output.bare(b'2');
        Ok(())
    }

    /// Keeps a portal under `name`.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn open(&mut self, name: String, portal: Portal) -> Result<()> {
        if self.portals.len() >= PORTALS_MAX {
            return Err(Refusal::new("54000", "too many open cursors")
                .hint("close those that are no longer needed")
                .into());
        }
        self.portals.insert(name, portal);
        Ok(())
    }

    fn statement_named(&self, name: &str) -> Result<Arc<Statement>> {
        let found = self.statements.get(name).map(Arc::clone);
        found.ok_or_else(|| {
            let text = format!("prepared statement \"{name}\" does not exist");
            Refusal::new("26000", text).into()
        })
    }

    /// Says what a statement takes and gives, or what a portal gives.
    ///
    /// # Errors
    /// When there is no such thing.
    pub(super) fn describe(&mut self, target: &Target) -> Result<()> {
        let columns = match target {
            Target::Statement(name) => {
                let statement = self.statement_named(name)?;
                let oids: Vec<u32> = statement.parameters.iter().map(|p| p.oid).collect();
                self.wire.output.parameters(&oids);
                statement.columns.clone()
            }
            Target::Portal(name) => {
                let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
                portal.statement.columns.as_ref().map(|columns| {
                    let formats = portal.formats.iter();
                    let columns = columns.iter().zip(formats);
                    columns
                        .map(|(column, format)| Described {
                            format: *format,
                            ..column.clone()
                        })
                        .collect()
                })
            }
        };
        match columns {
            Some(columns) => self.wire.output.columns(&columns),
            None => self.wire.output.bare(b'n'),
        }
        Ok(())
    }

    /// Runs a portal, for `limit` rows where that is not 0.
    ///
    /// # Errors
    /// Those of the statement, and what stops it.
    pub(super) async fn execute(&mut self, name: &str, limit: usize) -> Result<()> {
        let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
        let statement = Arc::clone(&portal.statement);
        match &statement.work {
            Work::Empty => self.wire.output.bare(b'I'),
            Work::Command(command) => self.command(command, Protocol::Extended).await?,
            Work::Engine(_) => {
                let limit = (limit > 0).then_some(limit);
                match self.advance(name, None, limit).await? {
                    Advanced::Affected(tag) => self.wire.output.complete(&tag),
                    Advanced::Sent(Sent { more: true, .. }) => self.wire.output.bare(b's'),
                    Advanced::Sent(sent) => {
                        let tag = tag(&statement.sql, sent.rows as u64);
                        self.wire.output.complete(&tag);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the portal `name` on by `limit` rows, which go to `sink` or else to the client in the
    /// portal's formats.
    ///
    /// # Errors
    /// Those of the statement, and what stops it; the portal is at its end then.
    pub(super) async fn advance(
        &mut self,
        name: &str,
        sink: Option<Sink<'_>>,
        limit: Option<usize>,
    ) -> Result<Advanced> {
        self.check_block()?;
        let portal = self.portals.get_mut(name).ok_or_else(|| no_portal(name))?;
        let state = std::mem::replace(&mut portal.state, State::Done);
        let (statement, formats) = (Arc::clone(&portal.statement), portal.formats.clone());
        let stop = self.stop();
        let mut rows = match state {
            State::Running(rows) => rows,
            State::Ready(Some(prepared)) => match self.start(&prepared, &stop).await? {
                Started::Rows(rows) => rows,
                Started::Affected(count) => {
                    return Ok(Advanced::Affected(tag(&statement.sql, count)));
                }
            },
            State::Ready(None) | State::Done => {
                let (rows, more) = (0, false);
                return Ok(Advanced::Sent(Sent { rows, more }));
            }
        };
        let sink = sink.unwrap_or(Sink::Rows(&formats));
        let sent = rows.send(&mut self.wire, &stop, sink, limit).await?;
        if let (true, Some(portal)) = (sent.more, self.portals.get_mut(name)) {
            portal.state = State::Running(rows);
        }
        Ok(Advanced::Sent(sent))
    }
}

/// How far a portal came.
#[derive(Debug)]
pub(super) enum Advanced {
    /// It had an effect, which this says.
    Affected(String),
    /// It gave rows.
    Sent(Sent),
}

/// There is no portal of this name.
pub(super) fn no_portal(name: &str) -> Refusal {
    let text = match name {
        "" => "portal \"\" does not exist".to_owned(),
        name => format!("cursor \"{name}\" does not exist"),
    };
    Refusal::new("34000", text)
}
