//! The facts of fields and records in `#[spec(…)]`.

use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, ExprLit, ExprRange, Ident, Lit, LitStr, RangeLimits};

/// The facts of a field in `#[spec(…)]`.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) immutable: bool,
    pub(crate) in_place: Option<Tokens>,
    pub(crate) never_null: bool,
    pub(crate) constraints: Vec<Tokens>,
    pub(crate) default: Option<Tokens>,
    pub(crate) spelling: Option<Tokens>,
    pub(crate) when: Option<Tokens>,
    pub(crate) upgraded_by: Option<Tokens>,
    pub(crate) implied: Option<Tokens>,
}

impl Facts {
    pub(crate) fn read(attrs: &[Attribute]) -> syn::Result<Facts> {
        let mut facts = Facts::default();
        for attr in attrs.iter().filter(|a| a.path().is_ident("spec")) {
            attr.parse_nested_meta(|meta| facts.add(&meta))?;
        }
        Ok(facts)
    }

    fn add(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let name = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        let constraint = match name.as_str() {
            "immutable" => {
                self.immutable = true;
                return Ok(());
            }
            "in_place" => {
                self.in_place = Some(literal(&meta.value()?.parse()?)?);
                return Ok(());
            }
            "never_null" => {
                self.never_null = true;
                return Ok(());
            }
            "default" => {
                self.default = Some(literal(&meta.value()?.parse()?)?);
                return Ok(());
            }
            "spelling" => {
                let spelling = meta.value()?.parse::<Ident>()?;
                self.spelling = Some(quote! { ::holdfast_core::schema::Spelling::#spelling });
                return Ok(());
            }
            "when" => {
                self.when = Some(condition(meta)?);
                return Ok(());
            }
            "upgraded_by" => {
                self.upgraded_by = Some(text(meta)?);
                return Ok(());
            }
            "implied" => {
                self.implied = Some(text(meta)?);
                return Ok(());
            }
            "one_of" => match meta.value()?.parse()? {
                Expr::Path(sdk) => quote! { OneOf(<#sdk>::values()) },
                values => quote! { OneOf(&#values) },
            },
            "range" => {
                let (min, max) = limits(&meta.value()?.parse()?)?;
                quote! { Range { min: #min, max: #max } }
            }
            "length" => {
                let (min, max) = limits(&meta.value()?.parse()?)?;
                quote! { Length { min: #min, max: #max } }
            }
            "items" => {
                let (min, max) = limits(&meta.value()?.parse()?)?;
                quote! { Items { min: #min, max: #max } }
            }
            "pattern" => {
                let pattern = meta.value()?.parse::<LitStr>()?;
                quote! { Pattern(#pattern) }
            }
            _ => {
                let known = "`immutable`, `in_place`, `never_null`, `one_of`, `range`, `length`, `items`, `pattern`, \
                             `default`, `spelling`, `when`, `upgraded_by` and `implied`";
                return Err(meta.error(format!("unknown attribute; the known ones are {known}")));
            }
        };
        self.constraints.push(quote! { ::holdfast_core::schema::Constraint::#constraint });
        Ok(())
    }
}

/// The facts of a struct whose values are elements of a list or set, in `#[spec(…)]`.
pub(crate) struct Elements {
    pub(crate) identity: Tokens,
    pub(crate) exclusive: Vec<Tokens>,
    pub(crate) alternatives: Vec<Tokens>,
}

impl Elements {
    pub(crate) fn read(attrs: &[Attribute]) -> syn::Result<Elements> {
        let (mut key, mut reason, mut ordered) = (None, None, false);
        let (mut exclusive, mut alternatives) = (vec![], vec![]);
        for attr in attrs.iter().filter(|a| a.path().is_ident("spec")) {
            attr.parse_nested_meta(|meta| {
                match meta.path.get_ident().map(Ident::to_string).unwrap_or_default().as_str() {
                    "key" => {
                        let value = meta.value()?.parse::<Expr>()?;
                        key = Some(if matches!(value, Expr::Array(_)) {
                            quote! { #value }
                        } else {
                            quote! { [#value] }
                        });
                    }
                    "no_key" => reason = Some(text(&meta)?),
                    "ordered" => ordered = true,
                    "exclusive" => exclusive.push(fields(&meta)?),
                    "alternatives" => alternatives.push(fields(&meta)?),
                    _ => {
                        return Err(meta.error(
                            "the known attributes are `key`, `ordered`, `no_key`, `exclusive` and `alternatives`",
                        ));
                    }
                }
                Ok(())
            })?;
        }
        let identity = match (key, reason) {
            (Some(fields), _) => quote! { Key { fields: &#fields, ordered: #ordered } },
            (None, Some(reason)) => quote! { None(#reason) },
            (None, None) => quote! { Undeclared },
        };
        Ok(Elements { identity, exclusive, alternatives })
    }
}

/// A list of the names of fields.
fn fields(meta: &ParseNestedMeta<'_>) -> syn::Result<Tokens> {
    meta.value()?.parse::<syn::ExprArray>().map(|fields| quote! { #fields })
}

/// A condition on another field: `when = "other"` or `when("other" = [true, "a"])`.
fn condition(meta: &ParseNestedMeta<'_>) -> syn::Result<Tokens> {
    let (field, values) = if meta.input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in meta.input);
        let field = content.parse::<LitStr>()?;
        content.parse::<syn::Token![=]>()?;
        let values = content.parse::<syn::ExprArray>()?;
        (quote! { #field }, values.elems.iter().map(literal).collect::<syn::Result<Vec<_>>>()?)
    } else {
        (text(meta)?, vec![])
    };
    Ok(quote! {
        ::holdfast_core::schema::When { field: #field, values: &[#(::holdfast_core::schema::Literal::#values),*] }
    })
}

fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<Tokens> {
    meta.value()?.parse::<LitStr>().map(|text| quote! { #text })
}

pub(crate) fn option(tokens: Option<Tokens>) -> Tokens {
    match tokens {
        Some(tokens) => quote! { ::core::option::Option::Some(#tokens) },
        None => quote! { ::core::option::Option::None },
    }
}

/// AWS's default as a constant of the schema: true or false, a whole number, a string, or `null` for no value.
fn literal(value: &Expr) -> syn::Result<Tokens> {
    Ok(match value {
        Expr::Path(path) if path.path.is_ident("null") => quote! { Null },
        Expr::Lit(ExprLit { lit: Lit::Bool(bool), .. }) => quote! { Bool(#bool) },
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => quote! { Text(#text) },
        Expr::Lit(ExprLit { lit: Lit::Int(_), .. }) | Expr::Unary(_) => quote! { Integer(#value) },
        other => return Err(syn::Error::new_spanned(other, "write true, false, a whole number, a string or null")),
    })
}

/// The limits of an inclusive range, each as an `Option`.
fn limits(range: &Expr) -> syn::Result<(Tokens, Tokens)> {
    let Expr::Range(ExprRange { start, end, limits, .. }) = range else {
        return Err(syn::Error::new_spanned(range, "write an inclusive range: `1..=35`, `1..` or `..=35`"));
    };
    if let (Some(_), RangeLimits::HalfOpen(dots)) = (end, limits) {
        return Err(syn::Error::new_spanned(dots, "the upper limit is inclusive: write `..=`"));
    }
    let limit = |limit: &Option<Box<Expr>>| option(limit.as_ref().map(|limit| quote! { #limit }));
    Ok((limit(start), limit(end)))
}
