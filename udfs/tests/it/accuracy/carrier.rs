//! Where a value of each category stands: keys and sentences that announce it, and those that do
//! not.

use super::random::Random;
use super::value::{Known, Value};

/// Keys and sentences for one category.
struct Carriers {
    category: &'static str,
    /// Keys that announce it.
    keys: &'static [&'static str],
    /// Sentences that announce it.
    sentences: &'static [&'static str],
}

/// Keys that say nothing.
const NEUTRAL_KEYS: &[&str] = &[
    "value", "arg0", "memo", "input", "data", "note", "param", "raw",
];
/// Sentences that say nothing.
const NEUTRAL_SENTENCES: &[&str] = &[
    "customer wrote {} in the chat",
    "received {} from the form",
    "rejected input {}",
    "parsed {} in 3 ms",
    "the agent typed {} and left",
    "unexpected value {} while decoding",
    "validation failed for {}",
    "forwarding {} upstream",
    "{} was not accepted",
    "could not store {}",
];

const CARRIERS: &[Carriers] = &[
    Carriers {
        category: "credit_card",
        keys: &[
            "card",
            "card_number",
            "cardNumber",
            "pan",
            "PAN",
            "ccnum",
            "credit_card",
            "payment.card.number",
            "creditCardNumber",
            "debit_card",
            "CardNo",
            "cc_number",
        ],
        sentences: &[
            "charged card {} for the order",
            "card number is {}",
            "PAN {} declined by the issuer",
            "credit card: {}",
            "card {} expired",
            "refund to credit card {} failed",
            "new debit card {} added to wallet",
            "Card={} authorised",
        ],
    },
    Carriers {
        category: "card_track",
        keys: &[
            "track",
            "track_data",
            "raw",
            "magstripe",
            "msr",
            "swipe",
            "data",
            "payload",
        ],
        sentences: &[
            "swipe read {} from terminal",
            "track data {} captured",
            "reader sent {}",
            "MSR: {}",
            "magnetic stripe: {}",
            "debug dump {} end",
            "decoded stripe {} ok",
        ],
    },
    Carriers {
        category: "cvv",
        keys: &[
            "cvv", "cvv2", "cvc", "CVV2", "card_cvv", "csc", "cvc2", "pin", "cardPin", "PIN",
            "cardCvv", "cvvCode",
        ],
        sentences: &[
            "card verified, cvv: {}",
            "CVV {} did not match",
            "cvc={} rejected",
            "customer entered PIN: {}",
            "cvv2 {} accepted",
            "CVC2: {}",
            "wrong PIN: {} at the terminal",
        ],
    },
    Carriers {
        category: "us_ssn",
        keys: &[
            "ssn",
            "SSN",
            "social_security_number",
            "socialSecurityNumber",
            "customer_ssn",
            "user.ssn",
            "ssn_number",
            "applicantSsn",
            "tin",
        ],
        sentences: &[
            "verified ssn {} of the applicant",
            "SSN: {}",
            "social security number {} on file",
            "SSN {} already registered",
            "applicant's social security number is {}",
            "taxpayer {} matched",
            "lookup by ssn={} returned nothing",
        ],
    },
    Carriers {
        category: "us_itin",
        keys: &[
            "itin",
            "ITIN",
            "itin_number",
            "applicant_itin",
            "taxpayerItin",
            "tax.itin",
        ],
        sentences: &[
            "verified itin {} of the applicant",
            "ITIN: {}",
            "ITIN {} already registered",
            "individual taxpayer number {} on file",
            "lookup by itin={} returned nothing",
            "tax number (ITIN) {}",
        ],
    },
    Carriers {
        category: "email",
        keys: &[
            "email",
            "user",
            "mail",
            "to",
            "contact",
            "username",
            "from",
            "userEmail",
            "login",
        ],
        sentences: &[
            "mail to {} queued",
            "user {} logged in",
            "sent receipt to <{}>",
            "password reset requested by {}",
            "contact: {}",
            "From: {}",
            "mailto:{} opened",
            "bounce for {}: mailbox full",
        ],
    },
    Carriers {
        category: "phone",
        keys: &[
            "phone",
            "phone_number",
            "phoneNumber",
            "mobile",
            "tel",
            "telephone",
            "contact_phone",
            "caller",
            "callee",
            "fax",
            "cell",
            "customer.phone",
            "workPhone",
            "dialed",
            "msisdn",
        ],
        sentences: &[
            "calling customer phone {} again",
            "SMS sent to mobile {}",
            "phone: {}",
            "caller {} hung up",
            "call from {} dropped",
            "fax to {} failed",
            "tel: {}",
            "please contact {} for help",
            "dialed {} without an answer",
        ],
    },
    Carriers {
        category: "password",
        keys: &[
            "password",
            "passwd",
            "pwd",
            "pass",
            "db_password",
            "DB_PASSWORD",
            "userPassword",
            "new_password",
            "passphrase",
            "spring.datasource.password",
            "secret",
            "client_secret",
            "login.password",
            "clientSecret",
            "admin_passwd",
            "smtp_password",
            "oldPassword",
        ],
        sentences: &[
            "password: {}",
            "login with password={} refused",
            "export DB_PASSWORD={}",
            "the password is {}",
            "starting with --password={} --verbose",
            "mysql --user=root --password {} --batch",
            "connecting to postgres://app:{}@db-1:5432/orders",
            "passwd={} for the service account",
            "jdbc:sqlserver://db;user=sa;password={};encrypt=true",
            "Server=db;Uid=app;Pwd={};",
            "redis://:{}@cache:6379/0 unreachable",
            "secret={}",
        ],
    },
    Carriers {
        category: "auth_header",
        keys: &[
            "authorization",
            "Authorization",
            "proxy-authorization",
            "headers.authorization",
            "http.request.header.authorization",
            "Proxy-Authorization",
        ],
        sentences: &[
            "Authorization: {}",
            "request header authorization: {}",
            "sent Authorization: {}",
            "curl -H 'Authorization: {}' https://api.example.com/v1/me",
            "curl -H \"authorization: {}\" https://api.example.com",
            "Proxy-Authorization: {}",
        ],
    },
    Carriers {
        category: "jwt",
        keys: &[
            "token",
            "jwt",
            "id_token",
            "access_token",
            "assertion",
            "jwt_token",
            "bearer",
        ],
        sentences: &[
            "token {} expired",
            "verifying {} of the session",
            "id_token={}",
            "issued {} to the client",
            "jwt: {}",
            "rejected assertion {}",
        ],
    },
    Carriers {
        category: "private_key",
        keys: &[
            "key",
            "private_key",
            "pem",
            "content",
            "tls.key",
            "body",
            "ssl_key",
            "identity",
        ],
        sentences: &[
            "loaded key {} from disk",
            "dumping configuration {} done",
            "tls key: {}",
            "could not parse {}",
            "found in the upload: {}",
            "ssh identity {}",
        ],
    },
    Carriers {
        category: "cloud_token",
        keys: &[
            "token",
            "credential",
            "aws_access_key_id",
            "api_key",
            "access_key",
            "key",
            "auth",
        ],
        sentences: &[
            "using {} for the upload",
            "token {} revoked",
            "credential {} leaked in repository",
            "client configured with {}",
            "git clone with {} failed",
            "key={} rotated",
        ],
    },
    Carriers {
        category: "iban",
        keys: &[
            "iban",
            "IBAN",
            "account",
            "creditor_iban",
            "beneficiary",
            "debtorIban",
            "acct",
        ],
        sentences: &[
            "transfer to {} booked",
            "IBAN {} is not reachable",
            "beneficiary account {}",
            "iban: {}",
            "direct debit from {} returned",
            "payout to {} of 120.00 EUR",
        ],
    },
    Carriers {
        category: "crypto",
        keys: &[
            "wallet",
            "btc_address",
            "eth_address",
            "wallet_address",
            "walletAddress",
        ],
        sentences: &[
            "withdraw to wallet {}",
            "wallet address {} is new",
            "deposit to wallet {} confirmed",
            "btc/eth wallet: {}",
            "crypto wallet {} blocked",
        ],
    },
];

