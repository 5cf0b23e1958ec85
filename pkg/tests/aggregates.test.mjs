// Compiled domains, domains written in JavaScript, and what happens to bad input.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  aggregate,
  ConflictError,
  defineAggregate,
  DomainError,
  EventLog,
  eventsFromStreamRecords,
  InvalidCommandError,
  InvalidDataError,
  MemoryStore,
  NotFoundError,
  ReduceError,
  RejectedError,
  RewoundError,
  Timeline,
} from "../dist/node.js";
import { thrown } from "./harness.mjs";

const account = aggregate("BankAccount");
const by = { id: "a1", actorId: "ada", now: 1_800_000_000_000 };
const open = { type: "Open", accountHolderId: "ada", currency: "EUR", initialDeposit: 100 };
const deposit = (amount) => ({ type: "Deposit", amount, transactionReference: "inv-42" });
const bytes = (text) => new TextEncoder().encode(text);

/** A history of three events, and the state after them. */
function history() {
  const events = account.decide(null, open, by);
  for (const command of [
    deposit(2500),
    { type: "Withdraw", amount: 600, transactionReference: "r" },
  ]) {
    events.push(...account.decide(account.reduceEvents(events), command, by));
  }
  return { events, state: account.reduceEvents(events) };
}

/** A counter in JavaScript. */
const counter = (over = {}) =>
  defineAggregate({
    name: "Counter",
    decide(state, command, { actorId, version }) {
      if (command.type === "Reset" && !state) throw new NotFoundError();
      if (command.by > 10) throw new RejectedError("too-much", `${command.by} is more than 10`);
      if (command.by === 0) return [];
      return { eventName: "Counted", by: command.by, note: `${actorId} at ${version}` };
    },
    evolve: (state, event) => ({ sum: (state?.sum ?? 0) + event.by }),
    ...over,
  });

test("a compiled domain decides, and its events make a state", () => {
  const { events, state } = history();
  assert.deepEqual(
    events.map((event) => event.eventName),
    ["AccountOpened", "MoneyDeposited", "MoneyWithdrawn"],
  );
  assert.deepEqual(
    events.map((event) => event.aggregateVersion),
    [1, 2, 3],
  );
  assert.ok(events[0].eventId < events[1].eventId && events[1].eventId < events[2].eventId);
  const { $meta, balance, status } = state;
  assert.deepEqual({ balance, status }, { balance: 2000, status: "Active" });
  assert.deepEqual([$meta.id, $meta.version, $meta.actorId], ["a1", 3, "ada"]);
  assert.equal(new Date($meta.updatedAt).getTime() - by.now, 2); // never earlier than the one before
  assert.deepEqual(
    account.reduceEvents(events.slice(2), account.reduceEvents(events.slice(0, 2))),
    state,
  );
  assert.deepEqual(account.reduceEvents(new Set(events)), state);
  assert.equal(account.reduceEvents([]), null);
  assert.deepEqual(account.reduceEvents([], state), state);
  assert.ok(account.schemas.commands.Deposit.properties.amount);
});

test("what is given decides everything: the same clock and random bytes give the same event", () => {
  const random = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const traced = { ...by, random, commandId: "c", correlationId: "k", causationId: "x" };
  const [one, two] = [account.decide(null, open, traced), account.decide(null, open, traced)];
  assert.deepEqual(one, two);
  const { commandId, correlationId, causationId } = one[0];
  assert.deepEqual([commandId, correlationId, causationId], ["c", "k", "x"]);
  assert.notEqual(
    account.decide(null, open, by)[0].eventId,
    account.decide(null, open, by)[0].eventId,
  );
});

