//! The command line: its flags, formats and times.

use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_valid() {
    CliArgs::command().debug_assert();
}

#[test]
fn a_format_that_a_command_cannot_print_is_an_error_that_names_the_formats() {
    let parse = |line: &str| CliArgs::try_parse_from(line.split(' ')).map_err(|error| error.to_string());
    for (line, accepted) in [
        ("holdfast validate . -o markdown", "text, json, yaml"),
        ("holdfast render . -e test -o text", "yaml, json"),
        ("holdfast explain Vpc -o yaml", "text, json, markdown"),
        ("holdfast rollback . -e test Service/web -o markdown", "text, json, yaml"),
    ] {
        let error = parse(line).unwrap_err();
        assert!(error.contains(&format!("[possible values: {accepted}]")), "{line}: {error}");
    }
    for command in ["plan", "drift", "get", "destroy", "reconcile --once"] {
        assert!(parse(&format!("holdfast {command} . -e test -o markdown")).is_ok(), "{command}");
    }
    assert!(parse("holdfast reconcile . -e test").is_ok());
    assert!(parse("holdfast reconcile . -e test -o json").unwrap_err().contains("--once"));
}

#[test]
fn a_saved_plan_has_its_own_grants() {
    let parse = |line: &str| CliArgs::try_parse_from(line.split(' ')).map_err(|error| error.to_string());
    assert!(parse("holdfast reconcile . -e test --once --plan plan.json").is_ok());
    for flag in ["--prune", "--allow-replace=Vpc/a", "--delete-data", "--drift=warn"] {
        let line = format!("holdfast reconcile . -e test --once --plan plan.json {flag}");
        assert!(parse(&line).unwrap_err().contains("cannot be used with"), "{flag}");
    }
    assert!(parse("holdfast reconcile . -e test --plan plan.json").unwrap_err().contains("--once"));
}

#[test]
fn times_have_units() {
    assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
    assert_eq!(time("1.5m"), Ok(Duration::from_secs(90)));
    assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
    assert_eq!(nonzero_time("1s"), Ok(Duration::from_secs(1)));
    assert_eq!(nonzero_time("0s").unwrap_err(), "`0s` is zero; write a time such as 30s, 5m or 1h");
    assert!(time("90").is_err() && time("-1s").is_err() && time("5d").is_err());
}
