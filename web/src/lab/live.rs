//! Live: a running edge, its streams as they grow, and commands to them from here.

mod client;
mod command;
mod list;
mod stream;
mod watch;

use crate::{
    erased::{click, maybe, part, text, value, word},
    page::Lab,
    route::Route,
};
use client::{Client, Trouble};
use leptos::{ev::SubmitEvent, prelude::*};
use rewound_core::domains;
use std::{cell::RefCell, collections::BTreeSet};
use wasm_bindgen_futures::spawn_local;

/// Where `cargo xtask play --edge` starts one.
const USUAL: &str = "http://127.0.0.1:8787";

thread_local! {
    /// The edge that this window is connected to: in memory, and nowhere else.
    static CONNECTED: RefCell<Option<Client>> = const { RefCell::new(None) };
}

/// Knows of no edge any more.
pub(crate) fn forget() {
    CONNECTED.set(None);
}

/// The screen's state. Copying it copies handles.
#[derive(Clone, Copy)]
struct Screen {
    lab: Lab,
    /// The edge that this window is connected to.
    client: RwSignal<Option<Client>>,
    /// The kind of aggregate that is listed.
    kind: RwSignal<String>,
    /// The aggregate that is followed.
    id: RwSignal<Option<String>>,
    /// The ids of the events that commands of this window recorded.
    own: RwSignal<BTreeSet<String>>,
    /// Rises when the list should be looked at anew.
    listed: RwSignal<u32>,
}

impl Screen {
    /// Says in the address where one is. The token never stands there.
    fn keep(self) {
        let client = self.client.get_untracked();
        let mut route = self.lab.route.get_untracked();
        route.query.retain(|(name, _)| !["edge", "kind", "id"].contains(&name.as_str()));
        if let Some(client) = client {
            route = route.with("edge", &client.url).with("kind", &self.kind.get_untracked());
            if let Some(id) = self.id.get_untracked() {
                route = route.with("id", &id);
            }
        }
        route.replace();
        self.lab.route.set(route);
    }

    fn client(self) -> Client {
        self.client.get_untracked().unwrap_or_default()
    }

    /// Follows an aggregate, or none.
    fn choose(self, id: Option<String>) {
        self.id.set(id);
        self.keep();
    }

    fn connect(self, client: Client) {
        CONNECTED.set(Some(client.clone()));
        self.client.set(Some(client));
        self.keep();
    }

    fn disconnect(self) {
        CONNECTED.set(None);
        self.client.set(None);
        self.id.set(None);
        self.keep();
    }

    /// Goes where the address says that one is.
    fn go(self, route: &Route) {
        let setting = |name: &str| route.setting(name).map(str::to_owned);
        if let Some(kind) = setting("kind").filter(|kind| domains::find(kind).is_some())
            && *self.kind.read_untracked() != kind
        {
            self.kind.set(kind);
        }
        if *self.id.read_untracked() != setting("id") {
            self.id.set(setting("id"));
        }
    }
}

#[component]
pub(crate) fn Live(lab: Lab) -> impl IntoView {
    let route: Route = lab.route.get_untracked();
    let screen = Screen {
        lab,
        client: RwSignal::new(CONNECTED.with_borrow(Clone::clone)),
        kind: RwSignal::new("BankAccount".to_owned()),
        id: RwSignal::new(None),
        own: RwSignal::new(BTreeSet::new()),
        listed: RwSignal::new(0),
    };
    screen.go(&route);
    if screen.client.read_untracked().is_some() {
        screen.keep();
    }
    Effect::watch(
        move || lab.route.get(),
        move |route, _, _| {
            if route.screen == "live" {
                screen.go(route);
            }
        },
        false,
    );
    let address = route.setting("edge").unwrap_or(USUAL).to_owned();
    let body = part(move || match screen.client.get() {
        None => view! { <Connect screen=screen address=address.clone() /> }.into_any(),
        Some(client) => view! { <Connected screen=screen url=client.url /> }.into_any(),
    });
    view! {
        <div class="screen live">
            <h2>"Live"</h2>
            <p class="lead">
                "An edge is the same core behind HTTP: it runs commands against DynamoDB, close to whoever sends them.
                Connect to one to follow its streams while others write to them, and to write to them as well."
            </p>
            {body}
        </div>
    }
}