test("bytes are replayed whatever form they have", () => {
  const { events, state } = history();
  const item = (event) =>
    Object.fromEntries(
      Object.entries(event).map(([name, value]) => [
        name,
        typeof value === "number" ? { N: String(value) } : { S: value },
      ]),
    );
  const forms = {
    array: [JSON.stringify(events)],
    lines: [events.map((event) => JSON.stringify(event)).join("\n")],
    pages: events.map((event) => JSON.stringify({ Items: [item(event)], Count: 1 })),
    exported: [events.map((event) => JSON.stringify({ Item: item(event) })).join("\n")],
    backwards: [JSON.stringify(events.toReversed())],
  };
  for (const [name, pages] of Object.entries(forms)) {
    assert.deepEqual(account.replay(pages.map(bytes)), state, name);
  }
  assert.equal(account.replay(bytes("")), null);
  assert.equal(account.replay([]), null);
});

test("a domain in JavaScript is a domain like any other", async () => {
  const count = counter();
  const events = count.decide(null, { type: "Count", by: 3 }, by);
  assert.deepEqual(
    [events[0].by, events[0].note, events[0].aggregateName],
    [3, "ada at 0", "Counter"],
  );
  const state = count.reduceEvents(events);
  assert.deepEqual([state.sum, state.$meta.version], [3, 1]);
  assert.equal(count.decide(state, { type: "Count", by: 4 }, by)[0].note, "ada at 1");
  assert.deepEqual(count.decide(state, { type: "Count", by: 0 }, by), []);
  assert.deepEqual(count.replay(bytes(JSON.stringify(events))), state);

  const store = new MemoryStore();
  for (let n = 1; n <= 5; n += 1) {
    await store.execute(count, "c", { type: "Count", by: n }, { actorId: "ada" });
  }
  const timeline = Timeline.from(store.toNdjson(), count);
  assert.deepEqual(
    [1, 3, 5].map((version) => timeline.stateAt(version).sum),
    [1, 6, 15],
  );
  assert.deepEqual(timeline.why("/sum").at(-1), {
    version: 5,
    eventId: timeline.events().at(-1).eventId,
    eventName: "Counted",
    from: 10,
    to: 15,
  });
});

test("a state that a reducer spoils is spoilt for nobody else", () => {
  const list = defineAggregate({
    name: "List",
    decide: (_, command) => ({ eventName: "Added", item: command.item }),
    evolve(state, event) {
      const next = state ?? { items: [] };
      next.items.push(event.item); // as one should not
      return next;
    },
  });
  const events = [];
  let state = null;
  for (const item of ["a", "b", "c"]) {
    const [event] = list.decide(state, { type: "Add", item }, by);
    events.push(event);
    const before = structuredClone(state);
    const next = list.reduceEvents([event], state);
    assert.deepEqual(state, before);
    state = next;
  }
  const timeline = Timeline.from(bytes(JSON.stringify(events)), list);
  assert.deepEqual(timeline.stateAt(1).items, ["a"]);
  assert.deepEqual(timeline.stateAt(3).items, ["a", "b", "c"]);
  assert.deepEqual(timeline.stateAt(2).items, ["a", "b"]);
});

test("a refusal names its rule, a malformed command its fields", async () => {
  const { state } = history();
  const poor = await thrown(() =>
    account.decide(state, { type: "Withdraw", amount: 9e6, transactionReference: "r" }, by),
  );
  assert.ok(poor instanceof RejectedError && poor instanceof RewoundError && poor instanceof Error);
  assert.deepEqual([poor.name, poor.code], ["RejectedError", "insufficient-funds"]);
  const bad = await thrown(() => account.decide(state, { type: "Deposit", amount: -1 }, by));
  assert.ok(bad instanceof InvalidCommandError);
  assert.deepEqual(
    bad.issues.map((issue) => issue.pointer),
    ["/amount", "/transactionReference"],
  );
  const unknown = await thrown(() => account.decide(state, { type: "Fly" }, by));
  assert.ok(unknown instanceof InvalidCommandError && unknown.message.includes("Deposit"));
  const missing = await thrown(() => account.decide(null, deposit(1), by));
  assert.ok(missing instanceof NotFoundError);
  assert.deepEqual([missing.aggregateName, missing.aggregateId], ["BankAccount", "a1"]);
  const nobody = await thrown(() => aggregate("Bird"));
  assert.ok(nobody instanceof NotFoundError && nobody.message.includes("Bird"));

  const count = counter();
  const much = await thrown(() => count.decide(null, { type: "Count", by: 11 }, by));
  assert.ok(much instanceof RejectedError);
  assert.deepEqual([much.code, much.message], ["too-much", "11 is more than 10"]);
  assert.ok(
    (await thrown(() => count.decide(null, { type: "Reset" }, by))) instanceof NotFoundError,
  );
});

