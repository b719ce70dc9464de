//! Finds leaked secret values in the output of runs and in the files that runs write.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::{Call, Effect, Match, Reply, Rule, TestEnv};

/// The minimum length of a secret value that is searched for. Shorter values occur by chance.
const MIN_LENGTH: usize = 8;

/// Finds the values that occur in a text. Returns `source: name of the value` for each, and never the value.
pub fn find_in_text(source: &str, text: &str, values: &BTreeMap<String, String>) -> Vec<String> {
    find_in_bytes(source, text.as_bytes(), values)
}

fn find_in_bytes(source: &str, text: &[u8], values: &BTreeMap<String, String>) -> Vec<String> {
    let has = |value: &str| text.windows(value.len()).any(|part| part == value.as_bytes());
    let mut found = vec![];
    for (name, value) in values {
        // Quotes, spaces and the like are escaped in JSON and URLs.
        let quoted = Value::from(value.as_str()).to_string();
        let forms = BTreeSet::from([
            value.clone(),
            quoted.trim_matches('"').to_owned(),
            urlencoding::encode(value).into_owned(),
        ]);
        if forms.iter().any(|form| has(form)) {
            found.push(format!("{source}: {name}"));
        }
    }
    found
}

/// Finds the values that occur in any file below a folder, except the files that `skip` names.
///
/// # Errors
/// Returns an error when a file cannot be read.
pub fn find_in_files(folder: &Path, skip: &[&str], values: &BTreeMap<String, String>) -> anyhow::Result<Vec<String>> {
    let mut found = vec![];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            found.extend(find_in_files(&path, skip, values)?);
        } else if path.is_file() && !skip.contains(&&*name) {
            found.extend(find_in_bytes(&path.display().to_string(), &fs::read(&path)?, values));
        }
    }
    Ok(found)
}

/// Returns the secret values of an account, by name: each secret of Secrets Manager, its single fields, and the
/// encrypted parameters. A value that occurs in `documents` is not secret.
///
/// # Errors
/// Returns an error when the sandbox rejects a call.
pub fn secret_values(
    test_env: &TestEnv,
    regions: &BTreeSet<String>,
    documents: &str,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut add = |name: String, value: &str| {
        if value.len() >= MIN_LENGTH && !documents.contains(value) {
            found.insert(name, value.to_owned());
        }
    };
    for region in regions {
        let call = |service: &str, operation: &str, parameters: Value| {
            test_env.out_of_band.call_in(region, service, operation, parameters)
        };
        for secret in
            call("secretsmanager", "list_secrets", Value::Null)?["SecretList"].as_array().into_iter().flatten()
        {
            let name = secret["Name"].as_str().unwrap_or_default();
            let Ok(value) = call("secretsmanager", "get_secret_value", json!({ "SecretId": secret["ARN"] })) else {
                continue; // The secret is deleted or has no value.
            };
            let text = value["SecretString"].as_str().unwrap_or_default();
            add(format!("{region} {name}"), text);
            if let Ok(Value::Object(fields)) = serde_json::from_str(text) {
                for (field, value) in &fields {
                    add(format!("{region} {name} {field}"), value.as_str().unwrap_or_default());
                }
            }
        }
        let parameters = call("ssm", "describe_parameters", Value::Null)?;
        for parameter in parameters["Parameters"].as_array().into_iter().flatten() {
            if parameter["Type"] == "SecureString" {
                let name = json!({ "Name": parameter["Name"], "WithDecryption": true });
                let value = call("ssm", "get_parameter", name)?;
                let value = value["Parameter"]["Value"].as_str().unwrap_or_default().to_owned();
                add(format!("{region} {}", parameter["Name"].as_str().unwrap_or_default()), &value);
            }
        }
    }
    Ok(found)
}

/// Rejects calls that carry secret values with an error that repeats the request, as AWS's validation errors do.
///
/// With `secrets`, every call that writes a secret or a parameter is rejected until the rules are cleared. The first
/// create of each kind of resource that takes a secret value is rejected in any case.
pub fn reject_with_echo(test_env: &TestEnv, secrets: bool) {
    let json = |call: &Call| {
        let body = json!({ "__type": "ValidationException", "message": format!("Value failed to satisfy constraint: {}", call.body) });
        Reply::new(400, body.to_string())
    };
    let xml = |call: &Call| {
        let echo = call.parameters().iter().map(|(name, value)| format!("{name} '{value}' ")).collect::<String>();
        let echo = echo.replace('&', "&amp;").replace('<', "&lt;");
        let error = format!("<Type>Sender</Type><Code>InvalidParameterValue</Code><Message>Invalid: {echo}</Message>");
        Reply::new(400, format!("<ErrorResponse><Error>{error}</Error><RequestId>1</RequestId></ErrorResponse>"))
    };
    let writes = ["secretsmanager.CreateSecret", "secretsmanager.PutSecretValue", "ssm.PutParameter"];
    for operation in writes.into_iter().filter(|_| secrets) {
        test_env.proxy.add_rule(Rule::new(Match::calls(operation), Effect::replace_with(json)));
    }
    for operation in ["rds.CreateDBInstance", "elasticache.CreateReplicationGroup", "elasticache.CreateUser"] {
        test_env.proxy.add_rule(Rule::new(Match::calls(operation).only(1), Effect::replace_with(xml)));
    }
}
