//! What is taken for a command, and what it says.

use super::*;

fn set(name: &str, value: &str) -> Command {
    Command::Set {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        tag: "SET",
    }
}

#[test]
fn settings() {
    for (sql, want) in [
        ("SET extra_float_digits = 3", set("extra_float_digits", "3")),
        (
            "set session DateStyle to ISO, MDY;",
            set("datestyle", "iso, mdy"),
        ),
        (
            "SET TIME ZONE 'Europe/Berlin'",
            set("timezone", "Europe/Berlin"),
        ),
        ("SET NAMES 'UTF8'", set("client_encoding", "UTF8")),
        (
            "SET search_path = \"$user\", public",
            set("search_path", "$user, public"),
        ),
        (
            "SHOW TRANSACTION ISOLATION LEVEL",
            Command::Show("transaction_isolation".into()),
        ),
        (
            "show standard_conforming_strings",
            Command::Show("standard_conforming_strings".into()),
        ),
        ("BEGIN READ ONLY", Command::Begin),
        ("START TRANSACTION", Command::Begin),
        (
            "rollback to savepoint a",
            Command::Rollback {
                to_savepoint: ToSavepoint::Yes,
            },
        ),
        ("DISCARD ALL", Command::Discard("DISCARD ALL")),
        (
            "DEALLOCATE \"S_1\"",
            Command::Deallocate(Some("S_1".into())),
        ),
        ("close all", Command::Close(None)),
    ] {
        assert_eq!(parse(sql).unwrap(), Some(want), "{sql}");
    }
    for sql in [
        "SELECT 1",
        "SHOW TABLES",
        "SET datafusion.execution.batch_size = 1",
        "",
        "(1)",
    ] {
        assert_eq!(parse(sql).unwrap(), None, "{sql}");
    }
    for sql in [
        "SET x",
        "DISCARD",
        "FETCH BACKWARD 1 FROM c",
        "COPY t FROM STDIN",
        "DECLARE c",
    ] {
        assert!(parse(sql).is_err(), "{sql}");
    }
}

#[test]
fn cursors() {
    let declared = "declare \"SQL_CUR1\" cursor with hold for select 1";
    let want = Command::Declare {
        name: "SQL_CUR1".into(),
        query: "select 1".into(),
        hold: true,
    };
    assert_eq!(parse(declared).unwrap(), Some(want));
    for (sql, rows, dropped) in [
        ("fetch 100 in \"SQL_CUR1\"", Some(100), false),
        ("FETCH FORWARD ALL FROM \"SQL_CUR1\"", None, false),
        ("FETCH NEXT FROM \"SQL_CUR1\"", Some(1), false),
        ("FETCH \"SQL_CUR1\"", Some(1), false),
        ("MOVE FORWARD 5 IN \"SQL_CUR1\"", Some(5), true),
    ] {
        let cursor = "SQL_CUR1".to_owned();
        let want = Fetch {
            cursor,
            rows,
            dropped,
        };
        assert_eq!(parse(sql).unwrap(), Some(Command::Fetch(want)), "{sql}");
    }
}

#[test]
fn copies() {
    let copied = |sql: &str| match parse(sql).unwrap() {
        Some(Command::Copy(copy)) => copy,
        other => panic!("{sql}: {other:?}"),
    };
    let copy = copied("COPY (SELECT ')', 1) TO STDOUT (FORMAT binary)");
    assert_eq!(copy.query, "SELECT ')', 1");
    assert_eq!(copy.style.format, Format::Binary);
    let copy = copied("COPY logs (a, b) TO STDOUT WITH CSV HEADER DELIMITER ';' NULL 'x'");
    assert_eq!(copy.query, "SELECT a, b FROM logs ");
    assert!(copy.style.header && copy.style.delimiter == ';' && copy.style.null == "x");
    let copy = copied("COPY public.logs TO STDOUT");
    assert_eq!(copy.query, "SELECT * FROM public.logs");
    assert_eq!(copy.style.null, "\\N");
    assert_eq!(parse("COPY logs TO '/tmp/x'").unwrap(), None);
}