const cyclic = { type: "Deposit" };
cyclic.self = { deeper: [cyclic] };
const proto = JSON.parse(
  '{"type":"Deposit","amount":1,"transactionReference":"r","__proto__":{"amount":5}}',
);

for (const [what, command, pointer] of [
  ["no object", 7, "/type"],
  ["null", null, "/type"],
  ["an array", [], "/type"],
  ["no name", { amount: 1 }, "/type"],
  ["a text for a number", { ...deposit("2500") }, "/amount"],
  ["NaN", deposit(NaN), "/amount"],
  ["infinity", deposit(Infinity), "/amount"],
  ["a bigint", deposit(5n), "/amount"],
  ["a fraction", deposit(2.5), "/amount"],
  ["a huge number", deposit(2 ** 60), "/amount"],
  ["a larger number than any", deposit(1e300), "/amount"],
  ["a function", { ...deposit(1), description: () => {} }, "/description"],
  ["a symbol", { ...deposit(1), description: Symbol("x") }, "/description"],
  ["a map", { ...deposit(1), description: new Map() }, "/description"],
  ["half a character", { ...deposit(1), description: "a\ud800" }, "/description"],
  ["half a character in a name", { ...deposit(1), "\udfff": 1 }, ""],
  ["a cycle", cyclic, "/self/deeper/0"],
  ["an unknown field", { ...deposit(1), "a/b~c": 1 }, "/a~1b~0c"],
  ["an own __proto__", proto, "/__proto__"],
  [
    "a getter that throws",
    {
      type: "Deposit",
      get amount() {
        throw new Error("no");
      },
    },
    "",
  ],
]) {
  test(`a command with ${what} is refused where it is wrong`, async () => {
    const { state } = history();
    const error = await thrown(() => account.decide(state, command, by));
    assert.ok(error instanceof InvalidCommandError, `${error}`);
    assert.ok(
      error.issues.some((issue) => issue.pointer === pointer),
      JSON.stringify(error.issues),
    );
    const store = new MemoryStore();
    const later = await thrown(() => store.execute(account, "a1", command, { actorId: "ada" }));
    assert.ok(later instanceof InvalidCommandError, `${later}`);
    assert.equal(account.decide(state, deposit(1), by).length, 1); // nothing is broken
  });
}

test("options that are wrong are all named at once", async () => {
  const error = await thrown(() =>
    account.decide(null, open, { id: "", now: "today", commandId: 5 }),
  );
  assert.ok(error instanceof InvalidDataError);
  assert.deepEqual(
    error.issues.map((issue) => issue.pointer),
    ["/id", "/actorId", "/now", "/commandId"],
  );
  for (const wrong of [undefined, null, 5, "x", []]) {
    assert.ok((await thrown(() => account.decide(null, open, wrong))) instanceof InvalidDataError);
    assert.ok((await thrown(() => defineAggregate(wrong))) instanceof InvalidDataError);
  }
  const surrogate = await thrown(() => account.decide(null, open, { ...by, actorId: "\ud800" }));
  assert.equal(surrogate.issues[0].pointer, "/actorId");
  const nothing = await thrown(() => defineAggregate({ name: "X" }));
  assert.deepEqual(
    nothing.issues.map((issue) => issue.pointer),
    ["/decide", "/evolve"],
  );
  for (const wrong of [{}, "BankAccount", null, { name: "BankAccount", decide() {} }]) {
    const error = await thrown(() =>
      new MemoryStore().execute(wrong, "a", open, { actorId: "ada" }),
    );
    assert.ok(error instanceof InvalidDataError && error.message.includes("aggregate"), `${error}`);
  }
});

