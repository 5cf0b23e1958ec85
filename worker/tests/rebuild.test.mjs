// Rebuilds: a view is built anew beside the one that answers, under live writes, and under kills.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { FULL, client, edge } from "./harness.mjs";
import {
  VIEWS,
  busy,
  foldedAlike,
  peerEvent,
  scanned,
  scene,
  swept,
  until,
  written,
} from "./readside.mjs";

const KILLS = FULL ? 50 : 6;
const MINUTES = 60_000;

const feed = async ({ ask }, view) =>
  (await ask("/feed")).body.views.find(({ name }) => name === view);
/** The generations of which there are rows, of that view. */
const generations = async (db, view) => {
  const places = (await scanned(db, "rewound-views")).map(({ pk }) => pk);
  return [...new Set(places)].filter((pk) => pk.startsWith(`${view}@`)).sort();
};
/** Does that until the work is done. */
async function during(work, what) {
  let goesOn = true;
  const watching = (async () => {
    while (goesOn) await what();
  })();
  watching.catch(() => {});
  try {
    return await work();
  } finally {
    goesOn = false;
    await watching;
  }
}

// Each has a DynamoDB and an edge of its own, and mostly waits.
describe("rebuilds", { concurrency: 4 }, () => {
  test("under live writes a rebuild ends equal to a fold of all events, and the view answers all the time", () =>
    scene([{}, {}], async (db, front, other) => {
      await busy(front.client, 60, { seed: 1 });
      await swept(front);
      await foldedAlike(db, front.client);
      const [statuses, asked] = [new Set(), client(front.url)];
      await during(
        async () => {
          const writers = [2, 3].map((seed) => busy(other.client, 60, { seed, name: "b1-" }));
          const begun = await front.client.post("/feed/account-balances/rebuild");
          assert.deepEqual([begun.status, begun.headers.get("location")], [202, "/feed"]);
          const built = async () => {
            await front.tick();
            return (await feed(asked, "account-balances")).generation === begun.body.generation;
          };
          await until(built, "it is built", 20_000);
          await Promise.all(writers);
        },
        async () => {
          const { status, body } = await asked.ask("/views/account-balances");
          statuses.add(`${status} ${body.items?.length > 0}`);
        },
      );
      assert.deepEqual([...statuses], ["200 true"]);
      await swept(front);
      await foldedAlike(db, other.client);
      const { lastRebuild, rebuild } = await feed(asked, "account-balances");
      assert.ok(lastRebuild.events >= 60 && rebuild === null, JSON.stringify(lastRebuild));
      // Nobody can be asking the rows from before any more.
      await db.ask({ skew: 6 * MINUTES });
      await swept(front);
      assert.deepEqual(await generations(db, "account-balances"), ["account-balances@2"]);
      await until(
        () => foldedAlike(db, front.client).catch(() => false),
        "both edges ask the new rows",
      );
    }));

  test("what was shown once is shown from then on, rebuild or not", () =>
    scene({}, async (db, front) => {
      const id = `c-${randomUUID()}`;
      const { command, ask, post } = front.client;
      await command("Customer", id, "Register", { email: "a@x.com", name: "N" });
      await swept(front);
      await ask(`/views/customers/${id}`);
      await post("/feed/customers/rebuild");
      await swept(front);
      assert.equal((await feed(front.client, "customers")).generation, 2);
      await command("Customer", id, "Suspend", { reason: "r" });
      const version = async () => (await ask(`/views/customers/${id}`)).body.$meta.version;
      await until(async () => (await version()) === 2, "it is shown");
      const end = Date.now() + 6_000;
      while (Date.now() < end) assert.equal(await version(), 2);
    }));

  test("a rebuild while one runs is refused, and says which runs", () =>
    scene({ NUDGE: "off" }, async (db, front) => {
      await busy(front.client, 20);
      const both = await Promise.all([1, 2].map(() => front.client.post("/feed/orders/rebuild")));
      const [done, refused] = both.sort((a, b) => a.status - b.status);
      assert.deepEqual([done.status, refused.status], [202, 409], refused.text);
      assert.deepEqual(
        [refused.body.code, refused.body.generation],
        ["already-rebuilding", done.body.generation],
      );
      assert.equal((await front.client.post("/feed/customers/rebuild")).status, 202);
      assert.equal((await front.client.post("/feed/transfers/rebuild")).status, 404);
      await swept(front);
      await foldedAlike(db, front.client);
    }));

  test("a view that is built anew forgets the letters of before, and finds its own", () =>
    scene({ NUDGE: "off" }, async (db, front) => {
      const bad = peerEvent("Customer", "c1", 1, "CustomerRegistered", { name: "P" });
      await written(db, [bad]);
      await swept(front);
      const found = async () => (await front.client.ask("/feed/customers/dead-letters")).body.items;
      assert.equal((await found()).length, 1);
      await front.client.post("/feed/customers/rebuild");
      await swept(front);
      assert.deepEqual(
        (await found()).map(({ aggregateId, attempts }) => [aggregateId, attempts]),
        [["c1", 5]],
      );
      await db.ask({ skew: 6 * MINUTES });
      await swept(front);
      const dead = (await scanned(db, "rewound-helpers")).map(({ pk }) => pk);
      assert.deepEqual(
        dead.filter((pk) => pk.startsWith("dead#")),
        ["dead#customers@2"],
      );
    }));

  test("rebuilds one behind the other leave no rows of generations that answer no more", () =>
    scene({ NUDGE: "off" }, async (db, front) => {
      await busy(front.client, 30);
      for (let round = 0; round < 3; round += 1) {
        assert.equal((await front.client.post("/feed/orders/rebuild")).status, 202);
        await swept(front);
      }
      await foldedAlike(db, front.client);
      await db.ask({ skew: 6 * MINUTES });
      await swept(front);
      assert.deepEqual(await generations(db, "orders"), ["orders@4"]);
    }));

  test(`${KILLS} kills while commands, sweeps and rebuilds go on: each event takes effect once`, () =>
    scene([], async (db) => {
      let front = await edge(db);
      const [port, steady] = [Number(new URL(front.url).port), client(front.url)];
      let goesOn = true;
      try {
        let number = 0;
        const writer = async (seed) => {
          while (goesOn)
            await busy(steady, 10, { seed: (number += 1) * 10 + seed, name: "k-", tries: 200 });
        };
        const operator = async () => {
          const views = Object.keys(VIEWS);
          for (let n = 0; goesOn; n += 1) {
            await steady.post(`/feed/${views[n % 4]}/rebuild`).catch(() => {});
            await front.tick().catch(() => {});
            await new Promise((later) => setTimeout(later, 30));
          }
        };
        const work = Promise.all([writer(1), writer(2), writer(3), operator()]);
        work.catch(() => (goesOn = false));
        for (let kill = 0; kill < KILLS && goesOn; kill += 1) {
          await new Promise((later) => setTimeout(later, 150 + Math.random() * 700));
          await front.stop("SIGKILL");
          front = await edge(db, { port });
          // Whoever was killed while they swept is taken to be alive for a minute.
          await db.ask({ skew: (kill + 1) * 2 * MINUTES });
        }
        goesOn = false;
        await work;
        await db.ask({ skew: (KILLS + 3) * 2 * MINUTES });
        await swept(front);
        await until(
          () => foldedAlike(db, steady).catch(() => false),
          "this isolate knows the newest generations",
        );
        await foldedAlike(db, steady);
        const { views } = (await steady.ask("/feed")).body;
        assert.ok(
          views.some(({ generation }) => generation > 1),
          "something was built anew",
        );
      } finally {
        goesOn = false;
        await front.stop();
      }
    }));
});
