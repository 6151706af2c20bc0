//! Connections of clients: accepted one after the other, TLS agreed on beside each other, and each
//! with a time limit, so that nobody who says nothing keeps others out.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{self, Stream};
use sluice_engine::metrics::{Counted, Metrics, Protocol};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;
use tracing::{debug, warn};
use uuid::Uuid;

use crate::auth::Peer;
use crate::sessions::Sessions;
use crate::tls::{self, Tls};

/// What a client gets to agree on TLS, and then to begin to speak.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// What every HTTP/2 connection begins with.
const PREFACE_BYTES: usize = 24;
/// Connections that may agree on TLS at the same time; further ones are closed.
const HANDSHAKES_MAX: usize = 4_096;
/// A rest after the operating system refused a connection, as when file handles run out.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What all connections share.
#[derive(Debug, Clone)]
pub(crate) struct House {
    /// TLS, where it is spoken.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Sessions end with the connection that began them.
    pub(crate) sessions: Arc<Sessions>,
    /// Counts connections.
    pub(crate) metrics: Arc<Metrics>,
}

/// The connections that `listener` accepts, for ever.
pub(crate) fn incoming(
    listener: TcpListener,
    house: House,
) -> impl Stream<Item = io::Result<Connection>> {
    let agreeing = JoinSet::new();
    let state = (listener, house, agreeing);
    stream::unfold(state, |(listener, house, mut agreeing)| async move {
        let connection = loop {
            tokio::select! {
                Some(agreed) = agreeing.join_next() => {
                    if let Ok(Some(connection)) = agreed {
                        break connection;
                    }
                }
                accepted = listener.accept() => match accepted {
                    Ok((socket, address)) => match house.receive(socket, address, &mut agreeing) {
                        Some(connection) => break connection,
                        None => continue,
                    },
                    Err(error) => {
                        warn!(%error, "connection refused");
                        sleep(ACCEPT_REST).await;
                    }
                },
            }
        };
        Some((Ok(connection), (listener, house, agreeing)))
    })
}

impl House {
    /// The connection over `socket`, at once or through `agreeing`.
    fn receive(
        &self,
        socket: TcpStream,
        address: SocketAddr,
        agreeing: &mut JoinSet<Option<Connection>>,
    ) -> Option<Connection> {
        // Without it small answers wait for more to send; a socket that refuses is only slower.
        let _slower = socket.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return Some(self.connection(Wire::Plain(socket), address, None));
        };
        if agreeing.len() >= HANDSHAKES_MAX {
            warn!(%address, "connection closed: too many have not agreed on TLS");
            return None;
        }
        let (acceptor, house) = (TlsAcceptor::from(tls.flight()), self.clone());
        agreeing.spawn(async move {
            match timeout(SILENCE_MAX, acceptor.accept(socket)).await {
                Ok(Ok(stream)) => {
                    let certificates = stream.get_ref().1.peer_certificates();
                    let name = certificates.and_then(tls::of_client);
                    Some(house.connection(Wire::Tls(Box::new(stream)), address, name))
                }
                Ok(Err(error)) => {
                    debug!(%address, %error, "no TLS with a client");
                    None
                }
                Err(_) => {
                    debug!(%address, "a client said nothing");
                    None
                }
            }
        });
        None
    }

    fn connection(
        &self,
        wire: Wire,
        address: SocketAddr,
        certificate: Option<Arc<str>>,
    ) -> Connection {
        Connection {
            wire,
            peer: Peer {
                connection: Uuid::new_v4(),
                address: address.ip(),
                certificate,
            },
            preface: Some(Preface {
                missing: PREFACE_BYTES,
                until: Box::pin(sleep(SILENCE_MAX)),
            }),
            sessions: Arc::clone(&self.sessions),
            _counted: self.metrics.connection(Protocol::Flight),
        }
    }
}

/// One client's connection; its session ends with it.
#[derive(Debug)]
pub(crate) struct Connection {
    wire: Wire,
    peer: Peer,
    /// What the client has not said yet.
    preface: Option<Preface>,
    sessions: Arc<Sessions>,
    _counted: Counted,
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

#[derive(Debug)]
struct Preface {
    missing: usize,
    until: Pin<Box<Sleep>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.sessions.disconnected(self.peer.connection);
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.wire {
            Wire::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        let Some(preface) = &mut self.preface else {
            return read;
        };
        preface.missing = preface
            .missing
            .saturating_sub(buffer.filled().len() - before);
        if preface.missing == 0 {
            self.preface = None;
        } else if preface.until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.wire {
            Wire::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.wire {
            Wire::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Wire::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.wire {
            Wire::Plain(socket) => socket.is_write_vectored(),
            Wire::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
