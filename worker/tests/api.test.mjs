// Every route, through HTTP, in the runtime, on DynamoDB.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { SECRET, account, client, dynamodb, edge, events, whole } from "./harness.mjs";
import { token } from "../edge.mjs";

let db, front, ask, post, command;

before(async () => {
  db = await dynamodb();
  front = await edge(db, {
    vars: { OPEN: "health openapi", CORS_ORIGINS: "https://app.example", MAX_BODY_BYTES: "2000" },
  });
  ({ ask, post, command } = front.client);
});

after(async () => {
  await front?.stop();
  await db?.stop();
});

const deposit = (id, amount, headers) =>
  command("BankAccount", id, "Deposit", { amount, transactionReference: "r" }, headers);

/** What DynamoDB was asked since the last time. */
const asked = async () => {
  const { actions } = await db.ask({ count: true });
  return actions;
};

test("a command answers with its events, the state, what it cost and where it is", async () => {
  const id = `o/1 ü-${randomUUID()}`;
  const items = [{ productId: "p", quantity: 2, price: 150 }];
  const created = await command("Order", id, "Create", { customerId: "c", items });
  assert.equal(created.status, 201, created.text);
  assert.equal(created.headers.get("location"), `/aggregates/Order/${encodeURIComponent(id)}`);
  assert.equal(created.headers.get("etag"), '"1"');
  assert.match(
    created.headers.get("server-timing"),
    /^dynamodb;desc="requests=1 rcu=0 wcu=\d+", total;dur=\d+$/,
  );
  const { events, state, cost, repeated } = created.body;
  assert.deepEqual(Object.keys(created.body), ["events", "state", "cost", "token", "repeated"]);
  assert.equal(events.length, 1);
  assert.equal(events[0].actorId, "developer");
  assert.equal(events[0].eventName, "OrderCreated");
  assert.equal(state.totalAmount, 300);
  assert.deepEqual(
    [state.$meta.id, state.$meta.version, repeated, cost.requests],
    [id, 1, false, 1],
  );

  const confirmed = await command("Order", id, "Confirm");
  assert.equal(confirmed.status, 200);
  assert.equal(confirmed.headers.get("location"), null);
  const found = await ask(created.headers.get("location"));
  assert.deepEqual(found.body, confirmed.body.state);
  const again = await command("Order", id, "Confirm");
  assert.deepEqual([again.status, again.body.code], [409, "not-pending"]);
});

test("who acts is who the token says, and the conversation is carried on", async () => {
  const ada = client(front.url, { sub: "ada" });
  const id = `a-${randomUUID()}`;
  const fields = { accountHolderId: "x", currency: "EUR" };
  const headers = {
    "x-correlation-id": "talk-1",
    "x-causation-id": "cause-1",
    "x-command-id": "c-1",
  };
  const { body, headers: sent } = await ada.command("BankAccount", id, "Open", fields, headers);
  const [{ actorId, correlationId, causationId, commandId }] = body.events;
  assert.deepEqual(
    [actorId, correlationId, causationId, commandId],
    ["ada", "talk-1", "cause-1", "c-1"],
  );
  assert.equal(sent.get("x-correlation-id"), "talk-1");
  const [stored] = await events(ada, "BankAccount", id);
  assert.equal(stored.correlationId, "talk-1");
  const none = await deposit(id, 1);
  assert.match(none.body.events[0].correlationId, /^[0-9A-Z]{26}$/);
  assert.equal(none.body.events[0].correlationId, none.headers.get("x-correlation-id"));
  const claimed = await ada.command("BankAccount", id, "Deposit", {
    amount: 1,
    transactionReference: "r",
    actorId: "eve",
  });
  assert.deepEqual([claimed.status, claimed.body.issues[0].pointer], [400, "/actorId"]);
});

