//! The seven micro-services: how much they write, what they write when all is well, and what they
//! write when the payment database is in trouble.
//!
//! Words in braces are filled in by the simulator ([`super::simulator`]).

/// A service.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its name, the column `source`.
    pub(crate) name: &'static str,
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
    }
}

const OK: (&str, u16) = ("INFO", 200);
const MADE: (&str, u16) = ("INFO", 201);
const REFUSED: (&str, u16) = ("WARN", 401);
const INVALID: (&str, u16) = ("WARN", 422);
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
        version: "2.14.0",
        weight: 30,
        hosts: 3,
        healthy: &[
            line(
                40,
                OK,
                (4.0, 90.0),
                "GET /api/v1/products/{sku} 200 in {ms} ms client={ip}",
            ),
            line(
                25,
                OK,
                (8.0, 120.0),
                "GET /api/v1/orders?customer={email} 200 in {ms} ms client={ip}",
            ),
            line(
                20,
                MADE,
                (30.0, 240.0),
                "POST /api/v1/orders 201 in {ms} ms client={ip}",
            ),
            line(10, DETAIL, (0.2, 2.0), "cache hit for product {sku}"),
            line(
                5,
                REFUSED,
                (2.0, 12.0),
                "GET /api/v1/users/me 401 token expired client={ip}",
            ),
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
        version: "1.9.3",
        weight: 15,
        hosts: 2,
        healthy: &[
            line(60, OK, (6.0, 60.0), "login of {user} from {ip} succeeded"),
            line(15, DETAIL, (0.5, 4.0), "token of {user} refreshed"),
            line(
                12,
                REFUSED,
                (5.0, 40.0),
                "login of {email} refused: wrong password",
            ),
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
        version: "3.2.1",
        weight: 12,
        hosts: 2,
        healthy: &[
            line(
                50,
                OK,
                (2.0, 30.0),
                "reserved {count} of {sku} for order {order}",
            ),
            line(35, DETAIL, (1.0, 10.0), "stock of {sku} is {count}"),
            line(
                10,
                SLOW,
                (40.0, 300.0),
                "stock of {sku} is low: {count} left",
            ),
            line(
                1,
                FAILED,
                (100.0, 700.0),
                "could not reserve {sku}: row is locked by order {order}",
            ),
        ],
        failing: &[line(
            1,
            SLOW,
            (50.0, 400.0),
            "reservation of {sku} for order {order} expired unpaid",
        )],
        exposed: 0.15,
        slowed: 1.0,
    },
    Service {
        name: "notification",
        version: "1.4.7",
        weight: 8,
        hosts: 2,
        healthy: &[
            line(
                45,
                OK,
                (15.0, 200.0),
                "mail order_confirmed sent to {email}",
            ),
            line(
                35,
                OK,
                (20.0, 250.0),
                "text message sent to {phone} for order {order}",
            ),
            line(
                15,
                DETAIL,
                (0.5, 5.0),
                "template order_confirmed rendered in {ms} ms",
            ),
            line(
                2,
                FAILED,
                (300.0, 2000.0),
                "mail to {email} bounced: mailbox is full",
            ),
        ],
        failing: &[line(
            1,
            OK,
            (15.0, 200.0),
            "mail payment_failed sent to {email}",
        )],
        exposed: 0.4,
        slowed: 1.0,
    },
    Service {
        name: "order",
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
