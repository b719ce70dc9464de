//! The lease of the store: an object that is written on the condition that it has not changed.

use std::io;

use async_trait::async_trait;
use holdfast_engine::expiring_lease::{LeaseEntry, LeaseRegister};
use holdfast_engine::lease::LeaseRecord;

use super::object::{Object, Written};

/// The object of a lease. It is never deleted, so that its fencing number grows.
pub(super) struct S3LeaseRegister(pub(super) Object);

#[async_trait]
impl LeaseRegister for S3LeaseRegister {
    async fn read(&self) -> io::Result<Option<LeaseEntry>> {
        let Some(content) = self.0.get().await? else { return Ok(None) };
        let record = serde_json::from_slice(&content.bytes).map_err(|error| self.0.error(error))?;
        Ok(Some(LeaseEntry { record, version: content.e_tag, age: content.age }))
    }

    async fn write(&self, record: &LeaseRecord, expected: Option<&str>) -> io::Result<Option<String>> {
        match self.0.put(serde_json::to_vec(record)?, expected).await? {
            Written::Done(e_tag) => Ok(Some(e_tag)),
            Written::Changed => Ok(None),
        }
    }
}
