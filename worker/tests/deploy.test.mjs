// What a person deploys by: worker/tables.yaml is held to what the core creates and the edge calls, docs/deploy.md to the
// code that it tells of, and the dashboard and the alerts to the numbers that the edge gives.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, request as send } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parse } from "yaml";
import { token } from "../edge.mjs";
import { SECRET, dynamodb, edge } from "./harness.mjs";
import { dynamo } from "./readside.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path) => readFile(root + path, "utf8");
const guide = await read("docs/deploy.md");
const called = (name) => ({ tag: `!${name}`, resolve: (text) => ({ [name]: text }) });
const listed = (name) => ({
  tag: `!${name}`,
  collection: "seq",
  resolve: (list) => ({ [name]: list.toJSON() }),
});
const template = parse(await read("worker/tables.yaml"), {
  customTags: [...["Ref", "GetAtt", "Sub"].map(called), ...["If", "Not", "Equals"].map(listed)],
});
const resources = Object.entries(template.Resources);
const tables = resources.filter(([, { Type }]) => Type === "AWS::DynamoDB::Table");

/** What a table is called with the usual prefix. */
const nameOf = (logical) =>
  template.Resources[logical].Properties.TableName.Sub.replace(
    "${Prefix}",
    template.Parameters.Prefix.Default,
  );

/** A bus of EventBridge, as the template's parameter and the edge's variable name it. */
const BUS = "shop";

let db, wire, vars, front;

before(async () => {
  db = await dynamodb();
  wire = await tap(db.ready.url);
  vars = {
    AWS_ENDPOINT_URL_DYNAMODB: wire.url,
    AWS_ENDPOINT_URL_EVENTBRIDGE: wire.url,
    LIVE_POLLS: 1,
    OUTBOX: "eventbridge",
    EVENT_BUS: BUS,
  };
  front = await edge(db, { vars });
});

after(async () => {
  await front?.stop();
  wire?.close();
  await db?.stop();
});

/** What a call needs leave for, as IAM judges it: actions, each with what it is done to. */
function leaves(target, fields) {
  const [api, action] = target.split(".");
  const { TableName, IndexName, TransactItems, RequestItems, Entries } = fields;
  if (api === "AWSEvents")
    return Entries.map(({ EventBusName }) => `events:${action} event-bus/${EventBusName}`);
  // An iterator does not tell whose it is, but there is one stream.
  if (api === "DynamoDBStreams_20120810") return [`dynamodb:${action} rewound-events/stream`];
  if (TransactItems)
    return TransactItems.map((item) => {
      const [[kind, { TableName: table }]] = Object.entries(item);
      return `dynamodb:${kind === "ConditionCheck" ? "ConditionCheckItem" : `${kind}Item`} ${table}`;
    });
  const places = RequestItems
    ? Object.keys(RequestItems)
    : [IndexName ? `${TableName}/index/${IndexName}` : TableName];
  return places.map((place) => `dynamodb:${action} ${place}`);
}

