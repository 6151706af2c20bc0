//! One client from its first statement to its last: what it has prepared, set and opened, and the
//! loop that reads its messages.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sluice_engine::authority::Authority;
use sluice_engine::session::{Prepared, Session};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::cancel::{Key, Stop};
use super::fault::{Fault, Refusal, Result};
use super::frame::{Message, Target};
use super::rows::watched;
use super::setting::Settings;
use super::shared::Shared;
use super::statement::{Portal, Statement};
use super::wire::Wire;

/// A connection on which nothing is sent for so long is closed.
const IDLE: Duration = Duration::from_secs(24 * 3_600);

/// A client that is connected.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) wire: Wire,
    pub(super) shared: Arc<Shared>,
    pub(super) session: Session,
    pub(super) settings: Settings,
    pub(super) key: Key,
    pub(super) user: String,
    pub(super) block: Block,
    pub(super) statements: HashMap<String, Arc<Statement>>,
    pub(super) portals: HashMap<String, Portal>,
    /// Ends what waits, and later what runs.
    pub(super) ending: Ending,
    /// After an error, messages up to the next Sync are left out.
    skipping: bool,
}

/// The end of the server: first for connections that wait, then for statements that run.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) begun: CancellationToken,
    pub(super) drained: CancellationToken,
}

/// Whether a transaction block is open. Every statement is committed by itself all the same;
/// drivers keep count by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    Idle,
    Open,
    Failed,
}

impl Block {
    fn status(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::Open => b'T',
            Self::Failed => b'E',
        }
    }
}

/// How a statement came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// As text; its columns are announced with its rows.
    Simple,
    /// In messages of their own.
    Extended,
}

/// A client's hello.
#[derive(Debug)]
pub(super) struct Hello {
    pub(super) user: String,
    pub(super) settings: Settings,
}

