// Run it with `node --test`, where the package `rewound` is installed.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  aggregate,
  ConflictError,
  DynamoStore,
  KeyReusedError,
  NotFoundError,
  RejectedError,
  RewoundError,
  StoreError,
} from "rewound";

const race = RACE;

const TIME = Date.UTC(2027, 0, 15, 8);
const kind = aggregate(race.aggregate);

// DynamoDB, as far as a command needs it: three tables, and conditions that hold or do not.
const tables = { rows: new Map(), events: new Map(), helpers: new Map() };
if (race.row) tables.rows.set(race.id, race.row);
for (const event of race.events) tables.events.set(event.eventId.S, event);
const keys = { rows: "aggregateId", events: "eventId", helpers: "pk" };

function holds({ ConditionExpression: condition, ExpressionAttributeValues: values }, old) {
  if (condition === undefined) return true;
  if (!old) return !condition.startsWith("attribute_exists");
  if (condition.includes(" OR ")) return Number(old.expiresAt?.N) < Number(values[":v0"].N);
  return condition.startsWith("attribute_exists") && old.version.N === values[":prevVersion"].N;
}

function update(old, { Key, UpdateExpression, ...names }) {
  const row = { ...old, ...Key };
  for (const [, name, value] of UpdateExpression.matchAll(/(#n\d+) = (:v\d+)/g))
    row[names.ExpressionAttributeNames[name]] = names.ExpressionAttributeValues[value];
  for (const [name] of UpdateExpression.matchAll(/#r\d+/g))
    delete row[names.ExpressionAttributeNames[name]];
  return row;
}

function commit(items) {
  const writes = items.map(({ Update, Put }) => {
    const { TableName: table, ...write } = Update ?? Put;
    const key = (write.Key ?? write.Item)[keys[table]].S;
    return { table, write, key, old: tables[table].get(key) };
  });
  // A store without optimistic locking takes whatever comes, and numbers the events itself.
  const isChecked = ({ table }) => race.locking || table === "helpers";
  const failed = writes.map((each) => isChecked(each) && !holds(each.write, each.old));
  if (failed.includes(true)) {
    const none = { Code: "None" };
    const reason = ({ old }) => ({
      Code: "ConditionalCheckFailed",
      Message: "The conditional request failed",
      Item: old,
    });
    return [
      400,
      {
        __type: "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        Message: "Transaction cancelled, please refer cancellation reasons for specific reasons",
        CancellationReasons: writes.map((each, index) => (failed[index] ? reason(each) : none)),
      },
    ];
  }
  // The same bytes once more: an id is there once.
  if (!race.locking && writes.some(({ table, old }) => table === "events" && old)) return [200, {}];
  let version = tables.events.size;
  const number = () => ({ N: `${version}` });
  for (const { table, write, key, old } of writes) {
    const item = table === "rows" ? update(old, write) : { ...write.Item };
    if (!race.locking && table === "events") {
      version += 1;
      item.aggregateVersion = number();
    }
    // Every command here records one event.
    if (!race.locking && table === "helpers") [item.first, item.last] = [number(), number()];
    tables[table].set(key, item);
  }
  if (!race.locking) tables.rows.get(race.id).version = { N: `${version}` };
  return [200, {}];
}

function query({ ScanIndexForward: isForward, Limit, ExclusiveStartKey: start }) {
  const ids = [...tables.events.keys()].sort();
  if (!isForward) ids.reverse();
  const rest = start ? ids.slice(ids.indexOf(start.eventId.S) + 1) : ids;
  const items = rest.slice(0, Limit).map((id) => tables.events.get(id));
  const last = rest.length > Limit && items.at(-1);
  const key = last && { aggregateId: last.aggregateId, eventId: last.eventId };
  return { Items: items, ...(key && { LastEvaluatedKey: key }) };
}

const get = ({ TableName: table, Key }) => {
  const item = tables[table].get(Key[keys[table]].S);
  return item ? { Item: item } : {};
};

function answer(action, body) {
  if (action === "TransactWriteItems") return commit(body.TransactItems);
  if (action === "PutItem") return (tables.helpers.set(body.Item.pk.S, body.Item), [200, {}]);
  if (action === "Query") return [200, query(body)];
  if (action === "TransactGetItems")
    return [200, { Responses: body.TransactItems.map(({ Get }) => get(Get)) }];
  return [200, get(body)];
}

const respond = ([status, body]) =>
  new Response(JSON.stringify(body), { status, headers: { date: new Date(TIME).toUTCString() } });

// The order: a request waits until it is its writer's turn.
let turn = 0;
const waiting = new Map();
function next() {
  const go = waiting.get(race.order[turn]);
  if (!go) return;
  waiting.delete(race.order[turn]);
  turn += 1;
  go();
}
function comes(writer) {
  return new Promise((go) => {
    waiting.set(writer, go);
    next();
  });
}

// Which reducer wrote the rows is asked out of turn.
const isInTurn = ({ TableName: table, Key, Item }) =>
  table !== "helpers" || !/^reducer/.test((Key ?? Item).pk.S);

function storeFor(fetch, now = () => TIME, random = () => new Uint8Array(10)) {
  return new DynamoStore({
    endpoint: "http://127.0.0.1:1",
    region: "local",
    credentials: { accessKeyId: "a", secretAccessKey: "s" },
    tables: { events: "events", helpers: "helpers", aggregates: { [race.aggregate]: "rows" } },
    cache: 0,
    timeout: 60_000,
    fetch,
    now,
    random,
  });
}

const read = (request) => [
  request.headers.get("x-amz-target").split(".")[1],
  JSON.parse(request.body),
];

/** Sends a writer's command; gives how it ended, in words: more than one where it was sent again. */
function send(writer, index) {
  const { command, name, expectedVersion, idempotencyKey, retries, loss, skew = 0 } = writer;
  const words = [];
  let { isLost, isFresh, conflicts, isOff } = { conflicts: 0, isOff: Math.abs(skew) > 300_000 };
  return new Promise((done, failed) => {
    const end = (word) => done([...words, word]);

    async function fetch(_, request) {
      const [action, body] = read(request);
      if (!isInTurn(body)) return respond(answer(action, body));
      await comes(index);
      try {
        if (isOff) {
          isOff = false;
          const message = "Signature expired: it is now earlier than the tolerance allows";
          return respond([400, { __type: "InvalidSignatureException", message }]);
        }
        const found = answer(action, body);
        const isCommit = action === "TransactWriteItems";
        if (isCommit && found[0] === 200 && loss && !isLost) {
          isLost = true;
          if (loss === "answer") throw new TypeError("the answer was lost");
          // Who sent the command hears nothing, and sends it again.
          if (!idempotencyKey) words.push("uncertain");
          [conflicts, isFresh] = [0, false];
          execute();
          return new Promise(() => {});
        }
        const reasons = found[1].CancellationReasons ?? [];
        const isConflict = reasons[0]?.Code !== "None" && reasons.at(-1)?.Code === "None";
        // What meets its own commit, whose answer was lost, lost to nobody.
        const isOwn = isLost && loss === "answer";
        if (isCommit && isConflict && isFresh && !isOwn) conflicts += 1;
        if (
          retries !== undefined &&
          conflicts > retries + (expectedVersion === undefined ? 0 : 1)
        ) {
          // The package would decide again; this writer gives up.
          end("contention");
          return new Promise(() => {});
        }
        isFresh = true;
        return respond(found);
      } finally {
        next();
      }
    }

    async function execute() {
      const random = () => new Uint8Array(10).fill(index + 1, 9);
      const store = storeFor(fetch, () => TIME + skew, random);
      const options = { actorId: name, expectedVersion, idempotencyKey };
      try {
        const { repeated, events } = await store.execute(kind, race.id, command, options);
        end(repeated ? "repeated" : events.length ? "committed" : "nothing");
      } catch (error) {
        if (error instanceof RejectedError) end(error.code);
        else if (error instanceof NotFoundError) end("not-found");
        else if (error instanceof ConflictError)
          end(error.attempts === undefined ? "wrong-version" : "contention");
        else if (error instanceof KeyReusedError) end("key-reused");
        else if (error instanceof StoreError && error.uncertain) end("uncertain");
        else if (error instanceof RewoundError) end("failed");
        else failed(error);
      }
    }
    execute();
  });
}

test(race.title, { timeout: 30_000 }, async () => {
  const { words, version, events, state } = race.expected;
  assert.deepEqual(await Promise.all(race.writers.map(send)), words);
  assert.equal(turn, race.order.length, "every request had its turn");

  const store = storeFor(async (_, request) => respond(answer(...read(request))));
  const stored = await store.events(race.id);
  assert.deepEqual(
    stored.items.map(({ eventName }) => eventName),
    events,
  );
  if (version === 0) return;
  const { $meta, ...found } = await store.load(kind, race.id);
  assert.deepEqual([$meta.version, found], [version, state]);
});
