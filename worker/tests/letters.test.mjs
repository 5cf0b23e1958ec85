// Dead letters: what a view cannot take is put aside and told of, and everything else goes on.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { account, client } from "./harness.mjs";
import {
  busy,
  folded,
  foldedAlike,
  peerEvent,
  rows,
  scanned,
  scene,
  swept,
  written,
} from "./readside.mjs";

const MOST = Number.MAX_SAFE_INTEGER;
const STILL = { NUDGE: "off" };

/** Every letter of a consumer, in pages of that size. */
async function letters({ ask }, consumer, limit = 100) {
  const all = [];
  for (let cursor = ""; cursor !== null;) {
    const path = `/feed/${consumer}/dead-letters?limit=${limit}${cursor}`;
    const { status, body, text } = await ask(path);
    assert.equal(status, 200, text);
    assert.ok(body.items.length <= limit);
    all.push(...body.items);
    cursor = body.next && `&cursor=${encodeURIComponent(body.next)}`;
  }
  return all;
}
const act = ({ post }, consumer, { aggregateId, version }, what) =>
  post(`/feed/${consumer}/dead-letters/${encodeURIComponent(aggregateId)}/${version}/${what}`);
const count = async ({ ask }, consumer) => {
  const { body } = await ask("/feed");
  const known = [...body.views, ...body.others].find(({ name }) => name === consumer);
  const [, metric] = new RegExp(
    `^rewound_dead_letters\\{consumer="${consumer}"\\} (\\d+)$`,
    "m",
  ).exec((await ask("/metrics")).text);
  assert.equal(Number(metric), known.deadLetters);
  return known.deadLetters;
};
/** A customer whom nobody can take in. */
const poison = (id) => peerEvent("Customer", id, 1, "CustomerRegistered", { name: "P" });

