// The screen of a running edge, in two windows: `node --test web/tests/live.test.mjs`.
//
// REWOUND_EDGE names the bundle of the edge, REWOUND_DYNAMODB the program with the embedded DynamoDB.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { token } from "../../worker/edge.mjs";
import { SECRET, account, dynamodb, edge } from "../../worker/tests/harness.mjs";
import { start } from "./browser.mjs";

const { complaints, open, url } = await start();
const origin = new URL(url).origin;
// An open connection ends itself soon here, so that coming back to it is tried too.
const vars = { CORS_ORIGINS: origin, OPEN: "health", LIVE_POLLS: "20", LIVE_PAUSE_MS: "50" };
const db = await dynamodb();
let front = await edge(db, { vars });
after(async () => {
  await front.stop();
  await db.stop();
});
const port = new URL(front.url).port;

/** A window, and what a person sees and does there. */
async function window(actor, options) {
  const page = await open(options);
  await page.goto(`${url}#/live`);
  const button = (name) => page.getByRole("button", { name, exact: true });
  const says = (text) => page.getByText(text).first().waitFor();
  const region = (name) => page.getByRole("region", { name, exact: true });
  return {
    page,
    button,
    says,
    region,
    async connect(claims = {}) {
      await page.getByLabel("Address").fill(front.url);
      await page.getByLabel("Token").fill(token(SECRET, { sub: actor, ...claims }));
      await button("Connect").click();
    },
    field: (path) => page.locator(`.watch tr[data-path="${path}"]`).getAttribute("data-value"),
    isAt: (version) => page.getByRole("heading", { name: `State at version ${version}` }).waitFor(),
    choose: (command) => page.getByRole("radio", { name: command, exact: true }).check(),
    async deposit(amount, reference = "test") {
      await page.getByRole("radio", { name: "Deposit", exact: true }).check();
      await page.getByLabel("Amount").fill(`${amount}`);
      await page.getByLabel("Transaction reference").fill(reference);
      await button("Send Deposit").click();
    },
    /** The last answer, once it says this. */
    answered: (text) =>
      region("What the edge answered").locator("[aria-live]").filter({ hasText: text }).waitFor(),
    arrivals: () => page.locator(".arrivals li").allInnerTexts(),
  };
}

const ada = await window("ada");
const grace = await window("grace");
let id;

