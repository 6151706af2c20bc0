//! Values of parameters, from text or PostgreSQL's binary form.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, TimeUnit};
use bytes::{Buf, Bytes};
use datafusion::common::ScalarValue;

use super::fault::{Refusal, Result};
use super::frame::Fields;
use super::moment::{EPOCH_DAYS, EPOCH_MICROS};
use super::number;
use super::types::{self, arrow, element_of};
use crate::schema::cast;

/// Items of one array; more come as a table's rows, not as a parameter.
const ITEMS_MAX: u32 = 1 << 20;

/// The value of a parameter that the client calls `oid`, as a value of `kind`.
///
/// # Errors
/// When the bytes are none of the type, or do not fit `kind`.
pub(super) fn read(
    oid: u32,
    kind: &DataType,
    value: Option<&Bytes>,
    format: u16,
) -> Result<ScalarValue, Refusal> {
    let Some(bytes) = value else {
        return ScalarValue::try_from(kind).map_err(|error| unfit(&error.to_string()));
    };
    match format {
        0 => text(oid, kind, bytes),
        1 => fit(binary(oid, bytes)?, kind),
        other => Err(Refusal::protocol(format!("there is no format {other}"))),
    }
}

fn unfit(why: &str) -> Refusal {
    Refusal::new(
        "22P02",
        format!("the value of a parameter does not fit: {why}"),
    )
}

/// `value` as `kind`.
fn fit(value: ScalarValue, kind: &DataType) -> Result<ScalarValue, Refusal> {
    if value.data_type() == *kind {
        return Ok(value);
    }
    let array = value
        .to_array()
        .map_err(|error| unfit(&error.to_string()))?;
    of(&array, kind)
}

fn of(array: &ArrayRef, kind: &DataType) -> Result<ScalarValue, Refusal> {
    let array = cast(array, kind).map_err(|error| unfit(&error.to_string()))?;
    ScalarValue::try_from_array(&array, 0).map_err(|error| unfit(&error.to_string()))
}

fn utf8(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes)
        .map_err(|_| Refusal::new("22021", "invalid byte sequence for encoding \"UTF8\""))
}

fn text(oid: u32, kind: &DataType, bytes: &[u8]) -> Result<ScalarValue, Refusal> {
    let text = utf8(bytes)?;
    match kind {
        DataType::Boolean => return Ok(ScalarValue::Boolean(Some(truth(text)?))),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            return fit(ScalarValue::Binary(Some(hex(text)?)), kind);
        }
        DataType::List(item) => {
            let element = element_of(oid).unwrap_or_else(|| types::oid(item.data_type()));
            let items = items(text)?.into_iter().map(|item| match item {
                None => read(element, item_kind(kind), None, 0),
                Some(text) => read(element, item_kind(kind), Some(&Bytes::from(text)), 0),
            });
            return list(&items.collect::<Result<Vec<_>, _>>()?, item);
        }
        _ => {}
    }
    let trimmed = match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => text,
        // Drivers write a day with its zone.
        DataType::Date32 => text.split_whitespace().next().unwrap_or_default(),
        _ => text.trim(),
    };
    let array: ArrayRef = Arc::new(StringArray::from(vec![trimmed]));
    let refused = |why: &str| {
        let what = types::oid(kind);
        let name = name(what);
        let code = match what {
            types::DATE | types::TIME | types::TIMESTAMP | types::TIMESTAMPTZ => "22007",
            _ => "22P02",
        };
        let text = format!("invalid input for a parameter of type {name}: \"{text}\"");
        Refusal::new(code, text).hint(why.to_owned())
    };
    let array = cast(&array, kind).map_err(|error| refused(&error.to_string()))?;
    ScalarValue::try_from_array(&array, 0).map_err(|error| refused(&error.to_string()))
}

fn item_kind(list: &DataType) -> &DataType {
    match list {
        DataType::List(item) => item.data_type(),
        other => other,
    }
}

/// The name of a type, for messages.
pub(super) fn name(oid: u32) -> &'static str {
    match oid {
        types::BOOL => "boolean",
        types::BYTEA => "bytea",
        types::INT2 => "smallint",
        types::INT4 => "integer",
        types::INT8 => "bigint",
        types::FLOAT4 => "real",
        types::FLOAT8 => "double precision",
        types::NUMERIC => "numeric",
        types::DATE => "date",
        types::TIME => "time without time zone",
        types::TIMESTAMP => "timestamp without time zone",
        types::TIMESTAMPTZ => "timestamp with time zone",
        types::INTERVAL => "interval",
        types::JSON => "json",
        _ => "text",
    }
}

fn truth(text: &str) -> Result<bool, Refusal> {
    match text.trim().to_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "on" | "1" => Ok(true),
        "f" | "false" | "n" | "no" | "off" | "0" => Ok(false),
        _ => Err(Refusal::new(
            "22P02",
            format!("invalid input for a parameter of type boolean: \"{text}\""),
        )),
    }
}

