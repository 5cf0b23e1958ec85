// The store on DynamoDB: against an emulator over HTTP, with every signature on the way checked by AWS's own signer.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  aggregate,
  ConflictError,
  defineAggregate,
  DynamoStore,
  InvalidDataError,
  KeyReusedError,
  MemoryStore,
  NotFoundError,
  RejectedError,
  StoreError,
} from "../dist/node.js";
import { dynamodb, root, tables, thrown } from "./harness.mjs";

const account = aggregate("BankAccount");
const customer = aggregate("Customer");
const open = { type: "Open", accountHolderId: "ada", currency: "EUR", initialDeposit: 500 };
const deposit = (amount) => ({ type: "Deposit", amount, transactionReference: "r" });
const ada = { actorId: "ada" };

let db;
before(async () => (db = await dynamodb()));
after(() => db.stop());

/** Where the emulator is, and who may use it. */
const where = () => ({ endpoint: db.endpoint, region: db.region, credentials: db.credentials });

/** A store on new tables. `more` are options of its own. */
async function store(prefix, more = {}) {
  const made = new DynamoStore({ ...where(), tables: tables(prefix), ...more });
  await made.createTables();
  return made;
}

/** A store that has said already that it writes the rows, which it does once. */
async function started(prefix, more) {
  const made = await store(prefix, more);
  await thrown(() => made.execute(account, "nobody", deposit(1), ada));
  return made;
}

/** A `fetch` that lets `meddle` answer in its place, and counts. */
function meddling(meddle) {
  const calls = [];
  const send = async (url, init) => {
    const target = new Headers(init.headers).get("x-amz-target").split(".")[1];
    calls.push(target);
    const pass = () => fetch(url, init);
    return (await meddle(target, pass, calls.length, init)) ?? pass();
  };
  return { calls, fetch: send };
}

test("it passes the contract of every store", async () => {
  const at = pathToFileURL(`${process.env.REWOUND_CONTRACT ?? `${root}target/pkg-contract`}/`);
  const core = await import(new URL("core.js", at));
  core.initSync({ module: readFileSync(new URL("core_bg.wasm", at)) });
  const { drive } = await import(new URL("drive.js", at));
  await store("contract");
  const { events, helpers, aggregates } = tables("contract");
  const dynamo = new core.Dynamo(
    { events, helpers, aggregates: new Map(Object.entries(aggregates)) },
    0,
  );
  // The rows of the suite are its own domains'.
  for (const name of Object.keys(aggregates)) {
    const kind = core.Kind.find(name);
    dynamo.trust(kind, kind.fingerprint());
  }
  const transport = {
    url: `${db.endpoint}/`,
    signer: new core.Signer(db.region, new URL(db.endpoint).host),
    credentials: () => db.credentials,
    fetch,
    timeout: 10_000,
    now: Date.now,
    random: () => crypto.getRandomValues(new Uint8Array(10)),
    correction: 0,
  };
  const findings = await core.contract(dynamo, (run) => drive(transport, () => run));
  assert.deepEqual(findings, []);
});

test("a command is one transaction, and costs the requests that were promised", async () => {
  const watched = meddling(() => {});
  const warm = await started("costs", { fetch: watched.fetch });
  const cold = await started("costs", { fetch: watched.fetch, cache: 0 });
  const requests = async (promise) => {
    watched.calls.length = 0;
    const { cost } = await promise;
    assert.equal(cost.requests, watched.calls.length);
    return watched.calls.join(" ");
  };
  assert.equal(await requests(warm.execute(account, "a1", open, ada)), "TransactWriteItems");
  assert.equal(await requests(warm.execute(account, "a1", deposit(1), ada)), "TransactWriteItems");
  assert.equal(
    await requests(cold.execute(account, "a1", deposit(2), ada)),
    "GetItem TransactWriteItems",
  );
  // The warm store is behind now: the conflict brings the winner's row.
  const late = "TransactWriteItems TransactWriteItems";
  assert.equal(await requests(warm.execute(account, "a1", deposit(4), ada)), late);
  watched.calls.length = 0;
  const poor = { type: "Withdraw", amount: 1e6, transactionReference: "r" };
  assert.ok((await thrown(() => warm.execute(account, "a1", poor, ada))) instanceof RejectedError);
  assert.deepEqual(watched.calls, ["GetItem"]);

  const state = await warm.load(account, "a1");
  assert.deepEqual([state.balance, state.$meta.version], [507, 4]);
  const { cost } = await warm.execute(account, "a2", open, ada);
  assert.ok(cost.wcu >= 4 && cost.rcu === 0, JSON.stringify(cost));
});

