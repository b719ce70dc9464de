//! How values are compared where the type alone does not decide: spellings, identities, and fields without effect.

use std::fmt;

use super::Literal;

/// How a field is compared, in addition to its type.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// The spelling that makes no difference. For a set, a list or a map, that of each element.
    pub spelling: Option<Spelling>,
    /// The condition under which the field has an effect. Without effect the field is not compared.
    pub when: Option<When>,
    /// The field of the same record that lets AWS raise this version by itself, unless it is false.
    pub upgraded_by: Option<&'static str>,
    /// The field of the same record whose value this set always contains, stated or not.
    pub implied: Option<&'static str>,
}

impl Comparison {
    /// The comparison by the type alone.
    pub const BY_TYPE: Comparison = Comparison { spelling: None, when: None, upgraded_by: None, implied: None };
}

/// The condition under which a field has an effect: another field of the same record has one of these values. Without
/// values: it has a value other than `false`, `0` and the empty string.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// The other field.
    pub field: &'static str,
    /// Its values.
    pub values: &'static [Literal],
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(|value| format!("`{value}`")).collect();
        match values.is_empty() {
            true => write!(f, "`{}` is on", self.field),
            false => write!(f, "`{}` is {}", self.field, values.join(" or ")),
        }
    }
}

/// How the elements of a list or set of records are matched with the live elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Not declared. A record that is an element of a list or set declares its identity; a test checks this.
    Undeclared,
    /// By these fields, which no two elements share.
    Key {
        /// The fields.
        fields: &'static [&'static str],
        /// True when the order of the elements has a meaning for AWS.
        ordered: bool,
    },
    /// By position in a list, and as a whole in a set: the record has no identity, for this reason.
    None(&'static str),
}

/// A spelling that makes no difference to AWS, which rewrites it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// Upper or lower case.
    AnyCase,
    /// A domain name: case, and a trailing dot.
    DomainName,
    /// The id, the ARN or the alias of one KMS key.
    Key,
    /// The CPU units of a task, or vCPUs: `256` and `.25 vCPU`
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>).
    CpuUnits,
    /// The memory of a task in MiB, or in GB: `512` and `0.5GB`
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>).
    Mebibytes,
    /// A number as text: `1.0` and `1`.
    Decimal,
    /// A URL: case of the scheme and host, and a trailing slash.
    Url,
}

impl Spelling {
    /// Returns the form that all equivalent spellings share.
    pub fn canonical(self, text: &str) -> String {
        match self {
            Spelling::AnyCase => text.to_lowercase(),
            Spelling::DomainName => text.trim_end_matches('.').to_lowercase(),
            Spelling::Key => text.rsplit_once(":key/").map_or(text, |(_, id)| id).to_owned(),
            Spelling::CpuUnits => scaled(text, "vcpu"),
            Spelling::Mebibytes => scaled(text, "gb"),
            Spelling::Decimal => match text.trim().parse::<f64>() {
                Ok(number) => number.to_string(),
                Err(_) => text.to_owned(),
            },
            Spelling::Url => match text.split_once("://") {
                Some((scheme, rest)) => {
                    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                    let (host, path) = rest.split_at(end);
                    format!("{}://{}{}", scheme.to_lowercase(), host.to_lowercase(), path.trim_end_matches('/'))
                }
                None => text.to_owned(),
            },
        }
    }

    /// True when the two texts mean the same, as far as the texts can show it: the alias of a key may stand for any
    /// key.
    pub fn is_same(self, desired: &str, live: &str) -> bool {
        let is_alias = |text: &str| text.starts_with("alias/") || text.contains(":alias/");
        let alias =
            |text: &str| text.rsplit_once(":alias/").map_or(text.to_owned(), |(_, name)| format!("alias/{name}"));
        match (self, is_alias(desired), is_alias(live)) {
            (Spelling::Key, true, true) => alias(desired) == alias(live),
            (Spelling::Key, true, false) => !live.is_empty(),
            _ => self.canonical(desired) == self.canonical(live),
        }
    }
}

/// The spellings in words, for the manual.
impl fmt::Display for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Spelling::AnyCase => "upper and lower case are equal",
            Spelling::DomainName => "case and a trailing dot make no difference",
            Spelling::Key => "a key's id and ARN are equal, and its alias is not compared with them",
            Spelling::CpuUnits => "`256` and `.25 vCPU` are equal",
            Spelling::Mebibytes => "`512` and `0.5GB` are equal",
            Spelling::Decimal => "`1` and `1.0` are equal",
            Spelling::Url => "the case of the host and a trailing slash make no difference",
        })
    }
}

/// Returns a quantity as a number in the smaller unit; 1024 of it make the larger unit.
fn scaled(text: &str, unit: &str) -> String {
    let lower = text.trim().to_lowercase();
    let (number, factor) = match lower.strip_suffix(unit) {
        Some(number) => (number.trim(), 1024.0),
        None => (lower.as_str(), 1.0),
    };
    number.parse::<f64>().map_or_else(|_| text.to_owned(), |number| (number * factor).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_has_one_canonical_form() {
        let rows: [(Spelling, &[&str], &str); 7] = [
            (Spelling::AnyCase, &["shop", "SHOP", "Shop"], "shop2"),
            (Spelling::DomainName, &["www.example.com", "WWW.Example.com.", "www.example.com."], "example.com"),
            (Spelling::Key, &["1234-abcd", "arn:aws:kms:us-east-1:123456789012:key/1234-abcd"], "1234-abce"),
            (Spelling::CpuUnits, &["256", ".25 vCPU", "0.25vcpu", "0.25 VCPU", " 256 "], "512"),
            (Spelling::Mebibytes, &["512", "0.5GB", "0.5 GB", ".5 gb"], "0.6GB"),
            (Spelling::Decimal, &["1", "1.0", "1.00"], "1.01"),
            (Spelling::Url, &["https://a.example.com/x", "HTTPS://A.example.com/x/"], "https://a.example.com/X"),
        ];
        for (spelling, equal, other) in rows {
            for (a, b) in equal.iter().flat_map(|a| equal.iter().map(move |b| (a, b))) {
                assert!(spelling.is_same(a, b), "{spelling:?}: {a} and {b}");
            }
            assert!(!spelling.is_same(equal[0], other) && !spelling.is_same(other, equal[0]), "{spelling:?}: {other}");
        }
    }

    #[test]
    fn an_alias_may_stand_for_any_key_and_for_no_other_alias() {
        let (key, alias) = ("arn:aws:kms:us-east-1:123456789012:key/1", "arn:aws:kms:us-east-1:123456789012:alias/a");
        assert!(Spelling::Key.is_same("alias/a", key) && Spelling::Key.is_same(alias, key));
        assert!(Spelling::Key.is_same("alias/a", alias) && Spelling::Key.is_same(alias, "alias/a"));
        assert!(!Spelling::Key.is_same("alias/a", "alias/b") && !Spelling::Key.is_same("alias/a", ""));
        assert!(!Spelling::Key.is_same(key, "alias/a"), "the service returns an alias, so that the ARN can be set");
    }
}
