// Addresses, links and files: what can be given to others and opened again: `node --test web/tests/sharing.test.mjs`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { on, permits, shown, start } from "./browser.mjs";

const { browser, complaints, open, url } = await start();
const ADA = "01KN44ARM0KRVQKEBZ99Y1BWWW";
const ada = (version) => `#/streams/BankAccount/${ADA}/${version}`;

/** Follows a link in the open page, as a click on it does. */
const follow = (page, fragment) => page.evaluate((hash) => (location.hash = hash), fragment);
const address = (page) => new URL(page.url()).hash;
const share = async (page) => {
  await page.getByRole("button", { name: "Share" }).click();
  await page.getByRole("heading", { name: "Share or export" }).waitFor();
};
const link = (page) => page.getByLabel("Link to this scene").inputValue();

/** What the page writes when the button is pressed: its name and its bytes. */
async function saved(page, button) {
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: button }).click();
  const file = await download;
  return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
}

/** A visitor who has never been here opens the address. */
async function visit(address, options) {
  const page = await open(options);
  await page.goto("about:blank");
  await page.goto(address);
  await shown(page);
  return page;
}

const file = (name, text) => ({ name, mimeType: "", buffer: Buffer.from(text) });
const ulid = (number) => `01K1RZXKEY${String(number).padStart(16, "0")}`;

/** A line with what makes lines differ: the order of keys, digits, escapes, spaces. */
const odd = (version, more) =>
  `{"actorId": "u\\u00fc","aggregateVersion":${version},"aggregateName":"Thing","x":${more},"eventName":"Made of 100 %",` +
  `"aggregateId":"thing/1","eventId":"${ulid(version)}","nest":{"b":[1.50,-0,1e3,null],"a":"\\ud83d\\ude80 ü"}}`;

test("every version of every stream has an address", async () => {
  const page = await visit(url + ada(3));
  const { isAt, scrubber } = on(page);
  await isAt(3, 8);
  await scrubber().press("ArrowRight");
  await isAt(4, 8);
  await page.waitForURL((now) => now.hash === ada(4));
  await page.getByRole("option", { name: "Grace Hopper" }).click();
  await page.waitForURL((now) => now.hash.endsWith("/2"));
  await follow(page, ada(1));
  await isAt(1, 8);
  await page.goBack();
  await page.getByRole("heading", { name: "Grace Hopper" }).waitFor();
  await page.context().close();
});

test("an address that names nothing here says what to do, and works once the file is there", async () => {
  const page = await visit(`${url}#/streams/Thing/thing%2F1/2`);
  const { trouble, importFile, isAt, scrubber } = on(page);
  await trouble().getByText("The link names Thing thing/1").waitFor();
  await isAt(8, 8);
  await importFile(file("things.ndjson", [1, 2, 3].map((n) => odd(n, n)).join("\n")));
  await isAt(1, 3);
  await follow(page, ada(2));
  await isAt(2, 8);
  await follow(page, "#/streams/Thing/thing%2F1/2");
  await isAt(2, 3);
  // The file is read again when the page is, and the address waits for it.
  await page.waitForURL((now) => now.hash === "#/streams/Thing/thing%2F1/2");
  await page.waitForTimeout(300);
  await page.reload();
  await isAt(2, 3);
  assert.equal(await scrubber().inputValue(), "2");
  assert.equal(await trouble().innerText(), "");
  await page.context().close();
});