test("what was written is read, by page", async () => {
  const made = await store("pages");
  await made.execute(
    customer,
    "c1",
    { type: "Register", email: "ada@example.com", name: "Ada" },
    ada,
  );
  for (let n = 2; n <= 8; n += 1) {
    const type = n % 2 ? "Reactivate" : "Suspend";
    const command = n % 2 ? { type } : { type, reason: `n ${n} · 日本` };
    await made.execute(customer, "c1", command, { ...ada, correlationId: "k" });
  }
  const seen = [];
  let page = { next: 0 };
  do {
    page = await made.events("c1", { after: page.next, limit: 3 });
    seen.push(...page.items);
  } while (page.next !== null);
  assert.deepEqual(
    seen.map((event) => event.aggregateVersion),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  assert.deepEqual([seen[1].reason, seen[1].correlationId], ["n 2 · 日本", "k"]);
  assert.deepEqual((await made.events("c1", { after: 7 })).items, seen.slice(7));
  const state = await made.load(customer, "c1");
  assert.deepEqual(state, customer.reduceEvents(seen));
  assert.equal(state.suspensionReason, "n 8 · 日本");
  await made.execute(customer, "c1", { type: "Reactivate" }, ada);
  assert.ok(!("suspensionReason" in (await made.load(customer, "c1"))));

  for (const id of ["c2", "c3"]) {
    await made.execute(customer, id, { type: "Register", email: "b@example.com", name: "B" }, ada);
  }
  const ids = [];
  let list = { next: undefined };
  do {
    list = await made.list(customer, { cursor: list.next, limit: 2 });
    ids.push(...list.items.map((meta) => meta.id));
  } while (list.next !== null);
  assert.deepEqual(ids.sort(), ["c1", "c2", "c3"]);
  assert.ok((await thrown(() => made.load(customer, "c9"))) instanceof NotFoundError);
});

test("of writers at once each takes effect once", async () => {
  const stores = await Promise.all([1, 2, 3, 4].map(() => store("race")));
  await stores[0].execute(account, "a", open, ada);
  const sent = Array.from({ length: 12 }, (_, n) => n).map(async (n) => {
    for (;;) {
      try {
        return await stores[n % 4].execute(account, "a", deposit(2 ** n), {
          ...ada,
          idempotencyKey: `k${n}`,
        });
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        assert.ok(error.attempts > 1 && error.actual > error.expected, `${error}`);
      }
    }
  });
  await Promise.all(sent);
  const state = await stores[0].load(account, "a");
  assert.deepEqual([state.balance, state.$meta.version], [500 + 2 ** 12 - 1, 13]);
  const { items } = await stores[1].events("a");
  assert.deepEqual(account.reduceEvents(items), state);
});

test("an idempotency key takes effect once, wherever it is repeated", async () => {
  const [one, two] = [await started("keys"), await started("keys", { cache: 0 })];
  await one.execute(account, "a", open, ada);
  const keyed = { ...ada, idempotencyKey: "pay-1" };
  const first = await one.execute(account, "a", deposit(7), keyed);
  for (const made of [one, two]) {
    const again = await made.execute(account, "a", deposit(7), keyed);
    assert.ok(again.repeated);
    assert.deepEqual([again.events, again.state], [first.events, first.state]);
    assert.ok(
      (await thrown(() => made.execute(account, "a", deposit(8), keyed))) instanceof KeyReusedError,
    );
  }
  assert.equal((await one.load(account, "a")).balance, 507);
});

test("an answer that is lost is asked for again, and the command takes effect once", async () => {
  let lose = 0;
  const lossy = meddling(async (target, pass) => {
    if (target !== "TransactWriteItems" || lose === 0) return undefined;
    lose -= 1;
    await pass();
    throw new TypeError("fetch failed");
  });
  const made = await started("lost", { fetch: lossy.fetch });
  await made.execute(account, "a", open, ada);
  lose = 2;
  const { state, cost } = await made.execute(account, "a", deposit(3), ada);
  assert.deepEqual([state.balance, cost.requests], [503, 3]);

  lose = 99;
  const gone = await thrown(() =>
    made.execute(account, "a", deposit(3), { ...ada, idempotencyKey: "k" }),
  );
  assert.ok(gone instanceof StoreError && gone.cause instanceof TypeError);
  assert.deepEqual([gone.retryable, gone.uncertain], [true, true]);
  lose = 0;
  const found = await made.execute(account, "a", deposit(3), { ...ada, idempotencyKey: "k" });
  assert.deepEqual([found.repeated, found.state.balance], [true, 506]);
});

test("what comes back is checked: its sum, its form, its status", async () => {
  const answers = {
    damaged: async (pass) => {
      const response = await pass();
      const text = (await response.text()).replace("ada", "eve");
      return new Response(text, { status: response.status, headers: response.headers });
    },
    garbage: async () => new Response("<html>bad gateway", { status: 502 }),
    half: async () => new Response('{"Item":', { status: 200 }),
    throttled: async () => new Response('{"__type":"x#ThrottlingException"}', { status: 400 }),
    failed: async () => new Response('{"__type":"x#InternalServerError"}', { status: 500 }),
  };
  for (const [name, answer] of Object.entries(answers)) {
    let times = 2;
    const odd = meddling((target, pass) =>
      target === "GetItem" && times-- > 0 ? answer(pass) : undefined,
    );
    const plain = await started(`odd-${name}`);
    await plain.execute(account, "a", open, ada);
    const made = await store(`odd-${name}`, { fetch: odd.fetch });
    times = 0;
    await thrown(() => made.load(account, "nobody"));
    times = 2;
    assert.equal((await made.load(account, "a")).accountHolderId, "ada", name);
    assert.equal(odd.calls.slice(-3).join(" "), "GetItem GetItem GetItem", name);
  }
  const denied = await started("denied");
  const refuses = await store("denied", {
    fetch: async () =>
      new Response('{"__type":"x#AccessDeniedException","Message":"not you"}', { status: 400 }),
  }).catch((error) => error);
  assert.ok(
    refuses instanceof StoreError && refuses.message.includes("AccessDeniedException"),
    `${refuses}`,
  );
  assert.deepEqual([refuses.retryable, refuses.uncertain], [false, false]);
  assert.ok((await thrown(() => denied.load(account, "x"))) instanceof NotFoundError);
});

test("a clock that is hours off is corrected, and mints rising ids", async () => {
  const plain = await started("clock");
  await plain.execute(account, "a", open, ada);
  for (const off of [-7_200_000, 7_200_000]) {
    const watched = meddling(() => {});
    const made = new DynamoStore({
      ...where(),
      tables: tables("clock"),
      fetch: watched.fetch,
      now: () => Date.now() + off,
    });
    const { state } = await made.execute(account, "a", deposit(1), ada);
    const updated = new Date(state.$meta.updatedAt).getTime();
    assert.ok(Math.abs(updated - Date.now()) < 60_000, `${state.$meta.updatedAt}`);
    // Refused once, and then right: who wrote the rows, the row, the transaction.
    assert.equal(watched.calls.join(" "), "GetItem GetItem GetItem TransactWriteItems");
    watched.calls.length = 0;
    await made.execute(account, "a", deposit(1), ada);
    assert.equal(watched.calls.length, 1);
  }
});

test("a wrong secret is told and not sent again", async () => {
  const watched = meddling(() => {});
  const credentials = { ...db.credentials, secretAccessKey: "wrong" };
  const made = new DynamoStore({
    ...where(),
    credentials,
    tables: tables("secret"),
    fetch: watched.fetch,
  });
  const error = await thrown(() => made.load(account, "a"));
  assert.ok(
    error instanceof StoreError && error.message.includes("InvalidSignatureException"),
    `${error}`,
  );
  assert.equal(watched.calls.length, 1);

  const asked = [];
  const later = await started("provided", {
    credentials: async () => (asked.push(1), db.credentials),
  });
  await later.execute(account, "a", open, ada);
  assert.ok(asked.length > 2);
  const none = new DynamoStore({
    ...where(),
    tables: tables("secret"),
    credentials: () => Promise.reject(new Error("no role")),
  });
  const without = await thrown(() => none.load(account, "a"));
  assert.ok(without instanceof StoreError && without.cause.message === "no role");
  const half = new DynamoStore({
    ...where(),
    tables: tables("secret"),
    credentials: () => ({ accessKeyId: "A" }),
  });
  assert.equal((await thrown(() => half.load(account, "a"))).issues[0].pointer, "/secretAccessKey");
});

test("rows of another reducer are not read", async () => {
  const names = ["Counter"];
  const define = (revision, times) =>
    defineAggregate({
      name: "Counter",
      decide: (_, command) => ({ eventName: "Counted", by: command.by }),
      evolve: (state, event) => ({ sum: (state?.sum ?? 0) + times * event.by }),
      revision,
    });
  const [old, now] = [define("1", 1), define("2", 10)];
  const made = await store("reducers", { tables: tables("reducers", names) });
  for (const by of [1, 2, 3]) await made.execute(old, "c", { type: "Count", by }, ada);
  assert.equal((await made.load(old, "c")).sum, 6);
  // The same program with another reducer: the row says 6, and the events say otherwise.
  const next = await store("reducers", { tables: tables("reducers", names) });
  assert.equal((await next.load(now, "c")).sum, 60);
  assert.equal((await next.execute(now, "c", { type: "Count", by: 4 }, ada)).state.sum, 100);
});

test("a state or an event that DynamoDB cannot hold is refused before it is sent", async () => {
  const watched = meddling(() => {});
  const names = tables("large", ["Big"]);
  const big = defineAggregate({
    name: "Big",
    decide: (_, command) => ({
      eventName: "Grown",
      text: "x".repeat(command.size),
      ...command.more,
    }),
    evolve: (_, event) => ({ size: event.text.length }),
  });
  const made = await store("large", { fetch: watched.fetch, tables: names });
  await made.execute(big, "b", { type: "Grow", size: 399_000 }, ada);
  watched.calls.length = 0;
  for (const [command, message] of [
    [{ type: "Grow", size: 410_000 }, /409600/],
    [{ type: "Grow", size: 1, more: { small: 1e-200 } }, /38 digits/],
  ]) {
    const error = await thrown(() => made.execute(big, "b", command, ada));
    assert.ok(error instanceof StoreError && !error.retryable, `${error}`);
    assert.match(error.message, message);
  }
  assert.ok(!watched.calls.includes("TransactWriteItems"));
  const nowhere = await thrown(() => made.execute(account, "a", open, ada));
  assert.match(nowhere.message, /BankAccount/);
});

test("options that are wrong are all named", async () => {
  const error = await thrown(() => new DynamoStore({ region: 5, cache: -1, fetch: "x" }));
  assert.ok(error instanceof InvalidDataError);
  const pointers = error.issues.map((issue) => issue.pointer);
  assert.deepEqual(pointers, ["/region", "/credentials", "/fetch", "/cache", "/tables"]);
  const names = { region: "eu-west-1", credentials: db.credentials };
  const inner = await thrown(
    () => new DynamoStore({ ...names, tables: { events: "e", aggregates: {} } }),
  );
  assert.deepEqual(
    inner.issues.map((issue) => issue.pointer),
    ["/helpers"],
  );
  const kinds = { events: "e", helpers: "h", aggregates: { BankAccount: 7 } };
  assert.equal(
    (await thrown(() => new DynamoStore({ ...names, tables: kinds }))).issues[0].pointer,
    "/BankAccount",
  );
  const place = await thrown(
    () => new DynamoStore({ ...names, tables: tables("x"), endpoint: "here" }),
  );
  assert.equal(place.issues[0].pointer, "/endpoint");
  const made = new DynamoStore({ ...names, tables: tables("x") }); // AWS's own endpoint; nothing is sent
  const order = await thrown(() =>
    made.execute(account, "a", open, { expectedVersion: -1, idempotencyKey: "" }),
  );
  assert.deepEqual(
    order.issues.map((issue) => issue.pointer),
    ["/actorId", "/expectedVersion", "/idempotencyKey"],
  );
});

/** A domain whose `decide` asks nothing of the state. */
const cart = (revision, times = 1) =>
  defineAggregate({
    name: "Cart",
    decide: (_, { type, price }) =>
      type === "Open" ? { eventName: "Opened" } : { eventName: "Added", price },
    evolve: (state, event) =>
      event.eventName === "Opened"
        ? { total: 0 }
        : { ...state, total: state.total.valueOf() + times * event.price },
    revision,
  });

test("what only an empty state cannot reduce is decided again on the real one", async () => {
  const carts = { tables: tables("permissive", ["Cart"]) };
  const [one, cold] = [
    await store("permissive", carts),
    await store("permissive", { ...carts, cache: 0 }),
  ];
  await one.execute(cart("1"), "c", { type: "Open" }, ada);
  const { state } = await cold.execute(cart("1"), "c", { type: "Add", price: 5 }, ada);
  assert.equal(state.total, 5);
  const never = await thrown(() => cold.execute(cart("1"), "d", { type: "Add", price: 5 }, ada));
  assert.equal(never.name, "ReduceError");
});

test("pages of events begin where they were asked to", async () => {
  const made = await started("places");
  const memory = new MemoryStore();
  for (const to of [made, memory]) {
    await to.execute(account, "a", open, ada);
    for (let n = 2; n <= 23; n += 1) await to.execute(account, "a", deposit(n), ada);
  }
  const versions = async (from, after, limit) => {
    const [seen, pages] = [[], []];
    let page = { next: after };
    do {
      page = await from.events("a", { after: page.next, limit });
      pages.push(page.items.length);
      seen.push(...page.items.map((event) => event.aggregateVersion));
      assert.ok(page.items.length <= limit && pages.length < 60, `${pages}`);
    } while (page.next !== null);
    return seen;
  };
  for (const after of [0, 1, 7, 12, 20, 22, 23, 40]) {
    for (const limit of [1, 2, 5, 100]) {
      const expected = await versions(memory, after, limit);
      assert.equal(expected.length, Math.max(23 - after, 0));
      assert.deepEqual(
        await versions(made, after, limit),
        expected,
        `after ${after}, ${limit} at once`,
      );
    }
  }
});

test("a number that would not come back is refused before anything is written", async () => {
  const names = { tables: tables("exact", ["Star"]) };
  const star = defineAggregate({
    name: "Star",
    decide: (_, command) => ({ eventName: "Seen", at: command.twice ? 2 ** 53 + 2 : command.at }),
    evolve: (state, event) => ({ sum: (state?.sum ?? 0) + event.at }),
  });
  const made = await store("exact", names);
  for (const to of [made, new MemoryStore()]) {
    await to.execute(star, "s", { type: "See", at: 2 ** 52 }, ada);
    for (const command of [{ at: 2 ** 53 }, { at: 1e21 }, { twice: true }, { at: 2 ** 52 }]) {
      const error = await thrown(() => to.execute(star, "s", { type: "See", ...command }, ada));
      assert.match(error.message, /2\^53/);
    }
    assert.equal((await to.load(star, "s")).$meta.version, 1);
  }
});

test("two reducers do not read each other's rows, and a rebuild makes them one's", async () => {
  const names = { tables: tables("rolling", ["Cart"]) };
  const [old, now] = [cart("1"), cart("2", 100)];
  const fresh = () => store("rolling", names);
  const first = await fresh();
  for (const id of ["a", "b", "c"]) {
    await first.execute(old, id, { type: "Open" }, ada);
    await first.execute(old, id, { type: "Add", price: 1 }, ada);
  }
  const second = await fresh();
  assert.equal((await second.execute(now, "a", { type: "Add", price: 1 }, ada)).state.total, 200);
  // Back to the old program: it has not read what the new one wrote.
  assert.equal((await (await fresh()).load(old, "a")).total, 2);
  assert.equal(
    (await (await fresh()).execute(old, "a", { type: "Add", price: 1 }, ada)).state.total,
    3,
  );

  const seen = [];
  const { rows, cost } = await second.rebuild(now, { progress: (rows) => seen.push(rows) });
  assert.deepEqual([rows, seen], [3, [1, 2, 3]]);
  assert.ok(cost.requests >= 10, `${cost.requests}`);
  const watched = meddling(() => {});
  const third = await store("rolling", { ...names, fetch: watched.fetch });
  const totals = await Promise.all(["a", "b", "c"].map((id) => third.load(now, id)));
  assert.deepEqual(
    totals.map((state) => state.total),
    [300, 100, 100],
  );
  assert.ok(!watched.calls.includes("Query"), watched.calls.join(" "));
  assert.equal((await (await fresh()).load(old, "b")).total, 1);
});

test("an answer that was lost stays uncertain, whatever comes after it", async () => {
  let lose = false;
  const lossy = meddling(async (target, pass) => {
    if (!lose || target !== "TransactWriteItems") return undefined;
    await pass();
    throw new TypeError("fetch failed");
  });
  const credentials = () => {
    if (lose && lossy.calls.at(-1) === "TransactWriteItems") throw new Error("the role is gone");
    return db.credentials;
  };
  const made = await started("uncertain", { fetch: lossy.fetch, credentials });
  await made.execute(account, "a", open, ada);
  lossy.calls.length = 0;
  lose = true;
  const error = await thrown(() => made.execute(account, "a", deposit(1), ada));
  assert.ok(error instanceof StoreError && error.uncertain && error.retryable, `${error}`);
  lose = false;
  assert.equal((await made.load(account, "a")).$meta.version, 2);
});

test("one id may be that of aggregates of two kinds", async () => {
  const made = await started("same", { cache: 0 });
  const blog = aggregate("BlogPost");
  await made.execute(account, "same", open, ada);
  const keyed = { ...ada, idempotencyKey: "k" };
  await made.execute(blog, "same", { type: "Create", title: "Events" }, keyed);
  assert.ok(
    (await made.execute(blog, "same", { type: "Create", title: "Events" }, keyed)).repeated,
  );
  await made.execute(account, "same", deposit(1), ada);
  assert.deepEqual(
    [(await made.load(account, "same")).balance, (await made.load(blog, "same")).title],
    [501, "Events"],
  );
});

test("the same domain asked for again is the same, and who wrote its rows is asked once", async () => {
  assert.equal(aggregate("Order"), aggregate("Order"));
  const watched = meddling(() => {});
  const made = await store("again", { fetch: watched.fetch, tables: tables("again", ["Cart"]) });
  await made.execute(cart("1"), "c", { type: "Open" }, ada);
  watched.calls.length = 0;
  for (let n = 0; n < 3; n += 1) await made.execute(cart("1"), "c", { type: "Add", price: 1 }, ada);
  assert.equal(watched.calls.join(" "), "TransactWriteItems TransactWriteItems TransactWriteItems");
});

test("commands of one store to one aggregate wait in line", async () => {
  const made = await started("line");
  await made.execute(account, "a", open, ada);
  const sent = Array.from({ length: 15 }, (_, n) =>
    made.execute(account, "a", deposit(n + 1), ada),
  );
  const costs = (await Promise.all(sent)).map(({ cost }) => cost.requests);
  assert.deepEqual(new Set(costs), new Set([1]));
  assert.equal((await made.load(account, "a")).balance, 620);
});

test("a DynamoDB that is not there is an error within seconds, with its cause", async () => {
  const start = performance.now();
  const nowhere = new DynamoStore({
    ...where(),
    endpoint: "http://127.0.0.1:9",
    tables: tables("x"),
  });
  const error = await thrown(() => nowhere.load(account, "a"));
  assert.ok(
    error instanceof StoreError && error.retryable && error.cause instanceof TypeError,
    `${error}`,
  );
  assert.ok(performance.now() - start < 20_000);
});

test("a clock that jumps is corrected before an event carries its time", async () => {
  let off = 0;
  const made = await started("jump", { now: () => Date.now() + off });
  await made.execute(account, "a", open, ada);
  off = 3 * 86_400_000;
  const { state } = await made.execute(account, "a", deposit(1), ada);
  assert.ok(Math.abs(new Date(state.$meta.updatedAt) - Date.now()) < 60_000, state.$meta.updatedAt);
});
