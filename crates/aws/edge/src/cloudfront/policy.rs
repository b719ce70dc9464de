//! The operations of CloudFront's policies and origin access controls. Each has a configuration that is written as a
//! whole, with the owner marker at the end of its comment or description.

use std::future::Future;

use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner_marker;
use holdfast_base::tagging::Tags;
use holdfast_base::wanted::{Listed, Wants as _};
use holdfast_core::observed::tag;
use holdfast_engine::cloud::Scope;

/// A kind whose configuration is written as a whole, with the owner marker at the end of its text.
pub(super) trait Policy: Kind<Status = ()> {
    /// The configuration in the SDK's type.
    type Config: Send;
    /// The maximum length of the text with the marker in characters
    /// (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CachePolicyConfig.html>).
    const TEXT_LIMIT: usize = 128;

    /// Returns a configuration with this name.
    fn new(name: &str) -> Result<Self::Config>;
    /// Writes the spec into a configuration, without its text.
    fn put(&self, config: &mut Self::Config) -> Result<()>;
    /// Returns the spec of a configuration with this text.
    fn from_response(config: &Self::Config, text: Option<String>) -> Self;
    /// Returns the text that people wrote.
    fn text(&self) -> Option<&str>;
    /// Returns the name and the text, marker included, of a configuration.
    fn parts(config: &mut Self::Config) -> (&str, &mut Option<String>);

    /// Lists the ids and the configurations, with or without those that AWS provides.
    fn list(aws: &Aws, managed: bool) -> impl Future<Output = Result<Vec<(String, Self::Config)>>> + Send;
    /// Creates a policy. Returns its id and its configuration.
    fn create(aws: &Aws, config: Self::Config) -> impl Future<Output = Result<(String, Option<Self::Config>)>> + Send;
    /// Reads a configuration and its ETag.
    fn get(aws: &Aws, id: &str) -> impl Future<Output = Result<(Self::Config, Option<String>)>> + Send;
    /// Writes a configuration, if it still has this ETag.
    fn update(
        aws: &Aws,
        id: &str,
        config: Self::Config,
        e_tag: Option<String>,
    ) -> impl Future<Output = Result<()>> + Send;
    /// Deletes a policy, if it still has this ETag.
    fn delete(aws: &Aws, id: &str, e_tag: Option<String>) -> impl Future<Output = Result<()>> + Send;
}

/// Observes the policies that the scope asks for. The list call returns whole policies.
pub(super) async fn observe<K: Policy>(aws: &Aws, scope: &Scope) -> Result<Vec<Live<K>>> {
    // Only a lookup or a reference by id can ask for a policy that AWS provides.
    let managed = scope.has_lookups() || !scope.ids.is_empty();
    let listed = K::list(aws, managed).await?.into_iter().map(|(id, config)| live(id, config));
    let is_wanted =
        |live: &Live<K>| scope.wants(&Listed::id(&live.id).named(&live.name).tags(&live.tags).spec(&live.spec)).any();
    Ok(listed.filter(is_wanted).collect())
}

/// Creates a policy with the marker of its owner.
pub(super) async fn create<K: Policy>(aws: &Aws, desired: &Desired<K>) -> Result<Created<K>> {
    let mut config = K::new(&desired.name)?;
    put(&mut config, &desired.spec, &desired.tags)?;
    let (id, config) = <K as Policy>::create(aws, config).await?;
    Ok(match config {
        Some(config) => live(id, config).into(),
        None => Created::unobserved(id),
    })
}

/// Writes the spec and the marker of the owner into the live configuration.
pub(super) async fn update<K: Policy>(aws: &Aws, live: &Live<K>, desired: &Desired<K>) -> Result<Updated> {
    let (mut config, e_tag) = K::get(aws, &live.id).await?;
    put(&mut config, &desired.spec, &desired.tags)?;
    <K as Policy>::update(aws, &live.id, config, e_tag).await?;
    Ok(Updated::ObserveAgain)
}

/// Deletes a policy. AWS refuses the call if another client has changed the policy since it was read.
pub(super) async fn delete<K: Policy>(aws: &Aws, live: &Live<K>) -> Result<()> {
    let (_, e_tag) = K::get(aws, &live.id).await?;
    <K as Policy>::delete(aws, &live.id, e_tag).await
}

/// Rewrites the text with the marker of this owner, and leaves the rest of the configuration as it is.
pub(super) async fn write_marker<K: Policy>(aws: &Aws, live: &Live<K>, owner: &Tags) -> Result<()> {
    let (mut config, e_tag) = K::get(aws, &live.id).await?;
    *K::parts(&mut config).1 = Some(marked(&live.spec, owner)?);
    <K as Policy>::update(aws, &live.id, config, e_tag).await
}

/// Writes the spec and the owner marker into a configuration.
pub(super) fn put<K: Policy>(config: &mut K::Config, spec: &K, owner: &Tags) -> Result<()> {
    *K::parts(config).1 = Some(marked(spec, owner)?);
    spec.put(config)
}

/// Returns the text with the marker of its owner. A released policy has no owner, and its text no marker.
pub(super) fn marked<K: Policy>(spec: &K, owner: &Tags) -> Result<String> {
    let text = spec.text().unwrap_or_default();
    match owner.contains_key(tag::STACK) {
        true => owner_marker::join::<K>(text, owner, K::TEXT_LIMIT),
        false => Ok(text.to_owned()),
    }
}

