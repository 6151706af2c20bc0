//! The tables of `pg_catalog` that show the server's own tables. Numbers of objects are made from
//! their names, so they are the same for every client and after every start.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float32Array, Int16Array, Int32Array, ListArray, RecordBatch,
    StringArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::error::Result as DfResult;
use sluice_engine::session::{Session, TableInfo};

use super::super::setting;
use super::super::types::{OID, TYPE, modifier, oid_of, size};

/// The one database.
const DATABASE: &str = "sluice";
const DATABASE_OID: i32 = 16_384;
/// The owner of everything.
const OWNER_OID: i32 = 10;
const PG_CATALOG_OID: i32 = 11;
const INFORMATION_SCHEMA_OID: i32 = 13_000;
const PUBLIC_OID: i32 = 2_200;
/// The access method of tables.
const HEAP_OID: i32 = 2;

/// The table `name`, where it shows what the server has.
///
/// # Errors
/// When the server's tables cannot be listed.
pub(super) async fn table(
    session: &Session,
    name: &str,
) -> DfResult<Option<Arc<dyn TableProvider>>> {
    let columns = match name.to_lowercase().as_str() {
        "pg_namespace" => namespaces(),
        "pg_database" => databases(),
        "pg_class" => classes(&session.tables().await?),
        "pg_attribute" => attributes(&session.tables().await?),
        "pg_tables" => tables(&session.tables().await?),
        "pg_views" => views(&session.tables().await?),
        "pg_roles" | "pg_user" => roles(),
        "pg_index" => indexes(),
        "pg_constraint" => constraints(),
        "pg_description" | "pg_shdescription" => descriptions(),
        "pg_attrdef" => defaults(),
        "pg_settings" => settings(),
        _ => return Ok(None),
    };
    let fields: Vec<Field> = columns.iter().map(|(field, _)| field.clone()).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    Ok(Some(Arc::new(MemTable::try_new(
        schema,
        vec![vec![batch]],
    )?)))
}

type Column = (Field, ArrayRef);

fn column(name: &str, array: ArrayRef) -> Column {
    (Field::new(name, array.data_type().clone(), true), array)
}

fn text<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Column {
    column(name, Arc::new(StringArray::from_iter_values(values)))
}

fn oids(name: &str, values: impl IntoIterator<Item = i32>) -> Column {
    let (field, array) = ints(name, values);
    let named = HashMap::from([(TYPE.to_owned(), OID.to_string())]);
    (field.with_metadata(named), array)
}

fn ints(name: &str, values: impl IntoIterator<Item = i32>) -> Column {
    column(name, Arc::new(Int32Array::from_iter_values(values)))
}

fn shorts(name: &str, values: impl IntoIterator<Item = i16>) -> Column {
    column(name, Arc::new(Int16Array::from_iter_values(values)))
}

fn bools(name: &str, values: impl IntoIterator<Item = bool>) -> Column {
    let values: Vec<bool> = values.into_iter().collect();
    column(name, Arc::new(BooleanArray::from(values)))
}

/// `count` times the same.
fn same<T: Clone>(value: T, count: usize) -> impl Iterator<Item = T> {
    std::iter::repeat_n(value, count)
}

/// Nobody was given anything.
fn grants(name: &str, count: usize) -> Column {
    let item = Field::new("item", DataType::Utf8, true);
    nulls(name, &DataType::List(Arc::new(item)), count)
}

fn nulls(name: &str, kind: &DataType, count: usize) -> Column {
    column(name, new_null_array(kind, count))
}

/// A list of small numbers, as indexes and constraints name columns.
fn numbers(name: &str) -> Column {
    let rows: [Option<Vec<Option<i16>>>; 0] = [];
    let list = ListArray::from_iter_primitive::<arrow::datatypes::Int16Type, _, _>(rows);
    column(name, Arc::new(list))
}

