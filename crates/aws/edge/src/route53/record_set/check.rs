//! The values that Route 53 refuses in a record of a type.
//!
//! <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html>

use std::net::{Ipv4Addr, Ipv6Addr};

use holdfast_core::schema::ValidationError;
use holdfast_core::value::Value;

use super::spec::RecordSet;

/// Returns an error for each value that the type of the record set does not allow.
pub(super) fn check(spec: &Value) -> Vec<ValidationError> {
    let (Some(of), Some(Value::List(records))) =
        (spec.get(RecordSet::TYPE.name()).and_then(Value::text), spec.get(RecordSet::RECORDS.name()))
    else {
        return vec![];
    };
    let Some((is_valid, form)) = form(of) else { return vec![] };
    let wrong = records.iter().filter_map(Value::text).filter(|record| !is_valid(record.trim()));
    wrong
        .map(|record| {
            (RecordSet::RECORDS.name(), format!("a record of the type {of} is {form}, but this is `{record}`"))
        })
        .collect()
}

/// The test of a value, and its form in words.
type Form = (fn(&str) -> bool, &'static str);

/// Returns the form of the values of a type; none for a type whose values are not checked.
fn form(of: &str) -> Option<Form> {
    Some(match of {
        "A" => (|text| text.parse::<Ipv4Addr>().is_ok(), "an IPv4 address"),
        "AAAA" => (|text| text.parse::<Ipv6Addr>().is_ok(), "an IPv6 address"),
        "CNAME" | "NS" | "PTR" => (is_name, "a domain name"),
        "MX" => (
            |text| matches!(parts(text)[..], [preference, name] if is_number(preference) && is_name(name)),
            "a preference and a domain name, such as `10 mail.example.com`",
        ),
        "SRV" => (
            |text| matches!(parts(text)[..], [a, b, c, name] if [a, b, c].into_iter().all(is_number) && is_name(name)),
            "a priority, a weight, a port and a domain name, such as `1 10 5269 xmpp.example.com`",
        ),
        "CAA" => (
            |text| matches!(parts(text)[..], [flags, _, value, ..] if is_number(flags) && value.starts_with('"')),
            "flags, a tag and a quoted value, such as `0 issue \"amazon.com\"`",
        ),
        _ => return None,
    })
}

fn parts(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn is_number(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace) && text.parse::<Ipv4Addr>().is_err()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_type_of_a_record_decides_its_values() {
        let errors = |of: &str, record: &str| check(&json!({ "type": of, "records": [record] }).into()).len();
        for (of, valid, wrong) in [
            ("A", "192.0.2.1", "www.example.org"),
            ("AAAA", "2001:db8::1", "192.0.2.1"),
            ("CNAME", "www.example.org", "192.0.2.1"),
            ("MX", "10 mail.example.com", "mail.example.com"),
            ("SRV", "1 10 5269 xmpp.example.com", "10 5269 xmpp.example.com"),
            ("CAA", "0 issue \"amazon.com\"", "issue amazon.com"),
        ] {
            assert_eq!((errors(of, valid), errors(of, wrong)), (0, 1), "{of}");
        }
        assert_eq!(errors("TXT", "any text"), 0);
    }
}
