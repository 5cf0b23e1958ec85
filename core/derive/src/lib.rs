//! `#[derive(Described)]`: what a type's JSON looks like, as a static table.
//!
//! The trait, the table, what is made of it and an example are in rewound-core's `schema`, which
//! re-exports this macro. Serde's attributes are read as serde reads them, and one that is not known here
//! is an error: a schema that says something else than serde does would be worse than none.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, GenericArgument, Ident, Lit, LitInt, LitStr,
    Meta, Path, PathArguments, Result, Type, Variant, ext::IdentExt, meta::ParseNestedMeta,
};

/// Implements rewound-core's trait `Described` for a struct with named fields, or an enum whose variants
/// have named fields or none. Doc comments become descriptions.
///
/// | place | attributes |
/// |---|---|
/// | type | `serde(rename_all, rename_all_fields, deny_unknown_fields)` |
/// | variant | `serde(rename)`, `described(command = "Open")`: the command that records this event; `described(sender = "saga")`: who alone sends this command |
/// | field | `serde(rename, default, skip_serializing_if)`, `described(min_items = 1)` |
#[proc_macro_derive(Described, attributes(described, serde))]
pub fn described(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(&input.generics, "a described type has no parameters of its own"));
    }
    let Attributes { docs, rename_all, rename_all_fields, closed, .. } = read(&input.attrs, Place::Type)?;
    let table = match &input.data {
        Data::Struct(data) => {
            let fields = fields(&data.fields, rename_all)?
                .ok_or_else(|| Error::new_spanned(&input.ident, "a described struct has named fields"))?;
            quote!(Struct { docs: #docs, fields: #fields, closed: #closed })
        }
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|each| variant(each, rename_all, rename_all_fields));
            let variants = variants.collect::<Result<Vec<_>>>()?;
            quote!(Enum { docs: #docs, variants: &[#(#variants),*], closed: #closed })
        }
        Data::Union(_) => return Err(Error::new_spanned(&input.ident, "a union has no JSON")),
    };
    let name = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl ::rewound_core::schema::Described for #name {
            const TYPE: &'static ::rewound_core::schema::Type = &::rewound_core::schema::Type::#table;
        }
    })
}

