//! The DNS records that prove a certificate's domains, and the zone that they are in.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_acm::types as sdk;
use aws_sdk_route53::types::{ChangeAction, ResourceRecord, ResourceRecordSet, RrType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_core::Spec;
use holdfast_core::schema::Named as _;
use holdfast_engine::cloud::Scope;
use serde::Serialize;

use crate::route53;
use crate::route53::hosted_zone::HostedZone;
use crate::route53::name::{DnsName, plain};
use crate::route53::record_set::is_parent;

/// The DNS record that proves a domain.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DomainValidation {
    /// The domain.
    pub(super) domain_name: String,
    /// The record's name.
    pub(super) resource_record_name: String,
    /// The record's type: `CNAME`.
    pub(super) resource_record_type: String,
    /// The record's value.
    pub(super) resource_record_value: String,
}

/// What AWS says of each domain's record; nothing of those of which it has yet to say it.
pub(super) fn proofs(detail: &sdk::CertificateDetail) -> Vec<DomainValidation> {
    let proof = |proof: &sdk::DomainValidation| {
        let record = proof.resource_record.as_ref()?;
        Some(DomainValidation {
            domain_name: proof.domain_name.clone(),
            resource_record_name: record.name.clone(),
            resource_record_type: record.r#type.as_str().to_owned(),
            resource_record_value: record.value.clone(),
        })
    };
    detail.domain_validation_options().iter().filter_map(proof).collect()
}

/// Names and values of the records that lie in a domain. A domain and its wildcard are proved by the same one.
fn within(proofs: &[DomainValidation], domain: &str) -> BTreeMap<String, String> {
    let proofs = proofs.iter().filter(|proof| DnsName(proof.resource_record_name.clone()).is_in(domain));
    proofs.map(|proof| (plain(&proof.resource_record_name), proof.resource_record_value.clone())).collect()
}

/// How the zones of the document stand to a certificate.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Zones {
    /// The zone that has all the records that lie in it.
    pub(super) complete: Option<String>,
    /// True when there is one that lacks some.
    pub(super) lacking: bool,
    /// The names of the records that zones have.
    pub(super) there: BTreeSet<String>,
    /// Their domains, by id.
    pub(super) domains: BTreeMap<String, String>,
}

/// Looks for a certificate's records in the public zones that something of the document refers to.
pub(super) async fn zones(aws: &Aws, scope: &Scope, proofs: &[DomainValidation]) -> Result<Zones> {
    let mut found = Zones::default();
    if proofs.is_empty() || !scope.parents.iter().any(|(kind, _)| *kind == HostedZone::KIND) {
        return Ok(found);
    }
    for zone in route53::zones(aws, scope).await?.iter() {
        let public = zone.config.as_ref().is_none_or(|config| !config.private_zone);
        let wanted = within(proofs, &zone.name);
        if !public || wanted.is_empty() || !is_parent(scope, &zone.id, &zone.name) {
            continue;
        }
        let id = route53::bare(&zone.id);
        found.domains.insert(id.clone(), zone.name.clone());
        let records = route53::records(aws, scope, &id).await?;
        let missing = missing(&wanted, &records);
        found.there.extend(wanted.into_keys().filter(|name| !missing.contains(name)));
        match missing.is_empty() {
            true => found.complete = found.complete.or(Some(id)),
            false => found.lacking = true,
        }
    }
    Ok(found)
}

/// The names of the wanted records that a zone does not have, or has with another value.
fn missing(wanted: &BTreeMap<String, String>, records: &[ResourceRecordSet]) -> BTreeSet<String> {
    let value = |record: &ResourceRecordSet| Some(plain(&record.resource_records().first()?.value));
    let cnames = records.iter().filter(|record| record.r#type == RrType::Cname);
    let there: BTreeMap<String, String> = cnames.filter_map(|r| Some((plain(&r.name), value(r)?))).collect();
    let is_missing = |(name, value): &(&String, &String)| there.get(*name) != Some(&plain(value));
    wanted.iter().filter(is_missing).map(|(name, _)| name.clone()).collect()
}

/// Writes the records that lie in a zone, all of them with one change. `domain`: the zone's, where it is known.
pub(super) async fn write(aws: &Aws, zone: &str, domain: Option<&String>, proofs: &[DomainValidation]) -> Result<()> {
    if proofs.is_empty() {
        return Err(Error::not_yet("acm.DescribeCertificate", "AWS has yet to say which records prove its domains"));
    }
    let domain = match domain {
        Some(domain) => domain.clone(),
        None => {
            let answer = route53::route53(aws).get_hosted_zone().id(zone).send().await?;
            answer.hosted_zone.map(|zone| zone.name).unwrap_or_default()
        }
    };
    let wanted = within(proofs, &domain);
    if wanted.is_empty() {
        let message = format!("none of its domains lies in its `validationZone`, which is of {}", plain(&domain));
        return Err(Error::terminal("Certificate", message));
    }
    let upsert = |(name, value): (String, String)| {
        let record = ResourceRecord::builder().value(value).build()?;
        let set = ResourceRecordSet::builder().name(name).r#type(RrType::Cname).ttl(300).resource_records(record);
        route53::one(ChangeAction::Upsert, set.build()?)
    };
    route53::change(aws, zone, wanted.into_iter().map(upsert).collect::<Result<_>>()?).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_and_its_wildcard_need_one_record_in_their_zone() {
        let proof = |domain: &str, name: &str| DomainValidation {
            domain_name: domain.into(),
            resource_record_name: name.into(),
            resource_record_type: "CNAME".into(),
            resource_record_value: "_b.acm-validations.aws.".into(),
        };
        let proofs = [
            proof("example.com", "_a.example.com."),
            proof("*.example.com", "_a.example.com."),
            proof("example.net", "_c.example.net."),
        ];
        let wanted = within(&proofs, "example.com.");
        assert_eq!(wanted.keys().collect::<Vec<_>>(), ["_a.example.com"]);
        let record = |value: &str| {
            let value = ResourceRecord::builder().value(value).build().expect("a value");
            let set =
                ResourceRecordSet::builder().name("_a.example.com.").r#type(RrType::Cname).resource_records(value);
            set.build().expect("a record")
        };
        assert!(missing(&wanted, &[record("_b.acm-validations.aws.")]).is_empty());
        assert_eq!(missing(&wanted, &[record("_other.acm-validations.aws.")]).len(), 1);
    }
}
