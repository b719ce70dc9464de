//! The table of all metrics. It is the source of the `/metrics` page; a test compares it with the table in
//! docs/operating.md.

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricDefinition {
    /// The full name, as in PromQL.
    pub name: &'static str,
    /// The metric's type.
    pub ty: MetricType,
    /// The labels, apart from `stack` and `env`, which every metric has.
    pub labels: &'static [&'static str],
    /// The description: the HELP text of the page, and the last column in docs/operating.md.
    pub help: &'static str,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// Only increases while the process runs.
    Counter,
    /// Increases and decreases.
    Gauge,
    /// A distribution, in buckets.
    Histogram,
    /// Always 1; the labels hold the information.
    Info,
}

impl MetricType {
    /// Returns the word for the type, as in a `# TYPE` line.
    pub fn word(self) -> &'static str {
        match self {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Info => "info",
        }
    }

    /// Returns the suffix that OpenMetrics removes from the family's name and appends to the names of the samples.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            MetricType::Gauge | MetricType::Histogram => "",
        }
    }
}

impl MetricDefinition {
    /// Returns the name of the metric's family in OpenMetrics.
    pub(crate) fn family(&self) -> &'static str {
        self.name.strip_suffix(self.ty.suffix()).unwrap_or(self.name)
    }
}

