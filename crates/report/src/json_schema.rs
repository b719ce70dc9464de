//! The JSON Schema of documents, generated from the field tables. Editors use it to complete and validate documents.

use serde_json::{Map, Value as Json, json};

use holdfast_core::schema::{Field, Presence, Record, Registry, Schema, Type, with_article};
use holdfast_core::value::Value;

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
    definitions.insert("tags".into(), json!({
        "type": ["object", "null"],
        "description": "Tags in addition to the stack's tags. {} means no tags at all; a null value removes one of the stack's tags.",
        "additionalProperties": { "type": ["string", "null"] },
        "propertyNames": { "not": { "pattern": "^(holdfast|aws):" } },
    }));
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
        "drift": described(json!({ "enum": ["correct", "warn", "ignore"] }), DRIFT),
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

fn when() -> Json {
    let condition = "A condition. When it is false, the document does not contain this resource or component.";
    described(or_expression(&json!({ "type": ["boolean", "null"] })), condition)
}

fn for_each() -> Json {
    let list_or_map = json!({ "type": ["array", "object", "null"] });
    described(
        or_expression(&list_or_map),
        "One copy for each element of a list or map. Expressions read the element as `each.key` and `each.value`; the address gets the suffix `-<key>`.",
    )
}

fn region() -> Json {
    described(json!({ "type": ["string", "null"] }), "An alias of `spec.regions`, or the name of a region.")
}

const DRIFT: &str = "`correct` corrects drift (the default). `warn` reports drift and leaves it. `ignore` leaves drift and does not report it.";

fn lifecycle() -> Json {
    let choice = |values: &[&str], text: &str| described(or_expression(&json!({ "enum": values })), text);
    described(
        object(
            json!({
                "manage": choice(&["full", "observe"], "`observe`: the resource exists already; Holdfast reads it and never changes it."),
                "onDelete": choice(&["delete", "retain"], "Whether the resource is deleted or kept when it leaves the document."),
                "replace": choice(&["allow", "refuse"], "Whether the resource may be replaced without a flag."),
                "ignore": described(json!({ "type": "array", "items": { "type": "string" } }), "The paths of fields that another process or a person controls."),
                "adopt": described(json!({ "type": ["string", "null"] }), "The id or name of a live resource to adopt."),
                "protect": described(or_expression(&json!({ "type": "boolean" })), "True: the resource is never deleted or replaced, whatever is granted."),
                "movedFrom": described(json!({ "type": ["string", "null"] }), "The address that the resource had before: Kind/name."),
                "drift": choice(&["correct", "warn", "ignore"], DRIFT),
            }),
            &[],
        ),
        "How the resource is managed.",
    )
}

/// Returns the schema of a patch: the fields of a kind and the words beside them. No field is required.
fn kind(schema: &Schema) -> Json {
    let mut properties = fields(schema.record);
    let words = json!({
        "name": described(or_expression(&json!({ "type": ["string", "null"], "maxLength": schema.naming.limit })), "The physical name. The default is built from stack, environment and address."),
        "lifecycle": reference("lifecycle"),
        "forEach": for_each(),
        "when": when(),
        "region": region(),
        "dependsOn": described(or_expression(&json!({ "type": "array", "items": { "type": "string" } })), "The addresses of further resources that must be ready first."),
        "id": described(json!({ "type": "string" }), "With `manage: observe`: the id of the live resource."),
    });
    if let Json::Object(words) = words {
        properties.extend(words);
    }
    if schema.ownership.takes_tags() {
        properties.insert("tags".into(), json!({ "anyOf": [reference("tags"), reference("expression")] }));
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

fn fields(record: &Record) -> Map<String, Json> {
    record.fields.iter().map(|field| (field.name.to_owned(), property(field))).collect()
}

fn property(field: &Field) -> Json {
    let mut any = alternatives(&field.ty);
    let mut property = Map::new();
    match field.presence {
        Presence::Required | Presence::ServerDefault => {}
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

/// Returns the schemas of the values that a type accepts. Every type but a plain string also accepts an expression.
fn alternatives(ty: &Type) -> Vec<Json> {
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
                ("object", Value::from([("Statement", Value::List(Vec::new()))])),
                ("array", Value::List(Vec::new())),
                ("integer", Value::Integer(1)),
            ];
            let accepted = probes.into_iter().filter(|(_, probe)| canonical(probe).is_ok()).map(|(ty, _)| ty);
            let types: Vec<&str> = std::iter::once("string").chain(accepted).collect();
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
