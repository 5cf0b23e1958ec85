// What is measured of the read side: how far views are behind commands, how quickly one is built anew, and what a page of
// one costs. `bench.mjs` lends its emulators and runtimes.

import assert from "node:assert/strict";
import { median, quantile, say } from "../../xtask/bench/figures.mjs";
import { command, connection, send } from "./load.mjs";

/** Commands a second, for so many seconds, over so many connections, to accounts of their own. */
const RATE = 50;
const SECONDS = 12;
const CONNECTIONS = 8;

/** A `GET` as it goes over the wire. */
const get = (token, path) =>
  `GET ${path} HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer ${token}\r\nContent-Length: 0\r\n\r\n`;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * How far the view of balances is behind. A command's round trip ends with its answer; its lag goes from there until a row
 * of its version is read, by whoever asks for it again and again from then on. So a lag holds a request that found it, and
 * mostly others that did not: what people would see, and not what the view knows of itself.
 */
export async function lag({ store, start, end, token, open, deposit }, figures) {
  const tables = await store({ NUDGE: "on" });
  const { url, run } = await start(tables);
  const [trips, lags] = [[], []];
  for (let n = 0; n < CONNECTIONS; n += 1) await run(`lag${n}`, "Open", open);
  const all = await Promise.all(Array.from({ length: CONNECTIONS }, () => connection(url)));
  const begun = performance.now();
  const every = (1000 / RATE) * CONNECTIONS;
  const one = async (to, n) => {
    const text = command(token, `lag${n}`, "Deposit", deposit);
    const row = get(token, `/views/account-balances/lag${n}`);
    for (let turn = 0; turn < (RATE * SECONDS) / CONNECTIONS; turn += 1) {
      // Each begins at its time, however long the one before took.
      await pause(begun + (turn + n / CONNECTIONS) * every - performance.now());
      const sent = performance.now();
      const { state } = await send(to, text);
      const answered = performance.now();
      for (;;) {
        const { $meta } = await send(to, row);
        if ($meta.version >= state.$meta.version) break;
      }
      trips.push(answered - sent);
      lags.push(performance.now() - answered);
    }
  };
  await Promise.all(all.map(one));
  const seconds = (performance.now() - begun) / 1000;
  for (const to of all) to.close();
  await end();
  figures.projection_command_ms = median(trips);
  figures.projection_lag_p50_ms = median(lags);
  figures.projection_lag_p99_ms = quantile(lags, 0.99);
  figures.projection_lag_vs_command = figures.projection_lag_p99_ms / median(trips);
  say(
    `  ${(trips.length / seconds).toFixed(0)} commands a second of ${median(trips).toFixed(1)} ms;` +
      ` behind by ${median(lags).toFixed(1)} ms, 99th percentile ${quantile(lags, 0.99).toFixed(1)}`,
  );
}

/** Accounts of so many events each, and how many accounts in each of the rebuilds. */
const EVENTS = 20;
const SIZES = [500, 1000, 2000];

/** Rebuilds of the view of balances, of more and more events; and what a page of it costs. */
export async function rebuilds({ sdk, store, start, end, token, open, deposit }, figures) {
  const tables = await store({ NUDGE: "off", SWEEP_CALLS: "1000000" });
  const { url, run, tick } = await start(tables);
  // As Cloudflare's clock would: what ends early is carried on.
  const clock = setInterval(() => tick().catch(() => {}), 10_000);
  const { events } = await run("first", "Open", open);
  // The runtime hangs up on who is silent for a while.
  const ask = async (method, path) => {
    const to = await connection(url);
    const text = get(token, path).replace("GET", method);
    return send(to, text, /\/rebuild$/.test(path) ? 202 : 200).finally(to.close);
  };
  // The emulator looks through all that is in a stream at every write. DynamoDB does not; so there is none while all of it
  // is written, and what it lacks is walked through before that is measured which is to be.
  const stream = (StreamEnabled) => {
    const StreamSpecification = {
      StreamEnabled,
      ...(StreamEnabled && { StreamViewType: "NEW_IMAGE" }),
    };
    const change = { TableName: "bench-events", StreamSpecification };
    return tables.client.send(new sdk.UpdateTableCommand(change));
  };
  let there = 0;
  const rates = [];
  for (const size of SIZES) {
    await stream(false);
    for (; there < size; there += 1)
      await write({ sdk, client: tables.client }, there, events[0], deposit);
    await stream(true);
    while (!(await ask("POST", "/feed/sweep")).views.whole);
    await ask("POST", "/feed/account-balances/rebuild");
    let built;
    for (;;) {
      await pause(200);
      const { views } = await ask("GET", "/feed");
      const view = views.find(({ name }) => name === "account-balances");
      if (view.lastRebuild?.events > there * EVENTS) {
        built = view.lastRebuild;
        break;
      }
    }
    rates.push((built.events / built.ms) * 1000);
    say(`  ${built.events} events in ${built.ms} ms: ${rates.at(-1).toFixed(0)} a second`);
    const page = await ask("GET", "/views/account-balances?limit=1000");
    const row = page.items.find(({ $meta }) => $meta.version === EVENTS);
    assert.equal(row.balance, open.initialDeposit + EVENTS - 1);
  }
  await tables.count();
  await ask("GET", "/views/account-balances?limit=100");
  const { passed } = await tables.count();
  clearInterval(clock);
  await end();
  figures.rebuild_events_per_second = rates.at(-1);
  figures.rebuild_linear = rates.at(-1) / rates[0];
  figures.view_page_requests = passed;
}

/** A stream of deposits, written past the edge. */
async function write({ sdk, client }, n, { eventId, ...first }, deposit) {
  const text = (value) => (typeof value === "number" ? { N: String(value) } : { S: value });
  const item = (fields) =>
    Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, text(value)]));
  const { accountHolderId, initialDeposit, currency, ...head } = first;
  const events = Array.from({ length: EVENTS }, (_, index) => ({
    ...head,
    ...(index === 0
      ? { accountHolderId, initialDeposit, currency }
      : { ...deposit, description: "Deposit", eventName: "MoneyDeposited" }),
    aggregateId: `a${n}`,
    aggregateVersion: index + 1,
    eventId: eventId.slice(0, 10) + String(n * EVENTS + index).padStart(16, "0"),
  }));
  const items = events.map((event) => ({ PutRequest: { Item: item(event) } }));
  await client.send(new sdk.BatchWriteItemCommand({ RequestItems: { "bench-events": items } }));
}
