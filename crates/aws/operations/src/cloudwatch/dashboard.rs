//! Dashboard: a CloudWatch dashboard, a page of graphs and text in the console.

use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::all;
use holdfast_base::tagging;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::JsonText;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{CloudWatchTags, cloudwatch, sdk_tags, tags_of};

/// A CloudWatch dashboard.
///
/// Dashboards are global, so each metric widget names its `region`. The name has at most 255 letters, digits, hyphens
/// and underscores (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html>).
/// PutDashboard overwrites an existing dashboard: the first observation of a pass finds a dashboard of another owner,
/// which is then held, but a dashboard that is created under the name after that observation is overwritten unnoticed.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dashboard {
    /// The dashboard body, with the widgets: `{ widgets: […], start: -PT3H, periodOverride: inherit }`, as YAML or as
    /// JSON text. AWS stores the body as it is sent
    /// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html>).
    body: JsonText,
}

/// The read-only attributes of a Dashboard.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DashboardStatus {
    /// The dashboard's ARN.
    arn: String,
}

impl Kind for Dashboard {
    type Status = DashboardStatus;
    type Owner = TagOnCreate<CloudWatchTags, ByArn>;
    const TIER: Tier = Tier::Operations;
    const GLOBAL: bool = true;
    const NAMING: NamingRules = NamingRules {
        form: (r"[A-Za-z0-9_-]+", "has letters, digits and the characters `_-`"),
        ..NamingRules::limit(255)
    };
    /// PutDashboard treats a second create of a name as an update, so the name is observed before the create.
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let index = tagging::of_no_region(aws)?;
        let is = |service: &str, resource: &str| service == "cloudwatch" && resource.starts_with("dashboard/");
        let known = tagging::known(&index, scope, is, |arn, tags| async move {
            let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
            let wants = scope.wants(&Listed::name(&name)).any();
            let body = if wants { body_of(aws, &name).await? } else { None };
            Ok(body.map(|body| live(name, arn, &body).tags(tags)))
        });
        if let Some(found) = known.await? {
            return Ok(found);
        }
        let entries = cloudwatch(aws).list_dashboards().into_paginator().items().send();
        let entries = all(entries).await?;
        let index = &index;
        each(entries, |entry| async move {
            let name = entry.dashboard_name.unwrap_or_default();
            if !scope.wants(&Listed::name(&name)).any() {
                return Ok(None);
            }
            let arn = entry.dashboard_arn.ok_or_else(|| Error::incomplete("cloudwatch.ListDashboards", "arn"))?;
            let tags = tagging::tags(index, scope, &arn, || tags_of(aws, &arn));
            let (tags, body) = futures::try_join!(tags, body_of(aws, &name))?;
            Ok(tags.zip(body).map(|(tags, body)| live(name, arn, &body).tags(tags)))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Dashboard { body } = &desired.spec;
        let put = cloudwatch(aws).put_dashboard().dashboard_name(&desired.name).dashboard_body(body.json());
        put.set_tags(Some(sdk_tags(&desired.tags)?)).send().await?;
        let Some(arn) = aws.global_arn("cloudwatch", &format!("dashboard/{}", desired.name)) else {
            return Ok(Created::unobserved(&desired.name));
        };
        Ok(desired.as_live(&desired.name, DashboardStatus { arn }).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Dashboard { body } = &desired.spec;
        cloudwatch(aws).put_dashboard().dashboard_name(&live.id).dashboard_body(body.json()).send().await?;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        cloudwatch(aws).delete_dashboards().dashboard_names(&live.id).send().await?;
        Ok(())
    }
}

async fn body_of(aws: &Aws, name: &str) -> Result<Option<String>> {
    let output = cloudwatch(aws).get_dashboard().dashboard_name(name).send().await.or_absent()?;
    Ok(output.map(|output| output.dashboard_body.unwrap_or_default()))
}

fn live(name: String, arn: String, body: &str) -> Live<Dashboard> {
    Live::new(name.clone(), name, Dashboard { body: JsonText::parse(body) }, DashboardStatus { arn })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_compared_as_json() {
        let observed = live("main".into(), "arn".into(), r#"{ "widgets": [], "start": "-PT3H" }"#);
        let stated: JsonText = serde_json::from_str(r#"{"start":"-PT3H","widgets":[]}"#).unwrap();
        assert_eq!(observed.spec.body, stated);
    }
}
