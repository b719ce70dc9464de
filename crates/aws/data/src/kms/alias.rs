//! Alias: a name for a key.

use aws_sdk_kms::types as sdk;
use futures::TryFutureExt;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made};
use holdfast_core::Spec;
use holdfast_core::observed::tag;
use holdfast_core::schema::{Claim, CreateClass, Named as _, Naming, Replace, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::key::Key;
use super::kms;
use super::tags_of;

/// A name by which calls can mean a key. Its own name begins with `alias/`, not with `alias/aws/`; the default is
/// `alias/<stack>-<env>-<name>`. It has no tags: it is ours when its key is. An alias of a key of the same stack and
/// environment is moved to the key that the document names, one of anybody else's key is not.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alias {
    /// The key that it means.
    #[spec(immutable)]
    target_key: Ref<Key>,
}

/// What only AWS knows of an Alias.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AliasStatus {
    /// Its ARN.
    arn: String,
}

impl Kind for Alias {
    type Status = AliasStatus;
    const TIER: Tier = Tier::Data;
    const CLAIM: Claim = Claim::Parent { field: "targetKey", key: &[] };
    const REPLACE: Replace = Replace::DeleteFirst;
    const NAMING: Naming = Naming { prefix: "alias/", ..Naming::limit(256) };
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let wanted = |alias: &sdk::AliasListEntry| {
            let name = alias.alias_name().unwrap_or_default();
            let key = alias.target_key_id().unwrap_or_default();
            let asked_for = scope.ids.contains(name) || !scope.lookups.is_empty();
            scope.is_candidate(name) || scope.is_parent(Key::KIND, key) || asked_for
        };
        Ok(list(aws).await?.iter().filter(|alias| wanted(alias)).filter_map(live).collect())
    }

    /// One mutating call: where an alias of the stack's own keys has the name, it is moved.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let Alias { target_key } = &desired.spec;
        let name = &desired.name;
        match kms(aws).create_alias().alias_name(name).target_key_id(target_key.as_str()).send().await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_already_exists_exception()) => {
                take_over(aws, name, target_key.as_str(), error.into()).await?;
            }
            answer => drop(answer?),
        }
        let told = aws.arn("kms", name).map(|arn| desired.made(name, AliasStatus { arn }));
        Ok(desired.told(name, told))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let Alias { target_key: _ } = &desired.spec;
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        kms(aws).delete_alias().alias_name(&live.id).send().await?;
        Ok(())
    }
}

/// Moves an alias that is there to this key, if it is of the stack's own keys.
async fn take_over(aws: &Aws, name: &str, target: &str, refused: Error) -> Result<()> {
    let listed = list(aws).await?;
    let there = listed.iter().find(|alias| alias.alias_name() == Some(name));
    let Some(key) = there.and_then(|alias| alias.target_key_id()) else { return Err(refused) };
    if key != target && !is_of_one_owner(aws, key, target).await? {
        let message = format!("`{name}` names key {key}, which is not of this stack; choose another `name`");
        return Err(Error::terminal("kms.CreateAlias", message));
    }
    kms(aws).update_alias().alias_name(name).target_key_id(target).send().await?;
    Ok(())
}

/// All aliases of the region: a page has a hundred of them, and names their keys.
async fn list(aws: &Aws) -> Result<Vec<sdk::AliasListEntry>> {
    let pages = kms(aws).list_aliases().limit(100).into_paginator().items().send();
    pages.collect::<std::result::Result<Vec<_>, _>>().map_err(Error::from).await
}

/// True when both keys have the owner tags of the same stack and environment.
async fn is_of_one_owner(aws: &Aws, one: &str, other: &str) -> Result<bool> {
    let (one, other) = futures::try_join!(tags_of(aws, one), tags_of(aws, other))?;
    let owner = |tags: Option<holdfast_base::tagging::Tags>| {
        let tags = tags.unwrap_or_default();
        Some((tags.get(tag::STACK)?.clone(), tags.get(tag::ENV)?.clone()))
    };
    let (one, other) = (owner(one), owner(other));
    Ok(one.is_some() && one == other)
}

/// An alias; none of AWS's own that names no key yet.
fn live(alias: &sdk::AliasListEntry) -> Option<Live<Alias>> {
    let (name, arn) = (alias.alias_name.clone()?, alias.alias_arn.clone()?);
    let spec = Alias { target_key: Ref::new(alias.target_key_id.clone()?) };
    Some(Live::new(name.clone(), name, spec, AliasStatus { arn }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_without_a_key_is_none() {
        let alias = sdk::AliasListEntry::builder().alias_name("alias/aws/ebs").alias_arn("arn:aws:kms:…");
        assert!(live(&alias.clone().build()).is_none());
        assert!(live(&alias.target_key_id("1").build()).is_some());
    }
}
