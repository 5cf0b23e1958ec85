// Many events: 20,000 here, 100,000 with `--full`. They are projected by the sweep, and the runtime's memory stays flat.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { FULL } from "./harness.mjs";
import { dynamo, peerEvent, rows, scene, swept, written } from "./readside.mjs";

/** Twice so many: what the second half takes on top of the first is what grows. */
const HALF = FULL ? 50_000 : 10_000;
const EACH = 50;
const MB = 1024;

/** How much memory a process has, in kilobytes. */
const memory = async (pid) =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))[1]);

/** Switches the stream of the events on or off. */
const stream = (db, StreamEnabled) =>
  dynamo(db, "UpdateTable", {
    TableName: "rewound-events",
    StreamSpecification: { StreamEnabled, ...(StreamEnabled && { StreamViewType: "NEW_IMAGE" }) },
  });

/** An account with so many events. */
const history = (id) => [
  peerEvent("BankAccount", id, 1, "AccountOpened", {
    ...{ accountHolderId: "h", initialDeposit: 0, currency: "EUR" },
  }),
  ...Array.from({ length: EACH - 1 }, (_, n) =>
    peerEvent("BankAccount", id, n + 2, "MoneyDeposited", {
      ...{ amount: n + 2, transactionReference: "r", description: "d" },
    }),
  ),
];

test(`${2 * HALF} events are projected by the sweep, and its memory stays flat`, () =>
  scene({ NUDGE: "off" }, async (db, front) => {
    const [ids, sizes] = [[], []];
    for (const half of [1, 2]) {
      const mine = Array.from({ length: HALF / EACH }, (_, n) => `a${half}-${n}`);
      ids.push(...mine);
      const chunks = Array.from({ length: 4 }, (_, at) => mine.filter((_, n) => n % 4 === at));
      // In the order in which they might have happened: many accounts beside each other.
      const mixed = chunks.map((chunk) => {
        const streams = chunk.map(history);
        return Array.from({ length: EACH }, (_, at) => streams.map((events) => events[at])).flat();
      });
      // The emulator takes the longer for an event the more are in its stream. A new stream has none of those that are
      // there, and what a stream does not have, the table has.
      await stream(db, false);
      await Promise.all(mixed.map((events) => written(db, events)));
      await stream(db, true);
      await swept(front);
      sizes.push(await memory(front.pid));
    }
    const found = await rows(front.client, "account-balances", "", 1_000);
    assert.deepEqual(Object.keys(found).sort(), ids.sort());
    for (const { balance, $meta } of Object.values(found))
      assert.deepEqual([balance, $meta.version], [(EACH * (EACH + 1)) / 2 - 1, EACH]);
    // And once more, by a rebuild.
    assert.equal((await front.client.post("/feed/account-balances/rebuild")).status, 202);
    await swept(front);
    sizes.push(await memory(front.pid));
    const { lastRebuild } = (await front.client.ask("/feed")).body.views[0];
    assert.equal(lastRebuild.events, 2 * HALF);
    const told = `${sizes.map((size) => Math.round(size / MB)).join(", ")} MB`;
    for (const size of sizes.slice(1)) assert.ok(size < sizes[0] + 48 * MB, told);
  }));
