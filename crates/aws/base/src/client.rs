//! The SDK clients of each region, and the responses that kinds share within a refresh.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use aws_config::Region;
pub use aws_config::SdkConfig;
use holdfast_engine::budget::CallBudget;
use holdfast_engine::cloud::Scope;
use holdfast_engine::lease::LeaseGate;
use tokio::sync::OnceCell;

use crate::error::{Error, Result};
use crate::secret_store::SecretStore;
use crate::transport;

/// The caller identity.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub(crate) partition: String,
    pub(crate) account: String,
}

/// The regions of one connection, and what their clients share.
pub(crate) struct Regions {
    config: SdkConfig,
    pub(crate) home: String,
    budget: CallBudget,
    pub(crate) gate: LeaseGate,
    secret_store: SecretStore,
    clients: Mutex<BTreeMap<String, Arc<Aws>>>,
    /// The caller identity, once STS has returned it. Credentials can change while a daemon runs.
    caller: Mutex<Option<Caller>>,
}

impl Regions {
    /// Creates the regions; `home` is the region of global kinds.
    pub(crate) fn new(
        config: SdkConfig,
        home: String,
        budget: CallBudget,
        gate: LeaseGate,
        secret_store: SecretStore,
    ) -> Regions {
        Regions { config, home, budget, gate, secret_store, clients: Mutex::default(), caller: Mutex::default() }
    }

    /// Returns the clients of a region, created at first use.
    pub(crate) fn region(self: &Arc<Self>, region: &str) -> Arc<Aws> {
        let make = || self.clients_of(region, self.gate.clone(), region.to_owned());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.entry(region.to_owned()).or_insert_with(make).clone()
    }

    /// Returns clients of a region for the store, whose calls need no lease. They have a bucket of their own in the call
    /// budget, so that a renewal of the lease does not wait for the calls of steps.
    pub(crate) fn store(self: &Arc<Self>, region: &str) -> Arc<Aws> {
        self.clients_of(region, LeaseGate::open(), format!("{region} store"))
    }

    fn clients_of(self: &Arc<Self>, region: &str, gate: LeaseGate, bucket: String) -> Arc<Aws> {
        let config = self.config.clone().into_builder().region(Region::new(region.to_owned()));
        let http = transport::client(self.budget.clone(), gate, bucket);
        Arc::new(Aws {
            config: config.http_client(http).build(),
            clients: Mutex::default(),
            secret_store: self.secret_store.clone(),
            regions: Arc::downgrade(self),
            memo: Memo::default(),
        })
    }

    /// Records the caller identity.
    pub(crate) fn set_caller(&self, caller: Caller) {
        *self.caller.lock().unwrap_or_else(PoisonError::into_inner) = Some(caller);
    }

    fn caller(&self) -> Option<Caller> {
        self.caller.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The clients of one region, and the responses that kinds share within a refresh.
pub struct Aws {
    config: SdkConfig,
    /// The clients by type. Each is created at first use, because that reads the endpoint rules of all partitions.
    clients: Mutex<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
    /// The secret values that the document names.
    pub secret_store: SecretStore,
    regions: Weak<Regions>,
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
        Ok(self.regions()?.region(region))
    }

    /// The clients of the home region, for calls that cover all regions.
    pub fn at_home(&self) -> Result<Arc<Aws>> {
        let regions = self.regions()?;
        Ok(regions.region(&regions.home))
    }

    /// The caller's account. None before STS has returned it; every pass asks first.
    pub fn account(&self) -> Option<String> {
        Some(self.regions.upgrade()?.caller()?.account)
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
        let Caller { partition, account } = self.regions.upgrade()?.caller()?;
        Some(format!("arn:{partition}:{service}:{region}:{account}:{resource}"))
    }

    fn regions(&self) -> Result<Arc<Regions>> {
        let regions = self.regions.upgrade();
        regions.ok_or_else(|| Error::terminal("region", "the connection is closed; this is a bug in Holdfast"))
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
