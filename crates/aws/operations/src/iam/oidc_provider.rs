//! OidcProvider: an identity provider whose tokens roles can be assumed with.

use std::collections::BTreeSet;

use aws_sdk_iam::operation::get_open_id_connect_provider::GetOpenIdConnectProviderOutput as Answer;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Replace, Tier};
use holdfast_core::types::Always;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::iam;
use super::policy::sdk_tags;

/// An OpenID Connect provider, as of GitHub Actions or of an EKS cluster. Its `name` is its URL without `https://`: state
/// it, as in `name: token.actions.githubusercontent.com`. An account has one provider of a URL; one that somebody
/// else made is looked up by its name, or adopted.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OidcProvider {
    /// Whom its tokens are for (`aud`), as in `sts.amazonaws.com`: at most 100, each of 255 characters.
    client_id_list: BTreeSet<String>,
    /// SHA-1 thumbprints of the certificates that sign the provider's own, at most five, in lower case. AWS finds one out
    /// by itself when none is stated, and does not use it where it trusts the provider's authority anyway
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html>): best left out.
    thumbprint_list: Option<Always<BTreeSet<String>>>,
}

/// What only AWS knows of an OidcProvider.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OidcProviderStatus {
    /// Its ARN; also its id. Trust policies name it as `Principal: { Federated: … }`.
    arn: String,
    /// Its URL, with `https://`.
    url: String,
}

impl Kind for OidcProvider {
    type Status = OidcProviderStatus;
    const TIER: Tier = Tier::Operations;
    const REPLACE: Replace = Replace::DeleteFirst;
    const NAMING: Naming = Naming::limit(255);
    const CLASS: CreateClass = CreateClass::Name;
    const GLOBAL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let listed = iam(aws).list_open_id_connect_providers().send().await?;
        let arns = listed.open_id_connect_provider_list().iter().filter_map(|entry| entry.arn.clone());
        let arns: Vec<String> = arns.collect();
        let (hinted, _) = tagging::split(&*tagging::of_no_region(aws)?, scope, &arns).await?;
        let wanted = arns.into_iter().filter(|arn| {
            let asked_for = scope.ids.contains(arn) || scope.is_candidate(name(arn));
            asked_for || hinted.contains_key(arn) || scope.lookups.iter().any(|lookup| !lookup.is_empty())
        });
        each(wanted, |arn| async move {
            let answer = iam(aws).get_open_id_connect_provider().open_id_connect_provider_arn(&arn).send().await;
            Ok(answer.or_absent()?.map(|answer| live(&answer, arn)))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let OidcProvider { client_id_list, thumbprint_list } = &desired.spec;
        let made = iam(aws)
            .create_open_id_connect_provider()
            .url(format!("https://{}", desired.name.trim_start_matches("https://")))
            .set_client_id_list(Some(client_id_list.iter().cloned().collect()))
            .set_thumbprint_list(thumbprint_list.as_ref().map(|list| list.iter().cloned().collect()))
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let arn = made.open_id_connect_provider_arn;
        let arn =
            arn.ok_or_else(|| Error::incomplete("iam.CreateOpenIDConnectProvider", "openIDConnectProviderArn"))?;
        let told = desired.made(arn.clone(), status(&arn));
        Ok(Live { name: name(&arn).to_owned(), ..told }.into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let OidcProvider { client_id_list, thumbprint_list } = &desired.spec;
        if let Some(list) = thumbprint_list.as_ref().filter(|_| desired.changed("thumbprintList")) {
            let update = iam(aws).update_open_id_connect_provider_thumbprint().open_id_connect_provider_arn(&live.id);
            update.set_thumbprint_list(Some(list.iter().cloned().collect())).send().await?;
        }
        if desired.changed("clientIdList") {
            let there = &live.spec.client_id_list;
            for client in there.difference(client_id_list) {
                let remove = iam(aws).remove_client_id_from_open_id_connect_provider();
                remove.open_id_connect_provider_arn(&live.id).client_id(client).send().await.or_absent()?;
            }
            for client in client_id_list.difference(there) {
                let add = iam(aws).add_client_id_to_open_id_connect_provider();
                add.open_id_connect_provider_arn(&live.id).client_id(client).send().await?;
            }
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        iam(aws).delete_open_id_connect_provider().open_id_connect_provider_arn(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        if !set.is_empty() {
            let tag = iam(aws).tag_open_id_connect_provider().open_id_connect_provider_arn(&live.id);
            tag.set_tags(Some(sdk_tags(set)?)).send().await?;
        }
        if !remove.is_empty() {
            let untag = iam(aws).untag_open_id_connect_provider().open_id_connect_provider_arn(&live.id);
            untag.set_tag_keys(Some(remove.iter().cloned().collect())).send().await?;
        }
        Ok(())
    }
}

/// The URL without `https://`, as it stands in the ARN.
fn name(arn: &str) -> &str {
    arn.split_once(":oidc-provider/").map_or(arn, |(_, name)| name)
}

fn live(answer: &Answer, arn: String) -> Live<OidcProvider> {
    let thumbprints: BTreeSet<String> = answer.thumbprint_list().iter().cloned().collect();
    let spec = OidcProvider {
        client_id_list: answer.client_id_list().iter().cloned().collect(),
        thumbprint_list: Some(Always(thumbprints)),
    };
    let tags = answer.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    Live::new(&arn, name(&arn), spec, status(&arn)).tags(tags)
}

fn status(arn: &str) -> OidcProviderStatus {
    OidcProviderStatus { arn: arn.to_owned(), url: format!("https://{}", name(arn)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_called_by_its_url() {
        let arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC";
        let live = live(&Answer::builder().client_id_list("sts.amazonaws.com").build(), arn.into());
        assert_eq!(live.name, "oidc.eks.eu-west-1.amazonaws.com/id/ABC");
        assert_eq!(live.status.url, "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC");
    }
}
