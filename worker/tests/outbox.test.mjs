// The outbox: every event goes out, at least once and those of an aggregate in order, to EventBridge or to a queue.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { createServer, request } from "node:http";
import { describe, test } from "node:test";
import { Miniflare } from "miniflare";
import { BUNDLE, FULL, account, client, dynamodb, edge, variables } from "./harness.mjs";
import {
  busy,
  foldedAlike,
  peerEvent,
  scanned,
  scene,
  swept,
  until,
  written,
} from "./readside.mjs";

const BUS = { OUTBOX: "eventbridge", EVENT_BUS: "shop", EVENT_SOURCE: "my.shop" };

/** What stands between the edge and EventBridge, and notes which entries came in one request. */
async function tap(upstream) {
  const requests = [];
  const server = createServer(async (asked, answer) => {
    const chunks = [];
    for await (const chunk of asked) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    requests.push(JSON.parse(body).Entries);
    // With its own host: that is what was signed.
    const passed = request(upstream, { method: asked.method, headers: asked.headers }, (found) => {
      answer.writeHead(found.statusCode, found.headers);
      found.pipe(answer);
      found.on("error", () => answer.destroy());
    });
    passed.on("error", () => answer.destroy());
    passed.end(body);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const close = () => (server.close(), server.closeAllConnections());
  return { url: `http://127.0.0.1:${server.address().port}`, requests, close };
}

const stored = async (db) =>
  (await scanned(db, "rewound-events")).map(({ eventTs: _, ...event }) => event);
const byId = (events) => Object.fromEntries(events.map((event) => [event.eventId, event]));

/** Everything in the table arrived as it is, and for the first time in the order of its aggregate. */
async function arrived(db, events, except = []) {
  const expected = (await stored(db)).filter(({ eventId }) => !except.includes(eventId));
  assert.deepEqual(byId(events), byId(expected));
  const seen = {};
  for (const { aggregateName, aggregateId, aggregateVersion: version } of events) {
    const known = (seen[`${aggregateName} ${aggregateId}`] ??= []);
    if (known.includes(version)) continue;
    assert.ok(
      known.every((before) => before < version),
      `${aggregateId} ${version} comes late`,
    );
    known.push(version);
  }
  return expected;
}
const details = (entries) => entries.map(({ Detail }) => JSON.parse(Detail));
const taken = async (db) => (await db.ask({ bus: { take: true } })).entries;

// Each has a DynamoDB and an edge of its own, and mostly waits.
describe("the outbox", { concurrency: 8 }, () => {
  for (const NUDGE of ["on", "off"])
    test(`every event arrives at the bus, with the nudge ${NUDGE}`, async () => {
      const db = await dynamodb();
      const wire = await tap(db.ready.url);
      const vars = { ...BUS, NUDGE, AWS_ENDPOINT_URL_EVENTBRIDGE: wire.url };
      const front = await edge(db, { vars });
      try {
        const writers = [1, 2, 3].map((seed) => busy(front.client, 25, { seed, name: "b-" }));
        if (NUDGE === "on") for (let n = 0; n < 2; n += 1) await front.tick();
        await Promise.all(writers);
        // Somebody else's events go out as well, whatever their kind.
        await written(db, [peerEvent("Warehouse", "w/1 #ü", 1, "WarehouseBuilt", { size: 3 })]);
        await swept(front);
        const entries = await taken(db);
        await arrived(db, details(entries));
        for (const { Detail, DetailType, EventBusName, Source, Resources, Time } of entries) {
          const { eventName, aggregateName, aggregateId } = JSON.parse(Detail);
          assert.deepEqual([EventBusName, Source, DetailType], ["shop", "my.shop", eventName]);
          const [resource, ...more] = Resources;
          assert.deepEqual(more, []);
          assert.ok(resource.startsWith(`/aggregates/${aggregateName}/`), resource);
          if (/^[\w-]*$/.test(aggregateId))
            assert.ok(resource.endsWith(`/${aggregateId}`), resource);
          assert.ok(Math.abs(Time - Date.now() / 1000) < 120, `${Time}`);
        }
        for (const entries of wire.requests) {
          assert.ok(entries.length >= 1 && entries.length <= 10);
          const of = details(entries).map(
            ({ aggregateName, aggregateId }) => aggregateName + aggregateId,
          );
          assert.equal(new Set(of).size, of.length, "two of one aggregate in a request");
        }
        assert.ok(wire.requests.some(({ length }) => length > 1) || NUDGE === "on");
        // What was sent is not sent again.
        await swept(front);
        assert.deepEqual(await taken(db), []);
      } finally {
        await front.stop();
        wire.close();
        await db.stop();
      }
    });

  test("what fails in part, what is lost and whoever is killed cost a repeat, and no event", () =>
    scene([], async (db) => {
      let front = await edge(db, { vars: BUS });
      const steady = client(front.url);
      const port = Number(new URL(front.url).port);
      try {
        await db.ask({ bus: { fail: 3 } });
        await busy(steady, 20, { seed: 1 });
        const writer = busy(steady, 30, { seed: 2, tries: 200 });
        const faults = ["lost", "throttle", "error", "cut", "garbage"];
        await db.ask({ faults, every: 3, only: "PutEvents" });
        front.tick().catch(() => {});
        await new Promise((later) => setTimeout(later, 300));
        await front.stop("SIGKILL");
        front = await edge(db, { port, vars: BUS });
        await writer;
        await db.ask({ faults: [] });
        await db.ask({ skew: 6 * 60_000 });
        await swept(front);
        await arrived(db, details(await taken(db)));
      } finally {
        await front.stop();
      }
    }));

  const items = (count) =>
    Array.from({ length: count }, () => ({ productId: "p".repeat(200), quantity: 1, price: 1 }));
  const letters = async ({ ask }) => (await ask("/feed/outbox/dead-letters")).body.items;

  test("an event that is more than the bus takes is a dead letter, and the rest goes on", () =>
    scene({ ...BUS, MAX_BODY_BYTES: "400000" }, async (db, front) => {
      const { command, post } = front.client;
      const id = `o-${randomUUID()}`;
      const large = await command("Order", id, "Create", { customerId: "c", items: items(1150) });
      assert.equal(large.status, 201, large.text);
      assert.ok(JSON.stringify(large.body.events[0]).length > 256 * 1024);
      assert.equal((await command("Order", id, "Confirm")).status, 200);
      await account(front.client);
      await swept(front);
      const [{ eventId }] = large.body.events;
      await arrived(db, details(await taken(db)), [eventId]);
      const parked = (await letters(front.client)).map(({ event }) => event.eventId);
      assert.deepEqual(parked, [eventId]);
      const place = encodeURIComponent(`Order/${id}`);
      const act = (what) => post(`/feed/outbox/dead-letters/${place}/1/${what}`);
      assert.equal((await act("retry")).status, 409);
      assert.equal((await act("skip")).status, 200);
      assert.deepEqual(await letters(front.client), []);
    }));

  test("what the stream does not have any more goes out all the same", () =>
    scene({ ...BUS, NUDGE: "off" }, async (db, front) => {
      await busy(front.client, 15);
      await swept(front);
      for (const order of [{ trim: true }, { split: true }, { expire: true }]) {
        await busy(front.client, 15, { seed: 2 });
        await db.ask({ streams: order });
        await swept(front);
      }
      await arrived(db, details(await taken(db)));
    }));

  test("a bus that is down holds up nobody else, and gets everything when it is back", () =>
    scene({ ...BUS, NUDGE: "off" }, async (db, front) => {
      await account(front.client);
      await db.ask({ bus: { fail: 1 } });
      await front.tick();
      await foldedAlike(db, front.client);
      const gauge = async () =>
        Number(
          /^rewound_outbox_lag_events (\d+)$/m.exec((await front.client.ask("/metrics")).text)[1],
        );
      assert.equal(await gauge(), (await stored(db)).length);
      await db.ask({ bus: { fail: 0 } });
      await swept(front);
      assert.equal(await gauge(), 0);
      await arrived(db, details(await taken(db)));
      assert.deepEqual(await letters(front.client), []);
    }));

  test("that a bus is down is found out once, however much waits", { skip: !FULL }, () =>
    scene({ ...BUS, NUDGE: "off" }, async (db, front) => {
      for (let n = 0; n < 12; n += 1) await account(front.client, n);
      await db.ask({ bus: { fail: 1 } });
      const begun = Date.now();
      await front.tick();
      assert.ok(Date.now() - begun < 15_000, `${Date.now() - begun} ms`);
    }),
  );

  /** An edge in miniflare, where there are queues. `take` gives the messages that came. */
  async function queued(db, vars) {
    const files = (await readdir(BUNDLE)).filter((name) => /\.(js|wasm)$/.test(name));
    files.sort((a, b) => a.endsWith(".wasm") - b.endsWith(".wasm"));
    const modules = files.map(async (name) => ({
      type: name.endsWith(".wasm") ? "CompiledWasm" : "ESModule",
      path: name,
      contents: await readFile(`${BUNDLE}/${name}`),
    }));
    const listener = `const got = [];
    export default {
      async queue({ messages }) { got.push(...messages.map(({ body }) => body)); },
      async fetch() { return Response.json(got); },
    };`;
    const common = { compatibilityDate: "2026-04-01" };
    const flare = new Miniflare({
      cf: false,
      handleRuntimeStdio: (...streams) => streams.forEach((stream) => stream.resume()),

      workers: [
        {
          ...common,
          name: "edge",
          modules: await Promise.all(modules),
          bindings: variables(db, { ...vars, OUTBOX: "queue" }),
          durableObjects: { LINE: "Line" },
          queueProducers: { OUTBOX_QUEUE: "events" },
        },
        {
          ...common,
          name: "listener",
          modules: true,
          script: listener,
          routes: ["listener.example/*"],
          queueConsumers: { events: { maxBatchSize: 100, maxBatchTimeout: 0 } },
        },
      ],
    });
    const url = String(await flare.ready).replace(/\/$/, "");
    // Each message is the event's own text: no number in it was JavaScript's.
    const take = async () =>
      (await (await flare.dispatchFetch("http://listener.example/")).json()).map((text) =>
        JSON.parse(text),
      );
    const tick = async () => (await flare.getWorker("edge")).scheduled({ cron: "* * * * *" });
    return { flare, url, take, tick, client: client(url), lines: [] };
  }

  /** A queue hands batches on in any order: each event says itself where it belongs. */
  async function allArrived(db, front, except = []) {
    const count = (await stored(db)).length - except.length;
    let got = [];
    const all = async () => (got = await front.take()).length >= count;
    await until(all, "all are there").catch(() => {});
    await arrived(
      db,
      got.toSorted((a, b) => a.aggregateVersion - b.aggregateVersion),
      except,
    );
  }

  for (const NUDGE of ["on", "off"])
    test(`every event arrives at a queue, with the nudge ${NUDGE}`, async () => {
      const db = await dynamodb();
      const front = await queued(db, { NUDGE });
      try {
        await Promise.all([1, 2].map((seed) => busy(front.client, 60, { seed, name: "q-" })));
        await front.tick();
        await allArrived(db, front);
      } finally {
        await front.flare.dispose();
        await db.stop();
      }
    });

  test("an event that is more than a queue takes is a dead letter, and the rest goes on", async () => {
    const db = await dynamodb();
    const front = await queued(db, { NUDGE: "off", MAX_BODY_BYTES: "400000" });
    try {
      const id = `o-${randomUUID()}`;
      const { command } = front.client;
      const large = await command("Order", id, "Create", { customerId: "c", items: items(700) });
      assert.equal(large.status, 201, large.text);
      assert.equal((await command("Order", id, "Confirm")).status, 200);
      for (let n = 0; n < 5; n += 1) await account(front.client, n);
      await swept(front);
      const { eventId } = large.body.events[0];
      const parked = (await letters(front.client)).map(({ event }) => event.eventId);
      assert.deepEqual(parked, [eventId]);
      await allArrived(db, front, [eventId]);
    } finally {
      await front.flare.dispose();
      await db.stop();
    }
  });
});
