// What /metrics says of the tables is true, whoever is asked.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { account } from "./harness.mjs";
import { VIEWS, busy, rows, scanned, scene, swept, until } from "./readside.mjs";

const STILL = { NUDGE: "off" };

/** A function that gives a gauge as it is now. */
async function gauges({ client }) {
  const { status, text } = await client.ask("/metrics");
  assert.equal(status, 200);
  return (name, label = "") => {
    const line = text.split("\n").find((line) => line.startsWith(`rewound_${name}${label} `));
    return line && Number(line.split(" ").at(-1));
  };
}
const READER = '{reader="views"}';
const of = (view) => `{view="${view}"}`;

// Each has a DynamoDB and an edge of its own, and mostly waits.
describe("numbers", { concurrency: 4 }, () => {
  test("the lag is how many events a view has not seen, and how old the oldest is", () =>
    scene([STILL, STILL], async (db, front, other) => {
      await busy(front.client, 10);
      await swept(front);
      const before = (await scanned(db, "rewound-events")).length;
      await busy(front.client, 40, { seed: 2 });
      const events = (await scanned(db, "rewound-events")).slice();
      const seen = new Set(Object.keys(await rows(front.client, "account-balances")));
      for (const asked of [front, other]) {
        const gauge = await gauges(asked);
        assert.equal(gauge("stream_unread_records", READER), events.length - before);
        for (const [view, kind] of Object.entries(VIEWS)) {
          const mine = events.filter(({ aggregateName, aggregateId }) => {
            return aggregateName === kind && aggregateId.startsWith("b2-");
          });
          assert.equal(gauge("projection_lag_events", of(view)), mine.length, view);
        }
        assert.ok(gauge("projection_lag_seconds", of("orders")) < 30);
        assert.ok(gauge("sweep_age_seconds", READER) < 30);
      }
      // Who asks changes nothing. Six minutes later:
      assert.deepEqual(new Set(Object.keys(await rows(front.client, "account-balances"))), seen);
      await db.ask({ skew: 6 * 60_000 });
      await front.client.ask("/views/orders/nobody");
      const late = await gauges(front);
      for (const seconds of [
        late("projection_lag_seconds", of("orders")),
        late("sweep_age_seconds", READER),
      ])
        assert.ok(seconds >= 350 && seconds < 400, `${seconds}`);
      await front.tick();
      const gauge = await gauges(other);
      for (const view of Object.keys(VIEWS)) {
        assert.equal(gauge("projection_lag_events", of(view)), 0, view);
        assert.equal(gauge("projection_lag_seconds", of(view)), 0, view);
      }
      assert.equal(gauge("stream_unread_records", READER), 0);
      assert.ok(gauge("sweep_age_seconds", READER) < 30);
    }));

  test("what nudges brought there is not behind", () =>
    scene({}, async (_, front) => {
      await swept(front);
      for (let n = 0; n < 5; n += 1) await account(front.client, n);
      await until(
        async () => Object.keys(await rows(front.client, "account-balances")).length === 5,
        "all are shown",
      );
      const gauge = await gauges(front);
      assert.equal(gauge("stream_unread_records", READER), 5);
      assert.equal(gauge("projection_lag_events", of("account-balances")), 0);
    }));

  test("an edge whose sweep never came says so", () =>
    scene(STILL, async (_, front) => {
      for (let n = 0; n < 3; n += 1) await account(front.client, n);
      const gauge = await gauges(front);
      assert.equal(gauge("projection_lag_events", of("account-balances")), 3);
    }));

  test("an empty page is not the end of what waits", () =>
    scene(STILL, async (db, front) => {
      await swept(front);
      await db.ask({ streams: { empty: 1 } });
      for (let n = 0; n < 3; n += 1) await account(front.client, n);
      const gauge = await gauges(front);
      assert.equal(gauge("projection_lag_events", of("account-balances")), 3);
    }));

  test("growth and rebuilds are told", () =>
    scene(STILL, async (db, front) => {
      await busy(front.client, 30);
      await swept(front);
      assert.equal((await front.client.post("/feed/orders/rebuild")).status, 202);
      const during = await gauges(front);
      assert.equal(during("rebuilding", of("orders")), 1);
      assert.equal(during("rebuilding", of("customers")), 0);
      await swept(front);
      const gauge = await gauges(front);
      assert.equal(gauge("rebuilding", of("orders")), 0);
      const count = (await scanned(db, "rewound-events")).length;
      assert.equal(gauge("rebuild_events", of("orders")), count);
      assert.ok(gauge("rebuild_seconds", of("orders")) > 0);
      for (const table of ["events", "views", "helpers", "BankAccount", "Order"]) {
        const label = `{table="rewound-${table}"}`;
        assert.equal(
          gauge("table_items", label),
          (await scanned(db, `rewound-${table}`)).length,
          table,
        );
        assert.ok(gauge("table_bytes", label) > 0, table);
      }
    }));

  test("where the tables cannot be read, what this isolate counted is told all the same", () =>
    scene(STILL, async (db, front) => {
      await account(front.client);
      await db.ask({ faults: ["error"], every: 1 });
      const { status, text } = await front.client.ask("/metrics");
      await db.ask({ faults: [] });
      assert.equal(status, 200);
      assert.match(text, /^rewound_events_total\{.*BankAccount.*\} 1$/m);
      assert.doesNotMatch(text, /rewound_projection_lag/);
    }));
});
