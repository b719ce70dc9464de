//! The cloud of AWS: clients, error codes, and the kinds, each in a file of its own.

mod client;
mod driver;
mod error;
mod kind;
mod kinds;
mod mark;
mod remembered;
mod tagging;
mod together;
mod transport;
mod vault;

use std::sync::Arc;

use async_trait::async_trait;
use holdfast_core::observed::Observed;
use holdfast_core::schema::Registry;
use holdfast_engine::budget::{Budget, Counts};
use holdfast_engine::cloud::{Cloud, Done, Failure, Op, Scope};

pub use client::{Settings, SettingsError};
pub use vault::Vault;

use client::Aws;

/// All the kinds of AWS that Holdfast knows.
pub fn registry() -> Registry {
    kinds::registry()
}

/// The cloud of AWS, seen with one set of credentials.
pub struct AwsCloud {
    base: Arc<client::Base>,
    budget: Budget,
}

impl AwsCloud {
    /// Connects: reads the usual AWS environment and profiles, and assumes the target's role if there is one.
    ///
    /// # Errors
    /// When no region is known or the settings contradict each other. Makes no call.
    pub async fn connect(settings: Settings) -> Result<AwsCloud, SettingsError> {
        let budget = Budget::scaled(settings.time_scale);
        let base = Arc::new(client::Base::load(settings, budget.clone()).await?);
        Ok(AwsCloud { base, budget })
    }

    /// The clients of a region; those of the home region for a global kind.
    fn aws(&self, region: &str) -> Arc<Aws> {
        self.base.region(if region.is_empty() { self.base.home() } else { region })
    }
}

#[async_trait]
impl Cloud for AwsCloud {
    fn registry(&self) -> Registry {
        registry()
    }

    async fn account(&self) -> Result<String, Failure> {
        self.base.account().await
    }

    async fn observe(&self, kind: &str, scope: &Scope) -> Result<Vec<Observed>, Failure> {
        driver::observe(kinds::driver(kind)?, &self.aws(&scope.region), scope).await
    }

    async fn apply(&self, kind: &str, region: &str, op: &Op) -> Result<Done, Failure> {
        let mut done = driver::apply(kinds::driver(kind)?, &self.aws(region), op).await?;
        if let Some(live) = &mut done.live {
            region.clone_into(&mut live.region);
        }
        Ok(done)
    }

    fn calls(&self) -> Counts {
        self.budget.counts()
    }
}