test("a state that is none is refused", async () => {
  const { state } = history();
  for (const [wrong, pointer] of [
    [{}, "/$meta"],
    [{ ...state, $meta: { ...state.$meta, version: 0 } }, "/$meta/version"],
    [{ ...state, $meta: { ...state.$meta, id: "other" } }, "/$meta/id"],
    [{ ...state, balance: "much" }, "/balance"],
    [{ ...state, balance: 1n }, "/balance"],
    ["state", ""],
  ]) {
    const error = await thrown(() => account.decide(wrong, deposit(1), by));
    assert.ok(error instanceof InvalidDataError, `${error}`);
    assert.equal(error.issues[0].pointer, pointer, `${error}`);
  }
});

test("events that do not reduce are named", async () => {
  const { events } = history();
  const reduced = async (list) => {
    const error = await thrown(() => account.reduceEvents(list));
    assert.ok(error instanceof ReduceError, `${error}`);
    return error;
  };
  const gap = await reduced([events[0], events[2]]);
  assert.deepEqual([gap.version, gap.eventName, gap.aggregateId], [3, "MoneyWithdrawn", "a1"]);
  assert.equal((await reduced([events[0], events[0]])).version, 1);
  assert.match((await reduced([events[0], { ...events[1], aggregateId: "b" }])).message, /a1/);
  assert.match((await reduced([{ ...events[0], eventName: "Flown" }])).message, /AccountOpened/);

  for (const [list, pointer] of [
    [[events[0], { ...events[1], aggregateVersion: "2" }], "/1/aggregateVersion"],
    [[{ ...events[0], eventId: "no ulid" }], "/0/eventId"],
    [[{ ...events[0], actorId: undefined }], "/0/actorId"],
    [[events[0], { ...events[1], amount: 5n }], "/1/amount"],
    [[events[0], { ...events[1], description: "\ud800" }], "/1/description"],
    [["event"], "/0"],
    [events[0], ""],
    [7, ""],
  ]) {
    const error = await thrown(() => account.reduceEvents(list));
    assert.ok(error instanceof InvalidDataError, `${error}`);
    assert.equal(error.issues[0].pointer, pointer, `${error}`);
  }
});

test("pages that are damaged say where", async () => {
  const { events } = history();
  const text = events.map((event) => JSON.stringify(event)).join("\n");
  const cut = await thrown(() => account.replay([bytes("\n\n"), bytes(text.slice(0, -30))]));
  assert.ok(cut instanceof InvalidDataError);
  assert.deepEqual([cut.page, cut.line], [2, 3]);
  const gap = await thrown(() =>
    account.replay(bytes(`${text.split("\n")[0]}\n\n${text.split("\n")[2]}`)),
  );
  assert.ok(gap instanceof ReduceError);
  assert.deepEqual([gap.page, gap.line, gap.version], [1, 3, 3]);
  const count = counter();
  const gapped = await thrown(() =>
    count.replay(
      bytes(
        '{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE","eventName":"Counted","aggregateName":"Counter","aggregateId":"c","aggregateVersion":2,"actorId":"ada","by":1}',
      ),
    ),
  );
  assert.deepEqual(
    [gapped.name, gapped.page, gapped.line, gapped.version],
    ["ReduceError", 1, 1, 2],
  );
  for (const wrong of ["text", null, undefined, [bytes(""), "x"], new ArrayBuffer(3)]) {
    assert.ok((await thrown(() => account.replay(wrong))) instanceof InvalidDataError);
    assert.ok((await thrown(() => EventLog.from(wrong))) instanceof InvalidDataError);
  }
});

