//! DbProxy: an RDS Proxy, which pools the connections to a database.

mod spec;
mod targets;

use std::collections::BTreeSet;

use aws_sdk_rds::types::{self as sdk, DbProxyStatus as State};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::{all, texts};
use holdfast_base::wanted::each;
use holdfast_core::observed::Phase;
use holdfast_core::schema::relation::{
    Condition::Is,
    Demand::{Items, OneOf},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Ref, ServerDefault};
use holdfast_engine::cloud::Scope;

use super::{RdsTags, rds, sdk_tags, value, wanted};
pub(crate) use spec::{DbProxy, DbProxyStatus};
use spec::{UserAuthConfig, disabled, secrets};
use targets::{connection_pool, set_pool, set_targets, targets};

impl Kind for DbProxy {
    type Status = DbProxyStatus;
    type Owner = TagOnCreate<RdsTags, ByArn>;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules {
        lowercase: true,
        form: (r"[A-Za-z](-?[A-Za-z0-9])*", "begins with a letter, and has letters, digits and single hyphens"),
        ..NamingRules::limit(63)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBProxy.html
        demand(Items("vpcSubnets", Some(2), None)),
        demand(OneOf("clientPasswordAuthType", &["MYSQL_CACHING_SHA2_PASSWORD", "MYSQL_NATIVE_PASSWORD"]))
            .when(&[Is("engineFamily", &["MYSQL"])]),
        demand(OneOf("clientPasswordAuthType", &["POSTGRES_MD5", "POSTGRES_SCRAM_SHA_256"]))
            .when(&[Is("engineFamily", &["POSTGRESQL"])]),
        demand(OneOf("clientPasswordAuthType", &["SQL_SERVER_AUTHENTICATION"]))
            .when(&[Is("engineFamily", &["SQLSERVER"])]),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = rds(aws).describe_db_proxies().into_paginator().items().send();
        each(all(pages).await?, |proxy| async move {
            let Some((mut live, want)) = wanted(aws, scope, live(&proxy)?).await? else { return Ok(None) };
            // A proxy that is being deleted returns neither its targets nor its pool.
            if want.fields() && live.phase != Phase::Deleting {
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
            .set_require_tls(value(require_tls))
            .set_idle_client_timeout(value(idle_client_timeout))
            .set_debug_logging(value(debug_logging))
            .set_tags(Some(sdk_tags(&desired.tags)?))
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
        if desired.changed_besides(&[DbProxy::CONNECTION_POOL_CONFIG, DbProxy::DB_INSTANCES]) {
            rds(aws)
                .modify_db_proxy()
                .db_proxy_name(&live.id)
                .set_auth(auth.as_ref().map(|auth| sdk_auth(auth, client_password_auth_type.as_deref())))
                .set_default_auth_scheme(default_auth_scheme.as_ref().map(|scheme| scheme.as_str().into()))
                .role_arn(role.as_str())
                .set_security_groups(vpc_security_groups.as_deref().map(texts))
                .set_require_tls(value(require_tls))
                .set_idle_client_timeout(value(idle_client_timeout))
                .set_debug_logging(value(debug_logging))
                .send()
                .await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        rds(aws).delete_db_proxy().db_proxy_name(&live.id).send().await?;
        Ok(())
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