/// The number of the object `name` in `schema`: FNV-1a, above the numbers of PostgreSQL itself.
fn object(schema: &str, name: &str) -> i32 {
    let mut hash: u32 = 0x811c_9dc5;
    for byte in schema.bytes().chain([0]).chain(name.bytes()) {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    let most = i32::MAX.unsigned_abs() - 20_000;
    i32::try_from(20_000 + hash % most).unwrap_or(i32::MAX)
}

fn schema_oid(schema: &str) -> i32 {
    match schema {
        "pg_catalog" => PG_CATALOG_OID,
        "information_schema" => INFORMATION_SCHEMA_OID,
        "public" => PUBLIC_OID,
        other => object(other, ""),
    }
}

fn namespaces() -> Vec<Column> {
    let names = ["pg_catalog", "information_schema", "public", "system"];
    vec![
        oids("oid", names.iter().map(|name| schema_oid(name))),
        text("nspname", names),
        oids("nspowner", same(OWNER_OID, names.len())),
        grants("nspacl", names.len()),
    ]
}

fn databases() -> Vec<Column> {
    vec![
        oids("oid", [DATABASE_OID]),
        text("datname", [DATABASE]),
        oids("datdba", [OWNER_OID]),
        ints("encoding", [6]),
        text("datlocprovider", ["c"]),
        bools("datistemplate", [false]),
        bools("datallowconn", [true]),
        ints("datconnlimit", [-1]),
        ints("datfrozenxid", [0]),
        ints("datminmxid", [0]),
        oids("dattablespace", [1_663]),
        text("datcollate", ["C"]),
        text("datctype", ["C"]),
        nulls("daticulocale", &DataType::Utf8, 1),
        nulls("daticurules", &DataType::Utf8, 1),
        nulls("datcollversion", &DataType::Utf8, 1),
        grants("datacl", 1),
    ]
}

fn roles() -> Vec<Column> {
    vec![
        oids("oid", [OWNER_OID]),
        text("rolname", [DATABASE]),
        text("usename", [DATABASE]),
        oids("usesysid", [OWNER_OID]),
        bools("rolsuper", [false]),
        bools("usesuper", [false]),
        bools("rolinherit", [true]),
        bools("rolcreaterole", [false]),
        bools("rolcreatedb", [false]),
        bools("usecreatedb", [false]),
        bools("rolcanlogin", [true]),
        bools("rolreplication", [false]),
        ints("rolconnlimit", [-1]),
        nulls("rolpassword", &DataType::Utf8, 1),
        nulls("rolvaliduntil", &DataType::Utf8, 1),
        bools("rolbypassrls", [false]),
        grants("rolconfig", 1),
    ]
}

fn kind(table: &TableInfo) -> &'static str {
    match table.kind {
        "VIEW" => "v",
        _ => "r",
    }
}

fn classes(tables: &[TableInfo]) -> Vec<Column> {
    let count = tables.len();
    let each = || tables.iter();
    let widths = each().map(|t| i16::try_from(t.columns.fields().len()).unwrap_or(i16::MAX));
    let unknown = Float32Array::from_iter_values(same(-1.0, count));
    vec![
        oids("oid", each().map(|t| object(&t.schema, &t.name))),
        text("relname", each().map(|t| t.name.as_str())),
        oids("relnamespace", each().map(|t| schema_oid(&t.schema))),
        oids("reltype", same(0, count)),
        oids("reloftype", same(0, count)),
        oids("relowner", same(OWNER_OID, count)),
        oids(
            "relam",
            each().map(|t| if kind(t) == "r" { HEAP_OID } else { 0 }),
        ),
        oids("relfilenode", same(0, count)),
        oids("reltablespace", same(0, count)),
        ints("relpages", same(0, count)),
        column("reltuples", Arc::new(unknown)),
        ints("relallvisible", same(0, count)),
        oids("reltoastrelid", same(0, count)),
        bools("relhasindex", same(false, count)),
        bools("relisshared", same(false, count)),
        text("relpersistence", same("p", count)),
        text("relkind", each().map(kind)),
        shorts("relnatts", widths),
        shorts("relchecks", same(0, count)),
        bools("relhasrules", same(false, count)),
        bools("relhastriggers", same(false, count)),
        bools("relhassubclass", same(false, count)),
        bools("relrowsecurity", same(false, count)),
        bools("relforcerowsecurity", same(false, count)),
        bools("relispopulated", same(true, count)),
        text("relreplident", same("d", count)),
        bools("relispartition", same(false, count)),
        oids("relrewrite", same(0, count)),
        ints("relfrozenxid", same(0, count)),
        ints("relminmxid", same(0, count)),
        grants("relacl", count),
        grants("reloptions", count),
        nulls("relpartbound", &DataType::Utf8, count),
    ]
}

fn attributes(tables: &[TableInfo]) -> Vec<Column> {
    let columns: Vec<(i32, i16, &Field)> = tables
        .iter()
        .flat_map(|table| {
            let of = object(&table.schema, &table.name);
            let fields = table.columns.fields().iter();
            (1..=i16::MAX)
                .zip(fields)
                .map(move |(number, field)| (of, number, field.as_ref()))
        })
        .collect();
    let count = columns.len();
    let each = || columns.iter();
    let oid = |field: &Field| i32::try_from(oid_of(field)).unwrap_or_default();
    let collated = |field: &Field| if oid(field) == 25 { 100 } else { 0 };
    let storage = |field: &Field| if size(oid_of(field)) < 0 { "x" } else { "p" };
    vec![
        oids("attrelid", each().map(|(of, ..)| *of)),
        text("attname", each().map(|(_, _, field)| field.name().as_str())),
        oids("atttypid", each().map(|(_, _, field)| oid(field))),
        shorts("attlen", each().map(|(_, _, field)| size(oid_of(field)))),
        shorts("attnum", each().map(|(_, number, _)| *number)),
        ints("attcacheoff", same(-1, count)),
        ints(
            "atttypmod",
            each().map(|(_, _, field)| modifier(field.data_type())),
        ),
        shorts("attndims", same(0, count)),
        bools(
            "attbyval",
            each().map(|(_, _, field)| size(oid_of(field)) > 0),
        ),
        text("attalign", same("i", count)),
        text("attstorage", each().map(|(_, _, field)| storage(field))),
        text("attcompression", same("", count)),
        bools(
            "attnotnull",
            each().map(|(_, _, field)| !field.is_nullable()),
        ),
        bools("atthasdef", same(false, count)),
        bools("atthasmissing", same(false, count)),
        text("attidentity", same("", count)),
        text("attgenerated", same("", count)),
        bools("attisdropped", same(false, count)),
        bools("attislocal", same(true, count)),
        shorts("attinhcount", same(0, count)),
        shorts("attstattarget", same(-1, count)),
        oids("attcollation", each().map(|(_, _, field)| collated(field))),
        grants("attacl", count),
        grants("attoptions", count),
        grants("attfdwoptions", count),
        nulls("attmissingval", &DataType::Utf8, count),
    ]
}

