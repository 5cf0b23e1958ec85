// The runtime and DynamoDB are killed and started again under load: three times each here, fifty with `--full`.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FULL, account, certainly, client, dynamodb, edge, whole } from "./harness.mjs";

const KILLS = FULL ? 50 : 3;
/** How many send at once, and to how many accounts. */
const [SENDERS, ACCOUNTS] = [6, 3];

test(`${KILLS} kills of the runtime and ${KILLS} of DynamoDB lose nothing and double nothing`, async () => {
  // In memory where that can be had: it outlives the process as a disk does, and keeps nobody waiting.
  const folder = await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "rewound-"));
  const file = join(folder, "dynamodb.sqlite");
  let db = await dynamodb("--file", file);
  let front = await edge(db);
  const [{ url }, endpoint] = [front, db.ready.url];
  const port = (address) => Number(new URL(address).port);
  const steady = client(url);
  try {
    const ids = [];
    for (let n = 0; n < ACCOUNTS; n += 1) ids.push(await account(steady));
    const done = new Map();
    let goesOn = true;
    const sender = async (number) => {
      for (let n = 0; goesOn; n += 1) {
        const [id, reference] = [ids[(number + n) % ACCOUNTS], `${number}-${n}`];
        const fields = { amount: 1, transactionReference: reference };
        const key = { "idempotency-key": randomUUID() };
        const send = () => steady.command("BankAccount", id, "Deposit", fields, key);
        const answer = await certainly(send, 200);
        assert.equal(answer.status, 200, answer.text);
        done.set(`${id} ${reference}`, answer.body.events[0].eventId);
      }
    };
    const senders = Promise.all(Array.from({ length: SENDERS }, (_, number) => sender(number)));
    senders.catch(() => (goesOn = false));
    for (let kill = 0; kill < KILLS && goesOn; kill += 1) {
      const before = done.size;
      await front.stop("SIGKILL");
      front = await edge(db, { port: port(url) });
      await new Promise((later) => setTimeout(later, 100));
      await db.stop("SIGKILL");
      db = await dynamodb("--file", file, "--port", String(port(endpoint)));
      // The next kill meets work that is on its way.
      for (let wait = 0; wait < 500 && goesOn && done.size < before + 20; wait += 1)
        await new Promise((later) => setTimeout(later, 20));
      assert.ok(done.size >= before + 20, `nothing goes on after kill ${kill + 1}`);
    }
    goesOn = false;
    await senders;
    let found = 0;
    for (const id of ids) {
      for (const event of (await whole(steady, "BankAccount", id)).events.slice(1)) {
        found += 1;
        assert.equal(done.get(`${id} ${event.transactionReference}`), event.eventId);
      }
    }
    assert.equal(found, done.size);
  } finally {
    await front.stop();
    await db.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
