//! DbProxy: a pool of connections before a database.

use std::collections::BTreeSet;

use aws_sdk_rds::types::{self as sdk, DbProxyStatus as State};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::names::Role;
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Subnet;
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::db_instance::DbInstance;
use super::db_proxy_targets::{connection_pool, set_pool, set_targets, targets};
use super::{rds, sdk_tags, tag, tags_of, texts};
use crate::secretsmanager::secret::Secret;

/// A proxy before a database. Its name begins with a letter, has at most 63 letters, digits and single hyphens, and
/// is kept in lower case. Making one takes minutes
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBProxy.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbProxy {
    /// `POSTGRESQL`, `MYSQL` or `SQLSERVER`.
    #[spec(immutable)]
    engine_family: String,
    /// The secrets with which it logs in, one for each database user.
    auth: Option<BTreeSet<ProxyAuth>>,
    /// `NONE` (AWS's default) or `IAM_AUTH`: it logs in to the database with IAM, and needs no secret.
    default_auth_scheme: Option<Always<String>>,
    /// How clients prove who they are, for all of `auth`: `POSTGRES_SCRAM_SHA_256`, `POSTGRES_MD5`,
    /// `MYSQL_NATIVE_PASSWORD`, `MYSQL_CACHING_SHA2_PASSWORD` or `SQL_SERVER_AUTHENTICATION`. AWS's default goes by
    /// the engine.
    client_password_auth_type: Option<Always<String>>,
    /// The role with which it reads the secrets.
    role: Ref<Role, Arn>,
    /// Its subnets, in at least two zones.
    #[spec(immutable)]
    vpc_subnets: BTreeSet<Ref<Subnet>>,
    /// Its security groups; without any, the network's default group.
    vpc_security_groups: Option<Always<BTreeSet<Ref<SecurityGroup>>>>,
    /// Whether clients have to use TLS. AWS's default is false.
    require_tls: Option<Always<bool>>,
    /// Seconds that a client may be idle: 1 to 28800. AWS's default is 1800.
    idle_client_timeout: Option<Always<i32>>,
    /// Whether it logs statements, with what they hold; AWS turns it off after a day.
    debug_logging: Option<Always<bool>>,
    /// The database that it stands before: at most one. CreateDBProxy does not take it, so that it follows the
    /// create.
    db_instances: Option<BTreeSet<Ref<DbInstance>>>,
    /// How it pools connections. It follows the create too.
    connection_pool_config: Option<Always<ConnectionPool>>,
}

/// How a proxy logs in with one secret
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_UserAuthConfig.html>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProxyAuth {
    /// The secret; its JSON has `username` and `password`. For the one that RDS makes, write
    /// `{ arn: "${DbInstance.<name>.masterUserSecretArn}" }`.
    secret: Ref<Secret, Arn>,
    /// `DISABLED`, `REQUIRED`, or for SQL Server `ENABLED`: whether clients log in with IAM.
    #[serde(default = "disabled")]
    iam_auth: String,
    /// `SECRETS`: there is no other.
    #[serde(default = "secrets")]
    auth_scheme: String,
    /// What it is for.
    #[serde(default)]
    description: String,
}

fn disabled() -> String {
    "DISABLED".into()
}

fn secrets() -> String {
    "SECRETS".into()
}

/// How a proxy pools connections
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ConnectionPoolConfiguration.html>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionPool {
    /// How much of the database's `max_connections` it may use: 1 to 100 percent. AWS's default is 100.
    pub(super) max_connections_percent: Option<Always<i32>>,
    /// How much of it stays open while idle: 0 to `maxConnectionsPercent`. AWS's default is half of that.
    pub(super) max_idle_connections_percent: Option<Always<i32>>,
    /// Seconds that a client waits for a connection: 0 to 300. AWS's default is 120.
    pub(super) connection_borrow_timeout: Option<Always<i32>>,
    /// What does not bind a client to its connection: `EXCLUDE_VARIABLE_SETS`.
    pub(super) session_pinning_filters: Option<BTreeSet<String>>,
    /// Statements that each new connection begins with: `SET x=1, y=2`.
    pub(super) init_query: Option<String>,
}

/// What only AWS knows of a DbProxy.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbProxyStatus {
    /// Its ARN.
    arn: String,
    /// The host that clients connect to; the port is the engine's default.
    endpoint: Option<String>,
    /// The network of its subnets.
    vpc_id: Option<String>,
}

