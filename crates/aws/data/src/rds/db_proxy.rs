//! DbProxy: an RDS Proxy, which pools the connections to a database.

use std::collections::BTreeSet;

use aws_sdk_rds::types::{self as sdk, DbProxyStatus as State};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated, each};
use holdfast_base::names::Role;
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Subnet;
use holdfast_base::sdk::all;
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::db_instance::DbInstance;
use super::db_proxy_targets::{connection_pool, set_pool, set_targets, targets};
use super::{rds, sdk_tags, tag, tags_of, texts};
use crate::secretsmanager::secret::Secret;

/// An RDS Proxy, which pools the connections to a database. The name begins with a letter, has at most 63 letters,
/// digits and single hyphens, and is stored in lower case. Creation takes minutes
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBProxy.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbProxy {
    /// The engine family: `POSTGRESQL`, `MYSQL` or `SQLSERVER`.
    #[spec(immutable)]
    engine_family: String,
    /// The secrets with which the proxy logs in to the database: one for each database user.
    auth: Option<BTreeSet<UserAuthConfig>>,
    /// The default authentication of the proxy at the database: `NONE` (AWS's default), or `IAM_AUTH`: the proxy logs
    /// in with IAM and needs no secret.
    default_auth_scheme: Option<ServerDefault<String>>,
    /// The password authentication of clients, for all of `auth`: `POSTGRES_SCRAM_SHA_256`, `POSTGRES_MD5`,
    /// `MYSQL_NATIVE_PASSWORD`, `MYSQL_CACHING_SHA2_PASSWORD` or `SQL_SERVER_AUTHENTICATION`. AWS's default depends on
    /// the engine.
    client_password_auth_type: Option<ServerDefault<String>>,
    /// The IAM role with which the proxy reads the secrets.
    role: Ref<Role, Arn>,
    /// The subnets, in at least two Availability Zones.
    #[spec(immutable)]
    vpc_subnets: BTreeSet<Ref<Subnet>>,
    /// The security groups. Without any, AWS uses the default security group of the VPC.
    vpc_security_groups: Option<ServerDefault<BTreeSet<Ref<SecurityGroup>>>>,
    /// Whether clients must use TLS. AWS's default is false.
    require_tls: Option<ServerDefault<bool>>,
    /// The time in seconds after which the proxy closes an idle client connection: 1 to 28800. AWS's default is 1800.
    idle_client_timeout: Option<ServerDefault<i32>>,
    /// Whether the proxy logs statements, with the data in them. AWS turns the logging off after a day.
    debug_logging: Option<ServerDefault<bool>>,
    /// The target database: at most one. CreateDBProxy does not accept it; Holdfast registers it after the creation.
    db_instances: Option<BTreeSet<Ref<DbInstance>>>,
    /// The connection pool. CreateDBProxy does not accept it; Holdfast sets it after the creation.
    connection_pool_config: Option<ServerDefault<ConnectionPoolConfiguration>>,
}

/// A secret with which the proxy logs in to the database
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_UserAuthConfig.html>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserAuthConfig {
    /// The secret, whose JSON value has the fields `username` and `password`. For a secret that RDS manages, write
    /// `{ arn: "${DbInstance.<name>.masterUserSecretArn}" }`.
    secret: Ref<Secret, Arn>,
    /// Whether clients authenticate with IAM: `DISABLED`, `REQUIRED`, or `ENABLED` for SQL Server.
    #[serde(default = "disabled")]
    iam_auth: String,
    /// The authentication scheme. `SECRETS` is the only one.
    #[serde(default = "secrets")]
    auth_scheme: String,
    /// The description.
    #[serde(default)]
    description: String,
}

fn disabled() -> String {
    "DISABLED".into()
}

fn secrets() -> String {
    "SECRETS".into()
}

/// The connection pool of a proxy
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ConnectionPoolConfiguration.html>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionPoolConfiguration {
    /// The greatest share of the database's `max_connections` that the proxy uses, in percent: 1 to 100. AWS's default
    /// is 100.
    pub(super) max_connections_percent: Option<ServerDefault<i32>>,
    /// The greatest share of the database's `max_connections` that stays open while idle, in percent: 0 to
    /// `maxConnectionsPercent`. AWS's default is half of `maxConnectionsPercent`.
    pub(super) max_idle_connections_percent: Option<ServerDefault<i32>>,
    /// The time in seconds that a client waits for a connection: 0 to 300. AWS's default is 120.
    pub(super) connection_borrow_timeout: Option<ServerDefault<i32>>,
    /// The statements that do not pin a client session to its database connection: `EXCLUDE_VARIABLE_SETS`.
    pub(super) session_pinning_filters: Option<BTreeSet<String>>,
    /// The statements that the proxy runs on each new database connection: `SET x=1, y=2`.
    pub(super) init_query: Option<String>,
}

/// The read-only attributes of a DbProxy.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbProxyStatus {
    /// The ARN.
    arn: String,
    /// The host name of the endpoint that clients connect to. The port is the default port of the engine.
    endpoint: Option<String>,
    /// The id of the VPC of the subnets.
    vpc_id: Option<String>,
}

