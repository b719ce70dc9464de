//! The `/metrics` page: the samples in the order of the table, in either of Prometheus's text formats.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType as FamilyType;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::table::{MetricDefinition, MetricType, TABLE};

/// The format of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format, 0.0.4: the default.
    Text,
    /// OpenMetrics 1.0, for clients that ask for it.
    OpenMetrics,
}

impl Format {
    /// Returns the format for the value of an `Accept` header.
    pub fn accepted(accept: &str) -> Format {
        match accept.contains("application/openmetrics-text") {
            true => Format::OpenMetrics,
            false => Format::Text,
        }
    }

    /// Returns the value of the `Content-Type` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The value of one series.
#[derive(Clone, Debug)]
pub(crate) enum Sample {
    Integer(u64),
    Float(f64),
    Distribution(Histogram),
}

type Labels = Vec<(&'static str, String)>;

/// The series of one scrape, by metric.
#[derive(Debug, Default)]
pub(crate) struct Page(BTreeMap<&'static str, Vec<(Labels, Sample)>>);

impl Page {
    /// Adds a series, with the values of the metric's labels in their order.
    pub(crate) fn add(&mut self, metric: MetricDefinition, values: &[&str], sample: Sample) {
        debug_assert_eq!(values.len(), metric.labels.len(), "{}", metric.name);
        let labels = metric.labels.iter().zip(values).map(|(label, value)| (*label, (*value).to_owned())).collect();
        self.0.entry(metric.name).or_default().push((labels, sample));
    }

    /// Returns the page as text. Every series has the labels of the stack and the environment.
    pub(crate) fn render(self, stack: &str, env: &str, format: Format) -> Result<String, fmt::Error> {
        let owner = [("stack".into(), stack.to_owned().into()), ("env".into(), env.to_owned().into())];
        let mut registry = Registry::with_labels(owner.into_iter());
        registry.register_collector(Box::new(self));
        let mut page = String::new();
        text::encode(&mut page, &registry)?;
        Ok(match format {
            Format::OpenMetrics => page,
            Format::Text => classic(&page),
        })
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for metric in TABLE {
            let ty = match metric.ty {
                MetricType::Counter => FamilyType::Counter,
                MetricType::Gauge => FamilyType::Gauge,
                MetricType::Histogram => FamilyType::Histogram,
                MetricType::Info => FamilyType::Info,
            };
            let mut family = encoder.encode_descriptor(metric.family(), metric.help, None, ty)?;
            for (labels, sample) in self.0.get(metric.name).into_iter().flatten() {
                match ty {
                    FamilyType::Info => family.encode_info(labels)?,
                    ty => series(family.encode_family(labels)?, ty, sample)?,
                }
            }
        }
        Ok(())
    }
}

fn series(mut encoder: MetricEncoder<'_>, ty: FamilyType, sample: &Sample) -> Result<(), fmt::Error> {
    match (sample, ty) {
        (Sample::Integer(n), FamilyType::Counter) => encoder.encode_counter::<NoLabelSet, _, f64>(n, None),
        (Sample::Float(n), FamilyType::Counter) => encoder.encode_counter::<NoLabelSet, _, f64>(n, None),
        (Sample::Integer(n), _) => encoder.encode_gauge(n),
        (Sample::Float(n), _) => encoder.encode_gauge(n),
        (Sample::Distribution(histogram), _) => histogram.encode(encoder),
    }
}

/// Converts a page from OpenMetrics to the older text format: a family has the name of its samples, and the page has no
/// end mark.
fn classic(page: &str) -> String {
    let full: BTreeMap<&str, MetricDefinition> = TABLE.iter().map(|metric| (metric.family(), *metric)).collect();
    let mut classic = String::with_capacity(page.len());
    for line in page.lines().filter(|line| *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next().and_then(|family| full.get(family)), words.next()) {
            (Some("#"), Some("TYPE"), Some(metric), _) if metric.ty == MetricType::Info => {
                classic.push_str(&format!("# TYPE {} gauge\n", metric.name));
            }
            (Some("#"), Some(word), Some(metric), Some(rest)) => {
                classic.push_str(&format!("# {word} {} {rest}\n", metric.name));
            }
            _ => {
                classic.push_str(line);
                classic.push('\n');
            }
        }
    }
    classic
}
