//! Log records of seven services, one after the other: the same seed and start give the same bytes.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::incident::Incident;
use super::network;
use super::people::{self, pick};
use super::services::{
    CUSTOMER_NUMBERS, Client, HEARTBEAT, Line, SERVICES, Service, Shape, customer_id, host_name,
};

/// Every so many records one is malformed, to show where such records go.
const MALFORMED_EVERY: u64 = 1000;

/// Requests under way at once, whose lines share a trace.
const REQUESTS_MAX: usize = 32;

const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];
/// What asks for pages.
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0",
    "okhttp/5.3.2",
    "curl/8.17.0",
];
/// What scanners ask for.
const DOORS: [&str; 4] = [".env", ".git/config", "wp-login.php", "actuator/env"];

/// What to simulate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Same seed, same records.
    pub(crate) seed: u64,
    /// Records a second.
    pub(crate) rate: u32,
    /// The timestamp of the first record.
    pub(crate) start: DateTime<Utc>,
    /// When the payment database is in trouble.
    pub(crate) incident: Incident,
}

/// A record for the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The host; records of one host stay in order.
    pub(crate) key: String,
    /// The value: JSON, or what was meant to be.
    pub(crate) value: String,
}

/// An endless sequence of records.
#[derive(Debug)]
pub(crate) struct Simulator {
    settings: Settings,
    rng: StdRng,
    sequence: u64,
    requests: VecDeque<Request>,
}

/// What the lines of one request share.
#[derive(Debug, Clone)]
struct Request {
    trace: String,
    user: String,
    order: u32,
    client: Ipv4Addr,
}

/// What a line needs to know beside its template.
struct Facts {
    request: Request,
    at: DateTime<Utc>,
    client: Option<Ipv4Addr>,
    pressure: f64,
    latency: f64,
}

impl Simulator {
    /// Starts at the first record.
    pub(crate) fn new(settings: Settings) -> Self {
        let rng = StdRng::seed_from_u64(settings.seed);
        Self {
            settings,
            rng,
            sequence: 0,
            requests: VecDeque::new(),
        }
    }

    /// When the next record is due, counted from the first.
    pub(crate) fn due(&self) -> Duration {
        let rate = u64::from(self.settings.rate.max(1));
        Duration::from_secs(self.sequence / rate)
            + Duration::from_secs(1).mul_f64((self.sequence % rate) as f64 / rate as f64)
    }

    /// The next record.
    pub(crate) fn next(&mut self) -> Record {
        let at = self.due();
        let malformed = self.sequence % MALFORMED_EVERY == MALFORMED_EVERY - 1;
        let round = self.sequence / MALFORMED_EVERY;
        self.sequence += 1;
        let record = self.record(at);
        match malformed {
            true => Record {
                value: damage(&record.value, round),
                ..record
            },
            false => record,
        }
    }

    fn record(&mut self, at: Duration) -> Record {
        let pressure = self.settings.incident.pressure(at);
        let Some(service) = SERVICES.choose_weighted(&mut self.rng, |s| s.weight).ok() else {
            return Record {
                key: String::new(),
                value: String::new(),
            };
        };
        let troubled = !service.failing.is_empty()
            && self
                .rng
                .random_bool((service.exposed * pressure).clamp(0.0, 1.0));
        let lines = if troubled {
            service.failing
        } else {
            service.healthy
        };
        let line = lines
            .choose_weighted(&mut self.rng, |l| l.weight)
            .unwrap_or(&HEARTBEAT);
        let slowed = if troubled {
            1.0
        } else {
            1.0 + (service.slowed - 1.0) * pressure
        };
        let request = self.request();
        let facts = Facts {
            client: match line.client {
                Client::Unknown => None,
                Client::Customer => Some(request.client),
                Client::Scanner => Some(network::scanner(&mut self.rng)),
                Client::Stuffer => Some(network::stuffer(&mut self.rng)),
            },
            request,
            at: self.settings.start + at,
            pressure,
            latency: (self.latency(line) * slowed * 10.0).round() / 10.0,
        };
        let number = self.rng.random_range(1..=service.hosts);
        let key = host_name(service, number);
        let value = self.value((service, line), &key, &facts);
        Record { key, value }
    }