test("a decide that fails is an error with its place and its cause", async () => {
  const oops = new TypeError("x is undefined");
  const cases = [
    [
      () => {
        throw oops;
      },
      "threw TypeError: x is undefined",
      oops,
    ],
    [
      () => {
        throw "text";
      },
      'threw "text"',
      "text",
    ],
    [async () => [], "promise", undefined],
    [() => 7, "7 at /0", undefined],
    [() => [{ eventName: "A" }, "B"], "at /1", undefined],
    [() => ({ type: "A" }), "/0 has no `eventName`", undefined],
    [() => ({ eventName: "A", aggregateId: "b" }), "aggregateId", undefined],
    [() => ({ eventName: "A", at: new Map() }), "/0/at", undefined],
    [() => ({ eventName: "A", n: NaN }), "/0/n", undefined],
    [() => ({ eventName: "A", text: "\ud800" }), "/0/text", undefined],
  ];
  for (const [decide, message, cause] of cases) {
    const broken = counter({ decide });
    const error = await thrown(() => broken.decide(null, { type: "Count" }, by));
    assert.ok(error instanceof DomainError, `${error}`);
    assert.ok(
      error.message.startsWith("Counter.decide(Count)") && error.message.includes(message),
      error.message,
    );
    assert.equal(error.cause, cause);
    const store = new MemoryStore();
    assert.ok(
      (await thrown(() =>
        store.execute(broken, "c", { type: "Count" }, { actorId: "a" }),
      )) instanceof DomainError,
    );
    assert.deepEqual((await store.list(broken)).items, []);
  }
  assert.equal(counter().decide(null, { type: "Count", by: 1 }, by).length, 1); // nothing is broken
});

test("an evolve that fails is an error of its event", async () => {
  const oops = new RangeError("no");
  const events = [1, 2, 3].map((n) => ({
    ...counter().decide(null, { type: "Count", by: n }, by)[0],
    aggregateVersion: n,
  }));
  const failing = (evolve) => thrown(() => counter({ evolve }).reduceEvents(events));
  const third = await failing((state, event) => {
    if (event.by === 3) throw oops;
    return { sum: event.by };
  });
  assert.ok(third instanceof ReduceError && third.cause === oops);
  assert.deepEqual([third.version, third.eventName], [3, "Counted"]);
  for (const wrong of [
    () => 7,
    () => undefined,
    () => [],
    () => ({ at: NaN }),
    () => ({ f() {} }),
    () => ({ version: 1 }),
  ]) {
    const error = await failing(wrong);
    assert.ok(error instanceof ReduceError && error.message.includes("`evolve`"), `${error}`);
  }
});

test("a decide may use other aggregates while it decides", async () => {
  const store = new MemoryStore();
  const asking = counter({
    decide(_, command) {
      const inner = account.decide(null, open, by);
      store.execute(counter(), "inside", { type: "Count", by: 1 }, { actorId: "ada" });
      return { eventName: "Counted", by: inner.length + command.by };
    },
  });
  const { state } = await store.execute(asking, "c", { type: "Count", by: 1 }, { actorId: "ada" });
  assert.equal(state.sum, 2);
  assert.equal((await store.load(counter(), "inside")).sum, 1);
});

test("a number that JavaScript cannot hold is told, and only where it would have to", async () => {
  const line =
    '{"eventId":"00VQKTYNC0CDP7X95DEHXG9K22","eventName":"Seen","aggregateName":"Star","aggregateId":"s","aggregateVersion":1,"actorId":"x","distance":12345678901234567890,"note":"12345678901234567890"}';
  const log = EventLog.from(bytes(line));
  assert.deepEqual(log.problems, []);
  assert.equal(new TextDecoder().decode(log.toNdjson()), `${line}\n`);
  const timeline = log.timeline("s");
  for (const ask of [
    () => timeline.stateAt(1),
    () => timeline.events(),
    () => timeline.diff(0, 1),
    () => timeline.why("/distance"),
  ]) {
    const error = await thrown(ask);
    assert.ok(error instanceof InvalidDataError, `${error}`);
    assert.match(error.issues[0].pointer, /\/distance$|\/to$/);
    assert.match(error.message, /12345678901234567890/);
  }
  assert.equal(timeline.why("/note").length, 1);
});

