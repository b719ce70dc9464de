//! The page: every metric of the table, by Prometheus's conventions, in both formats.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use expect_test::expect;
use holdfast_core::observed::Phase;
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Cause};
use holdfast_engine::event::{Event, Outcome};
use holdfast_engine::pass::PassError;
use holdfast_server::{Format, Metrics, TABLE, Type};

use crate::story::{Story, change, did, metrics, series};

/// A process in which everything happened once.
pub(crate) fn eventful(metrics: &Metrics) {
    metrics.ended(Err(&PassError::Blind("ec2.DescribeVpcs: no route to host".into())));
    let calm = || Story::of(&["Vpc/main", "Subnet/a", "Service/web", "LogGroup/web"]);
    let found = calm()
        .differs("Subnet/a", Cause::Drift, vec![change("mapPublicIpOnLaunch", true, false)])
        .differs("LogGroup/web", Cause::Edit, vec![change("retentionInDays", 7, 30)])
        .holds("Service/web", Reason::Pending)
        .remarks("Service/web", "ImageMissing")
        .phase("Service/web", Phase::Updating);
    found.found(metrics);
    let retried = did(metrics, "Subnet/a", Action::Update, Cause::Drift, Outcome::Retry);
    let mended = did(metrics, "Subnet/a", Action::Update, Cause::Drift, Outcome::Done);
    let edited = did(metrics, "LogGroup/web", Action::Update, Cause::Edit, Outcome::Failed);
    found.ended(metrics, vec![retried, mended, edited]);
    metrics.on_all(&[Event::Reloaded { error: Some("line 3: unknown field") }, Event::Reloaded { error: None }]);
    calm().found(metrics);
    calm().ended(metrics, vec![]);
}

