//! The clients of a region, and how they are set up.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_types::retry::RetryConfig;
use holdfast_engine::budget::Budget;
use holdfast_engine::cloud::{Class, Failure, Scope};
use tokio::sync::OnceCell;

use crate::error::{Error, Result};
use crate::transport;
use crate::vault::Vault;

/// How to connect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The home region: for global kinds, and where nothing else is said. None means the environment's.
    pub region: Option<String>,
    /// Further regions, whose STS says who the caller is while the home region's does not answer.
    pub others: Vec<String>,
    /// A role to assume.
    pub role: Option<String>,
    /// The external id that the role wants.
    pub external_id: Option<String>,
    /// A name for this run, in CloudTrail's session names and user agents.
    pub run: String,
    /// How long to wait for an answer; none means 30 seconds, above the slowest EC2 describe seen in practice.
    pub call_timeout: Option<Duration>,
    /// What the budget's waits and the pauses between retries are multiplied by. 1 against AWS.
    pub time_scale: f64,
    /// The secret values that the document names.
    pub vault: Vault,
}

/// Settings that do not lead to a client.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No region in the document, the environment or the profile.
    #[error("no region is known: set `regions.main` in the stack, `target.region` in the environment, or AWS_REGION")]
    NoRegion,
}

/// What the clients of all regions share.
pub struct Base {
    config: SdkConfig,
    home: String,
    others: Vec<String>,
    budget: Budget,
    regions: Mutex<BTreeMap<String, Arc<Aws>>>,
    vault: Vault,
    /// Whose the credentials are, once it was asked.
    caller: OnceLock<Caller>,
}

/// Whose credentials are.
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
    pub async fn load(settings: Settings, budget: Budget) -> std::result::Result<Base, SettingsError> {
        let read = settings.call_timeout.unwrap_or(Duration::from_secs(30));
        let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).read_timeout(read).build();
        // The SDK's own pauses, 1 s doubling to 20 s, in the time of the run.
        let pause = |seconds| Duration::from_secs_f64(seconds * settings.time_scale);
        let retries = RetryConfig::standard().with_initial_backoff(pause(1.0)).with_max_backoff(pause(20.0));
        let mut loader = aws_config::defaults(behavior())
            .http_client(transport::client(budget.clone(), "default".into()))
            .timeout_config(timeouts)
            // Reads only: the interceptor turns retries off for what changes something.
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
            vault: settings.vault,
            caller: OnceLock::new(),
        })
    }

    /// The home region.
    pub fn home(&self) -> &str {
        &self.home
    }

    /// The account that the credentials belong to. A region that does not answer keeps nobody from the others.
    pub async fn account(self: &Arc<Self>) -> std::result::Result<String, Failure> {
        let mut answer = caller(&self.region(&self.home)).await;
        for region in &self.others {
            if !answer.as_ref().is_err_and(|failure| matches!(failure.class, Class::Transient | Class::Throttled)) {
                break;
            }
            answer = caller(&self.region(region)).await.or(answer);
        }
        answer.map(|caller| self.caller.get_or_init(|| caller).account.clone())
    }

    /// The clients of a region, made at its first use.
    pub fn region(self: &Arc<Self>, region: &str) -> Arc<Aws> {
        let make = || {
            let config = self.config.clone().into_builder().region(Region::new(region.to_owned()));
            let http = transport::client(self.budget.clone(), region.to_owned());
            Arc::new(Aws {
                config: config.http_client(http).build(),
                clients: Mutex::default(),
                vault: self.vault.clone(),
                base: Arc::downgrade(self),
                memo: Memo::default(),
            })
        };
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        regions.entry(region.to_owned()).or_insert_with(make).clone()
    }
}

/// A role's credentials, from the first region whose STS gives them.
#[derive(Debug)]
struct AnyRegion(Vec<aws_config::sts::AssumeRoleProvider>);

impl ProvideCredentials for AnyRegion {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let mut answer = Err(CredentialsError::not_loaded_no_source());
            for provider in &self.0 {
                answer = provider.provide_credentials().await;
                if answer.is_ok() {
                    break;
                }
            }
            answer
        })
    }
}

/// The SDK's behaviour as of the version that was tested: newer defaults for retries are announced.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// STS takes 2 to 64 of `[\w+=,.@-]` (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
fn session_name(run: &str) -> String {
    let clean: String = run.chars().filter(|c| c.is_ascii_alphanumeric() || "+=,.@-_".contains(*c)).take(54).collect();
    format!("holdfast-{clean}")
}

