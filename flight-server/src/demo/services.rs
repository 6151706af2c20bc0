//! The seven micro-services: how much they write, what they write when all is well, and what they
//! write when the payment database is in trouble.
//!
//! Words in braces are filled in by the simulator ([`super::simulator`]).

use std::ops::Range;

/// A service.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its name, the column `source`.
    pub(crate) name: &'static str,
    /// How much depends on it, in the table of hosts.
    pub(crate) tier: &'static str,
    /// Who looks after it, likewise.
    pub(crate) team: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// Its share of the lines, relative to the others.
    pub(crate) weight: u32,
    /// How many hosts it runs on.
    pub(crate) hosts: u32,
    /// What it writes when all is well.
    pub(crate) healthy: &'static [Line],
    /// What it writes when the incident reaches it.
    pub(crate) failing: &'static [Line],
    /// The share of its lines that are `failing` when the pool is dry, from 0 to 1.
    pub(crate) exposed: f64,
    /// How many times longer its other answers take when the pool is dry.
    pub(crate) slowed: f64,
}

/// A line that a service writes.
#[derive(Debug)]
pub(crate) struct Line {
    /// How often, relative to the other lines of its list.
    pub(crate) weight: u32,
    /// The column `severity`.
    pub(crate) severity: &'static str,
    /// The column `status`.
    pub(crate) status: u16,
    /// The least and the greatest latency, in milliseconds; most are near the least.
    pub(crate) latency: (f64, f64),
    /// The message, with words in braces to fill in.
    pub(crate) text: &'static str,
    /// How the message is written.
    pub(crate) shape: Shape,
    /// Whose request it is about.
    pub(crate) client: Client,
}

/// How a message is written, and what of it the record has as members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As text; everything else is in members of the record.
    Text,
    /// As a line of an access log, forwarded as it is: client and status are in the line alone.
    Access,
    /// As pairs: severity and trace are in the line alone.
    Logfmt,
    /// As JSON: severity and trace are in the line alone.
    Json,
}

/// Whose request a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// The line does not say.
    Unknown,
    /// A customer's.
    Customer,
    /// One of somebody who tries every door.
    Scanner,
    /// One of somebody who tries stolen passwords.
    Stuffer,
}

/// The numbers of all customers.
pub(crate) const CUSTOMER_NUMBERS: Range<u32> = 1000..2000;

/// The customer of this number, the column `user_id`.
pub(crate) fn customer_id(number: u32) -> String {
    format!("user-{number}")
}

/// The host of this number that `service` runs on.
pub(crate) fn host_name(service: &Service, number: u32) -> String {
    format!("{}-{number}", service.name)
}

