//! The AWS cloud: the port to AWS with the kinds of all groups.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use holdfast_base::client::Aws;
use holdfast_base::connection::Connection;
use holdfast_base::driver::{self, Driver};
use holdfast_core::observed::Observed;
use holdfast_core::schema::{Registry, Schema};
use holdfast_engine::budget::{CallBudget, Counts};
use holdfast_engine::cloud::{Cloud, Failure, Operation, OperationResult, Scope};
use holdfast_engine::expiring_lease::LeaseTimes;
use holdfast_engine::lease::LeaseGate;

pub use holdfast_base::connection::{CONNECT_TIMEOUT, Settings, SettingsError};
pub use holdfast_base::secret_store::SecretStore;
pub use holdfast_data::{S3Location, S3Store};

/// The kinds by group, one crate each, in the usual order of dependencies.
const GROUPS: [&[&dyn Driver]; 5] = [
    holdfast_network::KINDS,
    holdfast_data::KINDS,
    holdfast_compute::KINDS,
    holdfast_edge::KINDS,
    holdfast_operations::KINDS,
];

/// The registry of all kinds of AWS resources.
pub fn registry() -> Registry {
    static SCHEMAS: LazyLock<Vec<&Schema>> =
        LazyLock::new(|| GROUPS.iter().copied().flatten().map(|driver| driver.schema()).collect());
    Registry(&SCHEMAS)
}

/// The driver of a kind.
fn driver(kind: &str) -> Result<&'static dyn Driver, Failure> {
    let mut drivers = GROUPS.iter().copied().flatten();
    let driver = drivers.find(|driver| driver.schema().kind == kind);
    driver.copied().ok_or_else(|| Failure::terminal(kind, "no such kind"))
}

/// The AWS cloud, for one set of credentials.
pub struct AwsCloud {
    base: Connection,
    budget: CallBudget,
}

impl AwsCloud {
    /// Connects: reads the usual AWS environment and profiles, and assumes the target's role if there is one.
    ///
    /// # Errors
    /// When no region is known or the settings contradict each other. Makes no call.
    pub async fn connect(settings: Settings) -> Result<AwsCloud, SettingsError> {
        let budget = CallBudget::scaled(settings.time_scale);
        let base = Connection::load(settings, budget.clone()).await?;
        Ok(AwsCloud { base, budget })
    }

    /// The gate that every mutating call passes.
    pub fn gate(&self) -> LeaseGate {
        self.base.gate().clone()
    }

    /// The store of a stack in an environment, in a bucket.
    pub fn store(&self, location: &S3Location, account: &str, stack: &str, env: &str, times: LeaseTimes) -> S3Store {
        let region = location.region.as_deref().unwrap_or(self.base.home());
        S3Store::new(self.base.store(region), location, &format!("{account}/{stack}.{env}"), times)
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
        driver::observe(driver(kind)?, &self.aws(&scope.region), scope).await
    }

    async fn apply(&self, operation: &Operation) -> Result<OperationResult, Failure> {
        let Operation { kind, region, mutation } = operation;
        let mut result = driver::apply(driver(kind)?, &self.aws(region), mutation).await?;
        if let Some(live) = &mut result.live {
            region.clone_into(&mut live.region);
        }
        Ok(result)
    }

    fn calls(&self) -> Counts {
        self.budget.counts()
    }
}

#[cfg(test)]
mod conformance;

#[cfg(test)]
mod tests {
    use holdfast_core::schema::{Record, Type};

    use super::*;

    /// The references in a type, as kind and attribute.
    fn references(ty: &Type, found: &mut Vec<(&'static str, &'static str)>) {
        match ty {
            Type::Reference { kind, attribute, .. } => found.push((kind, attribute)),
            Type::Set(of) | Type::List(of) | Type::Map(of) => references(of, found),
            Type::Record(record) => of(record, found),
            _ => {}
        }
    }

    fn of(record: &Record, found: &mut Vec<(&'static str, &'static str)>) {
        record.fields.iter().for_each(|field| references(&field.ty, found));
    }

    /// References to kinds of other crates go by name, so the compiler cannot check that the kind exists.
    #[test]
    fn every_reference_names_a_kind_and_one_of_its_attributes() {
        let registry = registry();
        let mut wrong = vec![];
        for schema in registry.0 {
            let mut found = vec![];
            of(schema.record, &mut found);
            wrong.extend(found.into_iter().filter(|(kind, attribute)| {
                let has_attribute =
                    |of: &Schema| ["id", "name"].contains(attribute) || of.status.field(attribute).is_some();
                !registry.get(kind).is_some_and(has_attribute)
            }));
        }
        assert_eq!(wrong, vec![]);
        let unknown: Vec<_> = holdfast_base::names::NAMES.iter().filter(|kind| registry.get(kind).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?} are not kinds");
    }

    /// Returns whether a path leads to a field. Below JSON, any name may stand.
    fn has_field(ty: Type, path: &str) -> bool {
        let Some((step, rest)) = path.split_once('.').or((!path.is_empty()).then_some((path, ""))) else { return true };
        match ty {
            Type::Record(record) => record.field(step).is_some_and(|field| has_field(field.ty, rest)),
            Type::Map(of) => has_field(*of, rest),
            Type::List(of) | Type::Set(of) => step == "*" && has_field(*of, rest),
            Type::Canonical { .. } => true,
            _ => false,
        }
    }

    /// The paths of relations are text, so the compiler cannot check that the fields exist.
    #[test]
    fn every_relation_names_fields_that_exist() {
        let mut wrong = vec![];
        for schema in registry().0 {
            for relation in schema.relations {
                for field in relation.fields() {
                    let path =
                        [relation.at, field].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
                    if !has_field(Type::Record(schema.record), &path) {
                        wrong.push(format!("{}: {path}", schema.kind));
                    }
                }
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }
}
