//! The start of a schedule: a date that means nothing once it has passed.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use holdfast_core::schema::{Type, Typed};
use holdfast_core::value::Value;
use serde::{Deserialize, Serialize};

/// The start of a schedule, with an offset or `Z`.
///
/// A date that has passed equals no date. EventBridge Scheduler refuses a start more than five minutes ago
/// (<https://github.com/getmoto/moto/issues/8172> has the response), and an update that leaves the date out removes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct StartDate(pub(super) String);

impl Typed for StartDate {
    const TYPE: Type = Type::Canonical { name: "start date", canonical };
}

impl StartDate {
    /// Returns the date if it has not passed.
    pub(super) fn to_come(&self) -> Option<DateTime> {
        read(&self.0).ok().filter(is_to_come)
    }
}

fn read(text: &str) -> Result<DateTime, String> {
    let date = DateTime::from_str(text, Format::DateTimeWithOffset);
    date.map_err(|_| format!("`{text}` is not a date and time such as 2030-01-01T00:00:00Z"))
}

fn is_to_come(date: &DateTime) -> bool {
    *date > DateTime::from(SystemTime::now())
}

fn canonical(value: &Value) -> Result<Value, String> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Text(text) => {
            let date = Some(read(text)?).filter(is_to_come);
            Ok(date.and_then(|date| date.fmt(Format::DateTime).ok()).map_or(Value::Null, Value::Text))
        }
        other => Err(format!("`{other}` is not a date and time such as 2030-01-01T00:00:00Z")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_that_has_passed_equals_no_date() {
        assert_eq!(canonical(&"2020-01-01T00:00:00Z".into()), Ok(Value::Null));
        assert_eq!(canonical(&"2130-01-01T02:00:00+02:00".into()), Ok("2130-01-01T00:00:00Z".into()));
        assert!(canonical(&"soon".into()).is_err());
        assert_eq!(StartDate("2020-01-01T00:00:00Z".into()).to_come(), None);
        assert!(StartDate("2130-01-01T00:00:00Z".into()).to_come().is_some());
    }
}
