//! What stands behind a proxy: the database in its default target group, and that group's pool of connections.

use std::collections::BTreeSet;

use aws_sdk_rds::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_core::types::{Always, Ref};

use super::db_instance::DbInstance;
use super::db_proxy::ConnectionPool;
use super::rds;
use super::texts;

/// The one target group there is (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBProxyTargetGroup.html>).
const GROUP: &str = "default";

/// The pool of a proxy; none when the proxy is gone.
pub(super) async fn connection_pool(aws: &Aws, proxy: &str) -> Result<Option<ConnectionPool>> {
    let answer = rds(aws).describe_db_proxy_target_groups().db_proxy_name(proxy).send().await.or_absent()?;
    let groups = answer.and_then(|answer| answer.target_groups).unwrap_or_default();
    let group = groups.into_iter().find(|group| group.target_group_name() == Some(GROUP));
    Ok(group.and_then(|group| group.connection_pool_config).map(|told| ConnectionPool {
        max_connections_percent: told.max_connections_percent.map(Always),
        max_idle_connections_percent: told.max_idle_connections_percent.map(Always),
        connection_borrow_timeout: told.connection_borrow_timeout.map(Always),
        session_pinning_filters: Some(told.session_pinning_filters.unwrap_or_default().into_iter().collect()),
        init_query: told.init_query.filter(|text| !text.is_empty()),
    }))
}

/// The databases that are registered with a proxy; none when the proxy is gone.
pub(super) async fn targets(aws: &Aws, proxy: &str) -> Result<Option<BTreeSet<Ref<DbInstance>>>> {
    let pages = rds(aws).describe_db_proxy_targets().db_proxy_name(proxy).into_paginator().items().send();
    let targets = pages.collect::<std::result::Result<Vec<_>, _>>().await.or_absent()?;
    let instance = |target: &sdk::DbProxyTarget| target.r#type == Some(sdk::TargetType::RdsInstance);
    let id = |target: sdk::DbProxyTarget| target.rds_resource_id.map(Ref::new);
    Ok(targets.map(|targets| targets.into_iter().filter(instance).filter_map(id).collect()))
}

/// Registers and deregisters what differs; the old one goes first, since there is room for one.
pub(super) async fn set_targets(
    aws: &Aws,
    proxy: &str,
    there: &BTreeSet<Ref<DbInstance>>,
    wanted: &BTreeSet<Ref<DbInstance>>,
) -> Result<()> {
    let (gone, new) = (there - wanted, wanted - there);
    if !gone.is_empty() {
        let deregister = rds(aws).deregister_db_proxy_targets().db_proxy_name(proxy).target_group_name(GROUP);
        deregister.set_db_instance_identifiers(Some(texts(&gone))).send().await.or_absent()?;
    }
    if !new.is_empty() {
        let register = rds(aws).register_db_proxy_targets().db_proxy_name(proxy).target_group_name(GROUP);
        register.set_db_instance_identifiers(Some(texts(&new))).send().await?;
    }
    Ok(())
}

/// Sets the pool. What the call leaves out AWS keeps, but for the idle share, which it makes half of the whole: so
/// all that is known is sent.
pub(super) async fn set_pool(
    aws: &Aws,
    proxy: &str,
    there: Option<&ConnectionPool>,
    wanted: &ConnectionPool,
) -> Result<()> {
    let ConnectionPool {
        max_connections_percent,
        max_idle_connections_percent,
        connection_borrow_timeout,
        session_pinning_filters,
        init_query,
    } = wanted;
    let had_query = there.is_some_and(|there| there.init_query.is_some());
    let config = sdk::ConnectionPoolConfiguration::builder()
        .set_max_connections_percent(max_connections_percent.as_deref().copied())
        .set_max_idle_connections_percent(max_idle_connections_percent.as_deref().copied())
        .set_connection_borrow_timeout(connection_borrow_timeout.as_deref().copied())
        .set_session_pinning_filters(Some(session_pinning_filters.iter().flatten().cloned().collect()))
        .set_init_query(init_query.clone().or(had_query.then(String::new)))
        .build();
    let modify = rds(aws).modify_db_proxy_target_group().db_proxy_name(proxy).target_group_name(GROUP);
    modify.connection_pool_config(config).send().await?;
    Ok(())
}
