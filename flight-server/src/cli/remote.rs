//! A server, asked over Flight SQL: `grpc://HOST:PORT`, or `grpc+tls://HOST:PORT` with TLS.

use std::error::Error as _;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use arrow_flight::FlightInfo;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, StreamExt, TryStreamExt};
use sluice_engine::error::{Error, Kind, Result};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};
use url::Url;

use super::reply::Reply;

/// The port of an address without one.
const PORT: u16 = 50051;
/// How long a server may take to answer the call.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// A silent server is asked so often whether it is there, and given so long to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_WAIT: Duration = Duration::from_secs(20);
/// Where systems keep the certificates they trust.
const SYSTEM_CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    authority: String,
    secure: bool,
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::user(format!("\"{text}\" is not a server's address: {why}")).hint(
                "write it like 'grpc://127.0.0.1:50051' or 'grpc+tls://logs.example.com:50051'",
            )
        };
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()).source(error))?;
        let secure = match url.scheme() {
            "grpc" | "grpc+tcp" => false,
            "grpc+tls" => true,
            other => return Err(wrong(&format!("the scheme is \"{other}\""))),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong("the host is missing"))?;
        Ok(Self {
            authority: format!("{host}:{}", url.port().unwrap_or(PORT)),
            secure,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "grpc+tls" } else { "grpc" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

/// What it takes to reach a server.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// Where it is.
    pub(crate) address: Address,
    /// Whose password `token` is; `None` for a token or an API key.
    pub(crate) user: Option<String>,
    /// What it wants to be shown.
    pub(crate) token: Option<String>,
    /// PEM file of the certificates to trust; `None` for the system's.
    pub(crate) certificates: Option<PathBuf>,
    /// PEM files of the client's own certificate and its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// A connection to a server; the session there lives as long.
#[derive(Debug)]
pub(crate) struct Remote {
    client: FlightSqlServiceClient<Channel>,
    address: Address,
}

impl Remote {
    /// Connects.
    ///
    /// # Errors
    /// When nobody answers there, or TLS fails.
    pub(crate) async fn connect(access: Access) -> Result<Self> {
        let endpoint = endpoint(&access)?;
        let Access {
            address,
            user,
            token,
            ..
        } = access;
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| unreachable(&address, error))?;
        let client = FlightServiceClient::new(channel).max_decoding_message_size(usize::MAX);
        let mut client = FlightSqlServiceClient::new_from_inner(client);
        match (user, token) {
            (Some(user), password) => {
                let pair = format!("{user}:{}", password.unwrap_or_default());
                client.set_header("authorization", format!("Basic {}", STANDARD.encode(pair)));
            }
            (None, Some(token)) => client.set_token(token),
            (None, None) => {}
        }
        Ok(Self { client, address })
    }

    /// Runs one statement: effects to their end, queries up to their first rows.
    ///
    /// # Errors
    /// What the server says of it.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<Reply> {
        let address = self.address.clone();
        let info = self.client.execute(sql.to_owned(), None).await;
        let info = info.map_err(|error| failed(error, &address))?;
        let touched = info.total_records;
        let schema = info
            .clone()
            .try_decode_schema()
            .map_err(|error| failed(FlightError::Arrow(error), &address))?;
        // A statement with an effect has run and has no columns; there is nothing to fetch.
        if schema.fields().is_empty() {
            let affected = Some(u64::try_from(touched).unwrap_or_default());
            return Ok(Reply {
                affected,
                schema: schema.into(),
                batches: stream::empty().boxed(),
            });
        }
        let batches = self.fetch(info).await?;
        Ok(Reply {
            affected: None,
            schema: schema.into(),
            batches,
        })
    }

    async fn fetch(
        &mut self,
        info: FlightInfo,
    ) -> Result<stream::BoxStream<'static, Result<arrow::record_batch::RecordBatch>>> {
        let mut parts = Vec::new();
        for ticket in info
            .endpoint
            .into_iter()
            .filter_map(|endpoint| endpoint.ticket)
        {
            let part = self.client.do_get(ticket).await;
            parts.push(part.map_err(|error| failed(error, &self.address))?);
        }
        let address = self.address.clone();
        let batches = stream::iter(parts).flatten();
        Ok(batches
            .map_err(move |error| failed(error, &address))
            .boxed())
    }
}