test("requests to DynamoDB: new 1, warm 1, cold 2, a conflict one more, a rejection on a warm state 1", async () => {
  // What views ask for behind an answer is counted elsewhere.
  const vars = { NUDGE: "off" };
  const [one, other] = [await edge(db, { vars }), await edge(db, { vars })];
  const more = ({ client }, id, amount, name = "Deposit") =>
    client.command("BankAccount", id, name, { amount, transactionReference: "r" });
  try {
    // By now it is known who wrote the rows.
    for (const { client } of [one, other]) await account(client);
    await asked();
    const id = await account(one.client);
    assert.deepEqual(await asked(), { TransactWriteItems: 1 });
    const warm = await more(one, id, 500);
    assert.deepEqual(await asked(), { TransactWriteItems: 1 });
    assert.equal(warm.body.cost.requests, 1);
    const cold = await more(other, id, 1);
    assert.equal(cold.body.cost.requests, 2);
    assert.deepEqual(await asked(), { GetItem: 1, TransactWriteItems: 1 });
    const conflict = await more(one, id, 1);
    assert.equal(conflict.body.state.balance, 502);
    assert.deepEqual(await asked(), { TransactWriteItems: 2 });
    const refused = await more(one, id, 503, "Withdraw");
    assert.deepEqual([refused.status, refused.body.code], [409, "insufficient-funds"]);
    assert.deepEqual(await asked(), { GetItem: 1 });
  } finally {
    await one.stop();
    await other.stop();
  }
});

test("what a cache believes is never answered: a rejection and a read see what others wrote", async () => {
  const other = await edge(db);
  try {
    const id = await account(front.client, 100);
    await other.client.command("BankAccount", id, "Deposit", {
      amount: 900,
      transactionReference: "r",
    });
    // Here the balance was 100 a moment ago.
    const drawn = await command("BankAccount", id, "Withdraw", {
      amount: 1000,
      transactionReference: "r",
    });
    assert.equal(drawn.status, 200, drawn.text);
    await other.client.command("BankAccount", id, "Deposit", {
      amount: 7,
      transactionReference: "r",
    });
    assert.equal((await ask(`/aggregates/BankAccount/${id}`)).body.balance, 7);
    await whole(front.client, "BankAccount", id);
  } finally {
    await other.stop();
  }
});

test("a pinned version is held to, and creation alone can be asked for", async () => {
  const id = await account(front.client);
  assert.equal((await deposit(id, 1, { "if-match": '"1"' })).status, 200);
  const late = await deposit(id, 1, { "if-match": '"1"' });
  assert.deepEqual(
    [late.status, late.body.code, late.body.expected, late.body.actual],
    [412, "version-mismatch", 1, 2],
  );
  const open = { accountHolderId: "ada", currency: "EUR" };
  const twice = await command("BankAccount", id, "Open", open, { "if-none-match": "*" });
  assert.deepEqual([twice.status, twice.body.expected], [412, 0]);
  const fresh = await command("BankAccount", `a-${randomUUID()}`, "Open", open, {
    "if-none-match": "*",
  });
  assert.equal(fresh.status, 201);
  for (const headers of [
    { "if-match": "1" },
    { "if-match": "*" },
    { "if-match": 'W/"2"' },
    { "if-none-match": '"2"' },
  ])
    assert.equal((await deposit(id, 1, headers)).status, 400, JSON.stringify(headers));
  assert.equal((await whole(front.client, "BankAccount", id)).events.length, 2);
});

test("a key takes effect once, the repeat gets the first answer, and another command is told so", async () => {
  const id = await account(front.client);
  const key = { "idempotency-key": `"k-${randomUUID()}"` };
  const first = await deposit(id, 5, key);
  await deposit(id, 1);
  const repeat = await deposit(id, 5, key);
  assert.deepEqual([repeat.status, repeat.body.repeated], [200, true]);
  assert.deepEqual(repeat.body.events, first.body.events);
  assert.deepEqual(repeat.body.state, first.body.state);
  const bare = await deposit(id, 5, { "idempotency-key": key["idempotency-key"].slice(1, -1) });
  assert.equal(bare.body.repeated, true);
  const reused = await deposit(id, 6, key);
  assert.deepEqual([reused.status, reused.body.code], [422, "idempotency-key-reused"]);
  // Whoever else has the same key has another.
  const eve = client(front.url, { sub: "eve" });
  const hers = await eve.command(
    "BankAccount",
    id,
    "Deposit",
    { amount: 5, transactionReference: "r" },
    key,
  );
  assert.deepEqual([hers.status, hers.body.repeated], [200, false]);
  assert.equal((await whole(front.client, "BankAccount", id)).state.balance, 11);
});

