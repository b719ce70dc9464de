//! Canonical spellings: domain names without a trailing dot, and TXT values without quotation marks.

use holdfast_core::schema::{Type, Typed};
use holdfast_core::value::Value;
use serde::{Deserialize, Serialize};

/// A domain name. Case and a trailing dot do not matter, and an asterisk may be written as itself
/// (<https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct DnsName(pub(crate) String);

impl DnsName {
    /// Returns the canonical spelling of the name: in lower case, without a trailing dot, and without the octal escapes
    /// of printable characters (`\052` is `*`).
    pub(crate) fn plain(&self) -> String {
        plain(&self.0)
    }

    /// True when the name equals this domain or is a subdomain of it.
    pub(crate) fn is_in(&self, domain: &str) -> bool {
        let (name, domain) = (self.plain(), plain(domain));
        name == domain || name.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'))
    }
}

impl Typed for DnsName {
    const TYPE: Type = Type::Canonical { name: "domain name", canonical: dns_name };
}

fn dns_name(value: &Value) -> Result<Value, String> {
    let text = value.text().ok_or("a domain name is a string")?;
    match text.is_empty() || text.contains(char::is_whitespace) {
        true => Err(format!("`{text}` is not a domain name; write one such as `www.example.com`")),
        false => Ok(Value::Text(plain(text))),
    }
}

/// Returns the canonical spelling of a domain name.
pub(crate) fn plain(name: &str) -> String {
    let mut plain = String::new();
    let mut rest = name.trim_end_matches('.');
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii_graphic) {
            Some(code) => {
                plain.push(char::from(code));
                rest = &rest[at + 4..];
            }
            None => {
                plain.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    plain.to_ascii_lowercase()
}

/// The value of a record. The text of a TXT record may be written as it is, or in quotation marks and with the escapes
/// of Route 53 (<https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#TXTFormat>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct RecordValue(pub(crate) String);

impl RecordValue {
    /// Returns the value as Route 53 expects it: texts in quotation marks, in strings of at most 255 bytes, with a
    /// backslash before quotation marks and backslashes, and the octal codes of bytes that are not printable ASCII.
    pub(crate) fn wire(&self, record_type: &str) -> String {
        if !matches!(record_type, "TXT" | "SPF") || self.0.starts_with('"') {
            return self.0.clone();
        }
        let escaped = |byte: &u8| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(*byte)),
            b' '..=b'~' => char::from(*byte).to_string(),
            byte => format!("\\{byte:03o}"),
        };
        let quoted = |part: &[u8]| format!("\"{}\"", part.iter().map(escaped).collect::<String>());
        match self.0.is_empty() {
            true => "\"\"".to_owned(),
            false => self.0.as_bytes().chunks(255).map(quoted).collect::<Vec<_>>().join(" "),
        }
    }
}

impl Typed for RecordValue {
    const TYPE: Type = Type::Canonical { name: "record value", canonical: record_value };
}

fn record_value(value: &Value) -> Result<Value, String> {
    let text = value.text().ok_or("the value of a record is a string")?;
    Ok(Value::Text(unquoted(text)))
}

/// Returns the strings of a text without their quotation marks and escapes, one after the other. Another value is
/// returned unchanged.
pub(crate) fn unquoted(text: &str) -> String {
    if !text.starts_with('"') {
        return text.to_owned();
    }
    let (mut out, mut inside, mut rest) = (vec![], false, text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => inside = !inside,
            b'\\' if inside => {
                let octal = rest.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
                let code = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
                let length = if code.is_some() { 3 } else { 1 };
                out.extend(code.or_else(|| rest.first().copied()));
                rest = rest.get(length..).unwrap_or_default();
            }
            byte if inside => out.push(*byte),
            _ => {}
        }
    }
    // Bytes that are not UTF-8 cannot stand in a document: such a text keeps its escapes.
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_name_has_one_canonical_spelling() {
        assert_eq!(plain("\\052.Example.COM."), "*.example.com");
        assert_eq!(plain("a\\040b.example.com"), "a\\040b.example.com");
        assert!(DnsName("_x.www.example.com.".into()).is_in("example.com"));
        assert!(!DnsName("www.badexample.com".into()).is_in("example.com"));
    }

    #[test]
    fn a_text_equals_itself_with_quotation_marks() {
        let long = "k=".to_owned() + &"a".repeat(300);
        let wire = RecordValue(long.clone()).wire("TXT");
        assert_eq!(wire.matches('"').count(), 4);
        assert_eq!(unquoted(&wire), long);
        assert_eq!(unquoted(&RecordValue("say \"hi\"".into()).wire("TXT")), "say \"hi\"");
        assert_eq!(RecordValue("192.0.2.1".into()).wire("A"), "192.0.2.1");
    }

    #[test]
    fn a_text_with_special_characters_survives_the_round_trip() {
        for text in [r#"a\"b"#, r"a\b", r"a\134b", "Grüße", "tab\there", "", "\\"] {
            let wire = RecordValue(text.into()).wire("TXT");
            assert!(wire.is_ascii() && !wire.contains('\t'), "{wire}");
            assert_eq!(unquoted(&wire), text);
        }
        assert_eq!(RecordValue("a\"b\\".into()).wire("TXT"), r#""a\"b\\""#);
        assert_eq!(unquoted(r#""\303\274" "x""#), "üx");
    }
}
