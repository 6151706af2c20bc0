//! Metadata: filters as clients send them, schemas as Flight SQL lays them down.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, UInt32Type};
use arrow_flight::sql::{
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetTables, CommandGetXdbcTypeInfo, SqlInfo,
};
use arrow_flight::{FlightDescriptor, IpcMessage};

use super::*;

async fn served() -> (Served, Client) {
    let served = Served::start().await;
    let mut client = served.client().await;
    let sql = "CREATE TABLE events (a BIGINT, b VARCHAR, c TIMESTAMP)";
    client.execute_update(sql.into(), None).await.unwrap();
    (served, client)
}

async fn tables(client: &mut Client, request: CommandGetTables) -> Vec<(String, String)> {
    let info = client.get_tables(request).await.unwrap();
    let (_, rows) = fetch(client, info).await;
    let pairs = rows.iter().flat_map(|rows| {
        let (names, kinds) = (
            rows.column(2).as_string::<i32>(),
            rows.column(3).as_string::<i32>(),
        );
        let pair = |row| (names.value(row).to_owned(), kinds.value(row).to_owned());
        (0..rows.num_rows()).map(pair).collect::<Vec<_>>()
    });
    pairs.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn catalogs_schemas_and_types_are_listed() {
    let (_served, mut client) = served().await;
    let info = client.get_catalogs().await.unwrap();
    assert!(draw(&fetch(&mut client, info).await.1).contains("| sluice "));
    let info = client
        .get_db_schemas(CommandGetDbSchemas::default())
        .await
        .unwrap();
    let drawn = draw(&fetch(&mut client, info).await.1);
    for schema in ["information_schema", "public", "system"] {
        assert!(drawn.contains(schema), "{drawn}");
    }
    let filtered = CommandGetDbSchemas {
        catalog: Some("sluice".into()),
        db_schema_filter_pattern: Some("pub%".into()),
    };
    let info = client.get_db_schemas(filtered).await.unwrap();
    assert_eq!(fetch(&mut client, info).await.1[0].num_rows(), 1);
    let info = client.get_table_types().await.unwrap();
    let drawn = draw(&fetch(&mut client, info).await.1);
    assert!(
        drawn.contains("| TABLE ") && drawn.contains("| VIEW "),
        "{drawn}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_found_by_every_filter_clients_send() {
    let (_served, mut client) = served().await;
    let events = |label: &str| vec![("events".to_owned(), label.to_owned())];
    let public = || CommandGetTables {
        db_schema_filter_pattern: Some("public".into()),
        ..CommandGetTables::default()
    };
    assert_eq!(tables(&mut client, public()).await, events("TABLE"));
    for types in [vec!["TABLE"], vec!["BASE TABLE"], vec!["table", "VIEW"]] {
        let table_types: Vec<String> = types.iter().map(|t| (*t).to_owned()).collect();
        let got = tables(
            &mut client,
            CommandGetTables {
                table_types,
                ..public()
            },
        )
        .await;
        assert_eq!(got, events(types[0]));
    }
    let by_name = |pattern: &str| CommandGetTables {
        table_name_filter_pattern: Some(pattern.to_owned()),
        ..CommandGetTables::default()
    };
    assert_eq!(tables(&mut client, by_name("ev_n%")).await, events("TABLE"));
    assert!(tables(&mut client, by_name("nothing")).await.is_empty());
    let views = CommandGetTables {
        table_types: vec!["view".into()],
        ..CommandGetTables::default()
    };
    let views = tables(&mut client, views).await;
    assert!(
        views.contains(&("functions".to_owned(), "view".to_owned())),
        "{views:?}"
    );
    let elsewhere = CommandGetTables {
        catalog: Some("other".into()),
        ..CommandGetTables::default()
    };
    assert!(tables(&mut client, elsewhere).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn table_schemas_come_only_when_asked_for_and_can_be_read() {
    let (_served, mut client) = served().await;
    let request = CommandGetTables {
        table_name_filter_pattern: Some("events".into()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let info = client.get_tables(request.clone()).await.unwrap();
    let (_, rows) = fetch(&mut client, info).await;
    let bytes = rows[0].column(4).as_binary::<i32>().value(0).to_vec();
    let schema = Schema::try_from(IpcMessage(bytes.into())).unwrap();
    let kinds: Vec<&DataType> = schema.fields().iter().map(|f| f.data_type()).collect();
    assert_eq!(kinds[..2], [&DataType::Int64, &DataType::Utf8]);
    assert_eq!(
        schema.field(0).metadata()["ARROW:FLIGHT:SQL:TYPE_NAME"],
        "BIGINT"
    );
    let info = client
        .get_tables(CommandGetTables {
            include_schema: false,
            ..request
        })
        .await
        .unwrap();
    assert_eq!(info.try_decode_schema().unwrap().fields().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_keys_which_is_no_error() {
    let (_served, mut client) = served().await;
    let table = || "events".to_owned();
    let primary = CommandGetPrimaryKeys {
        table: table(),
        ..Default::default()
    };
    let exported = CommandGetExportedKeys {
        table: table(),
        ..Default::default()
    };
    let imported = CommandGetImportedKeys {
        table: table(),
        ..Default::default()
    };
    let cross = CommandGetCrossReference {
        pk_table: table(),
        fk_table: table(),
        ..Default::default()
    };
    let infos = [
        (client.get_primary_keys(primary).await.unwrap(), 6),
        (client.get_exported_keys(exported).await.unwrap(), 13),
        (client.get_imported_keys(imported).await.unwrap(), 13),
        (client.get_cross_reference(cross).await.unwrap(), 13),
    ];
    for (info, columns) in infos {
        let (schema, rows) = fetch(&mut client, info).await;
        assert_eq!((schema.fields().len(), rows.len()), (columns, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_of_sql_info_has_a_value() {
    let (_served, mut client) = served().await;
    let info = client.get_sql_info(vec![]).await.unwrap();
    let (_, rows) = fetch(&mut client, info).await;
    let got: Vec<u32> = rows
        .iter()
        .flat_map(|r| r.column(0).as_primitive::<UInt32Type>().values().to_vec())
        .collect();
    let all: Vec<u32> = (0..1_000)
        .filter(|n| SqlInfo::try_from(*n).is_ok())
        .map(i32::unsigned_abs)
        .collect();
    assert_eq!(got, all);
    let asked = vec![
        SqlInfo::FlightSqlServerName,
        SqlInfo::SqlIdentifierQuoteChar,
    ];
    let info = client.get_sql_info(asked).await.unwrap();
    let drawn = draw(&fetch(&mut client, info).await.1);
    assert!(
        drawn.contains("Sluice") && drawn.lines().count() == 6,
        "{drawn}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_listed_and_found_by_code() {
    let (_served, mut client) = served().await;
    let all = client
        .get_xdbc_type_info(CommandGetXdbcTypeInfo { data_type: None })
        .await
        .unwrap();
    let (_, rows) = fetch(&mut client, all).await;
    let drawn = draw(&rows);
    for name in ["BIGINT", "VARCHAR", "TIMESTAMP", "DECIMAL"] {
        assert!(drawn.contains(name), "{drawn}");
    }
    let bigint = CommandGetXdbcTypeInfo {
        data_type: Some(-5),
    };
    let info = client.get_xdbc_type_info(bigint).await.unwrap();
    assert_eq!(fetch(&mut client, info).await.1[0].num_rows(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_given_without_running_anything() {
    let (_served, mut client) = served().await;
    for (sql, columns) in [("SELECT a, b FROM events", 2), ("DROP TABLE events", 0)] {
        let command = arrow_flight::sql::CommandStatementQuery {
            query: sql.into(),
            transaction_id: None,
        };
        let cmd =
            prost::Message::encode_to_vec(&arrow_flight::sql::ProstMessageExt::as_any(&command));
        let answer = client
            .inner_mut()
            .get_schema(FlightDescriptor::new_cmd(cmd))
            .await
            .unwrap();
        let schema = Schema::try_from(&answer.into_inner()).unwrap();
        assert_eq!(schema.fields().len(), columns, "{sql}");
    }
    assert_eq!(number(&mut client, "SELECT count(*) FROM events").await, 0);
}
