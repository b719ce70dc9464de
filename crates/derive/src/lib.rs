//! `#[derive(Spec)]`: generates the field table of a struct and the names of its fields, or the list of values of an enum.

mod facts;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::{Attribute, Data, DeriveInput, Expr, Fields, Ident, Lit, LitStr, Meta, Path, parse_macro_input};

use facts::{Elements, Facts, option};

/// Derives `holdfast_core::schema::Spec` (structs) and `Typed` (structs and unit enums).
///
/// Reads the doc comments, `#[serde(default)]`, `#[serde(default = "…")]`, `#[serde(rename = "…")]` and the facts of a
/// field in `#[spec(…)]`. The struct must carry `#[serde(rename_all = "camelCase")]`. Each field gets a constant with its
/// name in the document: `Vpc::CIDR_BLOCK`. A record with the field `arn: String` gets `HasArn`.
///
/// | in `#[spec(…)]` | meaning |
/// |---|---|
/// | `immutable` | a change requires a replacement |
/// | `in_place = true` | the value to which AWS can change an immutable field in place |
/// | `one_of = sdk::LaunchType` | one of the values of an SDK enum |
/// | `one_of = ["a", "b"]` | one of these values |
/// | `range = 1..=35`, `range = 1..` | the limits of a number, both inclusive |
/// | `length = 1..=255` | the limits of the length of a string, in characters |
/// | `items = 1..=5` | the limits of the number of elements of a set, list or map |
/// | `pattern = "[a-z]+"` | a regular expression that matches the whole string |
/// | `never_null` | `null` is refused: AWS always returns a value, and its default is not always the same |
/// | `default = 30` | the value that AWS uses when a request omits the field |
/// | `default = null` | AWS has no value when a request omits the field |
/// | `spelling = AnyCase` | a variant of `Spelling`: the spelling that makes no difference |
/// | `when = "other"`, `when("other" = [true, "a"])` | the condition under which the field has an effect |
/// | `upgraded_by = "other"` | the field that lets AWS raise this version |
/// | `implied = "other"` | the field whose value this set always contains |
///
/// A struct whose values are elements of a list or a set declares how they are matched with the live elements:
///
/// | in `#[spec(…)]` of a struct | meaning |
/// |---|---|
/// | `key = "name"`, `key = ["a", "b"]` | by these fields |
/// | `ordered` | the order of the elements has a meaning for AWS |
/// | `no_key = "the reason"` | by position in a list, as a whole in a set |
/// | `exclusive = ["a", "b"]` | a value has at most one of these fields; may be repeated |
/// | `alternatives = ["a", "b"]` | these fields state one setting in several ways; may be repeated |
///
/// `one_of`, `range`, `length` and `pattern` of a set, list or map hold for each element.
#[proc_macro_derive(Spec, attributes(spec))]
pub fn derive_spec(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let generated = match &input.data {
        Data::Struct(data) => record(&input, &data.fields),
        Data::Enum(data) => choice(&input, data),
        Data::Union(_) => Err(syn::Error::new_spanned(&input, "Spec can be derived for structs and unit enums only")),
    };
    generated.unwrap_or_else(|error| error.to_compile_error()).into()
}

fn record(input: &DeriveInput, fields: &Fields) -> syn::Result<Tokens> {
    let name = &input.ident;
    let kind = name.to_string();
    let doc = doc(&input.attrs);
    let Elements { identity, exclusive, alternatives } = Elements::read(&input.attrs)?;
    let rows = fields.iter().map(field).collect::<syn::Result<Vec<_>>>()?;
    let names = fields.iter().map(|field| field_name(name, field)).collect::<syn::Result<Vec<_>>>()?;
    let arn = fields.iter().any(is_arn).then(|| {
        quote! {
            impl ::holdfast_core::schema::HasArn for #name {
                fn arn(&self) -> &str {
                    &self.arn
                }
            }
        }
    });
    Ok(quote! {
        #[allow(dead_code, reason = "a kind uses the names of some of its fields")]
        impl #name {
            #(#names)*
        }
        #arn
        impl ::holdfast_core::schema::Named for #name {
            const KIND: &'static str = #kind;
        }
        impl ::holdfast_core::schema::Spec for #name {
            const RECORD: ::holdfast_core::schema::Record = ::holdfast_core::schema::Record {
                name: #kind,
                doc: #doc,
                fields: &[#(#rows),*],
                identity: ::holdfast_core::schema::Identity::#identity,
                exclusive: &[#(&#exclusive),*],
                alternatives: &[#(&#alternatives),*],
            };
        }
        impl ::holdfast_core::schema::Typed for #name {
            const TYPE: ::holdfast_core::schema::Type =
                ::holdfast_core::schema::Type::Record(&<#name as ::holdfast_core::schema::Spec>::RECORD);
        }
    })
}

/// The constant with a field's name in the document.
fn field_name(record: &Ident, field: &syn::Field) -> syn::Result<Tokens> {
    let constant = format_ident!("{}", ident(field)?.to_string().trim_start_matches("r#").to_uppercase());
    let name = document_name(field)?;
    let doc = format!("The name of the field `{name}`.");
    Ok(quote! {
        #[doc = #doc]
        pub const #constant: ::holdfast_core::schema::FieldName<#record> = ::holdfast_core::schema::FieldName::new(#name);
    })
}

