//! Tests of the field tables of all kinds: identities of elements, defaults, and the fields that other fields name.

use std::collections::BTreeSet;

use holdfast_core::diff::{diff, merge};
use holdfast_core::schema::{Field, Identity, Literal, Presence, Record, Type};
use holdfast_core::value::Value;

use crate::registry;

/// Calls `visit` with each record of the specs of all kinds, its path, and whether it is an element of a list or set.
fn each_record(visit: &mut impl FnMut(&str, &'static Record, bool)) {
    fn of_record(
        path: &str,
        record: &'static Record,
        element: bool,
        visit: &mut impl FnMut(&str, &'static Record, bool),
    ) {
        visit(path, record, element);
        for field in record.fields {
            of_type(&format!("{path}.{}", field.name), field.ty, false, visit);
        }
    }
    fn of_type(path: &str, ty: Type, element: bool, visit: &mut impl FnMut(&str, &'static Record, bool)) {
        match ty {
            Type::Set(of) | Type::List(of) => of_type(path, *of, true, visit),
            Type::Map(of) => of_type(path, *of, false, visit),
            Type::Record(record) => of_record(path, record, element, visit),
            _ => {}
        }
    }
    for schema in registry().0 {
        of_record(schema.kind, schema.record, false, visit);
    }
}

fn each_field(mut visit: impl FnMut(&str, &'static Record, &'static Field)) {
    each_record(&mut |path, record, _| {
        record.fields.iter().for_each(|field| visit(&format!("{path}.{}", field.name), record, field));
    });
}

#[test]
fn every_record_of_a_list_or_set_declares_its_identity() {
    let mut undeclared = BTreeSet::new();
    each_record(&mut |path, record, is_element| {
        if is_element && record.identity == Identity::Undeclared {
            undeclared.insert(path.to_owned());
        }
    });
    assert_eq!(undeclared, BTreeSet::new(), "add `#[spec(key = …)]` or `#[spec(no_key = \"the reason\")]`");
}

#[test]
fn every_field_that_another_field_names_exists() {
    let mut missing = BTreeSet::new();
    let mut name = |path: &str, record: &Record, name: &str| {
        if record.field(name).is_none() {
            missing.insert(format!("{path}: {name}"));
        }
    };
    each_record(&mut |path, record, _| {
        if let Identity::Key { fields, .. } = record.identity {
            fields.iter().for_each(|field| name(path, record, field));
        }
        record
            .exclusive
            .iter()
            .chain(record.alternatives)
            .copied()
            .flatten()
            .for_each(|field| name(path, record, field));
    });
    each_field(|path, record, field| {
        let comparison = field.comparison;
        let names = [comparison.when.map(|when| when.field), comparison.upgraded_by, comparison.implied];
        names.into_iter().flatten().for_each(|other| name(path, record, other));
    });
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn every_default_is_a_value_that_the_field_accepts() {
    let mut wrong = vec![];
    each_field(|path, _, field| {
        let value = field.default_value();
        let has_type = matches!(
            (field.ty, field.server_default),
            (_, None | Some(Literal::Null))
                | (Type::Bool, Some(Literal::Bool(_)))
                | (Type::Integer | Type::Number, Some(Literal::Integer(_)))
                | (Type::Text | Type::Choice(_) | Type::Canonical { .. }, Some(Literal::Text(_)))
        );
        if !has_type || field.constraints.iter().any(|constraint| constraint.check(&value).is_err()) {
            wrong.push(format!("{path}: {value}"));
        }
    });
    assert_eq!(wrong, Vec::<String>::new());
}

/// `null` means AWS's default: it equals a response with the default and one without the field, and an update sends the
/// default. A null whose default is not known changes nothing.
#[test]
fn the_null_of_every_field_converges() {
    let mut wrong = vec![];
    let mut nullable = 0;
    each_field(|path, _, field| {
        if field.only_at_create || matches!(field.presence, Presence::Required | Presence::Default(_)) {
            return;
        }
        let fields: &'static [Field] = Box::leak(Box::new([*field]));
        let record = Record { fields, ..Record::EMPTY };
        let record = without_condition(record);
        let spec = |value: Value| Value::from([(field.name, value)]);
        let default = spec(field.default_value());
        let changes = |desired: &Value, live: &Value| diff(&record, desired, live, &[]).len();
        let (null, absent) = (spec(Value::Null), Value::Map([].into()));
        let is_equal = changes(&null, &default) + changes(&null, &absent) + changes(&default, &absent) == 0;
        let other = other_than_default(field);
        let is_right = match other {
            Some(other) if field.is_nullable() => {
                let other = spec(other);
                changes(&null, &other) == 1 && merge(&record, &null, &other, &[]) == default
            }
            Some(other) => changes(&null, &spec(other)) == 0,
            None => true,
        };
        nullable += usize::from(field.is_nullable());
        if !is_equal || !is_right {
            wrong.push(path.to_owned());
        }
    });
    assert_eq!(wrong, Vec::<String>::new());
    assert!(nullable > 400, "{nullable}");
}

/// The record whose fields always have an effect.
fn without_condition(record: Record) -> Record {
    let always = |field: &Field| {
        let mut field = *field;
        (field.comparison.when, field.comparison.upgraded_by, field.comparison.implied) = (None, None, None);
        field
    };
    let fields: Vec<Field> = record.fields.iter().map(always).collect();
    Record { fields: Vec::leak(fields), ..record }
}

/// Returns a value of the field that is not AWS's default; none for types whose values have a form of their own.
fn other_than_default(field: &Field) -> Option<Value> {
    match field.ty {
        Type::Bool => Some(Value::Bool(field.default_value() != Value::Bool(true))),
        Type::Integer => Some(Value::Integer(987)),
        Type::Number => Some(Value::Number(98.7)),
        Type::Text | Type::Choice(_) | Type::Reference { .. } => Some("other than the default".into()),
        Type::Set(of) | Type::List(of) if matches!(of, Type::Text) => Some(Value::List(vec!["other".into()])),
        _ => None,
    }
}
