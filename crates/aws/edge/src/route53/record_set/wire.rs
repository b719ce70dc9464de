//! Conversion of record sets to the types of Route 53 and back.

use aws_sdk_route53::types::{self as sdk, ResourceRecord, ResourceRecordSet};
use holdfast_base::error::Result;
use holdfast_base::kind::Desired;
use holdfast_core::types::Ref;

use super::spec::{AliasTarget, CidrRoutingConfig, GeoLocation, RecordSet};
use crate::route53::name::{DnsName, RecordValue, plain, unquoted};

/// Returns the desired record set.
///
/// The merged spec can contain an alias target and records, or two routing policies. One of the two is then the live
/// value, and the changed field is the desired one.
pub(super) fn desired_record(
    desired: &Desired<RecordSet>,
    live: Option<&ResourceRecordSet>,
) -> Result<ResourceRecordSet> {
    let RecordSet {
        zone: _,
        record_name,
        r#type,
        ttl,
        records,
        alias_target,
        set_identifier,
        weight,
        latency_region,
        failover,
        geo_location,
        cidr_routing_config,
        multi_value_answer,
        health_check,
    } = &desired.spec;
    let by_records = desired.changed(RecordSet::RECORDS) && records.is_some();
    let alias = alias_target.as_ref().filter(|_| desired.changed(RecordSet::ALIAS_TARGET) || !by_records);
    let routing = [
        (RecordSet::WEIGHT, weight.is_some()),
        (RecordSet::LATENCY_REGION, latency_region.is_some()),
        (RecordSet::FAILOVER, failover.is_some()),
        (RecordSet::GEO_LOCATION, geo_location.is_some()),
        (RecordSet::CIDR_ROUTING_CONFIG, cidr_routing_config.is_some()),
        (RecordSet::MULTI_VALUE_ANSWER, multi_value_answer.is_some()),
    ];
    let switched = routing.into_iter().any(|(field, is_stated)| is_stated && desired.changed(field));
    // Without a set identifier, the record set is simple: it has no routing policy.
    let is_simple = set_identifier.is_none();
    let keeps = |field| !is_simple && (!switched || desired.changed(field));
    let proximity = live.and_then(|live| live.geo_proximity_location.clone()).filter(|_| !switched && !is_simple);
    let mut set = ResourceRecordSet::builder()
        .name(record_name.plain())
        .r#type(r#type.as_str().into())
        .set_set_identifier(set_identifier.clone())
        .set_weight(weight.filter(|_| keeps(RecordSet::WEIGHT)))
        .set_region(latency_region.as_deref().filter(|_| keeps(RecordSet::LATENCY_REGION)).map(Into::into))
        .set_failover(failover.as_deref().filter(|_| keeps(RecordSet::FAILOVER)).map(Into::into))
        .set_geo_location(geo_location.as_ref().filter(|_| keeps(RecordSet::GEO_LOCATION)).map(sdk_geo))
        .set_multi_value_answer(multi_value_answer.filter(|on| *on && keeps(RecordSet::MULTI_VALUE_ANSWER)))
        .set_geo_proximity_location(proximity)
        .set_health_check_id(health_check.as_ref().map(|check| check.as_str().to_owned()));
    if let Some(cidr) = cidr_routing_config.as_ref().filter(|_| keeps(RecordSet::CIDR_ROUTING_CONFIG)) {
        let cidr =
            sdk::CidrRoutingConfig::builder().collection_id(&cidr.collection_id).location_name(&cidr.location_name);
        set = set.cidr_routing_config(cidr.build()?);
    }
    if let Some(AliasTarget { dns_name, hosted_zone, evaluate_target_health }) = alias {
        let target = sdk::AliasTarget::builder()
            .dns_name(dns_name.plain())
            .hosted_zone_id(hosted_zone)
            .evaluate_target_health(*evaluate_target_health);
        return Ok(set.alias_target(target.build()?).build()?);
    }
    // The document and the live record set may both lack a TTL, and Route 53 refuses records without one.
    set = set.ttl(ttl.unwrap_or(300));
    for value in records.iter().flatten() {
        set = set.resource_records(ResourceRecord::builder().value(value.wire(r#type)).build()?);
    }
    Ok(set.build()?)
}

fn sdk_geo(geo: &GeoLocation) -> sdk::GeoLocation {
    let GeoLocation { continent_code, country_code, subdivision_code } = geo;
    sdk::GeoLocation::builder()
        .set_continent_code(continent_code.clone())
        .set_country_code(country_code.clone())
        .set_subdivision_code(subdivision_code.clone())
        .build()
}

/// Returns the spec of a record set that Route 53 returned.
pub(super) fn spec(zone: &str, record: &ResourceRecordSet) -> RecordSet {
    let values = record.resource_records().iter().map(|value| RecordValue(unquoted(&value.value)));
    RecordSet {
        zone: Ref::new(zone),
        record_name: DnsName(plain(&record.name)),
        r#type: record.r#type.as_str().to_owned(),
        ttl: record.ttl,
        records: record.resource_records.as_ref().filter(|all| !all.is_empty()).map(|_| values.collect()),
        alias_target: record.alias_target.as_ref().map(|target| AliasTarget {
            dns_name: DnsName(plain(&target.dns_name)),
            hosted_zone: target.hosted_zone_id.clone(),
            evaluate_target_health: target.evaluate_target_health,
        }),
        set_identifier: record.set_identifier.clone(),
        weight: record.weight,
        latency_region: record.region.as_ref().map(|region| region.as_str().to_owned()),
        failover: record.failover.as_ref().map(|failover| failover.as_str().to_owned()),
        geo_location: record.geo_location.as_ref().map(|geo| GeoLocation {
            continent_code: geo.continent_code.clone(),
            country_code: geo.country_code.clone(),
            subdivision_code: geo.subdivision_code.clone(),
        }),
        cidr_routing_config: record.cidr_routing_config.as_ref().map(|cidr| CidrRoutingConfig {
            collection_id: cidr.collection_id.clone(),
            location_name: cidr.location_name.clone(),
        }),
        multi_value_answer: record.multi_value_answer.filter(|on| *on),
        health_check: record.health_check_id.as_deref().map(Ref::new),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use aws_sdk_route53::types::RrType;

    use super::*;

    fn record() -> sdk::builders::ResourceRecordSetBuilder {
        ResourceRecordSet::builder().name("\\052.example.com.").r#type(RrType::A)
    }

    fn desired(spec: RecordSet, changed: &[&str]) -> Desired<RecordSet> {
        let changed: BTreeSet<String> = changed.iter().map(|field| (*field).to_owned()).collect();
        Desired {
            name: String::new(),
            spec,
            changed,
            stated: Default::default(),
            tags: BTreeMap::new(),
            token: String::new(),
        }
    }

    #[test]
    fn the_changed_field_wins_where_two_fields_exclude_each_other() {
        let target = sdk::AliasTarget::builder().dns_name("lb.example.net.").hosted_zone_id("Z2");
        let target = target.evaluate_target_health(true).build().expect("a target");
        let live = record().alias_target(target).weight(1).build().expect("a record");
        let mut spec = spec("Z1", &live);
        assert_eq!(spec.record_name.0, "*.example.com");
        spec.records = Some(BTreeSet::from([RecordValue("192.0.2.1".into())]));
        spec.failover = Some("PRIMARY".into());
        let set = desired_record(&desired(spec, &["records", "failover"]), Some(&live)).expect("a record");
        assert_eq!((set.alias_target, set.ttl, set.weight), (None, Some(300), None));
        assert_eq!(set.resource_records.map(|all| all.len()), Some(1));
    }
}
