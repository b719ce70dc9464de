//! The SDK clients of each region, and their configuration.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_types::retry::RetryConfig;
use holdfast_engine::budget::CallBudget;
use holdfast_engine::cloud::{Failure, FailureClass, Scope};
use tokio::sync::OnceCell;

use crate::error::{Error, Result};
use crate::secret_store::SecretStore;
use crate::transport;

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

/// The configuration that the clients of all regions share.
pub struct Base {
    config: SdkConfig,
    home: String,
    others: Vec<String>,
    budget: CallBudget,
    regions: Mutex<BTreeMap<String, Arc<Aws>>>,
    secret_store: SecretStore,
    /// The caller identity that STS returned last: the credentials of a process may change.
    caller: Mutex<Option<Caller>>,
}

/// The caller identity.
#[derive(Clone, Debug)]
struct Caller {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    partition: String,
    account: String,
}

impl Base {
    /// Reads the usual AWS environment and profiles, and assumes the role if there is one. Makes no call.
    ///
    /// # Errors
    /// When no region is known.
    pub async fn load(settings: Settings, budget: CallBudget) -> std::result::Result<Base, SettingsError> {
        let read = settings.call_timeout.unwrap_or(Duration::from_secs(30));
        let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).read_timeout(read).build();
        // The SDK's own backoff: 1 s doubling to 20 s, in scaled time.
        let pause = |seconds| Duration::from_secs_f64(seconds * settings.time_scale);
        let retries = RetryConfig::standard().with_initial_backoff(pause(1.0)).with_max_backoff(pause(20.0));
        let mut loader = aws_config::defaults(behavior())
            .http_client(transport::client(budget.clone(), "default".into()))
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
        Ok(Base {
            config,
            home,
            others: settings.others,
            budget,
            regions: Mutex::default(),
            secret_store: settings.secret_store,
            caller: Mutex::default(),
        })
    }

    /// The home region.
    pub fn home(&self) -> &str {
        &self.home
    }

    /// The account of the credentials. When one region's STS does not respond, the next region is tried.
    pub async fn account(self: &Arc<Self>) -> std::result::Result<String, Failure> {
        let mut result = caller(&self.region(&self.home)).await;
        for region in &self.others {
            if !result
                .as_ref()
                .is_err_and(|failure| matches!(failure.class, FailureClass::Transient | FailureClass::Throttled))
            {
                break;
            }
            result = caller(&self.region(region)).await.or(result);
        }
        let caller = result?;
        *self.caller.lock().unwrap_or_else(PoisonError::into_inner) = Some(caller.clone());
        Ok(caller.account)
    }

    fn caller(&self) -> Option<Caller> {
        self.caller.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The clients of a region, created at first use.
    pub fn region(self: &Arc<Self>, region: &str) -> Arc<Aws> {
        let make = || {
            let config = self.config.clone().into_builder().region(Region::new(region.to_owned()));
            let http = transport::client(self.budget.clone(), region.to_owned());
            Arc::new(Aws {
                config: config.http_client(http).build(),
                clients: Mutex::default(),
                secret_store: self.secret_store.clone(),
                base: Arc::downgrade(self),
                memo: Memo::default(),
            })
        };
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        regions.entry(region.to_owned()).or_insert_with(make).clone()
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

/// The clients of one region, and the responses that kinds share within a refresh.
pub struct Aws {
    config: SdkConfig,
    /// The clients by type. Each is created at first use, because that reads the endpoint rules of all partitions.
    clients: Mutex<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
    /// The secret values that the document names.
    pub secret_store: SecretStore,
    base: Weak<Base>,
    memo: Memo,
}

/// Declares the function that returns the SDK client of a service: `client!(sns: aws_sdk_sns)` is
/// `fn sns(aws: &Aws) -> aws_sdk_sns::Client`. Only the crate of the service's kinds depends on its SDK. A third
/// argument configures what the service needs beyond the common settings.
#[macro_export]
macro_rules! client {
    ($name:ident: $sdk:ident) => {
        $crate::client!($name: $sdk, |builder: $sdk::config::Builder, _: &$crate::client::SdkConfig| builder);
    };
    ($name:ident: $sdk:ident, $set_up:expr) => {
        /// The service's client for the region of `aws`.
        pub(crate) fn $name(aws: &$crate::client::Aws) -> $sdk::Client {
            aws.client(|config| {
                let builder = $sdk::config::Builder::from(config).interceptor($crate::transport::naming());
                $sdk::Client::from_conf($set_up(builder, config).build())
            })
        }
    };
}

crate::client!(sts: aws_sdk_sts);

type SharedResponse = Arc<dyn Any + Send + Sync>;

/// The shared responses of one refresh, by name.
type SharedResponses = HashMap<String, Arc<OnceCell<SharedResponse>>>;

/// The responses that several kinds need, of the latest refreshes. Several refreshes may run at the same time.
#[derive(Default)]
struct Memo(Mutex<BTreeMap<u64, SharedResponses>>);

/// How many refreshes are kept. A response of an older refresh is requested again, which costs one call.
const REFRESHES: usize = 8;

impl Aws {
    /// The client of this type, which `make` builds from the shared configuration: see [`client!`](crate::client!).
    pub fn client<C: Clone + Send + Sync + 'static>(&self, make: impl FnOnce(&SdkConfig) -> C) -> C {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(TypeId::of::<C>()).or_insert_with(|| Box::new(make(&self.config)));
        match client.downcast_ref::<C>() {
            Some(client) => client.clone(),
            None => unreachable!("clients are kept by their types"),
        }
    }

    /// The region's name.
    pub fn region(&self) -> &str {
        self.config.region().map(AsRef::as_ref).unwrap_or_default()
    }

    /// The clients of another region, for resources that span regions.
    pub fn in_region(&self, region: &str) -> Result<Arc<Aws>> {
        Ok(self.base()?.region(region))
    }

    /// The clients of the home region, for calls that cover all regions.
    pub fn at_home(&self) -> Result<Arc<Aws>> {
        let base = self.base()?;
        Ok(base.region(base.home()))
    }

    /// The caller's account. None before STS has returned it; every pass asks first.
    pub fn account(&self) -> Option<String> {
        Some(self.base.upgrade()?.caller()?.account)
    }

    /// The ARN of a resource of the caller's account in this region. None before the account is known.
    pub fn arn(&self, service: &str, resource: &str) -> Option<String> {
        self.arn_in(self.region(), service, resource)
    }

    /// The ARN of a global resource of the caller's account. None before the account is known.
    pub fn global_arn(&self, service: &str, resource: &str) -> Option<String> {
        self.arn_in("", service, resource)
    }

    fn arn_in(&self, region: &str, service: &str, resource: &str) -> Option<String> {
        let base = self.base.upgrade()?;
        let Caller { partition, account } = base.caller()?;
        Some(format!("arn:{partition}:{service}:{region}:{account}:{resource}"))
    }

    fn base(&self) -> Result<Arc<Base>> {
        let base = self.base.upgrade();
        base.ok_or_else(|| Error::terminal("region", "the connection is closed; this is a bug in Holdfast"))
    }

    /// The response of `ask`, which is called once per refresh however many kinds need it.
    pub async fn once<T, F>(&self, scope: &Scope, what: &str, ask: impl FnOnce() -> F) -> Result<Arc<T>>
    where
        T: Any + Send + Sync,
        F: Future<Output = Result<T>>,
    {
        let cell = {
            let mut memo = self.memo.0.lock().unwrap_or_else(PoisonError::into_inner);
            let cell = memo.entry(scope.refresh).or_default().entry(what.to_owned()).or_default().clone();
            while memo.len() > REFRESHES {
                memo.pop_first();
            }
            cell
        };
        let response =
            cell.get_or_try_init(|| async { ask().await.map(|response| Arc::new(response) as SharedResponse) }).await?;
        match response.clone().downcast::<T>() {
            Ok(response) => Ok(response),
            Err(_) => unreachable!("`{what}` names responses of one type"),
        }
    }
}
