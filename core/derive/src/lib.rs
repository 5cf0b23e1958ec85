//! `#[derive(Described)]`: what a type's JSON looks like, as a static table, and how it is read and written.
//!
//! The trait, the table, what is made of it and an example are in rewound-core's `schema`, which
//! re-exports this macro; what the code calls that is written here is in its `wire`. An attribute that is not
//! known here is an error.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, GenericArgument, Ident, Lit, LitInt, LitStr,
    Meta, Path, PathArguments, Result, Type, Variant, ext::IdentExt, meta::ParseNestedMeta,
};

/// Implements rewound-core's trait `Described` for a struct with named fields, or an enum whose variants
/// have named fields or none. Doc comments become descriptions.
///
/// | place | attributes |
/// |---|---|
/// | type | `described(rename_all = "camelCase", rename_all_fields = "camelCase", closed)` |
/// | variant | `described(rename = "…", command = "Open")`: the command that records this event; `described(sender = "saga")`: who alone sends this command |
/// | field | `described(rename = "…", default, default = path, min_items = 1)` |
#[proc_macro_derive(Described, attributes(described))]
pub fn described(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(&input.generics, "a described type has no parameters of its own"));
    }
    let Attributes { docs, rename_all, rename_all_fields, closed, .. } = read(&input.attrs, Place::Type)?;
    let (table, parts) = match &input.data {
        Data::Struct(data) => {
            let fields = fields(&data.fields, rename_all)?
                .ok_or_else(|| Error::new_spanned(&input.ident, "a described struct has named fields"))?;
            let table = &fields.table;
            (
                quote!(Struct { docs: #docs, fields: #table, closed: #closed }),
                vec![fields.part(0, quote!(Self))],
            )
        }
        Data::Enum(data) => {
            let variants = data.variants.iter().enumerate();
            let variants = variants.map(|(at, each)| variant(at, each, rename_all, rename_all_fields));
            let (tables, parts): (Vec<_>, _) = variants.collect::<Result<Vec<_>>>()?.into_iter().unzip();
            (quote!(Enum { docs: #docs, variants: &[#(#tables),*], closed: #closed }), parts)
        }
        Data::Union(_) => return Err(Error::new_spanned(&input.ident, "a union has no JSON")),
    };
    let (name, reads, writes) =
        (&input.ident, parts.iter().map(|part| &part.read), parts.iter().map(|part| &part.write));
    Ok(quote! {
        #[automatically_derived]
        impl ::rewound_core::schema::Described for #name {
            const TYPE: &'static ::rewound_core::schema::Type = &::rewound_core::schema::Type::#table;

            #[inline]
            fn read(
                json: ::rewound_core::wire::Json<'_>,
            ) -> ::core::result::Result<Self, ::rewound_core::wire::Misfit> {
                Self::from_fields(&mut ::rewound_core::wire::Fields::of(Self::TYPE, json)?)
            }

            #[inline]
            fn from_fields<S: ::rewound_core::wire::Source>(
                fields: &mut S,
            ) -> ::core::result::Result<Self, S::Misfit> {
                ::core::result::Result::Ok(match fields.variant() {
                    #(#reads,)*
                    _ => return ::core::result::Result::Err(fields.unknown()),
                })
            }

            fn to_json(&self) -> ::rewound_core::wire::Value {
                match *self {
                    #(#writes)*
                }
            }
        }
    })
}

/// The arms that read and write a variant, or a struct.
struct Part {
    read: TokenStream,
    write: TokenStream,
}

fn variant(at: usize, variant: &Variant, names: Case, of_fields: Case) -> Result<(TokenStream, Part)> {
    let Attributes { docs, rename, keywords, .. } = read(&variant.attrs, Place::Variant)?;
    let name = rename.unwrap_or_else(|| names.of(&variant.ident));
    let fields = fields(&variant.fields, of_fields)?;
    let table = match &fields {
        Some(NamedFields { table, .. }) => quote!(::core::option::Option::Some(#table)),
        None => quote!(::core::option::Option::None),
    };
    let table = quote!(::rewound_core::schema::Variant {
        name: #name, docs: #docs, fields: #table, keywords: &[#(#keywords),*],
    });
    let ident = &variant.ident;
    Ok((table, fields.unwrap_or_default().part(at, quote!(Self::#ident))))
}

/// Fields, as the table has them, and as they are read and written one after the other.
#[derive(Default)]
struct NamedFields {
    table: TokenStream,
    names: Vec<Ident>,
    reads: Vec<TokenStream>,
    writes: Vec<TokenStream>,
}

impl NamedFields {
    fn part(&self, at: usize, path: TokenStream) -> Part {
        let Self { names, reads, writes, .. } = self;
        let at = Literal::usize_unsuffixed(at);
        // The names that a pattern binds must not meet those of the code around it.
        let bound: Vec<_> = names.iter().map(|name| format_ident!("field_{}", name.unraw())).collect();
        Part {
            read: quote!(#at => #path { #(#names: fields.#reads?),* }),
            write: quote! {
                #path { #(#names: ref #bound),* } => {
                    let mut writer = ::rewound_core::wire::Writer::of(Self::TYPE, #at);
                    #(writer.#writes(#bound);)*
                    writer.done()
                }
            },
        }
    }
}

/// The named fields, or `None` where there are no fields at all.
fn fields(fields: &Fields, names: Case) -> Result<Option<NamedFields>> {
    let named = match fields {
        Fields::Named(named) => &named.named,
        Fields::Unit => return Ok(None),
        Fields::Unnamed(unnamed) => {
            let message = "name the fields, as in `Deposit { amount: Amount }`, \
                or say by hand what the JSON looks like: `impl Described for …`";
            return Err(Error::new_spanned(unnamed, message));
        }
    };
    let (mut tables, mut found) = (Vec::new(), NamedFields::default());
    for field in named {
        let Attributes { docs, rename, default, keywords, .. } = read(&field.attrs, Place::Field)?;
        let name = rename.or_else(|| field.ident.as_ref().map(|ident| names.of(ident)));
        let optional = inside_option(&field.ty);
        let (of, required) = (optional.unwrap_or(&field.ty), optional.is_none() && default.is_none());
        let of = quote!(<#of as ::rewound_core::schema::Described>);
        let default = default.map(|path| match path {
            Some(path) => quote!(#path),
            None => quote!(::core::default::Default::default),
        });
        let shown = match &default {
            Some(_) if optional.is_some() => {
                let message = "an `Option` is none where it is not there: leave `default` out";
                return Err(Error::new_spanned(&field.ty, message));
            }
            Some(path) => quote!(::core::option::Option::Some(|| #of::to_json(&#path()))),
            None => quote!(::core::option::Option::None),
        };
        tables.push(quote!(::rewound_core::schema::Field {
            name: #name, docs: #docs, of: #of::TYPE,
            required: #required, default: #shown, keywords: &[#(#keywords),*],
        }));
        found.names.extend(field.ident.clone());
        found.reads.push(match (optional, default) {
            (Some(_), _) => quote!(get_option(#name)),
            (None, Some(path)) => quote!(get_or(#name, #path)),
            (None, None) => quote!(get(#name)),
        });
        found.writes.push(if optional.is_some() { quote!(put_option) } else { quote!(put) });
    }
    found.table = quote!(&[#(#tables),*]);
    Ok(Some(found))
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
    /// `default`, or `default = path`.
    default: Option<Option<Path>>,
    keywords: Vec<TokenStream>,
}

fn read(attributes: &[Attribute], place: Place) -> Result<Attributes> {
    let mut read = Attributes::default();
    for attribute in attributes {
        let path = attribute.path();
        if path.is_ident("described") {
            attribute.parse_nested_meta(|meta| read.option(&meta, place))?;
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
    fn option(&mut self, meta: &ParseNestedMeta<'_>, place: Place) -> Result<()> {
        let name = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        let text = || meta.value()?.parse::<LitStr>();
        let keyword = |name: &str, value| quote!((#name, ::rewound_core::schema::Keyword::#value));
        match (place, name.as_str()) {
            (Place::Type, "rename_all") => self.rename_all = Case::read(&text()?)?,
            (Place::Type, "rename_all_fields") => self.rename_all_fields = Case::read(&text()?)?,
            (Place::Type, "closed") => self.closed = true,
            (Place::Variant | Place::Field, "rename") => self.rename = Some(text()?.value()),
            (Place::Field, "default") if meta.input.peek(syn::Token![=]) => {
                self.default = Some(Some(meta.value()?.parse()?));
            }
            (Place::Field, "default") => self.default = Some(None),
            (Place::Variant, "command") => {
                let command = text()?;
                self.keywords.push(keyword("x-command", quote!(Text(#command))));
            }
            (Place::Variant, "sender") => {
                let sender = text()?;
                self.keywords.push(keyword("x-sender", quote!(Text(#sender))));
            }
            (Place::Field, "min_items") => {
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
                    #[described(flatten)]
                    a: A,
                }
            ),
            "`flatten` on a field is not known",
        );
        check(
            parse_quote!(
                struct S {
                    #[described(with = "x")]
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
                #[described(tag = "type")]
                enum E {
                    A {},
                }
            ),
            "`tag` on a type is not known",
        );
        check(
            parse_quote!(
                enum E {
                    #[described(default)]
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
                #[described(rename_all = "kebab-case")]
                enum E {
                    A,
                }
            ),
            "take camelCase, lowercase",
        );
        check(
            parse_quote!(
                struct S {
                    #[described(default)]
                    a: Option<A>,
                }
            ),
            "leave `default` out",
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
    fn names_are_spelled_as_the_case_says() {
        let spell = |case: Case, name: Ident| case.of(&name);
        assert_eq!(spell(Case::Camel, parse_quote!(account_holder_id)), "accountHolderId");
        assert_eq!(spell(Case::Camel, parse_quote!(_a2_b)), "a2B");
        assert_eq!(spell(Case::Camel, parse_quote!(MoneyIn)), "moneyIn");
        assert_eq!(spell(Case::Lower, parse_quote!(MoneyIn)), "moneyin");
        assert_eq!(spell(Case::Upper, parse_quote!(Active)), "ACTIVE");
        assert_eq!(spell(Case::AsInRust, parse_quote!(r#type)), "type");
    }
}