test("the past: a state at a version and at a time", async () => {
  const id = await account(front.client, 100);
  const times = [];
  for (const amount of [1, 2, 3]) {
    const { body } = await deposit(id, amount);
    times.push(body.state.$meta.updatedAt);
  }
  const at = async (query) => (await ask(`/aggregates/BankAccount/${id}?${query}`)).body;
  assert.deepEqual((await at("version=1")).balance, 100);
  assert.deepEqual((await at("version=3")).balance, 103);
  assert.equal((await at("version=4")).balance, 106);
  const past = await at(`at=${times[1]}`);
  assert.deepEqual([past.balance, past.$meta.version], [103, 3]);
  assert.equal((await at(`at=${new Date(Date.now() + 60_000).toISOString()}`)).balance, 106);
  // The same instant, written elsewhere on the globe.
  const shifted = new Date(Date.parse(times[1]) + 2 * 3_600_000)
    .toISOString()
    .replace("Z", "+02:00");
  assert.equal((await at(`at=${encodeURIComponent(shifted)}`)).balance, 103);
  assert.equal((await at(`at=${shifted}`)).balance, 103);
  const refused = [
    ["version=5", 404, "not-reached"],
    ["at=2020-01-01T00:00:00Z", 404, "not-found"],
    ["version=0", 400, "invalid"],
    ["version=-1", 400, "invalid"],
    ["version=1.5", 400, "invalid"],
    ["at=yesterday", 400, "invalid"],
    ["version=1&at=2020-01-01T00:00:00Z", 400, "invalid"],
    ["version=1&version=2", 400, "invalid"],
    ["versoin=1", 400, "invalid"],
  ];
  for (const [query, status, code] of refused) {
    const { status: found, body } = await ask(`/aggregates/BankAccount/${id}?${query}`);
    assert.deepEqual([found, body.code], [status, code], query);
  }
});

test("a known state is not sent again, and a HEAD has no body", async () => {
  const id = await account(front.client);
  const path = `/aggregates/BankAccount/${id}`;
  const known = await ask(path, { headers: { "if-none-match": '"7", W/"1"' } });
  assert.deepEqual([known.status, known.text, known.headers.get("etag")], [304, "", '"1"']);
  assert.equal((await ask(path, { headers: { "if-none-match": '"2"' } })).status, 200);
  const head = await ask(path, { method: "HEAD" });
  assert.deepEqual([head.status, head.text, head.headers.get("etag")], [200, "", '"1"']);
});

test("events come in pages of any size, with a cursor that goes on where it was", async () => {
  const id = await account(front.client);
  for (let n = 1; n < 12; n += 1) await deposit(id, n);
  const all = await events(front.client, "BankAccount", id, 1000);
  assert.equal(all.length, 12);
  for (const limit of [1, 2, 5, 11, 12]) {
    assert.deepEqual(
      await events(front.client, "BankAccount", id, limit),
      all,
      `pages of ${limit}`,
    );
  }
  const path = `/aggregates/BankAccount/${id}/events`;
  assert.deepEqual((await ask(`${path}?after=10`)).body.items.length, 2);
  const page = (await ask(`${path}?limit=5`)).body;
  await deposit(id, 99); // what is written between two pages belongs to the second
  const rest = (await ask(`${path}?after=${page.next}`)).body;
  assert.deepEqual(
    rest.items.map((event) => event.aggregateVersion),
    [6, 7, 8, 9, 10, 11, 12, 13],
  );
  assert.equal(rest.next, null);
  assert.deepEqual((await ask("/aggregates/BankAccount/nobody/events")).body, {
    items: [],
    next: null,
  });
  for (const query of ["after=x", "after=1.x", "after=-1", "limit=0", "limit=1001", "limit=ten"])
    assert.equal((await ask(`${path}?${query}`)).status, 400, query);
});

test("aggregates are listed, a page at a time", async () => {
  const ids = new Set();
  for (let n = 0; n < 7; n += 1) {
    const id = `c-${randomUUID()}`;
    ids.add(id);
    await command("Customer", id, "Register", { email: "ada@example.com", name: "Ada" });
  }
  const found = [];
  let cursor = "";
  do {
    const { body } = await ask(`/aggregates/Customer?limit=2${cursor && `&cursor=${cursor}`}`);
    assert.ok(body.items.length <= 2);
    found.push(...body.items);
    cursor = body.next && encodeURIComponent(body.next);
  } while (cursor);
  assert.deepEqual(new Set(found.map((meta) => meta.id)), ids);
  assert.equal(found.length, 7);
  assert.deepEqual(Object.keys(found[0]), ["id", "version", "actorId", "updatedAt"]);
});

