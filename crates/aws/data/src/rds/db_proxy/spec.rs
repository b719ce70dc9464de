//! The spec and the status of a DbProxy.

use std::collections::BTreeSet;

use aws_sdk_rds::types as sdk;
use holdfast_base::names::{Role, SecurityGroup, Subnet};
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use crate::rds::db_instance::DbInstance;
use crate::secretsmanager::secret::Secret;

/// An RDS Proxy, which pools the connections to a database. The name begins with a letter, has at most 63 letters,
/// digits and single hyphens, and is stored in lower case. Creation takes minutes
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBProxy.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbProxy {
    /// The engine family. MariaDB belongs to `MYSQL`.
    #[spec(immutable, one_of = sdk::EngineFamily)]
    pub(super) engine_family: String,
    /// The secrets with which the proxy logs in to the database: one for each database user.
    pub(super) auth: Option<BTreeSet<UserAuthConfig>>,
    /// The default authentication of the proxy at the database. With `IAM_AUTH` the proxy logs in with IAM and needs no
    /// secret.
    #[spec(one_of = sdk::DefaultAuthScheme, default = "NONE")]
    pub(super) default_auth_scheme: Option<ServerDefault<String>>,
    /// The password authentication of clients, for all of `auth`. AWS's default depends on the engine.
    #[spec(one_of = sdk::ClientPasswordAuthType)]
    pub(super) client_password_auth_type: Option<ServerDefault<String>>,
    /// The IAM role with which the proxy reads the secrets.
    pub(super) role: Ref<Role, Arn>,
    /// The subnets, in at least two Availability Zones.
    #[spec(immutable, items = 2..)]
    pub(super) vpc_subnets: BTreeSet<Ref<Subnet>>,
    /// The security groups. Without any, AWS uses the default security group of the VPC.
    pub(super) vpc_security_groups: Option<ServerDefault<BTreeSet<Ref<SecurityGroup>>>>,
    /// Whether clients must use TLS.
    #[spec(default = false)]
    pub(super) require_tls: Option<ServerDefault<bool>>,
    /// The time in seconds after which the proxy closes an idle client connection.
    #[spec(range = 1..=28800, default = 1800)]
    pub(super) idle_client_timeout: Option<ServerDefault<i32>>,
    /// Whether the proxy logs statements, with the data in them. AWS turns the logging off after a day.
    pub(super) debug_logging: Option<ServerDefault<bool>>,
    /// The target database. CreateDBProxy does not accept it; Holdfast registers it after the creation.
    #[spec(items = ..=1)]
    pub(super) db_instances: Option<BTreeSet<Ref<DbInstance>>>,
    /// The connection pool. CreateDBProxy does not accept it; Holdfast sets it after the creation.
    pub(super) connection_pool_config: Option<ServerDefault<ConnectionPoolConfiguration>>,
}

/// A secret with which the proxy logs in to the database
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_UserAuthConfig.html>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "secret")]
pub(crate) struct UserAuthConfig {
    /// The secret, whose JSON value has the fields `username` and `password`. For a secret that RDS manages, write
    /// `{ arn: "${DbInstance.<name>.masterUserSecretArn}" }`.
    pub(super) secret: Ref<Secret, Arn>,
    /// Whether clients authenticate with IAM. `ENABLED` is valid only for SQL Server.
    #[spec(one_of = sdk::IamAuthMode)]
    #[serde(default = "disabled")]
    pub(super) iam_auth: String,
    /// The authentication scheme.
    #[spec(one_of = sdk::AuthScheme)]
    #[serde(default = "secrets")]
    pub(super) auth_scheme: String,
    /// The description.
    #[serde(default)]
    pub(super) description: String,
}

pub(super) fn disabled() -> String {
    "DISABLED".into()
}

pub(super) fn secrets() -> String {
    "SECRETS".into()
}

/// The connection pool of a proxy
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ConnectionPoolConfiguration.html>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionPoolConfiguration {
    /// The greatest share of the database's `max_connections` that the proxy uses, in percent. AWS's default is 100,
    /// and 10 for SQL Server.
    #[spec(range = 1..=100)]
    pub(super) max_connections_percent: Option<ServerDefault<i32>>,
    /// The greatest share of the database's `max_connections` that stays open while idle, in percent: 0 to
    /// `maxConnectionsPercent`. AWS's default is half of `maxConnectionsPercent`.
    #[spec(range = 0..=100)]
    pub(super) max_idle_connections_percent: Option<ServerDefault<i32>>,
    /// The time in seconds that a client waits for a connection.
    #[spec(range = 0..=300, default = 120)]
    pub(super) connection_borrow_timeout: Option<ServerDefault<i32>>,
    /// The statements that do not pin a client session to its database connection.
    #[spec(one_of = ["EXCLUDE_VARIABLE_SETS"])]
    pub(super) session_pinning_filters: Option<BTreeSet<String>>,
    /// The statements that the proxy runs on each new database connection: `SET x=1, y=2`.
    pub(super) init_query: Option<String>,
}

/// The read-only attributes of a DbProxy.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbProxyStatus {
    /// The ARN.
    pub(super) arn: String,
    /// The host name of the endpoint that clients connect to. The port is the default port of the engine.
    pub(super) endpoint: Option<String>,
    /// The id of the VPC of the subnets.
    pub(super) vpc_id: Option<String>,
}