impl Kind for DbProxy {
    type Status = DbProxyStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming { lowercase: true, ..Naming::limit(63) };
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = rds(aws).describe_db_proxies().into_paginator().items().send();
        each(pages.collect::<std::result::Result<Vec<_>, _>>().await?, |proxy| async move {
            let mut live = live(&proxy)?;
            let asked_for = scope.ids.contains(&live.id) || scope.ids.contains(&live.status.arn);
            if !scope.is_candidate(&live.name) && !asked_for && scope.lookups.is_empty() {
                return Ok(None);
            }
            let arn = live.status.arn.clone();
            let Some(tags) = tagging::tags(aws, scope, &arn, || tags_of(aws, &arn)).await? else { return Ok(None) };
            live.tags = tags;
            // Targets and pool of those that are wanted; one that is going has none to be told.
            if (asked_for || scope.is_owned(&live.tags)) && live.phase != Phase::Deleting {
                let (pool, instances) = futures::try_join!(connection_pool(aws, &live.id), targets(aws, &live.id))?;
                let (Some(pool), Some(instances)) = (pool, instances) else { return Ok(None) };
                live.spec.connection_pool_config = Some(Always(pool));
                live.spec.db_instances = Some(instances);
            }
            Ok(Some(live))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let DbProxy {
            engine_family,
            auth,
            default_auth_scheme,
            client_password_auth_type,
            role,
            vpc_subnets,
            vpc_security_groups,
            require_tls,
            idle_client_timeout,
            debug_logging,
            db_instances: _,
            connection_pool_config: _,
        } = &desired.spec;
        let made = rds(aws)
            .create_db_proxy()
            .db_proxy_name(&desired.name)
            .engine_family(engine_family.as_str().into())
            .set_auth(auth.as_ref().map(|auth| sdk_auth(auth, client_password_auth_type.as_deref())))
            .set_default_auth_scheme(default_auth_scheme.as_ref().map(|scheme| scheme.as_str().into()))
            .role_arn(role.as_str())
            .set_vpc_subnet_ids(Some(texts(vpc_subnets)))
            .set_vpc_security_group_ids(vpc_security_groups.as_deref().map(texts))
            .set_require_tls(require_tls.as_deref().copied())
            .set_idle_client_timeout(idle_client_timeout.as_deref().copied())
            .set_debug_logging(debug_logging.as_deref().copied())
            .set_tags(sdk_tags(&desired.tags))
            .send()
            .await?;
        let told = made.db_proxy.and_then(|proxy| live(&proxy).ok());
        Ok(desired.told(&desired.name, told))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let DbProxy {
            engine_family: _,
            auth,
            default_auth_scheme,
            client_password_auth_type,
            role,
            vpc_subnets: _,
            vpc_security_groups,
            require_tls,
            idle_client_timeout,
            debug_logging,
            db_instances,
            connection_pool_config,
        } = &desired.spec;
        // Pool and targets first: while AWS modifies the proxy itself, it takes neither.
        if let Some(pool) = connection_pool_config.as_deref().filter(|_| desired.changed("connectionPoolConfig")) {
            set_pool(aws, &live.id, live.spec.connection_pool_config.as_deref(), pool).await?;
        }
        if desired.changed("dbInstances") {
            let (none, there) = (BTreeSet::new(), live.spec.db_instances.clone().unwrap_or_default());
            set_targets(aws, &live.id, &there, db_instances.as_ref().unwrap_or(&none)).await?;
        }
        let others = ["connectionPoolConfig", "dbInstances", "tags"];
        if desired.changed.iter().any(|field| !others.contains(&field.as_str())) {
            rds(aws)
                .modify_db_proxy()
                .db_proxy_name(&live.id)
                .set_auth(auth.as_ref().map(|auth| sdk_auth(auth, client_password_auth_type.as_deref())))
                .set_default_auth_scheme(default_auth_scheme.as_ref().map(|scheme| scheme.as_str().into()))
                .role_arn(role.as_str())
                .set_security_groups(vpc_security_groups.as_deref().map(texts))
                .set_require_tls(require_tls.as_deref().copied())
                .set_idle_client_timeout(idle_client_timeout.as_deref().copied())
                .set_debug_logging(debug_logging.as_deref().copied())
                .send()
                .await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        rds(aws).delete_db_proxy().db_proxy_name(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.status.arn, tags).await
    }
}

fn sdk_auth(auth: &BTreeSet<ProxyAuth>, client: Option<&String>) -> Vec<sdk::UserAuthConfig> {
    let one = |ProxyAuth { secret, iam_auth, auth_scheme, description }: &ProxyAuth| {
        sdk::UserAuthConfig::builder()
            .secret_arn(secret.as_str())
            .auth_scheme(auth_scheme.as_str().into())
            .iam_auth(iam_auth.as_str().into())
            .set_client_password_auth_type(client.map(|of| of.as_str().into()))
            .set_description(Some(description.clone()).filter(|text| !text.is_empty()))
            .build()
    };
    auth.iter().map(one).collect()
}

/// The proxy as the list tells it: without pool and targets.
fn live(proxy: &sdk::DbProxy) -> Result<Live<DbProxy>> {
    let missing = |what| Error::incomplete("rds.DescribeDBProxies", what);
    let name = proxy.db_proxy_name.clone().ok_or_else(|| missing("dbProxyName"))?;
    let arn = proxy.db_proxy_arn.clone().ok_or_else(|| missing("dbProxyArn"))?;
    let auth = |told: &sdk::UserAuthConfigInfo| {
        Some(ProxyAuth {
            secret: Ref::new(told.secret_arn.clone()?),
            iam_auth: told.iam_auth.as_ref().map_or_else(disabled, |mode| mode.as_str().into()),
            auth_scheme: told.auth_scheme.as_ref().map_or_else(secrets, |scheme| scheme.as_str().into()),
            description: told.description.clone().unwrap_or_default(),
        })
    };
    let client = proxy.auth().first().and_then(|auth| auth.client_password_auth_type.as_ref());
    let spec = DbProxy {
        engine_family: proxy.engine_family.clone().unwrap_or_default(),
        auth: Some(proxy.auth().iter().filter_map(auth).collect()),
        default_auth_scheme: proxy.default_auth_scheme.clone().map(Always),
        client_password_auth_type: client.map(|of| Always(of.as_str().to_owned())),
        role: Ref::new(proxy.role_arn.clone().unwrap_or_default()),
        vpc_subnets: proxy.vpc_subnet_ids().iter().map(|id| Ref::new(id.as_str())).collect(),
        vpc_security_groups: Some(Always(
            proxy.vpc_security_group_ids().iter().map(|id| Ref::new(id.as_str())).collect(),
        )),
        require_tls: proxy.require_tls.map(Always),
        idle_client_timeout: proxy.idle_client_timeout.map(Always),
        debug_logging: proxy.debug_logging.map(Always),
        db_instances: None,
        connection_pool_config: None,
    };
    let status = DbProxyStatus { arn, endpoint: proxy.endpoint.clone(), vpc_id: proxy.vpc_id.clone() };
    let live = Live::new(name.clone(), name, spec, status);
    let word = proxy.status.as_ref().map(State::as_str).unwrap_or_default();
    Ok(match proxy.status {
        Some(State::Available) => live,
        Some(State::Creating) => live.phase(Phase::Pending),
        Some(State::Deleting) => live.phase(Phase::Deleting),
        Some(State::IncompatibleNetwork | State::InsufficientResourceLimits) => {
            live.phase(Phase::Failed).remark("Status", format!("RDS says that it is `{word}`"))
        }
        _ => live.phase(Phase::Updating).remark("Status", format!("RDS says that it is `{word}`")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_names_how_it_logs_in() {
        let auth = ProxyAuth {
            secret: "arn:aws:secretsmanager:eu-west-1:1:secret:app-1".into(),
            iam_auth: "REQUIRED".into(),
            auth_scheme: secrets(),
            description: String::new(),
        };
        let sent = sdk_auth(&[auth].into(), Some(&"POSTGRES_MD5".to_owned()));
        assert_eq!((&sent[0].auth_scheme, &sent[0].description), (&Some(sdk::AuthScheme::Secrets), &None));
        let proxy = sdk::DbProxy::builder().db_proxy_name("app").db_proxy_arn("arn:aws:rds:eu-west-1:1:db-proxy:prx-1");
        let live = live(&proxy.status(State::Creating).build()).unwrap();
        assert_eq!(live.phase, Phase::Pending);
    }
}
