// What the edge's tests share: the runtime on what would be deployed, a DynamoDB on loopback behind a gate that looks at
// every signature and can break things, and the audit after them.

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { program, token, variables as usual, workerd } from "../edge.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? `${root}target`;
export const BUNDLE = process.env.REWOUND_EDGE ?? `${target}/edge`;
export const CONTRACT = process.env.REWOUND_EDGE_CONTRACT ?? `${target}/edge-contract`;
const EMULATOR = process.env.REWOUND_DYNAMODB ?? `${target}/debug/rewound-dynamodb`;

/** Whether the long forms are asked for. */
export const FULL = process.env.REWOUND_FULL === "1";

export const SECRET = randomBytes(32).toString("base64url");

/** A DynamoDB with every table, behind its gate. */
export const dynamodb = (...more) => program(EMULATOR, ["--gate", "--tables", "rewound", ...more]);

/** What the edge needs to be told of a DynamoDB. */
export const variables = ({ ready }, more = {}) => ({ ...usual(ready, SECRET), ...more });

/** An edge on a DynamoDB, and what it logs. */
export async function edge(db, { vars = {}, bundle = BUNDLE, port = 0 } = {}) {
  const lines = [];
  const log = (line) => lines.push(line);
  const started = await workerd({ bundle, vars: variables(db, vars), port, log });
  return { ...started, lines, client: client(started.url) };
}

/** Who asks an edge, with a token for everything unless another is given. */
export function client(url, claims = {}) {
  const bearer = token(SECRET, {
    scope: "*:read *:command *:saga metrics:read feed:read feed:operate",
    ...claims,
  });
  async function ask(path, { headers = {}, ...init } = {}) {
    const response = await fetch(url + path, {
      ...init,
      headers: { authorization: `Bearer ${bearer}`, ...headers },
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    const body = isJson && text ? JSON.parse(text) : text;
    return { status: response.status, headers: response.headers, body, text };
  }
  const post = (path, fields, headers = {}) =>
    ask(path, {
      method: "POST",
      body: JSON.stringify(fields ?? {}),
      headers: { "content-type": "application/json", ...headers },
    });
  const command = (aggregate, id, name, fields, headers) =>
    post(`/aggregates/${aggregate}/${encodeURIComponent(id)}/commands/${name}`, fields, headers);
  return { url, ask, post, command };
}

/** A new account with so many cents. */
export async function account({ command }, initialDeposit = 0, id = `a-${randomUUID()}`) {
  const opened = await command("BankAccount", id, "Open", {
    accountHolderId: "ada",
    currency: "EUR",
    initialDeposit,
  });
  assert.equal(opened.status, 201, opened.text);
  return id;
}

/** Every event of a stream, page by page. */
export async function events({ ask }, aggregate, id, limit = 100) {
  const all = [];
  for (let after = "0"; after !== null;) {
    const { status, body } = await ask(
      `/aggregates/${aggregate}/${id}/events?after=${after}&limit=${limit}`,
    );
    assert.equal(status, 200);
    all.push(...body.items);
    after = body.next;
  }
  return all;
}

/**
 * A stream is whole: its versions are 1 to n, no event is there twice, and the row is what its events make. Gives the
 * events and the state.
 */
export async function whole(asking, aggregate, id) {
  const all = await events(asking, aggregate, id);
  assert.deepEqual(
    all.map((event) => event.aggregateVersion),
    all.map((_, index) => index + 1),
    `the versions of ${id}`,
  );
  assert.equal(new Set(all.map((event) => event.eventId)).size, all.length);
  const path = `/aggregates/${aggregate}/${id}`;
  const row = (await asking.ask(path)).body;
  assert.equal(row.$meta.version, all.length);
  if (aggregate === "BankAccount") assert.equal(row.balance, balance(all), `the balance of ${id}`);
  return { events: all, state: row };
}

/** What is left of an account's money: the events added up by hand. */
export function balance(events) {
  const sign = {
    MoneyDeposited: 1,
    TransferReceived: 1,
    TransferReversed: 1,
    MoneyWithdrawn: -1,
    TransferInitiated: -1,
  };
  return events.reduce(
    (sum, { eventName, amount, initialDeposit }) =>
      sum + (initialDeposit ?? 0) + (sign[eventName] ?? 0) * (amount ?? 0),
    0,
  );
}

/** Asks again until there is an answer that says what became of it, as a client with a key would. */
export async function certainly(work, tries = 40) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await work().catch((error) => ({ status: 0, body: {}, text: String(error) }));
    const again = [0, 500, 502, 503].includes(answer.status) || answer.body.code === "contention";
    if (!again || attempt === tries) return answer;
    await new Promise((done) => setTimeout(done, 20 * attempt));
  }
}

/** Random numbers, the same for the same seed (mulberry32). */
export function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
