// What the browser tests, the benchmark and the screenshots share: the built page on a loopback port, a
// Chromium, and what a person sees and does on the page.

import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { basename, delimiter, extname, join, normalize, resolve } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { chromium } from "playwright-core";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** The lab's screens: in the address, as they are called, and a heading that shows that they stand. */
export const LAB = [
  { name: "conflicts", title: "Conflicts", heading: "Step by step" },
  { name: "projections", title: "Projections", heading: "Account balances" },
  { name: "what-if", title: "What if", heading: "Event by event" },
  { name: "evolution", title: "Evolution", heading: "Snapshots" },
  { name: "live", title: "Live", heading: "Connect to an edge" },
];

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
};

/** Serves the built page; `dist/`, or what `REWOUND_DIST` names. */
export async function serve() {
  const dist = resolve(process.env.REWOUND_DIST ?? join(root, "dist"));
  if (!existsSync(join(dist, "index.html"))) {
    throw new Error(`no index.html in ${dist}: run \`trunk build --release\` first`);
  }
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
    const file = join(dist, path === "/" ? "index.html" : path);
    if (!file.startsWith(dist) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    const type = types[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type });
    createReadStream(file).pipe(response);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => new Promise((done) => (server.closeAllConnections(), server.close(done))),
  };
}

const flags =
  "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking " +
  "disable-component-update disable-sync";

/** Starts the Chromium that `CHROMIUM` names, or the first on `PATH`. */
export function launch() {
  return chromium.launch(options());
}

/** The same with a folder for what it keeps, in which settings may stand: a context of its own. */
export function launchIn(folder) {
  return chromium.launchPersistentContext(folder, options());
}

function options() {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const folders = (process.env.PATH ?? "").split(delimiter);
  const candidates = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  const executablePath = process.env.CHROMIUM || candidates.find((file) => existsSync(file));
  if (!executablePath) {
    throw new Error("no Chromium: `apt-get install chromium`, or name one in CHROMIUM");
  }
  return { executablePath, headless: true, args: flags.split(" ").map((flag) => `--${flag}`) };
}

/**
 * What a file of tests starts with, and what ends with them: a browser on the built page, and the list of what goes
 * wrong on every page that is opened.
 */
export async function start() {
  const complaints = [];
  const server = await serve();
  const browser = await launch();
  after(async () => {
    await browser.close();
    await server.close();
  });

  /** A page of a context. */
  async function openIn(context) {
    const page = await context.newPage();
    listen(page, complaints);
    await page.goto(server.url);
    await shown(page);
    return page;
  }

  /** A page as at a first visit. */
  async function open(options) {
    const viewport = { width: 1280, height: 800 };
    return openIn(await browser.newContext({ viewport, ...options }));
  }
  return { browser, complaints, open, openIn, url: server.url };
}

