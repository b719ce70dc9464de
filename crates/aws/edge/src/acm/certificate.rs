//! Certificate: a TLS certificate for load balancers and distributions.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_acm::types::{self as sdk, CertificateStatus, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::acm;
use super::validation::{self, DomainValidation, Zones};
use crate::route53::hosted_zone::HostedZone;
use crate::route53::name::plain;

/// A certificate. It can be used once its domains are validated. With `validationZone` Holdfast writes the records that
/// prove them; without it the status names the records to make. AWS renews it by itself while its records stay, so
/// they stay when the certificate is deleted: every certificate of a domain and an account is proved by the same ones.
///
/// CloudFront takes certificates of us-east-1 only
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html>): name that
/// region among the stack's `regions` and put the certificate there with the word `region` beside its spec.
///
/// One that somebody else made is looked up with `lifecycle: { manage: observe }` and its `domainName`, among those
/// that are issued.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Certificate {
    /// The domain, as in `example.com` or `*.example.com`; at most 64 characters.
    #[spec(immutable)]
    domain_name: String,
    /// Further domains. AWS lists `domainName` among them; leave it out here.
    #[spec(immutable)]
    subject_alternative_names: Option<BTreeSet<String>>,
    /// `DNS` or `EMAIL`. Only one validated by DNS is renewed without anybody's help, as long as its records
    /// stay (<https://docs.aws.amazon.com/acm/latest/userguide/dns-renewal-validation.html>).
    #[spec(immutable)]
    validation_method: Option<String>,
    /// `RSA_2048` (AWS's default), `EC_prime256v1` or `EC_secp384r1`.
    #[spec(immutable)]
    key_algorithm: Option<String>,
    /// The public zone in which Holdfast writes the CNAME records that prove the domains, all that lie in it with one
    /// change; records of other zones are left to you, and told. They are made again when somebody deletes them, since
    /// AWS wants them at every renewal. It needs `validationMethod: DNS`.
    validation_zone: Option<Always<Ref<HostedZone>>>,
}

/// What only AWS knows of a Certificate.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CertificateState {
    /// Its ARN; also its id.
    arn: String,
    /// `PENDING_VALIDATION`, `ISSUED`, `INACTIVE`, `EXPIRED`, `VALIDATION_TIMED_OUT`, `REVOKED` or `FAILED`.
    status: String,
    /// The DNS record that proves each domain.
    domain_validation_options: Vec<DomainValidation>,
}

/// The domains of the zones that its records may be in, by the zones' ids.
type Domains = BTreeMap<String, String>;

impl Kind for Certificate {
    type Status = CertificateState;
    const TIER: Tier = Tier::Edge;
    const NAMING: Naming = Naming::TAG;
    const CLASS: CreateClass = CreateClass::Token;

