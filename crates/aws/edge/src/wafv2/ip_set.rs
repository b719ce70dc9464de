//! IpSet: IP addresses that rules of web ACLs refer to.

use std::collections::BTreeSet;

use aws_sdk_wafv2::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::tagging;
use holdfast_base::wanted::{Listed, Wants as _, each};
use holdfast_core::Spec;
use holdfast_core::schema::{DocumentRelation, Idempotency, NamingRules, Tier, ValidationError};
use holdfast_core::types::Cidr;
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{WafArn, WafTags, scopes, sdk_tags, tags_of, wafv2};

/// A set of IP addresses that rules of web ACLs refer to.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IpSet {
    /// The scope: `REGIONAL`, or `CLOUDFRONT` for web ACLs of distributions. `CLOUDFRONT` requires the region
    /// us-east-1.
    #[spec(immutable, one_of = sdk::Scope)]
    scope: String,
    /// The IP version of the addresses.
    #[spec(immutable, one_of = sdk::IpAddressVersion)]
    ip_address_version: String,
    /// The addresses as CIDR blocks; a single address is a block such as `192.0.2.44/32`. AWS refuses `0.0.0.0/0`.
    addresses: BTreeSet<Cidr>,
    /// The description of the IP set.
    #[spec(length = 1..=256, pattern = r"[\w+=:#@/\-,\.][\w+=:#@/\-,\.\s]+[\w+=:#@/\-,\.]")]
    description: Option<String>,
}

/// The read-only attributes of an IpSet.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IpSetStatus {
    /// The ARN of the IP set, which is also its id.
    arn: String,
}

/// The lock token that the IP set was read with. WAF refuses a write with an outdated token.
struct LockToken(Option<String>);

impl Kind for IpSet {
    type Status = IpSetStatus;
    type Owner = TagOnCreate<WafTags>;
    const TIER: Tier = Tier::Edge;
    const NAMING: NamingRules =
        NamingRules { form: (r"[\w-]+", "has letters, digits and the characters `_-`"), ..NamingRules::limit(128) };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    /// <https://docs.aws.amazon.com/waf/latest/APIReference/API_CreateIPSet.html>
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] = &[
        DocumentRelation::Unique(&[Self::SCOPE.name(), "name"]),
        DocumentRelation::InRegion { field: Self::SCOPE.name(), value: "CLOUDFRONT", region: "us-east-1" },
    ];

    /// <https://docs.aws.amazon.com/waf/latest/APIReference/API_CreateIPSet.html>
    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        let (Some(version), Some(Value::List(addresses))) =
            (spec.get(Self::IP_ADDRESS_VERSION.name()).and_then(Value::text), spec.get(Self::ADDRESSES.name()))
        else {
            return vec![];
        };
        let errors = addresses.iter().filter_map(Value::text).filter_map(|address| match address {
            all if all.ends_with("/0") => Some(format!("WAF accepts no `/0`, but this is `{all}`")),
            v6 if version == "IPV4" && v6.contains(':') => Some(format!("`{v6}` is no IPv4 block")),
            v4 if version == "IPV6" && !v4.contains(':') => Some(format!("`{v4}` is no IPv6 block")),
            _ => None,
        });
        errors.map(|error| (Self::ADDRESSES.name(), error)).collect()
    }

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is_ip_set =
            |service: &str, resource: &str| service == "wafv2" && resource.split('/').nth(1) == Some("ipset");
        if let Some(found) = tagging::known(aws, scope, is_ip_set, |arn, _| observe_one(aws, scope, arn)).await? {
            return Ok(found);
        }
        let mut listed = vec![];
        for waf_scope in scopes(&scope.region) {
            let mut marker = None;
            loop {
                let request = wafv2(aws).list_ip_sets().scope((*waf_scope).into()).limit(100).set_next_marker(marker);
                let page = request.send().await?;
                listed.extend(page.ip_sets.unwrap_or_default().into_iter().filter_map(|set| set.arn));
                marker = page.next_marker;
                if marker.is_none() {
                    break;
                }
            }
        }
        each(listed, |arn| observe_one(aws, scope, arn)).await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let IpSet { scope, ip_address_version, addresses, description } = &desired.spec;
        let output = wafv2(aws)
            .create_ip_set()
            .name(&desired.name)
            .scope(scope.as_str().into())
            .ip_address_version(ip_address_version.as_str().into())
            .set_addresses(Some(blocks(addresses)))
            .set_description(description.clone())
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let missing = || Error::incomplete("wafv2.CreateIPSet", "arn");
        let summary = output.summary.ok_or_else(missing)?;
        let arn = summary.arn.ok_or_else(missing)?;
        Ok(desired.as_live(arn.clone(), IpSetStatus { arn }).keep(LockToken(summary.lock_token)).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let IpSet { scope: _, ip_address_version: _, addresses, description } = &desired.spec;
        let (WafArn { scope, name, id }, LockToken(lock_token)) = (WafArn::parse(&live.id)?, live.raw::<LockToken>()?);
        let update =
            wafv2(aws).update_ip_set().name(name).scope(scope.into()).id(id).set_lock_token(lock_token.clone());
        // UpdateIPSet erases fields that the call leaves out.
        update.set_addresses(Some(blocks(addresses))).set_description(description.clone()).send().await?;
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let (WafArn { scope, name, id }, LockToken(lock_token)) = (WafArn::parse(&live.id)?, live.raw::<LockToken>()?);
        let delete = wafv2(aws).delete_ip_set().name(name).scope(scope.into()).id(id);
        delete.set_lock_token(lock_token.clone()).send().await?;
        Ok(())
    }
}

