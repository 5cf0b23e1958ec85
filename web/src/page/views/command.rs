//! The form of a command, made from its schema, with what it would do before it is sent.

use super::{
    close::Close,
    erased::{click, flag, maybe, part, parts, text, value, word},
    focus,
    icon::{Icon, SEND},
    price::Price,
};
use crate::{
    app::App,
    form::{self, Field, Kind},
    format::{gist, kind, money},
    host,
    workspace::{SendOrder, Source, StreamKey},
};
use leptos::{ev::SubmitEvent, html, leptos_dom::helpers::TimeoutHandle, prelude::*};
use rewound_core::{
    domain::{Command, Sender, decide},
    domains,
    error::{Error, Issue},
    schema::{Shape, validate},
    value::{Object, below},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Everything that the form knows while it is open.
#[derive(Clone, Copy)]
struct Form {
    app: App,
    /// The kind of aggregate that is to be created; none for the open stream.
    new: RwSignal<Option<String>>,
    new_id: RwSignal<String>,
    /// The aggregate that the command goes to: its kind, its id, whether it is new.
    target: Memo<Option<Target>>,
    /// The command's name, as far as one was chosen.
    chosen: RwSignal<Option<String>>,
    shape: Memo<Option<Shape>>,
    fields: Memo<Vec<Field>>,
    /// The texts in the fields.
    draft: RwSignal<Value>,
    /// The fields that a person has left or rests in, whose errors are shown.
    touched: RwSignal<BTreeSet<String>>,
    /// When the one in which something was typed last will be one of them.
    resting: StoredValue<Option<TimeoutHandle>>,
    /// Whether the command was sent as it is, so that every error is shown.
    tried: RwSignal<bool>,
    actor: RwSignal<String>,
    expected: RwSignal<String>,
    issues: Memo<Vec<Issue>>,
    outcome: RwSignal<Option<Outcome>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Target {
    aggregate: String,
    id: String,
    is_new: bool,
}

/// What came of sending.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Recorded(String),
    Refused { code: String, message: String },
    Malformed(usize),
}

const EXPECTED: &str = "expected version";
const ACTOR: &str = "actor";

impl Form {
    fn new(app: App) -> Self {
        let new = RwSignal::new(None::<String>);
        let new_id = RwSignal::new(host::new_id());
        let chosen = RwSignal::new(None::<String>);
        let draft = RwSignal::new(Value::Null);
        let actor = app.actor;
        let expected = RwSignal::new(String::new());
        let target = Memo::new(move |_| match (new.get(), app.selected.get()) {
            (Some(aggregate), _) => Some(Target { aggregate, id: new_id.get(), is_new: true }),
            (None, Some(StreamKey { source: Source::Own, aggregate, id })) => {
                Some(Target { aggregate, id, is_new: false })
            }
            _ => None,
        });
        let shape = Memo::new(move |_| {
            let target = target.get()?;
            let commands = domains::find(&target.aggregate)?.commands();
            let named = chosen.get().and_then(|name| commands.iter().find(|command| command.name == name));
            // The first command creates; what comes after is for those that exist.
            named.or_else(|| commands.get(usize::from(!target.is_new))).cloned()
        });
        let fields = Memo::new(move |_| shape.read().as_ref().map_or_else(Vec::new, form::fields));
        let issues = Memo::new(move |_| {
            let command = Value::Object(form::read(&fields.read(), &draft.read()));
            let mut issues =
                shape.read().as_ref().map_or_else(Vec::new, |shape| validate(&shape.schema, &command));
            let mut say = |pointer: &str, message: &str| {
                issues.push(Issue { pointer: pointer.to_owned(), message: message.to_owned() });
            };
            if actor.read().trim().is_empty() {
                say(ACTOR, "it is missing");
            }
            if version(&expected.read()).is_none() {
                say(EXPECTED, "expected a version: a whole number, or nothing for any");
            }
            issues
        });
        let form = Self {
            app,
            new,
            new_id,
            target,
            chosen,
            shape,
            fields,
            draft,
            touched: RwSignal::new(BTreeSet::new()),
            resting: StoredValue::new(None),
            tried: RwSignal::new(false),
            actor,
            expected,
            issues,
            outcome: RwSignal::new(None),
        };
        // Another aggregate or command is another form. What came of the last one stays in sight until
        // something is typed.
        let aim = Memo::new(move |_| target.get().map(|target| (target.aggregate, target.is_new)));
        Effect::watch(move || aim.get(), move |_, _, _| chosen.set(None), false);
        Effect::new(move |_| {
            fields.track();
            form.clear();
        });
        form
    }

    fn clear(self) {
        self.draft.set(form::blank(&self.fields.read_untracked()));
        if let Some(resting) = self.resting.try_update_value(Option::take).flatten() {
            resting.clear();
        }
        self.touched.update(BTreeSet::clear);
        self.tried.set(false);
    }

    fn text(self, pointer: &str) -> String {
        let draft = self.draft.read();
        draft.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn write(self, pointer: &str, text: String) {
        self.draft.update(|draft| {
            if let Some(place) = draft.pointer_mut(pointer) {
                *place = text.into();
            }
        });
        self.typed(pointer.to_owned());
    }

    /// Something was typed there: what is wrong with it is said once the fingers rest.
    fn typed(self, pointer: String) {
        const REST: Duration = Duration::from_millis(500);
        self.outcome.set(None);
        let say = set_timeout_with_handle(move || self.touch(&pointer), REST);
        if let Some(before) =
            self.resting.try_update_value(|resting| std::mem::replace(resting, say.ok())).flatten()
        {
            before.clear();
        }
    }

    fn touch(self, pointer: &str) {
        // A form that was closed meanwhile has nothing to say.
        if self.touched.try_with_untracked(|touched| !touched.contains(pointer)) == Some(true) {
            self.touched.update(|touched| touched.extend([pointer.to_owned()]));
        }
    }

    /// What is wrong at a place, once its time has come.
    fn error(self, pointer: &str) -> Option<String> {
        if !self.tried.get() && !self.touched.read().contains(pointer) {
            return None;
        }
        let issues = self.issues.read();
        issues.iter().find(|issue| issue.pointer == pointer).map(|issue| sentence(&issue.message))
    }

    fn command(self) -> Option<Command> {
        let name = self.shape.read().as_ref()?.name.clone();
        let fields: Object = form::read(&self.fields.read(), &self.draft.read());
        Some(Command { name, fields })
    }

    /// What the command would do now, in words: each event with its gist, or the rule that refuses it.
    fn preview(self) -> Option<Result<Vec<(String, String)>, String>> {
        // Whatever is sent elsewhere on the page changes the answer too.
        self.app.streams.track();
        if !self.issues.read().is_empty() {
            return None;
        }
        let (target, command) = (self.target.get()?, self.command()?);
        let domain = domains::find(&target.aggregate)?;
        let by = Sender { actor: self.actor.get(), now: host::now(), ..Sender::default() };
        let key = StreamKey { source: Source::Own, aggregate: target.aggregate, id: target.id };
        let end = self.app.at_the_end(&key, |timeline| timeline.seek(timeline.len()));
        let instance = match end {
            Some(Ok(instance)) => instance,
            Some(Err(error)) => return Some(Err(error.to_string())),
            None => domain.start(&key.id),
        };
        let expected = version(&self.expected.read()).flatten();
        if let Some(expected) = expected.filter(|expected| *expected != instance.version()) {
            return Some(Err(Error::WrongVersion { expected, actual: instance.version() }.to_string()));
        }
        let decided = decide(domain, instance.as_ref(), &command, &by);
        Some(match decided {
            Ok(events) => Ok(events.iter().map(|event| (event.name().to_owned(), gist(event))).collect()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// The command and what it goes to, for its price.
    fn order(self) -> Option<String> {
        self.app.streams.track();
        if !self.issues.read().is_empty() {
            return None;
        }
        let (Target { aggregate, id, .. }, command) = (self.target.get()?, self.command()?);
        let events = self.app.lines_of(&aggregate, &id);
        let order = json!({
            "command": command.to_json(), "actor": self.actor.get().trim(), "events": events,
            "expected": version(&self.expected.read()).flatten(), "aggregate": aggregate, "id": id,
        });
        Some(order.to_string())
    }

    fn send(self) {
        let issues = self.issues.read_untracked().len();
        self.tried.set(true);
        if issues > 0 {
            return self.outcome.set(Some(Outcome::Malformed(issues)));
        }
        let (Some(target), Some(command)) = (self.target.get_untracked(), untrack(|| self.command())) else {
            return;
        };
        let order = SendOrder {
            aggregate: target.aggregate,
            id: target.id,
            command,
            actor: self.actor.get_untracked().trim().to_owned(),
            expected_version: version(&self.expected.read_untracked()).flatten(),
        };
        self.outcome.set(Some(match self.app.send(order) {
            Ok(done) if done.events.is_empty() => {
                Outcome::Recorded("No event: everything is as the command wants it.".to_owned())
            }
            Ok(done) => {
                let names: Vec<_> = done.events.iter().map(|event| event.name()).collect();
                let text = format!("{} recorded: version {}.", names.join(", "), done.version());
                self.expected.set(String::new());
                self.new.set(None);
                self.new_id.set(host::new_id());
                self.clear();
                Outcome::Recorded(text)
            }
            Err(error) => refused(&error),
        }));
    }
}

/// The version that a text means: none for an empty one. Nothing where it means no version.
fn version(text: &str) -> Option<Option<u64>> {
    match text.trim() {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    }
}

fn refused(error: &Error) -> Outcome {
    let (code, message) = match error {
        Error::Rejected(rejection) => (rejection.code.clone().into_owned(), rejection.message.clone()),
        Error::WrongVersion { .. } => ("wrong-version".to_owned(), sentence(&error.to_string())),
        Error::NotFound { .. } => ("not-found".to_owned(), sentence(&error.to_string())),
        Error::Settled { .. } => ("settled".to_owned(), sentence(&error.to_string())),
        error => ("failed".to_owned(), sentence(&error.to_string())),
    };
    Outcome::Refused { code, message }
}

/// A message of the core as a sentence.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first: String = letters.next().map(|letter| letter.to_ascii_uppercase()).into_iter().collect();
    let end = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

#[component]
pub(crate) fn CommandPanel(app: App) -> impl IntoView {
    let form = Form::new(app);
    let panel = NodeRef::<html::Section>::new();
    let targeted = Memo::new(move |_| form.target.read().is_some());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send();
        // The first bad field gets the focus, when its error stands there.
        request_animation_frame(move || {
            if let Some(panel) = panel.try_get_untracked().flatten() {
                focus(panel.query_selector("[aria-invalid=true]"));
            }
        });
    };
    // The keyboard goes where the form is, which on a narrow screen is far below the button.
    Effect::new(move |_| {
        if let Some(panel) = panel.get() {
            request_animation_frame(move || {
                panel.scroll_into_view();
                focus(panel.query_selector("#target"));
            });
        }
    });
    let close = click(move || {
        app.commanding.set(false);
        focus(document().query_selector("#command-button"));
    });
    view! {
        <section class="pane command" aria-labelledby="command-title" node_ref=panel>
            <div class="pane-head">
                <h2 id="command-title">"Send a command"</h2>
                <Close label="Close the form" act=close />
            </div>
            <form class="scroll" novalidate autocomplete="off" on:submit=submit>
                <TargetChoice form=form />
                {part(move || targeted.get().then(|| view! { <Body form=form /> }))}
            </form>
        </section>
    }
}

/// The form itself, once it is known where the command goes.
#[component]
fn Body(form: Form) -> impl IntoView {
    let fields = part(move || match form.fields.get() {
        none if none.is_empty() => view! { <p class="about">"This command has no fields."</p> }.into_any(),
        fields => view! { <Fields form=form fields=fields path=String::new() /> }.into_any(),
    });
    let name = maybe(move || form.shape.read().as_ref().map(|shape| format!("Send {}", shape.name)));
    view! {
        <CommandChoice form=form />
        <div class="fields">{fields}</div>
        <div class="fields sender">
            <Plain form=form id=ACTOR title="Actor" help="Who sends it." field=form.actor />
            <Plain
                form=form
                id=EXPECTED
                title="Expected version"
                help="Empty: any. 0: create only."
                field=form.expected
            />
        </div>
        <Price order=Memo::new(move |_| form.order().unwrap_or_default()) />
        <div class="foot">
            <Preview form=form />
            <button type="submit" class="button primary wide">
                <Icon path=SEND />
                {name}
            </button>
        </div>
    }
}

/// Which aggregate the command goes to.
#[component]
fn TargetChoice(form: Form) -> impl IntoView {
    let app = form.app;
    let open = Memo::new(move |_| app.summary());
    let own = move || open.get().filter(|stream| stream.key.source == Source::Own);
    let choose = value(move |value| {
        form.new.set(domains::find(&value).map(|domain| domain.name().to_owned()));
        form.outcome.set(None);
    });
    let chosen = text(move || form.new.get().unwrap_or_default());
    view! {
        <div class="field">
            <label for="target">"To"</label>
            <select id="target" on:change=choose prop:value=chosen>
                <option value="" disabled=flag(move || own().is_none()) selected=flag(move || form.new.read().is_none())>
                    {text(move || match own() {
                        Some(stream) => format!("{} ({})", stream.label, kind(&stream.key.aggregate)),
                        None => "Choose what to create".to_owned(),
                    })}
                </option>
                {domains::all()
                    .map(|domain| {
                        let name = domain.name().to_owned();
                        let selected = {
                            let name = name.clone();
                            move || form.new.read().as_ref() == Some(&name)
                        };
                        view! {
                            <option value=name.clone() selected=flag(selected)>
                                {format!("New {}", kind(&name).to_ascii_lowercase())}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
            <p class="help">
                {part(move || match form.target.get() {
                    Some(target) => view! { "id " <code>{target.id}</code> }.into_any(),
                    None if open.read().is_some() => {
                        "Imported logs are read-only: they can be replayed, and not changed.".into_any()
                    }
                    None => "Nothing is open.".into_any(),
                })}
            </p>
        </div>
    }
}

/// Which command of the aggregate's kind.
#[component]
fn CommandChoice(form: Form) -> impl IntoView {
    let aggregate = Memo::new(move |_| form.target.get().map(|target| target.aggregate));
    let commands = move || {
        let aggregate = aggregate.get()?;
        let commands = domains::find(&aggregate)?.commands();
        let choices = commands.iter().map(|command| {
            let name = command.name.clone();
            let checked = {
                let name = name.clone();
                move || form.shape.read().as_ref().is_some_and(|shape| shape.name == name)
            };
            let choose = {
                let name = name.clone();
                value(move |_| {
                    form.outcome.set(None);
                    form.chosen.set(Some(name.clone()));
                })
            };
            view! {
                <label class="chip">
                    <input type="radio" name="command" value=name.clone() prop:checked=flag(checked) on:change=choose />
                    <span>{name}</span>
                </label>
            }
        });
        Some(choices.collect_view())
    };
    let about = move || {
        let shape = form.shape.read();
        shape.as_ref()?.schema.get("description").and_then(Value::as_str).map(str::to_owned)
    };
    view! {
        <fieldset class="choice">
            <legend>"Command"</legend>
            <div class="chips">{part(commands)}</div>
            <p class="help">{maybe(about)}</p>
        </fieldset>
    }
}

/// The fields below a place.
#[component]
fn Fields(form: Form, fields: Vec<Field>, path: String) -> AnyView {
    let fields = fields.into_iter().map(|field| {
        let pointer = below(&path, &field.name);
        match field.kind.clone() {
            Kind::List(each) => view! { <List form=form field=field each=each pointer=pointer /> }.into_any(),
            _ => view! { <Input form=form field=field pointer=pointer /> }.into_any(),
        }
    });
    fields.collect_view().into_any()
}

#[component]
fn List(form: Form, field: Field, each: Vec<Field>, pointer: String) -> impl IntoView {
    // Shared, not stored: what the page put away may still be asked once while the form changes.
    let (pointer, each): (Arc<str>, Arc<[Field]>) = (pointer.into(), each.into());
    let length = {
        let pointer = pointer.clone();
        Memo::new(move |_| {
            let draft = form.draft.read();
            draft.pointer(&pointer).and_then(Value::as_array).map_or(0, Vec::len)
        })
    };
    let change = {
        let pointer = pointer.clone();
        move |change: &dyn Fn(&mut Vec<Value>)| {
            form.draft.update(|draft| {
                if let Some(Value::Array(lines)) = draft.pointer_mut(&pointer) {
                    change(lines);
                }
            });
            form.touch(&pointer);
            form.outcome.set(None);
        }
    };
    let add = {
        let (change, each) = (change.clone(), each.clone());
        click(move || change(&|lines| lines.push(form::blank(&each))))
    };
    let remove = move |index: usize| {
        change(&|lines| {
            if index < lines.len() {
                lines.remove(index);
            }
        });
        // The button went with its line, or became the next one's.
        focus(document().query_selector(".lines > .button"));
    };
    let one = field.title.strip_suffix('s').unwrap_or(&field.title).to_owned();
    let adding = format!("Add {}", one.to_ascii_lowercase());
    let error = {
        let pointer = pointer.clone();
        Memo::new(move |_| form.error(&pointer))
    };
    let place = pointer.to_string();
    let line = move |index: usize| {
        let path = below(&pointer, &index.to_string());
        let label = format!("{one} {}", index + 1);
        let remove = {
            let remove = remove.clone();
            click(move || remove(index))
        };
        view! {
            <div class="item" role="group" aria-label=label.clone()>
                <Fields form=form fields=each.to_vec() path=path />
                <Close label=format!("Remove {}", label.to_ascii_lowercase()) act=remove />
            </div>
        }
        .into_any()
    };
    view! {
        <fieldset class="lines">
            <legend>{field.title}</legend>
            {parts(move || 0..length.get(), line)}
            <p class="help" class:error=flag(move || error.read().is_some()) data-pointer=place>
                {text(move || error.get().unwrap_or_else(|| field.description.clone()))}
            </p>
            <button type="button" class="button small" on:click=add>
                {adding}
            </button>
        </fieldset>
    }
}

#[component]
fn Input(form: Form, field: Field, pointer: String) -> impl IntoView {
    let Field { name, title, description, unit, required, kind, .. } = field;
    let id = format!("field{}", pointer.replace('/', "-"));
    let (help, choices) = (format!("{id}-help"), format!("{id}-choices"));
    let pointer: Arc<str> = pointer.into();
    let place = pointer.to_string();
    let error = {
        let pointer = pointer.clone();
        Memo::new(move |_| form.error(&pointer))
    };
    // Always a text field: a browser's own number field hides what is wrong with its text.
    let mode = match &kind {
        Kind::Integer => "numeric",
        Kind::Text { format: Some(format) } if format == "email" => "email",
        _ => "text",
    };
    let is_cents = unit.as_deref() == Some("cents");
    let written = {
        let pointer = pointer.clone();
        Memo::new(move |_| form.text(&pointer))
    };
    let amount = move || {
        let cents = written.read().trim().parse().ok().filter(|_| is_cents);
        cents.map(|cents| format!("= {}", money(cents)))
    };
    let (write, touch) = {
        let (writing, touched) = (pointer.clone(), pointer.clone());
        (value(move |text| form.write(&writing, text)), value(move |_| form.touch(&touched)))
    };
    // A field with a list of choices is another thing to a screen reader: only those have one that need it.
    let (listed, options) = match refers_to(&name) {
        None => (None, None),
        Some(aggregate) => {
            let options = move || {
                let options = own_streams(form, aggregate).into_iter();
                options.map(|(value, label)| view! { <option value=value>{label}</option> }).collect_view()
            };
            (Some(choices.clone()), Some(view! { <datalist id=choices>{part(options)}</datalist> }))
        }
    };
    view! {
        <div class="field" class:invalid=flag(move || error.read().is_some())>
            <label for=id.clone()>
                {title}
                {(!required).then(|| view! { <span class="optional">"optional"</span> })}
            </label>
            <div class="entry">
                <input
                    id=id
                    type="text"
                    inputmode=mode
                    list=listed
                    aria-describedby=help.clone()
                    aria-required=required.to_string()
                    aria-invalid=word(move || error.read().is_some())
                    prop:value=text(move || written.get())
                    on:input=write
                    on:change=touch
                />
                {unit.map(|unit| view! { <span class="unit">{unit}</span> })}
            </div>
            {options}
            <p class="help" id=help data-pointer=place class:error=flag(move || error.read().is_some())>
                {text(move || error.get().unwrap_or_else(|| description.clone()))}
                <span class="amount">{maybe(amount)}</span>
            </p>
        </div>
    }
}

/// The kind of aggregate whose ids a field holds.
fn refers_to(field: &str) -> Option<&'static str> {
    match field {
        "destinationAccountId" | "sourceAccountId" => Some("BankAccount"),
        "customerId" => Some("Customer"),
        _ => None,
    }
}

/// The other own streams of a kind: their ids and what people call them.
fn own_streams(form: Form, aggregate: &str) -> Vec<(String, String)> {
    let open = form.target.read().as_ref().map(|target| target.id.clone());
    let streams = form.app.streams.read();
    let own = streams.iter().filter(|stream| {
        let key = &stream.key;
        key.source == Source::Own && key.aggregate == aggregate && Some(&key.id) != open.as_ref()
    });
    own.map(|stream| (stream.key.id.clone(), stream.label.clone())).collect()
}

/// A field that is not the command's: who sends it, and on which version.
#[component]
fn Plain(
    form: Form,
    id: &'static str,
    title: &'static str,
    help: &'static str,
    field: RwSignal<String>,
) -> impl IntoView {
    let element = id.replace(' ', "-");
    let help_id = format!("{element}-help");
    let error = Memo::new(move |_| form.error(id));
    view! {
        <div class="field" class:invalid=flag(move || error.read().is_some())>
            <label for=element.clone()>{title}</label>
            <div class="entry">
                <input
                    id=element
                    type="text"
                    aria-describedby=help_id.clone()
                    aria-invalid=word(move || error.read().is_some())
                    prop:value=text(move || field.get())
                    on:input=value(move |text| {
                        field.set(text);
                        form.typed(id.to_owned());
                    })
                    on:change=value(move |_| form.touch(id))
                />
            </div>
            <p class="help" id=help_id data-pointer=id class:error=flag(move || error.read().is_some())>
                {text(move || error.get().unwrap_or_else(|| help.to_owned()))}
            </p>
        </div>
    }
}

/// What the command would do, and what it did.
#[component]
fn Preview(form: Form) -> impl IntoView {
    let preview = Memo::new(move |_| form.preview());
    let would = move || match (form.outcome.read().is_some(), preview.get()) {
        (true, _) => None,
        (false, None) => {
            Some(view! { <p class="about">"Fill in the form to see what it would record."</p> }.into_any())
        }
        (false, Some(Ok(events))) if events.is_empty() => Some(
            view! { <p class="about">"It would record nothing: everything is as it wants."</p> }.into_any(),
        ),
        (false, Some(Ok(events))) => {
            let events = events.into_iter().map(|(name, gist)| {
                view! {
                    <li>
                        <b>{name}</b>
                        <span>{gist}</span>
                    </li>
                }
            });
            Some(
                view! {
                    <p class="about">"It would record"</p>
                    <ul>{events.collect_view()}</ul>
                }
                .into_any(),
            )
        }
        (false, Some(Err(message))) => {
            Some(view! { <p class="about">"It would be refused: " {message}</p> }.into_any())
        }
    };
    let refused = move || match form.outcome.get()? {
        Outcome::Refused { code, message } => {
            Some(view! { <code class="code">{code}</code> " " {message} }.into_any())
        }
        Outcome::Malformed(1) => Some("One field needs another look.".into_any()),
        Outcome::Malformed(number) => Some(format!("{number} fields need another look.").into_any()),
        Outcome::Recorded(_) => None,
    };
    let recorded = move || match form.outcome.get()? {
        Outcome::Recorded(text) => Some(text),
        _ => None,
    };
    view! {
        <div class="answer">
            <div class="preview" id="preview">{part(would)}</div>
            <p class="outcome refused" role="alert">{part(refused)}</p>
            <p class="outcome recorded" role="status">{maybe(recorded)}</p>
        </div>
    }
}
