// The vectors that Rust reads as well: the same state and command make the same events, state and DynamoDB transaction.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { aggregate, DynamoStore } from "../dist/node.js";
import { root } from "./harness.mjs";

const vectors = JSON.parse(readFileSync(`${root}core/tests/golden/vectors.json`, "utf8"));
const names = ["BankAccount", "Order", "Customer", "BlogPost"];
const tables = {
  events: "events",
  helpers: "helpers",
  aggregates: Object.fromEntries(names.map((name) => [name, `table-${name}`])),
};

for (const vector of vectors) {
  test(`agreed: ${vector.name}`, async () => {
    const { id, actorId, now, state, command, idempotencyKey, row } = vector;
    const kind = aggregate(vector.aggregate);
    const random = Uint8Array.from(Buffer.from(vector.random, "hex"));
    const events = kind.decide(state, command, { id, actorId, now, random });
    assert.equal(JSON.stringify(events), JSON.stringify(vector.events));
    assert.deepEqual(kind.reduceEvents(events, state), vector.after);

    const sent = [];
    const store = new DynamoStore({
      region: "eu-west-1",
      credentials: { accessKeyId: "A", secretAccessKey: "B" },
      tables,
      now: () => now,
      random: () => random,
      fetch: async (_, { body, headers }) => {
        const target = new Headers(headers).get("x-amz-target").split(".")[1];
        if (target === "TransactWriteItems") sent.push(body);
        const isRow = target === "GetItem" && JSON.parse(body).TableName.startsWith("table-");
        return new Response(isRow && row ? JSON.stringify({ Item: row }) : "{}");
      },
    });
    const options = idempotencyKey ? { actorId, idempotencyKey } : { actorId };
    const done = await store.execute(kind, id, command, options);
    assert.deepEqual(done.state, vector.after);
    assert.deepEqual(sent, [JSON.stringify(vector.transaction)]);
  });
}
