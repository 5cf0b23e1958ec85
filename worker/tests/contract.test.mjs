// The store's contract, by way of the edge; and what is left of an isolate whose WebAssembly trapped.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CONTRACT, account, dynamodb, edge, whole } from "./harness.mjs";

let db, front;

before(async () => {
  db = await dynamodb();
  front = await edge(db, { bundle: CONTRACT });
});

after(async () => {
  await front?.stop();
  await db?.stop();
});

test("DynamoDB by way of the edge keeps the store's contract", async () => {
  const { status, text } = await front.client.post("/contract");
  assert.equal(status, 200, text);
  assert.deepEqual(JSON.parse(text), []);
  const { actions } = await db.ask({ count: true });
  assert.ok(actions.TransactWriteItems > 20, JSON.stringify(actions));
});

for (const hot of ["", "BankAccount"])
  test(`a trap is one request's error, and the next one is served; hot: ${hot || "none"}`, async () => {
    const front = await edge(db, { bundle: CONTRACT, vars: { HOT_AGGREGATES: hot } });
    try {
      await trapped(front);
    } finally {
      await front.stop();
    }
  });

async function trapped(front) {
  const id = await account(front.client, 3);
  for (let times = 0; times < 3; times += 1) {
    // The runtime's own: what would have written another is dead.
    const { status } = await front.client.post("/trap");
    assert.equal(status, 500);
    const next = await front.client.command("BankAccount", id, "Deposit", {
      amount: 1,
      transactionReference: "r",
    });
    assert.equal(next.status, 200, next.text);
  }
  assert.equal((await whole(front.client, "BankAccount", id)).state.balance, 6);
}
