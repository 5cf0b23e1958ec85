// The edge's side of `cargo xtask bench`: node bench.mjs EDGE PEER DYNAMODB OUT, which are two bundles, the emulator, and
// the file with all figures.
//
// The edge and the same commands on the AWS SDK (`peer/`) are asked the same in turns, in the same runtime, each on an
// emulator of its own, of which one works at a time. What is counted has to be right, or this fails.

import sdk from "./peer/node_modules/@aws-sdk/client-dynamodb/dist-cjs/index.js";
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { median, quantile, say } from "../../xtask/bench/figures.mjs";
import { program, token as tokenOf, variables, workerd } from "../edge.mjs";
import { command, connection, load, send } from "./load.mjs";
import { lag, rebuilds } from "./reads.mjs";

const [edge, peer, emulator, out] = process.argv.slice(2);
const bundles = { ours: edge, theirs: peer };
const SIDES = Object.keys(bundles);
const EMPTY = join(import.meta.dirname, "empty");

/** How many commands are under way at once, and for how many milliseconds. */
const CONNECTIONS = [1, 8, 32];
const DURATION = 2_500;
const ROUNDS = 5;
/** Each connection has accounts of its own, as many as the others have: nobody is in conflict. */
const ACCOUNTS = 224;
const STARTS = 21;
/** Events of the long stream, and how many of them a request writes. */
const LONG = 100_000;
const BATCH = 25;

const secret = "s".repeat(43);
const token = tokenOf(secret);
const open = { accountHolderId: "ada", currency: "EUR", initialDeposit: 1_000_000 };
const deposit = { amount: 1, transactionReference: "inv-42" };

/** What was started and has to end, the latest last. */
const running = [];
async function keep(starting) {
  const one = await starting;
  running.push(one);
  return one;
}
async function end(to = 0) {
  while (running.length > to) await running.pop().stop();
}

/**
 * An emulator with its tables, and what a worker has to be told of it. Views are not followed unless that is what is
 * measured: the peer has none.
 */
async function store(more) {
  const dynamodb = await keep(program(emulator, ["--gate", "--tables", "bench"]));
  const { url: endpoint, region, accessKeyId, secretAccessKey } = dynamodb.ready;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new sdk.DynamoDBClient({ endpoint, region, credentials });
  // The emulator looks through all that is in a stream at every write. DynamoDB does not, and nobody reads this one.
  const StreamSpecification = { StreamEnabled: false };
  const change = { TableName: "bench-events", StreamSpecification };
  if (!more) await client.send(new sdk.UpdateTableCommand(change));
  const vars = {
    ...variables(dynamodb.ready, secret),
    TABLE_PREFIX: "bench",
    NUDGE: "off",
    ...more,
  };
  return { client, vars, count: () => dynamodb.ask({ count: true }) };
}

async function start(bundle, { vars }) {
  const runtime = await keep(workerd({ bundle, vars, hot: bundle === edge }));
  const to = await connection(runtime.url);
  return {
    ...runtime,
    run: (id, name, fields, expected) => send(to, command(token, id, name, fields), expected),
  };
}

/** What DynamoDB is asked while this runs: requests, by action as well, and bytes. */
async function asked(store, run) {
  await store.count();
  const answer = await run();
  const { passed, actions, bytes } = await store.count();
  return { requests: passed, actions, ...bytes, version: answer.state?.$meta.version };
}

/** The requests that each kind of command takes. */
async function requests(who) {
  const from = running.length;
  const tables = await store();
  const [one, other] = [await start(bundles[who], tables), await start(bundles[who], tables)];
  const count = async (run) => (await asked(tables, run)).requests;
  // Each isolate of the edge asks once, of the table of helpers, who wrote the rows. That is not the command's.
  const first = await asked(tables, () => one.run("first", "Open", open));
  await other.run("second", "Open", open);
  const tooMuch = { ...deposit, amount: 2_000_000 };
  const counts = {
    new: await count(() => one.run("counted", "Open", open)),
    warm: await count(() => one.run("counted", "Deposit", deposit)),
    rejected: await count(() => one.run("counted", "Withdraw", tooMuch, 409)),
    cold: await count(() => other.run("counted", "Deposit", deposit)),
    // The first does not know what the other did. The peer asks before each command: one alone has no conflict.
    conflict:
      who === "ours" ? await count(() => one.run("counted", "Deposit", deposit)) : undefined,
  };
  say(`  ${who}: ${JSON.stringify(counts)}, an isolate's first: ${JSON.stringify(first.actions)}`);
  await end(from);
  return counts;
}