/// Whose the credentials are.
async fn caller(aws: &Aws) -> std::result::Result<Caller, Failure> {
    let answer = sts(aws).get_caller_identity().send().await.map_err(|error| crate::error::Error::from(error).0)?;
    let partition = answer.arn.as_deref().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws").to_owned();
    let account = answer.account.ok_or_else(|| Failure {
        class: Class::Transient,
        ..Failure::terminal("sts.GetCallerIdentity", "the answer has no account")
    })?;
    Ok(Caller { partition, account })
}

/// The clients of one region, and what its kinds share in a sweep.
pub struct Aws {
    config: SdkConfig,
    /// By their types; each is made at its first use, which reads the rules for the endpoints of all partitions.
    clients: Mutex<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
    /// The secret values that the document names.
    pub vault: Vault,
    base: Weak<Base>,
    memo: Memo,
}

/// Writes the function by which the kinds of a service get its client: `client!(sns: aws_sdk_sns)` is
/// `fn sns(aws: &Aws) -> aws_sdk_sns::Client`. Only the crate of a service's kinds knows its SDK. A third argument
/// sets up what the service needs beyond what all have.
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

type Answer = Arc<dyn Any + Send + Sync>;

/// The answers of one sweep, by what was asked.
type Answers = HashMap<String, Arc<OnceCell<Answer>>>;

/// Answers that more than one kind needs, of the last sweeps: several may be under way.
#[derive(Default)]
struct Memo(Mutex<BTreeMap<u64, Answers>>);

/// How many sweeps are under way at most, or nearly: of an older one what is asked again is only asked twice.
const SWEEPS: usize = 8;

impl Aws {
    /// The client of this type, which `make` makes of what all share: see [`client!`](crate::client!).
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

    /// The clients of another region, for what has a side there.
    pub fn in_region(&self, region: &str) -> Result<Arc<Aws>> {
        Ok(self.base()?.region(region))
    }

    /// The clients of the home region: whatever is asked once for all regions is asked there.
    pub fn at_home(&self) -> Result<Arc<Aws>> {
        let base = self.base()?;
        Ok(base.region(base.home()))
    }

    /// The caller's account; none before it was asked who the caller is, as every pass does first.
    pub fn account(&self) -> Option<String> {
        Some(self.base.upgrade()?.caller.get()?.account.clone())
    }

    /// The ARN of something of the caller's in this region; none before it is known who the caller is.
    pub fn arn(&self, service: &str, resource: &str) -> Option<String> {
        self.arn_in(self.region(), service, resource)
    }

    /// The ARN of something of the caller's that is in no region; none before it is known who the caller is.
    pub fn global_arn(&self, service: &str, resource: &str) -> Option<String> {
        self.arn_in("", service, resource)
    }

    fn arn_in(&self, region: &str, service: &str, resource: &str) -> Option<String> {
        let base = self.base.upgrade()?;
        let Caller { partition, account } = base.caller.get()?;
        Some(format!("arn:{partition}:{service}:{region}:{account}:{resource}"))
    }

    fn base(&self) -> Result<Arc<Base>> {
        let base = self.base.upgrade();
        base.ok_or_else(|| Error::terminal("region", "the cloud is gone; this is a fault of Holdfast"))
    }

    /// The answer to `ask`, asked once in a sweep however many kinds need it.
    pub async fn once<T, F>(&self, scope: &Scope, what: &str, ask: impl FnOnce() -> F) -> Result<Arc<T>>
    where
        T: Any + Send + Sync,
        F: Future<Output = Result<T>>,
    {
        let cell = {
            let mut memo = self.memo.0.lock().unwrap_or_else(PoisonError::into_inner);
            let cell = memo.entry(scope.sweep).or_default().entry(what.to_owned()).or_default().clone();
            while memo.len() > SWEEPS {
                memo.pop_first();
            }
            cell
        };
        let answer = cell.get_or_try_init(|| async { ask().await.map(|answer| Arc::new(answer) as Answer) }).await?;
        match answer.clone().downcast::<T>() {
            Ok(answer) => Ok(answer),
            Err(_) => unreachable!("`{what}` names answers of one type"),
        }
    }
}
