//! A client's first words: TLS or not, who it is, what it wants set; or a request to cancel what
//! another connection runs.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use tokio::io::AsyncWriteExt;

use super::account::authenticate;
use super::connection::Hello;
use super::fault::{Fault, Refusal, Result};
use super::frame::Fields;
use super::setting::Settings;
use super::shared::Shared;
use super::wire::{Socket, Wire};

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
/// Most bytes of a first message.
const BYTES_MAX: usize = 10_000;
/// Settings that a client may ask for at once.
const SETTINGS_MAX: usize = 100;

/// Listens to a client until it is let in. `None` when it wanted nothing but to cancel.
///
/// # Errors
/// Why it is not let in, and the wire on which to say it.
pub(super) async fn listen(
    socket: Box<dyn Socket>,
    shared: &Arc<Shared>,
) -> Result<Option<(Wire, Hello)>, (Wire, Fault)> {
    let mut wire = Wire::new(socket);
    let mut encrypted = false;
    loop {
        let packet = match wire.first(BYTES_MAX).await {
            Ok(packet) => packet,
            Err(fault) => return Err((wire, fault)),
        };
        let mut fields = Fields(packet);
        let code = match fields.u32() {
            Ok(code) => code,
            Err(refusal) => return Err((wire, refusal.into())),
        };
        match (code, &shared.tls) {
            (SSL, Some(tls)) if !encrypted => {
                wire.output.0.extend_from_slice(b"S");
                if let Err(fault) = wire.flush().await {
                    return Err((wire, fault));
                }
                // What fails from here on is not for clients that may not be reading TLS.
                let Ok(socket) = wire.into_socket() else {
                    return Ok(None);
                };
                let Ok(mut stream) = tls.accept(socket).await else {
                    return Ok(None);
                };
                if stream.flush().await.is_err() {
                    return Ok(None);
                }
                wire = Wire::new(Box::new(stream));
                encrypted = true;
            }
            (SSL | GSS, _) => {
                wire.output.0.extend_from_slice(b"N");
                if let Err(fault) = wire.flush().await {
                    return Err((wire, fault));
                }
            }
            (CANCEL, _) => {
                if let (Ok(process), Ok(secret)) = (fields.u32(), fields.u32()) {
                    let signed = |number: u32| i32::from_be_bytes(number.to_be_bytes());
                    shared.keys.cancel(signed(process), signed(secret));
                }
                return Ok(None);
            }
            _ => {
                let started = match check(shared, encrypted) {
                    Ok(()) => start(&mut wire, shared, code, fields.0).await,
                    Err(fault) => Err(fault),
                };
                return match started {
                    Ok(hello) => Ok(Some((wire, hello))),
                    Err(fault) => Err((wire, fault)),
                };
            }
        }
    }
}

/// Passwords and rows travel in the clear on loopback, or where a proxy does TLS.
fn check(shared: &Shared, encrypted: bool) -> Result<()> {
    if encrypted || shared.plain {
        return Ok(());
    }
    let text = "connections without TLS are not taken";
    Err(Refusal::fatal("28000", text)
        .hint("connect with sslmode=require")
        .into())
}

async fn start(wire: &mut Wire, shared: &Shared, code: u32, rest: Bytes) -> Result<Hello> {
    let (major, minor) = (code >> 16, code & 0xffff);
    if major != 3 {
        let text = format!("unsupported frontend protocol {major}.{minor}: server supports 3.0");
        return Err(Refusal::fatal("0A000", text).into());
    }
    let mut fields = Fields(rest);
    let mut asked = Vec::new();
    while fields.0.has_remaining() && asked.len() < SETTINGS_MAX {
        let name = fields.text()?;
        if name.is_empty() {
            break;
        }
        asked.push((name, fields.text()?));
    }
    let optional: Vec<&String> = asked
        .iter()
        .filter_map(|(name, _)| name.starts_with("_pq_.").then_some(name))
        .collect();
    if minor > 0 || !optional.is_empty() {
        wire.output.message(b'v', |body| {
            body.extend_from_slice(&0_u32.to_be_bytes());
            let count = u32::try_from(optional.len()).unwrap_or(u32::MAX);
            body.extend_from_slice(&count.to_be_bytes());
            for name in &optional {
                body.extend_from_slice(name.as_bytes());
                body.extend_from_slice(b"\0");
            }
        });
    }
    let user = asked.iter().find(|(name, _)| name == "user");
    let user = user.map(|(_, user)| user.clone()).unwrap_or_default();
    if user.is_empty() {
        let text = "no PostgreSQL user name specified in startup packet";
        return Err(Refusal::fatal("28000", text).into());
    }
    authenticate(wire, shared.accounts.as_ref(), &user).await?;
    let mut settings = Settings::new(&user)?;
    for (name, value) in &asked {
        match name.as_str() {
            "user" | "database" | "replication" => {}
            "options" => options(&mut settings, value)?,
            name if name.starts_with("_pq_.") => {}
            name => settings.begin(name, value)?,
        }
    }
    Ok(Hello { user, settings })
}

/// Settings as a command line: `-c name=value --name=value`.
fn options(settings: &mut Settings, text: &str) -> Result<()> {
    let mut rest = text.replace("\\ ", "\u{1}");
    rest = rest.replace("-c ", "--").replace("-c", "--");
    for option in rest.split_whitespace() {
        let setting = option.trim_start_matches('-').split_once('=');
        if let Some((name, value)) = setting {
            settings.begin(&name.replace('-', "_"), &value.replace('\u{1}', " "))?;
        }
    }
    Ok(())
}
