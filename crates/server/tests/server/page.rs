//! The page: every metric of the table, according to Prometheus's conventions, in both formats.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use expect_test::expect;
use holdfast_core::observed::{KindRegion, Phase};
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Cause};
use holdfast_engine::cloud::Failure;
use holdfast_engine::event::{Event, EventSink, StepOutcome};
use holdfast_engine::pass::PassError;
use holdfast_server::{Format, MetricType, Metrics, TABLE, page as page_of};

use crate::test_plan::{TestPlan, change, metrics, metrics_at, run_step, series};

/// Gives the metrics at least one event of every sort.
pub(crate) fn every_event(metrics: &Metrics) {
    metrics.ended(Err(&PassError::ObservationFailed("ec2.DescribeVpcs: no route to host".into())));
    let converged = || TestPlan::of(&["Vpc/main", "Subnet/a", "Service/web", "LogGroup/web"]);
    let found = converged()
        .differs("Subnet/a", Cause::Drift, vec![change("mapPublicIpOnLaunch", true, false)])
        .differs("LogGroup/web", Cause::Edit, vec![change("retentionInDays", 7, 30)])
        .holds("Service/web", Reason::Pending)
        .conditions("Service/web", "ImageMissing")
        .phase("Service/web", Phase::Updating);
    found.begins_pass(metrics);
    let retried = run_step(metrics, "Subnet/a", Action::Update, Cause::Drift, StepOutcome::Retry);
    let corrected = run_step(metrics, "Subnet/a", Action::Update, Cause::Drift, StepOutcome::Done);
    let edited = run_step(metrics, "LogGroup/web", Action::Update, Cause::Edit, StepOutcome::Failed);
    found.ends_pass(metrics, vec![retried, corrected, edited]);
    let kind_region = KindRegion { kind: "Cluster", region: "us-east-1".to_owned() };
    metrics.on(&Event::Observed {
        kind_region: &kind_region,
        failure: Some(&Failure::terminal("ecs.ListClusters", "no")),
    });
    metrics.on(&Event::Reloaded { error: Some("line 3: unknown field") });
    metrics.on(&Event::Reloaded { error: None });
    converged().begins_pass(metrics);
    converged().ends_pass(metrics, vec![]);
}

/// Checks a page as `promtool check metrics` does, and that it has every metric of the table and no other.
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
    lint(&page_of(&metrics, Format::Text).unwrap());
    every_event(&metrics);
    lint(&page_of(&metrics, Format::Text).unwrap());
    for metric in TABLE {
        let name = metric.name;
        let rest = name.strip_prefix("holdfast_").expect("our prefix");
        assert!(rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert!(!metric.help.contains(['\n', '\\', '|']), "{name}: the help needs escapes in a format or in a table");
        assert_eq!(name.ends_with("_info"), metric.ty == MetricType::Info, "{name}");
        let labels: BTreeSet<_> = metric.labels.iter().collect();
        assert_eq!(labels.len(), metric.labels.len(), "{name}");
        assert!(!labels.contains(&"le") && !labels.contains(&"stack") && !labels.contains(&"env"), "{name}");
    }
}

#[test]
fn every_metric_has_a_series_after_every_event() {
    let metrics = metrics();
    every_event(&metrics);
    let page = page_of(&metrics, Format::Text).unwrap();
    for metric in TABLE {
        let sample = match metric.ty {
            MetricType::Histogram => format!("\n{}_count{{", metric.name),
            _ => format!("\n{}{{", metric.name),
        };
        assert!(page.contains(&sample), "no series of {}", metric.name);
    }
}

