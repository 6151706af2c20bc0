//! One session for each client, found again by its id: what one client SETs, no other sees. A
//! session ends with its connection, unless the client showed that it keeps its id (a cookie or a
//! bearer) and may come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sluice_engine::authority::Authority;
use sluice_engine::engine::Engine;
use sluice_engine::metrics::Counted;
use sluice_engine::session::Session;
use uuid::Uuid;

use crate::handles::Shelf;
use crate::users::Principal;

/// Sessions at a time; more clients than that push out the one unused for longest.
const SESSIONS_MAX: usize = 4_096;
/// A session unused for so long is forgotten.
const SESSION_IDLE: Duration = Duration::from_secs(24 * 3_600);

/// The sessions of all clients.
#[derive(Debug)]
pub(crate) struct Sessions {
    engine: Arc<Engine>,
    open: Shelf<Opened>,
}

#[derive(Debug, Clone)]
struct Opened {
    session: Session,
    owner: Principal,
    _counted: Arc<Counted>,
    /// The client knows its id beyond the connection.
    kept: Arc<AtomicBool>,
}

impl Sessions {
    /// No sessions yet.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            open: Shelf::new(SESSIONS_MAX, SESSION_IDLE),
        }
    }

    /// The session `id` with its id, made if there is none. Another one of `owner`'s own, when it
    /// is somebody else's: a proxy may send the calls of several over one connection.
    pub(crate) fn get(&self, id: Uuid, owner: &Principal) -> (Uuid, Session) {
        let opened = self.opened(id, owner);
        if opened.owner == *owner {
            return (id, opened.session);
        }
        let own = owner.own(id);
        (own, self.opened(own, owner).session)
    }

    /// The session `id` of `owner`, if it is there: looking makes none.
    pub(crate) fn find(&self, id: Uuid, owner: &Principal) -> Option<Session> {
        let opened = self.open.get(id)?;
        (opened.owner == *owner).then_some(opened.session)
    }

    /// A session of `owner` that nobody finds again.
    pub(crate) fn detached(&self, owner: &str) -> Session {
        self.engine.session_of(owner, Authority::Network)
    }

    /// The session `id` then outlives its connection.
    pub(crate) fn keep(&self, id: Uuid) {
        if let Some(opened) = self.open.get(id) {
            opened.kept.store(true, Ordering::Relaxed);
        }
    }

    /// Ends the session `id`. Returns whether there was one.
    pub(crate) fn close(&self, id: Uuid) -> bool {
        self.open.take(id).is_some()
    }

    /// The connection that began the session `id` is gone.
    pub(crate) fn disconnected(&self, id: Uuid) {
        let kept = self
            .open
            .get(id)
            .is_some_and(|opened| opened.kept.load(Ordering::Relaxed));
        if !kept {
            self.open.take(id);
        }
    }

    fn opened(&self, id: Uuid, owner: &Principal) -> Opened {
        self.open.get_or_put(id, || Opened {
            session: self.engine.session_of(owner.name(), Authority::Network),
            owner: owner.clone(),
            _counted: Arc::new(self.engine.metrics().session()),
            kept: Arc::default(),
        })
    }
}