test("a link holds the whole scene, and what its visitor has stays as it is", async () => {
  const page = await open({ permissions: ["clipboard-read", "clipboard-write"] });
  const { openForm, deposit, isAt, state, scrubber } = on(page);
  await openForm();
  await deposit(12345);
  await deposit(1);
  await isAt(10, 10);
  await scrubber().press("ArrowLeft");
  const there = await state();
  assert.equal(there["/balance"], String(384620 + 12345));
  await page.waitForTimeout(400);
  await share(page);
  const scene = await link(page);
  assert.ok(scene.length < 2_000, scene);
  await page.getByRole("button", { name: "Copy the link" }).click();
  await page.getByText("The link is on the clipboard.").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), scene);
  await page.context().close();

  const visitor = await visit(scene);
  const at = on(visitor);
  await at.isAt(9, 10);
  assert.deepEqual(await at.state(), there);
  await visitor.getByText("imported, read-only").waitFor();
  await visitor.waitForURL((now) => now.hash === ada(9));
  // The demo that the visitor has, and the one stream of the scene that differs from it.
  assert.equal(await at.rows("streams").count(), 6);
  await at.rows("streams").first().click();
  await at.isAt(8, 8);

  // Opened again, the same link brings nothing new; the lab and files have the longer history.
  await follow(visitor, new URL(scene).hash);
  await at.isAt(9, 10);
  assert.equal(await at.rows("streams").count(), 6);
  await visitor.getByRole("link", { name: "What if" }).click();
  await visitor.getByText("Ada Lovelace (10 events)").first().waitFor({ state: "attached" });
  await share(visitor);
  await visitor.getByText(/^20 events in 5 streams\./).waitFor();
  const lines = (await saved(visitor, "Save NDJSON")).bytes.toString().trimEnd().split("\n");
  assert.equal(lines.length, 20);
  assert.ok(lines.some((line) => line.includes('"amount":12345')));
  await visitor.context().close();
});

test("a scene on a screen of the lab leads there", async () => {
  const page = await open();
  await page.getByRole("link", { name: "Evolution" }).click();
  await page.getByRole("heading", { name: "Evolution" }).first().waitFor();
  await share(page);
  const scene = await link(page);
  const visitor = await visitUnshown(scene);
  await visitor.getByRole("heading", { name: "Evolution" }).first().waitFor();
  await visitor.waitForURL((now) => now.hash.startsWith("#/evolution"));
  assert.equal(
    await visitor.getByRole("link", { name: "Evolution" }).getAttribute("aria-current"),
    "page",
  );
  await visitor.context().close();
  await page.context().close();
});

/** The same without the streams in sight. */
async function visitUnshown(address) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(address);
  return page;
}

test("an address that is none leaves one where one is, and a tab leads back to how it was left", async () => {
  const page = await open();
  await follow(page, "#/conflicts?example=lost-update");
  await page.getByRole("heading", { name: "Step by step" }).waitFor();
  const left = address(page);
  assert.match(await page.title(), /^Conflicts · Rewound/);
  for (const none of ["#", "#/unknown", "#/scene/abc"]) {
    await follow(page, none);
    await page.waitForTimeout(100);
    assert.ok(await page.getByRole("heading", { name: "Step by step" }).isVisible(), none);
  }
  await on(page).trouble().getByText("cannot be read").waitFor();
  await follow(page, left);
  await page.getByRole("link", { name: "Conflicts" }).click();
  assert.equal(address(page), left);
  await page.getByRole("link", { name: "Streams" }).click();
  await on(page).isAt(8, 8);
  await page.waitForURL((now) => now.hash === ada(8));
  await page.getByRole("link", { name: "Conflicts" }).click();
  assert.equal(address(page), left);
  await page.getByRole("link", { name: "Streams" }).click();

  // What is nowhere is told at once, and the address goes on to say where one is.
  await follow(page, "#/streams/BankAccount/NOPE/3");
  await on(page).trouble().getByText("Bank account NOPE").waitFor();
  await on(page).scrubber().press("Home");
  await page.waitForURL((now) => now.hash === ada(0));
  await page.context().close();
});

