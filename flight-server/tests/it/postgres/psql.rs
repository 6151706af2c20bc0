//! PostgreSQL's own client, where the machine has it.

use tokio::process::Command;

use super::Served;

/// What `psql` prints for `input`, or its errors; `None` where there is no `psql`.
pub(super) async fn psql(connection: &str, input: &str) -> Option<Result<String, String>> {
    let ran = Command::new("psql")
        .args([
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
        ])
        .args(["--dbname", connection, "--command", input])
        .output()
        .await;
    let Ok(output) = ran else {
        eprintln!("skipped: there is no psql");
        return None;
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Some(match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stderr)),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn its_commands_describe_the_tables() {
    let served = Served::start().await;
    let port = served.address().port();
    let url = format!("host=127.0.0.1 port={port} user=me dbname=sluice");
    let create = "CREATE TABLE events (at TIMESTAMP, what VARCHAR, cost DECIMAL(10, 2))";
    let Some(created) = psql(&url, create).await else {
        return;
    };
    assert_eq!(created.unwrap(), "CREATE TABLE\n");
    for (command, wanted) in [
        ("\\d", "public|events|table|sluice"),
        ("\\dt", "public|events|table|sluice"),
        ("\\dv system.*", "system|pipelines|view|sluice"),
        ("\\du", "sluice|"),
        ("\\l", "sluice|sluice|UTF8"),
        ("\\dn", "public|sluice"),
        ("\\d events", "cost|numeric(10,2)"),
        ("\\copy (SELECT 1, 'x') TO STDOUT CSV", "1,x"),
    ] {
        let printed = psql(&url, command).await.unwrap();
        let printed = printed.unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(printed.contains(wanted), "{command}: {printed}");
    }
}
