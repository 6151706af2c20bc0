//! `geoip(ip [, database] [, lang])` says where an address is and whose network it is in. NULL
//! stays NULL; what is no address, or not known, has NULL fields. Cost: one look into each database
//! for each distinct address of a batch, one decoding for each distinct record.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int64Builder, StringBuilder, StructArray};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{HashMap, exec_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion_macros::user_doc;

use crate::args;
use crate::enrich::address::Address;
use crate::enrich::database::{Database, Found, LANGUAGE, Place, TEXTS};
use crate::enrich::rows;
use crate::enrich::snapshot::{Enrichment, Names, from_arrow};

/// The arguments by name, in order.
const PARAMETERS: [&str; 3] = ["ip", "database", "lang"];
/// Where the numbers stand among the fields, which are otherwise those of [`TEXTS`] in order.
const NUMBERS: [(&str, DataType); 4] = [
    ("latitude", DataType::Float64),
    ("longitude", DataType::Float64),
    ("accuracy_km", DataType::Int64),
    ("asn", DataType::Int64),
];

/// The function `geoip`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(GeoIp::new(None))
}

#[user_doc(
    doc_section(label = "Enrichment"),
    description = "Says where an IP address is and whose network it is in, from the MaxMind DB \
files that the configuration names. With several, such as one of cities and one of autonomous \
systems, each gives what it knows. Gives a struct of `country_iso`, `country`, `continent`, \
`region_iso`, `region`, `city`, `postal`, `time_zone`, `org` and `network` (VARCHAR), `latitude` \
and `longitude` (DOUBLE), `accuracy_km` and `asn` (BIGINT); what is not known is NULL.",
    syntax_example = "geoip(ip [, database] [, lang])",
    sql_example = r#"```sql
> SELECT ip, place['country_iso'] AS country, place['city'] AS city, place['asn'] AS asn
  FROM (SELECT ip, geoip(ip) AS place
        FROM (VALUES ('203.0.113.7'), ('10.0.0.1'), ('no address')) AS hosts(ip));
