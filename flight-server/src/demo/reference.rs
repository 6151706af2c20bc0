//! What the demo's pipeline looks up: a table of hosts, one of customers, two threat feeds and a
//! database of countries, made for the simulated logs, and the configuration that names them.

use std::fmt::Write as _;
use std::path::Path;

use sluice_engine::config::Config;
use sluice_engine::error::{Error, Result};
use toml::{Table, Value};

use super::countries;
use super::network::{CUSTOMERS, Network, SCANNERS, STUFFERS};
use super::services::{CUSTOMER_NUMBERS, SERVICES, customer_id, host_name};

/// The folder of the files, in the data directory.
const FOLDER: &str = "demo";
/// The configuration, which `sluice serve --config` takes too.
const CONFIG: &str = "sluice.toml";

/// Writes the files below `data`, and gives the configuration.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn write(data: &Path, built_s: u64) -> Result<Config> {
    let folder = std::path::absolute(data)
        .map_err(|error| failed(data, &error))?
        .join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
    let networks: Vec<Network> = CUSTOMERS
        .into_iter()
        .chain([SCANNERS])
        .chain(STUFFERS)
        .collect();
    let files: [(&str, Vec<u8>); 6] = [
        ("hosts.csv", hosts().into_bytes()),
        ("customers.csv", customers().into_bytes()),
        ("scanners.netset", listed(&[SCANNERS]).into_bytes()),
        ("stolen-passwords.ipset", listed(&STUFFERS).into_bytes()),
        ("countries.mmdb", countries::file(&networks, built_s)),
        (CONFIG, settings(&folder).to_string().into_bytes()),
    ];
    for (name, content) in files {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(|error| failed(&path, &error))?;
    }
    Config::load(Some(&folder.join(CONFIG)), [], Table::new())
}

/// The configuration's path, for somebody who serves the data directory `data` again.
pub(crate) fn config_path(data: &Path) -> std::path::PathBuf {
    data.join(FOLDER).join(CONFIG)
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    let shown = path.display();
    Error::unavailable(format!("cannot write \"{shown}\": {error}"))
}

fn hosts() -> String {
    let mut text = "host,service,tier,team\n".to_owned();
    for service in &SERVICES {
        for number in 1..=service.hosts {
            let (host, name) = (host_name(service, number), service.name);
            let (tier, team) = (service.tier, service.team);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{host},{name},{tier},{team}");
        }
    }
    text
}

fn customers() -> String {
    let mut text = "id,tier,region\n".to_owned();
    for number in CUSTOMER_NUMBERS {
        let tier = match number % 20 {
            0 => "platinum",
            1..=5 => "gold",
            _ => "standard",
        };
        let region = ["eu", "us", "apac"][number as usize % 3];
        let id = customer_id(number);
        let _ = writeln!(text, "{id},{tier},{region}");
    }
    text
}

fn listed(networks: &[Network]) -> String {
    let lines = networks.iter().map(|network| match network.bits {
        32 => format!("{}\n", network.first),
        bits => format!("{}/{bits}\n", network.first),
    });
    lines.collect()
}

fn settings(folder: &Path) -> Table {
    let path = |name: &str| ("path", Value::from(folder.join(name).display().to_string()));
    let section = |keys: Vec<(&str, Value)>| -> Value {
        let keys = keys.into_iter().map(|(key, value)| (key.to_owned(), value));
        Value::Table(keys.collect())
    };
    let feed = |name: &str, category: &str, score: i64| {
        section(vec![
            path(name),
            ("score", score.into()),
            ("categories", vec![category].into()),
            // Addresses of documentation are not on the Internet.
            ("reserved", true.into()),
        ])
    };
    let enrichment = section(vec![
        (
            "tables",
            section(vec![
                (
                    "hosts",
                    section(vec![path("hosts.csv"), ("key", "host".into())]),
                ),
                (
                    "customers",
                    section(vec![path("customers.csv"), ("key", "id".into())]),
                ),
            ]),
        ),
        (
            "feeds",
            section(vec![
                ("scanners", feed("scanners.netset", "scanner", 60)),
                (
                    "stolen_passwords",
                    feed("stolen-passwords.ipset", "credential stuffing", 90),
                ),
            ]),
        ),
        (
            "databases",
            section(vec![("countries", section(vec![path("countries.mmdb")]))]),
        ),
    ]);
    Table::from_iter([("enrichment".to_owned(), enrichment)])
}
