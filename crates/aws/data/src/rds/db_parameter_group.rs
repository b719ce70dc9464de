//! DbParameterGroup: how the engine of databases is set.

use std::collections::BTreeMap;

use aws_sdk_rds::types::{self as sdk, ApplyMethod, Parameter};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::Always;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{rds, sdk_tags, tag, tags_of};

/// A group of engine parameters. Its name begins with a letter, has at most 255 letters, digits and single hyphens,
/// and is kept in lower case. A database that has just been given a group takes static parameters at its next reboot
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithParamGroups.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbParameterGroup {
    /// The engine and its major version that it fits: `postgres16`, `mysql8.0`, `mariadb10.11`, `oracle-ee-19`.
    #[spec(immutable)]
    db_parameter_group_family: String,
    /// What it is for. AWS wants a text; without one it says who manages it.
    #[spec(immutable)]
    description: Option<Always<String>>,
    /// The parameters that differ from the engine's defaults, by name; each value is a text. One that is not stated
    /// here is set back to its default. A formula such as `{DBInstanceClassMemory/32768}` is a text too. Dynamic
    /// parameters take effect at once, static ones at the next reboot, which Holdfast leaves to you
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithParamGroups.Modifying.html>).
    parameters: Option<BTreeMap<String, String>>,
}

/// What only AWS knows of a DbParameterGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbParameterGroupStatus {
    /// Its ARN.
    arn: String,
}

/// How many parameters one call takes
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html>).
const AT_ONCE: usize = 20;

impl Kind for DbParameterGroup {
    type Status = DbParameterGroupStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming { lowercase: true, ..Naming::limit(255) };
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let groups = rds(aws).describe_db_parameter_groups().into_paginator().items().send();
        each(groups.collect::<std::result::Result<Vec<_>, _>>().await?, |group| async move {
            let mut live = live(&group)?;
            let asked_for = scope.ids.contains(&live.id) || scope.ids.contains(&live.status.arn);
            if !scope.is_candidate(&live.name) && !asked_for && scope.lookups.is_empty() {
                return Ok(None);
            }
            let arn = live.status.arn.clone();
            let Some(tags) = tagging::tags(aws, scope, &arn, || tags_of(aws, &arn)).await? else { return Ok(None) };
            // Somebody else's, with a name of ours: that it is there is all that matters.
            if asked_for || scope.is_owned(&tags) {
                let Some(parameters) = parameters(aws, &live.id).await? else { return Ok(None) };
                let stated = |p: &Parameter| Some((p.parameter_name.clone()?, p.parameter_value.clone()?));
                live.spec.parameters = Some(parameters.iter().filter_map(stated).collect());
            }
            Ok(Some(live.tags(tags)))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let DbParameterGroup { db_parameter_group_family, description, parameters: _ } = &desired.spec;
        let made = rds(aws)
            .create_db_parameter_group()
            .db_parameter_group_name(&desired.name)
            .db_parameter_group_family(db_parameter_group_family)
            .description(description.as_deref().map_or("Managed by Holdfast", |text| text))
            .set_tags(sdk_tags(&desired.tags))
            .send()
            .await?;
        let told = made.db_parameter_group.and_then(|group| live(&group).ok());
        Ok(desired.told(&desired.name, told))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let DbParameterGroup { db_parameter_group_family: _, description: _, parameters } = &desired.spec;
        if !desired.changed("parameters") {
            return Ok(());
        }
        let none = BTreeMap::new();
        let (wanted, there) = (parameters.as_ref().unwrap_or(&none), live.spec.parameters.as_ref().unwrap_or(&none));
        let gone: Vec<&String> = there.keys().filter(|name| !wanted.contains_key(*name)).collect();
        let new: Vec<(&String, &String)> = wanted.iter().filter(|(name, v)| there.get(*name) != Some(v)).collect();
        // Which of them are dynamic only the whole list says, some 400 parameters: it is read when something changes.
        // No database has a group yet that was made just now: there all may wait for the reboot, SQL Server's apart
        // (https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html).
        let is_new = live.spec.parameters.is_none() && !live.spec.db_parameter_group_family.starts_with("sqlserver");
        let all = if is_new { BTreeMap::new() } else { all_parameters(aws, &live.id).await? };
        for names in gone.chunks(AT_ONCE) {
            let reset = names.iter().map(|name| parameter(name, None, &all)).collect();
            let call =
                rds(aws).reset_db_parameter_group().db_parameter_group_name(&live.id).reset_all_parameters(false);
            call.set_parameters(Some(reset)).send().await?;
        }
        for pairs in new.chunks(AT_ONCE) {
            let set = pairs.iter().map(|(name, value)| parameter(name, Some(value), &all)).collect();
            let call = rds(aws).modify_db_parameter_group().db_parameter_group_name(&live.id);
            call.set_parameters(Some(set)).send().await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        rds(aws).delete_db_parameter_group().db_parameter_group_name(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.status.arn, tags).await
    }
}

/// The parameters that somebody set; none when the group is gone.
async fn parameters(aws: &Aws, name: &str) -> Result<Option<Vec<Parameter>>> {
    let pages = rds(aws).describe_db_parameters().db_parameter_group_name(name).source("user");
    let pages = pages.into_paginator().items().send();
    pages.collect::<std::result::Result<Vec<_>, _>>().await.or_absent()
}

/// Whether each parameter is dynamic, by name.
async fn all_parameters(aws: &Aws, name: &str) -> Result<BTreeMap<String, bool>> {
    let pages = rds(aws).describe_db_parameters().db_parameter_group_name(name).into_paginator().items().send();
    let all = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
    Ok(all.into_iter().filter_map(|p| Some((p.parameter_name?, p.apply_type? == "dynamic"))).collect())
}

/// A parameter as the calls take it. `immediate` is for dynamic ones only; without a value it is one to set back.
fn parameter(name: &str, value: Option<&str>, dynamic: &BTreeMap<String, bool>) -> Parameter {
    let immediate = dynamic.get(name).copied().unwrap_or(false);
    let method = if immediate { ApplyMethod::Immediate } else { ApplyMethod::PendingReboot };
    let parameter = Parameter::builder().parameter_name(name).apply_method(method);
    parameter.set_parameter_value(value.map(str::to_owned)).build()
}

fn live(group: &sdk::DbParameterGroup) -> Result<Live<DbParameterGroup>> {
    let missing = |what| Error::incomplete("rds.DescribeDBParameterGroups", what);
    let name = group.db_parameter_group_name.clone().ok_or_else(|| missing("dbParameterGroupName"))?;
    let arn = group.db_parameter_group_arn.clone().ok_or_else(|| missing("dbParameterGroupArn"))?;
    let spec = DbParameterGroup {
        db_parameter_group_family: group.db_parameter_group_family.clone().unwrap_or_default(),
        description: group.description.clone().map(Always),
        parameters: None,
    };
    Ok(Live::new(name.clone(), name, spec, DbParameterGroupStatus { arn }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_parameters_wait_for_a_reboot() {
        let dynamic = BTreeMap::from([("work_mem".to_owned(), true), ("max_connections".to_owned(), false)]);
        let method = |name| parameter(name, Some("1"), &dynamic).apply_method;
        assert_eq!(method("work_mem"), Some(ApplyMethod::Immediate));
        assert_eq!(method("max_connections"), Some(ApplyMethod::PendingReboot));
        assert_eq!(method("unknown"), Some(ApplyMethod::PendingReboot));
    }
}
