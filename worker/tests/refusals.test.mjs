// What a view is not asked, and what is not answered: each is refused with its reason.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { client, dynamodb, edge } from "./harness.mjs";

let db, front, ask;

before(async () => {
  db = await dynamodb();
  front = await edge(db);
  ({ ask } = front.client);
});

after(async () => {
  await front?.stop();
  await db?.stop();
});

const nonsense = (key) => Buffer.from(JSON.stringify(key)).toString("base64url");
for (const [query, names] of [
  ["color=red", /color/],
  ["email=a&status=ACTIVE&openedAt=1", /openedAt/],
  ["limit=0", /limit/],
  ["limit=many", /limit/],
  ["cursor=nonsense", /cursor/],
  ["cursor=", /cursor/],
  ["token=nonsense", /token/],
  [`token=${encodeURIComponent("/aggregates/Customer/c1@0")}`, /token/],
  [`token=${encodeURIComponent("/aggregates/Order/o1@1")}`, /Customer/],
])
  test(`a view is not asked ${query}`, async () => {
    const { status, body, text } = await ask(`/views/customers?${query}`);
    assert.equal(status, 400, text);
    assert.match(text, names);
    assert.ok(body.code);
  });

for (const query of [
  `cursor=${nonsense(["", ""])}`,
  `email=a&cursor=${nonsense(["elsewhere", "c1"])}`,
  `status=ACTIVE&cursor=${nonsense(["#a@example.com", "c1"])}`,
])
  test(`a cursor of something else is no cursor: ${query}`, async () => {
    const { status, text } = await ask(`/views/customers?${query}`);
    assert.equal(status, 400, text);
    assert.match(text, /cursor/);
  });

test("what is not there is 404, what is not done 405, what is not allowed 403", async () => {
  const missing = await ask("/views/nothing");
  assert.deepEqual([missing.status, missing.body.code], [404, "unknown-view"]);
  assert.match(missing.body.detail, /account-balances/);
  for (const path of ["/views/customers/a/b", "/feed/nothing/dead-letters", "/feed/orders/more"])
    assert.equal((await ask(path)).status, 404, path);
  // Together two fields of an order's indexes make none.
  const together = await ask("/views/account-balances?openedAt=2026");
  assert.equal(together.status, 400, together.text);
  assert.match(together.body.issues[0].message, /accountHolderId/);
  for (const [method, path] of [
    ["POST", "/views/customers"],
    ["DELETE", "/views/customers/a"],
    ["GET", "/feed/sweep"],
    ["POST", "/feed"],
  ]) {
    const refused = await ask(path, { method });
    assert.equal(refused.status, 405, path);
    assert.ok(refused.headers.get("allow"), path);
  }
  const reader = client(front.url, { scope: "Customer:read" });
  assert.equal((await reader.ask("/views")).status, 200);
  assert.equal((await reader.ask("/views/customers")).status, 200);
  for (const path of ["/views/orders", "/views/orders/o1", "/feed", "/feed/customers/dead-letters"])
    assert.equal((await reader.ask(path)).status, 403, path);
  const stranger = await fetch(`${front.url}/views/customers`);
  assert.equal(stranger.status, 401);
  const watcher = client(front.url, { scope: "feed:read" });
  assert.equal((await watcher.ask("/feed")).status, 200);
  for (const path of ["/feed/sweep", "/feed/orders/rebuild", "/feed/orders/dead-letters/o1/1/skip"])
    assert.equal((await watcher.post(path)).status, 403, path);
});
