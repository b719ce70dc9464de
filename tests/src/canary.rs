//! Whether secret values are where they must not be: in what runs say, and in what they leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::{Call, Effect, Match, Reply, Rule, Stage};

/// Shorter ones can be anywhere by chance.
const SHORTEST: usize = 8;

/// Where any of these values stands in a text: what is called `what`, and the name of the value. Never the value.
pub fn in_text(what: &str, text: &str, values: &BTreeMap<String, String>) -> Vec<String> {
    in_bytes(what, text.as_bytes(), values)
}

fn in_bytes(what: &str, text: &[u8], values: &BTreeMap<String, String>) -> Vec<String> {
    let has = |value: &str| text.windows(value.len()).any(|part| part == value.as_bytes());
    let mut found = vec![];
    for (name, value) in values {
        // In JSON and URLs a value looks different when it has marks in it.
        let quoted = Value::from(value.as_str()).to_string();
        let forms = BTreeSet::from([
            value.clone(),
            quoted.trim_matches('"').to_owned(),
            urlencoding::encode(value).into_owned(),
        ]);
        if forms.iter().any(|form| has(form)) {
            found.push(format!("{what}: {name}"));
        }
    }
    found
}

/// The same for all files below a folder, but for those that `skip` names.
///
/// # Errors
/// When one cannot be read.
pub fn in_files(folder: &Path, skip: &[&str], values: &BTreeMap<String, String>) -> anyhow::Result<Vec<String>> {
    let mut found = vec![];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            found.extend(in_files(&path, skip, values)?);
        } else if path.is_file() && !skip.contains(&&*name) {
            found.extend(in_bytes(&path.display().to_string(), &fs::read(&path)?, values));
        }
    }
    Ok(found)
}

/// The secret values that live in an account, by name: those of Secrets Manager, whole and field by field, and the
/// encrypted parameters. What `known` has in it, the documents, is no secret.
///
/// # Errors
/// When the sandbox refuses.
pub fn live(stage: &Stage, regions: &[String], known: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut add = |name: String, value: &str| {
        if value.len() >= SHORTEST && !known.contains(value) {
            found.insert(name, value.to_owned());
        }
    };
    for region in regions {
        let call =
            |service: &str, operation: &str, asked: Value| stage.outside.call_in(region, service, operation, asked);
        for secret in
            call("secretsmanager", "list_secrets", Value::Null)?["SecretList"].as_array().into_iter().flatten()
        {
            let name = secret["Name"].as_str().unwrap_or_default();
            let Ok(value) = call("secretsmanager", "get_secret_value", json!({ "SecretId": secret["ARN"] })) else {
                continue; // Deleted, or without a value.
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
                let asked = json!({ "Name": parameter["Name"], "WithDecryption": true });
                let value = call("ssm", "get_parameter", asked)?;
                let value = value["Parameter"]["Value"].as_str().unwrap_or_default().to_owned();
                add(format!("{region} {}", parameter["Name"].as_str().unwrap_or_default()), &value);
            }
        }
    }
    Ok(found)
}

/// The calls that carry secret values, and a refusal of each the first time that says back what it was sent, as
/// validation errors of AWS do.
pub fn refuse_with_an_echo(stage: &Stage) {
    let json = |call: &Call| {
        let body = json!({ "__type": "ValidationException", "message": format!("Value failed to satisfy constraint: {}", call.body) });
        Reply::new(400, body.to_string())
    };
    let xml = |call: &Call| {
        let said = call.parameters().iter().map(|(name, value)| format!("{name} '{value}' ")).collect::<String>();
        let said = said.replace('&', "&amp;").replace('<', "&lt;");
        let error = format!("<Type>Sender</Type><Code>InvalidParameterValue</Code><Message>Invalid: {said}</Message>");
        Reply::new(400, format!("<ErrorResponse><Error>{error}</Error><RequestId>1</RequestId></ErrorResponse>"))
    };
    for operation in ["secretsmanager.CreateSecret", "secretsmanager.PutSecretValue", "ssm.PutParameter"] {
        stage.proxy.add_rule(Rule::new(Match::calls(operation).only(1), Effect::replace_with(json)));
    }
    for operation in ["rds.CreateDBInstance", "elasticache.CreateReplicationGroup", "elasticache.CreateUser"] {
        stage.proxy.add_rule(Rule::new(Match::calls(operation).only(1), Effect::replace_with(xml)));
    }
}