impl Connection {
    /// A connection of a client that was let in.
    ///
    /// # Errors
    /// When no session can be made for it.
    #[expect(
        clippy::result_large_err,
        reason = "the wire goes back to who tells the client"
    )]
    pub(super) fn new(
        wire: Wire,
        shared: Arc<Shared>,
        hello: Hello,
        ending: Ending,
    ) -> Result<Self, (Wire, Fault)> {
        let key = shared.keys.issue();
        let session = match session(&shared, &hello.user, &key) {
            Ok(session) => session,
            Err(fault) => return Err((wire, fault)),
        };
        Ok(Self {
            wire,
            shared,
            session,
            settings: hello.settings,
            key,
            user: hello.user,
            block: Block::Idle,
            statements: HashMap::new(),
            portals: HashMap::new(),
            ending,
            skipping: false,
        })
    }

    /// Serves the client to its end.
    pub(super) async fn run(mut self) {
        let fault = match self.greet() {
            Ok(()) => self.serve().await,
            Err(fault) => Err(fault),
        };
        match fault {
            Ok(()) => {}
            Err(Fault::Refused(refusal)) => self.wire.output.refusal(&Refusal {
                fatal: true,
                ..refusal
            }),
            Err(Fault::Gone(error)) => debug!(%error, "client gone"),
        }
        self.wire.close().await;
    }

    fn greet(&mut self) -> Result<()> {
        for (name, value) in self.settings.announced() {
            self.wire.output.parameter(name, &value);
        }
        let (process, secret) = (self.key.process, self.key.secret);
        self.wire.output.message(b'K', |body| {
            body.extend_from_slice(&process.to_be_bytes());
            body.extend_from_slice(&secret.to_be_bytes());
        });
        self.wire.output.ready(b'I');
        Ok(())
    }

    async fn serve(&mut self) -> Result<()> {
        loop {
            if !self.wire.has_more() {
                self.wire.flush().await?;
            }
            let message = match self.message().await {
                Ok(Message::Terminate) => return Ok(()),
                Ok(message) => message,
                Err(Fault::Refused(refusal)) if !refusal.fatal => {
                    self.fail(&refusal);
                    self.skipping = true;
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            if self.skipping && !matches!(message, Message::Sync | Message::Query(_)) {
                continue;
            }
            let simple = matches!(message, Message::Query(_));
            match self.answer(message).await {
                Ok(()) => {}
                Err(Fault::Refused(refusal)) if !refusal.fatal => {
                    self.fail(&refusal);
                    match simple {
                        true => self.wire.output.ready(self.block.status()),
                        false => self.skipping = true,
                    }
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    async fn message(&mut self) -> Result<Message> {
        let idle = self.settings.idle().unwrap_or(IDLE);
        let (kind, body) = tokio::select! {
            next = timeout(idle, self.wire.next()) => match next {
                Ok(next) => next?,
                Err(_) => {
                    let text = "terminating connection due to idle-session timeout";
                    return Err(Refusal::fatal("57P05", text).into());
                }
            },
            () = self.ending.begun.cancelled() => {
                return Err(Refusal::fatal("57P01", "the server is ending")
                    .hint("connect again later")
                    .into());
            }
        };
        Ok(Message::read(kind, body)?)
    }

    async fn answer(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Query(sql) => {
                self.skipping = false;
                self.query(&sql).await?;
                self.settle();
                self.wire.output.ready(self.block.status());
            }
            Message::Parse { name, sql, oids } => self.parse(name, &sql, &oids).await?,
            Message::Bind(bind) => self.bind(bind).await?,
            Message::Describe(target) => self.describe(&target)?,
            Message::Execute { portal, rows } => self.execute(&portal, rows).await?,
            Message::Close(target) => {
                match target {
                    Target::Statement(name) => drop(self.statements.remove(&name)),
                    Target::Portal(name) => drop(self.portals.remove(&name)),
                }
                self.wire.output.bare(b'3');
            }
            Message::Flush => self.wire.flush().await?,
            Message::Sync => {
                self.skipping = false;
                self.settle();
                self.wire.output.ready(self.block.status());
            }
            Message::Copy => {}
            Message::Password(_) => {
                return Err(Refusal::protocol("a password that nobody asked for").into());
            }
            Message::Terminate => {}
        }
        Ok(())
    }

    fn fail(&mut self, refusal: &Refusal) {
        self.wire.output.refusal(refusal);
        if self.block == Block::Open {
            self.block = Block::Failed;
        }
        self.close_portals();
    }

    /// Outside of a transaction block, a statement's portals end with it.
    fn settle(&mut self) {
        if self.block == Block::Idle {
            self.close_portals();
        }
    }

    /// Ends the portals that do not outlive their transaction.
    pub(super) fn close_portals(&mut self) {
        self.portals.retain(|_, portal| portal.hold);
    }

    /// What may stop the statement that begins here.
    pub(super) fn stop(&self) -> Stop {
        Stop {
            cancelled: self.key.begin(),
            shutdown: self.ending.drained.clone(),
            deadline: None,
        }
        .within(self.settings.timeout())
    }

    /// Plans `sql`.
    ///
    /// # Errors
    /// What is wrong with it, and what stops it.
    pub(super) async fn plan(&mut self, sql: &str, stop: &Stop) -> Result<Prepared> {
        let session = self.session.clone();
        let planned = Box::pin(async { session.prepare(sql).await });
        watched(&mut self.wire, stop, sql, planned).await
    }

    /// A statement in a failed transaction block is not run.
    pub(super) fn check_block(&self) -> Result<()> {
        match self.block {
            Block::Failed => Err(Refusal::new(
                "25P02",
                "current transaction is aborted, commands ignored until end of transaction block",
            )
            .into()),
            _ => Ok(()),
        }
    }

    /// A session as it was when the client connected.
    pub(super) fn renew_session(&mut self) -> Result<()> {
        self.session = session(&self.shared, &self.user, &self.key)?;
        Ok(())
    }
}

fn session(shared: &Shared, user: &str, key: &Key) -> Result<Session> {
    let dialect = shared.catalog.dialect(user, key.process);
    Ok(shared.engine.session_with(Authority::Network, &dialect)?)
}