fn variant(variant: &Variant, names: Case, of_fields: Case) -> Result<TokenStream> {
    let Attributes { docs, rename, keywords, .. } = read(&variant.attrs, Place::Variant)?;
    let name = rename.unwrap_or_else(|| names.of(&variant.ident));
    let fields = match fields(&variant.fields, of_fields)? {
        Some(fields) => quote!(::core::option::Option::Some(#fields)),
        None => quote!(::core::option::Option::None),
    };
    Ok(quote!(::rewound_core::schema::Variant {
        name: #name, docs: #docs, fields: #fields, keywords: &[#(#keywords),*],
    }))
}

/// The table of named fields, or `None` where there are no fields at all.
fn fields(fields: &Fields, names: Case) -> Result<Option<TokenStream>> {
    let named = match fields {
        Fields::Named(named) => &named.named,
        Fields::Unit => return Ok(None),
        Fields::Unnamed(unnamed) => {
            let message = "name the fields, as in `Deposit { amount: Amount }`, \
                or say by hand what the JSON looks like: `impl Described for …`";
            return Err(Error::new_spanned(unnamed, message));
        }
    };
    let fields = named.iter().map(|field| {
        let Attributes { docs, rename, default, keywords, .. } = read(&field.attrs, Place::Field)?;
        let name = rename.or_else(|| field.ident.as_ref().map(|ident| names.of(ident)));
        let optional = inside_option(&field.ty);
        let (of, required) = (optional.unwrap_or(&field.ty), optional.is_none() && default.is_none());
        let some = |value| quote!(::core::option::Option::Some(|| ::rewound_core::schema::json(&#value)));
        let default = match default {
            Some(Some(path)) => some(quote!(#path())),
            // An `Option`'s own default is no value at all.
            Some(None) if optional.is_none() => some(quote!(<#of as ::core::default::Default>::default())),
            _ => quote!(::core::option::Option::None),
        };
        Ok(quote!(::rewound_core::schema::Field {
            name: #name, docs: #docs, of: <#of as ::rewound_core::schema::Described>::TYPE,
            required: #required, default: #default, keywords: &[#(#keywords),*],
        }))
    });
    let fields = fields.collect::<Result<Vec<_>>>()?;
    Ok(Some(quote!(&[#(#fields),*])))
}

/// `T` of an `Option<T>`.
fn inside_option(of: &Type) -> Option<&Type> {
    let Type::Path(path) = of else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first()? {
            GenericArgument::Type(inside) => Some(inside),
            _ => None,
        },
        _ => None,
    }
}

/// What an attribute stands on.
#[derive(Debug, Clone, Copy)]
enum Place {
    Type,
    Variant,
    Field,
}

/// What the attributes of a type, a variant or a field say.
#[derive(Default)]
struct Attributes {
    docs: String,
    rename: Option<String>,
    rename_all: Case,
    rename_all_fields: Case,
    closed: bool,
    /// `default`, or `default = "path"`.
    default: Option<Option<Path>>,
    keywords: Vec<TokenStream>,
}

fn read(attributes: &[Attribute], place: Place) -> Result<Attributes> {
    let mut read = Attributes::default();
    for attribute in attributes {
        let path = attribute.path();
        if path.is_ident("serde") || path.is_ident("described") {
            let ours = path.is_ident("described");
            attribute.parse_nested_meta(|meta| read.option(&meta, ours, place))?;
        } else if let Meta::NameValue(line) = &attribute.meta
            && path.is_ident("doc")
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &line.value
        {
            read.docs = format!("{}\n{}", read.docs, text.value().trim()).trim_start().to_owned();
        }
    }
    read.docs.truncate(read.docs.trim_end().len());
    Ok(read)
}

impl Attributes {
    fn option(&mut self, meta: &ParseNestedMeta<'_>, ours: bool, place: Place) -> Result<()> {
        let name = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        let text = || meta.value()?.parse::<LitStr>();
        let keyword = |name: &str, value| quote!((#name, ::rewound_core::schema::Keyword::#value));
        match (ours, place, name.as_str()) {
            (false, Place::Type, "rename_all") => self.rename_all = Case::read(&text()?)?,
            (false, Place::Type, "rename_all_fields") => self.rename_all_fields = Case::read(&text()?)?,
            (false, Place::Type, "deny_unknown_fields") => self.closed = true,
            (false, Place::Variant | Place::Field, "rename") => self.rename = Some(text()?.value()),
            (false, Place::Field, "default") if meta.input.peek(syn::Token![=]) => {
                self.default = Some(Some(text()?.parse()?));
            }
            (false, Place::Field, "default") => self.default = Some(None),
            // A state may leave a field out that stands in its schema.
            (false, Place::Field, "skip_serializing_if") => drop(text()?),
            (true, Place::Variant, "command") => {
                let command = text()?;
                self.keywords.push(keyword("x-command", quote!(Text(#command))));
            }
            (true, Place::Variant, "sender") => {
                let sender = text()?;
                self.keywords.push(keyword("x-sender", quote!(Text(#sender))));
            }
            (true, Place::Field, "min_items") => {
                let least: LitInt = meta.value()?.parse()?;
                self.keywords.push(keyword("minItems", quote!(Number(#least))));
            }
            _ => {
                let place = format!("{place:?}").to_lowercase();
                let message = format!(
                    "`{name}` on a {place} is not known to `Described`: \
                    leave it out, or say by hand what the JSON looks like: `impl Described for …`"
                );
                return Err(meta.error(message));
            }
        }
        Ok(())
    }
}

/// How names are spelled in JSON.
#[derive(Clone, Copy, Default)]
enum Case {
    #[default]
    AsInRust,
    Camel,
    Lower,
    Upper,
}

impl Case {
    fn read(text: &LitStr) -> Result<Self> {
        match text.value().as_str() {
            "camelCase" => Ok(Self::Camel),
            "lowercase" => Ok(Self::Lower),
            "UPPERCASE" => Ok(Self::Upper),
            other => {
                let message = format!("`{other}` is not known: take camelCase, lowercase or UPPERCASE");
                Err(Error::new_spanned(text, message))
            }
        }
    }

    /// The name of a `snake_case` field or of a `PascalCase` variant.
    fn of(self, ident: &Ident) -> String {
        let name = ident.unraw().to_string();
        match self {
            Self::AsInRust => name,
            Self::Lower => name.to_ascii_lowercase(),
            Self::Upper => name.to_ascii_uppercase(),
            Self::Camel => {
                let mut camel = String::new();
                for word in name.split('_') {
                    let start = camel.len();
                    camel += word;
                    match camel.get_mut(start..=start) {
                        Some(first) if start == 0 => first.make_ascii_lowercase(),
                        Some(first) => first.make_ascii_uppercase(),
                        None => {}
                    }
                }
                camel
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn what_is_not_known_is_an_error_that_names_it() {
        let check = |input: DeriveInput, expected: &str| {
            let error = expand(&input).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(
            parse_quote!(
                struct S {
                    #[serde(flatten)]
                    a: A,
                }
            ),
            "`flatten` on a field is not known",
        );
        check(
            parse_quote!(
                struct S {
                    #[serde(with = "x")]
                    a: A,
                }
            ),
            "`with` on a field is not known",
        );
        check(
            parse_quote!(
                struct S {
                    #[described(command = "X")]
                    a: A,
                }
            ),
            "`command` on a field",
        );
        check(
            parse_quote!(
                #[serde(tag = "type")]
                enum E {
                    A {},
                }
            ),
            "`tag` on a type is not known",
        );
        check(
            parse_quote!(
                enum E {
                    #[serde(default)]
                    A {},
                }
            ),
            "`default` on a variant",
        );
        check(
            parse_quote!(
                enum E {
                    #[described(min_items = 1)]
                    A {},
                }
            ),
            "`min_items` on a variant",
        );
        check(
            parse_quote!(
                #[serde(rename_all = "kebab-case")]
                enum E {
                    A,
                }
            ),
            "take camelCase, lowercase",
        );
        check(
            parse_quote!(
                enum E {
                    A(u8),
                }
            ),
            "name the fields",
        );
        check(
            parse_quote!(
                struct S(u8);
            ),
            "name the fields",
        );
        check(
            parse_quote!(
                struct S;
            ),
            "named fields",
        );
        check(
            parse_quote!(
                struct S<T> {
                    a: T,
                }
            ),
            "no parameters",
        );
        check(parse_quote!(union U { a: u8 }), "no JSON");
    }

    #[test]
    fn names_are_spelled_as_serde_spells_them() {
        let spell = |case: Case, name: Ident| case.of(&name);
        assert_eq!(spell(Case::Camel, parse_quote!(account_holder_id)), "accountHolderId");
        assert_eq!(spell(Case::Camel, parse_quote!(_a2_b)), "a2B");
        assert_eq!(spell(Case::Camel, parse_quote!(MoneyIn)), "moneyIn");
        assert_eq!(spell(Case::Lower, parse_quote!(MoneyIn)), "moneyin");
        assert_eq!(spell(Case::Upper, parse_quote!(Active)), "ACTIVE");
        assert_eq!(spell(Case::AsInRust, parse_quote!(r#type)), "type");
    }
}
