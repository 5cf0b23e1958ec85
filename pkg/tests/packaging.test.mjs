// The packed package, installed in an empty folder and used there as a person would: in Node, by TypeScript, in a
// browser without a bundler, in a Vite build, and in the Workers runtime. The README's examples are what is run.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createReadStream, existsSync, statSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import { dynamodb, pkg } from "./harness.mjs";

const run = promisify(execFile);
let folder, db, files;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "rewound-pkg-"));
  db = await dynamodb();
  const { stdout } = await run(
    "npm",
    ["pack", "--json", "--ignore-scripts", "--pack-destination", folder],
    { cwd: pkg },
  );
  const [packed] = JSON.parse(stdout);
  files = packed.files.map((file) => file.path);
  await writeFile(join(folder, "package.json"), '{"private":true,"type":"module"}');
  const install = [
    "install",
    "--offline",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    join(folder, packed.filename),
  ];
  await run("npm", install, { cwd: folder });
});

after(async () => {
  await db.stop();
  await rm(folder, { recursive: true });
});

/** The README's examples in a language. */
async function examples(language) {
  const text = await readFile(join(pkg, "README.md"), "utf8");
  return [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(
    ([, code]) => code,
  );
}

/** What an example says it prints, in the comments behind its prints. */
const promised = (code) =>
  [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);

/** Serves a folder on loopback. */
async function serve(root) {
  const types = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://x").pathname);
    const file = join(root, path === "/" ? "index.html" : path);
    if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": types[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => new Promise((done) => (server.closeAllConnections(), server.close(done))),
  };
}

/** What a page of that folder writes into its title, by which it says that it is done. */
async function title(root) {
  const server = await serve(root);
  const names = [
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
  ];
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: names.map((name) => `--${name}`),
  });
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(`${error}`));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.goto(server.url);
    await page
      .waitForFunction("document.title !== ''", undefined, { timeout: 30_000 })
      .catch(() => {});
    assert.deepEqual(errors, []);
    return await page.title();
  } finally {
    await browser.close();
    await server.close();
  }
}

/** A program for any host: a domain that ships, one of its own, and a command on DynamoDB. `SELF` is how it answers. */
const program = (from, table, more = "") => `
import { aggregate, defineAggregate, DynamoStore, MemoryStore, RejectedError, Timeline } from "${from}";

async function all() {
  const account = aggregate("BankAccount");
  const open = { type: "Open", accountHolderId: "ada", currency: "EUR", initialDeposit: 5 };
  const memory = new MemoryStore();
  await memory.execute(account, "a", open, { actorId: "ada" });
  const refused = await memory.execute(account, "a", open, { actorId: "ada" }).catch((error) => error);
  const counter = defineAggregate({
    name: "Counter",
    decide: (state, command) => ({ eventName: "Counted", by: command.by }),
    evolve: (state, event) => ({ sum: (state?.sum ?? 0) + event.by }),
  });
  const { state: counted } = await memory.execute(counter, "c", { type: "Count", by: 3 }, { actorId: "ada" });
  const { items } = await memory.events("a");
  const timeline = Timeline.from(new TextEncoder().encode(JSON.stringify(items)));
  const tables = { events: "${table}-events", helpers: "${table}-helpers", aggregates: { BankAccount: "${table}" } };
  const store = new DynamoStore({ ...${JSON.stringify({ ...dbOptions() })}, tables });
  await store.createTables();
  await store.execute(account, "a", open, { actorId: "ada", idempotencyKey: "k" });
  const { state, repeated } = await store.execute(account, "a", open, { actorId: "ada", idempotencyKey: "k" });
  return [refused instanceof RejectedError, counted.sum, timeline.stateAt(1).balance, state.balance, repeated].join(" ");
}
${more}
`;
const dbOptions = () => ({ endpoint: db.endpoint, region: db.region, credentials: db.credentials });
const EXPECTED = "true 3 5 5 true";

test("it holds what is needed, and nothing else", async () => {
  const expected = [
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "package.json",
    "dist/core_bg.wasm",
  ];
  for (const name of [
    "aggregate",
    "browser",
    "domains",
    "drive",
    "errors",
    "index",
    "inline",
    "json",
    "log",
    "node",
    "store",
    "workerd",
  ]) {
    expected.push(`dist/${name}.js`, `dist/${name}.d.ts`);
  }
  expected.push("dist/core.js", "dist/inlined.js");
  assert.deepEqual(files.toSorted(), expected.toSorted());
  const manifest = JSON.parse(
    await readFile(join(folder, "node_modules/rewound/package.json"), "utf8"),
  );
  assert.equal(manifest.dependencies, undefined);
  const all = await Promise.all(
    files.map((file) => readFile(join(folder, "node_modules/rewound", file), "latin1")),
  );
  for (const text of all) assert.ok(!text.includes(pkg), "a path of this machine is in it");
});

