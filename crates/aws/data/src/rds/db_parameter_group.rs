//! DbParameterGroup: settings of a database engine.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_rds::types::{self as sdk, ApplyMethod, Parameter};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::all;
use holdfast_base::wanted::each;
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::ServerDefault;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{RdsTags, rds, sdk_tags, wanted};

/// A DB parameter group: settings of a database engine. The name begins with a letter, has at most 255 letters, digits
/// and single hyphens, and is stored in lower case. A database that gets another group applies static parameters at its
/// next reboot (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithParamGroups.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbParameterGroup {
    /// The parameter group family, which is an engine with its major version: `postgres16`, `mysql8.0`, `mariadb10.11`,
    /// `oracle-ee-19`.
    #[spec(
        immutable,
        pattern = "(mariadb|mysql|postgres)[0-9]+([.][0-9]+)*|(aurora|custom|db2|oracle|sqlserver)-[a-z0-9.-]+"
    )]
    db_parameter_group_family: String,
    /// The description. AWS requires a text; Holdfast's default is `Managed by Holdfast`.
    #[spec(immutable)]
    description: Option<ServerDefault<String>>,
    /// The parameters that differ from the engine's defaults, by name. Each value is a text; a formula such as
    /// `{DBInstanceClassMemory/32768}` is a text too. A parameter that is not stated is reset to its default. Dynamic
    /// parameters take effect immediately. Static parameters take effect at the next reboot, which Holdfast does not
    /// start (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithParamGroups.Modifying.html>).
    parameters: Option<BTreeMap<String, String>>,
}

/// The read-only attributes of a DbParameterGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbParameterGroupStatus {
    /// The ARN.
    arn: String,
}

/// The greatest number of parameters in one call
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html>).
const MAX_PARAMETERS: usize = 20;

impl Kind for DbParameterGroup {
    type Status = DbParameterGroupStatus;
    type Owner = TagOnCreate<RdsTags, ByArn>;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules {
        lowercase: true,
        form: (r"[A-Za-z](-?[A-Za-z0-9])*", "begins with a letter, and has letters, digits and single hyphens"),
        ..NamingRules::limit(255)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let groups = rds(aws).describe_db_parameter_groups().into_paginator().items().send();
        each(all(groups).await?, |group| async move {
            let Some((mut live, want)) = wanted(aws, scope, live(&group)?).await? else { return Ok(None) };
            if want.fields() {
                let Some(mut found) = parameters(aws, &live.id, Some("user")).await? else { return Ok(None) };
                let stated = scope.requested_keys(&live.tags, DbParameterGroup::PARAMETERS.name());
                let missing: BTreeSet<&str> = stated.filter(|name| !found.contains_key(*name)).collect();
                if !missing.is_empty() {
                    // AWS does not call a parameter the user's whose value is the default of the family.
                    let mut all = parameters(aws, &live.id, None).await?.unwrap_or_default();
                    all.retain(|name, _| missing.contains(name.as_str()));
                    found.extend(all);
                }
                live.spec.parameters = Some(found);
            }
            Ok(Some(live))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let DbParameterGroup { db_parameter_group_family, description, parameters: _ } = &desired.spec;
        let output = rds(aws)
            .create_db_parameter_group()
            .db_parameter_group_name(&desired.name)
            .db_parameter_group_family(db_parameter_group_family)
            .description(description.as_deref().map_or("Managed by Holdfast", |text| text))
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let created = output.db_parameter_group.and_then(|group| live(&group).ok());
        Ok(desired.confirmed(&desired.name, created))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let DbParameterGroup { db_parameter_group_family: _, description: _, parameters } = &desired.spec;
        if !desired.changed(DbParameterGroup::PARAMETERS) {
            return Ok(Updated::Known);
        }
        let none = BTreeMap::new();
        let (stated, current) = (parameters.as_ref().unwrap_or(&none), live.spec.parameters.as_ref().unwrap_or(&none));
        let removed: Vec<&String> = current.keys().filter(|name| !stated.contains_key(*name)).collect();
        let changed: Vec<(&String, &String)> =
            stated.iter().filter(|(name, v)| current.get(*name) != Some(v)).collect();
        // Only the whole list, some 400 parameters, says which parameters are dynamic. It is read only when something
        // changes. No database uses a new group yet, so that all parameters of a new group may wait for the reboot,
        // except for SQL Server
        // (https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html).
        let is_new = live.spec.parameters.is_none() && !live.spec.db_parameter_group_family.starts_with("sqlserver");
        let dynamic = if is_new { BTreeMap::new() } else { all_parameters(aws, &live.id).await? };
        for names in removed.chunks(MAX_PARAMETERS) {
            let reset = names.iter().map(|name| parameter(name, None, &dynamic)).collect();
            let call =
                rds(aws).reset_db_parameter_group().db_parameter_group_name(&live.id).reset_all_parameters(false);
            call.set_parameters(Some(reset)).send().await?;
        }
        for pairs in changed.chunks(MAX_PARAMETERS) {
            let set = pairs.iter().map(|(name, value)| parameter(name, Some(value), &dynamic)).collect();
            let call = rds(aws).modify_db_parameter_group().db_parameter_group_name(&live.id);
            call.set_parameters(Some(set)).send().await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        rds(aws).delete_db_parameter_group().db_parameter_group_name(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the parameters with a value, by name: all, or those that a user has set, as AWS records it; none when the
/// group does not exist.
async fn parameters(aws: &Aws, name: &str, source: Option<&str>) -> Result<Option<BTreeMap<String, String>>> {
    let pages = rds(aws).describe_db_parameters().db_parameter_group_name(name);
    let pages = pages.set_source(source.map(str::to_owned)).into_paginator().items().send();
    let found = all(pages).await.or_absent()?;
    let pair = |p: Parameter| Some((p.parameter_name?, p.parameter_value?));
    Ok(found.map(|found| found.into_iter().filter_map(pair).collect()))
}

/// Returns for each parameter, by name, whether it is dynamic.
async fn all_parameters(aws: &Aws, name: &str) -> Result<BTreeMap<String, bool>> {
    let pages = rds(aws).describe_db_parameters().db_parameter_group_name(name).into_paginator().items().send();
    let all = all(pages).await?;
    Ok(all.into_iter().filter_map(|p| Some((p.parameter_name?, p.apply_type? == "dynamic"))).collect())
}

/// Builds a parameter for a modify call, or for a reset call when there is no value. Only dynamic parameters accept the
/// apply method `immediate`.
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
        description: group.description.clone().map(ServerDefault),
        parameters: None,
    };
    Ok(Live::new(name.clone(), name, spec, DbParameterGroupStatus { arn }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dynamic_parameters_are_applied_immediately() {
        let dynamic = BTreeMap::from([("work_mem".to_owned(), true), ("max_connections".to_owned(), false)]);
        let method = |name| parameter(name, Some("1"), &dynamic).apply_method;
        assert_eq!(method("work_mem"), Some(ApplyMethod::Immediate));
        assert_eq!(method("max_connections"), Some(ApplyMethod::PendingReboot));
        assert_eq!(method("unknown"), Some(ApplyMethod::PendingReboot));
    }
}