/** Writes a stream of a hundred thousand events past the edge: one event of its own, again and again, and its row. */
async function writeLong({ client }, id, { eventId, ...event }) {
  const text = (value) => (typeof value === "number" ? { N: String(value) } : { S: value });
  const item = (fields) =>
    Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, text(value)]));
  const versioned = (version) => ({
    ...event,
    ...(version === 1 && { eventName: "AccountOpened", ...open }),
    aggregateId: id,
    aggregateVersion: version,
    // A ULID: its time, and the version in place of what is random.
    eventId: eventId.slice(0, 10) + String(version).padStart(16, "0"),
  });
  const write = (table, items) => {
    const RequestItems = { [table]: items.map((Item) => ({ PutRequest: { Item } })) };
    return client.send(new sdk.BatchWriteItemCommand({ RequestItems }));
  };
  let next = 1;
  const writer = async () => {
    while (next <= LONG) {
      const first = next;
      next += BATCH;
      const batch = Array.from({ length: BATCH }, (_, index) => item(versioned(first + index)));
      await write("bench-events", batch);
    }
  };
  await Promise.all(Array.from({ length: 8 }, writer));
  const Key = item({ aggregateId: event.aggregateId });
  const { Item } = await client.send(
    new sdk.GetItemCommand({ TableName: "bench-BankAccount", Key }),
  );
  const balance = open.initialDeposit + LONG - 1;
  await write("bench-BankAccount", [
    { ...Item, ...item({ aggregateId: id, version: LONG, balance }) },
  ]);
}

/** What a command asks of DynamoDB on a stream of ten events and on one of a hundred thousand. */
async function growth() {
  const tables = await store();
  const first = await start(edge, tables);
  await first.run("brief", "Open", open);
  const { events } = await first.run("brief", "Deposit", deposit);
  for (let version = 3; version <= 10; version += 1) await first.run("brief", "Deposit", deposit);
  await writeLong(tables, "large", events[0]);
  const second = await start(edge, tables);
  await second.run("other", "Open", open);
  const costs = {};
  for (const how of ["cold", "warm"])
    for (const id of ["brief", "large"])
      (costs[how] ??= {})[id] = await asked(tables, () => second.run(id, "Deposit", deposit));
  await end();
  for (const [how, { brief, large }] of Object.entries(costs)) {
    const show = ({ version, requests, sent, received }) =>
      `version ${version}: ${requests} requests, ${sent} bytes sent, ${received} received`;
    say(`  ${how}: ${show(brief)}; ${show(large)}`);
    const digits = String(large.version).length - String(brief.version).length;
    assert.equal(large.requests, brief.requests);
    // The version that was, the one that is, and that of the event; and of the row, where it is read.
    assert.equal(large.sent - brief.sent, 3 * digits);
    const before = String(large.version - 1).length - String(brief.version - 1).length;
    assert.equal(large.received - brief.received, how === "cold" ? before : 0);
  }
  assert.equal(costs.warm.large.version, LONG + 2);
}

/** The milliseconds that a process' threads have run: a clock tick of `/proc/PID/stat` is ten of them. */
function processor(pid) {
  const tasks = `/proc/${pid}/task`;
  const ran = (id) => {
    try {
      return Number(readFileSync(join(tasks, id, "schedstat"), "utf8").split(" ")[0]) / 1e6;
    } catch {
      return 0; // The thread ended since it was listed.
    }
  };
  return readdirSync(tasks).reduce((sum, id) => sum + ran(id), 0);
}

/** One round of warm commands: for each side and each number of connections its rate, times and processor time. */
async function round(order) {
  const texts = Array.from({ length: ACCOUNTS }, (_, n) =>
    command(token, `a${n}`, "Deposit", deposit),
  );
  const runtimes = {};
  for (const who of order) {
    // New in every round: the emulator gets slower with what it remembers.
    runtimes[who] = await start(bundles[who], await store());
    for (let n = 0; n < ACCOUNTS; n += 1) await runtimes[who].run(`a${n}`, "Open", open);
    await load(runtimes[who].url, texts, 8, 1_000);
  }
  const cells = {};
  for (const connections of CONNECTIONS) {
    const cell = (cells[connections] = {});
    for (const who of order) {
      const { pid, url } = runtimes[who];
      const before = processor(pid);
      const { rate, times } = await load(url, texts, connections, DURATION);
      const cpu = (processor(pid) - before) / times.length;
      cell[who] = { rate, p50: median(times), p99: quantile(times, 0.99), cpu };
    }
    const show = (who) =>
      `${who} ${cell[who].rate.toFixed(0)} a second and ${cell[who].cpu.toFixed(2)} ms of CPU each`;
    say(`  ${connections} at once: ${SIDES.map(show).join(", ")}`);
  }
  await end();
  return cells;
}

