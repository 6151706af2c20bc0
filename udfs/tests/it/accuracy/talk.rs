//! Talk about secrets and personal data that holds none, with `{}` where something harmless stands.

/// Keys that sound like secrets and hold none.
pub(super) const NO_SECRETS: &[&str] = &[
    "max_tokens={}",
    "token_count={}",
    "password_reset=true after {} s",
    "pin_count={}",
    "ping={} ms",
    "secret_rotation_days={}",
    "tokens: {}",
    "password=null attempts={}",
    "password= attempts={}",
    "spin={}",
    "cookie_size={}",
    "keyboard={}",
    "monkey={}",
    "passed={} failed=0",
    "compass={}",
];

/// Sentences in which no secret follows.
pub(super) const ABOUT_SECRETS: &[&str] = &[
    "Failed password for root from 10.1.2.3 port {} ssh2",
    "Failed password for invalid user admin from 10.9.8.7 port {} ssh2",
    "password changed for user {}",
    "password reset requested, ticket {}",
    "invalid password, attempt {}",
    "password is required",
    "password must be longer, code {}",
    "token expired {} s ago",
    "secret rotation completed in {} ms",
    "authorization failed for user {}",
    "Basic auth disabled on port {}",
    "Bearer token missing in request {}",
    "cvv check passed in {} us",
    "api key rotation scheduled in {} s",
    "authentication token is invalid",
    "the passwords do not match ({})",
    "credential provider loaded in {} ms",
    "card declined, reason {}",
    "phone call dropped, code {}",
    "no e-mail address given, line {}",
];

/// What was masked before.
pub(super) const MASKED: &[&str] = &[
    "password=*** attempt {}",
    "password=[REDACTED] attempt {}",
    "card xxxx-xxxx-xxxx-12{}",
    "ssn xxx-xx-12{}",
    "token=******** {}",
    "phone xxx-xxx-12{}",
];

/// The working directory has the name of a password.
pub(super) const SUDO: &[&str] = &[
    "sudo: bob : TTY=pts/{} ; PWD=/srv/app/src ; USER=root ; COMMAND=/bin/ls",
    "env PWD=/srv/app/{} SHELL=/bin/bash",
];
