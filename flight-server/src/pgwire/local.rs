//! Running the statements about the connection.

use std::sync::Arc;

use bytes::BufMut;

use super::command::{Command, Copy, Fetch, Format, ToSavepoint};
use super::connection::{Block, Connection, Protocol};
use super::extended::{Advanced, no_portal};
use super::fault::{Refusal, Result};
use super::query::Started;
use super::rows::{Sink, described};
use super::statement::{Portal, State, Statement, text_column};

impl Connection {
    /// Runs `command`; in the simple protocol its columns are announced with its rows.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) async fn command(&mut self, command: &Command, protocol: Protocol) -> Result<()> {
        match command {
            Command::Begin => self.begin(),
            Command::Commit => self.commit(),
            Command::Rollback { to_savepoint } => self.rollback(*to_savepoint),
            command => {
                self.check_block()?;
                Box::pin(self.other(command, protocol)).await?;
            }
        }
        Ok(())
    }

    async fn other(&mut self, command: &Command, protocol: Protocol) -> Result<()> {
        match command {
            Command::Savepoint(tag) => {
                if self.block == Block::Idle {
                    let text = format!("{tag} can only be used in transaction blocks");
                    return Err(Refusal::new("25P01", text).into());
                }
                self.wire.output.complete(tag);
            }
            Command::Set { name, value, tag } => {
                self.set(name, value.as_deref()).await?;
                self.wire.output.complete(tag);
            }
            Command::Show(name) => self.show(name, protocol)?,
            Command::Discard(tag) => self.discard(tag).await?,
            Command::Deallocate(name) => {
                match name {
                    Some(name) if self.statements.remove(name).is_none() => {
                        let text = format!("prepared statement \"{name}\" does not exist");
                        return Err(Refusal::new("26000", text).into());
                    }
                    Some(_) => {}
                    None => self.statements.clear(),
                }
                self.wire.output.complete("DEALLOCATE");
            }
            Command::Nothing(tag) => self.wire.output.complete(tag),
            Command::Declare { name, query, hold } => self.declare(name, query, *hold).await?,
            Command::Fetch(fetch) => self.fetch(fetch, protocol).await?,
            Command::Close(name) => {
                match name {
                    Some(name) => {
                        self.portals.remove(name).ok_or_else(|| no_portal(name))?;
                    }
                    None => self.portals.clear(),
                }
                self.wire.output.complete("CLOSE CURSOR");
            }
            Command::Copy(copy) => self.copy(copy).await?,
            Command::Begin | Command::Commit | Command::Rollback { .. } => {}
        }
        Ok(())
    }

    fn begin(&mut self) {
        if self.block == Block::Idle {
            self.block = Block::Open;
        } else {
            let text = "there is already a transaction in progress";
            let refusal = Refusal::new("25001", text);
            self.wire.output.notice("WARNING", &refusal);
        }
        self.wire.output.complete("BEGIN");
    }

    fn commit(&mut self) {
        let tag = match self.block {
            Block::Failed => "ROLLBACK",
            Block::Open => "COMMIT",
            Block::Idle => {
                self.none_in_progress();
                "COMMIT"
            }
        };
        self.block = Block::Idle;
        self.close_portals();
        self.wire.output.complete(tag);
    }

    fn rollback(&mut self, to_savepoint: ToSavepoint) {
        match (to_savepoint, self.block) {
            (_, Block::Idle) => self.none_in_progress(),
            (ToSavepoint::Yes, _) => self.block = Block::Open,
            (ToSavepoint::No, _) => {
                self.block = Block::Idle;
                self.close_portals();
            }
        }
        self.wire.output.complete("ROLLBACK");
    }

    fn none_in_progress(&mut self) {
        let refusal = Refusal::new("25P01", "there is no transaction in progress");
        self.wire.output.notice("WARNING", &refusal);
    }

    async fn set(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let before = self.settings.announced();
        self.settings.set(name, value)?;
        if name.eq_ignore_ascii_case("timezone") {
            self.set_zone().await?;
        }
        for (new, old) in self.settings.announced().into_iter().zip(before) {
            if new != old {
                self.wire.output.parameter(new.0, &new.1);
            }
        }
        Ok(())
    }

    /// Gives the engine's session the zone of the client.
    pub(super) async fn set_zone(&mut self) -> Result<()> {
        let zone = self.settings.zone().to_string();
        let sql = format!("SET datafusion.execution.time_zone = '{zone}'");
        let stop = self.stop();
        let prepared = self.plan(&sql, &stop).await?;
        self.start(&prepared, &stop).await?;
        Ok(())
    }

    fn show(&mut self, name: &str, protocol: Protocol) -> Result<()> {
        let Some(value) = self.settings.get(name).map(str::to_owned) else {
            let text = format!("unrecognized configuration parameter \"{name}\"");
            return Err(Refusal::new("42704", text)
                .hint("settings of the engine are datafusion.* and sluice.*")
                .into());
        };
        if protocol == Protocol::Simple {
            self.wire.output.columns(&text_column(name));
        }
        self.wire.output.message(b'D', |body| {
            body.put_u16(1);
            body.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
            body.put_slice(value.as_bytes());
        });
        self.wire.output.complete("SHOW");
        Ok(())
    }

    async fn discard(&mut self, tag: &str) -> Result<()> {
        if tag == "DISCARD ALL" {
            if self.block != Block::Idle {
                let text = "DISCARD ALL cannot run inside a transaction block";
                return Err(Refusal::new("25001", text).into());
            }
            self.portals.clear();
            // The unnamed statement may be this very one.
            self.statements.clear();
        }
        let before = self.settings.announced();
        self.settings.reset()?;
        self.renew_session()?;
        if self.settings.get("timezone") != Some("UTC") {
            self.set_zone().await?;
        }
        for (new, old) in self.settings.announced().into_iter().zip(before) {
            if new != old {
                self.wire.output.parameter(new.0, &new.1);
            }
        }
        self.wire.output.complete(tag);
        Ok(())
    }

    async fn declare(&mut self, name: &str, query: &str, hold: bool) -> Result<()> {
        if self.portals.contains_key(name) {
            let text = format!("cursor \"{name}\" already exists");
            return Err(Refusal::new("42P03", text).into());
        }
        let stop = self.stop();
        let prepared = self.plan(query, &stop).await?;
        if prepared.has_effect() {
            return Err(Refusal::syntax("a cursor is declared for a query").into());
        }
        let statement = Statement::prepared(query.to_owned(), prepared.clone(), &[])?;
        let portal = Portal {
            formats: statement.formats(&[]),
            statement: Arc::new(statement),
            state: State::Ready(Some(Box::new(prepared))),
            // Where there is no transaction block, nothing would ever end it but the client.
            hold: hold || self.block == Block::Idle,
        };
        self.open(name.to_owned(), portal)?;
        self.wire.output.complete("DECLARE CURSOR");
        Ok(())
    }

    async fn fetch(&mut self, fetch: &Fetch, protocol: Protocol) -> Result<()> {
        let cursor = &fetch.cursor;
        let portal = self.portals.get(cursor).ok_or_else(|| no_portal(cursor))?;
        let sink = match fetch.dropped {
            true => Some(Sink::Dropped),
            false => None,
        };
        let announced = protocol == Protocol::Simple && !fetch.dropped;
        if let (true, Some(columns)) = (announced, &portal.statement.columns) {
            self.wire.output.columns(columns);
        }
        let rows = match self.advance(cursor, sink, fetch.rows).await? {
            Advanced::Sent(sent) => sent.rows,
            Advanced::Affected(_) => 0,
        };
        let verb = if fetch.dropped { "MOVE" } else { "FETCH" };
        self.wire.output.complete(&format!("{verb} {rows}"));
        Ok(())
    }

    /// Sends the rows of a query as the data of a COPY.
    async fn copy(&mut self, copy: &Copy) -> Result<()> {
        let stop = self.stop();
        let prepared = self.plan(&copy.query, &stop).await?;
        if prepared.has_effect() {
            return Err(Refusal::syntax("COPY TO takes a query").into());
        }
        let columns = described(&prepared.schema());
        let Started::Rows(mut rows) = self.start(&prepared, &stop).await? else {
            return Err(Refusal::syntax("COPY TO takes a query").into());
        };
        let binary = copy.style.format == Format::Binary;
        self.wire.output.message(b'H', |body| {
            body.put_u8(u8::from(binary));
            body.put_u16(u16::try_from(columns.len()).unwrap_or(u16::MAX));
            columns.iter().for_each(|_| body.put_u16(u16::from(binary)));
        });
        if binary {
            rows.header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
        } else if copy.style.header {
            let mut header = bytes::BytesMut::new();
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    header.put_slice(copy.style.delimiter.to_string().as_bytes());
                }
                super::rows::cell(&mut header, &column.name, &copy.style);
            }
            header.put_u8(b'\n');
            self.wire
                .output
                .message(b'd', |body| body.put_slice(&header));
        }
        let sink = Sink::Copy(&copy.style);
        let sent = rows.send(&mut self.wire, &stop, sink, None).await?;
        if binary {
            let header = rows.header;
            self.wire.output.message(b'd', |body| {
                body.put_slice(header);
                body.put_i16(-1);
            });
        }
        self.wire.output.bare(b'c');
        self.wire.output.complete(&format!("COPY {}", sent.rows));
        Ok(())
    }
}
