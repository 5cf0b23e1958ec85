// The edge on this machine: what `wrangler deploy` would send, in the runtime that Cloudflare runs, on a DynamoDB on
// loopback. `cargo xtask edge` builds all of it and starts this; the tests start it piece by piece.

import { spawn } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { copyFile, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = fileURLToPath(new URL(".", import.meta.url));

/** A text as it stands in a file of Cap'n Proto. */
const quoted = (text) => JSON.stringify(text);

/**
 * A JSON Web Token with HS256. `claims` go over what is usual: an hour, and everything allowed.
 */
export function token(secret, claims = {}, header = {}) {
  const now = Math.floor(Date.now() / 1000);
  const usual = {
    sub: "developer",
    aud: "rewound-edge",
    iat: now,
    exp: now + 3600,
    scope: "*:read *:command metrics:read feed:read feed:operate",
  };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT", ...header })}.${part({ ...usual, ...claims })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** What the edge needs to be told of a DynamoDB that is ready, and of whose tokens are good. */
export const variables = ({ url, region, accessKeyId, secretAccessKey }, secret) => ({
  AWS_REGION: region,
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey,
  AWS_ENDPOINT_URL_DYNAMODB: url,
  AWS_ENDPOINT_URL_EVENTBRIDGE: url,
  JWT_AUDIENCE: "rewound-edge",
  JWT_SECRET: secret,
});

/** What stands in for Cloudflare's clock: whoever asks it wakes the edge as a cron trigger would. */
const CLOCK = `export default {
  async fetch(_, { EDGE }) {
    const { outcome } = await EDGE.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
    return new Response(outcome);
  },
};`;

/**
 * Starts the runtime on a bundle, the folder that `wrangler deploy --dry-run` wrote. `vars` are its variables and secrets
 * alike, `log` gets every line that it prints. `tick()` wakes it as a cron trigger does, and ends when it has done what it
 * was woken for.
 */
export async function workerd({ bundle, vars, port = 0, hot = true, log = () => {} }) {
  const folder = await mkdtemp(join(tmpdir(), "rewound-edge-"));
  const settings = await readFile(join(here, "wrangler.toml"), "utf8");
  const date = /^compatibility_date = (".*")$/m.exec(settings)[1];
  const files = (await readdir(bundle)).filter((name) => /\.(js|mjs|wasm)$/.test(name));
  // The main module comes first.
  files.sort((a, b) => a.endsWith(".wasm") - b.endsWith(".wasm"));
  const modules = files.map((name) => {
    const kind = name.endsWith(".wasm") ? "wasm" : "esModule";
    return `(name = ${quoted(name)}, ${kind} = embed ${quoted(name)})`;
  });
  // Only what lies beside the configuration can be embedded.
  for (const name of files) await copyFile(join(bundle, name), join(folder, name));
  const bindings = Object.entries(vars).map(
    ([name, text]) => `(name = ${quoted(name)}, text = ${quoted(String(text))})`,
  );
  if (hot) bindings.push('(name = "LINE", durableObjectNamespace = "Line")');
  const lines = hot
    ? `durableObjectNamespaces = [(className = "Line", uniqueKey = "line")],
  durableObjectStorage = (inMemory = void),`
    : "";
  await writeFile(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "clock", worker = .clock),
    (name = "loopback", network = (allow = ["127.0.0.1/32"])),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:${port}", http = (), service = "main"),
    (name = "clock", address = "127.0.0.1:0", http = (), service = "clock"),
  ],
);
const clock :Workerd.Worker = (
  modules = [(name = "clock.js", esModule = ${quoted(CLOCK)})],
  bindings = [(name = "EDGE", service = "main")],
  compatibilityDate = ${date},
  compatibilityFlags = ["service_binding_extra_handlers"],
);
const main :Workerd.Worker = (
  modules = [${modules.join(", ")}],
  bindings = [${bindings.join(", ")}],
  compatibilityDate = ${date},
  globalOutbound = "loopback",
  ${lines}
);
`,
  );
  // The program itself: the script around it does not hand the control channel on.
  const { default: found } = await import(
    new URL("node_modules/workerd/lib/main.js", import.meta.url).href
  );
  const begun = performance.now();
  const child = spawn(
    found.default ?? found,
    ["serve", join(folder, "config.capnp"), "--experimental", "--control-fd=3"],
    {
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    },
  );
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", log);
  const gone = new Promise((done) => child.on("exit", done));
  const ports = {};
  const heard = new Promise((done, failed) => {
    child.on("error", failed);
    child.on("exit", (code) => failed(new Error(`workerd ended with ${code}`)));
    createInterface({ input: child.stdio[3] }).on("line", (line) => {
      const { socket, port } = JSON.parse(line);
      ports[socket] = port;
      if (ports.http && ports.clock) done();
    });
  });
  heard.catch(() => {});
  const stop = async (signal = "SIGTERM") => {
    child.kill(signal);
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await heard;
    const started = performance.now() - begun;
    const url = `http://127.0.0.1:${ports.http}`;
    const tick = async () => (await fetch(`http://127.0.0.1:${ports.clock}`)).text();
    return { url, tick, stop, gone, pid: child.pid, started };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts a program that prints a line of JSON when it is ready and ends with its standard input. */
export async function program(path, args) {
  const child = spawn(path, args, { stdio: ["pipe", "pipe", "inherit"] });
  const failed = new Promise((_, no) => child.on("error", no));
  const gone = new Promise((done) => child.on("exit", done));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value } = await Promise.race([lines.next(), failed]);
    if (value === undefined) throw new Error(`${path} ended without a word`);
    return JSON.parse(value);
  };
  return {
    ready: await line(),
    /** Tells it something, and hears what it says. */
    ask: (order) => (child.stdin.write(`${JSON.stringify(order)}\n`), line()),
    stop: async (signal) => {
      if (signal) child.kill(signal);
      else child.stdin.end();
      await gone;
    },
  };
}