test("without an edge the screen says what one is and how to start one", async () => {
  await ada.says("cargo xtask play --edge");
  await ada.says(/Kept in this window's memory only/);
  assert.equal(await ada.page.getByLabel("Address").inputValue(), "http://127.0.0.1:8787");
  await ada.button("Connect").click();
  await ada.says("The token is missing");
});

test("a wrong token, a wrong address and a page that is not allowed each say what to do", async () => {
  await ada.page.getByLabel("Address").fill(front.url);
  await ada.page.getByLabel("Token").fill("x.y.z");
  await ada.button("Connect").click();
  await ada.says("Copy the one that the edge printed when it started");

  await ada.page.getByLabel("Address").fill("http://127.0.0.1:9");
  await ada.button("Connect").click();
  await ada.says(/Nothing answers at http:\/\/127\.0\.0\.1:9/);

  await ada.page.getByLabel("Address").fill(url);
  await ada.button("Connect").click();
  await ada.says("Is this the address of an edge");

  const other = await edge(db, { vars: { ...vars, CORS_ORIGINS: "https://elsewhere.example" } });
  await ada.page.getByLabel("Address").fill(other.url);
  await ada.button("Connect").click();
  await ada.says(`Add ${origin} to the edge's CORS_ORIGINS`);
  await other.stop();

  await ada.connect({ scope: "Order:read" });
  await ada.says("The token is good and does not allow this.");
  await ada.button("Disconnect").click();
});

test("with the keyboard alone: connect, begin an account, and send a command", async () => {
  const { page } = ada;
  await page.getByLabel("Address").fill(front.url);
  await page.keyboard.press("Tab");
  await page.keyboard.type(token(SECRET, { sub: "ada" }));
  await page.keyboard.press("Enter");
  await ada.says("The edge has no bank account yet. New begins one.");
  await ada.button("New").press("Enter");
  await ada.says("Nothing has happened to it.");
  await page.getByLabel("Account holder id").focus();
  await page.keyboard.type("Ada");
  await page.keyboard.press("Tab");
  await page.keyboard.type("EUR");
  await page.keyboard.press("Enter");
  await ada.answered("Recorded AccountOpened");
  await ada.answered(/201 · ETag "1" · \d+ requests, .* RCU, .* WCU/);
  await ada.isAt(1);
  await page.locator(".arrivals").getByText("from this window", { exact: true }).waitFor();
  assert.equal(await ada.field("/balance"), "0");
  id = new URLSearchParams(page.url().split("?")[1]).get("id");
  assert.equal((await front.client.ask(`/aggregates/BankAccount/${id}`)).body.balance, 0);
  assert.ok(!page.url().includes("token") && !page.url().includes("eyJ"), "the token is kept out");
  // It stands in the list now.
  await ada.region("Aggregates").getByRole("button", { name: /…/ }).waitFor();
});

test("another window hears of it, and each knows whose an event is", async () => {
  await grace.page.goto(ada.page.url());
  await grace.page.reload();
  assert.equal(await grace.page.getByLabel("Token").inputValue(), "", "each window has its own");
  await grace.connect();
  await grace.isAt(1);
  await ada.deposit(5000);
  await ada.answered("Recorded MoneyDeposited");
  await grace.isAt(2);
  assert.equal(await grace.field("/balance"), "5000");
  assert.match((await grace.arrivals())[0], /by ada[\s\S]*not from this window/);
  await ada.isAt(2);
  assert.match((await ada.arrivals())[0], /by ada[\s\S]*(?<!not )from this window/);
  await grace.page
    .locator("[aria-live]", { hasText: "Version 2 by ada, not from this window" })
    .waitFor();
  // What was there before it was opened is no news.
  assert.doesNotMatch((await grace.arrivals())[1], /window/);
});

test("a command that was decided on an older version shows what came between", async () => {
  await ada.button("Hold").click();
  await grace.deposit(700, "gift");
  await grace.isAt(3);
  await ada.says("1 event meanwhile");
  assert.equal(await ada.field("/balance"), "5000", "the view is held");
  await ada.deposit(1);
  await ada.answered("412 version-mismatch");
  const sides = ada.region("Expected and actual state");
  assert.deepEqual(await sides.locator("thead th").allInnerTexts(), [
    "Field",
    "Expected: version 2",
    "Actual: version 3",
  ]);
  assert.deepEqual(await sides.locator("tbody tr").first().locator("th, td").allInnerTexts(), [
    "/balance",
    "50.00 EUR",
    "57.00 EUR",
  ]);
  await ada.says("MoneyDeposited, version 3 by grace, not from this window");
  await ada.button("Look at version 3 and decide anew").click();
  await ada.isAt(3);
  await ada.deposit(1);
  await ada.answered("Recorded MoneyDeposited");
  await ada.isAt(4);
  assert.equal(await ada.field("/balance"), "5701");
  const { body } = await front.client.ask(`/aggregates/BankAccount/${id}`);
  assert.deepEqual([body.balance, body.$meta.version], [5701, 4]);
});

test("rules, keys and fields are answered with what to do", async () => {
  await ada.choose("Withdraw");
  await ada.page.getByLabel("Amount").fill("999999");
  await ada.page.getByLabel("Transaction reference").fill("too much");
  await ada.button("Send Withdraw").click();
  await ada.answered("409 insufficient-funds");
  await ada.answered("A rule refuses it in this state.");

  // A field that is wrong is said at the field, and nothing is sent.
  await ada.page.getByLabel("Amount").fill("ten");
  await ada.button("Send Withdraw").click();
  const amount = ada.page.getByLabel("Amount");
  assert.equal(await amount.getAttribute("aria-invalid"), "true");
  assert.equal(await amount.evaluate((field) => field === document.activeElement), true);

  await ada.button("New key").click();
  await ada.page.getByLabel(/^Only on version/).uncheck();
  await ada.deposit(9, "once");
  await ada.isAt(5);
  await ada.button("Send Deposit").click();
  await ada.answered("The first answer to this key again");
  await ada.page.getByLabel("Amount").fill("10");
  await ada.button("Send Deposit").click();
  await ada.answered("422 idempotency-key-reused");
  await ada.answered("This key belongs to another command.");
  const { body } = await front.client.ask(`/aggregates/BankAccount/${id}`);
  assert.equal(body.balance, 5710, "it took effect once");
});

test("the next aggregates come once, however often they are asked for at a time", async () => {
  for (let count = 0; count < 22; count += 1) await account(front.client);
  const list = ada.region("Aggregates");
  const ids = () => list.locator("tbody .ask").evaluateAll((all) => all.map((one) => one.title));
  await ada.button("Look again").click();
  await list.locator("tbody tr").nth(19).waitFor();
  const asked = [];
  ada.page.on("request", (request) => request.url().includes("cursor=") && asked.push(request));
  await ada.button("More").evaluate((more) => (more.click(), more.click()));
  await ada.button("More").waitFor({ state: "hidden" });
  assert.equal(asked.length, 1);
  assert.equal((await ids()).length, 23);
  assert.equal(new Set(await ids()).size, 23);
});

test("read models and numbers can be asked for", async () => {
  const asked = ada.region("Read models and numbers");
  await asked.getByLabel("Get").selectOption("/healthz");
  await ada.button("Ask").click();
  await asked.getByText('"ok"').waitFor();
});

test("an edge that stops is noticed, and followed again when it is back", async () => {
  await front.stop();
  await ada.says(/^cut off, tried again in/);
  await ada.deposit(3, "nobody hears");
  await ada.answered("Nothing answers at");
  front = await edge(db, { vars, port: Number(port) });
  await ada.page.locator(".watch .mark.good", { hasText: "live" }).waitFor({ timeout: 20_000 });
  await grace.page.locator(".watch .mark.good", { hasText: "live" }).waitFor({ timeout: 20_000 });
  await ada.button("New key").click();
  await ada.deposit(4, "back");
  await grace.isAt(6);
  const versions = (await grace.arrivals()).map((text) => Number(/^\d+/.exec(text)[0]));
  assert.deepEqual(versions, [6, 5, 4, 3, 2, 1], "each event once");
});

test("what is left is followed no more", async () => {
  const asked = [];
  ada.page.on("request", (request) => request.url().endsWith("/events") && asked.push(request));
  await ada.page.getByRole("link", { name: "Streams" }).click();
  await ada.page.getByRole("heading", { name: /^State at version/ }).waitFor();
  await ada.page.waitForTimeout(300);
  asked.length = 0;
  await ada.page.waitForTimeout(2500);
  assert.equal(asked.length, 0);
  // Still connected when one comes back; an order has lines of fields.
  await ada.page.getByRole("link", { name: "Live" }).click();
  await ada.says("connected");
  await ada.page.getByLabel("Kind").selectOption("Order");
  await ada.button("New").click();
  await ada.page.getByLabel("Customer id").fill("ada");
  await ada.button("One more").click();
  for (const [line, product] of [
    [0, "pen"],
    [1, "ink"],
  ]) {
    await ada.page.getByLabel("Product id").nth(line).fill(product);
    await ada.page
      .getByLabel("Quantity")
      .nth(line)
      .fill(`${line + 1}`);
    await ada.page.getByLabel("Price").nth(line).fill("150");
  }
  await ada.button("Send Create").click();
  await ada.answered("Recorded OrderCreated");
  await ada.isAt(1);
  assert.equal(await ada.field("/totalAmount"), "450");
});

test("at 390 pixels nothing has to be scrolled sideways", async () => {
  for (const width of [390, 320]) {
    await ada.page.setViewportSize({ width, height: 844 });
    const wide = await ada.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${wide} at ${width}`);
  }
});

test("nothing went wrong on any page but what was meant to", () => {
  const meant = /Failed to load resource|^http:\/\/127\.0\.0\.1|blocked by CORS policy/;
  assert.deepEqual(
    complaints.filter((complaint) => !meant.test(complaint)),
    [],
  );
});
