//! `#[derive(Spec)]`: generates the const field table of a struct, or the list of values of an enum, and nothing else.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Expr, Fields, Lit, LitStr, Meta, Path, parse_macro_input};

/// Derives `holdfast_core::schema::Spec` (structs) and `Typed` (structs and unit enums).
///
/// Reads the doc comments, `#[serde(default)]`, `#[serde(default = "…")]`, `#[serde(rename = "…")]`
/// and `#[spec(immutable)]`. The struct must carry `#[serde(rename_all = "camelCase")]`.
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
    let rows = fields.iter().map(field).collect::<syn::Result<Vec<_>>>()?;
    Ok(quote! {
        impl ::holdfast_core::schema::Named for #name {
            const KIND: &'static str = #kind;
        }
        impl ::holdfast_core::schema::Spec for #name {
            const RECORD: ::holdfast_core::schema::Record = ::holdfast_core::schema::Record {
                name: #kind,
                doc: #doc,
                fields: &[#(#rows),*],
            };
        }
        impl ::holdfast_core::schema::Typed for #name {
            const TYPE: ::holdfast_core::schema::Type =
                ::holdfast_core::schema::Type::Record(&<#name as ::holdfast_core::schema::Spec>::RECORD);
        }
    })
}

fn field(field: &syn::Field) -> syn::Result<Tokens> {
    let ident =
        field.ident.as_ref().ok_or_else(|| syn::Error::new_spanned(field, "Spec needs a struct with named fields"))?;
    let ty = &field.ty;
    let doc = doc(&field.attrs);
    let serde = Serde::read(&field.attrs)?;
    let name = serde.rename.unwrap_or_else(|| camel_case(ident.to_string().trim_start_matches("r#")));
    let immutable = immutable(&field.attrs)?;
    let presence = match serde.default {
        Some(Default::Trait) => quote! {
            ::holdfast_core::schema::Presence::Default(|| ::holdfast_core::value::of(&<#ty as ::core::default::Default>::default()))
        },
        Some(Default::Function(path)) => quote! {
            ::holdfast_core::schema::Presence::Default(|| ::holdfast_core::value::of::<#ty>(&#path()))
        },
        None => quote! {
            match (<#ty as ::holdfast_core::schema::Typed>::OPTIONAL, <#ty as ::holdfast_core::schema::Typed>::NULLABLE) {
                (true, true) => ::holdfast_core::schema::Presence::Optional,
                (true, false) => ::holdfast_core::schema::Presence::ServerDefault,
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

fn immutable(attrs: &[Attribute]) -> syn::Result<bool> {
    let mut immutable = false;
    for attr in attrs.iter().filter(|a| a.path().is_ident("spec")) {
        attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("immutable") {
                immutable = true;
                Ok(())
            } else {
                Err(meta.error("unknown attribute; the only one is `immutable`"))
            }
        })?;
    }
    Ok(immutable)
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