const fn metric(
    ty: MetricType,
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricDefinition {
    MetricDefinition { name, ty, labels, help }
}

use MetricType::{Counter, Gauge, Histogram, Info};

pub(crate) const DRIFTED_RESOURCES: MetricDefinition = metric(
    Gauge,
    "holdfast_drifted_resources",
    &["tier", "kind"],
    "Resources that drifted or are missing, as of the last plan.",
);
pub(crate) const DRIFTED_FIELDS: MetricDefinition = metric(
    Gauge,
    "holdfast_drifted_fields",
    &["tier", "kind"],
    "Fields that drifted, as of the last plan. A missing resource has none.",
);
pub(crate) const DRIFT_FOUND: MetricDefinition = metric(
    Counter,
    "holdfast_drift_found_total",
    &["tier", "kind", "cause"],
    "Drift events found: one per resource whenever fields of it begin to differ, or when it becomes missing.",
);
pub(crate) const DRIFT_CORRECTED: MetricDefinition = metric(
    Counter,
    "holdfast_drift_corrected_total",
    &["tier", "kind"],
    "Drift events that ended after a step for the resource succeeded.",
);
pub(crate) const DRIFT_RESOLVED: MetricDefinition = metric(
    Counter,
    "holdfast_drift_resolved_total",
    &["tier", "kind"],
    "Drift events that ended without a step: the change was undone out of band, or the document now matches it.",
);
pub(crate) const EDITS_PENDING: MetricDefinition = metric(
    Gauge,
    "holdfast_edits_pending",
    &["tier", "kind"],
    "Resources with edits of the document that are not applied yet. Never counted as drift.",
);
pub(crate) const RESOURCES: MetricDefinition =
    metric(Gauge, "holdfast_resources", &["tier", "kind", "phase"], "Live resources of the document, by phase.");
pub(crate) const HOLDS: MetricDefinition =
    metric(Gauge, "holdfast_holds", &["reason"], "Holds in the last plan, by reason.");
pub(crate) const CONDITIONS: MetricDefinition = metric(
    Gauge,
    "holdfast_conditions",
    &["type", "reason"],
    "Conditions of live resources, such as a missing image, by type and reason.",
);
pub(crate) const PASSES: MetricDefinition = metric(
    Counter,
    "holdfast_passes_total",
    &["result"],
    "Passes that ended, by result: converged, held (work is left), failed (a step failed), stopped, or error.",
);
pub(crate) const PASS_DURATION: MetricDefinition =
    metric(Histogram, "holdfast_pass_duration_seconds", &["result"], "Duration of passes.");
pub(crate) const LAST_PASS_AWS_CALLS: MetricDefinition =
    metric(Gauge, "holdfast_last_pass_aws_calls", &[], "AWS calls made by the last pass that ended without an error.");
pub(crate) const LAST_CONVERGED_PASS_TIMESTAMP: MetricDefinition = metric(
    Gauge,
    "holdfast_last_converged_pass_timestamp_seconds",
    &[],
    "Time at which the last converged pass ended, in seconds since 1970. Absent until a pass converges.",
);
pub(crate) const FAILED_PASSES: MetricDefinition = metric(
    Gauge,
    "holdfast_consecutive_failed_passes",
    &[],
    "Passes in a row that ended in an error, so that nothing was observed. 0 after a pass without an error.",
);
pub(crate) const UNOBSERVED_REGIONS: MetricDefinition = metric(
    Gauge,
    "holdfast_unobserved_regions",
    &["kind"],
    "Regions in which the last observation of a kind failed. Its resources there are held.",
);
pub(crate) const STEPS: MetricDefinition = metric(
    Counter,
    "holdfast_steps_total",
    &["action", "outcome"],
    "Attempts at steps: done, retry (failed, to be retried), or failed (not retried in this pass).",
);
pub(crate) const STEP_DURATION: MetricDefinition = metric(
    Histogram,
    "holdfast_step_duration_seconds",
    &["action"],
    "Duration of attempts at steps, without the wait until the resource is ready.",
);
pub(crate) const AWS_CALLS: MetricDefinition = metric(
    Counter,
    "holdfast_aws_calls_total",
    &["service", "operation", "outcome"],
    "Calls to AWS: ok, error, throttled, or noreply (no response).",
);
pub(crate) const AWS_THROTTLES: MetricDefinition =
    metric(Counter, "holdfast_aws_throttles_total", &["service"], "Calls that AWS rejected because of throttling.");
pub(crate) const RATE_LIMITER_WAITS: MetricDefinition = metric(
    Counter,
    "holdfast_aws_rate_limiter_waits_total",
    &[],
    "Calls that waited for the call budget, the client-side rate limiter.",
);
pub(crate) const RATE_LIMITER_WAIT_SECONDS: MetricDefinition = metric(
    Counter,
    "holdfast_aws_rate_limiter_wait_seconds_total",
    &[],
    "Total time that calls waited for the call budget.",
);
pub(crate) const CONFIG_RELOADS: MetricDefinition =
    metric(Counter, "holdfast_config_reloads_total", &["result"], "Reloads of a changed document: ok, or error.");
pub(crate) const CONFIG_LAST_RELOAD_SUCCESSFUL: MetricDefinition = metric(
    Gauge,
    "holdfast_config_last_reload_successful",
    &[],
    "1 when the last reload of the document succeeded; 0 when it failed and the last valid document remains in force.",
);
pub(crate) const CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP: MetricDefinition = metric(
    Gauge,
    "holdfast_config_last_reload_success_timestamp_seconds",
    &[],
    "Time of the last successful load of the document, in seconds since 1970.",
);
pub(crate) const BUILD_INFO: MetricDefinition =
    metric(Info, "holdfast_build_info", &["version"], "The version of the running binary.");

/// All metrics, in the order of the page.
pub const TABLE: [MetricDefinition; 25] = [
    DRIFTED_RESOURCES,
    DRIFTED_FIELDS,
    DRIFT_FOUND,
    DRIFT_CORRECTED,
    DRIFT_RESOLVED,
    EDITS_PENDING,
    RESOURCES,
    HOLDS,
    CONDITIONS,
    PASSES,
    PASS_DURATION,
    LAST_PASS_AWS_CALLS,
    LAST_CONVERGED_PASS_TIMESTAMP,
    FAILED_PASSES,
    UNOBSERVED_REGIONS,
    STEPS,
    STEP_DURATION,
    AWS_CALLS,
    AWS_THROTTLES,
    RATE_LIMITER_WAITS,
    RATE_LIMITER_WAIT_SECONDS,
    CONFIG_RELOADS,
    CONFIG_LAST_RELOAD_SUCCESSFUL,
    CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP,
    BUILD_INFO,
];