const fn line(
    weight: u32,
    (severity, status): (&'static str, u16),
    latency: (f64, f64),
    text: &'static str,
) -> Line {
    Line {
        weight,
        severity,
        status,
        latency,
        text,
        shape: Shape::Text,
        client: Client::Unknown,
    }
}

impl Line {
    const fn written(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    const fn of(mut self, client: Client) -> Self {
        self.client = client;
        self
    }

    /// A request that reaches the gateway from outside, as its access log has it.
    const fn access(self, client: Client) -> Self {
        self.written(Shape::Access).of(client)
    }
}

const OK: (&str, u16) = ("INFO", 200);
const MADE: (&str, u16) = ("INFO", 201);
const REFUSED: (&str, u16) = ("WARN", 401);
const INVALID: (&str, u16) = ("WARN", 422);
const UNKNOWN: (&str, u16) = ("WARN", 404);
const DETAIL: (&str, u16) = ("DEBUG", 200);
const SLOW: (&str, u16) = ("WARN", 200);
const FAILED: (&str, u16) = ("ERROR", 500);
const BAD_GATEWAY: (&str, u16) = ("ERROR", 502);
const TIMED_OUT: (&str, u16) = ("ERROR", 504);

/// What is written should a list be empty.
pub(crate) const HEARTBEAT: Line = line(1, DETAIL, (1.0, 2.0), "heartbeat");

/// All of them.
pub(crate) const SERVICES: [Service; 7] = [
    Service {
        name: "api-gateway",
        tier: "critical",
        team: "edge",
        version: "2.14.0",
        weight: 30,
        hosts: 3,
        healthy: &[
            line(40, OK, (4.0, 90.0), "GET /api/v1/products/{sku}").access(Client::Customer),
            line(25, OK, (8.0, 120.0), "GET /api/v1/orders?customer={email}")
                .access(Client::Customer),
            line(20, MADE, (30.0, 240.0), "POST /api/v1/orders").access(Client::Customer),
            line(10, DETAIL, (0.2, 2.0), "cache hit for product {sku}"),
            line(4, REFUSED, (2.0, 12.0), "GET /api/v1/users/me").access(Client::Customer),
            line(1, UNKNOWN, (0.5, 3.0), "GET /{door}").access(Client::Scanner),
        ],
        failing: &[
            line(
                5,
                BAD_GATEWAY,
                (900.0, 6000.0),
                "POST /api/v1/payments 502 upstream payment: bad gateway",
            ),
            line(
                3,
                TIMED_OUT,
                (10000.0, 10400.0),
                "POST /api/v1/orders 504 upstream order timed out after 10000 ms",
            ),
            line(
                2,
                BAD_GATEWAY,
                (900.0, 6000.0),
                "POST /api/v1/orders 502 upstream order: bad gateway",
            ),
        ],
        exposed: 0.4,
        slowed: 3.0,
    },
    Service {
        name: "auth",
        tier: "critical",
        team: "identity",
        version: "1.9.3",
        weight: 15,
        hosts: 2,
        healthy: &[
            line(60, OK, (6.0, 60.0), "login of {user} from {ip} succeeded").of(Client::Customer),
            line(15, DETAIL, (0.5, 4.0), "token of {user} refreshed"),
            line(
                7,
                REFUSED,
                (5.0, 40.0),
                "login of {email} refused: wrong password",
            )
            .of(Client::Customer),
            line(
                5,
                REFUSED,
                (5.0, 40.0),
                "login of {email} refused: wrong password",
            )
            .of(Client::Stuffer),
            line(
                6,
                INVALID,
                (3.0, 20.0),
                "form rejected: username={name} password={password}",
            ),
            line(6, OK, (20.0, 180.0), "one-time code sent to {phone}"),
            line(
                1,
                FAILED,
                (200.0, 900.0),
                "session store did not answer in time for {user}",
            ),
        ],
        failing: &[],
        exposed: 0.0,
        slowed: 1.2,
    },
    Service {
        name: "inventory",
        tier: "standard",
        team: "shop",
        version: "3.2.1",
        weight: 12,
        hosts: 2,
        healthy: &[
            line(
                50,
                OK,
                (2.0, 30.0),
                "reserved {count} of {sku} for order {order}",
            )
            .written(Shape::Logfmt),
            line(35, DETAIL, (1.0, 10.0), "stock of {sku} is {count}").written(Shape::Logfmt),
            line(
                10,
                SLOW,
                (40.0, 300.0),
                "stock of {sku} is low: {count} left",
            )
            .written(Shape::Logfmt),
            line(
                1,
                FAILED,
                (100.0, 700.0),
                "could not reserve {sku}: row is locked by order {order}",
            )
            .written(Shape::Logfmt),
        ],
        failing: &[line(
            1,
            SLOW,
            (50.0, 400.0),
            "reservation of {sku} for order {order} expired unpaid",
        )
        .written(Shape::Logfmt)],
        exposed: 0.15,
        slowed: 1.0,
    },
    Service {
        name: "notification",
        tier: "low",
        team: "messaging",
        version: "1.4.7",
        weight: 8,
        hosts: 2,
        healthy: &[
            line(
                45,
                OK,
                (15.0, 200.0),
                "mail order_confirmed sent to {email}",
            )
            .written(Shape::Json),
            line(
                35,
                OK,
                (20.0, 250.0),
                "text message sent to {phone} for order {order}",
            )
            .written(Shape::Json),
            line(
                15,
                DETAIL,
                (0.5, 5.0),
                "template order_confirmed rendered in {ms} ms",
            )
            .written(Shape::Json),
            line(
                2,
                FAILED,
                (300.0, 2000.0),
                "mail to {email} bounced: mailbox is full",
            )
            .written(Shape::Json),
        ],
        failing: &[
            line(1, OK, (15.0, 200.0), "mail payment_failed sent to {email}").written(Shape::Json),
        ],
        exposed: 0.4,
        slowed: 1.0,
    },
    Service {
        name: "order",
        tier: "critical",
        team: "shop",
        version: "4.0.2",
        weight: 14,
        hosts: 3,
        healthy: &[
            line(
                50,
                MADE,
                (25.0, 220.0),
                "order {order} placed by {user}: {count} items, total {amount} USD",
            ),
            line(30, OK, (5.0, 50.0), "order {order} moved to state paid"),
            line(15, DETAIL, (1.0, 8.0), "order {order} priced in {ms} ms"),
            line(
                4,
                INVALID,
                (3.0, 25.0),
                "order of {email} rejected: cart is empty",
            ),
        ],
        failing: &[
            line(
                5,
                BAD_GATEWAY,
                (5100.0, 9000.0),
                "order {order} not placed: payment service answered 500",
            ),
            line(
                3,
                TIMED_OUT,
                (10000.0, 10300.0),
                "order {order} not placed: payment service timed out",
            ),
            line(
                2,
                SLOW,
                (2000.0, 5000.0),
                "payment of order {order} is retried, attempt {count}",
            ),
        ],
        exposed: 0.55,
        slowed: 4.0,
    },
    Service {
        name: "payment",
        tier: "critical",
        team: "payments",
        version: "2.7.5",
        weight: 13,
        hosts: 3,
        healthy: &[
            line(
                45,
                OK,
                (40.0, 260.0),
                "payment {payment} of {amount} USD authorised, card {card}",
            ),
            line(
                25,
                OK,
                (20.0, 120.0),
                "payment {payment} captured for order {order}",
            ),
            line(
                15,
                DETAIL,
                (1.0, 6.0),
                "connection taken from pool payment-db (active {active} of 50)",
            ),
            line(
                8,
                INVALID,
                (30.0, 150.0),
                "card {card} declined for {email}: insufficient funds",
            ),
            line(
                5,
                OK,
                (60.0, 400.0),
                "identity of {name} confirmed, ssn {ssn}",
            ),
        ],
        failing: &[
            line(
                5,
                SLOW,
                (800.0, 4900.0),
                "waited {wait} ms for a connection from pool payment-db ({waiting} are waiting)",
            ),
            line(
                6,
                FAILED,
                (5000.0, 5200.0),
                "no connection from pool payment-db within 5000 ms ({waiting} are waiting)",
            ),
            line(
                5,
                FAILED,
                (5000.0, 5400.0),
                "payment {payment} of {amount} USD failed, card {card}: database timeout",
            ),
        ],
        exposed: 0.8,
        slowed: 8.0,
    },
    Service {
        name: "user",
        tier: "standard",
        team: "identity",
        version: "1.12.0",
        weight: 8,
        hosts: 2,
        healthy: &[
            line(50, OK, (4.0, 45.0), "profile of {user} read"),
            line(
                20,
                OK,
                (10.0, 80.0),
                "profile of {user} updated: email={email} phone={phone}",
            ),
            line(
                12,
                OK,
                (20.0, 160.0),
                "tax form of {name} stored, ssn {ssn}",
            ),
            line(10, DETAIL, (0.3, 3.0), "avatar of {user} served from cache"),
            line(
                6,
                INVALID,
                (3.0, 20.0),
                "telephone {phone} of {user} is not verified",
            ),
            line(
                1,
                FAILED,
                (100.0, 600.0),
                "profile of {user} could not be saved: conflict",
            ),
        ],
        failing: &[],
        exposed: 0.0,
        slowed: 1.0,
    },
];