test("what cannot be is refused with its status, and says what to do", async () => {
  const id = await account(front.client);
  const path = `/aggregates/BankAccount/${id}`;
  const raw = (body, type) =>
    ask(`${path}/commands/Deposit`, {
      method: "POST",
      body,
      headers: type ? { "content-type": type } : {},
    });
  const table = [
    [await ask("/nothing"), 404, "unknown-path"],
    [await ask("/aggregates/Nobody/x"), 404, "unknown-aggregate"],
    [await ask("/aggregates/BankAccount/nobody"), 404, "not-found"],
    [await command("BankAccount", id, "Burn", {}), 404, "unknown-command"],
    [await deposit("nobody", 1), 404, "not-found"],
    [await ask(path, { method: "DELETE" }), 405, "method-not-allowed"],
    [await ask(`${path}/commands/Deposit`), 405, "method-not-allowed"],
    [await ask(path, { headers: { accept: "text/html" } }), 406, "not-acceptable"],
    [await ask(path, { headers: { accept: "application/json;q=0, */*" } }), 406, "not-acceptable"],
    [await raw("{}", "text/plain"), 415, "unsupported-media-type"],
    [await raw("a".repeat(2001), "application/json"), 413, "too-large"],
    [await raw("{", "application/json"), 400, "invalid"],
    [await raw("[]", "application/json"), 400, "invalid"],
    [await raw(new Uint8Array([0x22, 0xff, 0x22]), "application/json"), 400, "invalid"],
    [
      await raw('{"amount":1,"transactionReference":"\\ud800"}', "application/json"),
      400,
      "invalid",
    ],
    [await raw("[".repeat(1500), "application/json"), 400, "invalid"],
    [await raw('{"amount":1e400,"transactionReference":"r"}', "application/json"), 400, "invalid"],
    [
      await raw('{"amount":9007199254740993,"transactionReference":"r"}', "application/json"),
      400,
      "invalid",
    ],
    [await deposit(id, 1, { "idempotency-key": "k".repeat(256) }), 400, "invalid"],
    [await ask(`/aggregates/BankAccount/${"x".repeat(513)}`), 400, "invalid"],
    [await ask("/aggregates/BankAccount/%ff"), 400, "invalid"],
    [await ask("/aggregates/BankAccount/%00"), 400, "invalid"],
  ];
  for (const [{ status, body, headers }, expected, code] of table) {
    assert.deepEqual([status, body.code], [expected, code], JSON.stringify(body));
    assert.equal(headers.get("content-type"), "application/problem+json");
    assert.equal(body.type, `urn:rewound:problem:${code}`);
    assert.ok(body.detail.length > 10);
  }
  assert.equal(table[5][0].headers.get("allow"), "GET, HEAD");
  const many = await command("BankAccount", id, "Deposit", { amount: -1, refrence: "x" });
  assert.deepEqual(
    many.body.issues.map((issue) => issue.pointer),
    ["/amount", "/transactionReference", "/refrence"],
  );
  assert.equal((await whole(front.client, "BankAccount", id)).events.length, 1);
});

test("a body that comes without its length is cut off at the limit as well", async () => {
  const id = await account(front.client);
  let left = 3; // so few that all are sent before the answer comes
  const long = new ReadableStream({
    pull(controller) {
      if ((left -= 1) < 0) controller.close();
      else controller.enqueue(new Uint8Array(1000).fill(32));
    },
  });
  const { status, body } = await ask(`/aggregates/BankAccount/${id}/commands/Deposit`, {
    method: "POST",
    body: long,
    duplex: "half",
    headers: { "content-type": "application/json" },
  });
  assert.deepEqual([status, body.code], [413, "too-large"]);
});

test("a method that nobody knows is refused, and a header that says nothing is not the same as none", async () => {
  const id = await account(front.client);
  const path = `/aggregates/BankAccount/${id}`;
  for (const method of ["PROPFIND", "PURGE", "LOCK"]) {
    const { status, body } = await ask(path, { method });
    assert.deepEqual([status, body.code], [405, "method-not-allowed"], method);
  }
  // An empty If-Match does not come through the runtime; the core refuses it.
  for (const headers of [{ "idempotency-key": "" }, { "idempotency-key": "a, b" }])
    assert.equal((await deposit(id, 5, headers)).status, 400, JSON.stringify(headers));
  const head = await ask(`${path}/events`, {
    method: "HEAD",
    headers: { accept: "text/event-stream, application/json" },
  });
  assert.deepEqual([head.status, head.headers.get("content-type")], [200, "application/json"]);
  assert.equal((await whole(front.client, "BankAccount", id)).events.length, 1);
});