    /// A record's value: what its line has not is a member of its own.
    fn value(&mut self, (service, line): (&Service, &Line), host: &str, facts: &Facts) -> String {
        let mut value = json!({
            "timestamp": facts.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "source": service.name,
            "message": self.message(line, facts),
            "host": host,
            "service_version": service.version,
            "user_id": facts.request.user,
            "latency_ms": facts.latency,
            "attributes": {
                "region": pick(&mut self.rng, &REGIONS),
                "thread": self.rng.random_range(1..=16),
            },
        });
        let text = line.shape == Shape::Text;
        if text {
            value["severity"] = line.severity.into();
        }
        if text || line.shape == Shape::Access {
            value["trace_id"] = facts.request.trace.as_str().into();
        }
        if line.shape != Shape::Access {
            value["status"] = line.status.into();
        }
        if let Some(client) = facts.client.filter(|_| line.shape != Shape::Access) {
            value["client_ip"] = client.to_string().into();
        }
        value.to_string()
    }

    fn message(&mut self, line: &Line, facts: &Facts) -> String {
        let text = self.fill(line.text, facts);
        let Request { trace, user, .. } = &facts.request;
        match line.shape {
            Shape::Text => text,
            Shape::Access => {
                let client = facts.client.unwrap_or(facts.request.client);
                let user = match line.client {
                    Client::Customer => user.as_str(),
                    _ => "-",
                };
                let at = facts.at.format("%d/%b/%Y:%H:%M:%S %z");
                let (status, bytes) = (line.status, self.rng.random_range(90..9000));
                let agent = pick(&mut self.rng, &AGENTS);
                let line = format!("\"{text} HTTP/1.1\" {status} {bytes} \"-\" \"{agent}\"");
                format!("{client} - {user} [{at}] {line}")
            }
            Shape::Logfmt => {
                let level = line.severity.to_lowercase();
                format!("level={level} trace_id={trace} msg=\"{text}\"")
            }
            Shape::Json => {
                json!({ "level": line.severity, "traceId": trace, "msg": text }).to_string()
            }
        }
    }

    /// A request under way, or a new one that takes the place of the oldest.
    fn request(&mut self) -> Request {
        let slot = self.rng.random_range(0..REQUESTS_MAX * 4 / 3);
        if let Some(request) = self.requests.get(slot) {
            return request.clone();
        }
        let request = Request {
            trace: format!("{:032x}", self.rng.random::<u128>()),
            user: customer_id(self.rng.random_range(CUSTOMER_NUMBERS)),
            order: self.rng.random_range(100_000..999_999),
            client: network::customer(&mut self.rng),
        };
        if self.requests.len() >= REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(request.clone());
        request
    }

    /// Most answers are quick and a few are slow: a cube of what is below one is nearer to zero.
    fn latency(&mut self, line: &Line) -> f64 {
        let (least, greatest) = line.latency;
        least + (greatest - least) * self.rng.random::<f64>().powi(3)
    }

    fn fill(&mut self, template: &str, facts: &Facts) -> String {
        let mut pieces = template.split('{');
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (word, rest) = piece.split_once('}').unwrap_or((piece, ""));
            text += &self.word(word, facts);
            text += rest;
        }
        text
    }

    fn word(&mut self, word: &str, facts: &Facts) -> String {
        let rng = &mut self.rng;
        let share = |of: f64| (of * facts.pressure.max(0.05)).round();
        match word {
            "card" => people::card(rng),
            "ssn" => people::ssn(rng),
            "email" => people::email(rng),
            "phone" => people::phone(rng),
            "password" => people::password(rng),
            "name" => people::name(rng),
            "user" => facts.request.user.clone(),
            "order" => format!("o-{}", facts.request.order),
            "payment" => format!("p-{:08x}", rng.random::<u32>()),
            "amount" => format!("{:.2}", rng.random_range(4.0..900.0)),
            "sku" => format!("sku-{}", rng.random_range(100..1000)),
            "count" => rng.random_range(1..9).to_string(),
            "ip" => facts.request.client.to_string(),
            "door" => pick(rng, &DOORS).to_owned(),
            "ms" => format!("{:.0}", facts.latency),
            "active" => format!("{:.0}", 4.0 + share(46.0)),
            "wait" => format!("{:.0}", facts.latency),
            "waiting" => format!("{:.0}", share(180.0) + rng.random_range(1.0..9.0)),
            other => format!("{{{other}}}"),
        }
    }
}

