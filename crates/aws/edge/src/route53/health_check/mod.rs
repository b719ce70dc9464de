//! HealthCheck: the health of an endpoint, an alarm or a group of other checks, for records and alarms.

mod spec;
mod wire;

use aws_sdk_route53::types::{self as sdk, ResettableElementName as Reset, TagResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::owner::OwnerRecord;
use holdfast_base::owner_marker;
use holdfast_base::sdk::all;
use holdfast_base::tagging::Tags;
use holdfast_base::wanted::{Listed, Wants as _};
use holdfast_core::schema::relation::{
    Condition::{Is, IsNot, Stated},
    Demand::{AnyOf, Excludes, Items, Needs},
    Relation, demand,
};
use holdfast_core::schema::{FieldName, Idempotency, NamingRules, Ownership, Tier, ValidationError};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;

pub(crate) use self::spec::HealthCheck;
use self::spec::HealthCheckStatus;
use super::calls::{change_tags, owned, partition, tags};
use super::route53;

/// The types that check an endpoint.
const ENDPOINT: &[&str] = &["HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP"];

impl Kind for HealthCheck {
    type Status = HealthCheckStatus;
    type Owner = HealthCheckTags;
    const TIER: Tier = Tier::Edge;
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html
        demand(AnyOf(&["fullyQualifiedDomainName", "ipAddress"])).when(&[Is("type", ENDPOINT)]),
        demand(Needs("port")).when(&[Is("type", &["TCP"])]),
        demand(Needs("searchString")).when(&[Is("type", &["HTTP_STR_MATCH", "HTTPS_STR_MATCH"])]),
        demand(Excludes("searchString")).when(&[IsNot("type", &["HTTP_STR_MATCH", "HTTPS_STR_MATCH"])]),
        demand(Excludes("resourcePath"))
            .when(&[Is("type", &["TCP", "CALCULATED", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL"])]),
        demand(Needs("childHealthChecks")).when(&[Is("type", &["CALCULATED"])]),
        demand(Excludes("childHealthChecks")).when(&[IsNot("type", &["CALCULATED"])]),
        demand(Needs("alarmIdentifier")).when(&[Is("type", &["CLOUDWATCH_METRIC"])]),
        demand(Excludes("alarmIdentifier")).when(&[IsNot("type", &["CLOUDWATCH_METRIC"])]),
        demand(Needs("routingControlArn")).when(&[Is("type", &["RECOVERY_CONTROL"])]),
        demand(Excludes("routingControlArn")).when(&[IsNot("type", &["RECOVERY_CONTROL"])]),
        demand(Items("regions", Some(3), None)).when(&[Stated("regions")]),
    ];
    const GLOBAL: bool = true;

    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        // The range of the field refuses other intervals.
        match spec.get(Self::REQUEST_INTERVAL.name()).and_then(Value::integer) {
            Some(seconds @ 11..30) => {
                vec![(Self::REQUEST_INTERVAL.name(), format!("must be 10 or 30, but this is `{seconds}`"))]
            }
            _ => vec![],
        }
    }

    /// Finds the owned and requested health checks.
    ///
    /// The list returns everything except tags, which cost one call for ten health checks. The list alone identifies
    /// the health checks of other Holdfast stacks and of AWS services; their tags are not read.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        // The name of a health check is a tag, so a lookup by name needs the tags of all.
        let by_name = scope.lookups.iter().any(Value::is_empty);
        let mut candidates = vec![];
        for check in all(route53(aws).list_health_checks().into_paginator().items().send()).await? {
            let live = wire::live(partition(aws), &check)?;
            let owner = owner_marker::read::<Self>(&check.caller_reference);
            let is_elsewhere = check.linked_service.is_some() || owner.is_some_and(|owner| !scope.is_owned(&owner));
            if by_name || !is_elsewhere || scope.wants(&Listed::id(&live.id).spec(&live.spec)).any() {
                candidates.push((live, check));
            }
        }
        let ids: Vec<String> = candidates.iter().map(|(live, _)| live.id.clone()).collect();
        let tags = tags(aws, &TagResourceType::Healthcheck, &ids).await?;
        let found = candidates.into_iter().filter_map(|(mut live, check)| {
            let tags = owned::<Self>(tags.get(&live.id).cloned().unwrap_or_default(), &check.caller_reference);
            live.name = tags.get("Name").cloned().unwrap_or_default();
            let listed = Listed::id(&live.id).named(&live.name).tags(&tags).spec(&live.spec);
            scope.wants(&listed).fields().then(|| live.tags(tags).keep(check))
        });
        Ok(found.collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let output = route53(aws)
            .create_health_check()
            // A caller reference has at most 64 characters
            // (https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHealthCheck.html).
            .caller_reference(owner_marker::reference::<Self>(&desired.tags, &desired.token, 64)?)
            .health_check_config(wire::config(&desired.spec)?)
            .send()
            .await?;
        let check = output.health_check.ok_or_else(|| Error::incomplete("route53.CreateHealthCheck", "healthCheck"))?;
        // Tags are set after the create. Until then the caller reference names the owner.
        let tags = owned::<Self>(Tags::new(), &check.caller_reference);
        Ok(match wire::live(partition(aws), &check) {
            Ok(live) => live.tags(tags).keep(check).into(),
            Err(_) => Created::unobserved(check.id),
        })
    }

    /// Writes the changed fields. UpdateHealthCheck keeps the fields that the call leaves out. Four fields can be
    /// reset.
    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let config = wire::config(&desired.spec)?;
        let regions = config.regions.filter(|all| !all.is_empty());
        let children = config.child_health_checks.filter(|all| !all.is_empty());
        let reset = [
            (
                Self::FULLY_QUALIFIED_DOMAIN_NAME,
                config.fully_qualified_domain_name.is_none(),
                Reset::FullyQualifiedDomainName,
            ),
            (Self::RESOURCE_PATH, config.resource_path.is_none(), Reset::ResourcePath),
            (Self::REGIONS, regions.is_none(), Reset::Regions),
            (Self::CHILD_HEALTH_CHECKS, children.is_none(), Reset::ChildHealthChecks),
        ];
        let reset = reset.into_iter().filter(|(field, is_empty, _)| *is_empty && desired.changed(*field));
        let reset: Vec<_> = reset.map(|(_, _, element)| element).collect();
        route53(aws)
            .update_health_check()
            .health_check_id(&live.id)
            // AWS refuses the update if another client has changed the health check in the meantime.
            .health_check_version(live.raw::<sdk::HealthCheck>()?.health_check_version)
            .set_reset_elements(Some(reset).filter(|reset| !reset.is_empty()))
            .set_fully_qualified_domain_name(changed(
                desired,
                Self::FULLY_QUALIFIED_DOMAIN_NAME,
                config.fully_qualified_domain_name,
            ))
            .set_ip_address(changed(desired, Self::IP_ADDRESS, config.ip_address))
            .set_port(changed(desired, Self::PORT, config.port))
            .set_resource_path(changed(desired, Self::RESOURCE_PATH, config.resource_path))
            .set_search_string(changed(desired, Self::SEARCH_STRING, config.search_string))
            .set_failure_threshold(changed(desired, Self::FAILURE_THRESHOLD, config.failure_threshold))
            .set_inverted(changed(desired, Self::INVERTED, config.inverted))
            .set_disabled(changed(desired, Self::DISABLED, config.disabled))
            .set_enable_sni(changed(desired, Self::ENABLE_SNI, config.enable_sni))
            .set_regions(changed(desired, Self::REGIONS, regions))
            .set_health_threshold(changed(desired, Self::HEALTH_THRESHOLD, config.health_threshold))
            .set_child_health_checks(changed(desired, Self::CHILD_HEALTH_CHECKS, children))
            .set_alarm_identifier(changed(desired, Self::ALARM_IDENTIFIER, config.alarm_identifier))
            .set_insufficient_data_health_status(changed(
                desired,
                Self::INSUFFICIENT_DATA_HEALTH_STATUS,
                config.insufficient_data_health_status,
            ))
            .send()
            .await?;
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        route53(aws).delete_health_check().health_check_id(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the value of a field if the field differs: UpdateHealthCheck keeps the fields that the call leaves out.
fn changed<T>(desired: &Desired<HealthCheck>, field: FieldName<HealthCheck>, value: Option<T>) -> Option<T> {
    value.filter(|_| desired.changed(field))
}

/// The owner record of a health check: the caller reference of the create, and the owner tags after it.
pub(crate) struct HealthCheckTags;

impl OwnerRecord<HealthCheck> for HealthCheckTags {
    const OWNERSHIP: Ownership = Ownership::CallerReference;

    async fn write(aws: &Aws, live: &Live<HealthCheck>, changes: &TagChanges) -> Result<()> {
        change_tags(aws, TagResourceType::Healthcheck, &live.id, changes).await
    }
}
