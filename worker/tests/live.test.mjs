// Streams that are followed live, with `fetch`, as a browser would.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { token } from "../edge.mjs";
import { SECRET, account, dynamodb, edge } from "./harness.mjs";

let db, front;

before(async () => {
  db = await dynamodb();
  front = await edge(db, { vars: { LIVE_POLLS: "12", LIVE_PAUSE_MS: "50" } });
});

after(async () => {
  await front?.stop();
  await db?.stop();
});

const deposit = (id, amount) =>
  front.client.command("BankAccount", id, "Deposit", { amount, transactionReference: "r" });

/** Follows a stream; gives each message as it comes, `{id, data, retry, …}`. */
async function* follow(id, { url = front.url, headers = {}, query = "", signal } = {}) {
  const response = await fetch(`${url}/aggregates/BankAccount/${id}/events${query}`, {
    headers: { authorization: `Bearer ${bearer}`, accept: "text/event-stream", ...headers },
    signal,
  });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const fields = text
        .slice(0, end)
        .split("\n")
        .map((line) => {
          const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
          return [name, value];
        });
      yield Object.fromEntries(fields);
    }
  }
  assert.equal(text, "", "a message is cut in half");
}

const bearer = token(SECRET);

test("events arrive as they happen, and the stream ends itself and says when to come back", async () => {
  const id = await account(front.client);
  await deposit(id, 1);
  const versions = [];
  let last, retry;
  for await (const message of follow(id)) {
    if (message.data) {
      const event = JSON.parse(message.data);
      versions.push(event.aggregateVersion);
      last = message.id;
      if (event.aggregateVersion < 5) await deposit(id, event.aggregateVersion);
    }
    retry = message.retry ?? retry;
  }
  assert.deepEqual(versions, [1, 2, 3, 4, 5, 6]);
  assert.equal(retry, "50");
  // Whoever comes back with the last id gets what is new, and nothing twice.
  await deposit(id, 9);
  const rest = [];
  for await (const message of follow(id, { headers: { "last-event-id": last } }))
    if (message.data) rest.push(JSON.parse(message.data).aggregateVersion);
  assert.deepEqual(rest, [7]);
});

test("a cursor is one and the same in pages and in streams", async () => {
  const id = await account(front.client);
  for (let n = 1; n < 6; n += 1) await deposit(id, n);
  const { body } = await front.client.ask(`/aggregates/BankAccount/${id}/events?limit=3`);
  const read = async (options) => {
    const found = [];
    for await (const { data, id: cursor } of follow(id, options))
      if (data) found.push([JSON.parse(data).aggregateVersion, cursor]);
    return found;
  };
  const behind = await read({ query: `?after=${body.next}` });
  assert.deepEqual(
    behind.map(([version]) => version),
    [4, 5, 6],
  );
  assert.deepEqual(
    (await read({ query: "?after=5" })).map(([version]) => version),
    [6],
  );
  const page = await front.client.ask(`/aggregates/BankAccount/${id}/events?after=${behind[0][1]}`);
  assert.deepEqual(
    page.body.items.map((event) => event.aggregateVersion),
    [5, 6],
  );
  // A client that was cut off asks the same again; where it was comes before where it began.
  const resumed = await read({ query: "?after=1", headers: { "last-event-id": behind[1][1] } });
  assert.deepEqual(
    resumed.map(([version]) => version),
    [6],
  );
});

test("a follower that leaves is no longer asked for", async () => {
  const id = await account(front.client);
  const leave = new AbortController();
  for await (const message of follow(id, { signal: leave.signal })) if (message.data) break;
  leave.abort();
  await new Promise((done) => setTimeout(done, 150));
  await db.ask({ count: true });
  await new Promise((done) => setTimeout(done, 300));
  const { actions } = await db.ask({ count: true });
  assert.ok((actions.Query ?? 0) <= 1, JSON.stringify(actions));
});

test("a store that is busy for a while does not end a stream", async () => {
  const id = await account(front.client);
  await deposit(id, 1);
  await db.ask({ faults: ["throttle", "error", "cut"], every: 2, only: "Query" });
  const versions = [];
  for await (const { data } of follow(id))
    if (data) versions.push(JSON.parse(data).aggregateVersion ?? data);
  await db.ask({ faults: [] });
  assert.deepEqual(versions, [1, 2]);
});

test("a store that refuses for good ends a stream with the reason, and tells nothing of itself", async () => {
  const locked = await edge(db, { vars: { AWS_SECRET_ACCESS_KEY: "wrong" } });
  try {
    const messages = [];
    for await (const message of follow("anybody", { url: locked.url })) messages.push(message);
    const [{ event, data, retry }] = messages;
    assert.deepEqual(
      [messages.length, event, JSON.parse(data).code],
      [1, "problem", "store-refused"],
    );
    assert.ok(Number(retry) > 0);
    assert.ok(!/signature|AKID/i.test(data), data);
  } finally {
    await locked.stop();
  }
});
