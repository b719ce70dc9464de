//! The JSON Schema of documents, generated from the field tables. Editors use it to complete and validate documents.

use serde_json::{Map, Value as Json, json};

use holdfast_core::schema::{Constraint, Field, Literal, Presence, Record, Registry, Schema, Type, with_article};
use holdfast_core::value::Value;

use crate::common;

/// Returns the JSON Schema (draft 2020-12) for stacks, environments and components.
///
/// The schema is less strict than `holdfast validate`: it accepts an expression wherever one is possible, and does not
/// follow references.
pub fn schema(registry: &Registry) -> Json {
    let mut definitions = Map::new();
    definitions.insert(
        "expression".into(),
        json!({
            "type": "string",
            "pattern": r"\$\{",
            "description": "An expression in CEL over params, env, each and other resources: ${params.name}",
        }),
    );
    definitions.insert("name".into(), json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$" }));
    definitions.insert(
        "tags".into(),
        json!({
            "type": ["object", "null"],
            "description": common::TAGS.doc,
            "additionalProperties": { "type": ["string", "null"] },
            "propertyNames": { "not": { "pattern": "^(holdfast|aws):" } },
        }),
    );
    definitions.insert(
        "regions".into(),
        json!({
            "type": "object",
            "description": "Regions by alias. `main` is the default region of all resources.",
            "additionalProperties": { "type": "string", "pattern": "^[a-z]+(-[a-z]+)+-[0-9]+$" },
        }),
    );
    definitions.insert("policy".into(), object(json!({
        "prune": described(json!({ "type": "boolean" }), "True: resources that left the document may be deleted without a flag."),
        "drift": described(json!({ "enum": ["correct", "warn", "ignore"] }), common::DRIFT),
        "maxDeletions": described(count(), "The maximum number of deletions in one pass."),
        "maxMutations": described(count(), "The maximum number of steps in one pass."),
    }), &[]));
    definitions.insert(
        "parameter".into(),
        object(
            json!({
                "type": { "enum": holdfast_core::load::PARAMETER_TYPES },
                "default": described(json!({}), "The value when none is given. It may use the parameters declared above."),
                "description": { "type": "string" },
                "allowed": described(json!({ "type": "array" }), "The allowed values."),
            }),
            &["type"],
        ),
    );
    definitions.insert(
        "parameters".into(),
        json!({
            "type": ["object", "null"],
            "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
            "additionalProperties": reference("parameter"),
        }),
    );
    definitions.insert(
        "component".into(),
        object(
            json!({
                "from": described(json!({ "type": "string" }), "The path of the component's file, relative to this file."),
                "with": described(json!({ "type": ["object", "null"] }), "Values of the component's parameters."),
                "when": common_field(&common::WHEN),
                "forEach": common_field(&common::FOR_EACH),
                "region": common_field(&common::REGION),
            }),
            &["from"],
        ),
    );
    definitions.insert(
        "components".into(),
        json!({
            "type": ["object", "null"],
            "propertyNames": reference("name"),
            "additionalProperties": reference("component"),
        }),
    );
    let lifecycle = object(Json::Object(fields(common::LIFECYCLE.fields)), &[]);
    definitions.insert("lifecycle".into(), described(lifecycle, common::LIFECYCLE.doc));
    let mut resources = Map::new();
    let mut patches = Map::new();
    for schema in registry.0 {
        let pattern = format!("^{}/[A-Za-z0-9][A-Za-z0-9_-]*$", schema.kind);
        let fields = format!("fields.{}", schema.kind);
        let whole = format!("kind.{}", schema.kind);
        resources.insert(pattern, reference(&whole));
        patches.insert(format!("^{}/", schema.kind), reference(&fields));
        definitions.insert(fields.clone(), kind(schema));
        definitions.insert(whole, required(schema, &fields));
    }
    definitions.insert(
        "resources".into(),
        json!({
            "type": ["object", "null"],
            "description": "The resources, by address: Kind/name.",
            "patternProperties": resources,
            "additionalProperties": false,
        }),
    );
    definitions.insert(
        "patches".into(),
        json!({
            "type": ["object", "null"],
            "description": "The changes of this environment, by address. Maps are merged, everything else is replaced.",
            "patternProperties": patches,
            "additionalProperties": false,
        }),
    );
    definitions.insert(
        "Stack".into(),
        object(
            json!({
                "regions": reference("regions"),
                "tags": described(reference("tags"), "The tags of every resource that can have tags."),
                "policy": reference("policy"),
                "parameters": reference("parameters"),
                "components": reference("components"),
                "resources": reference("resources"),
            }),
            &[],
        ),
    );
    definitions.insert(
        "Component".into(),
        object(
            json!({
                "parameters": reference("parameters"),
                "components": reference("components"),
                "resources": reference("resources"),
            }),
            &[],
        ),
    );
    definitions.insert("Environment".into(), object(json!({
        "stack": described(json!({ "type": "string" }), "The stack that the environment belongs to."),
        "target": object(json!({
            "account": described(json!({ "type": ["string", "integer"] }), "The id of the account that the caller must be in: 12 digits."),
            "region": described(json!({ "type": "string" }), "The region with the alias `main`."),
            "role": described(json!({ "type": "string" }), "The role to assume."),
            "externalId": described(json!({ "type": "string" }), "The external id that the role's trust policy requires."),
        }), &[]),
        "store": described(
            json!({ "type": "string", "pattern": "^(/|s3://)" }),
            "The store that all runs share: `s3://BUCKET/PREFIX`, or a folder that begins with `/`.",
        ),
        "regions": reference("regions"),
        "policy": reference("policy"),
        "parameters": described(json!({ "type": ["object", "null"] }), "Values of the stack's parameters."),
        "patches": reference("patches"),
    }), &["stack"]));
    let kinds = ["Stack", "Environment", "Component"];
    let by_kind = kinds.map(|kind| {
        json!({
            "if": { "properties": { "kind": { "const": kind } } },
            "then": { "properties": { "spec": reference(kind) } },
        })
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Holdfast document",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": { "const": "holdfast/v1" },
            "kind": { "enum": kinds },
            "metadata": object(json!({ "name": reference("name"), "description": { "type": "string" } }), &["name"]),
            "spec": { "type": ["object", "null"] },
        },
        "allOf": by_kind,
        "$defs": definitions,
    })
}

fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// Returns the schema of an object with these properties and no others.
fn object(properties: Json, required: &[&str]) -> Json {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn described(mut schema: Json, description: &str) -> Json {
    if let Json::Object(map) = &mut schema
        && !description.is_empty()
    {
        map.insert("description".into(), description.into());
    }
    schema
}

fn count() -> Json {
    json!({ "type": "integer", "minimum": 0 })
}

/// Returns a schema that also accepts an expression.
fn or_expression(schema: &Json) -> Json {
    json!({ "anyOf": [schema, reference("expression")] })
}

/// Returns the schema of a common field, other than `name`, of a resource or component.
fn common_field(field: &Field) -> Json {
    match field.name {
        "tags" => or_expression(&reference("tags")),
        "lifecycle" => reference("lifecycle"),
        "forEach" => described(or_expression(&json!({ "type": ["array", "object"] })), field.doc),
        _ => property(field),
    }
}

/// Returns the schema of a patch: the fields of a kind and the words beside them. No field is required.
fn kind(schema: &Schema) -> Json {
    let mut properties = fields(schema.record.fields);
    for field in common::fields(schema) {
        let name = json!({ "type": ["string", "null"], "maxLength": schema.naming.limit });
        let field_schema = match field.name {
            "name" => described(or_expression(&name), field.doc),
            _ => common_field(field),
        };
        properties.insert(field.name.to_owned(), field_schema);
    }
    json!({
        "type": ["object", "null"],
        "description": schema.record.doc,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Returns the schema of a resource: the required fields are required, except with `manage: observe`.
fn required(schema: &Schema, fields: &str) -> Json {
    let names = required_fields(schema.record);
    if names.is_empty() {
        return reference(fields);
    }
    json!({
        "allOf": [reference(fields)],
        "if": {
            "type": "object",
            "required": ["lifecycle"],
            "properties": { "lifecycle": { "required": ["manage"], "properties": { "manage": { "not": { "const": "full" } } } } },
        },
        "else": { "type": "object", "required": names },
    })
}

fn required_fields(record: &Record) -> Vec<&'static str> {
    record.fields.iter().filter(|field| matches!(field.presence, Presence::Required)).map(|field| field.name).collect()
}

fn fields(fields: &[Field]) -> Map<String, Json> {
    fields.iter().map(|field| (field.name.to_owned(), property(field))).collect()
}

fn property(field: &Field) -> Json {
    let mut any = alternatives(&field.ty, field.constraints);
    let mut property = Map::new();
    match field.presence {
        Presence::Required => {}
        Presence::Optional | Presence::ServerDefault if !field.is_nullable() => {}
        Presence::Optional | Presence::ServerDefault => any.push(json!({ "type": "null" })),
        Presence::Default(default) => {
            any.push(json!({ "type": "null" }));
            property.insert("default".into(), default().json());
        }
    }
    if let Some(default) = field.server_default.filter(|default| *default != Literal::Null) {
        property.insert("default".into(), Value::from(default).json());
        property.insert("$comment".into(), "AWS's default. Holdfast does not send it.".into());
    }
    if !field.doc.is_empty() {
        property.insert("description".into(), field.doc.into());
    }
    match any.len() {
        1 => property.extend(any.remove(0).as_object().cloned().unwrap_or_default()),
        _ => drop(property.insert("anyOf".into(), any.into())),
    }
    Json::Object(property)
}

/// Returns the schemas of the values that a type accepts within constraints. Every type but a plain string without
/// constraints also accepts an expression.
fn alternatives(ty: &Type, constraints: &[Constraint]) -> Vec<Json> {
    let (of_elements, of_value): (Vec<Constraint>, Vec<Constraint>) = match ty {
        Type::Set(_) | Type::List(_) | Type::Map(_) => constraints.iter().copied().partition(|c| c.is_for_elements()),
        _ => (vec![], constraints.to_vec()),
    };
    let mut any = unconstrained(ty, &of_elements);
    let keywords: Map<String, Json> = of_value.iter().flat_map(|constraint| keywords(ty, constraint)).collect();
    if keywords.is_empty() {
        return any;
    }
    if let Some(Json::Object(plain)) = any.first_mut() {
        plain.extend(keywords);
    }
    if !any.contains(&reference("expression")) {
        any.push(reference("expression"));
    }
    any
}

/// Returns the keywords of JSON Schema for a constraint. Each of them holds only for values of its own type.
fn keywords(ty: &Type, constraint: &Constraint) -> Vec<(String, Json)> {
    let limits = |[least, most]: [&str; 2], min: Option<Json>, max: Option<Json>| {
        let limits = [(least, min), (most, max)].into_iter();
        limits.filter_map(|(name, limit)| Some((name.to_owned(), limit?))).collect()
    };
    let size = |names, min: Option<usize>, max: Option<usize>| limits(names, min.map(Json::from), max.map(Json::from));
    match *constraint {
        Constraint::OneOf(values) => vec![("enum".to_owned(), json!(values))],
        Constraint::Range { min, max } => limits(["minimum", "maximum"], min.map(Json::from), max.map(Json::from)),
        Constraint::Length { min, max } => size(["minLength", "maxLength"], min, max),
        Constraint::Items { min, max } if matches!(ty, Type::Map(_)) => {
            size(["minProperties", "maxProperties"], min, max)
        }
        // One element may stand for several: a pattern of names, or an expression that returns a list.
        Constraint::Items { min, max } => size(["minItems", "maxItems"], min.map(|min| min.min(1)), max),
        Constraint::Pattern(pattern) => vec![("pattern".to_owned(), format!("^(?:{pattern})$").into())],
    }
}

/// Returns the schemas of the values that a type accepts, with constraints of the elements of a set, list or map.
fn unconstrained(ty: &Type, of_elements: &[Constraint]) -> Vec<Json> {
    let plain = match ty {
        Type::Bool => json!({ "type": "boolean" }),
        Type::Integer | Type::AutoscaledCount { .. } => json!({ "type": "integer" }),
        Type::Number => json!({ "type": "number" }),
        Type::Text => return vec![json!({ "type": "string" })],
        Type::Choice(words) => json!({ "enum": words }),
        Type::Reference { kind, attribute, .. } => {
            let name = described(json!({ "type": "string" }), &format!("The name of {}.", with_article(kind)));
            let by_id = object(json!({ "id": { "type": "string" } }), &["id"]);
            let of_other_stack = object(
                json!({
                    "stack": { "type": "string" }, "env": { "type": "string" }, "name": { "type": "string" },
                }),
                &["stack", "name"],
            );
            let mut any = vec![name, by_id, of_other_stack];
            if *attribute != "id" && *attribute != "name" {
                any.push(object(json!({ *attribute: { "type": "string" } }), &[attribute]));
            }
            return any;
        }
        Type::Secret => {
            let env = object(
                json!({ "env": described(json!({ "type": "string" }), "The name of an environment variable.") }),
                &["env"],
            );
            let file =
                object(json!({ "file": described(json!({ "type": "string" }), "The path of a file.") }), &["file"]);
            return vec![env, file];
        }
        Type::Canonical { canonical, .. } => {
            // The function accepts other types than strings for some values: a policy can be a tree, an IP protocol a
            // number. A CIDR block is always a string.
            let probes = [
                ("object", Value::from([("Statement", Value::List(vec![])), ("rules", Value::List(vec![]))])),
                ("array", Value::List(Vec::new())),
                ("integer", Value::Integer(1)),
            ];
            let accepted = probes.into_iter().filter(|(_, probe)| canonical(probe).is_ok()).map(|(ty, _)| ty);
            let types: Vec<&str> = std::iter::once("string").chain(accepted).collect();
            return vec![if types.len() == 1 { json!({ "type": "string" }) } else { json!({ "type": types }) }];
        }
        Type::Set(of) | Type::List(of) => json!({ "type": "array", "items": element(of, of_elements) }),
        Type::Map(of) => {
            let mut any = alternatives(of, of_elements);
            any.push(json!({ "type": "null" }));
            json!({ "type": "object", "additionalProperties": { "anyOf": any } })
        }
        Type::Record(record) => {
            described(object(Json::Object(fields(record.fields)), &required_fields(record)), record.doc)
        }
    };
    vec![plain, reference("expression")]
}

fn element(ty: &Type, constraints: &[Constraint]) -> Json {
    let mut any = alternatives(ty, constraints);
    if any.len() == 1 { any.remove(0) } else { json!({ "anyOf": any }) }
}

#[cfg(test)]
mod tests;
