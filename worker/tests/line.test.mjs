// Hot aggregates: a crowd on one account waits in line.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { token, workerd } from "../edge.mjs";
import { BUNDLE, SECRET, account, client, dynamodb, edge, variables, whole } from "./harness.mjs";

const CROWD = 32;

let db;

before(async () => {
  db = await dynamodb();
});

after(() => db?.stop());

const crowd = (asking, id, more = {}) =>
  Promise.all(
    Array.from({ length: CROWD }, (_, n) =>
      asking.command("BankAccount", id, "Deposit", {
        amount: 1,
        transactionReference: `r${n}`,
        ...more,
      }),
    ),
  );

test("in line nobody races: a crowd takes one request each", async () => {
  const front = await edge(db, { vars: { HOT_AGGREGATES: "BankAccount", NUDGE: "off" } });
  try {
    const id = await account(front.client);
    await db.ask({ count: true });
    const answers = await crowd(front.client, id);
    for (const { status, text } of answers) assert.equal(status, 200, text);
    const { actions } = await db.ask({ count: true });
    assert.deepEqual(actions, { TransactWriteItems: CROWD });
    const versions = answers.map(({ body }) => body.state.$meta.version).sort((a, b) => a - b);
    assert.deepEqual(
      versions,
      Array.from({ length: CROWD }, (_, n) => n + 2),
    );
    const { state } = await whole(front.client, "BankAccount", id);
    assert.equal(state.balance, CROWD);
  } finally {
    await front.stop();
  }
});

test("out of line the same crowd gets through as well, at the price of races", async () => {
  const front = await edge(db);
  try {
    const id = await account(front.client);
    const answers = await crowd(front.client, id);
    const good = answers.filter(({ status }) => status === 200).length;
    for (const { status, body } of answers)
      assert.ok(status === 200 || body.code === "contention", JSON.stringify(body));
    const { state } = await whole(front.client, "BankAccount", id);
    assert.equal(state.balance, good);
  } finally {
    await front.stop();
  }
});

test("a line lets nobody in who may not, and says what is wrong as the front does", async () => {
  const front = await edge(db, { vars: { HOT_AGGREGATES: "BankAccount" } });
  try {
    const id = await account(front.client);
    const reader = client(front.url, { scope: "*:read" });
    const refused = await crowd(reader, id);
    assert.ok(refused.every(({ status }) => status === 403));
    const wrong = await front.client.command("BankAccount", id, "Deposit", { amount: -1 });
    assert.deepEqual([wrong.status, wrong.body.issues.length], [400, 2]);
    assert.equal((await whole(front.client, "BankAccount", id)).events.length, 1);
    // What is not hot goes its own way.
    const other = await front.client.command("Customer", "c1", "Register", {
      email: "ada@example.com",
      name: "Ada",
    });
    assert.equal(other.status, 201);
  } finally {
    await front.stop();
  }
});

test("who sends a body slowly keeps nobody waiting", async () => {
  const front = await edge(db, { vars: { HOT_AGGREGATES: "BankAccount" } });
  const { hostname, port } = new URL(front.url);
  const slow = connect(Number(port), hostname);
  try {
    const id = await account(front.client);
    const lines = [
      `POST /aggregates/BankAccount/${id}/commands/Deposit HTTP/1.1`,
      `host: ${hostname}`,
      `authorization: Bearer ${token(SECRET)}`,
      "content-type: application/json",
      "content-length: 40",
    ];
    slow.write(`${lines.join("\r\n")}\r\n\r\n{`);
    await new Promise((later) => setTimeout(later, 200));
    const begun = performance.now();
    const answers = await crowd(front.client, id);
    assert.ok(answers.every(({ status }) => status === 200));
    // Its body has ten seconds.
    assert.ok(performance.now() - begun < 8_000);
  } finally {
    slow.destroy();
    await front.stop();
  }
});

test("a line that was asked for and is not there is an honest error", async () => {
  const vars = variables(db, { HOT_AGGREGATES: "BankAccount" });
  const front = await workerd({ bundle: BUNDLE, vars, hot: false });
  try {
    const fields = { accountHolderId: "ada", currency: "EUR" };
    const { status, body } = await client(front.url).command("BankAccount", "x", "Open", fields);
    assert.deepEqual([status, body.code, body.uncertain], [503, "line-unavailable", true]);
  } finally {
    await front.stop();
  }
});
