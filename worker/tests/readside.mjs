// What the tests of the read side share: the events table as other writers see it, every view folded by hand from what
// lies there, and a sweep that is waited for.

import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes, randomUUID } from "node:crypto";
import { certainly, dynamodb, edge, seeded } from "./harness.mjs";

/** Waits until `look` gives something, for so many milliseconds at the most; gives that. */
export async function until(look, what, most = 10_000) {
  for (const end = Date.now() + most; ;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) assert.fail(`it never came to be that ${what}`);
    await new Promise((later) => setTimeout(later, 20));
  }
}

/** Asks DynamoDB itself, signed (AWS Signature Version 4), by its own clock where that is another. */
export async function dynamo(db, action, fields, ahead = db.ahead ?? 0) {
  const { url, region, accessKeyId, secretAccessKey } = db.ready;
  const body = JSON.stringify(fields);
  const hash = (text) => createHash("sha256").update(text).digest("hex");
  const keyed = (key, text) => createHmac("sha256", key).update(text).digest();
  const time = new Date(Date.now() + ahead).toISOString().replace(/[-:]|\.\d+/g, "");
  const headers = {
    "content-type": "application/x-amz-json-1.0",
    host: new URL(url).host,
    "x-amz-date": time,
    "x-amz-target": `DynamoDB_20120810.${action}`,
  };
  const names = Object.keys(headers).join(";");
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const canonical = ["POST", "/", "", lines.join(""), names, hash(body)].join("\n");
  const scope = [time.slice(0, 8), region, "dynamodb", "aws4_request"];
  const key = scope.reduce(keyed, `AWS4${secretAccessKey}`);
  const text = ["AWS4-HMAC-SHA256", time, scope.join("/"), hash(canonical)].join("\n");
  const signature = keyed(key, text).toString("hex");
  const credential = `Credential=${accessKeyId}/${scope.join("/")}`;
  const authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`;
  const response = await fetch(url, {
    method: "POST",
    body,
    headers: { ...headers, authorization },
  });
  const answer = await response.text();
  if (answer.includes("InvalidSignatureException") && ahead === (db.ahead ?? 0)) {
    db.ahead = Date.parse(response.headers.get("date")) - Date.now();
    return dynamo(db, action, fields, db.ahead + 0.5);
  }
  assert.equal(response.status, 200, `${action}: ${answer}`);
  return JSON.parse(answer);
}

/** A value as DynamoDB has it, and the other way around. */
export function typed(value) {
  if (typeof value === "string") return { S: value };
  if (typeof value === "number") return { N: String(value) };
  if (typeof value === "boolean") return { BOOL: value };
  if (value === null) return { NULL: true };
  if (Array.isArray(value)) return { L: value.map(typed) };
  return { M: item(value) };
}
export const item = (fields) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, typed(value)]));
function untyped(value) {
  const [[type, inner]] = Object.entries(value);
  if (type === "N") return Number(inner);
  if (type === "L") return inner.map(untyped);
  if (type === "M") return plain(inner);
  return type === "NULL" ? null : inner;
}
export const plain = (fields) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, untyped(value)]));

const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** A ULID of that time, greater than all before it of that time or earlier. */
export function ulid(time = Date.now()) {
  ulid.last = Math.max(time, (ulid.last ?? 0) + 1);
  let [text, rest] = ["", ulid.last];
  for (let at = 0; at < 10; at += 1, rest = Math.floor(rest / 32)) text = DIGITS[rest % 32] + text;
  return text + [...randomBytes(16)].map((byte) => DIGITS[byte % 32]).join("");
}
const timeOf = (id) =>
  new Date([...id.slice(0, 10)].reduce((sum, digit) => sum * 32 + DIGITS.indexOf(digit), 0));

/** An event as `@coderbyheart/aws-dynamodb-es-cqrs` writes it: the envelope, flat, and its time beside its id. */
export function peerEvent(aggregateName, aggregateId, aggregateVersion, eventName, fields = {}) {
  const eventId = ulid();
  const envelope = { eventId, eventName, aggregateName, aggregateId, aggregateVersion };
  const eventTs = timeOf(eventId).toISOString();
  return { ...envelope, actorId: "peer", eventTs, ...fields };
}

/** Puts events into the table, as many at once as DynamoDB takes. */
export async function written(db, events, table = "rewound-events") {
  for (let at = 0; at < events.length; at += 25) {
    const puts = events.slice(at, at + 25).map((event) => ({ PutRequest: { Item: item(event) } }));
    const { UnprocessedItems } = await dynamo(db, "BatchWriteItem", {
      RequestItems: { [table]: puts },
    });
    assert.deepEqual(UnprocessedItems ?? {}, {});
  }
}

/** Every item of a table. */
export async function scanned(db, TableName) {
  const items = [];
  for (let ExclusiveStartKey; ;) {
    const page = await dynamo(db, "Scan", { TableName, ConsistentRead: true, ExclusiveStartKey });
    items.push(...page.Items.map(plain));
    if (!(ExclusiveStartKey = page.LastEvaluatedKey)) return items;
  }
}

const total = (items) => items.reduce((sum, { quantity, price }) => sum + quantity * price, 0);
const cents = (row, amount) => ({ ...row, balance: row.balance + amount });
/** What each event makes of a row, once more and by hand. */
const FOLDS = {
  AccountOpened: (_, { accountHolderId, initialDeposit, currency, at }) => ({
    ...{ accountHolderId, balance: initialDeposit, currency, status: "Active", openedAt: at },
  }),
  MoneyDeposited: (row, { amount }) => cents(row, amount),
  MoneyWithdrawn: (row, { amount }) => cents(row, -amount),
  AccountClosed: (row) => ({ ...row, status: "Closed" }),
  TransferInitiated: (row, { amount }) => cents(row, -amount),
  TransferReceived: (row, { amount }) => cents(row, amount),
  TransferCompleted: (row) => row,
  TransferReversed: (row, { amount }) => cents(row, amount),
  OrderCreated: (_, { customerId, items, at }) => ({
    ...{
      customerId,
      items: items.length,
      totalAmount: total(items),
      status: "pending",
      placedAt: at,
    },
  }),
  OrderItemAdded: (row, added) => ({
    ...{ ...row, items: row.items + 1, totalAmount: row.totalAmount + total([added]) },
  }),
  OrderConfirmed: (row) => ({ ...row, status: "confirmed" }),
  CustomerRegistered: (_, { email, name }) => ({ email, name, status: "ACTIVE" }),
  CustomerEmailUpdated: (row, { newEmail }) => ({ ...row, email: newEmail }),
  CustomerSuspended: (row) => ({ ...row, status: "SUSPENDED" }),
  CustomerReactivated: (row) => ({ ...row, status: "ACTIVE" }),
  BlogPostCreated: (_, { title, actorId, at }) => ({ title, authorId: actorId, createdAt: at }),
  BlogPostPublished: (row, { at }) => ({ ...row, publishedAt: at }),
  BlogPostTitleChanged: (row, { title }) => ({ ...row, title }),
};
export const VIEWS = {
  "account-balances": "BankAccount",
  orders: "Order",
  customers: "Customer",
  "blog-posts": "BlogPost",
};

/** A view's rows by their ids, folded from events; without those events that are said to be no good. */
export function folded(events, view, except = []) {
  const rows = {};
  const mine = events.filter(({ aggregateName }) => aggregateName === VIEWS[view]);
  for (const event of mine.sort((a, b) => a.aggregateVersion - b.aggregateVersion)) {
    const { aggregateId: id, aggregateVersion: version, eventId, eventName } = event;
    const before = rows[id] ?? { $meta: { id, version: 0 } };
    assert.equal(version, before.$meta.version + 1, `the versions of ${id}`);
    const at = timeOf(eventId).toISOString();
    const after = except.includes(eventId) ? before : FOLDS[eventName](before, { ...event, at });
    rows[id] = { ...after, $meta: { id, version } };
  }
  // What nothing good ever happened to has no row.
  return Object.fromEntries(Object.entries(rows).filter(([, row]) => Object.keys(row).length > 1));
}

/** Every row of a view, page by page: each of them once. */
export async function rows({ ask }, view, query = "", limit = 100) {
  const found = {};
  for (let cursor = ""; cursor !== null;) {
    const answer = await ask(`/views/${view}?limit=${limit}${query}${cursor}`);
    assert.equal(answer.status, 200, answer.text);
    for (const row of answer.body.items) {
      assert.ok(!found[row.$meta.id], `${row.$meta.id} is met twice in ${view}`);
      found[row.$meta.id] = row;
    }
    cursor = answer.body.next && `&cursor=${answer.body.next}`;
  }
  return found;
}

/** Every view is what the events in the table make of it, each taken once. Gives the events. */
export async function foldedAlike(db, asking, except = []) {
  const events = await scanned(db, "rewound-events");
  for (const view of Object.keys(VIEWS)) {
    const expected = folded(events, view, except);
    // What is no more than a draft is shown to who asks for its author.
    const authors = new Set(Object.values(expected).map(({ authorId }) => authorId));
    const queries = view === "blog-posts" ? [...authors].map((id) => `&authorId=${id}`) : [""];
    const found = await Promise.all(queries.map((query) => rows(asking, view, query)));
    assert.deepEqual(Object.assign({}, ...found), expected, view);
  }
  return events;
}

/** A DynamoDB and edges with these variables, for as long as the work takes. */
export async function scene(vars, work) {
  const db = await dynamodb();
  const fronts = [];
  try {
    for (const own of [vars].flat()) fronts.push(await edge(db, { vars: own }));
    return await work(db, ...fronts);
  } finally {
    for (const front of fronts) await front.stop();
    await db.stop();
  }
}

/** Sends commands of every kind to a few aggregates of each, and again whatever does not say what became of it. */
export async function busy({ command }, count, { seed = 1, name = `b${seed}-`, tries = 40 } = {}) {
  const random = seeded(seed);
  const [any, run] = [(of) => Math.floor(random() * of), randomUUID()];
  const known = new Set();
  const one = (n) => {
    const [kind, at] = [any(5), any(6)];
    const id = `${name}${["a", "o", "c", "p", "a"][kind]}${at}`;
    const [isNew, which] = [!known.has(id), any(3)];
    known.add(id);
    const paid = { amount: 1 + any(100), transactionReference: `${n}` };
    const bought = { productId: "p", quantity: 1 + any(3), price: any(500) };
    const email = `${name}${n}@x.com`;
    if (kind === 1 && isNew)
      return ["Order", id, "Create", { customerId: `c${at}`, items: [bought] }];
    if (kind === 1) return ["Order", id, ...(any(9) ? ["AddItem", bought] : ["Confirm", {}])];
    if (kind === 2 && isNew) return ["Customer", id, "Register", { email, name: "N" }];
    if (kind === 2)
      return [
        "Customer",
        id,
        ...[
          ["UpdateEmail", { newEmail: email }],
          ["Suspend", { reason: "r" }],
          ["Reactivate", {}],
        ][which],
      ];
    if (kind === 3 && isNew) return ["BlogPost", id, "Create", { title: `${n}` }];
    if (kind === 3)
      return ["BlogPost", id, ...(which ? ["ChangeTitle", { title: `${n}` }] : ["Publish", {}])];
    if (isNew)
      return [
        "BankAccount",
        id,
        "Open",
        { accountHolderId: `h${at}`, currency: "EUR", initialDeposit: 500 },
      ];
    const sent = {
      transferId: `${run}-${n}`,
      destinationAccountId: `${name}a${any(8)}`,
      amount: 1 + any(60),
    };
    return [
      "BankAccount",
      id,
      ...[
        ["Deposit", paid],
        ["Withdraw", paid],
        ["InitiateTransfer", sent],
      ][which],
    ];
  };
  for (let n = 0; n < count; n += 1) {
    const key = { "idempotency-key": `${run}-${n}` };
    const order = one(n);
    const { status, text } = await certainly(() => command(...order, key), tries);
    assert.ok([200, 201, 404, 409].includes(status), `${order}: ${text}`);
  }
}

/** Sweeps until one came to the end of everything; gives how often that was. */
export async function swept(front, most = 50) {
  for (let times = 1; times <= most; times += 1) {
    const { status, body, text } = await front.client.post("/feed/sweep");
    assert.equal(status, 200, `${text} ${front.lines.slice(-5).join("\n")}`);
    // The views' and the outbox's, where there is one.
    const reports = Object.values(body).filter((report) => report !== null);
    assert.ok(reports.length > 0, text);
    if (reports.every(({ whole }) => whole)) return times;
    if (reports.some(({ busy }) => busy)) await new Promise((later) => setTimeout(later, 100));
  }
  assert.fail(`no sweep came to its end in ${most}: ${front.lines.slice(-5).join("\n")}`);
}