test("every example of the README runs in Node, and prints what it says", async () => {
  const blocks = await examples("js");
  assert.ok(blocks.length >= 5);
  const log = [
    {
      n: 1,
      name: "AccountOpened",
      accountHolderId: "ada",
      initialDeposit: 10_000,
      currency: "EUR",
    },
    {
      n: 2,
      name: "MoneyWithdrawn",
      amount: 2500,
      transactionReference: "rent",
      description: "Rent",
    },
  ].map(({ n, name, ...own }) => ({
    eventId: `01K1RZXKEYCYQ5MSEQJ4Z5JND${n}`,
    eventName: name,
    aggregateName: "BankAccount",
    aggregateId: "a1",
    aggregateVersion: n,
    actorId: "ada",
    ...own,
  }));
  await writeFile(
    join(folder, "events.json.gz"),
    gzipSync(log.map((event) => JSON.stringify(event)).join("\n")),
  );
  const env = {
    ...process.env,
    DYNAMODB_ENDPOINT: db.endpoint,
    AWS_REGION: db.region,
    AWS_ACCESS_KEY_ID: db.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: db.credentials.secretAccessKey,
  };
  for (const [index, code] of blocks.entries()) {
    const name = `example-${index}.mjs`;
    await writeFile(join(folder, name), code);
    const { stdout } = await run("node", [name], { cwd: folder, env });
    // What an example promises stands behind its prints, in their order; what begins with a word is about it.
    const printed = stdout.replaceAll("'", '"').split("\n");
    for (const line of promised(code).filter((line) => !/^(what|the) /.test(line))) {
      const text = line.split(":")[0];
      while (printed.length > 0 && printed[0] !== text) printed.shift();
      assert.ok(printed.length > 0, `${name} promises ${line} and prints ${stdout}`);
    }
  }
});

test("its types are checked, strictly", async () => {
  const [example] = await examples("ts");
  const wrong = `
import { aggregate, defineAggregate, MemoryStore, type AggregateEvent, type Meta, type Store } from "rewound";

const account = aggregate("BankAccount");
const store: Store = new MemoryStore();
export async function uses(): Promise<number> {
  const { state, events } = await store.execute(account, "a", { type: "Deposit", amount: 1, transactionReference: "r" }, { actorId: "ada" });
  for (const event of events) {
    if (event.eventName === "MoneyDeposited") return event.amount + event.aggregateVersion;
    // @ts-expect-error an event has the fields of its name
    event.amount;
  }
  const meta: Meta | undefined = state?.$meta;
  // @ts-expect-error a state may be missing
  state.balance;
  // @ts-expect-error no such field
  await store.execute(account, "a", { type: "Deposit", amount: 1, transactionReference: "r", note: "" }, { actorId: "a" });
  // @ts-expect-error no such command
  await store.execute(account, "a", { type: "Fly" }, { actorId: "a" });
  // @ts-expect-error somebody sends it
  await store.execute(account, "a", { type: "Close", reason: "r" }, {});
  // @ts-expect-error no such domain
  aggregate("Bird");
  return meta?.version ?? 0;
}

interface Cart { total: number }
type Command = { type: "Add"; price: number } | { type: "Clear" };
type Event = { eventName: "Added"; price: number } | { eventName: "Cleared" };
export const cart = defineAggregate<Cart, Command, Event>({
  name: "Cart",
  decide: (state, command) => (command.type === "Add" ? { eventName: "Added", price: command.price } : state ? { eventName: "Cleared" } : []),
  evolve: (state, event) => ({ total: event.eventName === "Added" ? (state?.total ?? 0) + event.price : 0 }),
});
export const total: number = cart.reduceEvents([])?.total ?? 0;
export const added: AggregateEvent<Event>[] = cart.decide(null, { type: "Add", price: 1 }, { id: "c", actorId: "a", now: 0 });
export const bad = defineAggregate<Cart, Command, Event>({
  name: "Bad",
  // @ts-expect-error no such event
  decide: () => ({ eventName: "Flown" }),
  // @ts-expect-error no such state
  evolve: () => ({ sum: 1 }),
});
`;
  await writeFile(join(folder, "example.ts"), example);
  await writeFile(join(folder, "sample.ts"), wrong);
  const tsc = join(pkg, "node_modules/typescript/bin/tsc");
  for (const [module, resolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ]) {
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: "es2022",
      lib: ["es2022", "dom"],
      types: [],
      module,
      moduleResolution: resolution,
    };
    const config = JSON.stringify({ compilerOptions, files: ["example.ts", "sample.ts"] });
    await writeFile(join(folder, "tsconfig.json"), config);
    const args = [tsc, "--project", "tsconfig.json"];
    const { stdout } = await run("node", args, { cwd: folder }).catch((error) => error);
    assert.equal(stdout, "");
  }
});