async function main() {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "8787" },
      json: { type: "boolean", default: false },
    },
  });
  const [bundle, emulator] = [process.env.REWOUND_EDGE, process.env.REWOUND_DYNAMODB];
  const dynamodb = await program(emulator, ["--gate", "--tables", "rewound"]);
  const { url: endpoint } = dynamodb.ready;
  const secret = randomBytes(32).toString("base64url");
  const vars = {
    ...variables(dynamodb.ready, secret),
    OPEN: "health openapi",
    CORS_ORIGINS: "*",
  };
  // A sweep that found nothing is not worth a line every few seconds.
  const log = (line) => {
    if (!/"work":"sweep".*"events":0,"whole":true/.test(line)) console.error(line);
  };
  const edge = await workerd({ bundle, vars, port: Number(values.port), log });
  const ready = {
    url: edge.url,
    token: token(secret, { exp: Math.floor(Date.now() / 1000) + 86_400 }),
    dynamodb: endpoint,
  };
  if (values.json) console.log(JSON.stringify(ready));
  else {
    const [account, other] = ["a1", "b1"].map((id) => `${ready.url}/aggregates/BankAccount/${id}`);
    const authorized = '-H "Authorization: Bearer $TOKEN"';
    console.log(`The edge:  ${ready.url}    DynamoDB:  ${endpoint}

export TOKEN=${ready.token}

curl -i ${authorized} --json '{"accountHolderId":"ada","currency":"EUR","initialDeposit":10000}' ${account}/commands/Open
curl -i ${authorized} --json '{"amount":2500,"transactionReference":"rent"}' -H "Idempotency-Key: rent-1" ${account}/commands/Withdraw
curl -i ${authorized} "${account}?version=1"

curl -i ${authorized} --json '{"accountHolderId":"bob","currency":"EUR"}' ${other}/commands/Open
curl -i ${authorized} --json '{"transferId":"t1","destinationAccountId":"b1","amount":500}' ${account}/commands/InitiateTransfer
curl -i ${authorized} ${ready.url}/views/account-balances/b1

The token is good for a day. Everything is kept in memory; stop it with Ctrl-C. Its log:`);
  }
  // Cloudflare's clock wakes it every minute; nobody waits that long at a desk.
  const sweeps = setInterval(() => edge.tick().catch(() => {}), 5_000);
  const end = async () => {
    clearInterval(sweeps);
    await edge.stop();
    await dynamodb.stop();
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, end);
  edge.gone.then((code) => {
    console.error(`the runtime ended with ${code}`);
    process.exit(1);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
