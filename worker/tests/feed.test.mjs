// The sweep: whatever becomes of a nudge and of the stream, every view is in the end what the events make of it.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { FULL, account } from "./harness.mjs";
import {
  busy,
  folded,
  foldedAlike,
  peerEvent,
  rows,
  scene,
  swept,
  until,
  written,
} from "./readside.mjs";

const STILL = { NUDGE: "off" };

const streams = (db, order) =>
  db.ask({ streams: order }).then((said) => assert.deepEqual(said, { ok: true }));

// Each has a DynamoDB and an edge of its own, and mostly waits.
describe("the sweep", { concurrency: 8 }, () => {
  test("what no nudge brought there the sweep does", () =>
    scene([STILL, {}], async (db, still, front) => {
      await busy(still.client, 60, { seed: 1 });
      for (const view of ["account-balances", "orders", "customers"])
        assert.deepEqual(await rows(still.client, view), {});
      assert.equal(await still.tick(), "ok");
      await foldedAlike(db, still.client);
      // Nudges that fail, one and all.
      await db.ask({ faults: ["error"], every: 1, only: "PutItem" });
      await busy(front.client, 30, { seed: 2 });
      await until(() => front.lines.some((line) => line.includes('"work":"nudge"')), "one fails");
      await db.ask({ faults: [] });
      await swept(still);
      await foldedAlike(db, still.client);
    }));

  test("what brings nothing new changes nothing, and costs little", () =>
    scene(STILL, async (db, front) => {
      await busy(front.client, 40);
      await swept(front);
      await db.ask({ count: true });
      await front.tick();
      const { actions, limited } = await db.ask({ count: true });
      const { PutItem, BatchGetItem, Scan } = actions;
      assert.deepEqual([BatchGetItem, Scan], [undefined, undefined], JSON.stringify(actions));
      assert.ok(PutItem <= 4 && actions.GetRecords - limited <= 2, JSON.stringify(actions));
    }));

  /** What the peer library would have written of every kind of aggregate. */
  function peers(n) {
    const [a, o, c, p] = ["a", "o", "c", "p"].map((kind) => `${kind}/ü ${n}-${randomUUID()}`);
    const stream = (kind, id, list) =>
      list.map(([name, fields], at) => peerEvent(kind, id, at + 1, name, fields));
    const items = [{ productId: "p", quantity: 2, price: 10 * n }];
    const paid = { transactionReference: "r", description: "d" };
    return [
      ...stream("BankAccount", a, [
        [
          "AccountOpened",
          { accountHolderId: "h", initialDeposit: n, currency: "EUR", branch: "x" },
        ],
        ["MoneyDeposited", { amount: 7, ...paid }],
        ["MoneyWithdrawn", { amount: 5, ...paid }],
        ["MoneyWithdrawn", { amount: 2 + n, ...paid }],
        ["AccountClosed", { reason: "r", closedBy: "b" }],
      ]),
      ...stream("Order", o, [
        // It stored the total.
        ["OrderCreated", { customerId: "c", items, totalAmount: 1 }],
        ["OrderItemAdded", { productId: "q", quantity: 1, price: 1 }],
        ["OrderConfirmed", {}],
      ]),
      ...stream("Customer", c, [
        ["CustomerRegistered", { email: `${n}@x.com`, name: "N" }],
        ["CustomerEmailUpdated", { oldEmail: `${n}@x.com`, newEmail: `${n}@y.com` }],
        ["CustomerSuspended", { reason: "r" }],
        ["CustomerReactivated", {}],
      ]),
      ...stream("BlogPost", p, [
        ["BlogPostCreated", { title: "t" }],
        ["BlogPostPublished", {}],
        ["BlogPostTitleChanged", { title: "u" }],
      ]),
      // A kind that has no view is nobody's business.
      peerEvent("Warehouse", `w-${randomUUID()}`, 1, "WarehouseBuilt", {
        nested: [{ deep: null }],
      }),
    ];
  }

  test("what other programs write is understood, in whatever order it comes", () =>
    scene(STILL, async (db, front) => {
      for (const manner of [{}, { disorder: true, page: 3 }]) {
        await streams(db, manner);
        const mixed = [1, 2, 3].flatMap(peers).sort(() => Math.random() - 0.5);
        await written(db, mixed);
        await swept(front);
        await foldedAlike(db, front.client);
      }
      const { body } = await front.client.ask("/feed");
      const dead = [...body.views, ...body.others].map(({ deadLetters }) => deadLetters);
      assert.deepEqual(new Set(dead), new Set([0]));
    }));

  for (const [what, manner, ...orders] of [
    ["records that come twice, in disorder", { disorder: true, repeat: true, page: 20 }],
    [
      "shards that split, and iterators that expire",
      { shards: 1 },
      { split: true },
      { expire: true },
    ],
    ["records that are trimmed", {}, { trim: true }],
    [
      ...["all of that at once", { disorder: true, repeat: true, page: 20, empty: 1 }],
      ...[{ split: true }, { trim: true }, { expire: true }],
    ],
  ])
    test(`exactly once, with ${what}`, () =>
      scene(STILL, async (db, front) => {
        await busy(front.client, 20);
        await swept(front);
        await streams(db, manner);
        for (const round of orders.length > 2 ? [1] : [1, 2]) {
          await busy(front.client, 25, { seed: round, name: `${round}-` });
          // In the middle of a sweep, or behind one.
          const sweeping = front.tick();
          if (round === 2) await sweeping;
          for (const order of orders) await streams(db, order);
          await busy(front.client, 15, { seed: round + 10, name: `${round}-` });
          await sweeping;
          await swept(front);
          await foldedAlike(db, front.client);
        }
      }));

  test("empty pages, however many, only take longer", () =>
    scene(STILL, async (db, front) => {
      await busy(front.client, 30);
      await streams(db, { empty: 5, page: 20 });
      const expected = async () => {
        await swept(front);
        return foldedAlike(db, front.client).catch(() => false);
      };
      await until(expected, "everything is read", 20_000);
    }));

  test("a shard whose first records are trimmed before anybody read one is read on", () =>
    scene(STILL, async (db, front) => {
      await swept(front);
      const first = await account(front.client, 1);
      await streams(db, { trim: true });
      await swept(front);
      assert.deepEqual(Object.keys(await rows(front.client, "account-balances")), [first]);
      await account(front.client, 2);
      await swept(front);
      await foldedAlike(db, front.client);
    }));

  test("two edges that sweep at once do no harm, even where neither knows of the other", () =>
    scene([STILL, STILL], async (db, one, two) => {
      await busy(one.client, 30);
      for (let round = 0; round < 2; round += 1) {
        await busy(two.client, 20, { seed: 40 + round });
        // Answers are late, and the one that began is taken to be gone meanwhile.
        await db.ask({ faults: ["slow"], every: 6 });
        const first = one.tick();
        await until(async () => {
          const { actions } = await db.ask({ count: true });
          return actions.GetRecords || actions.Scan;
        }, "the first sweeps");
        await db.ask({ skew: 6 * 60_000 * (round + 1) });
        await Promise.all([first, two.tick(), one.tick(), two.tick()]);
        await db.ask({ faults: [] });
        await swept(two);
        await foldedAlike(db, one.client);
      }
    }));

  test("the sweep gets through what breaks between it and DynamoDB", () =>
    scene(STILL, async (db, front) => {
      const faults = ["lost", "error", "throttle", "conflict", "cut", "garbage", "type"];
      await busy(front.client, 40);
      await db.ask({ faults, every: 3 });
      await front.tick();
      await db.ask({ faults: [] });
      await swept(front);
      await foldedAlike(db, front.client);
    }));

  test("a sweep that may ask little leaves the rest to the next, and all is whole in the end", () =>
    scene({ ...STILL, SWEEP_CALLS: "25" }, async (db, front) => {
      await busy(front.client, 60);
      await streams(db, { page: 10 });
      const ticks = await swept(front, 200);
      assert.ok(ticks > 3, `${ticks} ticks`);
      await foldedAlike(db, front.client);
      await front.client.post("/feed/orders/rebuild");
      await busy(front.client, 20, { seed: 61 });
      await swept(front, 200);
      await foldedAlike(db, front.client);
    }));

  test("a sweep that may ask next to nothing still gets somewhere", () =>
    scene({ ...STILL, SWEEP_CALLS: "4" }, async (db, front) => {
      await account(front.client, 5);
      for (let ticks = 0; ticks < 6; ticks += 1) await front.tick();
      await foldedAlike(db, front.client);
    }));

  /** Ticks until every account is in its view, so many times at the most. */
  async function ends(front, most) {
    let body;
    for (let ticks = 0; ticks < most && (body?.items.length ?? 0) < 40; ticks += 1) {
      await front.tick();
      ({ body } = await front.client.ask("/views/account-balances"));
    }
    return body;
  }

  test("with more shards than a sweep can ask, none is left behind for good", { skip: !FULL }, () =>
    scene({ ...STILL, SWEEP_CALLS: "20" }, async (db, front) => {
      await swept(front);
      for (let splits = 0; splits < 4; splits += 1) await streams(db, { split: true });
      for (let n = 0; n < 40; n += 1) await account(front.client, n);
      // Of 31 shards a sweep gets through a few, and then through the next.
      const { items } = await ends(front, 60);
      assert.equal(items.length, 40);
      await foldedAlike(db, front.client);
    }),
  );

  /** Good events of two aggregates, of which one has something wrong in it. */
  const wrongs = {
    "an event that nobody can read": ([, second]) => ({ ...second, aggregateVersion: "two" }),
    "an event without a name": ([, { eventName: _, ...second }]) => second,
    "a gap": () => undefined,
  };
  for (const [what, instead] of Object.entries(wrongs))
    test(`${what} holds up no other aggregate`, () =>
      scene(STILL, async (db, front) => {
        const [wrong, good] = [peers(1), peers(2)];
        const mine = wrong.filter(({ aggregateName }) => aggregateName === "BankAccount");
        const bad = instead(mine);
        await written(db, [mine[0], ...(bad ? [bad] : []), ...mine.slice(2)]);
        await written(db, good);
        for (let ticks = 0; ticks < 4; ticks += 1) await front.tick();
        const found = await rows(front.client, "account-balances");
        const expected = folded(good, "account-balances");
        for (const [id, row] of Object.entries(expected)) assert.deepEqual(found[id], row);
        assert.deepEqual(await rows(front.client, "orders"), folded(good, "orders"));
        // Somebody hears of it.
        const { text } = await front.client.ask("/metrics");
        assert.match(text, /rewound_dead_letters\{[^}]*\} [1-9]/);
      }));
});