/// Bytes as `\x..`, or as text with escaped bytes in octal.
fn hex(text: &str) -> Result<Vec<u8>, Refusal> {
    let refused = || unfit("neither hexadecimal digits behind \\x nor escaped bytes");
    if let Some(digits) = text.strip_prefix("\\x") {
        let pairs = digits.as_bytes().chunks(2);
        return pairs
            .map(|pair| match utf8(pair) {
                Ok(pair) if pair.len() == 2 => u8::from_str_radix(pair, 16).map_err(|_| refused()),
                _ => Err(refused()),
            })
            .collect();
    }
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'\\', [b'\\', after @ ..]) => {
                bytes.push(b'\\');
                rest = after;
            }
            (b'\\', [a, b, c, after @ ..]) => {
                let octal = [*a, *b, *c];
                let byte = u8::from_str_radix(utf8(&octal)?, 8).map_err(|_| refused())?;
                bytes.push(byte);
                rest = after;
            }
            (b'\\', _) => return Err(refused()),
            (byte, _) => bytes.push(*byte),
        }
    }
    Ok(bytes)
}

/// The items of an array as text, such as `{1,NULL,"a b"}`.
fn items(text: &str) -> Result<Vec<Option<String>>, Refusal> {
    let refused = || unfit("an array is written as {1,2,NULL,\"text\"}, in one dimension");
    let inner = text
        .trim()
        .strip_prefix('{')
        .and_then(|t| t.strip_suffix('}'));
    let inner = inner.ok_or_else(refused)?;
    let (mut items, mut chars) = (Vec::new(), inner.chars().peekable());
    if inner.trim().is_empty() {
        return Ok(items);
    }
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let (mut item, mut quoted) = (String::new(), false);
        if chars.next_if_eq(&'"').is_some() {
            quoted = true;
            loop {
                match chars.next().ok_or_else(refused)? {
                    '"' => break,
                    '\\' => item.push(chars.next().ok_or_else(refused)?),
                    other => item.push(other),
                }
            }
        }
        while let Some(next) = chars.next_if(|c| *c != ',') {
            match next {
                '{' | '}' | '"' => return Err(refused()),
                next if quoted && !next.is_whitespace() => return Err(refused()),
                '\\' => item.push(chars.next().ok_or_else(refused)?),
                next if !quoted => item.push(next),
                _ => {}
            }
        }
        let item = if quoted {
            item
        } else {
            item.trim_end().to_owned()
        };
        items.push((quoted || !item.eq_ignore_ascii_case("null")).then_some(item));
        if chars.next().is_none() {
            return Ok(items);
        }
    }
}