test("it runs in Node, also where it is inside the JavaScript", async () => {
  for (const [name, from] of [
    ["node", "rewound"],
    ["inline", "./node_modules/rewound/dist/inline.js"],
  ]) {
    await writeFile(
      join(folder, `${name}.mjs`),
      program(from, `host-${name}`, "console.log(await all());"),
    );
    const { stdout } = await run("node", [`${name}.mjs`], { cwd: folder });
    assert.equal(stdout.trim(), EXPECTED);
  }
});

test("it runs in a browser without a bundler", async () => {
  const code = program(
    "./node_modules/rewound/dist/browser.js",
    "host-plain",
    "document.title = await all();",
  );
  await writeFile(
    join(folder, "index.html"),
    `<!doctype html><link rel="icon" href="data:," /><script type="module">${code}</script>`,
  );
  assert.equal(await title(folder), EXPECTED);
});

test("it runs in a Vite build", async () => {
  const site = join(folder, "site");
  await mkdir(site);
  await writeFile(
    join(site, "index.html"),
    '<!doctype html><link rel="icon" href="data:," /><script type="module" src="./main.js"></script>',
  );
  await writeFile(
    join(site, "main.js"),
    program("rewound", "host-vite", "document.title = await all();"),
  );
  const { build } = await import(pathToFileURL(join(pkg, "node_modules/vite/dist/node/index.js")));
  await build({ root: site, logLevel: "error", build: { target: "es2022" }, configFile: false });
  assert.equal(await title(join(site, "dist")), EXPECTED);
});

test("it runs in the Workers runtime", async () => {
  const worker = join(folder, "worker");
  await mkdir(worker);
  const handler =
    "export default { fetch: async () => new Response(await all().catch((error) => error.stack)) };";
  await writeFile(join(worker, "source.js"), program("rewound", "host-workerd", handler));
  // As wrangler bundles: the conditions of Workers, the module beside.
  const { build } = await import(pathToFileURL(join(pkg, "node_modules/esbuild/lib/main.js")));
  await build({
    entryPoints: [join(worker, "source.js")],
    outfile: join(worker, "worker.js"),
    bundle: true,
    format: "esm",
    conditions: ["workerd", "worker", "browser"],
    external: ["*.wasm"],
    logLevel: "error",
  });
  await cp(join(folder, "node_modules/rewound/dist/core_bg.wasm"), join(worker, "core_bg.wasm"));
  await writeFile(
    join(worker, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "internet", network = (allow = ["127.0.0.1/32"]))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js"), (name = "core_bg.wasm", wasm = embed "core_bg.wasm")],
  compatibilityDate = "2025-09-01",
  globalOutbound = "internet",
);
`,
  );
  // The program itself: the script around it does not hand the control channel on.
  const { default: found } = await import(
    pathToFileURL(join(pkg, "node_modules/workerd/lib/main.js"))
  );
  const workerd = spawn(
    found.default ?? found,
    ["serve", join(worker, "config.capnp"), "--control-fd=3"],
    {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
    },
  );
  try {
    const port = await new Promise((done, failed) => {
      workerd.on("error", failed);
      workerd.on("exit", (code) => failed(new Error(`workerd ended with ${code}`)));
      workerd.stdio[3].on("data", (line) => done(JSON.parse(`${line}`.split("\n")[0]).port));
    });
    const response = await fetch(`http://127.0.0.1:${port}/`);
    assert.equal(await response.text(), EXPECTED);
  } finally {
    workerd.removeAllListeners("exit");
    workerd.kill();
  }
});