trait OnAll {
    fn on_all(&self, events: &[Event<'_>]);
}

impl<W: holdfast_engine::event::Watcher> OnAll for W {
    fn on_all(&self, events: &[Event<'_>]) {
        events.iter().for_each(|event| self.on(event));
    }
}

/// What `promtool check metrics` looks for, and that every metric of the table is there and none besides.
pub(crate) fn lint(page: &str) {
    let mut help = BTreeSet::new();
    let mut types = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for line in page.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, text] => {
                assert!(help.insert(name) && !text.is_empty() && text.ends_with('.'), "{line}");
            }
            ["#", "TYPE", name, ty] => assert!(types.insert(name, ty).is_none(), "{line}"),
            ["#", ..] => panic!("no such comment in this format: {line}"),
            _ => {
                let (series, value) = line.rsplit_once(' ').expect("a value");
                assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
                assert!(seen.insert(series), "twice: {series}");
                let name = series.split('{').next().expect("a name");
                let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
                let family = family.filter(|family| types.get(family) == Some(&"histogram")).unwrap_or(name);
                assert!(types.contains_key(family), "no type before {line}");
                assert!(series.contains(r#"{stack="mashroom",env="prod""#) || series.contains("{le="), "{line}");
                assert!(series.contains(r#"stack="mashroom",env="prod""#), "{line}");
            }
        }
    }
    assert_eq!(help, types.keys().copied().collect(), "help and type of each");
    assert_eq!(help, TABLE.iter().map(|metric| metric.name).collect(), "the page and the table");
    for (name, ty) in types {
        assert_eq!(name.ends_with("_total"), ty == "counter", "{name}: counters and only they end in _total");
        assert!(!["_bucket", "_sum", "_count"].iter().any(|suffix| name.ends_with(suffix)), "{name}");
        for word in ["gauge", "counter", "histogram", "ms", "millis", "minutes", "percent", "kb", "sec"] {
            assert!(!name.split('_').any(|part| part == word), "{name}: `{word}` in a name");
        }
        assert!(ty != "histogram" || name.ends_with("_seconds"), "{name}: a base unit");
    }
}

#[test]
fn names_and_types_follow_the_conventions() {
    let metrics = metrics();
    lint(&metrics.page(Format::Text).unwrap());
    eventful(&metrics);
    lint(&metrics.page(Format::Text).unwrap());
    for metric in TABLE {
        let name = metric.name;
        let rest = name.strip_prefix("holdfast_").expect("our prefix");
        assert!(rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert!(!metric.help.contains(['\n', '\\', '|']), "{name}: neither format nor a table may need escapes");
        assert_eq!(name.ends_with("_info"), metric.ty == Type::Info, "{name}");
        let labels: BTreeSet<_> = metric.labels.iter().collect();
        assert_eq!(labels.len(), metric.labels.len(), "{name}");
        assert!(!labels.contains(&"le") && !labels.contains(&"stack") && !labels.contains(&"env"), "{name}");
    }
}

#[test]
fn every_metric_has_a_series_once_everything_happened() {
    let metrics = metrics();
    eventful(&metrics);
    let page = metrics.page(Format::Text).unwrap();
    for metric in TABLE {
        let sample = match metric.ty {
            Type::Histogram => format!("\n{}_count{{", metric.name),
            _ => format!("\n{}{{", metric.name),
        };
        assert!(page.contains(&sample), "no series of {}", metric.name);
    }
}

#[test]
fn passes_steps_holds_and_calls_are_counted() {
    let metrics = metrics();
    eventful(&metrics);
    let mut text = String::new();
    for name in [
        "holdfast_passes_total",
        "holdfast_steps_total",
        "holdfast_step_duration_seconds_count",
        "holdfast_drift_mended_total",
        "holdfast_last_pass_aws_calls",
        "holdfast_last_converged_pass_timestamp_seconds",
        "holdfast_aws_calls_total",
        "holdfast_aws_throttles_total",
        "holdfast_aws_budget_waits_total",
        "holdfast_aws_budget_waited_seconds_total",
        "holdfast_document_reloads_total",
        "holdfast_document_usable",
        "holdfast_holds",
        "holdfast_resources",
    ] {
        series(&metrics, name).iter().for_each(|line| text.push_str(&format!("{name}{line}\n")));
    }
    expect![[r#"
        holdfast_passes_total{result="converged"} 1
        holdfast_passes_total{result="error"} 1
        holdfast_passes_total{result="failed"} 1
        holdfast_steps_total{action="update",outcome="done"} 1
        holdfast_steps_total{action="update",outcome="retry"} 1
        holdfast_steps_total{action="update",outcome="failed"} 1
        holdfast_step_duration_seconds_count{action="update"} 3
        holdfast_drift_mended_total{tier="network",kind="Subnet"} 1
        holdfast_last_pass_aws_calls{} 45
        holdfast_last_converged_pass_timestamp_seconds{} 1800000000.0
        holdfast_aws_calls_total{service="ec2",operation="CreateVpc",outcome="noreply"} 1
        holdfast_aws_calls_total{service="ec2",operation="DescribeVpcs",outcome="ok"} 40
        holdfast_aws_calls_total{service="ec2",operation="DescribeVpcs",outcome="throttled"} 2
        holdfast_aws_calls_total{service="iam",operation="GetRole",outcome="error"} 3
        holdfast_aws_throttles_total{service="ec2"} 2
        holdfast_aws_budget_waits_total{} 5
        holdfast_aws_budget_waited_seconds_total{} 2.5
        holdfast_document_reloads_total{result="ok"} 1
        holdfast_document_reloads_total{result="error"} 1
        holdfast_document_usable{} 1
        holdfast_resources{tier="network",kind="Subnet",phase="Ready"} 1
        holdfast_resources{tier="network",kind="Vpc",phase="Ready"} 1
        holdfast_resources{tier="compute",kind="Service",phase="Ready"} 1
        holdfast_resources{tier="operations",kind="LogGroup",phase="Ready"} 1
    "#]]
    .assert_eq(&text);
}

#[test]
fn holds_and_remarks_that_are_over_stay_at_zero() {
    let metrics = metrics();
    Story::of(&["Service/web"]).holds("Service/web", Reason::Pending).remarks("Service/web", "X").found(&*metrics);
    assert_eq!(series(&metrics, "holdfast_holds"), [r#"{reason="Pending"} 1"#]);
    Story::of(&["Service/web"]).found(&*metrics);
    let page = metrics.page(Format::Text).unwrap();
    assert!(page.contains(r#"holdfast_holds{stack="mashroom",env="prod",reason="Pending"} 0"#), "{page}");
    assert!(page.contains(r#"holdfast_remarks{stack="mashroom",env="prod",reason="X"} 0"#), "{page}");
}

#[test]
fn resources_that_cannot_be_seen_are_counted_as_they_were() {
    let metrics = metrics();
    Story::of(&["Vpc/main", "Service/web"]).found(&*metrics);
    Story::of(&["Vpc/main"]).holds("Service/web", Reason::Unobserved).found(&*metrics);
    assert_eq!(series(&metrics, "holdfast_resources").len(), 2);
    Story::of(&["Vpc/main"]).found(&*metrics);
    assert_eq!(series(&metrics, "holdfast_resources"), [r#"{tier="network",kind="Vpc",phase="Ready"} 1"#]);
}

#[tokio::test(start_paused = true)]
async fn the_age_grows_until_a_pass_converges() {
    let metrics = metrics();
    let age = || series(&metrics, "holdfast_last_converged_pass_age_seconds").join("");
    tokio::time::advance(Duration::from_secs(90)).await;
    assert_eq!(age(), "{} 90.0");
    Story::of(&["Vpc/main"]).holds("Vpc/main", Reason::Pending).ended(&*metrics, vec![]);
    assert_eq!(age(), "{} 90.0", "a held pass is not converged");
    Story::of(&["Vpc/main"]).ended(&*metrics, vec![]);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(age(), "{} 30.0");
}

#[tokio::test(start_paused = true)]
async fn openmetrics_has_families_and_an_end() {
    let metrics = metrics();
    eventful(&metrics);
    let page = metrics.page(Format::OpenMetrics).unwrap();
    assert!(page.ends_with("# EOF\n"));
    assert!(page.contains("# TYPE holdfast_passes counter\nholdfast_passes_total{"), "{page}");
    assert!(page.contains("# TYPE holdfast_build info\nholdfast_build_info{"), "{page}");
    let samples = |page: &str| page.lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(samples(&page), samples(&metrics.page(Format::Text).unwrap()));
}
