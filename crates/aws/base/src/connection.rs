//! The connection to AWS: the settings, the credentials, and the account that they belong to.

use std::sync::Arc;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_types::retry::RetryConfig;
use holdfast_engine::budget::CallBudget;
use holdfast_engine::cloud::{Failure, FailureClass};
use holdfast_engine::lease::LeaseGate;

use crate::client::{Aws, Caller, Regions};
use crate::secret_store::SecretStore;
use crate::transport;

crate::client!(sts: aws_sdk_sts);

/// The connection settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The home region, for global kinds. None means the region of the AWS environment or profile.
    pub region: Option<String>,
    /// Further regions, whose STS endpoints are used while that of the home region does not respond.
    pub others: Vec<String>,
    /// The role to assume.
    pub role: Option<String>,
    /// The external id for assuming the role.
    pub external_id: Option<String>,
    /// The name of this run, for role session names in CloudTrail and user agents.
    pub run: String,
    /// The time-out of one call. None means 30 seconds, more than the slowest EC2 describe call seen in practice.
    pub call_timeout: Option<Duration>,
    /// The factor for the waits of the call budget and for the backoff between retries. 1 against AWS.
    pub time_scale: f64,
    /// The secret values that the document refers to.
    pub secret_store: SecretStore,
}

/// An error in the connection settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No region in the document, the environment or the profile.
    #[error("no region is known: set `regions.main` in the stack, `target.region` in the environment, or AWS_REGION")]
    NoRegion,
}

/// The time-out of connecting to an endpoint of AWS: more than two lost packets of a handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to AWS: the credentials of one run, and the clients of its regions.
pub struct Connection {
    regions: Arc<Regions>,
    /// The regions whose STS endpoints are used while that of the home region does not respond.
    others: Vec<String>,
}

impl Connection {
    /// Reads the usual AWS environment and profiles, and assumes the role if there is one. Makes no call.
    ///
    /// # Errors
    /// When no region is known.
    pub async fn load(settings: Settings, budget: CallBudget) -> std::result::Result<Connection, SettingsError> {
        let read = settings.call_timeout.unwrap_or(Duration::from_secs(30));
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(read).build();
        // The SDK's own backoff: 1 s doubling to 20 s, in scaled time.
        let pause = |seconds| Duration::from_secs_f64(seconds * settings.time_scale);
        let retries = RetryConfig::standard().with_initial_backoff(pause(1.0)).with_max_backoff(pause(20.0));
        let mut loader = aws_config::defaults(behavior())
            .http_client(transport::client(budget.clone(), LeaseGate::open(), "default".into()))
            .timeout_config(timeouts)
            // Reads only: the interceptor turns retries off for mutations.
            .retry_config(retries.with_max_attempts(5));
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let mut config = loader.load().await;
        let home = config.region().map(|r| r.as_ref().to_owned()).ok_or(SettingsError::NoRegion)?;
        if let Some(role) = &settings.role {
            let mut providers = vec![];
            for region in std::iter::once(&home).chain(&settings.others) {
                let mut provider = aws_config::sts::AssumeRoleProvider::builder(role.clone())
                    .configure(&config)
                    .region(Region::new(region.clone()))
                    .session_name(session_name(&settings.run));
                if let Some(external_id) = &settings.external_id {
                    provider = provider.external_id(external_id.clone());
                }
                providers.push(provider.build().await);
            }
            config = config
                .into_builder()
                .credentials_provider(SharedCredentialsProvider::new(AnyRegion(providers)))
                .build();
        }
        // A call takes effect within these times after it is sent, or fails.
        let gate = LeaseGate::closed(read + CONNECT_TIMEOUT);
        let regions = Regions::new(config, home, budget, gate, settings.secret_store);
        Ok(Connection { regions: Arc::new(regions), others: settings.others })
    }

    /// The home region.
    pub fn home(&self) -> &str {
        &self.regions.home
    }

    /// The account of the credentials, as STS returns it now. When one region's STS does not respond, the next region is
    /// tried.
    pub async fn account(&self) -> std::result::Result<String, Failure> {
        let mut result = caller(&self.region(self.home())).await;
        for region in &self.others {
            let is_temporary =
                |failure: &Failure| matches!(failure.class, FailureClass::Transient | FailureClass::Throttled);
            if !result.as_ref().is_err_and(is_temporary) {
                break;
            }
            result = caller(&self.region(region)).await.or(result);
        }
        let caller = result?;
        let account = caller.account.clone();
        self.regions.set_caller(caller);
        Ok(account)
    }

    /// The clients of a region, created at first use.
    pub fn region(&self, region: &str) -> Arc<Aws> {
        self.regions.region(region)
    }

    /// New clients of a region for the store, whose calls need no lease.
    pub fn store(&self, region: &str) -> Arc<Aws> {
        self.regions.store(region)
    }

    /// The gate that every mutating call passes, apart from those of the store.
    pub fn gate(&self) -> &LeaseGate {
        &self.regions.gate
    }
}

/// The credentials of a role, from the first region whose STS responds.
#[derive(Debug)]
struct AnyRegion(Vec<aws_config::sts::AssumeRoleProvider>);

impl ProvideCredentials for AnyRegion {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let mut result = Err(CredentialsError::not_loaded_no_source());
            for provider in &self.0 {
                result = provider.provide_credentials().await;
                if result.is_ok() {
                    break;
                }
            }
            result
        })
    }
}

/// The pinned behaviour version of the SDK: AWS has announced newer defaults for retries.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// STS takes 2 to 64 of `[\w+=,.@-]` (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
fn session_name(run: &str) -> String {
    let clean: String = run.chars().filter(|c| c.is_ascii_alphanumeric() || "+=,.@-_".contains(*c)).take(54).collect();
    format!("holdfast-{clean}")
}

/// Reads the caller identity from STS.
async fn caller(aws: &Aws) -> std::result::Result<Caller, Failure> {
    let output = sts(aws).get_caller_identity().send().await.map_err(|error| crate::error::Error::from(error).0)?;
    let partition = output.arn.as_deref().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws").to_owned();
    let account = output.account.ok_or_else(|| Failure {
        class: FailureClass::Transient,
        ..Failure::terminal("sts.GetCallerIdentity", "the response has no account")
    })?;
    Ok(Caller { partition, account })
}
