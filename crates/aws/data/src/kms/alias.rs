//! Alias: a friendly name for a KMS key.

use aws_sdk_kms::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{Child, ViaParent};
use holdfast_base::sdk::all;
use holdfast_core::Spec;
use holdfast_core::observed::tag;
use holdfast_core::schema::{FieldName, Idempotency, NamingRules, Replacement, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::key::Key;
use super::{kms, tags_of};

/// A KMS alias: a friendly name for a key, which API calls accept in place of the key id.
///
/// The alias name begins with `alias/` and not with `alias/aws/`; the default is `alias/<stack>-<env>-<name>`. An alias
/// has no tags: Holdfast owns an alias if it owns the alias's key. If the name is already in use for a key of the same
/// stack and environment, the alias is moved to the target key. An alias of any other key is not moved.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alias {
    /// The key that the alias names.
    #[spec(immutable)]
    target_key: Ref<Key>,
}

/// The read-only attributes of an Alias.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AliasStatus {
    /// The ARN of the alias.
    arn: String,
}

impl Kind for Alias {
    type Status = AliasStatus;
    type Owner = ViaParent;
    const TIER: Tier = Tier::Data;
    const REPLACEMENT: Replacement = Replacement::DestroyBeforeCreate;
    const NAMING: NamingRules = NamingRules {
        prefix: "alias/",
        reserved: &["alias/aws/"],
        form: (r"alias/[A-Za-z0-9/_-]+", "begins with `alias/` and then has letters, digits and the characters `/_-`"),
        ..NamingRules::limit(256)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;

    /// Returns every alias of the region: the list response is complete, and the tags of a key tell which aliases it has.
    async fn observe(aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(list(aws).await?.iter().filter_map(live).collect())
    }

    /// Creates the alias with one mutating call, or moves an existing alias of the stack's own keys.
    ///
    /// # Expected flow
    /// 1. Call CreateAlias.
    /// 2. On `AlreadyExistsException`, list the aliases, and read the tags of the alias's key and of the target key.
    /// 3. If both keys have the same stack and environment, call UpdateAlias.
    ///
    /// # Guarantees
    /// An alias of a key of another stack or environment is never moved.
    ///
    /// # Errors
    /// Returns a `Terminal` failure if the name is in use for another stack's key. If the alias no longer exists in
    /// step 2, returns the failure of CreateAlias.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Alias { target_key } = &desired.spec;
        let name = &desired.name;
        match kms(aws).create_alias().alias_name(name).target_key_id(target_key.as_str()).send().await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_already_exists_exception()) => {
                take_over(aws, name, target_key.as_str(), error.into()).await?;
            }
            response => drop(response?),
        }
        let live = aws.arn("kms", name).map(|arn| desired.as_live(name, AliasStatus { arn }));
        Ok(desired.confirmed(name, live))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Alias { target_key: _ } = &desired.spec;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        kms(aws).delete_alias().alias_name(&live.id).send().await?;
        Ok(())
    }
}

impl Child for Alias {
    const PARENT: FieldName<Self> = Self::TARGET_KEY;
}

/// Moves an existing alias to this key, if the alias belongs to one of the stack's own keys.
async fn take_over(aws: &Aws, name: &str, target: &str, refused: Error) -> Result<()> {
    let listed = list(aws).await?;
    let existing = listed.iter().find(|alias| alias.alias_name() == Some(name));
    let Some(key) = existing.and_then(|alias| alias.target_key_id()) else { return Err(refused) };
    if key != target && !have_same_owner(aws, key, target).await? {
        let message =
            format!("the alias `{name}` belongs to key {key}, which is not owned by this stack; choose another `name`");
        return Err(Error::terminal("kms.CreateAlias", message));
    }
    kms(aws).update_alias().alias_name(name).target_key_id(target).send().await?;
    Ok(())
}

/// Lists all aliases of the region with their target keys: one hundred a page.
async fn list(aws: &Aws) -> Result<Vec<sdk::AliasListEntry>> {
    all(kms(aws).list_aliases().limit(100).into_paginator().items().send()).await
}

/// True when both keys have the owner tags of the same stack and environment.
async fn have_same_owner(aws: &Aws, one: &str, other: &str) -> Result<bool> {
    let (one, other) = futures::try_join!(tags_of(aws, one), tags_of(aws, other))?;
    let owner = |tags: Option<holdfast_base::tagging::Tags>| {
        let tags = tags.unwrap_or_default();
        Some((tags.get(tag::STACK)?.clone(), tags.get(tag::ENV)?.clone()))
    };
    let (one, other) = (owner(one), owner(other));
    Ok(one.is_some() && one == other)
}

/// Returns the live alias; `None` for an AWS managed alias that has no key yet.
fn live(alias: &sdk::AliasListEntry) -> Option<Live<Alias>> {
    let (name, arn) = (alias.alias_name.clone()?, alias.alias_arn.clone()?);
    let spec = Alias { target_key: Ref::new(alias.target_key_id.clone()?) };
    Some(Live::new(name.clone(), name, spec, AliasStatus { arn }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_without_a_key_is_ignored() {
        let alias = sdk::AliasListEntry::builder().alias_name("alias/aws/ebs").alias_arn("arn:aws:kms:…");
        assert!(live(&alias.clone().build()).is_none());
        assert!(live(&alias.target_key_id("1").build()).is_some());
    }
}