test("a scene that is too long for a link is a file, which another browser imports", async () => {
  const page = await open();
  const lines = Array.from({ length: 300 }, (_, index) => odd(index + 1, Math.random())).join("\n");
  await on(page).importFile(file("long.ndjson", lines));
  await on(page).isAt(1, 300);
  await share(page);
  await page.getByText("longer than 2,000 characters").waitFor();
  const { name, bytes } = await saved(page, "Save the scene");
  assert.equal(name, "rewound-scene.ndjson");
  assert.ok(bytes.toString().endsWith(`${lines}\n`), "the open stream is in it, line by line");
  await page.context().close();

  const visitor = await open();
  await on(visitor).importFile(file(name, bytes));
  await visitor.getByText(/318 events in 6 streams/).waitFor();
  await visitor.context().close();
});

test("a link that was cut off, or holds something else, says so", async () => {
  for (const packed of ["q1ZKLFGyUlLW", "!!!", "S8wrzs9NVUjNyVcoTy1SBAA"]) {
    const page = await visit(`${url}#/scene/${packed}`);
    await on(page).trouble().getByText("cannot be read").waitFor();
    await on(page).isAt(8, 8);
    await page.context().close();
  }
});

/** The events with their keys in order. */
const values = (lines) =>
  lines
    .trimEnd()
    .split("\n")
    .map((line) => JSON.stringify(JSON.parse(line)));

test("everything goes into one file and comes back the same, in both formats", async () => {
  const page = await open();
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  const at = on(page);
  const things = [1, 2, 3].map((n) => odd(n, `${n}.10`)).join("\n");
  await at.importFile(file("things.ndjson", things));
  await at.isAt(1, 3);
  const log = permits((text) => console.log(text));
  await at.importFile(log);
  await page.getByText(/read in/).waitFor();
  await share(page);
  const ndjson = (await saved(page, "Save NDJSON")).bytes.toString();
  await page.getByText(/^[\d,]+ events in one file\.$/).waitFor();
  const { name, bytes } = await saved(page, "Save a DynamoDB export");
  assert.equal(name, "rewound-events.dynamodb.json.gz");
  assert.ok(ndjson.includes(`${things}\n`), "an imported line is the same line");
  const items = gunzipSync(bytes).toString().trimEnd().split("\n");
  assert.equal(items.length, ndjson.trimEnd().split("\n").length);
  const first = JSON.parse(items[0]).Item;
  assert.equal(first.eventName.S, "AccountOpened");
  assert.equal(first.initialDeposit.N, "0");
  assert.match(first.eventTs.S, /^2026-04-01T/);
  await page.context().close();

  for (const again of [file(name, bytes), file("all.ndjson", ndjson)]) {
    const visitor = await open();
    await on(visitor).importFile(again);
    await visitor.getByText(/read in/).waitFor();
    await share(visitor);
    const lines = (await saved(visitor, "Save NDJSON")).bytes.toString();
    if (again.name === "all.ndjson") {
      assert.ok(lines === ndjson, "byte for byte");
    } else {
      // Every value in its place, every number digit by digit; escapes and spaces are not the events'.
      assert.deepEqual(values(lines), values(ndjson));
      assert.match(lines, /"x":1\.10,.*"b":\[1\.50,/);
    }
    await visitor.context().close();
  }
  assert.ok(requests.length > 0, "the lab was brought for it");
  const elsewhere = requests.filter((each) => !each.startsWith(url) && !/^(blob|data):/.test(each));
  assert.deepEqual(elsewhere, [], "nothing leaves the browser");
});

test("a number that DynamoDB does not hold is named, and no file is written", async () => {
  const page = await open();
  const long = "1".repeat(39);
  await on(page).importFile(file("long.ndjson", odd(1, long)));
  await on(page).isAt(1, 1);
  await share(page);
  await page.getByRole("button", { name: "Save a DynamoDB export" }).click();
  await page.getByText(/No file was written: version 1 of thing\/1 .*38 digits.*1{39}/).waitFor();
  await page.context().close();
});

test("nothing went wrong on the way", () => assert.deepEqual(complaints, []));