#[test]
fn passes_steps_holds_and_calls_are_counted() {
    let metrics = metrics();
    every_event(&metrics);
    let mut text = String::new();
    for name in [
        "holdfast_passes_total",
        "holdfast_steps_total",
        "holdfast_step_duration_seconds_count",
        "holdfast_drift_corrected_total",
        "holdfast_last_pass_aws_calls",
        "holdfast_last_converged_pass_timestamp_seconds",
        "holdfast_aws_calls_total",
        "holdfast_aws_throttles_total",
        "holdfast_aws_rate_limiter_waits_total",
        "holdfast_aws_rate_limiter_wait_seconds_total",
        "holdfast_config_reloads_total",
        "holdfast_config_last_reload_successful",
        "holdfast_config_last_reload_success_timestamp_seconds",
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
        holdfast_drift_corrected_total{tier="network",kind="Subnet"} 1
        holdfast_last_pass_aws_calls{} 45
        holdfast_last_converged_pass_timestamp_seconds{} 1800000000.0
        holdfast_aws_calls_total{service="ec2",operation="CreateVpc",outcome="noreply"} 1
        holdfast_aws_calls_total{service="ec2",operation="DescribeVpcs",outcome="ok"} 40
        holdfast_aws_calls_total{service="ec2",operation="DescribeVpcs",outcome="throttled"} 2
        holdfast_aws_calls_total{service="iam",operation="GetRole",outcome="error"} 3
        holdfast_aws_throttles_total{service="ec2"} 2
        holdfast_aws_rate_limiter_waits_total{} 5
        holdfast_aws_rate_limiter_wait_seconds_total{} 2.5
        holdfast_config_reloads_total{result="ok"} 1
        holdfast_config_reloads_total{result="error"} 1
        holdfast_config_last_reload_successful{} 1
        holdfast_config_last_reload_success_timestamp_seconds{} 1800000000.0
        holdfast_resources{tier="network",kind="Subnet",phase="Ready"} 1
        holdfast_resources{tier="network",kind="Vpc",phase="Ready"} 1
        holdfast_resources{tier="compute",kind="Service",phase="Ready"} 1
        holdfast_resources{tier="operations",kind="LogGroup",phase="Ready"} 1
    "#]]
    .assert_eq(&text);
}

#[test]
fn holds_and_conditions_that_have_ended_are_exported_at_zero() {
    let metrics = metrics();
    TestPlan::of(&["Service/web"])
        .holds("Service/web", Reason::Pending)
        .conditions("Service/web", "X")
        .begins_pass(&*metrics);
    assert_eq!(series(&metrics, "holdfast_holds"), [r#"{reason="Pending"} 1"#]);
    TestPlan::of(&["Service/web"]).begins_pass(&*metrics);
    let page = page_of(&metrics, Format::Text).unwrap();
    assert!(page.contains(r#"holdfast_holds{stack="mashroom",env="prod",reason="Pending"} 0"#), "{page}");
    assert!(
        page.contains(r#"holdfast_conditions{stack="mashroom",env="prod",type="Degraded",reason="X"} 0"#),
        "{page}"
    );
}

#[test]
fn resources_that_cannot_be_observed_are_counted_as_before() {
    let metrics = metrics();
    TestPlan::of(&["Vpc/main", "Service/web"]).begins_pass(&*metrics);
    TestPlan::of(&["Vpc/main"]).holds("Service/web", Reason::ObservationFailed).begins_pass(&*metrics);
    assert_eq!(series(&metrics, "holdfast_resources").len(), 2);
    TestPlan::of(&["Vpc/main"]).begins_pass(&*metrics);
    assert_eq!(series(&metrics, "holdfast_resources"), [r#"{tier="network",kind="Vpc",phase="Ready"} 1"#]);
}

#[test]
fn the_last_converged_pass_has_a_timestamp_and_no_value_before() {
    let (metrics, converged) = (metrics(), "holdfast_last_converged_pass_timestamp_seconds");
    TestPlan::of(&["Vpc/main"]).holds("Vpc/main", Reason::Pending).ends_pass(&*metrics, vec![]);
    assert!(series(&metrics, converged).is_empty(), "a held pass is not converged");
    TestPlan::of(&["Vpc/main"]).ends_pass(&*metrics, vec![]);
    assert_eq!(series(&metrics, converged), ["{} 1800000000.0"]);
}

thread_local! {
    static SECONDS: Cell<u64> = const { Cell::new(0) };
}

#[test]
fn the_last_successful_load_is_the_start_or_the_last_valid_reload() {
    SECONDS.set(100);
    let metrics = metrics_at(|| SystemTime::UNIX_EPOCH + Duration::from_secs(SECONDS.get()));
    let config = || {
        let values = ["last_reload_successful", "last_reload_success_timestamp_seconds"];
        values.map(|name| series(&metrics, &format!("holdfast_config_{name}")).join(""))
    };
    SECONDS.set(200);
    assert_eq!(config(), ["{} 1", "{} 100.0"], "the document was loaded when the process started");
    metrics.on(&Event::Reloaded { error: Some("line 3: unknown field") });
    assert_eq!(config(), ["", "{} 100.0"], "a document with errors is not loaded");
    SECONDS.set(300);
    metrics.on(&Event::Reloaded { error: None });
    SECONDS.set(400);
    assert_eq!(config(), ["{} 1", "{} 300.0"]);
}

#[tokio::test(start_paused = true)]
async fn openmetrics_has_families_and_an_end_mark() {
    let metrics = metrics();
    every_event(&metrics);
    let page = page_of(&metrics, Format::OpenMetrics).unwrap();
    assert!(page.ends_with("# EOF\n"));
    assert!(page.contains("# TYPE holdfast_passes counter\nholdfast_passes_total{"), "{page}");
    assert!(page.contains("# TYPE holdfast_build info\nholdfast_build_info{"), "{page}");
    let samples = |page: &str| page.lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(samples(&page), samples(&page_of(&metrics, Format::Text).unwrap()));
}
