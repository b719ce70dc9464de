//! OidcProvider: an OpenID Connect identity provider, whose tokens are accepted to assume roles.

use std::collections::BTreeSet;

use aws_sdk_iam::operation::get_open_id_connect_provider::GetOpenIdConnectProviderOutput;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::tagging;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Replacement, Tier};
use holdfast_core::types::ServerDefault;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{OidcProviderTags, from_sdk_tags, iam, sdk_tags};

/// An OpenID Connect identity provider, such as GitHub Actions or an EKS cluster.
///
/// The `name` is the provider's URL; `https://` at its beginning makes no difference. State it, as in
/// `name: token.actions.githubusercontent.com`. An account has one provider for each URL: look up an existing provider
/// by its name, or adopt it.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OidcProvider {
    /// The client ids, also called audiences (`aud`), whose tokens are accepted, as in `sts.amazonaws.com`.
    #[spec(items = ..=100, length = 1..=255)]
    client_id_list: BTreeSet<String>,
    /// The SHA-1 thumbprints of the certificates that sign the provider's own certificate, in lower case.
    /// Best left out: AWS determines a thumbprint if none is stated, and does not use it if it trusts the provider's
    /// certificate authority (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html>).
    #[spec(items = ..=5, length = 40..=40)]
    thumbprint_list: Option<ServerDefault<BTreeSet<String>>>,
}

/// The read-only attributes of an OidcProvider.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OidcProviderStatus {
    /// The provider's ARN, which is also its id. Trust policies name it as `Principal: { Federated: … }`.
    arn: String,
    /// The provider's URL, with `https://`.
    url: String,
}

impl Kind for OidcProvider {
    type Status = OidcProviderStatus;
    type Owner = TagOnCreate<OidcProviderTags>;
    const TIER: Tier = Tier::Operations;
    const REPLACEMENT: Replacement = Replacement::DestroyBeforeCreate;
    const NAMING: NamingRules = NamingRules { left_out: "https://", ..NamingRules::limit(255) };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const GLOBAL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let listed = iam(aws).list_open_id_connect_providers().send().await?;
        let arns = listed.open_id_connect_provider_list().iter().filter_map(|entry| entry.arn.clone());
        let arns: Vec<String> = arns.collect();
        let (indexed, _) = tagging::split(&*tagging::of_no_region(aws)?, scope, &arns).await?;
        let candidates = arns
            .into_iter()
            .filter(|arn| indexed.contains_key(arn) || scope.wants(&Listed::id(arn).named(name(arn))).any());
        each(candidates, |arn| async move {
            let output = iam(aws).get_open_id_connect_provider().open_id_connect_provider_arn(&arn).send().await;
            Ok(output.or_absent()?.map(|output| live(&output, arn)))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let OidcProvider { client_id_list, thumbprint_list } = &desired.spec;
        let output = iam(aws)
            .create_open_id_connect_provider()
            .url(format!("https://{}", desired.name))
            .set_client_id_list(Some(client_id_list.iter().cloned().collect()))
            .set_thumbprint_list(thumbprint_list.as_ref().map(|list| list.iter().cloned().collect()))
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let arn = output.open_id_connect_provider_arn;
        let arn =
            arn.ok_or_else(|| Error::incomplete("iam.CreateOpenIDConnectProvider", "openIDConnectProviderArn"))?;
        let live = desired.as_live(arn.clone(), status(&arn));
        Ok(Live { name: name(&arn).to_owned(), ..live }.into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let OidcProvider { client_id_list, thumbprint_list } = &desired.spec;
        if let Some(list) = thumbprint_list.as_ref().filter(|_| desired.changed(OidcProvider::THUMBPRINT_LIST)) {
            let update = iam(aws).update_open_id_connect_provider_thumbprint().open_id_connect_provider_arn(&live.id);
            update.set_thumbprint_list(Some(list.iter().cloned().collect())).send().await?;
        }
        if desired.changed(OidcProvider::CLIENT_ID_LIST) {
            let current = &live.spec.client_id_list;
            for client in current.difference(client_id_list) {
                let remove = iam(aws).remove_client_id_from_open_id_connect_provider();
                remove.open_id_connect_provider_arn(&live.id).client_id(client).send().await.or_absent()?;
            }
            for client in client_id_list.difference(current) {
                let add = iam(aws).add_client_id_to_open_id_connect_provider();
                add.open_id_connect_provider_arn(&live.id).client_id(client).send().await?;
            }
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        iam(aws).delete_open_id_connect_provider().open_id_connect_provider_arn(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the URL without `https://`, as in the ARN.
fn name(arn: &str) -> &str {
    arn.split_once(":oidc-provider/").map_or(arn, |(_, name)| name)
}

fn live(output: &GetOpenIdConnectProviderOutput, arn: String) -> Live<OidcProvider> {
    let thumbprints: BTreeSet<String> = output.thumbprint_list().iter().cloned().collect();
    let spec = OidcProvider {
        client_id_list: output.client_id_list().iter().cloned().collect(),
        thumbprint_list: Some(ServerDefault(thumbprints)),
    };
    Live::new(&arn, name(&arn), spec, status(&arn)).tags(from_sdk_tags(output.tags()))
}

fn status(arn: &str) -> OidcProviderStatus {
    OidcProviderStatus { arn: arn.to_owned(), url: format!("https://{}", name(arn)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_provider_is_its_url_without_the_scheme() {
        let arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC";
        let live =
            live(&GetOpenIdConnectProviderOutput::builder().client_id_list("sts.amazonaws.com").build(), arn.into());
        assert_eq!(live.name, "oidc.eks.eu-west-1.amazonaws.com/id/ABC");
        assert_eq!(live.status.url, "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC");
    }
}