/** Notes in `complaints` whatever goes wrong on a page, in its console or on its way. */
function listen(page, complaints) {
  page.setDefaultTimeout(10_000);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(`${error}`));
  page.on("requestfailed", (request) => complaints.push(`${request.url()} failed`));
  page.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.url()}: ${response.status()}`);
  });
}

/** Waits until the page stands. */
export async function shown(page) {
  await page.getByRole("heading", { name: /^State at version/ }).waitFor();
}

/** What a person sees and does on a page. */
export function on(page) {
  const rows = (list) => page.locator(`#${list} [role=option]`);
  const scrubber = () => page.getByRole("slider", { name: "Version" });
  /** Waits until the scrubber says that it is there. */
  const isAt = (version, length) =>
    page.getByText(`Version ${version} of ${length}`, { exact: true }).waitFor();
  /** The event at the scrubber, from its JSON. */
  const shownEvent = async () => JSON.parse(await page.locator("pre.json").innerText());
  const choose = (command) => page.getByRole("radio", { name: command, exact: true }).check();
  const send = () => page.getByRole("button", { name: /^Send [A-Z]/ }).click();
  return {
    rows,
    scrubber,
    isAt,
    shownEvent,
    message: () => page.getByRole("region", { name: "Hints and imports" }),
    trouble: () => page.locator(".troubles"),
    /** The stored value of a field of the state that is shown. */
    field: (path) => page.locator(`tr[data-path="${path}"]`).getAttribute("data-value"),
    /** Every leaf of the state that is shown, by its pointer. */
    state: () =>
      page
        .locator("tr[data-path]:not(.removed):not(:has(.nest))")
        .evaluateAll((all) =>
          Object.fromEntries(all.map((row) => [row.dataset.path, row.dataset.value])),
        ),
    /** Every event of the open stream, by scrubbing through it. */
    async history() {
      await scrubber().press("Home");
      const length = Number(await scrubber().getAttribute("max"));
      const events = [];
      for (let version = 1; version <= length; version += 1) {
        await scrubber().press("ArrowRight");
        await isAt(version, length);
        events.push(await shownEvent());
      }
      return events;
    },
    async openForm() {
      await page.getByRole("button", { name: "Send a command" }).click();
      await page.getByRole("heading", { name: "Send a command" }).waitFor();
    },
    choose,
    send,
    async deposit(amount) {
      await choose("Deposit");
      await page.getByLabel("Amount").fill(`${amount}`);
      await page.getByLabel("Transaction reference").fill("test");
      await send();
    },
    importFile: (file) => page.locator("input[type=file]").setInputFiles(file),
  };
}

/** The real log of 1,434 streams and 8,577 events, or one of its size. */
export function permits(say) {
  const folder = process.env.REWOUND_DATA ?? join(root, "../shared/data");
  const file = join(folder, "permit-applications.dynamodb.json.gz");
  if (existsSync(file)) return { name: basename(file), mimeType: "", buffer: readFileSync(file) };
  say(`${file} is not there: a stand-in of the same size was made`);
  const ulid = (number) => `015DNX0QK2${String(number).padStart(16, "0")}`;
  const lines = Array.from({ length: 8577 }, (_, index) => {
    const item = {
      eventId: { S: ulid(index) },
      eventName: { S: `T0${index % 7} Check` },
      aggregateName: { S: "PermitApplication" },
      aggregateId: { S: ulid(900_000_000 + (index % 1434)) },
      aggregateVersion: { N: String(Math.floor(index / 1434) + 1) },
      actorId: { S: `Resource${index % 40}` },
      group: { S: `Group ${index % 5}` },
      transition: { S: "complete" },
    };
    return JSON.stringify({ Item: item });
  });
  return { name: "stand-in.json.gz", mimeType: "", buffer: gzipSync(lines.join("\n")) };
}

/**
 * A log of so many events: the permits, over and over, with new ids. `streams` says how many aggregates are in it, and
 * `last` the id of the last of them.
 */
export function many(events, say) {
  const lines = gunzipSync(permits(say).buffer).toString().trimEnd().split("\n");
  const numbers = new Map();
  const log = [];
  let last;
  const aggregates = new Set();
  for (let copy = 0; log.length < events; copy += 1) {
    const renamed = (id) => {
      if (!numbers.has(id)) numbers.set(id, numbers.size);
      // The time stays, and with it the order; what follows is a number of the copy's own.
      return `${id.slice(0, 10)}${String(copy).padStart(4, "0")}${String(numbers.get(id)).padStart(12, "0")}`;
    };
    for (const line of lines.slice(0, events - log.length)) {
      const event = line.replace(/"(eventId|aggregateId)":\{"S":"(\w{26})"/g, (_, name, id) => {
        const own = renamed(id);
        if (name === "aggregateId" && !aggregates.has(own)) aggregates.add((last = own));
        return `"${name}":{"S":"${own}"`;
      });
      log.push(event);
    }
  }
  const buffer = gzipSync(log.join("\n"), { level: 1 });
  return { name: "many.json.gz", mimeType: "", buffer, streams: aggregates.size, last };
}
