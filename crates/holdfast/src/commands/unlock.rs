//! `unlock`: frees the lease of a run that has died.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use holdfast_aws::{AwsCloud, SecretStore, Settings};
use holdfast_engine::cloud::Cloud;
use holdfast_engine::store::Store;
use holdfast_report::escape;

use super::SUCCESS;
use crate::arguments::UnlockArgs;
use crate::output::print;
use crate::store::{self, ANY_ACCOUNT, StoreLocation};

pub(super) async fn run(args: &UnlockArgs) -> anyhow::Result<ExitCode> {
    let (stack, env) = &args.target;
    let target = format!("{stack}/{env}");
    if args.confirm.as_deref() != Some(&target) {
        bail!(
            "unlock lets another run write to {target} at once, so make sure that the run that holds the lease has \
             died; confirm with `--confirm {target}`; nothing was changed"
        );
    }
    let freed = match store::location(args.connection.store.as_deref())? {
        StoreLocation::Folder(folder) => {
            let account = account_in(&folder, args)?;
            store::in_folder(folder, &account, stack, env).unlock().await?
        }
        StoreLocation::S3(location) => {
            let cloud = AwsCloud::connect(Settings {
                region: location.region.clone(),
                others: vec![],
                role: None,
                external_id: None,
                run: "unlock".into(),
                call_timeout: Some(args.connection.call_timeout),
                time_scale: args.connection.time_scale,
                secret_store: SecretStore::default(),
            })
            .await?;
            let times = store::lease_times(&args.connection);
            let own = match &args.account {
                Some(account) => account.clone(),
                None => cloud.account().await.context("cannot determine the account; state it with `--account`")?,
            };
            let unlock = async |account: &str| cloud.store(&location, account, stack, env, times).unlock().await;
            match unlock(&own).await? {
                // A document without `target.account` has its store below this name.
                None if args.account.is_none() => unlock(ANY_ACCOUNT).await?,
                freed => freed,
            }
        }
        StoreLocation::Memory => bail!("no store is known: state it with `--store`; nothing was changed"),
    };
    match freed {
        Some(info) => {
            let line = format!("The lease of {target} is free. It was held by {info}.");
            print(&format!("{}\n", escape::line(&line)))?;
        }
        None => print(&format!("The lease of {target} is free; no run held it.\n"))?,
    }
    Ok(SUCCESS)
}

/// Returns the account whose folder has the lock file of the stack and environment.
///
/// # Errors
/// When none has it, or several have it.
fn account_in(folder: &Path, args: &UnlockArgs) -> anyhow::Result<String> {
    let (stack, env) = &args.target;
    if let Some(account) = &args.account {
        return Ok(account.clone());
    }
    let accounts = fs::read_dir(folder).with_context(|| format!("the store {}", folder.display()))?;
    let has_lease = |account: &String| folder.join(account).join(format!("{stack}.{env}.lock")).exists();
    let accounts = accounts.flatten().filter_map(|entry| entry.file_name().into_string().ok()).filter(has_lease);
    match &accounts.collect::<Vec<_>>()[..] {
        [account] => Ok(account.clone()),
        [] => bail!(
            "the store {} has no lease of {stack}/{env}; state the right one with `--store`; nothing was changed",
            folder.display()
        ),
        accounts => bail!(
            "the store {} has {stack}/{env} in several accounts: {}; state one with `--account`; nothing was changed",
            folder.display(),
            accounts.join(", ")
        ),
    }
}