test("a log says what is in it, and what is wrong", async () => {
  const { events, state } = history();
  const lines = [
    ...events.map((event) => JSON.stringify(event)),
    "no event",
    JSON.stringify(events[1]),
  ];
  const log = EventLog.from(bytes(lines.join("\n")));
  const [stream] = log.streams();
  assert.deepEqual(
    [
      stream.aggregateId,
      stream.aggregateName,
      stream.version,
      stream.lastEventName,
      stream.updatedAt,
    ],
    ["a1", "BankAccount", 3, "MoneyWithdrawn", state.$meta.updatedAt],
  );
  assert.deepEqual(
    log.problems.map((problem) => problem.line),
    [4, 5],
  );
  const timeline = log.timeline("a1");
  assert.equal(timeline.length, 3);
  assert.deepEqual(timeline.stateAt(3), state);
  assert.deepEqual(timeline.stateAt(99), state);
  assert.equal(timeline.stateAt(0), null);
  assert.deepEqual(timeline.diff(1, 2), [{ op: "replace", path: "/balance", from: 100, to: 2600 }]);
  assert.equal(timeline.versionAt(new Date(by.now + 1)), 2);
  assert.equal(timeline.versionAt(0), 0);
  assert.deepEqual(timeline.events({ after: 1, limit: 1 }), [events[1]]);
  assert.equal(timeline.problem, undefined);
  assert.ok((await thrown(() => log.timeline("b"))) instanceof NotFoundError);
  assert.ok((await thrown(() => timeline.stateAt(-1))) instanceof InvalidDataError);
  assert.ok((await thrown(() => timeline.stateAt(1.5))) instanceof InvalidDataError);

  const odd = EventLog.from(
    bytes(JSON.stringify([events[0], { ...events[1], eventName: "Flown" }])),
  );
  const short = odd.timeline("a1");
  assert.equal(short.length, 1);
  assert.ok(short.problem instanceof ReduceError && short.problem.version === 2);
  assert.ok((await thrown(() => Timeline.from(odd.toNdjson()))) instanceof ReduceError);
  short.free();
  odd.free();
});

test("records of a stream become events", async () => {
  const { events } = history();
  const image = (event) =>
    Object.fromEntries(
      Object.entries({ ...event, eventTs: "2027-01-15T08:00:00.000Z" }).map(([name, value]) => [
        name,
        typeof value === "number" ? { N: String(value) } : { S: value },
      ]),
    );
  const record = (event, eventName = "INSERT") => ({
    eventID: "1",
    eventName,
    eventSource: "aws:dynamodb",
    dynamodb: {
      Keys: {},
      NewImage: image(event),
      SequenceNumber: "1",
      StreamViewType: "NEW_IMAGE",
    },
  });
  assert.deepEqual(
    eventsFromStreamRecords({ Records: events.map((event) => record(event)) }),
    events,
  );
  assert.deepEqual(
    eventsFromStreamRecords([record(events[0]), { eventName: "REMOVE", dynamodb: {} }]),
    [events[0]],
  );
  assert.deepEqual(eventsFromStreamRecords([]), []);
  for (const [wrong, pointer] of [
    [[record(events[0]), record(events[1], "MODIFY")], "/1/eventName"],
    [[{ eventName: "INSERT", dynamodb: {} }], "/0/dynamodb/NewImage"],
    [[record({ ...events[0], aggregateVersion: 0 })], "/0/dynamodb/NewImage/aggregateVersion"],
    [[7], "/0"],
    [{}, ""],
  ]) {
    const error = await thrown(() => eventsFromStreamRecords(wrong));
    assert.ok(error instanceof InvalidDataError, `${error}`);
    assert.equal(error.issues[0].pointer, pointer, `${error}`);
  }
});