/// The ways in which records go wrong, in turn: cut off, not JSON at all, a word for a number.
fn damage(value: &str, round: u64) -> String {
    match round % 3 {
        0 => value.chars().take(value.len() / 2).collect(),
        1 => "panic: runtime error: invalid memory address or nil pointer dereference".to_owned(),
        _ => value.replace(r#""latency_ms":"#, r#""latency_ms":"fast","was":"#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn simulator(seed: u64) -> Simulator {
        let start = DateTime::from_timestamp(1_770_285_600, 0).unwrap();
        Simulator::new(Settings {
            seed,
            rate: 100,
            start,
            incident: Incident::within(None),
        })
    }

    fn records(seed: u64, count: usize) -> Vec<Record> {
        let mut simulator = simulator(seed);
        (0..count).map(|_| simulator.next()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(records(7, 2000), records(7, 2000));
        assert_ne!(records(7, 20), records(8, 20));
    }

    #[test]
    fn every_record_is_whole_but_one_in_a_thousand() {
        for (index, record) in records(7, 6000).iter().enumerate() {
            let value: Result<Value, _> = serde_json::from_str(&record.value);
            let whole = value.ok().filter(|value| value["latency_ms"].is_number());
            assert_eq!(
                whole.is_none(),
                index % 1000 == 999,
                "{index}: {}",
                record.value
            );
            let Some(value) = whole else { continue };
            assert!(DateTime::parse_from_rfc3339(value["timestamp"].as_str().unwrap()).is_ok());
            let message = value["message"].as_str().unwrap();
            let line = match value["source"].as_str().unwrap() {
                // What is JSON has braces of its own.
                "notification" => serde_json::from_str::<Value>(message).unwrap()["msg"].clone(),
                _ => message.into(),
            };
            assert!(
                !line.as_str().unwrap().contains(['{', '}']),
                "a word nobody fills in: {message}"
            );
            for member in ["source", "host", "service_version", "user_id"] {
                assert!(!value[member].as_str().unwrap().is_empty(), "{member}");
            }
            assert!(value["attributes"].is_object());
            let trace = value["trace_id"].as_str();
            assert!(trace.is_some() || message.contains("trace"), "{message}");
            let status = value["status"].is_u64();
            assert!(status || message.contains(" HTTP/1.1\" "), "{message}");
        }
    }

    #[test]
    fn records_are_due_at_the_rate() {
        let mut simulator = simulator(7);
        for _ in 0..250 {
            simulator.next();
        }
        assert_eq!(simulator.due(), Duration::from_millis(2500));
    }

    #[test]
    fn the_incident_makes_payments_fail_and_callers_answer_502_and_504() {
        let values: Vec<Value> = records(7, 12_000)
            .iter()
            .filter_map(|r| serde_json::from_str(&r.value).ok())
            .collect();
        // A hundred a second: seconds 20 to 60 are quiet, in seconds 75 to 90 the pool is dry.
        let share = |source: &str, seconds: std::ops::Range<usize>| {
            let of: Vec<&Value> = values[seconds.start * 100..seconds.end * 100]
                .iter()
                .filter(|value| value["source"] == source)
                .collect();
            let failed = of
                .iter()
                .filter(|value| value["status"].as_u64() >= Some(500))
                .count();
            failed as f64 / of.len() as f64
        };
        assert!(share("payment", 20..58) < 0.01);
        assert!(share("payment", 75..90) > 0.4);
        for caller in ["order", "api-gateway"] {
            assert!(share(caller, 20..58) < 0.01, "{caller}");
            assert!(share(caller, 75..90) > 0.2, "{caller}");
        }
        assert!(share("user", 75..90) < 0.01);
        let gateway: Vec<u64> = values
            .iter()
            .filter(|value| value["source"] == "api-gateway")
            .filter_map(|value| value["status"].as_u64())
            .collect();
        assert!(gateway.contains(&502) && gateway.contains(&504));
    }

    #[test]
    fn every_kind_of_personal_data_occurs() {
        let text: String = records(7, 3000)
            .into_iter()
            .map(|record| record.value)
            .collect();
        for sign in ["ssn ", "card ", "@example.", "password=", "phone="] {
            assert!(text.contains(sign), "{sign}");
        }
        for sign in [
            "level=warn trace_id=",
            "{\\\"level",
            "\\\"GET /.env HTTP",
            "198.51.100.77",
        ] {
            assert!(text.contains(sign), "{sign}");
        }
    }
}