pub(super) fn live<K: Policy>(id: String, mut config: K::Config) -> Live<K> {
    let (name, text) = K::parts(&mut config);
    let (name, text) = (name.to_owned(), text.take().unwrap_or_default());
    let (text, owner) = owner_marker::split::<K>(&text);
    let spec = K::from_response(&config, Some(text.to_owned()).filter(|text| !text.is_empty()));
    Live::new(id, name, spec, ()).tags(owner)
}

/// The error for a response that lacks a part.
pub(super) fn incomplete<K: Policy>(part: &str) -> Error {
    Error::incomplete(K::KIND, part)
}

/// Implements [`Kind`] for a [`Policy`], with the maximum length of its name and its relations.
macro_rules! policy_kind {
    ($kind:ty, $name_limit:literal, $relations:expr) => {
        const _: () = {
            use holdfast_base::client::Aws;
            use holdfast_base::error::Result;
            use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
            use holdfast_base::owner::{EmbeddedMarker, Marked};
            use holdfast_base::tagging::Tags;
            use holdfast_core::schema::{Idempotency, NamingRules, Tier};
            use holdfast_engine::cloud::Scope;

            use $crate::cloudfront::policy;

            impl Kind for $kind {
                type Status = ();
                type Owner = EmbeddedMarker;
                const TIER: Tier = Tier::Edge;
                const NAMING: NamingRules = NamingRules::limit($name_limit);
                const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
                const RELATIONS: &'static [holdfast_core::schema::relation::Relation] = $relations;
                const GLOBAL: bool = true;

                async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
                    policy::observe(aws, scope).await
                }

                async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
                    policy::create(aws, desired).await
                }

                async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
                    policy::update(aws, live, desired).await
                }

                async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
                    policy::delete(aws, live).await
                }
            }

            impl Marked for $kind {
                async fn write_marker(aws: &Aws, live: &Live<Self>, owner: &Tags) -> Result<()> {
                    policy::write_marker(aws, live, owner).await
                }
            }
        };
    };
}

/// Declares the calls of a [`Policy`] that create, read, update and delete: the calls, the fields of the responses that
/// have the policy and its configuration, and the field that has the text.
macro_rules! policy_calls {
    ($create:ident, $get:ident, $update:ident, $delete:ident, $policy:ident.$config:ident.$text:ident) => {
        fn text(&self) -> Option<&str> {
            self.$text.as_deref()
        }

        fn parts(config: &mut Self::Config) -> (&str, &mut Option<String>) {
            (&config.name, &mut config.$text)
        }

        async fn create(
            aws: &holdfast_base::client::Aws,
            config: Self::Config,
        ) -> holdfast_base::error::Result<(String, Option<Self::Config>)> {
            let output = $crate::cloudfront::cloudfront(aws).$create().$config(config).send().await?;
            let created = output.$policy.ok_or_else(|| $crate::cloudfront::policy::incomplete::<Self>("id"))?;
            Ok((created.id, created.$config))
        }

        async fn get(
            aws: &holdfast_base::client::Aws,
            id: &str,
        ) -> holdfast_base::error::Result<(Self::Config, Option<String>)> {
            let output = $crate::cloudfront::cloudfront(aws).$get().id(id).send().await?;
            let config =
                output.$config.ok_or_else(|| $crate::cloudfront::policy::incomplete::<Self>("configuration"))?;
            Ok((config, output.e_tag))
        }

        async fn update(
            aws: &holdfast_base::client::Aws,
            id: &str,
            config: Self::Config,
            e_tag: Option<String>,
        ) -> holdfast_base::error::Result<()> {
            $crate::cloudfront::cloudfront(aws).$update().id(id).set_if_match(e_tag).$config(config).send().await?;
            Ok(())
        }

        async fn delete(
            aws: &holdfast_base::client::Aws,
            id: &str,
            e_tag: Option<String>,
        ) -> holdfast_base::error::Result<()> {
            $crate::cloudfront::cloudfront(aws).$delete().id(id).set_if_match(e_tag).send().await?;
            Ok(())
        }
    };
}

/// Declares the list call of a [`Policy`] that AWS provides too: the call, the field of the response that has the list,
/// the SDK's enum of the two types, and the fields of a summary that have the policy and its configuration.
macro_rules! policy_list {
    ($call:ident.$list:ident, $type:ty, $policy:ident.$config:ident) => {
        async fn list(
            aws: &holdfast_base::client::Aws,
            managed: bool,
        ) -> holdfast_base::error::Result<Vec<(String, Self::Config)>> {
            let (mut found, mut marker) = (vec![], None);
            loop {
                let custom = (!managed).then_some(<$type>::Custom);
                let request = $crate::cloudfront::cloudfront(aws).$call().set_type(custom).set_marker(marker);
                let Some(page) = request.send().await?.$list else { return Ok(found) };
                let policies = page.items.unwrap_or_default().into_iter().filter_map(|summary| summary.$policy);
                found.extend(policies.filter_map(|policy| Some((policy.id, policy.$config?))));
                marker = page.next_marker;
                if marker.is_none() {
                    return Ok(found);
                }
            }
        }
    };
}

pub(super) use {policy_calls, policy_kind, policy_list};
