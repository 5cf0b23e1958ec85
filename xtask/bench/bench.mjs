// The Node side of `cargo xtask bench`: node bench.mjs MODULE OUT
//
// Both sides of a ratio do the same work in turns in one process, and must end in the same state. The
// figure is the median of the turns' ratios.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import { median, quantile, say } from "./figures.mjs";
import { replayAgainstOthers } from "./replay.mjs";

const [modulePath, outPath] = process.argv.slice(2);
const core = createRequire(import.meta.url)(modulePath);
const { Bench } = core;

const SEED = 42;
const FOLDED = 1_000_000;
const TURNS = 9;
const SEEKS = 2_000;

/** The bank account as it is idiomatically reduced in JavaScript: a new state for every event. */
function reduce(state, event) {
  const $meta = {
    ...state?.$meta,
    id: event.aggregateId,
    version: event.aggregateVersion,
    actorId: event.actorId,
  };
  switch (event.eventName) {
    case "AccountOpened":
      return {
        $meta,
        accountHolderId: event.accountHolderId,
        balance: event.initialDeposit,
        currency: event.currency,
        status: "Active",
        pendingTransfers: {},
      };
    case "MoneyDeposited":
    case "TransferReceived":
      return { ...state, $meta, balance: state.balance + event.amount };
    case "MoneyWithdrawn":
      return { ...state, $meta, balance: state.balance - event.amount };
    case "AccountClosed":
      return { ...state, $meta, status: "Closed" };
    case "TransferInitiated":
      return {
        ...state,
        $meta,
        balance: state.balance - event.amount,
        pendingTransfers: {
          ...state.pendingTransfers,
          [event.transferId]: {
            destinationAccountId: event.destinationAccountId,
            amount: event.amount,
          },
        },
      };
    case "TransferCompleted": {
      const { [event.transferId]: _, ...pendingTransfers } = state.pendingTransfers;
      return { ...state, $meta, pendingTransfers };
    }
    case "TransferReversed": {
      const { [event.transferId]: _, ...pendingTransfers } = state.pendingTransfers;
      return { ...state, $meta, balance: state.balance + event.amount, pendingTransfers };
    }
    default:
      throw new Error(`an unknown event: ${event.eventName}`);
  }
}

function timed(work) {
  const start = performance.now();
  const result = work();
  return [performance.now() - start, result];
}

/** Folds the same decoded events on both sides; how many times faster the core is. */
function foldAgainstJavaScript(bench) {
  const events = [];
  for (let from = 0; from < FOLDED; from += 10_000) {
    // One page at a time: a million events in one text are more than a string can hold.
    for (const event of JSON.parse(bench.eventsJson(from, from + 10_000))) events.push(event);
  }
  const ratios = [];
  for (let turn = 0; turn <= TURNS; turn += 1) {
    const [javascript, theirs] = timed(() => events.reduce(reduce, undefined));
    const [core, text] = timed(() => bench.fold());
    const ours = JSON.parse(text);
    delete ours.$meta.updatedAt; // the plain reducer does not keep it
    assert.deepEqual(ours, theirs);
    say(
      `  turn ${turn}: JavaScript ${javascript.toFixed(0)} ms, core ${core.toFixed(0)} ms${turn === 0 ? " (warm-up)" : ""}`,
    );
    if (turn > 0) ratios.push(javascript / core);
  }
  return median(ratios);
}

/** The 99th percentile of the time that a seek to any version takes, in milliseconds. */
function seekP99(bench, count) {
  bench.timeline();
  let state = SEED;
  const anyVersion = () => {
    // A linear congruential generator (Numerical Recipes): the same versions in every run.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 1 + (state % count);
  };
  for (let warm = 0; warm < 300; warm += 1) bench.seek(anyVersion());
  const times = [];
  for (let seek = 0; seek < SEEKS; seek += 1) {
    const version = anyVersion();
    const [time, text] = timed(() => bench.seek(version));
    times.push(time);
    if (seek % 100 === 0) assert.equal(JSON.parse(text).$meta.version, version);
  }
  return quantile(times, 0.99);
}

say("replaying a stream from the bytes of its queries …");
const figures = replayAgainstOthers(core);
for (const [count, name] of [
  [10_000, "seek_p99_ms_10k"],
  [100_000, "seek_p99_ms_100k"],
  [FOLDED, "seek_p99_ms"],
]) {
  say(`making a stream of ${count.toLocaleString("en")} events …`);
  const bench = new Bench(count, SEED);
  if (count === FOLDED) {
    say(`folding it, ${TURNS} turns each …`);
    figures.fold_vs_js = foldAgainstJavaScript(bench);
  }
  say(`seeking in it, ${SEEKS.toLocaleString("en")} times …`);
  figures[name] = seekP99(bench, count);
  bench.free();
}

const ROWS = [
  [
    "replay_vs_peer",
    "200,000 events from DynamoDB's bytes, against the peer library",
    "×",
    40,
    Infinity,
  ],
  [
    "replay_vs_json_parse",
    "the same, against JSON.parse alone, its results kept",
    "×",
    15,
    Infinity,
  ],
  ["replay_vs_json_parse_dropped", "the same, each result dropped at once", "×", 0, Infinity],
  ["replay_vs_thorough", "the same, against an Event for each record", "×", 1, Infinity],
  ["replay_ms", "the same, in milliseconds", "ms", 0, Infinity],
  ["replay_js_domain_vs_peer", "the peer, against a domain in JavaScript", "×", 2, Infinity],
  ["fold_vs_js", "1,000,000 decoded events, against a JavaScript reducer", "×", 5, Infinity],
  ["seek_p99_ms_10k", "any version of 10,000 events, 99th percentile", "ms", 0, 4],
  ["seek_p99_ms_100k", "any version of 100,000 events, 99th percentile", "ms", 0, 4],
  ["seek_p99_ms", "any version of 1,000,000 events, 99th percentile", "ms", 0, 4],
];
console.log(`\n${"name".padEnd(30)}${"measured".padStart(12)}  ${"to reach".padEnd(10)}`);
for (const [name, about, unit, least, most] of ROWS) {
  const value = figures[name];
  const bound = most === Infinity ? `≥ ${least} ${unit}` : `≤ ${most} ${unit}`;
  const target = least === 0 && most === Infinity ? "" : bound;
  const met = value >= least && value <= most ? "" : "  NOT REACHED";
  console.log(
    `${name.padEnd(30)}${`${value.toFixed(2)} ${unit}`.padStart(12)}  ${target.padEnd(10)}  ${about}${met}`,
  );
}
writeFileSync(outPath, `${JSON.stringify(figures, null, 2)}\n`);
