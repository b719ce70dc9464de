//! Certificate: a TLS certificate for load balancers and distributions.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_acm::types::{self as sdk, CertificateStatus};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::wanted::{Listed, Wants as _, each};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::relation::{
    Condition::Stated,
    Demand::{Form, OneOf},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Ref, ServerDefault};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::validation::{self, DomainValidation, ValidationZones};
use super::{AcmTags, acm, from_sdk_tags, sdk_tags};
use crate::route53::hosted_zone::HostedZone;
use crate::route53::name::plain;

/// A TLS certificate of AWS Certificate Manager (ACM) for load balancers and distributions.
///
/// A certificate can be used once ACM has validated its domains. With `validationZone`, Holdfast writes the DNS
/// validation records. Without it, the status names the records to create. ACM renews a certificate automatically while
/// its validation records exist. Holdfast keeps these records when it deletes the certificate, because all certificates
/// of one domain in one account share the same records.
///
/// CloudFront accepts only certificates in us-east-1
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html>). Add that
/// region to the stack's `regions`, and place the certificate there with `region` beside its spec.
///
/// Look up a certificate that Holdfast does not manage with `lifecycle: { manage: observe }` and its `domainName`. The
/// lookup considers only issued certificates.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Certificate {
    /// The primary domain name, as in `example.com` or `*.example.com`; at most 64 characters.
    #[spec(immutable, length = 1..=64, spelling = DomainName)]
    domain_name: String,
    /// Additional domain names. AWS lists `domainName` among them; leave `domainName` out here.
    #[spec(immutable, items = ..=100, length = 1..=253, default = null, implied = "domainName", spelling = DomainName)]
    subject_alternative_names: Option<BTreeSet<String>>,
    /// The validation method. ACM renews only DNS-validated certificates without manual action, as long as their
    /// validation records exist (<https://docs.aws.amazon.com/acm/latest/userguide/dns-renewal-validation.html>).
    /// `HTTP` is for certificates that CloudFront manages.
    #[spec(immutable, one_of = sdk::ValidationMethod)]
    validation_method: Option<String>,
    /// The key algorithm. AWS's default is `RSA_2048`; ACM also issues `EC_prime256v1` and `EC_secp384r1`.
    #[spec(immutable, one_of = sdk::KeyAlgorithm, default = "RSA_2048")]
    key_algorithm: Option<String>,
    /// The public hosted zone in which Holdfast writes the CNAME validation records, all of the zone's records in one
    /// change. Records of other zones must be created manually; the condition `AwaitingValidation` lists them. Holdfast
    /// recreates deleted records, because ACM requires them at every renewal. Requires `validationMethod: DNS`.
    validation_zone: Option<ServerDefault<Ref<HostedZone>>>,
}

/// The read-only attributes of a Certificate.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CertificateState {
    /// The certificate's ARN, which is also its id.
    arn: String,
    /// The certificate's status: `PENDING_VALIDATION`, `ISSUED`, `INACTIVE`, `EXPIRED`, `VALIDATION_TIMED_OUT`,
    /// `REVOKED` or `FAILED`.
    status: String,
    /// The DNS validation record of each domain.
    domain_validation_options: Vec<DomainValidation>,
}

/// The domain names of the zones that may hold the validation records, by zone id.
type ZoneDomains = BTreeMap<String, String>;