    /// The list has no tags, and a certificate no name to be a candidate by: whether one that the hint does not know is
    /// ours takes a call for each. A document that only looks certificates up is spared that.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is = |service: &str, resource: &str| service == "acm" && resource.starts_with("certificate/");
        if let Some(found) = tagging::known(aws, scope, is, |arn, tags| look(aws, scope, arn, tags)).await? {
            return Ok(found);
        }
        let only_lookups = scope.names.is_empty() && !(scope.lookups.is_empty() && scope.ids.is_empty());
        // Without this AWS lists only RSA keys of up to 2048 bits.
        let kinds = sdk::KeyAlgorithm::values().iter().map(|k| (*k).into()).collect();
        let filter = sdk::Filters::builder().set_key_types(Some(kinds)).build();
        let pages = acm(aws).list_certificates().includes(filter).into_paginator().items().send();
        let mut candidates = vec![];
        for one in pages.collect::<std::result::Result<Vec<_>, _>>().await? {
            let arn = one.certificate_arn.clone();
            let arn = arn.ok_or_else(|| Error::incomplete("acm.ListCertificates", "certificateArn"))?;
            let asked_for = scope.ids.contains(&arn) || is_looked_up(scope, &one);
            // Only what AWS itself issued on request can have been made here.
            let requested = one.r#type == Some(sdk::CertificateType::AmazonIssued) && one.managed_by.is_none();
            if asked_for || !only_lookups && requested {
                candidates.push((arn, asked_for));
            }
        }
        let by_tags = scope.lookups.iter().any(|lookup| lookup.get("tags").is_some());
        each(candidates, |(arn, asked_for)| async move {
            let tags = match only_lookups && !by_tags && !scope.ids.contains(&arn) {
                true => Some(Tags::new()),
                false => tagging::tags(aws, scope, &arn, || tags_of(aws, &arn)).await?,
            };
            match tags.filter(|tags| asked_for || scope.is_owned(tags)) {
                Some(tags) => look(aws, scope, arn, tags).await,
                None => Ok(None),
            }
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let Certificate {
            domain_name,
            subject_alternative_names,
            validation_method,
            key_algorithm,
            validation_zone: _,
        } = &desired.spec;
        let tags = desired.all_tags();
        let names = subject_alternative_names.as_ref().filter(|names| !names.is_empty());
        let made = acm(aws)
            .request_certificate()
            .domain_name(domain_name)
            .set_subject_alternative_names(names.map(|names| names.iter().cloned().collect()))
            .set_validation_method(validation_method.as_deref().map(Into::into))
            .set_key_algorithm(key_algorithm.as_deref().map(Into::into))
            // At most 32 characters, and forgotten after an hour
            // (<https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html>).
            .idempotency_token(desired.token.chars().take(32).collect::<String>())
            .set_tags(Some(sdk_tags(&tags)?))
            .send()
            .await?;
        let arn = made.certificate_arn.ok_or_else(|| Error::incomplete("acm.RequestCertificate", "certificateArn"))?;
        // It takes AWS some seconds to say how its domains are to be validated.
        let pending = sdk::CertificateDetail::builder().status(CertificateStatus::PendingValidation).build();
        let spec = Certificate { validation_zone: None, ..desired.spec.clone() };
        let told = Live { name: desired.name.clone(), spec, ..live(&pending, arn, Zones::default()) };
        Ok(told.tags(tags).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let Certificate {
            domain_name: _,
            subject_alternative_names: _,
            validation_method: _,
            key_algorithm: _,
            validation_zone,
        } = &desired.spec;
        if let Some(zone) = validation_zone.as_ref().filter(|_| desired.changed("validationZone")) {
            let domain = live.raw::<Domains>()?.get(zone.as_str());
            validation::write(aws, zone.as_str(), domain, &live.status.domain_validation_options).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        acm(aws).delete_certificate().certificate_arn(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        if !set.is_empty() {
            let add = acm(aws).add_tags_to_certificate().certificate_arn(&live.id);
            add.set_tags(Some(sdk_tags(set)?)).send().await?;
        }
        if !remove.is_empty() {
            // A tag without a value is removed whatever its value is.
            let none = remove.iter().map(|key| (key.clone(), None));
            let tags = none.map(|(k, v)| sdk_tag(&k, v)).collect::<Result<Vec<_>>>()?;
            acm(aws).remove_tags_from_certificate().certificate_arn(&live.id).set_tags(Some(tags)).send().await?;
        }
        Ok(())
    }
}

/// True when a lookup may mean this one: issued, and for its domain.
fn is_looked_up(scope: &Scope, one: &sdk::CertificateSummary) -> bool {
    let issued = one.status.as_ref().is_none_or(|status| *status == CertificateStatus::Issued);
    issued
        && scope.lookups.iter().any(|lookup| {
            let domain = lookup.get("domainName").and_then(|domain| domain.text());
            domain.is_none_or(|domain| one.domain_name() == Some(domain))
        })
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let answer = acm(aws).list_tags_for_certificate().certificate_arn(arn).send().await.or_absent()?;
    let pair = |tag: Tag| (tag.key, tag.value.unwrap_or_default());
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().map(pair).collect()))
}

fn sdk_tag(key: &str, value: Option<String>) -> Result<Tag> {
    let tag = Tag::builder().key(key).set_value(value).build();
    tag.map_err(|error| Error::terminal("acm.AddTagsToCertificate", error.to_string()))
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    tags.iter().map(|(k, v)| sdk_tag(k, Some(v.clone()))).collect()
}

async fn look(aws: &Aws, scope: &Scope, arn: String, tags: Tags) -> Result<Option<Live<Certificate>>> {
    let answer = acm(aws).describe_certificate().certificate_arn(&arn).send().await.or_absent()?;
    let Some(detail) = answer.and_then(|answer| answer.certificate) else { return Ok(None) };
    let zones = validation::zones(aws, scope, &validation::proofs(&detail)).await?;
    let domains = zones.domains.clone();
    let mut live = live(&detail, arn, zones);
    live.name = tags.get("Name").cloned().unwrap_or_default();
    Ok(Some(live.tags(tags).keep::<Domains>(domains)))
}

fn live(detail: &sdk::CertificateDetail, arn: String, zones: Zones) -> Live<Certificate> {
    let domain_name = detail.domain_name.clone().unwrap_or_default();
    let names: BTreeSet<String> =
        detail.subject_alternative_names().iter().filter(|name| **name != domain_name).cloned().collect();
    let method = detail.domain_validation_options().first().and_then(|proof| proof.validation_method.as_ref());
    let spec = Certificate {
        domain_name,
        subject_alternative_names: Some(names).filter(|names| !names.is_empty()),
        validation_method: method.map(|method| method.as_str().to_owned()),
        // The answer says `RSA-2048` where the request says `RSA_2048`.
        key_algorithm: detail.key_algorithm.as_ref().map(|k| k.as_str().replace('-', "_")),
        validation_zone: zones.complete.map(|zone| Always(Ref::new(zone))),
    };
    let records = validation::proofs(detail);
    let status = detail.status.as_ref().map(|s| s.as_str().to_owned()).unwrap_or_default();
    let known = !records.is_empty();
    let make: BTreeSet<String> = records
        .iter()
        .filter(|r| !zones.there.contains(&plain(&r.resource_record_name)))
        .map(|r| format!("{} {} {}", r.resource_record_name, r.resource_record_type, r.resource_record_value))
        .collect();
    let view = CertificateState { arn: arn.clone(), status: status.clone(), domain_validation_options: records };
    let live = Live::new(arn, "", spec, view);
    let message = match (known, make.is_empty()) {
        (false, _) => "AWS has yet to say how its domains are to be validated, or has sent e-mails".to_owned(),
        (true, true) => "Its DNS records are there; AWS has yet to see them".to_owned(),
        (true, false) => format!("Make these DNS records within 72 hours: {}", Vec::from_iter(make).join("; ")),
    };
    match detail.status {
        // It takes what is still missing, its records; until then whoever refers to it waits for that.
        Some(CertificateStatus::PendingValidation) if zones.lacking => live,
        Some(CertificateStatus::PendingValidation) => live.phase(Phase::Pending).remark("AwaitingValidation", message),
        Some(CertificateStatus::Issued) => live,
        _ => {
            let reason = detail.failure_reason.as_ref().map(|r| format!(": {}", r.as_str())).unwrap_or_default();
            live.phase(Phase::Failed).remark("NotUsable", format!("AWS says {status}{reason}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail() -> sdk::builders::CertificateDetailBuilder {
        sdk::CertificateDetail::builder()
            .domain_name("example.com")
            .subject_alternative_names("example.com")
            .subject_alternative_names("*.example.com")
            .key_algorithm("RSA-2048".into())
    }

    #[test]
    fn a_pending_one_names_the_record_to_make() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let record = sdk::ResourceRecord::builder().name("_a.example.com.").r#type("CNAME".into()).value("_b.acm.aws.");
        let proof = sdk::DomainValidation::builder().domain_name("example.com").resource_record(record.build()?);
        let detail = detail().status(CertificateStatus::PendingValidation).domain_validation_options(proof.build()?);
        let detail = detail.build();
        let lacking = Zones { lacking: true, ..Zones::default() };
        assert_eq!(live(&detail, "arn".into(), lacking).phase, Phase::Ready);
        let there = ["_a.example.com".into()].into();
        let there = Zones { complete: Some("Z1".into()), there, ..Zones::default() };
        let written = live(&detail, "arn".into(), there);
        assert_eq!((written.phase, written.spec.validation_zone), (Phase::Pending, Some(Always(Ref::new("Z1")))));
        let live = live(&detail, "arn".into(), Zones::default());
        assert_eq!(live.phase, Phase::Pending);
        assert!(live.remarks[0].message.ends_with("_a.example.com. CNAME _b.acm.aws."), "{:?}", live.remarks);
        Ok(())
    }

    #[test]
    fn an_issued_one_is_told_as_it_is_asked_for() {
        let live = live(&detail().status(CertificateStatus::Issued).build(), "arn".into(), Zones::default());
        assert_eq!(live.phase, Phase::Ready);
        assert_eq!(live.spec.key_algorithm.as_deref(), Some("RSA_2048"));
        assert_eq!(live.spec.subject_alternative_names, Some(BTreeSet::from(["*.example.com".to_owned()])));
    }

    #[test]
    fn a_lookup_by_domain_spares_the_others() {
        let mut scope = Scope::default();
        scope.lookups.push(serde_json::json!({ "domainName": "example.com" }).into());
        let one = |domain: &str, status| sdk::CertificateSummary::builder().domain_name(domain).status(status).build();
        assert!(is_looked_up(&scope, &one("example.com", CertificateStatus::Issued)));
        assert!(!is_looked_up(&scope, &one("example.org", CertificateStatus::Issued)));
        assert!(!is_looked_up(&scope, &one("example.com", CertificateStatus::Expired)));
    }
}
