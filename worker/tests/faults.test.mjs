// What breaks between the edge and DynamoDB, breaks here: clients get a right answer or an honest error, and afterwards
// every stream is whole, every key took effect once, and no cent was made or lost.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { account, certainly, dynamodb, edge, seeded, whole } from "./harness.mjs";

const FAULTS = ["lost", "error", "throttle", "conflict", "slow", "cut", "garbage", "type"];

let db, front, command;

before(async () => {
  db = await dynamodb();
  // Less than a slow answer takes: its outcome is not known in time.
  front = await edge(db, { vars: { STORE_TIMEOUT_MS: "200" } });
  ({ command } = front.client);
  await account(front.client);
});

after(async () => {
  await front?.stop();
  await db?.stop();
});

const deposit = (id, amount, transactionReference, key) => {
  const headers = key && { "idempotency-key": key };
  return command("BankAccount", id, "Deposit", { amount, transactionReference }, headers);
};

/** Breaks every so-manieth request in one of these ways while `work` is done; gives how often. */
async function broken(order, work) {
  await db.ask({ count: true });
  assert.deepEqual(await db.ask(order), { ok: true });
  try {
    await work();
  } finally {
    await db.ask({ faults: [] });
  }
  return (await db.ask({ count: true })).faults;
}

for (const fault of [...FAULTS, "all of them"]) {
  test(`under ${fault}, with keys: each command takes effect once, and the client gets to know`, async () => {
    const ids = await Promise.all([1, 2, 3].map(() => account(front.client)));
    const faults = fault === "all of them" ? FAULTS : [fault];
    const answers = new Map();
    const seen = await broken({ faults, every: 3 }, async () => {
      const sender = async (number) => {
        for (let n = 0; n < 8; n += 1) {
          const [id, reference] = [ids[(number + n) % 3], `${number}-${n}`];
          const key = `key-${fault}-${reference}`;
          const answer = await certainly(() => deposit(id, 1 + n, reference, key));
          assert.equal(answer.status, 200, answer.text);
          answers.set(`${id} ${reference}`, answer.body.events);
        }
      };
      await Promise.all([1, 2, 3, 4].map(sender));
    });
    for (const name of faults)
      assert.ok(seen[name] >= 2, `${name} was met: ${JSON.stringify(seen)}`);
    let found = 0;
    for (const id of ids) {
      const { events } = await whole(front.client, "BankAccount", id);
      for (const event of events.slice(1)) {
        found += 1;
        const [told] = answers.get(`${id} ${event.transactionReference}`);
        assert.deepEqual(
          [told.eventId, told.aggregateVersion],
          [event.eventId, event.aggregateVersion],
        );
      }
    }
    assert.equal(found, answers.size);
  });
}

test("without keys: an answer is right, and an error says honestly whether it may have taken effect", async () => {
  const ids = await Promise.all([1, 2].map(() => account(front.client)));
  const said = new Map();
  await broken({ faults: FAULTS, every: 2 }, async () => {
    const sender = async (number) => {
      for (let n = 0; n < 12; n += 1) {
        const [id, reference] = [ids[n % 2], `${number}-${n}`];
        said.set(`${id} ${reference}`, await deposit(id, 1, reference));
      }
    };
    await Promise.all([1, 2, 3, 4].map(sender));
  });
  const happened = new Map();
  for (const id of ids)
    for (const event of (await whole(front.client, "BankAccount", id)).events.slice(1)) {
      const key = `${id} ${event.transactionReference}`;
      happened.set(key, (happened.get(key) ?? 0) + 1);
    }
  const statuses = {};
  for (const [key, { status, body, headers }] of said) {
    statuses[status] = (statuses[status] ?? 0) + 1;
    const times = happened.get(key) ?? 0;
    if (status === 200) assert.equal(times, 1, key);
    else {
      assert.ok(status === 503 || body.code === "contention", `${status} ${JSON.stringify(body)}`);
      assert.ok(headers.get("retry-after"));
      assert.ok(
        body.uncertain ? times <= 1 : times === 0,
        `${key}: ${times} times, ${JSON.stringify(body)}`,
      );
    }
  }
  assert.ok(statuses[200] > said.size / 2, JSON.stringify(statuses));
});

