// Whatever bytes and values come in: an answer, or one of the package's errors, and an instance that works on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import {
  aggregate,
  defineAggregate,
  EventLog,
  eventsFromStreamRecords,
  InvalidDataError,
  ReduceError,
  RewoundError,
  Timeline,
} from "../dist/node.js";
import { seeded } from "./harness.mjs";

const ROUNDS = process.env.REWOUND_FULL ? 50_000 : 1_500;
const account = aggregate("BankAccount");
const counter = defineAggregate({
  name: "BankAccount",
  decide: () => [],
  evolve: (state, event) => ({ sum: (state?.sum ?? 0) + (event.amount ?? 0) }),
});

const events = [
  { eventName: "AccountOpened", accountHolderId: "ada", initialDeposit: 100, currency: "EUR" },
  {
    eventName: "MoneyDeposited",
    amount: 5,
    transactionReference: 'a\u00e9"\\',
    description: "日本",
  },
  { eventName: "TransferInitiated", transferId: "t", destinationAccountId: "b", amount: 7 },
  { eventName: "TransferCompleted", transferId: "t" },
].map((own, index) => ({
  eventId: `01K1RZXKEYCYQ5MSEQJ4Z5JND${index}`,
  aggregateName: "BankAccount",
  aggregateId: "a",
  aggregateVersion: index + 1,
  actorId: "ada",
  ...own,
}));
const item = (event) =>
  Object.fromEntries(
    Object.entries(event).map(([name, value]) => [
      name,
      typeof value === "number" ? { N: String(value) } : { S: value },
    ]),
  );
const seeds = [
  JSON.stringify({ Items: events.map(item), Count: 4, ScannedCount: 4 }),
  events.map((event) => JSON.stringify({ Item: item(event) })).join("\n"),
  events.map((event) => JSON.stringify(event)).join("\n"),
  JSON.stringify(events),
].map((text) => Buffer.from(text));

const PIECES = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "\n",
  "0",
  "-",
  "1e999",
  "\\ud800",
  "\u00e9",
  "null",
];
PIECES.push(
  '{"S":"x"}',
  '{"N":"1"}',
  '"eventId"',
  "[".repeat(300),
  "99999999999999999999",
  '"__proto__"',
);

/** Damages bytes here and there. */
function damaged(bytes, random) {
  const below = (most) => Math.floor(random() * most);
  let page = Buffer.from(bytes);
  for (let times = below(3) + 1; times > 0; times -= 1) {
    const at = below(page.length + 1);
    const end = Math.min(at + below(4), page.length);
    const kind = below(4);
    const piece =
      kind === 0
        ? Buffer.from(PIECES[below(PIECES.length)])
        : kind === 1
          ? Buffer.from([below(256)])
          : kind === 2
            ? page.subarray(below(page.length), below(page.length) + below(40))
            : Buffer.alloc(0);
    page = Buffer.concat([
      page.subarray(0, at),
      piece,
      page.subarray(kind === 3 ? end + below(60) : end),
    ]);
  }
  return page;
}

/** How something ends: with a value, or with an error of the package's. */
function ends(what) {
  try {
    return { value: what() };
  } catch (error) {
    assert.ok(error instanceof RewoundError, `${error?.stack ?? error}`);
    return { error };
  }
}

test("damaged pages end in a state or in an error with a place, by whichever domain", () => {
  const random = seeded(42);
  let [states, errors] = [0, 0];
  for (let round = 0; round < ROUNDS; round += 1) {
    let page = damaged(seeds[round % seeds.length], random);
    if (round % 5 === 0) page = damaged(gzipSync(page), round % 10 === 0 ? () => 0.999 : random);
    const pages =
      round % 3 === 0
        ? [page.subarray(0, page.length >> 1), page.subarray(page.length >> 1)]
        : [page];
    const { value, error } = ends(() => account.replay(pages));
    const other = ends(() => counter.replay(pages));
    if (error === undefined) {
      states += 1;
      if (value) assert.equal(other.value.$meta.version, value.$meta.version);
    } else {
      errors += 1;
      assert.ok(error instanceof InvalidDataError || error instanceof ReduceError, `${error}`);
      if (error.issues?.length !== 1) assert.ok(error.page >= 1 && error.line >= 1, `${error}`);
    }
    const line = ends(() => Timeline.from(pages));
    if (line.value) {
      ends(() => line.value.why("/balance"));
      ends(() => line.value.diff(0, line.value.length));
      line.value.free();
    }
    const { value: log } = ends(() => EventLog.from(pages));
    for (const stream of log.streams()) ends(() => log.timeline(stream.aggregateId).stateAt(2));
    log.free();
  }
  assert.ok(states > ROUNDS / 200 && errors > ROUNDS / 4, `${states} states, ${errors} errors`);
  assert.equal(account.replay(seeds[0]).balance, 98);
});

test("odd values end in an answer or in an error", () => {
  const random = seeded(7);
  const below = (most) => Math.floor(random() * most);
  const odd = (depth) => {
    const kinds = [
      null,
      true,
      0,
      -1,
      1.5,
      1e21,
      NaN,
      "",
      "a",
      "\ud800",
      "__proto__",
      undefined,
      5n,
      Symbol.iterator,
    ];
    if (depth > 3 || below(3) > 0) return kinds[below(kinds.length)];
    if (below(2)) return Array.from({ length: below(3) }, () => odd(depth + 1));
    const names = [
      "type",
      "amount",
      "$meta",
      "id",
      "version",
      "eventName",
      "__proto__",
      "toJSON",
      "dynamodb",
      "NewImage",
    ];
    const object = {};
    for (let n = below(4); n > 0; n -= 1) {
      const value = odd(depth + 1);
      Object.defineProperty(object, names[below(names.length)], {
        value,
        enumerable: true,
        configurable: true,
      });
    }
    return object;
  };
  const by = { id: "a", actorId: "ada", now: 0 };
  const state = account.reduceEvents(events);
  for (let round = 0; round < ROUNDS; round += 1) {
    const value = odd(0);
    ends(() =>
      account.decide(value, { type: "Deposit", amount: 1, transactionReference: "r" }, by),
    );
    ends(() => account.decide(state, value, by));
    ends(() => account.decide(state, { ...events[1], type: "Deposit", more: value }, by));
    ends(() => account.reduceEvents(value));
    ends(() => account.reduceEvents([...events.slice(0, 2), value]));
    ends(() => account.replay(value));
    ends(() => eventsFromStreamRecords(value));
    ends(() => aggregate(value));
    ends(() => defineAggregate(value));
    ends(() =>
      defineAggregate({ name: "X", decide: () => value, evolve: () => value }).decide(
        null,
        { type: "A" },
        by,
      ),
    );
  }
  assert.equal(account.reduceEvents(events).balance, 98);
});