impl Kind for Certificate {
    type Status = CertificateState;
    type Owner = TagOnCreate<AcmTags>;
    const TIER: Tier = Tier::Edge;
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
        demand(OneOf("validationMethod", &["DNS"])).when(&[Stated("validationZone")]),
        // https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html
        demand(Form(
            "domainName",
            r"(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z0-9-]{2,63}",
            "a domain name, such as `example.com` or `*.example.com`",
        )),
    ];

    /// Finds the owned and requested certificates.
    ///
    /// ACM's list returns no tags, and a certificate has no name to match candidates by. A certificate that the tag
    /// index does not know therefore costs one call for its tags. A document that only looks certificates up avoids
    /// these calls.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is_certificate = |service: &str, resource: &str| service == "acm" && resource.starts_with("certificate/");
        if let Some(found) =
            tagging::known(aws, scope, is_certificate, |arn, tags| observe_one(aws, scope, arn, tags)).await?
        {
            return Ok(found);
        }
        let only_lookups = scope.names.is_empty() && (scope.has_lookups() || !scope.ids.is_empty());
        let by_tags = scope.lookups.iter().any(|lookup| lookup.is_empty() || lookup.get("tags").is_some());
        let without_lookups = Scope { lookups: vec![], ..scope.clone() };
        // Without this filter ACM lists only certificates with RSA keys of up to 2048 bits.
        let kinds = sdk::KeyAlgorithm::values().iter().map(|k| (*k).into()).collect();
        let filter = sdk::Filters::builder().set_key_types(Some(kinds)).build();
        let pages = acm(aws).list_certificates().includes(filter).into_paginator().items().send();
        let mut candidates = vec![];
        for one in all(pages).await? {
            let arn = one.certificate_arn.clone();
            let arn = arn.ok_or_else(|| Error::incomplete("acm.ListCertificates", "certificateArn"))?;
            let is_issued = one.status.as_ref().is_none_or(|status| *status == CertificateStatus::Issued);
            // A lookup considers only issued certificates.
            let asks = if is_issued { scope } else { &without_lookups };
            // Holdfast creates only certificates that ACM issues on request and that no other AWS service manages.
            // A summary without a type may be of such a certificate: unknown is not absent.
            let is_of_type = one.r#type.as_ref().is_none_or(|ty| *ty == sdk::CertificateType::AmazonIssued);
            let can_be_ours = is_of_type && one.managed_by.is_none();
            let spec = from_summary(one);
            let is_wanted = asks.wants(&Listed::id(&arn).spec(&spec)).any();
            // The name of a certificate is a tag.
            let may_have_name = is_issued && scope.lookups.iter().any(Value::is_empty);
            if is_wanted || may_have_name || can_be_ours && !only_lookups {
                candidates.push((arn, spec, asks));
            }
        }
        let without_lookups = &without_lookups;
        each(candidates, |(arn, spec, asks)| async move {
            let by_id = without_lookups.wants(&Listed::id(&arn)).any();
            let tags = match only_lookups && !by_tags && !by_id {
                true => Some(Tags::new()),
                false => tagging::tags(aws, scope, &arn, || tags_of(aws, &arn)).await?,
            };
            let Some(tags) = tags else { return Ok(None) };
            let name = tags.get("Name").map(String::as_str).unwrap_or_default();
            match asks.wants(&Listed::id(&arn).named(name).tags(&tags).spec(&spec)).fields() {
                true => observe_one(aws, scope, arn, tags).await,
                false => Ok(None),
            }
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Certificate {
            domain_name,
            subject_alternative_names,
            validation_method,
            key_algorithm,
            validation_zone: _,
        } = &desired.spec;
        let tags = desired.all_tags();
        let names = subject_alternative_names.as_ref().filter(|names| !names.is_empty());
        let output = acm(aws)
            .request_certificate()
            .domain_name(domain_name)
            .set_subject_alternative_names(names.map(|names| names.iter().cloned().collect()))
            .set_validation_method(validation_method.as_deref().map(Into::into))
            .set_key_algorithm(key_algorithm.as_deref().map(Into::into))
            // An idempotency token has at most 32 characters, and ACM forgets it after one hour
            // (<https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html>).
            .idempotency_token(desired.token.chars().take(32).collect::<String>())
            .set_tags(Some(sdk_tags(&tags)?))
            .send()
            .await?;
        let arn =
            output.certificate_arn.ok_or_else(|| Error::incomplete("acm.RequestCertificate", "certificateArn"))?;
        // ACM returns the validation records only some seconds after the request.
        let pending = sdk::CertificateDetail::builder().status(CertificateStatus::PendingValidation).build();
        let spec = Certificate { validation_zone: None, ..desired.spec.clone() };
        let created = Live { name: desired.name.clone(), spec, ..live(&pending, arn, ValidationZones::default()) };
        Ok(created.tags(tags).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Certificate {
            domain_name: _,
            subject_alternative_names: _,
            validation_method: _,
            key_algorithm: _,
            validation_zone,
        } = &desired.spec;
        if let Some(zone) = validation_zone.as_ref().filter(|_| desired.changed(Certificate::VALIDATION_ZONE)) {
            let (domains, records) = (live.raw::<ZoneDomains>()?, &live.status.domain_validation_options);
            if records.is_empty() {
                return Ok(Updated::Unfinished("ACM has not returned the validation records yet"));
            }
            validation::write(aws, zone.as_str(), domains.get(zone.as_str()), records).await?;
        }
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        acm(aws).delete_certificate().certificate_arn(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the fields that the list call returns.
fn from_summary(summary: sdk::CertificateSummary) -> Certificate {
    Certificate {
        domain_name: summary.domain_name.unwrap_or_default(),
        subject_alternative_names: None,
        validation_method: None,
        key_algorithm: summary.key_algorithm.as_ref().map(key_algorithm),
        validation_zone: None,
    }
}

/// Returns the key algorithm as a request names it. A response says `RSA-2048` where the request says `RSA_2048`.
fn key_algorithm(response: &sdk::KeyAlgorithm) -> String {
    response.as_str().replace('-', "_")
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let output = acm(aws).list_tags_for_certificate().certificate_arn(arn).send().await.or_absent()?;
    Ok(output.map(|output| from_sdk_tags(output.tags())))
}

async fn observe_one(aws: &Aws, scope: &Scope, arn: String, tags: Tags) -> Result<Option<Live<Certificate>>> {
    let output = acm(aws).describe_certificate().certificate_arn(&arn).send().await.or_absent()?;
    let Some(detail) = output.and_then(|output| output.certificate) else { return Ok(None) };
    let zones = validation::zones(aws, scope, &validation::records(&detail)).await?;
    let domains = zones.domains.clone();
    let mut live = live(&detail, arn, zones);
    live.name = tags.get("Name").cloned().unwrap_or_default();
    Ok(Some(live.tags(tags).keep::<ZoneDomains>(domains)))
}

fn live(detail: &sdk::CertificateDetail, arn: String, zones: ValidationZones) -> Live<Certificate> {
    let domain_name = detail.domain_name.clone().unwrap_or_default();
    let names: BTreeSet<String> =
        detail.subject_alternative_names().iter().filter(|name| **name != domain_name).cloned().collect();
    let method =
        detail.domain_validation_options().first().and_then(|validation| validation.validation_method.as_ref());
    let spec = Certificate {
        domain_name,
        subject_alternative_names: Some(names).filter(|names| !names.is_empty()),
        validation_method: method.map(|method| method.as_str().to_owned()),
        key_algorithm: detail.key_algorithm.as_ref().map(key_algorithm),
        validation_zone: zones.complete.map(|zone| ServerDefault(Ref::new(zone))),
    };
    let records = validation::records(detail);
    let status = detail.status.as_ref().map(|s| s.as_str().to_owned()).unwrap_or_default();
    let has_records = !records.is_empty();
    let missing: BTreeSet<String> = records
        .iter()
        .filter(|r| !zones.present.contains(&plain(&r.resource_record_name)))
        .map(|r| format!("{} {} {}", r.resource_record_name, r.resource_record_type, r.resource_record_value))
        .collect();
    let state = CertificateState { arn: arn.clone(), status: status.clone(), domain_validation_options: records };
    let live = Live::new(arn, "", spec, state);
    let message = match (has_records, missing.is_empty()) {
        (false, _) => {
            "ACM has not returned the DNS validation records yet, or it validates the domains by e-mail".to_owned()
        }
        (true, true) => "The DNS validation records exist; ACM has not confirmed them yet".to_owned(),
        (true, false) => format!("Create these DNS records within 72 hours: {}", Vec::from_iter(missing).join("; ")),
    };
    match detail.status {
        // A validation zone lacks some of the records. The certificate counts as ready so that Holdfast writes the
        // records; dependents wait until the update has finished.
        Some(CertificateStatus::PendingValidation) if zones.is_incomplete => live,
        Some(CertificateStatus::PendingValidation) => {
            live.phase(Phase::Pending).action_required("AwaitingValidation", message)
        }
        Some(CertificateStatus::Issued) => live,
        _ => {
            let reason = detail.failure_reason.as_ref().map(|r| format!(": {}", r.as_str())).unwrap_or_default();
            live.phase(Phase::Failed).degraded("NotUsable", format!("The certificate's status is {status}{reason}"))
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
    fn a_pending_certificate_names_the_records_to_create() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let record = sdk::ResourceRecord::builder().name("_a.example.com.").r#type("CNAME".into()).value("_b.acm.aws.");
        let validation = sdk::DomainValidation::builder().domain_name("example.com").resource_record(record.build()?);
        let detail =
            detail().status(CertificateStatus::PendingValidation).domain_validation_options(validation.build()?);
        let detail = detail.build();
        let incomplete = ValidationZones { is_incomplete: true, ..ValidationZones::default() };
        assert_eq!(live(&detail, "arn".into(), incomplete).phase, Phase::Ready);
        let present = ["_a.example.com".into()].into();
        let zones = ValidationZones { complete: Some("Z1".into()), present, ..ValidationZones::default() };
        let written = live(&detail, "arn".into(), zones);
        assert_eq!(
            (written.phase, written.spec.validation_zone),
            (Phase::Pending, Some(ServerDefault(Ref::new("Z1"))))
        );
        let live = live(&detail, "arn".into(), ValidationZones::default());
        assert_eq!(live.phase, Phase::Pending);
        assert!(live.conditions[0].message.ends_with("_a.example.com. CNAME _b.acm.aws."), "{:?}", live.conditions);
        Ok(())
    }

    #[test]
    fn the_spec_of_an_issued_certificate_equals_its_request() {
        let live = live(&detail().status(CertificateStatus::Issued).build(), "arn".into(), ValidationZones::default());
        assert_eq!(live.phase, Phase::Ready);
        assert_eq!(live.spec.key_algorithm.as_deref(), Some("RSA_2048"));
        assert_eq!(live.spec.subject_alternative_names, Some(BTreeSet::from(["*.example.com".to_owned()])));
    }

    #[test]
    fn a_lookup_by_domain_ignores_other_certificates() {
        let mut scope = Scope::default();
        scope.lookups.push(serde_json::json!({ "domainName": "example.com" }).into());
        let one = |domain: &str| from_summary(sdk::CertificateSummary::builder().domain_name(domain).build());
        assert!(scope.wants(&Listed::id("arn").spec(&one("example.com"))).any());
        assert!(!scope.wants(&Listed::id("arn").spec(&one("example.org"))).any());
    }
}
