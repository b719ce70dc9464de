//! IpSet: addresses that firewall rules name.

use std::collections::BTreeSet;

use aws_sdk_wafv2::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::Cidr;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{Identity, is_asked_for, scopes, sdk_tags, tag, tags_of, wafv2};

/// A set of addresses for the rules of web ACLs.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IpSet {
    /// `REGIONAL`, or `CLOUDFRONT` for web ACLs of distributions: then its `region` has to be us-east-1.
    #[spec(immutable)]
    scope: String,
    /// `IPV4` or `IPV6`.
    #[spec(immutable)]
    ip_address_version: String,
    /// The addresses as blocks; one address is a block as in `192.0.2.44/32`. `0.0.0.0/0` is refused.
    addresses: BTreeSet<Cidr>,
    /// What people read about it.
    description: Option<String>,
}

/// What only AWS knows of an IpSet.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IpSetStatus {
    /// Its ARN; also its id.
    arn: String,
}

/// The lock token that it was read with.
struct Lock(Option<String>);

impl Kind for IpSet {
    type Status = IpSetStatus;
    const TIER: Tier = Tier::Edge;
    const NAMING: Naming = Naming::limit(128);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is = |service: &str, resource: &str| service == "wafv2" && resource.split('/').nth(1) == Some("ipset");
        if let Some(found) = tagging::known(aws, scope, is, |arn, _| look(aws, scope, arn)).await? {
            return Ok(found);
        }
        let mut listed = vec![];
        for of in scopes(&scope.region) {
            let mut marker = None;
            loop {
                let ask = wafv2(aws).list_ip_sets().scope((*of).into()).limit(100).set_next_marker(marker);
                let page = ask.send().await?;
                listed.extend(page.ip_sets.unwrap_or_default().into_iter().filter_map(|set| set.arn));
                marker = page.next_marker;
                if marker.is_none() {
                    break;
                }
            }
        }
        each(listed, |arn| look(aws, scope, arn)).await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let IpSet { scope, ip_address_version, addresses, description } = &desired.spec;
        let made = wafv2(aws)
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
        let summary = made.summary.ok_or_else(missing)?;
        let arn = summary.arn.ok_or_else(missing)?;
        Ok(desired.made(arn.clone(), IpSetStatus { arn }).keep(Lock(summary.lock_token)).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let IpSet { scope: _, ip_address_version: _, addresses, description } = &desired.spec;
        let (Identity { scope, name, id }, Lock(lock)) = (Identity::of(&live.id)?, live.raw::<Lock>()?);
        let update = wafv2(aws).update_ip_set().name(name).scope(scope.into()).id(id).set_lock_token(lock.clone());
        // What is left out is erased.
        update.set_addresses(Some(blocks(addresses))).set_description(description.clone()).send().await?;
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let (Identity { scope, name, id }, Lock(lock)) = (Identity::of(&live.id)?, live.raw::<Lock>()?);
        let delete = wafv2(aws).delete_ip_set().name(name).scope(scope.into()).id(id);
        delete.set_lock_token(lock.clone()).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

fn blocks(addresses: &BTreeSet<Cidr>) -> Vec<String> {
    addresses.iter().map(|block| block.0.clone()).collect()
}

/// All of one IP set; none when it went away or is not asked for.
async fn look(aws: &Aws, scope: &Scope, arn: String) -> Result<Option<Live<IpSet>>> {
    let Identity { scope: of, name, id } = Identity::of(&arn)?;
    if !is_asked_for(scope, name, &arn) {
        return Ok(None);
    }
    let ask = wafv2(aws).get_ip_set().name(name).scope(of.into()).id(id).send();
    let (tags, answer) =
        futures::try_join!(tagging::tags(aws, scope, &arn, || tags_of(aws, &arn)), async { ask.await.or_absent() })?;
    let (Some(tags), Some(answer)) = (tags, answer) else { return Ok(None) };
    let set = answer.ip_set.ok_or_else(|| Error::incomplete("wafv2.GetIPSet", "ipSet"))?;
    Ok(Some(live(&set, of).tags(tags).keep(Lock(answer.lock_token))))
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
    fn the_arn_says_the_scope() -> Result<()> {
        let set = sdk::IpSet::builder().name("office").id("0a").arn("arn:aws:wafv2:us-east-1:1:global/ipset/office/0a");
        let set = set.ip_address_version(sdk::IpAddressVersion::Ipv4).addresses("192.0.2.0/24").build()?;
        let Identity { scope, name, id } = Identity::of(&set.arn)?;
        assert_eq!((scope, name, id), ("CLOUDFRONT", "office", "0a"));
        assert_eq!(live(&set, scope).spec.addresses, BTreeSet::from([Cidr("192.0.2.0/24".into())]));
        Ok(())
    }
}