/** What stands between the edge and AWS and notes what was asked, and what that needs leave for. */
async function tap(upstream) {
  const done = new Set();
  const asked = [];
  const server = createServer(async (request, answer) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const target = request.headers["x-amz-target"];
    const fields = JSON.parse(body);
    asked.push({ action: target.split(".")[1], fields });
    for (const leave of leaves(target, fields)) done.add(leave);
    // With its own host: that is what was signed.
    const { method, headers } = request;
    const passed = send(upstream, { method, headers }, (found) => {
      answer.writeHead(found.statusCode, found.headers);
      found.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    passed.end(body);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const close = () => (server.close(), server.closeAllConnections());
  return { url: `http://127.0.0.1:${server.address().port}`, done, asked, close };
}

/** Asks DynamoDB itself. */
const ask = (action, fields) => dynamo(db, action, fields);

/** Answers come as they should, and say what they cost. */
async function cost(asked, expected = [200, 201]) {
  const { status, headers, text } = await asked;
  assert.ok(expected.includes(status), text);
  return /desc="(.*?)"/.exec(headers.get("server-timing"))[1];
}
const get = (path, headers) => cost(front.client.ask(path, { headers }));

test("the template's tables are those that the core creates", async () => {
  const { TableNames } = await ask("ListTables", {});
  assert.deepEqual(tables.map(([logical]) => nameOf(logical)).sort(), TableNames.sort());
  const sorted = (list) =>
    [...list].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  for (const [logical, { Properties: written }] of tables) {
    const { Table: made } = await ask("DescribeTable", { TableName: nameOf(logical) });
    const { TimeToLiveDescription: life } = await ask("DescribeTimeToLive", {
      TableName: nameOf(logical),
    });
    const indexes = (list) =>
      (list ?? []).map(({ IndexName, KeySchema, Projection }) => ({
        IndexName,
        KeySchema,
        Projection,
      }));
    assert.deepEqual(
      {
        keys: written.KeySchema,
        attributes: sorted(written.AttributeDefinitions),
        indexes: indexes(written.GlobalSecondaryIndexes),
        stream: written.StreamSpecification?.StreamViewType,
        expires: written.TimeToLiveSpecification?.Enabled
          ? written.TimeToLiveSpecification.AttributeName
          : undefined,
        billing: written.BillingMode,
      },
      {
        keys: made.KeySchema,
        attributes: sorted(made.AttributeDefinitions),
        indexes: indexes(made.GlobalSecondaryIndexes),
        stream: made.StreamSpecification?.StreamEnabled
          ? made.StreamSpecification.StreamViewType
          : undefined,
        expires: life.TimeToLiveStatus === "ENABLED" ? life.AttributeName : undefined,
        billing: made.BillingModeSummary?.BillingMode,
      },
      logical,
    );
  }
});

test("no table can be lost by a slip", () => {
  for (const [logical, { Properties, DeletionPolicy, UpdateReplacePolicy }] of tables) {
    const { PointInTimeRecoverySpecification, DeletionProtectionEnabled, SSESpecification } =
      Properties;
    assert.deepEqual(
      [
        PointInTimeRecoverySpecification?.PointInTimeRecoveryEnabled,
        DeletionProtectionEnabled,
        SSESpecification?.SSEEnabled,
        DeletionPolicy,
        UpdateReplacePolicy,
      ],
      [true, true, true, "Retain", "Retain"],
      logical,
    );
  }
});

/** Asks again until the answer is as it should be. */
async function eventually(ask, isSo, what) {
  for (let tries = 0; tries < 150; tries += 1) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    await wait(100);
  }
  assert.fail(`it never came to this: ${what}`);
}

/** An event that no view can take: a deposit to an account that was never opened. */
const poison = (aggregateVersion) => ({
  aggregateId: { S: "poison" },
  aggregateName: { S: "BankAccount" },
  aggregateVersion: { N: String(aggregateVersion) },
  eventId: { S: `01M7ZHDP6ACFBFD51FVWENW70${aggregateVersion}` },
  eventName: { S: "MoneyDeposited" },
  eventTs: { S: "2026-11-21T17:10:49.802Z" },
  actorId: { S: "somebody" },
  amount: { N: "5" },
  transactionReference: { S: "r" },
  description: { S: "" },
});

/** Everything that the write side can be asked. */
async function commandsAndReads() {
  const first = {
    BankAccount: ["Open", { accountHolderId: "ada", currency: "EUR", initialDeposit: 500 }],
    Order: ["Create", { customerId: "c", items: [{ productId: "p", quantity: 1, price: 5 }] }],
    Customer: ["Register", { email: "ada@example.com", name: "Ada" }],
    BlogPost: ["Create", { title: "T" }],
  };
  const { command } = front.client;
  for (const [kind, [name, fields]] of Object.entries(first)) {
    const [path, key] = [`/aggregates/${kind}/of-${kind}`, { "idempotency-key": `k-${kind}` }];
    for (let time = 0; time < 2; time += 1)
      await cost(command(kind, `of-${kind}`, name, fields, key));
    for (const way of [path, `${path}?version=1`, `${path}?at=2100-01-01T00:00:00Z`])
      await get(way);
    await get(`/aggregates/${kind}`);
    await get(`${path}/events`);
    await get(`${path}/events`, { accept: "text/event-stream" });
  }
  // What is recorded once, and under a key besides, is looked up in a transaction before it is refused.
  const transfer = { transferId: "t", sourceAccountId: "s", amount: 5, currency: "USD" };
  const key = { "idempotency-key": "k-transfer" };
  await cost(command("BankAccount", "of-BankAccount", "ReceiveTransfer", transfer, key), [409]);
}

/** Everything that the read side can be asked, but for what takes a minute. */
async function viewsAndFeed() {
  const { ask: http, post, command } = front.client;
  const says = async (asked, expected, what) => {
    const { status, body, text } = await asked;
    assert.equal(status, expected, text);
    return what ? what(body) : body;
  };
  // A transfer is carried to its end.
  const open = { accountHolderId: "bob", currency: "EUR" };
  await says(command("BankAccount", "to-another", "Open", open), 201);
  const transfer = { transferId: "t1", destinationAccountId: "to-another", amount: 100 };
  await says(command("BankAccount", "of-BankAccount", "InitiateTransfer", transfer), 200);
  const arrived = () => says(http("/views/account-balances/to-another"), 200, (row) => row.balance);
  await eventually(arrived, (balance) => balance === 100, "the transfer arrived");

  // Pages in the order of the table and of both indexes, and by somebody who has a token.
  const change = { newEmail: "ada@example.org" };
  const token = await says(command("Customer", "of-Customer", "UpdateEmail", change), 200, (body) =>
    encodeURIComponent(body.token),
  );
  await get("/views");
  await get("/views/account-balances");
  for (const query of ["", "?status=ACTIVE&", "?email=ada&"])
    await get(`/views/customers${query || "?"}token=${token}`);
  await get(`/views/customers/of-Customer?token=${token}`);

  // What cannot be taken is parked, tried again, and given up.
  for (const version of [1, 2])
    await ask("PutItem", { TableName: "rewound-events", Item: poison(version) });
  assert.equal(await front.tick(), "ok");
  const letters = "/feed/account-balances/dead-letters";
  const versions = await says(http(letters), 200, ({ items }) => items.map((item) => item.version));
  assert.deepEqual(versions, [1, 2]);
  await says(post(`${letters}/poison/1/retry`), 409);
  await says(post(`${letters}/poison/2/skip`), 200);

  await says(post("/feed/sweep"), 200);
  await says(post("/feed/account-balances/rebuild"), 202);
  const generation = () => says(http("/feed"), 200, ({ views: [view] }) => view.generation);
  await eventually(generation, (found) => found === 2, "the view was built anew");
  await get("/metrics");
}

/** What the policy allows, where a bus is named. */
function granted() {
  const { PolicyDocument } = template.Resources.EdgePolicy.Properties;
  assert.deepEqual(template.Conditions, {
    HasEventBus: { Not: [{ Equals: [{ Ref: "EventBus" }, ""] }] },
  });
  const statements = PolicyDocument.Statement.map((statement) => {
    if (!statement.If) return statement;
    const [condition, where, otherwise] = statement.If;
    assert.deepEqual([condition, otherwise], ["HasEventBus", { Ref: "AWS::NoValue" }]);
    return where;
  });
  const place = ({ GetAtt, Sub }) => {
    const [, index] = /^\$\{Views\.Arn\}(\/index\/\w+)$/.exec(Sub) ?? [];
    if (index) return nameOf("Views") + index;
    if (Sub) {
      const account = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:";
      assert.equal(Sub, `${account}event-bus/\${EventBus}`);
      return `event-bus/${BUS}`;
    }
    if (GetAtt === "Events.StreamArn") return `${nameOf("Events")}/stream`;
    assert.match(GetAtt, /^[A-Za-z]+\.Arn$/);
    return nameOf(GetAtt.split(".")[0]);
  };
  return statements.flatMap(({ Effect, Action, Resource, ...rest }) => {
    assert.deepEqual([Effect, Object.keys(rest)], ["Allow", ["Sid"]]);
    return [Action].flat().flatMap((action) => {
      assert.match(action, /^(dynamodb|events):[A-Za-z]+$/);
      return [Resource].flat().map((resource) => `${action} ${place(resource)}`);
    });
  });
}

test("the edge may do exactly what it does", async () => {
  await db.ask({ count: true });
  wire.asked.length = 0;
  await commandsAndReads();
  await viewsAndFeed();

  // Past the tap nothing came to the gate. What follows an answer may still be on its way.
  const passed = {};
  const count = async () => {
    const { actions } = await db.ask({ count: true });
    for (const [action, more] of Object.entries(actions))
      passed[action] = (passed[action] ?? 0) + more;
    // The test itself put two events past it.
    const seen = { PutItem: 2 };
    for (const { action } of wire.asked) seen[action] = (seen[action] ?? 0) + 1;
    return (
      JSON.stringify(Object.entries(seen).sort()) === JSON.stringify(Object.entries(passed).sort())
    );
  };
  await eventually(count, (same) => same, "the tap and the gate saw the same");
  assert.ok(passed.TransactGetItems && passed.TransactWriteItems, "both kinds of transaction");

  // A generation that answers no more is kept for a minute. With the next answer the edge takes the gate's clock.
  await db.ask({ skew: 400_000 });
  await get("/aggregates/Order");
  assert.equal(await front.tick(), "ok");
  await db.ask({ skew: 0 });
  await get("/aggregates/Order");

  assert.deepEqual(granted().sort(), [...wire.done].sort());
  const users = resources.filter(([, { Type }]) => Type === "AWS::IAM::User");
  assert.deepEqual(
    users.map(([, { Properties }]) => Properties),
    [{ ManagedPolicyArns: [{ Ref: "EdgePolicy" }] }],
  );
});

test("the stack says what it made", () => {
  const made = Object.values(template.Outputs).map(({ Value }) => Value.Ref ?? Value.GetAtt);
  const wanted = [...tables.map(([logical]) => logical), "Events.StreamArn"];
  assert.deepEqual(made.sort(), [...wanted, "EdgePolicy", "EdgeUser"].sort());
  for (const output of guide.matchAll(/output `(\w+)`/g))
    assert.ok(template.Outputs[output[1]], `the guide's output ${output[1]}`);
});

/** Every variable, and whether it is a secret, as the core reads them. */
async function variables() {
  const source = await read("core/src/http/config.rs");
  const list = source.slice(source.indexOf("pub const VARIABLES"), source.indexOf("];"));
  const found = [...list.matchAll(/\b(variable|secret)\(\s*"([A-Z_]+)"/g)];
  assert.ok(found.length > 15, "the core's source is read as it is written");
  return Object.fromEntries(found.map(([, kind, name]) => [name, kind === "secret"]));
}

/** A section of the guide, up to the next of its level. */
function section(title) {
  const [, found] = guide.split(`\n## ${title}\n`);
  assert.ok(found, `the guide's section ${title}`);
  return found.split("\n## ")[0];
}

test("the guide tells of every variable, and of no other", async () => {
  const known = await variables();
  const rows = [...section("Every variable").matchAll(/^\| `(\w+)` \| (\w*) *\|/gm)];
  const marks = Object.entries(known).map(([name, isSecret]) => [name, isSecret ? "secret" : ""]);
  assert.deepEqual(
    rows.map(([, name, mark]) => [name, mark]),
    marks,
  );
  for (const [, name] of guide.matchAll(/wrangler secret put (\w+)/g))
    assert.equal(known[name], true, `${name} is put as a secret`);

  const settings = await read("worker/wrangler.toml");
  const vars = settings.slice(settings.indexOf("[vars]"), settings.indexOf("[[durable_objects"));
  const set = [...vars.matchAll(/^(?:# )?([A-Z_]+) = /gm)].map(([, name]) => name);
  assert.ok(set.length > 3);
  for (const name of set) assert.equal(known[name], false, `${name} in wrangler.toml`);
});

test("what the guide names is there", async () => {
  const slug = (title) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-");
  const titles = [...guide.matchAll(/^#+ (.*)$/gm)].map(([, title]) => slug(title));
  for (const [, link] of guide.matchAll(/\]\(([^)]+)\)/g)) {
    if (/^https:/.test(link)) continue;
    const [path, anchor] = link.split("#");
    if (path) assert.ok(existsSync(`${root}docs/${path}`), link);
    else assert.ok(titles.includes(anchor), link);
  }
  const tool = await read("xtask/src/main.rs");
  const verbs = [...tool.matchAll(/name: "(\w+)"/g)].map(([, name]) => name);
  for (const [, verb] of guide.matchAll(/cargo xtask (\w+)/g))
    assert.ok(verbs.includes(verb), verb);
  const settings = await read("worker/wrangler.toml");
  const bindings = [...guide.matchAll(/binding `(\w+)`/g)].map(([, name]) => name);
  assert.ok(bindings.length > 0);
  for (const name of bindings)
    assert.match(settings, new RegExp(`^(name|# binding) = "${name}"$`, "m"), name);
});

/** Runs a block of the guide as it stands there. */
const shell = (script, env) =>
  promisify(execFile)("sh", ["-euc", script], { env: { ...process.env, ...env } });
const blocks = (text) => [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, script]) => script);

test("the guide's token is good, and its first requests are answered as it says", async () => {
  const mint = blocks(section("Tokens")).find((script) => script.includes("node -e"));
  const { stdout } = await shell(`${mint}\nprintf %s "$TOKEN"`, { JWT_SECRET: SECRET });
  const minted = stdout.trim().split("\n").at(-1);
  const [script] = blocks(section("The first requests"));
  const answers = await shell(script, { URL: front.url, TOKEN: minted });
  const statuses = (text) => [...text.matchAll(/HTTP\/[\d.]+ (\d+)/g)].map(([, status]) => status);
  assert.deepEqual(statuses(answers.stdout), statuses(section("The first requests")));
  const [, said] = /^\{"events".*$/m.exec(section("The first requests"))[0].split('"state":');
  const constant = (text) => text.replace(/"updatedAt":"[^"]+"/g, "");
  assert.ok(constant(answers.stdout).includes(constant(said)), answers.stdout);
});

test("the guide's costs are what DynamoDB counts", async () => {
  const [account, key] = ["/aggregates/BankAccount/of-costs", { "idempotency-key": "costs" }];
  const command = (...fields) => cost(front.client.command("BankAccount", "of-costs", ...fields));
  const open = { accountHolderId: "ada", currency: "EUR", initialDeposit: 10_000 };
  const deposit = { amount: 2500, transactionReference: "inv-42" };
  const measured = {
    Open: await command("Open", open),
    Deposit: await command("Deposit", deposit),
    "Deposit with an `Idempotency-Key`": await command("Deposit", deposit, key),
    "The same again": await command("Deposit", deposit, key),
    "The state now": await get(account),
    "The state at an earlier version": await get(`${account}?version=1`),
    "A page of events": await get(`${account}/events`),
  };
  const rows = [
    ...section("What a command costs").matchAll(/^\| ([^|]+?) +\| (\d+) +\| (\d+) +\| (\d+) +\|/gm),
  ];
  const told = rows.map(([, what, requests, rcu, wcu]) => [
    what,
    `requests=${requests} rcu=${rcu} wcu=${wcu}`,
  ]);
  assert.deepEqual(told, Object.entries(measured));
});

/** What was asked since the last time, when nothing more comes. */
async function settled() {
  for (let before = -1; before !== wire.asked.length; await wait(200)) before = wire.asked.length;
  return wire.asked.splice(0);
}

/** Whether a call is one that an isolate makes now and then, for whoever asks then: for the checkpoint, and for who wrote
 *  the rows. */
const isNowAndThen = ({ action, fields }) =>
  action === "GetItem" && fields.TableName === nameOf("Helpers");

/** What calls cost. Reads are read again; what was put is put beside it, where its indexes cost the same. */
async function bill(calls) {
  let [rcu, wcu] = [0, 0];
  for (const { action, fields } of calls) {
    const { ConditionExpression, ReturnValuesOnConditionCheckFailure, ...rest } = fields;
    const counted = { ...rest, ReturnConsumedCapacity: "TOTAL" };
    if (action === "PutItem") {
      delete counted.ExpressionAttributeNames;
      delete counted.ExpressionAttributeValues;
      counted.Item = { ...fields.Item, pk: { S: `beside ${fields.Item.pk.S}` } };
      wcu += (await ask(action, counted)).ConsumedCapacity.CapacityUnits;
    } else if (["GetItem", "BatchGetItem", "Query"].includes(action)) {
      const { ConsumedCapacity } = await ask(action, counted);
      for (const { CapacityUnits } of [ConsumedCapacity].flat()) rcu += CapacityUnits;
    } else assert.ok(/^Describe|^GetShardIterator|^GetRecords|^PutEvents/.test(action), action);
  }
  return [calls.length, rcu, wcu].map(String);
}

test("the guide's costs of the read side are what DynamoDB counts", async (t) => {
  await eventually(settled, (calls) => calls.length === 0, "nothing is on its way");
  // One that does not remember generations of before.
  const other = await edge(db, { vars });
  t.after(() => other.stop());
  const { ask: http, command } = other.client;
  const isView = ({ fields }) => fields.TableName === nameOf("Views");
  const isCommand = ({ action }) => action === "TransactWriteItems";
  const measured = {};
  let outbox;
  const follow = async (what, ...fields) => {
    await cost(command(...fields));
    const calls = (await settled()).filter((call) => !isCommand(call) && !isNowAndThen(call));
    measured[what] = await bill(calls.filter(isView));
    outbox = await bill(calls.filter((call) => !isView(call)));
  };
  const open = { accountHolderId: "ada", currency: "EUR", initialDeposit: 10_000 };
  const deposit = { amount: 2500, transactionReference: "inv-42" };
  await follow("Behind Open", "BankAccount", "of-views", "Open", open);
  await follow("Behind a deposit", "BankAccount", "of-views", "Deposit", deposit);
  const ada = { email: "ada@example.com", name: "Ada" };
  await follow("Behind the registration of a customer", "Customer", "of-views", "Register", ada);
  const change = { newEmail: "ada@example.org" };
  await follow(
    "Behind a change of the e-mail address",
    "Customer",
    "of-views",
    "UpdateEmail",
    change,
  );
  const once = async (what, work, isMeant = () => true) => {
    await work();
    measured[what] = await bill((await settled()).filter(isMeant));
  };
  const row = "/views/account-balances/of-views";
  const token = encodeURIComponent("/aggregates/BankAccount/of-views@2");
  measured["Behind each of them, for an outbox to EventBridge"] = outbox;
  await once("A row of a view", () => http(row), isView);
  await once(
    "The same with a token that the row has seen",
    () => http(`${row}?token=${token}`),
    isView,
  );
  const page = "/views/account-balances?accountHolderId=ada";
  await once("A page of a view, by an index", () => http(page), isView);
  await other.tick();
  await settled();
  await once("A sweep that finds nothing, of one shard, with an outbox", () => other.tick());
  await once("`/metrics`, of one shard, with an outbox", () => http("/metrics"));

  const rows = [
    ...section("What the read side costs").matchAll(
      /^\| ([^|]+?) +\| ([\d.]+) +\| ([\d.]+) +\| ([\d.]+) +\|/gm,
    ),
  ];
  assert.deepEqual(
    rows.map(([, ...told]) => told),
    Object.entries(measured).map(([what, units]) => [what, ...units]),
  );
});

test("the dashboard and the alerts know every number, and no other", async () => {
  const { text } = await front.client.ask("/metrics");
  const kinds = Object.fromEntries(
    [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, kind]) => [name, kind]),
  );
  const source = await read("core/src/http/metrics.rs");
  const [code] = source.split("#[cfg(test)]");
  const said = [
    ...code.matchAll(/^ +\(?"(rewound_\w+)",/gm),
    ...code.matchAll(/\("(rewound_\w+)", "/g),
  ];
  const written = new Set(said.map(([, name]) => name));
  assert.deepEqual(Object.keys(kinds).sort(), [...written].sort(), "the edge gave every number");

  const dashboard = JSON.parse(await read("docs/grafana.json"));
  const panels = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
  const targets = panels.flatMap((panel) => panel.targets ?? []);
  const rules = parse(await read("docs/alerts.yaml")).groups.flatMap((group) => group.rules);
  const named = (texts) =>
    new Set(texts.flatMap((expr) => [...expr.matchAll(/\brewound_\w+/g)].map(([name]) => name)));
  const shown = named(targets.map(({ expr }) => expr));
  for (const name of [...shown, ...named(rules.map(({ expr }) => expr))])
    assert.ok(kinds[name], `${name} is no number of the edge's`);
  for (const [name, kind] of Object.entries(kinds))
    assert.ok(kind !== "gauge" || shown.has(name), `${name} is on the dashboard`);
  // What a legend or an alert says is a label that its number has, and no counter is shown raw.
  for (const { expr, legendFormat, annotations } of [...targets, ...rules]) {
    const line = text
      .split("\n")
      .find((line) => [...named([expr])].some((n) => line.startsWith(n)));
    const about = [legendFormat, ...Object.values(annotations ?? {})].join(" ");
    for (const [, label] of about.matchAll(/\{\{ *(?:\$labels\.)?(\w+) *\}\}/g))
      assert.ok(line.includes(`${label}="`) && expr.includes(label), `${label} in ${expr}`);
    for (const name of named([expr]))
      if (kinds[name] === "counter") assert.match(expr, new RegExp(`rate\\(${name}`), expr);
  }
  // It can be imported: it asks for its source, and its panels take that one.
  assert.deepEqual(
    dashboard.__inputs.map(({ name, type, pluginId }) => [name, type, pluginId]),
    [["DS_PROMETHEUS", "datasource", "prometheus"]],
  );
  for (const { datasource } of targets)
    assert.deepEqual(datasource, { type: "prometheus", uid: "${DS_PROMETHEUS}" });
  const ids = panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, "each panel has its own id");
  for (const { alert, expr, labels, annotations } of rules)
    assert.ok(alert && expr && labels?.severity && annotations?.summary, alert);
  const told = [...section("What to watch").matchAll(/^\| `(Rewound\w+)` \|/gm)];
  assert.deepEqual(
    told.map(([, name]) => name),
    rules.map(({ alert }) => alert),
    "the guide tells of every alert",
  );
});

test("the guide's requests to the read side are answered", async () => {
  const scripts = blocks(section("The read side")).filter((script) => script.includes("curl "));
  assert.equal(scripts.length, 3, "views, rebuilds, dead letters");
  const status = `curl() { command curl -sS -o /dev/null -w '%{http_code} ' "$@"; }`;
  const claims = { scope: "*:read feed:read feed:operate" };
  const TOKEN = token(SECRET, claims);
  // The view was built anew, so both that it cannot take are there again.
  const env = { URL: front.url, TOKEN, ID: "poison", VERSION: "2" };
  const { stdout } = await shell([status, ...scripts].join("\n"), env);
  assert.deepEqual(stdout.trim().split(" "), "200 200 200 202 200 200 409 200".split(" "));
});