fn endpoint(access: &Access) -> Result<Endpoint> {
    let address = &access.address;
    let scheme = if address.secure { "https" } else { "http" };
    let uri = format!("{scheme}://{}", address.authority);
    let wrong = |error: tonic::transport::Error| {
        Error::user(format!("cannot use \"{address}\": {}", root(&error))).source(error)
    };
    let endpoint = Endpoint::from_shared(uri)
        .map_err(wrong)?
        .connect_timeout(CONNECT_MAX)
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WAIT);
    if !address.secure {
        return Ok(endpoint);
    }
    let trusted = Certificate::from_pem(trusted(access.certificates.as_deref())?);
    let mut tls = ClientTlsConfig::new().ca_certificate(trusted);
    if let Some((certificate, key)) = &access.identity {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    endpoint.tls_config(tls).map_err(wrong)
}

/// The PEM text of the certificates to trust.
fn trusted(file: Option<&Path>) -> Result<Vec<u8>> {
    if let Some(path) = file {
        return read(path);
    }
    let system = SYSTEM_CERTIFICATES
        .iter()
        .find_map(|path| std::fs::read(path).ok());
    system.ok_or_else(|| {
        Error::not_found("this system keeps no certificates in a known place")
            .hint("name a PEM file of the certificates to trust after --tls-ca")
    })
}

/// The content of a PEM file.
fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let shown = path.display();
        Error::not_found(format!("cannot read the PEM file \"{shown}\": {error}")).source(error)
    })
}

fn unreachable(address: &Address, error: tonic::transport::Error) -> Error {
    let why = root(&error);
    let hint = if address.secure {
        "is `sluice serve` running there, and does --tls-ca name the issuer of its certificate?"
    } else {
        "is `sluice serve` running there? an address with TLS begins with grpc+tls://"
    };
    Error::unavailable(format!("cannot connect to {address}: {why}"))
        .hint(hint)
        .source(error)
}

/// What lies at the bottom of a transport error, whose own text says nothing.
fn root(error: &tonic::transport::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn failed(error: FlightError, address: &Address) -> Error {
    match error {
        FlightError::Tonic(status) => refused(*status, address),
        other => Error::unavailable(format!("cannot read the answer of {address}: {other}"))
            .source(other),
    }
}

/// What the server said: the message, and after it the hint.
fn refused(status: Status, address: &Address) -> Error {
    let kind = match status.code() {
        Code::InvalidArgument => Kind::User,
        Code::NotFound => Kind::NotFound,
        Code::AlreadyExists => Kind::Exists,
        Code::Aborted => Kind::Conflict,
        Code::ResourceExhausted => Kind::Limit,
        Code::PermissionDenied | Code::Unauthenticated => Kind::Denied,
        Code::Cancelled => Kind::Cancelled,
        Code::Unimplemented => Kind::Unsupported,
        Code::Internal | Code::DataLoss => Kind::Internal,
        _ => Kind::Unavailable,
    };
    let (message, hint) = match status.message().split_once("\nhint: ") {
        Some((message, hint)) => (message, Some(hint)),
        None => (status.message(), None),
    };
    let error = match status.source() {
        // It comes from this side of the wire, where the connection broke.
        Some(_) => Error::unavailable(format!("lost the connection to {address}: {message}"))
            .hint("look whether `sluice serve` is running there, and run the statement again"),
        None => Error::new(kind, message),
    };
    let error = match (status.code(), hint) {
        (Code::Unauthenticated, _) => error.hint("give the token by --token or --token-file"),
        (_, Some(hint)) => error.hint(hint),
        (_, None) => error,
    };
    error.source(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown() {
        let rows = [
            ("grpc://127.0.0.1:1", "grpc://127.0.0.1:1"),
            ("grpc+tcp://host", "grpc://host:50051"),
            ("grpc+tls://[::1]:9/", "grpc+tls://[::1]:9"),
        ];
        for (text, want) in rows {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), want);
        }
        for text in ["127.0.0.1:50051", "http://host", "grpc://", ""] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
