//! The combinations that RDS refuses and that no relation expresses: windows that overlap, and logs of another engine.

use holdfast_core::schema::ValidationError;
use holdfast_core::value::Value;

use super::spec::DbInstance;

/// The minutes of a week.
const WEEK: u32 = 7 * 24 * 60;

/// The days as RDS writes them.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The logs that an engine can export:
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>
fn logs(engine: &str) -> &'static [&'static str] {
    match engine {
        "postgres" => &["postgresql", "upgrade", "iam-db-auth-error"],
        "mysql" | "mariadb" => &["audit", "error", "general", "slowquery", "iam-db-auth-error"],
        engine if engine.starts_with("oracle") => &["alert", "audit", "listener", "trace", "oemagent"],
        engine if engine.starts_with("sqlserver") => &["agent", "error"],
        engine if engine.starts_with("db2") => &["diag.log", "notify.log"],
        _ => &[],
    }
}

/// Returns the errors of a database.
pub(super) fn check(spec: &Value) -> Vec<ValidationError> {
    let text = |field: &'static str| spec.get(field).and_then(Value::text);
    let mut errors = vec![];
    let storage = DbInstance::ALLOCATED_STORAGE.name();
    if let (Some(Value::Integer(gib @ ..20)), Some(of @ ("gp2" | "gp3"))) =
        (spec.get(storage), text(DbInstance::STORAGE_TYPE.name()))
    {
        errors.push((storage, format!("must be at least 20 for `{of}`, but this is `{gib}`")));
    }
    let exports = DbInstance::ENABLED_CLOUDWATCH_LOGS_EXPORTS.name();
    if let (Some(engine), Some(Value::List(list))) = (text(DbInstance::ENGINE.name()), spec.get(exports)) {
        let known = logs(engine);
        let other = list.iter().filter_map(Value::text).find(|log| !known.is_empty() && !known.contains(log));
        errors.extend(other.map(|log| {
            (exports, format!("the engine {engine} has the logs {}, and no log `{log}`", known.join(", ")))
        }));
    }
    let (backup, maintenance) =
        (DbInstance::PREFERRED_BACKUP_WINDOW.name(), DbInstance::PREFERRED_MAINTENANCE_WINDOW.name());
    let daily = text(backup).and_then(daily_window);
    let weekly = text(maintenance).and_then(weekly_window);
    for (field, window) in [(backup, daily), (maintenance, weekly)] {
        if window.is_some_and(|(_, length)| length < 30) {
            errors.push((field, "a window has at least 30 minutes".to_owned()));
        }
    }
    if let (Some((at, length)), Some(weekly)) = (daily, weekly)
        && (0..7).any(|day| overlap((day * 24 * 60 + at, length), weekly))
    {
        errors.push((maintenance, format!("the window overlaps the `{backup}`; move one of them")));
    }
    errors
}

/// Returns the minute of the day at which a window `hh:mm-hh:mm` begins, and its length.
fn daily_window(text: &str) -> Option<(u32, u32)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (minute(from)?, minute(to)?);
    Some((from, (to + 24 * 60 - from) % (24 * 60)))
}

/// Returns the minute of the week at which a window `ddd:hh:mm-ddd:hh:mm` begins, and its length.
fn weekly_window(text: &str) -> Option<(u32, u32)> {
    let (from, to) = text.split_once('-')?;
    let at = |text: &str| {
        let (day, time) = text.split_once(':')?;
        let day = DAYS.iter().position(|known| known.eq_ignore_ascii_case(day))?;
        Some(u32::try_from(day).ok()? * 24 * 60 + minute(time)?)
    };
    let (from, to) = (at(from)?, at(to)?);
    Some((from, (to + WEEK - from) % WEEK))
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    Some(hour.parse::<u32>().ok()? * 60 + minute.parse::<u32>().ok()?)
}

/// True when two windows of a week have a minute in common. A window may pass the end of the week.
fn overlap((a, a_length): (u32, u32), (b, b_length): (u32, u32)) -> bool {
    (b + WEEK - a) % WEEK < a_length || (a + WEEK - b) % WEEK < b_length
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_windows_do_not_overlap() {
        let errors = |backup: &str, maintenance: &str| {
            check(&json!({ "preferredBackupWindow": backup, "preferredMaintenanceWindow": maintenance }).into()).len()
        };
        assert_eq!(errors("03:00-04:00", "sun:04:00-sun:05:00"), 0);
        assert_eq!(errors("03:00-04:00", "sun:03:30-sun:04:30"), 1);
        assert_eq!(errors("23:30-00:30", "Mon:00:00-Mon:01:00"), 1, "the backup passes midnight");
        assert_eq!(errors("23:30-00:30", "sun:23:00-mon:00:00"), 1, "the maintenance passes the end of the week");
        assert_eq!(errors("03:00-03:10", "sun:05:00-sun:05:10"), 2, "both are too short");
    }

    #[test]
    fn an_engine_exports_its_own_logs() {
        let errors = |engine: &str, log: &str| {
            check(&json!({ "engine": engine, "enabledCloudwatchLogsExports": [log] }).into()).len()
        };
        assert_eq!((errors("postgres", "postgresql"), errors("postgres", "slowquery")), (0, 1));
        assert_eq!((errors("mysql", "slowquery"), errors("mysql", "postgresql")), (0, 1));
    }
}