/// What stands here without an edge: how to get one, and where to say which.
#[component]
fn Connect(screen: Screen, address: String) -> impl IntoView {
    let url = RwSignal::new(address);
    let token = RwSignal::new(String::new());
    let connecting = RwSignal::new(false);
    let trouble = RwSignal::new(None::<(String, String)>);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let client = Client {
            url: url.read_untracked().trim().trim_end_matches('/').to_owned(),
            token: token.read_untracked().trim().to_owned(),
        };
        if !client.url.starts_with("http://") && !client.url.starts_with("https://") {
            let said = format!("\"{}\" is no address of an edge.", client.url);
            return trouble
                .set(Some((said, format!("It begins with http:// or https://, such as {USUAL}."))));
        }
        if client.token.is_empty() || !client.token.is_ascii() {
            let said = "The token is missing, or no token.".to_owned();
            return trouble
                .set(Some((said, "Paste the one that the edge printed when it started.".to_owned())));
        }
        connecting.set(true);
        trouble.set(None);
        spawn_local(async move {
            let asked = client.get("/aggregates/BankAccount?limit=1", None).await;
            if connecting.try_set(false).is_some() {
                return;
            }
            match asked {
                // Whoever may not read accounts may still read something else.
                Err(Trouble::Problem(reply)) if reply.status == 403 => screen.connect(client),
                Err(error) => trouble.set(Some(error.in_words(&client.url))),
                Ok(_) => screen.connect(client),
            }
        });
    };
    let failed = part(move || {
        let (said, advice) = trouble.get()?;
        Some(view! {
            <p class="outcome refused">{said}</p>
            <p class="about">{advice}</p>
        })
    });
    let label = text(move || if connecting.get() { "Connecting…" } else { "Connect" }.to_owned());
    view! {
        <div class="two">
            <form class="card connect" aria-labelledby="connect-title" novalidate autocomplete="off" on:submit=submit>
                <h3 id="connect-title">"Connect to an edge"</h3>
                <div class="field">
                    <label for="edge-url">"Address"</label>
                    <div class="entry">
                        <input
                            id="edge-url"
                            type="url"
                            prop:value=text(move || url.get())
                            on:input=value(move |text| url.set(text))
                        />
                    </div>
                    <p class="help">"Where it listens, without a path."</p>
                </div>
                <div class="field">
                    <label for="edge-token">"Token"</label>
                    <div class="entry">
                        <input
                            id="edge-token"
                            type="password"
                            autocomplete="off"
                            aria-describedby="token-help"
                            prop:value=text(move || token.get())
                            on:input=value(move |text| token.set(text))
                        />
                    </div>
                    <p class="help" id="token-help">
                        "Kept in this window's memory only: not in its address, not in its storage, gone when it is closed."
                    </p>
                </div>
                <button type="submit" class="button primary" aria-busy=word(move || connecting.get())>{label}</button>
                <div role="alert">{failed}</div>
            </form>
            <section class="card" aria-labelledby="none-title">
                <h3 id="none-title">"No edge yet?"</h3>
                <p>"This page needs none: everything else on it runs in your browser. To see the same core at work on a
                    server, start one on this computer, from the project's folder:"</p>
                <pre class="shell"><code>"cargo xtask play --edge"</code></pre>
                <p>"It builds the edge, starts it in the Workers runtime beside a DynamoDB in memory, and prints an address
                    and a token. Paste both here. Then open this page in a second window, connect it too, and let the two
                    write to one account."</p>
                <ol class="about">
                    <li>"A command goes to the edge with the version it was decided on ("<code>"If-Match"</code>")."</li>
                    <li>"The edge decides on the stored state, and writes events and row in one transaction."</li>
                    <li>"Every window that follows the stream hears the event within a second."</li>
                    <li>"A window that was too late is told which version is there now, and shows both."</li>
                </ol>
            </section>
        </div>
    }
}

#[component]
fn Connected(screen: Screen, url: String) -> impl IntoView {
    let followed = part(move || {
        // Another kind is another list, and no stream of it is followed yet.
        let id = screen.id.get();
        match id {
            Some(id) => {
                let aggregate = screen.kind.get_untracked();
                view! { <watch::Watch screen=screen aggregate=aggregate id=id /> }.into_any()
            }
            None => view! {
                <section class="card">
                    <p class="empty">
                        "Choose an aggregate to follow its stream, or begin a new one: its first command creates it."
                    </p>
                </section>
            }
            .into_any(),
        }
    });
    let said = maybe(move || screen.id.get().map(|id| format!("Following {id}.")));
    view! {
        <div class="bar">
            <span class="mark good" data-shape="✓">"connected"</span>
            <code>{url}</code>
            <button type="button" class="button small" on:click=click(move || screen.disconnect())>"Disconnect"</button>
            <span class="unseen" role="status">{said}</span>
        </div>
        <div class="desk">
            <div class="side">
                <list::List screen=screen />
                <list::Asked screen=screen />
            </div>
            <div class="main">{followed}</div>
        </div>
    }
}
