//! The JSON Schema of documents, made from the field tables, so that editors complete and check as one types.

use serde_json::{Map, Value as Json, json};

use crate::schema::{Field, Presence, Record, Registry, Schema, Type};
use crate::value::Value;

/// One JSON Schema (draft 2020-12) for stacks, environments and components.
///
/// It is looser than `validate`: whatever may be an expression is taken as one, and references are
/// not followed.
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
    definitions.insert("tags".into(), json!({
        "type": ["object", "null"],
        "description": "Tags beside those of the stack. {} means none at all; a null takes one of the stack's away.",
        "additionalProperties": { "type": ["string", "null"] },
        "propertyNames": { "not": { "pattern": "^(holdfast|aws):" } },
    }));
    definitions.insert(
        "regions".into(),
        json!({
            "type": "object",
            "description": "Regions by alias; `main` is where resources are that say nothing.",
            "additionalProperties": { "type": "string", "pattern": "^[a-z]+(-[a-z]+)+-[0-9]+$" },
        }),
    );
    definitions.insert("policy".into(), object(json!({
        "prune": described(json!({ "type": "boolean" }), "True when what left the document may be deleted without a flag."),
        "drift": described(json!({ "enum": ["mend", "alert", "observe"] }), "What to do about drift."),
        "maxDeletions": described(count(), "The most deletions in one pass."),
        "maxMutations": described(count(), "The most mutations in one pass."),
    }), &[]));
    definitions.insert(
        "parameter".into(),
        object(
            json!({
                "type": { "enum": crate::load::file::Kind::WORDS },
                "default": described(json!({}), "Its value when nobody gives one; may use the parameters above it."),
                "description": { "type": "string" },
                "allowed": described(json!({ "type": "array" }), "The only values it may have."),
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
                "from": described(json!({ "type": "string" }), "The component's file, as seen from this one."),
                "with": described(json!({ "type": ["object", "null"] }), "Its parameters."),
                "when": when(),
                "forEach": for_each(),
                "region": region(),
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
    definitions.insert("lifecycle".into(), lifecycle());
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
            "description": "What differs here, by address: maps merge, everything else is replaced.",
            "patternProperties": patches,
            "additionalProperties": false,
        }),
    );
    definitions.insert(
        "Stack".into(),
        object(
            json!({
                "regions": reference("regions"),
                "tags": described(reference("tags"), "Tags of every resource that can have tags."),
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
        "stack": described(json!({ "type": "string" }), "The stack that this is an environment of."),
        "target": object(json!({
            "account": described(json!({ "type": ["string", "integer"] }), "The account that the caller must be in: 12 digits."),
            "region": described(json!({ "type": "string" }), "The region `main`."),
            "role": described(json!({ "type": "string" }), "A role to assume."),
            "externalId": described(json!({ "type": "string" }), "The external id that the role wants."),
        }), &[]),
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

/// An object with these properties and no others.
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

/// The same, or an expression.
fn or_expression(schema: &Json) -> Json {
    json!({ "anyOf": [schema, reference("expression")] })
}

fn when() -> Json {
    described(or_expression(&json!({ "type": ["boolean", "null"] })), "It is left out where this is false.")
}

fn for_each() -> Json {
    let list_or_map = json!({ "type": ["array", "object", "null"] });
    described(
        or_expression(&list_or_map),
        "One for each element: `each.key` and `each.value`; the address gets `-<key>`.",
    )
}

fn region() -> Json {
    described(json!({ "type": ["string", "null"] }), "An alias of `spec.regions`, or a region's name.")
}

fn lifecycle() -> Json {
    let choice = |words: &[&str], text: &str| described(or_expression(&json!({ "enum": words })), text);
    described(
        object(
            json!({
                "manage": choice(&["full", "observe"], "`observe`: looked up, never changed."),
                "onDelete": choice(&["delete", "retain"], "What happens when it leaves the document."),
                "replace": choice(&["allow", "refuse"], "Whether it may be replaced without a flag."),
                "ignore": described(json!({ "type": "array", "items": { "type": "string" } }), "Paths that belong to somebody else."),
                "adopt": described(json!({ "type": ["string", "null"] }), "A live resource to take over: its id or its name."),
                "protect": described(or_expression(&json!({ "type": "boolean" })), "Never deleted nor replaced, whatever is granted."),
                "movedFrom": described(json!({ "type": ["string", "null"] }), "The address that it had before: Kind/name."),
                "drift": choice(&["mend", "alert", "observe"], "What to do about its drift."),
            }),
            &[],
        ),
        "How it is treated.",
    )
}

/// The fields of a kind and the words beside them, nothing required: what a patch may say.
fn kind(schema: &Schema) -> Json {
    let mut properties = fields(schema.record);
    let words = json!({
        "name": described(or_expression(&json!({ "type": ["string", "null"], "maxLength": schema.naming.limit })), "Its physical name, when the default will not do."),
        "lifecycle": reference("lifecycle"),
        "forEach": for_each(),
        "when": when(),
        "region": region(),
        "dependsOn": described(or_expression(&json!({ "type": "array", "items": { "type": "string" } })), "Further addresses that have to be there first."),
        "id": described(json!({ "type": "string" }), "With `manage: observe`: the id by which it is found."),
    });
    if let Json::Object(words) = words {
        properties.extend(words);
    }
    if schema.claim.takes_tags() {
        properties.insert("tags".into(), json!({ "anyOf": [reference("tags"), reference("expression")] }));
    }
    json!({
        "type": ["object", "null"],
        "description": schema.record.doc,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// The whole kind: what is required is there, unless it is only looked up.
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

fn fields(record: &Record) -> Map<String, Json> {
    record.fields.iter().map(|field| (field.name.to_owned(), property(field))).collect()
}

fn property(field: &Field) -> Json {
    let mut any = alternatives(&field.ty);
    let mut property = Map::new();
    match field.presence {
        Presence::Required | Presence::Always => {}
        Presence::Optional => any.push(json!({ "type": "null" })),
        Presence::Default(default) => {
            any.push(json!({ "type": "null" }));
            property.insert("default".into(), default().json());
        }
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

/// What a type takes; everything but plain text also as an expression.
fn alternatives(ty: &Type) -> Vec<Json> {
    let plain = match ty {
        Type::Bool => json!({ "type": "boolean" }),
        Type::Integer | Type::Scaled { .. } => json!({ "type": "integer" }),
        Type::Number => json!({ "type": "number" }),
        Type::Text => return vec![json!({ "type": "string" })],
        Type::Choice(words) => json!({ "enum": words }),
        Type::Reference { kind, attribute, .. } => {
            let name = described(json!({ "type": "string" }), &format!("The name of a {kind}."));
            let foreign = object(json!({ "id": { "type": "string" } }), &["id"]);
            let other = object(
                json!({
                    "stack": { "type": "string" }, "env": { "type": "string" }, "name": { "type": "string" },
                }),
                &["stack", "name"],
            );
            let mut any = vec![name, foreign, other];
            if *attribute != "id" && *attribute != "name" {
                any.push(object(json!({ *attribute: { "type": "string" } }), &[attribute]));
            }
            return any;
        }
        Type::Secret => {
            let env =
                object(json!({ "env": described(json!({ "type": "string" }), "An environment variable.") }), &["env"]);
            let file =
                object(json!({ "file": described(json!({ "type": "string" }), "The path of a file.") }), &["file"]);
            return vec![env, file];
        }
        Type::Canonical { canonical, .. } => {
            // Whoever says what is canonical also knows what else than text it takes: a policy is a tree as well, an
            // IP protocol a number, and a CIDR block is only ever text.
            let probes = [
                ("object", Value::from([("Statement", Value::List(Vec::new()))])),
                ("array", Value::List(Vec::new())),
                ("integer", Value::Integer(1)),
            ];
            let taken = probes.into_iter().filter(|(_, probe)| canonical(probe).is_ok()).map(|(ty, _)| ty);
            let types: Vec<&str> = std::iter::once("string").chain(taken).collect();
            return vec![if types.len() == 1 { json!({ "type": "string" }) } else { json!({ "type": types }) }];
        }
        Type::Set(of) | Type::List(of) => json!({ "type": "array", "items": element(of) }),
        Type::Map(of) => {
            let mut any = alternatives(of);
            any.push(json!({ "type": "null" }));
            json!({ "type": "object", "additionalProperties": { "anyOf": any } })
        }
        Type::Record(record) => described(object(Json::Object(fields(record)), &required_fields(record)), record.doc),
    };
    vec![plain, reference("expression")]
}

fn element(ty: &Type) -> Json {
    let mut any = alternatives(ty);
    if any.len() == 1 { any.remove(0) } else { json!({ "anyOf": any }) }
}

#[cfg(test)]
mod tests;