/// Returns the addresses to send, each once and without host bits, as WAF stores them.
fn blocks(addresses: &BTreeSet<Cidr>) -> Vec<String> {
    let networks: BTreeSet<String> = addresses.iter().map(Cidr::network).collect();
    networks.into_iter().collect()
}

/// Observes one IP set. Returns none when it does not exist or the scope does not request it.
async fn observe_one(aws: &Aws, scope: &Scope, arn: String) -> Result<Option<Live<IpSet>>> {
    let WafArn { scope: waf_scope, name, id } = WafArn::parse(&arn)?;
    let listed = || Listed::id(&arn).named(name);
    if !scope.wants(&listed()).any() {
        return Ok(None);
    }
    let request = wafv2(aws).get_ip_set().name(name).scope(waf_scope.into()).id(id).send();
    let (tags, output) = futures::try_join!(tagging::tags(aws, scope, &arn, || tags_of(aws, &arn)), async {
        request.await.or_absent()
    })?;
    let (Some(tags), Some(output)) = (tags, output) else { return Ok(None) };
    let set = output.ip_set.ok_or_else(|| Error::incomplete("wafv2.GetIPSet", "ipSet"))?;
    let live = live(&set, waf_scope).tags(tags).keep(LockToken(output.lock_token));
    Ok(scope.wants(&listed().tags(&live.tags).spec(&live.spec)).any().then_some(live))
}

fn live(set: &sdk::IpSet, scope: &str) -> Live<IpSet> {
    let spec = IpSet {
        scope: scope.to_owned(),
        ip_address_version: set.ip_address_version.as_str().to_owned(),
        addresses: set.addresses.iter().cloned().map(Cidr).collect(),
        description: set.description.clone().filter(|text| !text.is_empty()),
    };
    Live::new(&set.arn, &set.name, spec, IpSetStatus { arn: set.arn.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_names_the_scope() -> Result<()> {
        let set = sdk::IpSet::builder().name("office").id("0a").arn("arn:aws:wafv2:us-east-1:1:global/ipset/office/0a");
        let set = set.ip_address_version(sdk::IpAddressVersion::Ipv4).addresses("192.0.2.0/24").build()?;
        let WafArn { scope, name, id } = WafArn::parse(&set.arn)?;
        assert_eq!((scope, name, id), ("CLOUDFRONT", "office", "0a"));
        assert_eq!(live(&set, scope).spec.addresses, BTreeSet::from([Cidr("192.0.2.0/24".into())]));
        Ok(())
    }
}
