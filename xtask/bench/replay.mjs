// From the bytes of a stream to its state: the npm package, the library that it is compatible with, and
// `JSON.parse` alone, in turns in one process, all on the same answers to a DynamoDB `Query`.
import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import {
  fromEvent,
  reduceEvents,
  updateFromEvent,
} from "@coderbyheart/aws-dynamodb-es-cqrs/aggregate";
import { assertAggregateEvent, isNamedEvent } from "@coderbyheart/aws-dynamodb-es-cqrs/event";
import { aggregate, defineAggregate } from "../../pkg/dist/node.js";
import { median, say } from "./figures.mjs";

const EVENTS = 200_000;
const TURNS = 9;
const DAMAGED = 20_000;

const parse = (pages) =>
  pages.map((page) =>
    JSON.parse(Buffer.from(page.buffer, page.byteOffset, page.length).toString()),
  );

const [isOpened, isDeposited, isWithdrawn, isClosed, isSent, isReceived, isCompleted, isReversed] =
  [
    "AccountOpened",
    "MoneyDeposited",
    "MoneyWithdrawn",
    "AccountClosed",
    "TransferInitiated",
    "TransferReceived",
    "TransferCompleted",
    "TransferReversed",
  ].map((name) => isNamedEvent(name));

/** The account as the library's README has a reducer: with its guards, its assertion and its metadata. */
const reducePeer = reduceEvents((event, account) => {
  if (isOpened(event)) {
    return {
      $meta: fromEvent(event),
      accountHolderId: event.accountHolderId,
      balance: event.initialDeposit,
      currency: event.currency,
      status: "Active",
      pendingTransfers: {},
    };
  }
  assertAggregateEvent(account, event);
  const $meta = updateFromEvent(account.$meta, event);
  if (isDeposited(event) || isReceived(event))
    return { ...account, $meta, balance: account.balance + event.amount };
  if (isWithdrawn(event)) return { ...account, $meta, balance: account.balance - event.amount };
  if (isClosed(event)) return { ...account, $meta, status: "Closed" };
  if (isSent(event)) {
    const { transferId, destinationAccountId, amount } = event;
    const pendingTransfers = {
      ...account.pendingTransfers,
      [transferId]: { destinationAccountId, amount },
    };
    return { ...account, $meta, balance: account.balance - amount, pendingTransfers };
  }
  if (isCompleted(event) || isReversed(event)) {
    const { [event.transferId]: _, ...pendingTransfers } = account.pendingTransfers;
    const balance = account.balance + (isReversed(event) ? event.amount : 0);
    return { ...account, $meta, balance, pendingTransfers };
  }
  return undefined;
});

/** As the library's own `listAggregateEventsDynamoDB` has it. */
function peer(pages) {
  const events = [];
  for (const page of parse(pages)) {
    for (const item of page.Items ?? []) {
      const { eventTs, ...event } = unmarshall(item);
      events.push(event);
    }
  }
  return reducePeer(events);
}

const account = aggregate("BankAccount");

/** The same domain written in JavaScript, as one would for the package. */
const inJavaScript = defineAggregate({
  name: "BankAccount",
  decide: () => [],
  evolve(state, event) {
    switch (event.eventName) {
      case "AccountOpened":
        return {
          accountHolderId: event.accountHolderId,
          balance: event.initialDeposit,
          currency: event.currency,
          status: "Active",
          pendingTransfers: {},
        };
      case "MoneyDeposited":
      case "TransferReceived":
        return { ...state, balance: state.balance + event.amount };
      case "MoneyWithdrawn":
        return { ...state, balance: state.balance - event.amount };
      case "AccountClosed":
        return { ...state, status: "Closed" };
      case "TransferInitiated": {
        const { transferId, destinationAccountId, amount } = event;
        const pending = {
          ...state.pendingTransfers,
          [transferId]: { destinationAccountId, amount },
        };
        return { ...state, balance: state.balance - amount, pendingTransfers: pending };
      }
      case "TransferCompleted": {
        const { [event.transferId]: _, ...pendingTransfers } = state.pendingTransfers;
        return { ...state, pendingTransfers };
      }
      case "TransferReversed": {
        const { [event.transferId]: _, ...pendingTransfers } = state.pendingTransfers;
        return { ...state, balance: state.balance + event.amount, pendingTransfers };
      }
      default:
        throw new Error(`an unknown event: ${event.eventName}`);
    }
  },
});

/** How many times longer the others take than `replay`, and the milliseconds of all. */
export function replayAgainstOthers(core) {
  const { Bench, replayThoroughly, bothWaysAgree } = core;
  const whole = bothWaysAgree(DAMAGED);
  assert.ok(whole > 0 && whole < DAMAGED);
  const bench = new Bench(EVENTS, 42);
  const pages = bench.queryPages();
  bench.free();
  const bytes = pages.reduce((sum, page) => sum + page.length, 0);
  say(`${pages.length} pages of together ${(bytes / 1e6).toFixed(1)} MB, ${TURNS} turns each …`);

  const text = (state) => ({ ...JSON.parse(state) });
  const contenders = {
    core: () => account.replay(pages),
    domain: () => inJavaScript.replay(pages),
    thorough: () => text(replayThoroughly(pages)),
    parse: () => parse(pages).at(-1).Items.at(-1),
    parse_dropped: () => {
      // What is parsed is let go at once, as no program that needs it could.
      let last;
      for (const page of pages)
        last = JSON.parse(Buffer.from(page.buffer, page.byteOffset, page.length).toString());
      return last.Items.at(-1);
    },
    peer: () => peer(pages),
  };
  const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let turn = 0; turn <= TURNS; turn += 1) {
    const results = {};
    for (const [name, work] of Object.entries(contenders)) {
      // Twice in a row, and the second time counts: the garbage and the caches that another one left behind
      // are not this one's.
      globalThis.gc?.();
      work();
      const start = performance.now();
      results[name] = work();
      if (turn > 0) times[name].push(performance.now() - start);
    }
    const { core, domain, thorough, peer } = results;
    assert.deepEqual(core, thorough);
    assert.deepEqual(domain, core);
    peer.$meta.updatedAt = peer.$meta.updatedAt.toISOString();
    assert.deepEqual(core, peer);
    assert.equal(results.parse.aggregateVersion.N, String(core.$meta.version));
    assert.equal(core.$meta.version, EVENTS);
  }
  const shown = Object.entries(times).map(([name, all]) => `${name} ${median(all).toFixed(0)} ms`);
  say(`  medians: ${shown.join(", ")}`);
  const against = (name) => median(times[name].map((time, turn) => time / times.core[turn]));
  return {
    replay_vs_peer: against("peer"),
    replay_vs_json_parse: against("parse"),
    replay_vs_json_parse_dropped: against("parse_dropped"),
    replay_vs_thorough: against("thorough"),
    replay_js_domain_vs_peer: median(times.peer.map((time, turn) => time / times.domain[turn])),
    replay_ms: median(times.core),
  };
}