fn list(items: &[ScalarValue], item: &Field) -> Result<ScalarValue, Refusal> {
    let list = ScalarValue::new_list_nullable(items, item.data_type());
    let kind = DataType::List(Arc::new(item.clone()));
    fit(ScalarValue::List(list), &kind)
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Refusal> {
    let refused = || {
        let text = format!("a binary value has {} bytes instead of {N}", bytes.len());
        Refusal::new("22P03", text)
    };
    bytes.try_into().map_err(|_| refused())
}

fn binary(oid: u32, bytes: &Bytes) -> Result<ScalarValue, Refusal> {
    if element_of(oid).is_some() {
        return binary_list(oid, bytes);
    }
    Ok(match oid {
        types::BOOL => ScalarValue::Boolean(Some(exactly::<1>(bytes)? != [0])),
        types::INT2 => ScalarValue::Int16(Some(i16::from_be_bytes(exactly(bytes)?))),
        types::INT4 => ScalarValue::Int32(Some(i32::from_be_bytes(exactly(bytes)?))),
        types::INT8 => ScalarValue::Int64(Some(i64::from_be_bytes(exactly(bytes)?))),
        types::OID => ScalarValue::Int64(Some(u32::from_be_bytes(exactly(bytes)?).into())),
        types::FLOAT4 => ScalarValue::Float32(Some(f32::from_be_bytes(exactly(bytes)?))),
        types::FLOAT8 => ScalarValue::Float64(Some(f64::from_be_bytes(exactly(bytes)?))),
        types::NUMERIC => {
            let text = number::decimal_text(&mut Fields(bytes.clone()))?;
            decimal(&text)?
        }
        types::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        types::DATE => {
            let days = i32::from_be_bytes(exactly(bytes)?);
            ScalarValue::Date32(Some(days.saturating_add(EPOCH_DAYS)))
        }
        types::TIME => ScalarValue::Time64Microsecond(Some(i64::from_be_bytes(exactly(bytes)?))),
        types::TIMESTAMP | types::TIMESTAMPTZ => {
            let micros = i64::from_be_bytes(exactly(bytes)?).saturating_add(EPOCH_MICROS);
            let zone = (oid == types::TIMESTAMPTZ).then(|| "UTC".into());
            ScalarValue::TimestampMicrosecond(Some(micros), zone)
        }
        types::INTERVAL => {
            let mut all = Bytes::copy_from_slice(&exactly::<16>(bytes)?);
            let (micros, days, months) = (all.get_i64(), all.get_i32(), all.get_i32());
            let nanos = micros.saturating_mul(1000);
            let value = IntervalMonthDayNano::new(months, days, nanos);
            ScalarValue::IntervalMonthDayNano(Some(value))
        }
        types::UUID => {
            let id = uuid::Uuid::from_bytes(exactly(bytes)?);
            ScalarValue::Utf8(Some(id.to_string()))
        }
        types::JSONB => match bytes.split_first() {
            Some((1, text)) => ScalarValue::Utf8(Some(utf8(text)?.to_owned())),
            _ => return Err(unfit("jsonb of an unknown version")),
        },
        _ => ScalarValue::Utf8(Some(utf8(bytes)?.to_owned())),
    })
}

/// A decimal with as many digits after the point as it is written with.
fn decimal(text: &str) -> Result<ScalarValue, Refusal> {
    let scale = text.split_once('.').map_or(0, |(_, rest)| rest.len());
    let digits = text.trim_start_matches(['-', '0', '.']).len();
    let scale = i8::try_from(scale).map_err(|_| unfit("too many digits"))?;
    let kind = match digits.max(scale.unsigned_abs().into()) <= 38 {
        true => DataType::Decimal128(38, scale),
        false => DataType::Decimal256(76, scale),
    };
    let array: ArrayRef = Arc::new(StringArray::from(vec![text]));
    of(&array, &kind)
}

fn binary_list(oid: u32, bytes: &Bytes) -> Result<ScalarValue, Refusal> {
    let mut fields = Fields(bytes.clone());
    let (dimensions, _nulls, element) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let kind = element_of(oid).and_then(arrow).unwrap_or(DataType::Utf8);
    let mut values = Vec::new();
    if dimensions > 1 {
        return Err(Refusal::unsupported(
            "arrays of parameters have one dimension",
        ));
    }
    if dimensions == 1 {
        let (count, _first) = (fields.u32()?, fields.u32()?);
        if count > ITEMS_MAX {
            return Err(unfit("the array has too many items"));
        }
        for _ in 0..count {
            let value = match fields.u32()? {
                u32::MAX => None,
                length => Some(fields.bytes(usize::try_from(length).unwrap_or(usize::MAX))?),
            };
            values.push(read(element, &kind, value.as_ref(), 1)?);
        }
    }
    list(&values, &Field::new("item", kind, true))
}

/// The type that stands for an open parameter whose values come as microseconds or text.
pub(super) fn declared(field: &Field) -> DataType {
    match field.data_type() {
        DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        DataType::Null => DataType::Utf8,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(oid: u32, text: &str) -> String {
        let kind = arrow(oid).unwrap();
        match read(
            oid,
            &kind,
            Some(&Bytes::copy_from_slice(text.as_bytes())),
            0,
        ) {
            Ok(value) => value.to_string(),
            Err(refusal) => refusal.code.to_owned(),
        }
    }

    #[test]
    fn text_is_read_as_its_type() {
        for (oid, text, want) in [
            (types::BOOL, "t", "true"),
            (types::BOOL, "off", "false"),
            (types::BOOL, "perhaps", "22P02"),
            (types::INT4, " 42 ", "42"),
            (types::INT4, "4x", "22P02"),
            (types::TEXT, " 42 ", " 42 "),
            (types::BYTEA, "\\x6162", "6162"),
            (types::BYTEA, "a\\142", "6162"),
            (types::BYTEA, "\\x6", "22P02"),
            (types::DATE, "yesterday or so", "22007"),
            (1007, "{1,NULL, 3}", "[1, , 3]"),
            (1009, "{\"a,b\",c}", "[a,b, c]"),
            (1007, "{{1},{2}}", "22P02"),
        ] {
            assert_eq!(shown(oid, text), want, "{text}");
        }
    }

    #[test]
    fn short_binary_values_are_refused() {
        for oid in [
            types::INT4,
            types::INTERVAL,
            types::NUMERIC,
            types::UUID,
            1007,
        ] {
            let kind = arrow(oid).unwrap();
            let bytes = Bytes::from_static(&[0, 1, 0]);
            assert!(read(oid, &kind, Some(&bytes), 1).is_err(), "{oid}");
        }
    }

    #[test]
    fn decimals_keep_their_digits() {
        assert_eq!(
            decimal("12345.678").unwrap().data_type(),
            DataType::Decimal128(38, 3)
        );
        assert!(decimal(&"9".repeat(60)).is_ok());
        assert!(decimal(&"9".repeat(99)).is_err());
    }
}