fn ident(field: &syn::Field) -> syn::Result<&Ident> {
    field.ident.as_ref().ok_or_else(|| syn::Error::new_spanned(field, "Spec needs a struct with named fields"))
}

/// The field's name in the document: AWS's name, in camelCase.
fn document_name(field: &syn::Field) -> syn::Result<String> {
    let ident = ident(field)?.to_string();
    Ok(Serde::read(&field.attrs)?.rename.unwrap_or_else(|| camel_case(ident.trim_start_matches("r#"))))
}

fn is_arn(field: &syn::Field) -> bool {
    let is_string = matches!(&field.ty, syn::Type::Path(path) if path.path.is_ident("String"));
    is_string && field.ident.as_ref().is_some_and(|ident| ident == "arn")
}

fn field(field: &syn::Field) -> syn::Result<Tokens> {
    let ty = &field.ty;
    let doc = doc(&field.attrs);
    let name = document_name(field)?;
    let Facts { immutable, in_place, never_null, constraints, default, spelling, when, upgraded_by, implied } =
        Facts::read(&field.attrs)?;
    let in_place = option(in_place.map(|literal| quote! { ::holdfast_core::schema::Literal::#literal }));
    let server_default = option(default.map(|literal| quote! { ::holdfast_core::schema::Literal::#literal }));
    let (spelling, when) = (option(spelling), option(when));
    let (upgraded_by, implied) = (option(upgraded_by), option(implied));
    let presence = match Serde::read(&field.attrs)?.default {
        Some(Default::Trait) => quote! {
            ::holdfast_core::schema::Presence::Default(|| ::holdfast_core::value::of(&<#ty as ::core::default::Default>::default()))
        },
        Some(Default::Function(path)) => quote! {
            ::holdfast_core::schema::Presence::Default(|| ::holdfast_core::value::of::<#ty>(&#path()))
        },
        None => quote! {
            match (<#ty as ::holdfast_core::schema::Typed>::OPTIONAL, <#ty as ::holdfast_core::schema::Typed>::NULLABLE) {
                (true, true) if !#never_null => ::holdfast_core::schema::Presence::Optional,
                (true, _) => ::holdfast_core::schema::Presence::ServerDefault,
                (false, _) => ::holdfast_core::schema::Presence::Required,
            }
        },
    };
    Ok(quote! {
        ::holdfast_core::schema::Field {
            name: #name,
            doc: #doc,
            ty: <#ty as ::holdfast_core::schema::Typed>::TYPE,
            presence: #presence,
            immutable: #immutable,
            in_place: #in_place,
            constraints: &[#(#constraints),*],
            server_default: #server_default,
            comparison: ::holdfast_core::schema::Comparison {
                spelling: #spelling,
                when: #when,
                upgraded_by: #upgraded_by,
                implied: #implied,
            },
            after_create: <#ty as ::holdfast_core::schema::Typed>::AFTER_CREATE,
            only_at_create: <#ty as ::holdfast_core::schema::Typed>::ONLY_AT_CREATE,
        }
    })
}

fn choice(input: &DeriveInput, data: &syn::DataEnum) -> syn::Result<Tokens> {
    let name = &input.ident;
    let (mut idents, mut values) = (Vec::new(), Vec::new());
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new_spanned(
                variant,
                "Spec can be derived for enums only when all variants are unit variants",
            ));
        }
        idents.push(&variant.ident);
        values.push(Serde::read(&variant.attrs)?.rename.unwrap_or_else(|| variant.ident.to_string()));
    }
    Ok(quote! {
        impl #name {
            /// Returns AWS's name of the value.
            pub const fn as_str(&self) -> &'static str {
                match self { #(Self::#idents => #values),* }
            }
        }
        impl ::holdfast_core::schema::Typed for #name {
            const TYPE: ::holdfast_core::schema::Type = ::holdfast_core::schema::Type::Choice(&[#(#values),*]);
        }
    })
}

enum Default {
    Trait,
    Function(Path),
}

struct Serde {
    rename: Option<String>,
    default: Option<Default>,
}

impl Serde {
    fn read(attrs: &[Attribute]) -> syn::Result<Serde> {
        let mut serde = Serde { rename: None, default: None };
        for attr in attrs.iter().filter(|a| a.path().is_ident("serde")) {
            attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename") {
                    serde.rename = Some(meta.value()?.parse::<LitStr>()?.value());
                } else if meta.path.is_ident("default") {
                    serde.default = Some(match meta.value() {
                        Ok(value) => Default::Function(value.parse::<LitStr>()?.parse()?),
                        Err(_) => Default::Trait,
                    });
                } else if let Ok(value) = meta.value() {
                    value.parse::<Expr>()?;
                }
                Ok(())
            })?;
        }
        Ok(serde)
    }
}

fn doc(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn camel_case(snake: &str) -> String {
    let mut camel = String::with_capacity(snake.len());
    let mut upper = false;
    for c in snake.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                camel.extend(c.to_uppercase());
                upper = false;
            }
            c => camel.push(c),
        }
    }
    camel
}
