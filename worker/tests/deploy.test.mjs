// What a person deploys by: worker/tables.yaml is held to what the core creates and the edge calls.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { dynamodb, edge } from "./harness.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path) => readFile(root + path, "utf8");
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
});