async function throughput(figures) {
  const rounds = [];
  for (let turn = 0; turn < ROUNDS; turn += 1)
    rounds.push(await round(turn % 2 ? [...SIDES].reverse() : SIDES));
  for (const connections of CONNECTIONS) {
    const of = (value) => median(rounds.map((cells) => value(cells[connections])));
    for (const [who, prefix] of [
      ["ours", "edge"],
      ["theirs", "edge_peer"],
    ]) {
      figures[`${prefix}_commands_per_second_${connections}`] = of((cell) => cell[who].rate);
      figures[`${prefix}_p50_ms_${connections}`] = of((cell) => cell[who].p50);
      figures[`${prefix}_p99_ms_${connections}`] = of((cell) => cell[who].p99);
      figures[`${prefix}_cpu_ms_${connections}`] = of((cell) => cell[who].cpu);
    }
    const ratio = of(({ ours, theirs }) => ours.rate / theirs.rate);
    figures[`edge_vs_peer_throughput_${connections}`] = ratio;
    figures[`edge_vs_peer_cpu_${connections}`] = of(({ ours, theirs }) => theirs.cpu / ours.cpu);
  }
  figures.edge_vs_peer_throughput = figures.edge_vs_peer_throughput_32;
}

/** From the start of the process to the answer of its first command, and the processor time of both. */
async function firstAnswer(bundle, vars, text) {
  const runtime = await workerd({ bundle, vars, hot: bundle === edge });
  const listening = performance.now();
  const cpu = processor(runtime.pid);
  const to = await connection(runtime.url);
  await send(to, text);
  const time = runtime.started + performance.now() - listening;
  const answer = { time, cpu, total: processor(runtime.pid) };
  to.close();
  await runtime.stop("SIGKILL");
  return answer;
}

/**
 * Cold starts. The first command is one to an account that is there, with all that an isolate does once. A third of the
 * time is the runtime's own, the same for whatever it runs; so what is compared is what comes on top of a worker that
 * holds nothing and answers at once. Single turns spread too far for a ratio each: it is that of the medians.
 */
async function starts(figures) {
  const stores = {};
  for (const who of SIDES) {
    stores[who] = await store();
    await (await start(bundles[who], stores[who])).run("started", "Open", open);
  }
  const text = command(token, "started", "Deposit", deposit);
  const turns = [];
  for (let turn = 0; turn < STARTS; turn += 1) {
    const none = await firstAnswer(EMPTY, {}, text);
    const ours = await firstAnswer(edge, stores.ours.vars, text);
    const theirs = await firstAnswer(peer, stores.theirs.vars, text);
    turns.push({ none, ours, theirs });
  }
  await end();
  const of = (who, what) => median(turns.map((turn) => turn[who][what]));
  const above = (who, what) => of(who, what) - of("none", what);
  for (const who of ["none", "ours", "theirs"]) {
    const [time, cpu, total] = ["time", "cpu", "total"].map((what) => of(who, what).toFixed(1));
    say(`  ${who}: ${time} ms; CPU ${cpu} ms until it listens, ${total} ms until its first answer`);
  }
  figures.edge_vs_peer_cold_start = above("theirs", "time") / above("ours", "time");
  figures.edge_vs_peer_cold_start_cpu = above("theirs", "total") / above("ours", "total");
  figures.edge_cold_start_ms = above("ours", "time");
  figures.edge_peer_cold_start_ms = above("theirs", "time");
  figures.edge_start_cpu_ms = above("ours", "cpu");
  figures.edge_first_command_cpu_ms = above("ours", "total");
  figures.edge_peer_first_command_cpu_ms = above("theirs", "total");
}

/** What is sent of a bundle to Cloudflare, compressed, in KB of 1,000 bytes. */
const gzip = (bundle) =>
  readdirSync(bundle)
    .filter((name) => /\.(js|wasm)$/.test(name))
    .map((name) => gzipSync(readFileSync(join(bundle, name)), { level: 9 }).length)
    .reduce((sum, length) => sum + length, 0) / 1000;

