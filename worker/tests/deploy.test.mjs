// What a person deploys by: worker/tables.yaml is held to what the core creates and the edge calls, and docs/deploy.md to
// the code that it tells of.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parse } from "yaml";
import { SECRET, dynamodb, edge } from "./harness.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path) => readFile(root + path, "utf8");
const guide = await read("docs/deploy.md");
const template = parse(await read("worker/tables.yaml"), {
  customTags: ["Ref", "GetAtt", "Sub"].map((name) => ({
    tag: `!${name}`,
    resolve: (text) => ({ [name]: text }),
  })),
});
const resources = Object.entries(template.Resources);
const tables = resources.filter(([, { Type }]) => Type === "AWS::DynamoDB::Table");

/** What a table is called with the usual prefix. */
const nameOf = (logical) =>
  template.Resources[logical].Properties.TableName.Sub.replace(
    "${Prefix}",
    template.Parameters.Prefix.Default,
  );

let db, wire, front;

before(async () => {
  db = await dynamodb();
  wire = await tap(db.ready.url);
  const vars = { AWS_ENDPOINT_URL_DYNAMODB: wire.url, LIVE_POLLS: 1 };
  front = await edge(db, { vars });
});

after(async () => {
  await front?.stop();
  wire?.close();
  await db?.stop();
});

/** What stands between the edge and DynamoDB and notes which action was done to which table, as IAM judges it. */
async function tap(upstream) {
  const done = new Set();
  const calls = {};
  const note = (action, table) => done.add(`${action} ${table}`);
  const server = createServer(async (asked, answer) => {
    const chunks = [];
    for await (const chunk of asked) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const action = asked.headers["x-amz-target"].split(".")[1];
    const { TableName, TransactItems } = JSON.parse(body);
    calls[action] = (calls[action] ?? 0) + 1;
    if (TableName) note(action, TableName);
    for (const item of TransactItems ?? []) {
      const [[kind, { TableName: table }]] = Object.entries(item);
      note(kind === "ConditionCheck" ? "ConditionCheckItem" : `${kind}Item`, table);
    }
    // With its own host: that is what was signed.
    const passed = request(upstream, { method: asked.method, headers: asked.headers }, (found) => {
      answer.writeHead(found.statusCode, found.headers);
      found.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    passed.end(body);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const close = () => (server.close(), server.closeAllConnections());
  return { url: `http://127.0.0.1:${server.address().port}`, done, calls, close };
}

/** Asks DynamoDB itself, signed (AWS Signature Version 4). */
async function ask(action, fields) {
  const { url, region, accessKeyId, secretAccessKey } = db.ready;
  const body = JSON.stringify(fields);
  const hash = (text) => createHash("sha256").update(text).digest("hex");
  const keyed = (key, text) => createHmac("sha256", key).update(text).digest();
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
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
  const signature = keyed(
    key,
    ["AWS4-HMAC-SHA256", time, scope.join("/"), hash(canonical)].join("\n"),
  ).toString("hex");
  const credential = `Credential=${accessKeyId}/${scope.join("/")}`;
  const response = await fetch(url, {
    method: "POST",
    body,
    headers: {
      ...headers,
      authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`,
    },
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

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

test("the edge may do exactly what it does", async () => {
  await db.ask({ count: true });
  for (const call of Object.keys(wire.calls)) delete wire.calls[call];
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

  const { actions } = await db.ask({ count: true });
  assert.deepEqual(wire.calls, actions, "what the tap and the gate saw");
  assert.ok(actions.TransactGetItems && actions.TransactWriteItems, "both kinds of transaction");

  const { PolicyDocument } = template.Resources.EdgePolicy.Properties;
  const granted = PolicyDocument.Statement.flatMap(({ Effect, Action, Resource, ...rest }) => {
    assert.deepEqual([Effect, Object.keys(rest)], ["Allow", ["Sid"]]);
    return [Action].flat().flatMap((action) => {
      assert.match(action, /^dynamodb:[A-Za-z]+$/);
      return [Resource].flat().map(({ GetAtt }) => {
        assert.match(GetAtt, /^[A-Za-z]+\.Arn$/);
        return `${action.slice("dynamodb:".length)} ${nameOf(GetAtt.split(".")[0])}`;
      });
    });
  });
  assert.deepEqual(granted.sort(), [...wire.done].sort());
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
  for (const name of bindings) assert.ok(settings.includes(`\nname = "${name}"\n`), name);
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