fn tables(tables: &[TableInfo]) -> Vec<Column> {
    let tables: Vec<&TableInfo> = tables.iter().filter(|table| kind(table) == "r").collect();
    let count = tables.len();
    let each = || tables.iter();
    vec![
        text("schemaname", each().map(|table| table.schema.as_str())),
        text("tablename", each().map(|table| table.name.as_str())),
        text("tableowner", same(DATABASE, count)),
        nulls("tablespace", &DataType::Utf8, count),
        bools("hasindexes", same(false, count)),
        bools("hasrules", same(false, count)),
        bools("hastriggers", same(false, count)),
        bools("rowsecurity", same(false, count)),
    ]
}

fn views(tables: &[TableInfo]) -> Vec<Column> {
    let views: Vec<&TableInfo> = tables.iter().filter(|table| kind(table) == "v").collect();
    let count = views.len();
    let each = || views.iter();
    vec![
        text("schemaname", each().map(|view| view.schema.as_str())),
        text("viewname", each().map(|view| view.name.as_str())),
        text("viewowner", same(DATABASE, count)),
        nulls("definition", &DataType::Utf8, count),
    ]
}

/// The settings as they are before a client sets any.
fn settings() -> Vec<Column> {
    let known: Vec<(&str, &str)> = setting::known().collect();
    let count = known.len();
    let names = || known.iter().map(|(name, _)| *name);
    let values = || known.iter().map(|(_, value)| *value);
    vec![
        text("name", names()),
        text("setting", values()),
        nulls("unit", &DataType::Utf8, count),
        text("category", same("Client Connection Defaults", count)),
        text("short_desc", same("", count)),
        nulls("extra_desc", &DataType::Utf8, count),
        text("context", same("user", count)),
        text("vartype", same("string", count)),
        text("source", same("default", count)),
        nulls("min_val", &DataType::Utf8, count),
        nulls("max_val", &DataType::Utf8, count),
        grants("enumvals", count),
        text("boot_val", values()),
        text("reset_val", values()),
        nulls("sourcefile", &DataType::Utf8, count),
        nulls("sourceline", &DataType::Int32, count),
        bools("pending_restart", same(false, count)),
    ]
}

/// There are no indexes.
fn indexes() -> Vec<Column> {
    vec![
        oids("indexrelid", []),
        oids("indrelid", []),
        shorts("indnatts", []),
        shorts("indnkeyatts", []),
        bools("indisunique", []),
        bools("indnullsnotdistinct", []),
        bools("indisprimary", []),
        bools("indisexclusion", []),
        bools("indimmediate", []),
        bools("indisclustered", []),
        bools("indisvalid", []),
        bools("indcheckxmin", []),
        bools("indisready", []),
        bools("indislive", []),
        bools("indisreplident", []),
        numbers("indkey"),
        numbers("indcollation"),
        numbers("indclass"),
        numbers("indoption"),
        text("indexprs", []),
        text("indpred", []),
    ]
}

/// There are no constraints.
fn constraints() -> Vec<Column> {
    vec![
        oids("oid", []),
        text("conname", []),
        oids("connamespace", []),
        text("contype", []),
        bools("condeferrable", []),
        bools("condeferred", []),
        bools("convalidated", []),
        oids("conrelid", []),
        oids("contypid", []),
        oids("conindid", []),
        oids("conparentid", []),
        oids("confrelid", []),
        text("confupdtype", []),
        text("confdeltype", []),
        text("confmatchtype", []),
        bools("conislocal", []),
        shorts("coninhcount", []),
        bools("connoinherit", []),
        numbers("conkey"),
        numbers("confkey"),
        numbers("conpfeqop"),
        numbers("conppeqop"),
        numbers("conffeqop"),
        numbers("confdelsetcols"),
        numbers("conexclop"),
        text("conbin", []),
    ]
}

/// There are no comments.
fn descriptions() -> Vec<Column> {
    vec![
        oids("objoid", []),
        oids("classoid", []),
        ints("objsubid", []),
        text("description", []),
    ]
}

/// There are no defaults.
fn defaults() -> Vec<Column> {
    vec![
        oids("oid", []),
        oids("adrelid", []),
        shorts("adnum", []),
        text("adbin", []),
    ]
}