const figures = {};
try {
  say("counting the requests of each kind of command …");
  const counts = { ours: await requests("ours"), theirs: await requests("theirs") };
  assert.deepEqual(counts.ours, { new: 1, warm: 1, rejected: 1, cold: 2, conflict: 2 });
  for (const [kind, count] of Object.entries(counts.ours)) figures[`edge_requests_${kind}`] = count;
  say(`a command on a stream of ${LONG.toLocaleString("en")} events …`);
  await growth();
  say(`commands, ${ROUNDS} rounds …`);
  await throughput(figures);
  say(`starting each ${STARTS} times …`);
  await starts(figures);
  const lent = { sdk, store, start: (tables) => start(edge, tables), end, token, open, deposit };
  say("how far views are behind commands …");
  await lag(lent, figures);
  say("building a view anew …");
  await rebuilds(lent, figures);
  assert.equal(figures.view_page_requests, 1);
} finally {
  await end();
}
figures.edge_gzip_kb = gzip(edge);
figures.edge_peer_gzip_kb = gzip(peer);

const ROWS = [
  ["edge_vs_peer_throughput", "×", "≥", 1.5, "warm commands, 32 at once, against the AWS SDK"],
  ["edge_vs_peer_throughput_8", "×", "", 0, "the same, 8 at once"],
  ["edge_vs_peer_throughput_1", "×", "", 0, "the same, one after the other"],
  ["edge_commands_per_second_32", "/s", "", 0, "warm commands, 32 at once"],
  ["edge_peer_commands_per_second_32", "/s", "", 0, "the same on the AWS SDK"],
  ["edge_p50_ms_1", "ms", "", 0, "a warm command, one after the other, median"],
  ["edge_p99_ms_32", "ms", "", 0, "a warm command, 32 at once, 99th percentile"],
  ["edge_peer_p50_ms_1", "ms", "", 0, "one after the other on the AWS SDK, median"],
  ["edge_peer_p99_ms_32", "ms", "", 0, "32 at once on the AWS SDK, 99th percentile"],
  ["edge_cpu_ms_32", "ms", "", 0, "the runtime's CPU for a warm command"],
  ["edge_vs_peer_cpu_32", "×", "", 0, "the same, against the AWS SDK"],
  ["edge_vs_peer_cold_start", "×", "≥", 2, "from start to first answer, above an empty worker's"],
  ["edge_vs_peer_cold_start_cpu", "×", "", 0, "the same, in CPU"],
  ["edge_cold_start_ms", "ms", "", 0, "the same, ours in milliseconds"],
  ["edge_peer_cold_start_ms", "ms", "", 0, "the same on the AWS SDK"],
  ["edge_start_cpu_ms", "ms", "≤", 50, "CPU until it listens, above an empty worker's"],
  [
    "edge_first_command_cpu_ms",
    "ms",
    "≤",
    50,
    "CPU until its first answer, above an empty worker's",
  ],
  ["projection_lag_vs_command", "×", "≤", 3, "a view's lag, 99th percentile, in round trips"],
  ["projection_lag_p99_ms", "ms", "", 0, "the same in milliseconds"],
  ["projection_lag_p50_ms", "ms", "", 0, "its median"],
  ["projection_command_ms", "ms", "", 0, "a command's round trip there, median"],
  ["rebuild_events_per_second", "/s", "≥", 5000, "events of a view that is built anew"],
  ["rebuild_linear", "×", "", 0, "the same with 40,000 events, against 10,000"],
  ["view_page_requests", "", "≤", 1, "requests to DynamoDB for a page of a view"],
  ["edge_gzip_kb", "KB", "≤", 400, "what is deployed, gzip"],
  ["edge_peer_gzip_kb", "KB", "", 0, "the same on the AWS SDK (two commands and a state of it)"],
];
console.log("");
for (const [name, unit, sign, bound, about] of ROWS) {
  const value = figures[name];
  const met = { "≥": value >= bound, "≤": value <= bound }[sign] ?? true;
  const goal = sign && `${sign} ${bound} ${unit}`;
  console.log(
    `${name.padEnd(34)}${`${value.toFixed(2)} ${unit}`.padStart(12)}  ${goal.padEnd(10)}  ${about}${met ? "" : "  NOT REACHED"}`,
  );
}
if (out) {
  const others = existsSync(out) ? JSON.parse(readFileSync(out, "utf8")) : {};
  writeFileSync(out, `${JSON.stringify({ ...others, ...figures }, null, 2)}\n`);
}
