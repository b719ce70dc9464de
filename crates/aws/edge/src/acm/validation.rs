//! The DNS validation records of a certificate, and the hosted zones that hold them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_acm::types as sdk;
use aws_sdk_route53::types::{ChangeAction, ResourceRecord, ResourceRecordSet, RrType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_core::Spec;
use holdfast_core::schema::Named as _;
use holdfast_engine::cloud::Scope;
use serde::Serialize;

use crate::route53::calls;
use crate::route53::hosted_zone::HostedZone;
use crate::route53::name::{DnsName, plain};

/// The DNS validation record of a domain.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DomainValidation {
    /// The domain name.
    pub(super) domain_name: String,
    /// The record's name.
    pub(super) resource_record_name: String,
    /// The record's type: `CNAME`.
    pub(super) resource_record_type: String,
    /// The record's value.
    pub(super) resource_record_value: String,
}

/// Returns the validation records that ACM has returned so far, at most one for each domain.
pub(super) fn records(detail: &sdk::CertificateDetail) -> Vec<DomainValidation> {
    let validation = |validation: &sdk::DomainValidation| {
        let record = validation.resource_record.as_ref()?;
        Some(DomainValidation {
            domain_name: validation.domain_name.clone(),
            resource_record_name: record.name.clone(),
            resource_record_type: record.r#type.as_str().to_owned(),
            resource_record_value: record.value.clone(),
        })
    };
    detail.domain_validation_options().iter().filter_map(validation).collect()
}

/// Returns the names and values of the validation records in a DNS domain. A domain and its wildcard share one record.
fn within(records: &[DomainValidation], domain: &str) -> BTreeMap<String, String> {
    let records = records.iter().filter(|record| DnsName(record.resource_record_name.clone()).is_in(domain));
    records.map(|record| (plain(&record.resource_record_name), record.resource_record_value.clone())).collect()
}

/// The document's public hosted zones, and which of a certificate's validation records they hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ValidationZones {
    /// A zone that holds all validation records of its domain.
    pub(super) complete: Option<String>,
    /// True when a zone lacks some of its validation records.
    pub(super) is_incomplete: bool,
    /// The names of the validation records that the zones hold.
    pub(super) present: BTreeSet<String>,
    /// The domain names of the zones, by zone id.
    pub(super) domains: BTreeMap<String, String>,
}

/// Finds a certificate's validation records in the public zones that the document refers to.
pub(super) async fn zones(aws: &Aws, scope: &Scope, records: &[DomainValidation]) -> Result<ValidationZones> {
    let mut found = ValidationZones::default();
    if records.is_empty() || !scope.parents.iter().any(|(kind, _)| *kind == HostedZone::KIND) {
        return Ok(found);
    }
    for zone in calls::zones(aws, scope).await?.iter() {
        let public = zone.config.as_ref().is_none_or(|config| !config.private_zone);
        let desired = within(records, &zone.name);
        if !public || desired.is_empty() || !calls::is_parent(scope, zone) {
            continue;
        }
        let id = calls::bare(&zone.id);
        found.domains.insert(id.clone(), zone.name.clone());
        let live = calls::records(aws, scope, &id).await?;
        let missing = missing(&desired, &live);
        found.present.extend(desired.into_keys().filter(|name| !missing.contains(name)));
        match missing.is_empty() {
            true => found.complete = found.complete.or(Some(id)),
            false => found.is_incomplete = true,
        }
    }
    Ok(found)
}

/// Returns the names of the desired records that a zone does not hold, or holds with another value.
fn missing(desired: &BTreeMap<String, String>, live: &[ResourceRecordSet]) -> BTreeSet<String> {
    let value = |record: &ResourceRecordSet| Some(plain(&record.resource_records().first()?.value));
    let cnames = live.iter().filter(|record| record.r#type == RrType::Cname);
    let live: BTreeMap<String, String> = cnames.filter_map(|r| Some((plain(&r.name), value(r)?))).collect();
    let is_missing = |(name, value): &(&String, &String)| live.get(*name) != Some(&plain(value));
    desired.iter().filter(is_missing).map(|(name, _)| name.clone()).collect()
}

/// Writes all validation records of a zone in one change. `domain` is the zone's domain name, if known.
pub(super) async fn write(aws: &Aws, zone: &str, domain: Option<&String>, records: &[DomainValidation]) -> Result<()> {
    let domain = match domain {
        Some(domain) => domain.clone(),
        None => {
            let output = crate::route53::route53(aws).get_hosted_zone().id(zone).send().await?;
            output.hosted_zone.map(|zone| zone.name).unwrap_or_default()
        }
    };
    let desired = within(records, &domain);
    if desired.is_empty() {
        let message = format!(
            "none of the certificate's domains is in its `validationZone`, the zone of {}; choose another zone",
            plain(&domain)
        );
        return Err(Error::terminal("Certificate", message));
    }
    let upsert = |(name, value): (String, String)| {
        let record = ResourceRecord::builder().value(value).build()?;
        let set = ResourceRecordSet::builder().name(name).r#type(RrType::Cname).ttl(300).resource_records(record);
        calls::record_change(ChangeAction::Upsert, set.build()?)
    };
    calls::change(aws, zone, desired.into_iter().map(upsert).collect::<Result<_>>()?).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_and_its_wildcard_need_one_record_in_their_zone() {
        let validation = |domain: &str, name: &str| DomainValidation {
            domain_name: domain.into(),
            resource_record_name: name.into(),
            resource_record_type: "CNAME".into(),
            resource_record_value: "_b.acm-validations.aws.".into(),
        };
        let records = [
            validation("example.com", "_a.example.com."),
            validation("*.example.com", "_a.example.com."),
            validation("example.net", "_c.example.net."),
        ];
        let desired = within(&records, "example.com.");
        assert_eq!(desired.keys().collect::<Vec<_>>(), ["_a.example.com"]);
        let record = |value: &str| {
            let value = ResourceRecord::builder().value(value).build().expect("a value");
            let set =
                ResourceRecordSet::builder().name("_a.example.com.").r#type(RrType::Cname).resource_records(value);
            set.build().expect("a record")
        };
        assert!(missing(&desired, &[record("_b.acm-validations.aws.")]).is_empty());
        assert_eq!(missing(&desired, &[record("_other.acm-validations.aws.")]).len(), 1);
    }
}