impl Kind for DbProxy {
    type Status = DbProxyStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules { lowercase: true, ..NamingRules::limit(63) };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = rds(aws).describe_db_proxies().into_paginator().items().send();
        each(all(pages).await?, |proxy| async move {
            let mut live = live(&proxy)?;
            let is_requested = scope.ids.contains(&live.id) || scope.ids.contains(&live.status.arn);
            if !scope.is_candidate(&live.name) && !is_requested && scope.lookups.is_empty() {
                return Ok(None);
            }
            let arn = live.status.arn.clone();
            let Some(tags) = tagging::tags(aws, scope, &arn, || tags_of(aws, &arn)).await? else { return Ok(None) };
            live.tags = tags;
            // Targets and the pool are read only for requested and owned proxies. A proxy that is being deleted returns
            // neither.
            if (is_requested || scope.is_owned(&live.tags)) && live.phase != Phase::Deleting {
                let (pool, instances) = futures::try_join!(connection_pool(aws, &live.id), targets(aws, &live.id))?;
                let (Some(pool), Some(instances)) = (pool, instances) else { return Ok(None) };
                live.spec.connection_pool_config = Some(ServerDefault(pool));
                live.spec.db_instances = Some(instances);
            }
            Ok(Some(live))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
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
        let output = rds(aws)
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
        let created = output.db_proxy.and_then(|proxy| live(&proxy).ok());
        Ok(desired.confirmed(&desired.name, created))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
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
        // The pool and the targets come first: AWS refuses changes of both while it modifies the proxy.
        if let Some(pool) =
            connection_pool_config.as_deref().filter(|_| desired.changed(DbProxy::CONNECTION_POOL_CONFIG))
        {
            set_pool(aws, &live.id, live.spec.connection_pool_config.as_deref(), pool).await?;
        }
        if desired.changed(DbProxy::DB_INSTANCES) {
            let (none, current) = (BTreeSet::new(), live.spec.db_instances.clone().unwrap_or_default());
            set_targets(aws, &live.id, &current, db_instances.as_ref().unwrap_or(&none)).await?;
        }
        let other_calls = ["connectionPoolConfig", "dbInstances", "tags"];
        if desired.changed.iter().any(|field| !other_calls.contains(&field.as_str())) {
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
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        rds(aws).delete_db_proxy().db_proxy_name(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        tag(aws, &live.status.arn, tags).await
    }
}

fn sdk_auth(auth: &BTreeSet<UserAuthConfig>, client: Option<&String>) -> Vec<sdk::UserAuthConfig> {
    let one = |UserAuthConfig { secret, iam_auth, auth_scheme, description }: &UserAuthConfig| {
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

/// Reads a proxy from the list response, without its pool and targets.
fn live(proxy: &sdk::DbProxy) -> Result<Live<DbProxy>> {
    let missing = |what| Error::incomplete("rds.DescribeDBProxies", what);
    let name = proxy.db_proxy_name.clone().ok_or_else(|| missing("dbProxyName"))?;
    let arn = proxy.db_proxy_arn.clone().ok_or_else(|| missing("dbProxyArn"))?;
    let auth = |response: &sdk::UserAuthConfigInfo| {
        Some(UserAuthConfig {
            secret: Ref::new(response.secret_arn.clone()?),
            iam_auth: response.iam_auth.as_ref().map_or_else(disabled, |mode| mode.as_str().into()),
            auth_scheme: response.auth_scheme.as_ref().map_or_else(secrets, |scheme| scheme.as_str().into()),
            description: response.description.clone().unwrap_or_default(),
        })
    };
    let client = proxy.auth().first().and_then(|auth| auth.client_password_auth_type.as_ref());
    let spec = DbProxy {
        engine_family: proxy.engine_family.clone().unwrap_or_default(),
        auth: Some(proxy.auth().iter().filter_map(auth).collect()),
        default_auth_scheme: proxy.default_auth_scheme.clone().map(ServerDefault),
        client_password_auth_type: client.map(|of| ServerDefault(of.as_str().to_owned())),
        role: Ref::new(proxy.role_arn.clone().unwrap_or_default()),
        vpc_subnets: proxy.vpc_subnet_ids().iter().map(|id| Ref::new(id.as_str())).collect(),
        vpc_security_groups: Some(ServerDefault(
            proxy.vpc_security_group_ids().iter().map(|id| Ref::new(id.as_str())).collect(),
        )),
        require_tls: proxy.require_tls.map(ServerDefault),
        idle_client_timeout: proxy.idle_client_timeout.map(ServerDefault),
        debug_logging: proxy.debug_logging.map(ServerDefault),
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
            live.phase(Phase::Failed).degraded("Status", format!("RDS reports the status `{word}`"))
        }
        _ => live.phase(Phase::Updating).progressing("Status", format!("RDS reports the status `{word}`")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_authentication_is_sent_with_each_secret() {
        let auth = UserAuthConfig {
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
