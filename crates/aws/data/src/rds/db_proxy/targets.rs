//! The default target group of a proxy: its database and its connection pool.

use std::collections::BTreeSet;

use aws_sdk_rds::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::sdk::{all, texts};
use holdfast_core::types::{Ref, ServerDefault};

use super::spec::ConnectionPoolConfiguration;
use crate::rds::db_instance::DbInstance;
use crate::rds::{rds, value};

/// The only target group of a proxy
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBProxyTargetGroup.html>).
const TARGET_GROUP: &str = "default";

/// Returns the connection pool of a proxy; none when the proxy does not exist.
pub(super) async fn connection_pool(aws: &Aws, proxy: &str) -> Result<Option<ConnectionPoolConfiguration>> {
    let output = rds(aws).describe_db_proxy_target_groups().db_proxy_name(proxy).send().await.or_absent()?;
    let groups = output.and_then(|output| output.target_groups).unwrap_or_default();
    let group = groups.into_iter().find(|group| group.target_group_name() == Some(TARGET_GROUP));
    Ok(group.and_then(|group| group.connection_pool_config).map(|response| ConnectionPoolConfiguration {
        max_connections_percent: response.max_connections_percent.map(ServerDefault),
        max_idle_connections_percent: response.max_idle_connections_percent.map(ServerDefault),
        connection_borrow_timeout: response.connection_borrow_timeout.map(ServerDefault),
        session_pinning_filters: Some(response.session_pinning_filters.unwrap_or_default().into_iter().collect()),
        init_query: response.init_query.filter(|text| !text.is_empty()),
    }))
}

/// Returns the databases that are registered with a proxy; none when the proxy does not exist.
pub(super) async fn targets(aws: &Aws, proxy: &str) -> Result<Option<BTreeSet<Ref<DbInstance>>>> {
    let pages = rds(aws).describe_db_proxy_targets().db_proxy_name(proxy).into_paginator().items().send();
    let targets = all(pages).await.or_absent()?;
    let instance = |target: &sdk::DbProxyTarget| target.r#type == Some(sdk::TargetType::RdsInstance);
    let id = |target: sdk::DbProxyTarget| target.rds_resource_id.map(Ref::new);
    Ok(targets.map(|targets| targets.into_iter().filter(instance).filter_map(id).collect()))
}

/// Deregisters and registers the databases that differ. Deregistration comes first, since a proxy has at most one
/// database.
pub(super) async fn set_targets(
    aws: &Aws,
    proxy: &str,
    current: &BTreeSet<Ref<DbInstance>>,
    desired: &BTreeSet<Ref<DbInstance>>,
) -> Result<()> {
    let (removed, added) = (current - desired, desired - current);
    if !removed.is_empty() {
        let deregister = rds(aws).deregister_db_proxy_targets().db_proxy_name(proxy).target_group_name(TARGET_GROUP);
        deregister.set_db_instance_identifiers(Some(texts(&removed))).send().await.or_absent()?;
    }
    if !added.is_empty() {
        let register = rds(aws).register_db_proxy_targets().db_proxy_name(proxy).target_group_name(TARGET_GROUP);
        register.set_db_instance_identifiers(Some(texts(&added))).send().await?;
    }
    Ok(())
}

/// Sets the connection pool, with all values that are known. AWS keeps a value that the call leaves out, except for the
/// idle share, which AWS then sets to half of the whole.
pub(super) async fn set_pool(
    aws: &Aws,
    proxy: &str,
    current: Option<&ConnectionPoolConfiguration>,
    desired: &ConnectionPoolConfiguration,
) -> Result<()> {
    let ConnectionPoolConfiguration {
        max_connections_percent,
        max_idle_connections_percent,
        connection_borrow_timeout,
        session_pinning_filters,
        init_query,
    } = desired;
    let had_query = current.is_some_and(|current| current.init_query.is_some());
    let config = sdk::ConnectionPoolConfiguration::builder()
        .set_max_connections_percent(value(max_connections_percent))
        .set_max_idle_connections_percent(value(max_idle_connections_percent))
        .set_connection_borrow_timeout(value(connection_borrow_timeout))
        .set_session_pinning_filters(Some(session_pinning_filters.iter().flatten().cloned().collect()))
        .set_init_query(init_query.clone().or(had_query.then(String::new)))
        .build();
    let modify = rds(aws).modify_db_proxy_target_group().db_proxy_name(proxy).target_group_name(TARGET_GROUP);
    modify.connection_pool_config(config).send().await?;
    Ok(())
}
