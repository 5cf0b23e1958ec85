// Who may do what: tokens of every kind, good and bad, and what an edge does that was not set up.

import assert from "node:assert/strict";
import { createSign, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { token, workerd } from "../edge.mjs";
import { BUNDLE, SECRET, client, dynamodb, edge, variables } from "./harness.mjs";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = (pair, kid, alg) => ({
  ...pair.publicKey.export({ format: "jwk" }),
  kid,
  alg,
  use: "sig",
});

let db, front, published, keys, fetched;

before(async () => {
  db = await dynamodb();
  keys = [jwk(rsa, "r1", "RS256"), jwk(ec, "e1", "ES256")];
  fetched = 0;
  published = createServer((_, response) => {
    fetched += 1;
    response.end(JSON.stringify({ keys }));
  });
  await new Promise((done) => published.listen(0, "127.0.0.1", done));
  const address = `http://127.0.0.1:${published.address().port}/keys`;
  front = await edge(db, { vars: { JWT_JWKS: address, JWT_ISSUER: "https://id.example/" } });
});

after(async () => {
  await front?.stop();
  published?.close();
  await db?.stop();
});

const now = () => Math.floor(Date.now() / 1000);
const usual = () => ({
  sub: "ada",
  aud: "rewound-edge",
  iss: "https://id.example/",
  exp: now() + 60,
  scope: "BankAccount:read BankAccount:command",
});
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token that is signed with a private key. */
function signed(pair, header, claims = {}) {
  const text = `${part(header)}.${part({ ...usual(), ...claims })}`;
  const how =
    header.alg === "ES256"
      ? { key: pair.privateKey, dsaEncoding: "ieee-p1363" }
      : { key: pair.privateKey };
  return `${text}.${sign("sha256", Buffer.from(text), how).toString("base64url")}`;
}

const asked = async (bearer, path = "/aggregates/BankAccount", init = {}) => {
  const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const response = await fetch(front.url + path, {
    ...init,
    headers: { ...headers, ...init.headers },
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
};

/** Lists the accounts of another edge. */
const list = (url, bearer) =>
  fetch(`${url}/aggregates/BankAccount`, { headers: { authorization: `Bearer ${bearer}` } });

test("a good token of each algorithm is let in, and no other", async () => {
  const hs = (claims, header) => token(SECRET, { ...usual(), ...claims }, header);
  const es = (claims, header) => signed(ec, { alg: "ES256", kid: "e1", ...header }, claims);
  const [head, claims, signature] = es().split(".");
  const tampered = part({ ...usual(), sub: "eve" });
  const flipped = `${signature[0] === "A" ? "B" : "A"}${signature.slice(1)}`;
  const derived = createSign("sha256").update(`${head}.${claims}`).sign(ec.privateKey, "base64url");
  const pem = rsa.publicKey.export({ type: "spki", format: "pem" });
  const n = rsa.publicKey.export({ format: "jwk" }).n;
  const table = [
    ["HS256", hs(), 200],
    ["RS256", signed(rsa, { alg: "RS256", kid: "r1" }), 200],
    ["ES256", es(), 200],
    ["ES256 without a kid, where one key fits", signed(ec, { alg: "ES256" }), 200],
    ["several audiences", es({ aud: ["other", "rewound-edge"] }), 200],
    ["none", undefined, 401],
    ["an empty one", "", 401],
    ["expired", es({ exp: now() - 60 }), 401],
    ["without an end", es({ exp: undefined }), 401],
    ["not yet valid", es({ nbf: now() + 60 }), 401],
    ["issued in the future", es({ iat: now() + 60 }), 401],
    ["for another audience", es({ aud: "other" }), 401],
    ["for no audience", es({ aud: undefined }), 401],
    ["of another issuer", es({ iss: "https://evil.example/" }), 401],
    ["of nobody", es({ sub: "" }), 401],
    ["alg none", `${part({ alg: "none" })}.${part(usual())}.`, 401],
    ["alg None, with a signature", `${part({ alg: "None" })}.${claims}.${signature}`, 401],
    ["of another secret", token("x".repeat(32), usual()), 401],
    ["of a stranger's key", signed(stranger, { alg: "ES256", kid: "e1" }), 401],
    ["with a kid that there is not", es({}, { kid: "e9" }), 401],
    ["RS256 with the key of ES256", signed(rsa, { alg: "RS256", kid: "e1" }), 401],
    ["HS256 with the public key for a secret", token(pem, usual(), { kid: "r1" }), 401],
    ["HS256 with the modulus for a secret", token(n, usual(), { kid: "r1" }), 401],
    ["claims changed behind the signature", `${head}.${tampered}.${signature}`, 401],
    ["a signature changed", `${head}.${claims}.${flipped}`, 401],
    ["a signature left out", `${head}.${claims}.`, 401],
    ["a signature in DER", `${head}.${claims}.${derived}`, 401],
    [
      "a key of its own in the header",
      signed(stranger, { alg: "ES256", jwk: jwk(stranger, "e1") }),
      401,
    ],
    ["an unknown extension", es({}, { crit: ["exp"] }), 401],
    ["nonsense", "a.b.c", 401],
    ["not base64url", `${head}.${claims}=.${signature}`, 401],
  ];
  for (const [name, bearer, expected] of table) {
    const { status, headers, body } = await asked(bearer);
    assert.equal(status, expected, `${name}: ${JSON.stringify(body)}`);
    if (status === 401) assert.match(headers.get("www-authenticate"), /^Bearer/, name);
  }
  const basic = await fetch(`${front.url}/aggregates/BankAccount`, {
    headers: { authorization: `Basic ${Buffer.from("a:b").toString("base64")}` },
  });
  assert.equal(basic.status, 401);
});

test("scopes: reads and commands, aggregate by aggregate", async () => {
  const order = { customerId: "c", items: [{ productId: "p", quantity: 1, price: 1 }] };
  const id = randomUUID();
  const actions = {
    "read accounts": ["GET", "/aggregates/BankAccount/nobody", undefined, 404],
    "list accounts": ["GET", "/aggregates/BankAccount", undefined, 200],
    "read account events": ["GET", "/aggregates/BankAccount/x/events", undefined, 200],
    "command accounts": ["POST", `/aggregates/BankAccount/${id}/commands/Nothing`, {}, 404],
    "saga accounts": ["POST", `/aggregates/BankAccount/${id}/commands/ReceiveTransfer`, {}, 400],
    "read orders": ["GET", "/aggregates/Order", undefined, 200],
    "command orders": ["POST", `/aggregates/Order/${id}/commands/Create`, order, 201],
    metrics: ["GET", "/metrics", undefined, 200],
    openapi: ["GET", "/openapi.json", undefined, 200],
    health: ["GET", "/healthz", undefined, 200],
  };
  const accounts = ["read accounts", "list accounts", "read account events"];
  const may = {
    "": [],
    "BankAccount:read": accounts,
    "BankAccount:command": ["command accounts"],
    "BankAccount:saga": ["saga accounts"],
    "Order:read Order:command": ["read orders", "command orders"],
    "*:read": [...accounts, "read orders"],
    "*:command": ["command accounts", "command orders"],
    "metrics:read": ["metrics"],
    "BankAccount:*": [],
    "bankaccount:read BankAccount read *": [],
  };
  for (const [scope, allowed] of Object.entries(may)) {
    const bearer = token(SECRET, { ...usual(), scope });
    for (const [name, [method, path, fields, good]] of Object.entries(actions)) {
      const target = path.replace(id, randomUUID());
      const init = fields && {
        body: JSON.stringify(fields),
        headers: { "content-type": "application/json" },
      };
      const response = await fetch(front.url + target, {
        method,
        ...init,
        headers: { authorization: `Bearer ${bearer}`, ...init?.headers },
      });
      const text = await response.text();
      // Any token will do for what tells nothing of anybody.
      const expected = allowed.includes(name) || ["openapi", "health"].includes(name) ? good : 403;
      assert.equal(response.status, expected, `${scope || "no scope"}: ${name}: ${text}`);
      if (expected === 403) assert.equal(JSON.parse(text).code, "insufficient-scope");
    }
  }
});

test("without a token nothing is told, whatever is asked", async () => {
  for (const path of [
    "/",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/aggregates/Nobody",
    "/nothing",
  ]) {
    const { status, body } = await asked(undefined, path);
    assert.deepEqual([status, body.code], [401, "no-token"], path);
  }
});

test("new keys are fetched when a token names one, and nobody makes that happen all the time", async () => {
  const next = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const fresh = await edge(db, {
    vars: {
      JWT_JWKS: `http://127.0.0.1:${published.address().port}/keys`,
      JWT_ISSUER: "https://id.example/",
    },
  });
  try {
    const ask = (bearer) => list(fresh.url, bearer);
    fetched = 0;
    assert.equal((await ask(token(SECRET, usual()))).status, 200);
    assert.equal(fetched, 0, "a shared secret takes no keys");
    keys.push(jwk(next, "e2", "ES256"));
    for (let n = 0; n < 5; n += 1) {
      assert.equal((await ask(signed(next, { alg: "ES256", kid: "e2" }))).status, 200);
      assert.equal((await ask(signed(next, { alg: "ES256", kid: `made-up-${n}` }))).status, 401);
    }
    assert.equal(fetched, 1);
  } finally {
    await fresh.stop();
  }
});

test("a crowd of junk makes one request for keys, and keys that cannot be had are no bad token", async () => {
  let [asked, broken] = [0, true];
  const moody = createServer((_, response) => {
    asked += 1;
    if (broken) response.writeHead(500);
    setTimeout(() => response.end(broken ? "" : JSON.stringify({ keys })), 50);
  });
  await new Promise((done) => moody.listen(0, "127.0.0.1", done));
  const fresh = await edge(db, { vars: { JWT_JWKS: `http://127.0.0.1:${moody.address().port}/` } });
  try {
    const ask = (bearer) => list(fresh.url, bearer);
    const good = () => signed(ec, { alg: "ES256", kid: "e1" });
    const first = await Promise.all(Array.from({ length: 20 }, () => ask(good())));
    for (const response of first) {
      assert.equal(response.status, 503);
      assert.equal((await response.json()).code, "keys-unavailable");
      assert.ok(response.headers.get("retry-after"));
    }
    assert.equal(asked, 1);
    broken = false;
    await new Promise((later) => setTimeout(later, 2_100));
    const crowd = Array.from({ length: 40 }, (_, n) =>
      ask(n % 2 ? good() : signed(stranger, { alg: "ES256", kid: `made-up-${n}` })),
    );
    const statuses = (await Promise.all(crowd)).map(({ status }) => status);
    assert.deepEqual(new Set(statuses.filter((_, n) => n % 2)), new Set([200]));
    assert.deepEqual(new Set(statuses.filter((_, n) => !(n % 2))), new Set([401]));
    assert.equal(asked, 2);
  } finally {
    await fresh.stop();
    moody.close();
  }
});

test("keys may stand in the configuration itself", async () => {
  const fixed = await edge(db, {
    vars: { JWT_JWKS: JSON.stringify({ keys: [jwk(ec, "e1", "ES256")] }), JWT_SECRET: "" },
  });
  try {
    const ask = (bearer) => list(fixed.url, bearer);
    assert.equal((await ask(signed(ec, { alg: "ES256", kid: "e1" }))).status, 200);
    assert.equal((await ask(token(SECRET, usual()))).status, 401, "no secret, no HS256");
  } finally {
    await fixed.stop();
  }
});

test("an edge that was not set up is closed, and says what is missing", async () => {
  for (const missing of [
    "JWT_SECRET",
    "JWT_AUDIENCE",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
  ]) {
    const vars = variables(db, { OPEN: "health openapi metrics", [missing]: "" });
    const closed = await workerd({ bundle: BUNDLE, vars });
    try {
      const { ask, command } = client(closed.url);
      const fields = { accountHolderId: "ada", currency: "EUR" };
      for (const answer of [
        await ask("/healthz"),
        await ask("/aggregates/BankAccount"),
        await command("BankAccount", "a1", "Open", fields),
      ]) {
        assert.deepEqual([answer.status, answer.body.code], [503, "not-configured"], missing);
        assert.ok(answer.body.detail.includes(missing), answer.body.detail);
        for (const secret of [SECRET, db.ready.secretAccessKey].filter(
          (value) => value !== vars[missing],
        ))
          assert.ok(!answer.text.includes(secret));
      }
    } finally {
      await closed.stop();
    }
  }
});