test("a repeat whose events cannot be read says that the command took effect", async () => {
  const id = await account(front.client);
  const send = () => deposit(id, 5, "once", "key-of-a-repeat");
  const first = await send();
  await db.ask({ faults: ["throttle"], every: 1, only: "Query" });
  const repeat = await send();
  await db.ask({ faults: [] });
  assert.deepEqual([repeat.status, repeat.body.uncertain], [503, true], repeat.text);
  assert.deepEqual((await send()).body.events, first.body.events);
  assert.equal((await whole(front.client, "BankAccount", id)).state.balance, 5);
});

test("money is conserved by transfers whose steps are repeated, whatever breaks", async () => {
  const random = seeded(7);
  const ids = await Promise.all([1, 2, 3, 4].map(() => account(front.client, 10_000)));
  await broken({ faults: FAULTS, every: 4 }, async () => {
    const transfer = async () => {
      const from = Math.floor(random() * 4);
      const to = (from + 1 + Math.floor(random() * 3)) % 4;
      const [transferId, amount] = [randomUUID(), 1 + Math.floor(random() * 500)];
      const step = (id, name, fields) =>
        certainly(() => command("BankAccount", id, name, { transferId, ...fields }));
      const initiated = await step(ids[from], "InitiateTransfer", {
        destinationAccountId: ids[to],
        amount,
      });
      assert.equal(initiated.status, 200, initiated.text);
      const steps = [
        [ids[to], "ReceiveTransfer", { sourceAccountId: ids[from], amount, currency: "EUR" }],
        [ids[from], "CompleteTransfer", {}],
      ];
      for (const [id, name, fields] of steps) {
        // Once for good, by its name: who drives it again gets the same.
        for (const times of [1, 2]) {
          const answer = await step(id, name, fields);
          assert.equal(answer.status, 200, `${name}, ${times}: ${answer.text}`);
        }
      }
    };
    for (let round = 0; round < 4; round += 1) await Promise.all([1, 2, 3].map(transfer));
  });
  let [sum, initiated, received, completed] = [0, 0, 0, 0];
  for (const id of ids) {
    const { state, events } = await whole(front.client, "BankAccount", id);
    sum += state.balance;
    assert.deepEqual(state.pendingTransfers, {});
    const count = (name) => events.filter((event) => event.eventName === name).length;
    initiated += count("TransferInitiated");
    received += count("TransferReceived");
    completed += count("TransferCompleted");
  }
  assert.deepEqual([sum, initiated, received, completed], [40_000, 12, 12, 12]);
});

test("a clock that is off is corrected once, for signatures and for ids", async () => {
  const id = await account(front.client);
  const skew = 20 * 60_000;
  await db.ask({ skew });
  try {
    const first = await deposit(id, 1, "late");
    assert.equal(first.status, 200, first.text);
    const time = Date.parse(first.body.state.$meta.updatedAt);
    assert.ok(Math.abs(time - skew - Date.now()) < 5_000, first.body.state.$meta.updatedAt);
    const { body } = await deposit(id, 1, "warm");
    assert.equal(body.cost.requests, 1, "what was learnt is remembered");
  } finally {
    await db.ask({ skew: 0 });
  }
  assert.equal((await deposit(id, 1, "back")).status, 200);
  assert.equal((await whole(front.client, "BankAccount", id)).events.length, 4);
});

test("reads get through what breaks, and tell what they could not", async () => {
  const id = await account(front.client, 5);
  const seen = await broken(
    { faults: FAULTS.filter((name) => name !== "slow"), every: 2 },
    async () => {
      for (let n = 0; n < 12; n += 1) {
        const state = await front.client.ask(`/aggregates/BankAccount/${id}`);
        assert.deepEqual([state.status, state.body.balance], [200, 5], state.text);
        const past = await front.client.ask(`/aggregates/BankAccount/${id}/events`);
        assert.deepEqual([past.status, past.body.items.length], [200, 1], past.text);
      }
    },
  );
  assert.ok(Object.keys(seen).length >= 6, JSON.stringify(seen));
  await db.ask({ faults: ["error"], every: 1 });
  const down = await front.client.ask(`/aggregates/BankAccount/${id}`);
  await db.ask({ faults: [] });
  assert.deepEqual(
    [down.status, down.body.code, down.body.uncertain],
    [503, "store-unavailable", false],
  );
});