// Each has a DynamoDB and an edge of its own, and mostly waits.
describe("dead letters", { concurrency: 4 }, () => {
  test("an event that cannot be taken is parked after five tries, and the rest goes on", () =>
    scene(STILL, async (db, front) => {
      const asking = front.client;
      const ids = [1, 2, 3].map((n) => `${n}/ü #%${randomUUID()}`);
      const bad = ids.map(poison);
      // What comes behind one fails for its sake, and a good one does not.
      const behind = peerEvent("Customer", ids[0], 2, "CustomerSuspended", { reason: "r" });
      const fields = { email: "again@x.com", name: "N" };
      const again = peerEvent("Customer", ids[1], 2, "CustomerRegistered", fields);
      await written(db, [...bad, behind, again]);
      await busy(asking, 30);
      const begun = Date.now();
      await swept(front);
      assert.ok(Date.now() - begun >= 4_000, "five tries, a second apart");
      const all = await letters(asking, "customers");
      assert.deepEqual(
        all.map(({ aggregateId, version, attempts }) => [aggregateId, version, attempts]),
        [
          [ids[0], 1, 5],
          [ids[0], 2, 1],
          [ids[1], 1, 5],
          [ids[2], 1, 5],
        ],
      );
      const { eventTs: _, ...first } = bad[0];
      assert.deepEqual(all[0].event, first);
      assert.match(all[0].error, /email/);
      assert.match(all[1].error, /no row/);
      assert.ok(Math.abs(Date.parse(all[0].at) - Date.now()) < 60_000, all[0].at);
      const except = [...bad, behind].map(({ eventId }) => eventId);
      const events = await foldedAlike(db, asking, except);
      assert.equal((await rows(asking, "customers"))[ids[1]].email, "again@x.com");
      assert.equal(await count(asking, "customers"), 4);
      // Nobody tries them again, unless they are told to.
      await swept(front);
      assert.deepEqual(await letters(asking, "customers"), all);
      for (const limit of [1, 2, 3])
        assert.deepEqual(await letters(asking, "customers", limit), all);

      const tried = await act(asking, "customers", all[2], "retry");
      assert.deepEqual([tried.status, tried.body.code], [409, "still-failing"]);
      assert.match(tried.body.detail, /email/);
      assert.equal((await letters(asking, "customers"))[2].attempts, 6);
      const reader = client(front.url, { scope: "feed:read" });
      for (const what of ["retry", "skip"])
        assert.equal((await act(reader, "customers", all[2], what)).status, 403);
      const skipped = await act(asking, "customers", all[2], "skip");
      assert.deepEqual([skipped.status, skipped.body.outcome], [200, "skipped"]);
      for (const what of ["skip", "retry"])
        assert.equal((await act(asking, "customers", all[2], what)).status, 404);
      assert.deepEqual(
        (await letters(asking, "customers")).map(({ aggregateId }) => aggregateId),
        [ids[0], ids[0], ids[2]],
      );
      assert.deepEqual(await rows(asking, "customers"), folded(events, "customers", except));
      assert.equal(await count(asking, "customers"), 3);
      assert.equal(await count(asking, "orders"), 0);
      for (const path of [
        `${encodeURIComponent(ids[0])}/0`,
        "nobody/1",
        `${encodeURIComponent(ids[0])}/x`,
      ])
        assert.ok(
          [400, 404].includes(
            (await asking.post(`/feed/customers/dead-letters/${path}/skip`)).status,
          ),
        );
      assert.equal((await asking.ask("/feed/customers/dead-letters?limit=0")).status, 400);
    }));

  test("a cursor of letters that is none is said to be none", () =>
    scene(STILL, async (_, front) => {
      const { status, text } = await front.client.ask("/feed/customers/dead-letters?cursor=");
      assert.equal(status, 400, text);
    }));

  test("a letter is tried in its place, and not behind what came after it", () =>
    scene(STILL, async (db, front) => {
      const [asking, id] = [front.client, `a-${randomUUID()}`];
      const paid = { transactionReference: "r", description: "d" };
      const fields = { accountHolderId: "h", initialDeposit: MOST - 1, currency: "EUR" };
      const list = [
        ["AccountOpened", fields],
        // More than there can be, though not behind what is withdrawn next.
        ["MoneyDeposited", { amount: 10, ...paid }],
        ["MoneyWithdrawn", { amount: 100, ...paid }],
      ];
      await written(
        db,
        list.map(([name, of], at) => peerEvent("BankAccount", id, at + 1, name, of)),
      );
      await swept(front);
      const balance = async () => (await asking.ask(`/views/account-balances/${id}`)).body.balance;
      assert.equal(await balance(), MOST - 101);
      const [letter, ...more] = await letters(asking, "account-balances");
      assert.deepEqual([letter.version, more], [2, []]);
      const { status, body } = await act(asking, "account-balances", letter, "retry");
      assert.deepEqual([status, body.code], [409, "still-failing"]);
      assert.equal(await balance(), MOST - 101);
      assert.equal(await count(asking, "account-balances"), 1);
    }));

  test("a transfer that the store keeps from going on is no dead letter, and goes on later", () =>
    scene({ ...STILL, STORE_TIMEOUT_MS: "300" }, async (db, front) => {
      const asking = front.client;
      const [from, to] = [await account(asking, 100), await account(asking)];
      const fields = { transferId: randomUUID(), destinationAccountId: to, amount: 30 };
      assert.equal(
        (await asking.command("BankAccount", from, "InitiateTransfer", fields)).status,
        200,
      );
      await db.ask({ faults: ["error"], every: 1, only: "TransactWriteItems" });
      assert.equal((await asking.post("/feed/sweep")).status, 503);
      assert.deepEqual(await letters(asking, "transfers"), []);
      await db.ask({ faults: [] });
      await swept(front);
      const events = await foldedAlike(db, asking);
      assert.ok(events.some(({ eventName }) => eventName === "TransferCompleted"));
      assert.equal((await rows(asking, "account-balances"))[to].balance, 30);
      const records = await scanned(db, "rewound-helpers");
      assert.ok(records.every(({ pk }) => !pk.startsWith("dead#")));
    }));
});