+-------------+---------+-----------+-------+
| ip          | country | city      | asn   |
+-------------+---------+-----------+-------+
| 203.0.113.7 | SE      | Linköping | 64500 |
| 10.0.0.1    |         |           |       |
| no address  |         |           |       |
+-------------+---------+-----------+-------+
> SELECT geoip('203.0.113.7', NULL, 'de')['country'] AS country;
+----------+
| country  |
+----------+
| Schweden |
+----------+
```"#,
    argument(name = "ip", description = "IPv4 or IPv6 address: VARCHAR."),
    argument(
        name = "database",
        description = "The name of one configured database, as a literal; all of them by default."
    ),
    argument(
        name = "lang",
        description = "Language of the names, as a literal: `de`, `en` (the default), `es`, `fr`, \
`ja`, `pt-BR`, `ru`, `zh-CN`. A name that is not there in it is in English."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct GeoIp {
    signature: Signature,
    names: Option<Arc<Names>>,
}

impl GeoIp {
    fn new(names: Option<Arc<Names>>) -> Self {
        let mut signature = Signature::user_defined(Volatility::Stable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature, names }
    }

    fn check(&self, database: Option<&str>, language: Option<&str>) -> Result<()> {
        let none = Names::default();
        let names = self.names.as_deref().unwrap_or(&none);
        if let Some(name) = database
            && !names.databases.contains(name)
        {
            let known: Vec<&str> = names.databases.iter().map(String::as_str).collect();
            return match known.is_empty() {
                true => plan_err!(
                    "geoip has no database \"{name}\": none is configured; name one under \
                     [enrichment.databases]"
                ),
                false => plan_err!(
                    "geoip has no database \"{name}\"; valid are {}",
                    known.join(", ")
                ),
            };
        }
        if let Some(language) = language
            && !names.languages.is_empty()
            && !names.languages.contains(language)
        {
            let known: Vec<&str> = names.languages.iter().map(String::as_str).collect();
            let known = known.join(", ");
            return plan_err!("geoip does not know the language \"{language}\"; valid are {known}");
        }
        Ok(())
    }
}

impl ScalarUDFImpl for GeoIp {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "geoip"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let names = Enrichment::of(config).map(Enrichment::names);
        (names != self.names).then(|| ScalarUDF::from(Self::new(names)))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let Some((ip, options)) = given.split_first() else {
            return plan_err!("geoip needs an address: geoip(ip [, database] [, lang])");
        };
        if options.len() >= PARAMETERS.len() {
            return plan_err!("geoip takes at most three arguments: ip, database and lang");
        }
        let mut types = vec![args::text_type(self.name(), ip)?];
        for (option, name) in options.iter().zip(&PARAMETERS[1..]) {
            // A cast of NULL would no longer be a literal.
            types.push(match option {
                DataType::Null => DataType::Null,
                other => args::option_type(self.name(), name, other)?,
            });
        }
        Ok(types)
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        // Nothing but a literal will do, also where it would become one: who may name which file
        // is decided on the text of a statement.
        let known = |at: usize, option| match given.scalar_arguments.get(at) {
            None => Ok(None),
            Some(Some(value)) => rows::literal(self.name(), option, value),
            Some(None) => plan_err!("\"{option}\" of geoip is a literal"),
        };
        self.check(known(1, "database")?, known(2, "lang")?)?;
        let nullable = given
            .arg_fields
            .first()
            .is_none_or(|field| field.is_nullable());
        Ok(Field::new(self.name(), DataType::Struct(fields()), nullable).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(ips) = given.args.first() else {
            return exec_err!("geoip needs an address");
        };
        let database = rows::literal_at(self.name(), "database", &given.args, 1)?;
        let language = rows::literal_at(self.name(), "lang", &given.args, 2)?;
        let enrichment = Enrichment::of(&given.config_options);
        let databases = enrichment.map(|enrichment| enrichment.databases(database));
        let databases = databases.unwrap_or_default();
        rows::answer(ips, |ips| {
            let mut places = Places::new(&databases, language.unwrap_or(LANGUAGE));
            let found = rows::number(ips, &mut |text| Some(places.find(text)))?;
            take(&places.finish()?, &found, None).map_err(from_arrow)
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn fields() -> Fields {
    let texts = TEXTS
        .iter()
        .map(|(name, _)| Field::new(*name, DataType::Utf8, true));
    let numbers = NUMBERS.map(|(name, kind)| Field::new(name, kind, true));
    let network = Field::new("network", DataType::Utf8, true);
    texts.chain(numbers).chain([network]).collect()
}

/// The places of one batch, each built once.
struct Places<'a> {
    databases: &'a [&'a Database],
    language: &'a str,
    /// The row of each address; the first row is the unknown place.
    addresses: HashMap<Address, u32>,
    /// What each database's records say.
    records: Vec<HashMap<usize, Place<'a>>>,
    texts: Vec<StringBuilder>,
    coordinates: [Float64Builder; 2],
    counts: [Int64Builder; 2],
    networks: StringBuilder,
    rows: u32,
}

impl<'a> Places<'a> {
    fn new(databases: &'a [&'a Database], language: &'a str) -> Self {
        let mut places = Self {
            databases,
            language,
            addresses: HashMap::new(),
            records: databases.iter().map(|_| HashMap::new()).collect(),
            texts: TEXTS.iter().map(|_| StringBuilder::new()).collect(),
            coordinates: Default::default(),
            counts: Default::default(),
            networks: StringBuilder::new(),
            rows: 0,
        };
        places.push(Place::default(), None);
        places
    }

    /// The row of the place of the address `text`.
    fn find(&mut self, text: &str) -> u32 {
        let Some(address) = Address::parse(text) else {
            return 0;
        };
        if let Some(row) = self.addresses.get(&address) {
            return *row;
        }
        let row = self.look_up(address.into());
        self.addresses.insert(address, row);
        row
    }

    fn look_up(&mut self, address: IpAddr) -> u32 {
        let mut known: Option<(Place<'a>, Found<'a>)> = None;
        for (database, records) in self.databases.iter().zip(&mut self.records) {
            let Some(found) = database.find(address) else {
                continue;
            };
            let place = match found.record() {
                Some(record) => *records
                    .entry(record)
                    .or_insert_with(|| found.decode(self.language)),
                None => continue,
            };
            known = Some(match known {
                Some((before, first)) => (before.or(place), first),
                None => (place, found),
            });
        }
        match known {
            Some((place, found)) => self.push(place, found.network()),
            None => 0,
        }
    }

    fn push(&mut self, place: Place<'a>, network: Option<String>) -> u32 {
        for (column, text) in self.texts.iter_mut().zip(place.texts) {
            column.append_option(text);
        }
        let coordinates = [place.latitude, place.longitude];
        for (column, number) in self.coordinates.iter_mut().zip(coordinates) {
            column.append_option(number);
        }
        for (column, count) in self.counts.iter_mut().zip([place.accuracy_km, place.asn]) {
            column.append_option(count);
        }
        self.networks.append_option(network);
        self.rows += 1;
        self.rows - 1
    }

    fn finish(mut self) -> Result<StructArray> {
        let mut columns: Vec<ArrayRef> = Vec::new();
        for column in &mut self.texts {
            columns.push(Arc::new(column.finish()));
        }
        for column in &mut self.coordinates {
            columns.push(Arc::new(column.finish()));
        }
        for column in &mut self.counts {
            columns.push(Arc::new(column.finish()));
        }
        columns.push(Arc::new(self.networks.finish()));
        StructArray::try_new(fields(), columns, None).map_err(from_arrow)
    }
}
