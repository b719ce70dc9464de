//! Owner records: the TXT records that name the owners of record sets.

use aws_sdk_route53::types::{ResourceRecord, ResourceRecordSet, RrType};
use holdfast_base::error::Result;
use holdfast_base::owner_marker;
use holdfast_base::tagging::Tags;
use holdfast_core::digest;

use super::spec::RecordSet;
use crate::route53::name::{plain, unquoted};

/// The prefix of the first label of an owner record, the TXT record that names the owner of a record set.
const OWNER_LABEL: &str = "_holdfast-";

/// The fields that identify a record set in a zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordIdentity {
    /// The canonical domain name.
    pub(crate) name: String,
    /// The record type.
    pub(crate) record_type: String,
    /// The set identifier, if several record sets have this name and type.
    pub(crate) set_identifier: Option<String>,
}

impl RecordIdentity {
    /// Returns the identity of a record set.
    pub(crate) fn of(record: &ResourceRecordSet) -> RecordIdentity {
        RecordIdentity {
            name: plain(&record.name),
            record_type: record.r#type.as_str().to_owned(),
            set_identifier: record.set_identifier.clone(),
        }
    }

    /// Returns the identity as text: `www.example.com_A`, followed by `_<set identifier>` if there is one.
    pub(crate) fn text(&self) -> String {
        let set = self.set_identifier.as_ref().map(|set| format!("_{set}")).unwrap_or_default();
        format!("{}_{}{set}", self.name, self.record_type)
    }

    /// Returns the name of the owner record. It is below the record set's own name, so that it never conflicts with a
    /// CNAME record. `any` replaces an asterisk.
    pub(crate) fn owner_record_name(&self) -> String {
        let set = self.set_identifier.as_ref().map(|set| format!("-{}", &digest::text(set)[..8])).unwrap_or_default();
        let (any, name) = match self.name.strip_prefix("*.") {
            Some(rest) => ("-any", rest),
            None => ("", self.name.as_str()),
        };
        format!("{OWNER_LABEL}{}{set}{any}.{name}", self.record_type.to_ascii_lowercase())
    }
}

/// Returns the owner record of a record set.
pub(crate) fn owner_record(identity: &RecordIdentity, tags: &Tags) -> Result<ResourceRecordSet> {
    let text = owner_marker::write::<RecordSet>(tags, 255)?;
    let record = ResourceRecord::builder().value(format!("\"{text}\"")).build()?;
    let set = ResourceRecordSet::builder().name(identity.owner_record_name()).r#type(RrType::Txt).ttl(300);
    Ok(set.resource_records(record).build()?)
}

/// Returns the owner that a record names; none when the record is not an owner record.
pub(crate) fn read_owner(record: &ResourceRecordSet) -> Option<Tags> {
    let is_owner_record = record.r#type == RrType::Txt && plain(&record.name).starts_with(OWNER_LABEL);
    let text = record.resource_records().first().filter(|_| is_owner_record)?;
    owner_marker::read::<RecordSet>(&unquoted(&text.value))
}

/// True for the records that Holdfast itself writes into a zone: owner records, and validation records of certificates.
pub(crate) fn is_helper_record(record: &ResourceRecordSet) -> bool {
    let is_validation = |value: &ResourceRecord| plain(&value.value).ends_with(".acm-validations.aws");
    read_owner(record).is_some()
        || record.r#type == RrType::Cname && record.resource_records().iter().any(is_validation)
}

#[cfg(test)]
mod tests {
    use holdfast_core::observed::tag;

    use super::*;

    #[test]
    fn the_owner_record_is_below_the_record_set() {
        let mut identity = RecordIdentity::of(
            &ResourceRecordSet::builder().name("\\052.example.com.").r#type(RrType::A).build().expect("a record"),
        );
        assert_eq!(identity.text(), "*.example.com_A");
        assert_eq!(identity.owner_record_name(), "_holdfast-a-any.example.com");
        identity.set_identifier = Some("blue".into());
        assert!(identity.owner_record_name().ends_with("-any.example.com") && identity.owner_record_name().len() == 36);
        let tags: Tags = [(tag::STACK, "s"), (tag::ENV, "e"), (tag::ADDRESS, "RecordSet/www")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into();
        let owner_record = owner_record(&identity, &tags).expect("it fits");
        let read = read_owner(&owner_record).expect("an owner record");
        assert_eq!(read.get(tag::ADDRESS).map(String::as_str), Some("RecordSet/www"));
        assert!(is_helper_record(&owner_record));
    }
}
