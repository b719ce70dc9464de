//! The table of all metrics: the page and docs/operating.md are both made of it, so that neither can lack one.

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its whole name, as PromQL has it.
    pub name: &'static str,
    /// What it is.
    pub ty: Type,
    /// Its labels beside `stack` and `env`, which every metric has.
    pub labels: &'static [&'static str],
    /// What it means: the page's HELP and the docs.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only ever grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution, in buckets.
    Histogram,
    /// Always 1; the labels say it all.
    Info,
}

impl Type {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
            Type::Info => "info",
        }
    }

    /// What OpenMetrics leaves out of the family's name and puts behind that of the samples.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Type::Counter => "_total",
            Type::Info => "_info",
            Type::Gauge | Type::Histogram => "",
        }
    }
}

impl Metric {
    /// The name of its family in OpenMetrics.
    pub(crate) fn family(&self) -> &'static str {
        self.name.strip_suffix(self.ty.suffix()).unwrap_or(self.name)
    }
}

const fn metric(ty: Type, name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, ty, labels, help }
}

use Type::{Counter, Gauge, Histogram, Info};

pub(crate) const DRIFTED_RESOURCES: Metric = metric(
    Gauge,
    "holdfast_drifted_resources",
    &["tier", "kind"],
    "Resources that left what was converged, or are missing, as of the last plan.",
);
pub(crate) const DRIFTED_FIELDS: Metric = metric(
    Gauge,
    "holdfast_drifted_fields",
    &["tier", "kind"],
    "Fields that left what was converged, as of the last plan. A missing resource has none.",
);
pub(crate) const DRIFT_FOUND: Metric = metric(
    Counter,
    "holdfast_drift_found_total",
    &["tier", "kind", "cause"],
    "Drift events found: one for each resource whenever fields of it begin to differ, or it goes missing.",
);
pub(crate) const DRIFT_MENDED: Metric = metric(
    Counter,
    "holdfast_drift_mended_total",
    &["tier", "kind"],
    "Drift events that were over after a step was done for the resource.",
);
pub(crate) const DRIFT_RESOLVED: Metric = metric(
    Counter,
    "holdfast_drift_resolved_total",
    &["tier", "kind"],
    "Drift events that were over without a step: somebody else put it back, or the document now says so.",
);
pub(crate) const EDITS_PENDING: Metric = metric(
    Gauge,
    "holdfast_edits_pending",
    &["tier", "kind"],
    "Resources with changes of the document that are not applied yet. Never counted as drift.",
);
pub(crate) const RESOURCES: Metric =
    metric(Gauge, "holdfast_resources", &["tier", "kind", "phase"], "Live resources of the document, by phase.");
pub(crate) const HOLDS: Metric =
    metric(Gauge, "holdfast_holds", &["reason"], "What the last plan holds instead of doing it, by reason.");
pub(crate) const REMARKS: Metric = metric(
    Gauge,
    "holdfast_remarks",
    &["reason"],
    "Remarks on live resources that are neither drift nor holds, such as an image that is missing.",
);
pub(crate) const PASSES: Metric = metric(
    Counter,
    "holdfast_passes_total",
    &["result"],
    "Passes that ended: converged, held (something is left to do), failed (a step), stopped, or error.",
);
pub(crate) const PASS_SECONDS: Metric =
    metric(Histogram, "holdfast_pass_duration_seconds", &["result"], "How long passes took.");
pub(crate) const PASS_CALLS: Metric =
    metric(Gauge, "holdfast_last_pass_aws_calls", &[], "AWS calls that the last pass without error made.");
pub(crate) const CONVERGED_AT: Metric = metric(
    Gauge,
    "holdfast_last_converged_pass_timestamp_seconds",
    &[],
    "When the last pass ended that was converged, in seconds since 1970. Absent until there is one.",
);
pub(crate) const CONVERGED_AGE: Metric = metric(
    Gauge,
    "holdfast_last_converged_pass_age_seconds",
    &[],
    "How long ago the last converged pass ended; until there is one, how long the process has been trying.",
);
pub(crate) const STEPS: Metric = metric(
    Counter,
    "holdfast_steps_total",
    &["action", "outcome"],
    "Attempts at steps: done, retry (failed for the moment), or failed (for this pass).",
);
pub(crate) const STEP_SECONDS: Metric = metric(
    Histogram,
    "holdfast_step_duration_seconds",
    &["action"],
    "How long attempts at steps took, without the wait until a resource is ready.",
);
pub(crate) const CALLS: Metric = metric(
    Counter,
    "holdfast_aws_calls_total",
    &["service", "operation", "outcome"],
    "Calls to AWS: ok, error, throttled, or noreply.",
);
pub(crate) const THROTTLES: Metric =
    metric(Counter, "holdfast_aws_throttles_total", &["service"], "Calls that AWS refused as too many.");
pub(crate) const BUDGET_WAITS: Metric =
    metric(Counter, "holdfast_aws_budget_waits_total", &[], "Calls that had to wait for the call budget.");
pub(crate) const BUDGET_SECONDS: Metric = metric(
    Counter,
    "holdfast_aws_budget_waited_seconds_total",
    &[],
    "How long calls waited for the call budget, together.",
);
pub(crate) const RELOADS: Metric = metric(
    Counter,
    "holdfast_document_reloads_total",
    &["result"],
    "How often a changed document was read again: ok, or error.",
);
pub(crate) const USABLE: Metric = metric(
    Gauge,
    "holdfast_document_usable",
    &[],
    "1 when the document as last read is in force; 0 when it has errors and an earlier one is.",
);
pub(crate) const BUILD: Metric = metric(Info, "holdfast_build_info", &["version"], "The version that runs.");

/// All metrics, in the order of the page.
pub const TABLE: [Metric; 23] = [
    DRIFTED_RESOURCES,
    DRIFTED_FIELDS,
    DRIFT_FOUND,
    DRIFT_MENDED,
    DRIFT_RESOLVED,
    EDITS_PENDING,
    RESOURCES,
    HOLDS,
    REMARKS,
    PASSES,
    PASS_SECONDS,
    PASS_CALLS,
    CONVERGED_AT,
    CONVERGED_AGE,
    STEPS,
    STEP_SECONDS,
    CALLS,
    THROTTLES,
    BUDGET_WAITS,
    BUDGET_SECONDS,
    RELOADS,
    USABLE,
    BUILD,
];
