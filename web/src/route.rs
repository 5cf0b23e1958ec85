//! Where on the playground one is, as it stands in the address: `#/streams/BankAccount/01K1…/5`, or
//! `#/conflicts?example=overdraft`. Every place has such a link, which works when it is opened again.

use js_sys::{JsString, decode_uri_component, encode_uri_component};
use leptos::prelude::window;

/// A screen of the playground.
#[derive(Debug, PartialEq, Eq)]
pub struct Screen {
    /// Its name in the address.
    pub name: &'static str,
    /// What it is called.
    pub title: &'static str,
}

/// Every screen, in the order in which they are offered. The first is the page's own, the rest are the lab's.
pub static SCREENS: [Screen; 6] = [
    Screen { name: "streams", title: "Streams" },
    Screen { name: "conflicts", title: "Conflicts" },
    Screen { name: "projections", title: "Projections" },
    Screen { name: "what-if", title: "What if" },
    Screen { name: "evolution", title: "Evolution" },
    Screen { name: "live", title: "Live" },
];

/// A place: its screen, where in it, and how it is set there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// The name of the screen; empty where the address names none.
    pub screen: String,
    /// The parts between the slashes behind it.
    pub path: Vec<String>,
    /// The settings behind the question mark, in their order.
    pub query: Vec<(String, String)>,
}

impl Route {
    /// A place on a screen.
    pub fn new<const N: usize>(screen: &str, path: [&str; N]) -> Self {
        Self { screen: screen.to_owned(), path: path.map(str::to_owned).to_vec(), query: Vec::new() }
    }

    /// The same with a setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
    }

    /// The place that the window's address names.
    pub fn current() -> Self {
        Self::parse(&window().location().hash().unwrap_or_default())
    }

    /// The place that a fragment names. What is no such thing is an empty place.
    pub fn parse(fragment: &str) -> Self {
        let Some(rest) = fragment.trim_start_matches('#').strip_prefix('/') else { return Self::default() };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut path = path.split('/').map(decoded);
        let screen = path.next().unwrap_or_default();
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let query = query.map(|(name, value)| (decoded(name), decoded(value))).collect();
        Self { screen, path: path.filter(|part| !part.is_empty()).collect(), query }
    }

    /// The fragment that names this place.
    pub fn fragment(&self) -> String {
        let mut text = format!("#/{}", encoded(&self.screen));
        for part in &self.path {
            text.push('/');
            text.push_str(&encoded(part));
        }
        for (index, (name, value)) in self.query.iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(&encoded(name));
            text.push('=');
            text.push_str(&encoded(value));
        }
        text
    }

    /// Goes there; what was there before is one step back.
    pub fn go(&self) {
        // A window takes every fragment.
        drop(window().location().set_hash(&self.fragment()));
    }

    /// Says in the address that one is there, without a step.
    pub fn replace(&self) {
        if let Ok(history) = window().history() {
            // A browser that refuses leaves the address as it was.
            drop(history.replace_state_with_url(&JsString::from("").into(), "", Some(&self.fragment())));
        }
    }
}

fn encoded(text: &str) -> String {
    encode_uri_component(text).into()
}

fn decoded(text: &str) -> String {
    decode_uri_component(text).map_or_else(|_| text.to_owned(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test]
    fn a_place_is_its_fragment() {
        let place = Route::new("streams", ["T 01/ü", "a?b", "5"]).with("at", "50%&=").with("x", "");
        assert_eq!(place.fragment(), "#/streams/T%2001%2F%C3%BC/a%3Fb/5?at=50%25%26%3D&x=");
        assert_eq!(Route::parse(&place.fragment()), place);
    }

    #[wasm_bindgen_test]
    fn anything_else_is_no_place_or_as_much_of_one_as_can_be_read() {
        for none in ["", "#", "#events", "x"] {
            assert_eq!(Route::parse(none), Route::default(), "{none}");
        }
        assert_eq!(Route::parse("#/live/"), Route::new("live", []));
        assert_eq!(
            Route::parse("#/live/%zz?%zz&a=b=c"),
            Route::new("live", ["%zz"]).with("%zz", "").with("a", "b=c")
        );
    }
}