test("pages of the allowed origins may ask, and no others", async () => {
  const id = await account(front.client);
  const preflight = (origin) =>
    fetch(`${front.url}/aggregates/BankAccount/${id}/commands/Deposit`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST" },
    });
  const allowed = await preflight("https://app.example");
  assert.equal(allowed.status, 204);
  assert.equal(allowed.headers.get("access-control-allow-origin"), "https://app.example");
  assert.match(
    allowed.headers.get("access-control-allow-headers"),
    /Authorization.*Idempotency-Key/,
  );
  assert.equal(allowed.headers.get("vary"), "Origin");
  const other = await preflight("https://evil.example");
  assert.equal(other.headers.get("access-control-allow-origin"), null);
  const answer = await deposit(id, 1, { origin: "https://app.example" });
  assert.equal(answer.headers.get("access-control-allow-origin"), "https://app.example");
  for (const name of ["ETag", "Location", "Server-Timing", "Retry-After"])
    assert.ok(answer.headers.get("access-control-expose-headers").includes(name));
  const refused = await fetch(`${front.url}/aggregates/BankAccount/${id}`, {
    headers: { origin: "https://app.example" },
  });
  assert.deepEqual(
    [refused.status, refused.headers.get("access-control-allow-origin")],
    [401, "https://app.example"],
  );
});

test("the description is OpenAPI, and every command it names can be sent", async () => {
  const { body: document } = await ask("/openapi.json");
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(validator.version, "3.1");
  let commands = 0;
  for (const path of Object.keys(document.paths).filter((path) => path.includes("/commands/"))) {
    const { status, body } = await post(path.replace("{id}", `x-${randomUUID()}`), { nonsense: 1 });
    assert.deepEqual([status, body.code], [400, "invalid"], path);
    commands += 1;
  }
  assert.equal(commands, 18);
});

test("numbers are told to Prometheus, and add up", async () => {
  const read = async () => {
    const { text } = await quiet.client.ask("/metrics");
    const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
    return new Map(
      lines
        .map((line) => [line.replace(/isolate="\w+",?/, ""), Number(line.split(" ").at(-1))])
        .map(([line, value]) => [line.slice(0, line.lastIndexOf(" ")), value]),
    );
  };
  // All that is asked of DynamoDB is asked before an answer, and counted with it.
  const quiet = await edge(db, { vars: { NUDGE: "off" } });
  const { command } = quiet.client;
  await db.ask({ count: true });
  const before = await read();
  const id = await account(quiet.client);
  await command("BankAccount", id, "Deposit", { amount: 1, transactionReference: "r" });
  await command("BankAccount", id, "Withdraw", { amount: 99, transactionReference: "r" });
  const { passed } = await db.ask({ count: true });
  const after = await read();
  await quiet.stop();
  const more = (name) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  assert.equal(more('rewound_commands_total{aggregate="BankAccount",outcome="recorded"}'), 2);
  assert.equal(
    more('rewound_commands_total{aggregate="BankAccount",outcome="insufficient-funds"}'),
    1,
  );
  assert.equal(more('rewound_events_total{aggregate="BankAccount"}'), 2);
  // What an isolate asks once, who wrote the rows, is nobody's.
  assert.equal(more("rewound_dynamodb_requests_total{}"), passed - 1);
  assert.equal(more('rewound_http_requests_total{route="command",status="409"}'), 1);
});

test("a log line says what happened, and holds no secret and no payload", async () => {
  const id = `secret-id-${randomUUID()}`;
  const sent = { accountHolderId: "very-private", currency: "EUR" };
  const headers = { "x-correlation-id": `log-${id}`, "idempotency-key": "hidden-key" };
  await command("BankAccount", id, "Open", sent, headers);
  await ask(`/aggregates/BankAccount/${id}?version=1`);
  await fetch(`${front.url}/aggregates/BankAccount/${id}`, {
    headers: { authorization: "Bearer forged.tok.en" },
  });
  for (
    let wait = 0;
    wait < 50 && !front.lines.some((line) => line.includes(`log-${id}`));
    wait += 1
  )
    await new Promise((done) => setTimeout(done, 20));
  const line = JSON.parse(front.lines.find((line) => line.includes(`log-${id}`)));
  assert.deepEqual(
    [line.method, line.route, line.status, line.actor, line.cost.requests],
    ["POST", "command", 201, "developer", 1],
  );
  const log = front.lines.join("\n").replaceAll(`log-${id}`, "");
  const bearer = token(SECRET).split(".")[2];
  for (const secret of [
    SECRET,
    bearer,
    "Bearer",
    "very-private",
    "forged.tok.en",
    "hidden-key",
    id,
    db.ready.secretAccessKey,
    "AWS4-HMAC",
  ])
    assert.ok(!log.includes(secret), `the log holds ${secret}`);
});
