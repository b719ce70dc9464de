//! The store of a command: a folder or a bucket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use holdfast_aws::{AwsCloud, CONNECT_TIMEOUT, S3Location};
use holdfast_core::document::Document;
use holdfast_engine::expiring_lease::LeaseTimes;
use holdfast_engine::file_store::FileStore;
use holdfast_engine::store::{InMemoryStore, Store};

use crate::arguments::ConnectionArgs;

/// Where the stores of all stacks are.
pub(crate) enum StoreLocation {
    /// In a folder.
    Folder(PathBuf),
    /// In a bucket.
    S3(S3Location),
    /// Nowhere: the store lasts as long as the process.
    Memory,
}

/// The folder of a stack without `target.account`, in place of the account.
pub(crate) const ANY_ACCOUNT: &str = "any-account";

/// Returns the location that `--store`, the environment of the document, or the user's state folder name, in this
/// order.
///
/// # Errors
/// When it begins with `s3://` and is not a location in a bucket.
pub(crate) fn location(stated: Option<&str>) -> anyhow::Result<StoreLocation> {
    match stated.filter(|store| !store.is_empty()) {
        Some(url) if url.starts_with("s3://") => {
            Ok(StoreLocation::S3(url.parse().map_err(|error: String| anyhow!(error))?))
        }
        Some(folder) => Ok(StoreLocation::Folder(folder.into())),
        None => {
            let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
            let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or_else(home);
            Ok(state.map_or(StoreLocation::Memory, |state| StoreLocation::Folder(state.join("holdfast"))))
        }
    }
}

/// Returns the location that is stated: by `--store`, or by the environment of the document.
fn stated<'a>(document: &'a Document, connection: &'a ConnectionArgs) -> Option<&'a str> {
    let flag = connection.store.as_deref().filter(|store| !store.is_empty());
    flag.or(document.store.as_deref())
}

/// Returns the store of a document.
///
/// # Errors
/// When its location is not one.
pub(crate) fn of_document(
    cloud: &AwsCloud,
    document: &Document,
    connection: &ConnectionArgs,
) -> anyhow::Result<Arc<dyn Store>> {
    let account = document.target.account.as_deref().unwrap_or(ANY_ACCOUNT);
    let (stack, env) = (document.stack.as_str(), document.env.as_str());
    Ok(match location(stated(document, connection))? {
        StoreLocation::Folder(folder) => Arc::new(in_folder(folder, account, stack, env)),
        StoreLocation::S3(location) => Arc::new(cloud.store(&location, account, stack, env, lease_times(connection))),
        StoreLocation::Memory => Arc::new(InMemoryStore::default()),
    })
}

/// Returns the store of a stack in an environment, in a folder.
pub(crate) fn in_folder(folder: PathBuf, account: &str, stack: &str, env: &str) -> FileStore {
    FileStore(folder.join(account).join(format!("{stack}.{env}.json")))
}

/// Returns the times of a lease: it lasts longer than a call, so that a call whose renewal is due can still be sent,
/// and three renewals in a row must fail before it ends.
pub(crate) fn lease_times(connection: &ConnectionArgs) -> LeaseTimes {
    // S3 states its times in whole seconds, so a renewal every second is the fastest that a test needs.
    let renewal = Duration::from_secs(10).mul_f64(connection.time_scale).max(Duration::from_secs(1));
    LeaseTimes { lease: connection.call_timeout + CONNECT_TIMEOUT + 3 * renewal, renewal }
}

/// Returns the command that frees the lease of a document's store.
pub(crate) fn unlock_command(document: &Document, connection: &ConnectionArgs) -> String {
    let target = format!("{}/{}", document.stack, document.env);
    let store = stated(document, connection).map(|store| format!(" --store {store}")).unwrap_or_default();
    format!("holdfast unlock {target} --confirm {target}{store}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_folder_or_a_bucket() {
        assert!(matches!(location(Some("/var/lib/holdfast")), Ok(StoreLocation::Folder(_))));
        assert!(matches!(location(Some("s3://state/a")), Ok(StoreLocation::S3(_))));
        let error = location(Some("s3://")).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("`s3://` is not a store: it names no bucket; write `s3://BUCKET/PREFIX`"));
    }
}
