//! The holder of the lease: this process, as other runs report it.

use std::env;

use holdfast_engine::lease::LeaseHolder;

/// The environment variables with the id of a run in CI, in this order. The first is Holdfast's own.
///
/// - GitHub Actions: <https://docs.github.com/en/actions/reference/workflows-and-actions/variables>
/// - GitLab CI: <https://docs.gitlab.com/ci/variables/predefined_variables/>
/// - Jenkins: <https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables>
/// - AWS CodeBuild: <https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html>
const RUN_IDS: [&str; 5] = ["HOLDFAST_RUN_ID", "GITHUB_RUN_ID", "CI_JOB_ID", "BUILD_TAG", "CODEBUILD_BUILD_ID"];

/// Returns this process as the holder of a lease. `command` is the command that it runs, as in `reconcile --once`.
pub(crate) fn this_process(command: &str) -> LeaseHolder {
    let first = |names: &[&str]| names.iter().find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
    LeaseHolder {
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        pid: std::process::id(),
        user: first(&["USER", "LOGNAME"]).unwrap_or_else(|| "unknown".to_owned()),
        run: first(&RUN_IDS),
        command: command.to_owned(),
        ..LeaseHolder::default()
    }
}