/// Keys of general tokens, and of the secret half of a pair of AWS.
const TOKEN_KEYS: &[&str] = &[
    "api_key",
    "apikey",
    "api-key",
    "access_token",
    "refresh_token",
    "auth_token",
    "secret_key",
    "session_token",
    "X-Api-Key",
    "apiKey",
    "accessToken",
    "csrf_token",
    "private_key",
    "token",
];
const AWS_KEYS: &[&str] = &[
    "aws_secret_access_key",
    "AWS_SECRET_ACCESS_KEY",
    "secretAccessKey",
    "aws_secret_key",
];
const AWS_SENTENCES: &[&str] = &[
    "export AWS_SECRET_ACCESS_KEY={}",
    "aws_secret_access_key = {}",
    "aws secret access key: {}",
];

/// A key for the value.
pub(super) fn key(random: &mut Random, value: &Value) -> &'static str {
    if value.category == "cloud_token" && value.known == Known::Announced {
        return random.word(AWS_KEYS);
    }
    if value.category == "password" && value.grammar.starts_with("token") {
        return random.word(TOKEN_KEYS);
    }
    if value.known == Known::Anywhere && random.chance(30) {
        return random.word(NEUTRAL_KEYS);
    }
    random.word(of(value).keys)
}

/// A sentence for the value, with `{}` in its place.
pub(super) fn sentence(random: &mut Random, value: &Value) -> &'static str {
    if value.category == "cloud_token" && value.known == Known::Announced {
        return random.word(AWS_SENTENCES);
    }
    if value.known == Known::Anywhere && random.chance(40) {
        return random.word(NEUTRAL_SENTENCES);
    }
    random.word(of(value).sentences)
}

fn of(value: &Value) -> &'static Carriers {
    CARRIERS
        .iter()
        .find(|carriers| carriers.category == value.category)
        .unwrap()
}