test("the memory store keeps what it promises", async () => {
  let now = 1_800_000_000_000;
  const store = new MemoryStore({ now: () => now });
  const send = (command, more = {}) =>
    store.execute(account, "a1", command, { actorId: "ada", ...more });
  await send(open);
  const first = await send(deposit(5), { idempotencyKey: "k" });
  const again = await send(deposit(5), { idempotencyKey: "k" });
  assert.ok(again.repeated && !first.repeated);
  assert.deepEqual(again.events, first.events);
  assert.equal(
    (await thrown(() => send(deposit(6), { idempotencyKey: "k" }))).name,
    "KeyReusedError",
  );
  const conflict = await thrown(() => send(deposit(5), { expectedVersion: 1 }));
  assert.ok(conflict instanceof ConflictError);
  assert.deepEqual([conflict.expected, conflict.actual, conflict.attempts], [1, 2, undefined]);
  now -= 60_000; // a clock that runs backwards
  const { state } = await send(deposit(1));
  assert.ok(new Date(state.$meta.updatedAt) > now);

  const page = await store.events("a1", { limit: 2 });
  assert.equal(page.items.length, 2);
  const rest = await store.events("a1", { after: page.next });
  assert.deepEqual(
    rest.items.map((event) => event.aggregateVersion),
    [3],
  );
  assert.equal(rest.next, null);
  assert.deepEqual((await store.events("a1", { after: 2 })).items, rest.items);
  assert.deepEqual((await store.events("nobody")).items, []);
  assert.ok(
    (await thrown(() => store.events("a1", { after: "somewhere" }))) instanceof InvalidDataError,
  );
  assert.ok((await thrown(() => store.load(account, "nobody"))) instanceof NotFoundError);
  await store.execute(account, "a2", open, { actorId: "ada" });
  const list = await store.list(account, { limit: 1 });
  assert.deepEqual([list.items[0].id, list.items[0].version], ["a1", 3]);
  assert.deepEqual(
    (await store.list(account, { cursor: list.next })).items.map((meta) => meta.id),
    ["a2"],
  );
});

test("what a domain throws comes out as the very object", async () => {
  class Poor extends RejectedError {
    constructor() {
      super("poor", "no money");
      this.missing = 5;
    }
  }
  let first = true;
  const odd = counter({
    decide(state) {
      if (!state && first) {
        first = false;
        throw new TypeError("there is no state yet"); // only an assumption of the store's
      }
      if (!state) return { eventName: "Counted", by: 1 };
      throw new Poor();
    },
  });
  const store = new MemoryStore();
  await store.execute(counter(), "c", { type: "Count", by: 1 }, { actorId: "ada" });
  const error = await thrown(() => store.execute(odd, "c", { type: "Count" }, { actorId: "ada" }));
  assert.ok(error instanceof Poor && error.missing === 5 && error.cause === undefined, `${error}`);
  const lost = counter({
    decide() {
      throw new NotFoundError("no such cart: ask bob");
    },
  });
  const missing = await thrown(() => lost.decide(null, { type: "Count" }, by));
  assert.equal(missing.message, "no such cart: ask bob");
});

test("options with a typo, holes, and what was freed are told", async () => {
  const store = new MemoryStore();
  const typo = await thrown(() =>
    store.execute(account, "a", open, { actorId: "ada", expectedversion: 9 }),
  );
  assert.equal(typo.issues[0].pointer, "/expectedversion");
  const few = await thrown(() => account.decide(null, open, { ...by, random: new Uint8Array(3) }));
  assert.equal(few.issues[0].pointer, "/random");
  const hole = await thrown(() => counter().decide(null, { type: "Count", by: 1, list: [1, , 3] }, by)); // prettier-ignore
  assert.equal(hole.issues[0].pointer, "/list/1");
  const date = await thrown(() => counter().decide(null, { type: "Count", at: new Date(NaN) }, by));
  assert.equal(date.issues[0].pointer, "/at");
  const [event] = counter().decide(null, { type: "Count", by: 1 }, by);
  const nan = await thrown(() => counter().reduceEvents([{ ...event, by: NaN }]));
  assert.equal(nan.issues[0].pointer, "/0/by");
  const bound = await thrown(() => counter({ evolve: ((state) => state).bind(null) }));
  assert.equal(bound.issues[0].pointer, "/revision");
  const timeline = Timeline.from(bytes(""));
  timeline.free();
  assert.match((await thrown(() => timeline.stateAt(1))).message, /freed/);
});
