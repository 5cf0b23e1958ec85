// The screen of the projections, used as a person does: `node --test web/tests/projections.test.mjs`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { on, start } from "./browser.mjs";

const { complaints, open, url } = await start();
const page = await open();
const shown = on(page);

/** What is known of the demo's accounts, reckoned from its events by hand. */
async function balances() {
  const effects = {
    AccountOpened: (event) => event.initialDeposit,
    MoneyDeposited: (event) => event.amount,
    TransferReceived: (event) => event.amount,
    MoneyWithdrawn: (event) => -event.amount,
    TransferInitiated: (event) => -event.amount,
  };
  const all = {};
  for (const label of ["Ada Lovelace", "Grace Hopper"]) {
    await shown.rows("streams").filter({ hasText: label }).click();
    await page.getByRole("heading", { name: label, level: 2 }).waitFor();
    const events = await shown.history();
    all[label] = events.reduce((sum, event) => sum + (effects[event.eventName]?.(event) ?? 0), 0);
  }
  return all;
}

/** Cents as a row shows them. */
const money = (cents) =>
  `${(cents / 100).toLocaleString("en-US", { minimumFractionDigits: 2 })} EUR`;

/** A card, and what a person sees and does there. */
function card(name) {
  const card = page.getByRole("region", { name, exact: true });
  const button = (name) => card.getByRole("button", { name, exact: true });
  const says = (text) => card.getByText(text).first().waitFor();
  const table = card.getByRole("region", { name: `Rows of ${name}` });
  return {
    card,
    button,
    says,
    click: (name) => button(name).click(),
    /** The texts of a row, or of all rows. */
    row: (text) => table.locator("tbody tr").filter({ hasText: text }).innerText(),
    ids: () => table.locator("tbody tr").evaluateAll((rows) => rows.map((row) => row.dataset.id)),
    heard: (text) => card.locator("[aria-live]").filter({ hasText: text }).waitFor(),
  };
}

const accounts = card("Account balances");
const customers = card("Customers");

async function openScreen(query = "") {
  await page.goto(`${url}#/projections${query}`);
  await page.getByRole("heading", { name: "Projections", level: 2 }).waitFor();
}

let expected;

test("every read model stands before its end, with its checkpoint, its lag and its rows", async () => {
  expected = await balances();
  await openScreen();
  await accounts.says("checkpoint 6 of 10");
  await accounts.says(/^lag: 4 events, 22 d \d+ h$/);
  await accounts.says("paused");
  for (const [name, of] of [
    ["Orders", 3],
    ["Customers", 2],
    ["Blog posts", 3],
  ]) {
    await card(name).says(`checkpoint ${of - 1} of ${of}`);
    await card(name).says(/^lag: 1 event, /);
  }
  // The order has three lines by now, of which the card counts the totals; the customer moves later.
  assert.match(await card("Orders").row("pending"), /98\.87/);
  assert.match(await customers.row("Alan Turing"), /alan@example\.com/);
  const bar = accounts.card.getByRole("progressbar", { name: "Checkpoint against head" });
  assert.deepEqual(await bar.evaluate((bar) => [bar.value, bar.max]), [6, 10]);
  const line = accounts.card.getByRole("img");
  assert.equal(await line.getAttribute("aria-label"), "Events 1 to 10: 6 applied, 4 still to come");
});

test("with the keyboard alone: step, an event before its turn, and the end", async () => {
  const step = accounts.button("Step");
  await step.focus();
  await page.keyboard.press("Enter");
  await accounts.says("checkpoint 7 of 10");
  await accounts.heard("Applied TransferReceived, version 2");
  assert.match(await accounts.row("Grace Hopper"), new RegExp(money(expected["Grace Hopper"])));
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.innerText), "Deliver out of order");
  await accounts.heard("MoneyDeposited, version 7");
  await accounts.says("waits for version 6");
  await accounts.says("checkpoint 7 of 10");
  // The one that was held back goes first, then the one that waited.
  for (const [name, version, checkpoint] of [
    ["TransferCompleted", 6, 8],
    ["MoneyDeposited", 7, 9],
    ["MoneyWithdrawn", 8, 10],
  ]) {
    await step.press("Enter");
    await accounts.heard(`Applied ${name}, version ${version}`);
    await accounts.says(`checkpoint ${checkpoint} of 10`);
    assert.equal(await step.evaluate((step) => step === document.activeElement), true);
  }
  await accounts.says("no lag");
  assert.ok((await accounts.row("Ada Lovelace")).includes(money(expected["Ada Lovelace"])));
  await step.press("Enter");
  await accounts.heard("there is nothing to step to");
});

test("a duplicate is let go", async () => {
  const before = await accounts.row("Ada Lovelace");
  await accounts.click("Deliver a duplicate");
  await accounts.heard("MoneyWithdrawn, version 8 of …99Y1BWWW was delivered again and let go");
  assert.equal(await accounts.row("Ada Lovelace"), before);
});

test("a poisoned event is parked while the rest goes on, and a rebuild heals", async () => {
  await accounts.click("Start over");
  await accounts.says("checkpoint 0 of 10");
  await accounts.says("no rows yet");
  await accounts.click("Step");
  await accounts.click("Step");
  await accounts.click("Poison an event");
  await accounts.heard("MoneyDeposited, version 2 of …99Y1BWWW was broken on its way");
  await accounts.click("Resume");
  await accounts.says(/failed (once|[234] times), tried again in/);
  // Its stream waits for it; the other account's events went on.
  await accounts.says("waits for version 2");
  assert.ok((await accounts.row("Grace Hopper")).includes(money(expected["Grace Hopper"])));
  await accounts.says("1 dead letter");
  await accounts.says("checkpoint 10 of 10");
  await accounts.says("at the end, without 1 event");
  const ada = () => accounts.row("Ada Lovelace");
  const without = money(expected["Ada Lovelace"] - 320000).replace("-", "−");
  assert.ok((await ada()).includes(without), `${await ada()} should hold ${without}`);
  const letter = accounts.card.getByRole("row").filter({ hasText: "MoneyDeposited, version 2" });
  assert.match(await letter.innerText(), /amount[\s\S]*\b5\b/);

  await letter.getByRole("button", { name: /^Retry/ }).click();
  await accounts.heard("failed again");
  assert.match(await letter.innerText(), /\b6\b/);
  await letter.getByRole("button", { name: /^Repair/ }).click();
  await accounts.heard("is as it was recorded again");
  await accounts.button("Swap").press("Enter");
  await accounts.heard("There is no new generation to swap in: rebuild first.");
  await accounts.click("Rebuild");
  await accounts.says("caught up: swap it in");
  assert.ok((await ada()).includes(without), "the live one goes on answering");
  await accounts.click("Swap");
  await accounts.heard("Swapped: the new generation answers, with 0 dead letters.");
  assert.ok((await ada()).includes(money(expected["Ada Lovelace"])));
  assert.equal(await letter.count(), 0);
});

test("a letter that was repaired can be retried, and another one given up", async () => {
  await accounts.click("Start over");
  await accounts.click("Step");
  await accounts.click("Step");
  await accounts.click("Poison an event");
  await accounts.click("Poison an event");
  await accounts.click("Resume");
  const letters = accounts.card.getByRole("region", { name: "Dead letters" }).locator("tbody tr");
  await letters.nth(1).waitFor();
  assert.equal(await letters.count(), 2);
  await letters
    .first()
    .getByRole("button", { name: /^Repair/ })
    .click();
  await letters
    .first()
    .getByRole("button", { name: /^Retry/ })
    .click();
  await accounts.heard("version 2 of …99Y1BWWW was applied at last");
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  assert.match(await focused(), /^(Repair|Retry|Skip)$/, "the focus is at the other letter");
  await letters.first().getByRole("button", { name: /^Skip/ }).click();
  await accounts.heard("MoneyWithdrawn, version 3 of …99Y1BWWW was given up");
  assert.equal(await letters.count(), 0);
  await page.locator("h3:focus").waitFor();
  assert.equal(await focused(), "Account balances");
  // What was given up was not applied.
  await accounts.says("at the end, without 1 event");
  const line = accounts.card.getByRole("img");
  await line.getByTitle(/version 3 of …99Y1BWWW: given up$/).waitFor();
  assert.match(await line.getAttribute("aria-label"), /, 1 given up$|, 1 given up,/);
  // The rent of May never reaches the row.
  assert.ok(
    (await accounts.row("Ada Lovelace")).includes(money(expected["Ada Lovelace"] + 115000)),
  );
});

test("what is recorded on the page makes it lag, and is followed when it resumes", async () => {
  await page.goto(`${url}#/streams`);
  await shown.rows("streams").filter({ hasText: "Grace Hopper" }).click();
  await shown.openForm();
  await shown.deposit(1234);
  await page.getByRole("link", { name: "Projections" }).click();
  await accounts.says("checkpoint 11 of 11");
  const sum = money(expected["Grace Hopper"] + 1234);
  assert.ok((await accounts.row("Grace Hopper")).includes(sum));
  await accounts.click("Pause");
  await page.getByRole("link", { name: "Streams" }).click();
  await shown.deposit(100);
  await page.getByRole("link", { name: "Projections" }).click();
  await accounts.says(/^lag: 1 event, /);
  await accounts.says("checkpoint 11 of 12");
  await accounts.click("Resume");
  await accounts.says("no lag");
  assert.ok((await accounts.row("Grace Hopper")).includes(money(expected["Grace Hopper"] + 1334)));
});

/** A log of customers and of many events: NDJSON. */
function customersLog(number) {
  const lines = [];
  const ulid = (time, n) => {
    const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let text = "";
    for (let at = time, place = 0; place < 10; place += 1, at = Math.floor(at / 32)) {
      text = digits[at % 32] + text;
    }
    return text + String(n).padStart(16, "0");
  };
  const line = (n, id, version, eventName, payload) => {
    const head = { eventId: ulid(1_700_000_000_000 + n, n), eventName, aggregateName: "Customer" };
    const place = { aggregateId: id, aggregateVersion: version, actorId: "shop" };
    lines.push(JSON.stringify({ ...head, ...place, ...payload }));
  };
  for (let n = 0; n < number; n += 1) {
    const id = `c${String(n).padStart(6, "0")}`;
    const email = `${"zyxw"[n % 4]}${n}@example.com`;
    line(3 * n, id, 1, "CustomerRegistered", { email, name: `Number ${n}` });
    if (n % 5 === 0) line(3 * n + 1, id, 2, "CustomerSuspended", { reason: "test" });
  }
  return lines.join("\n");
}

test("rows come in the order of an index, a page at a time, and the address says which", async () => {
  await page.getByRole("link", { name: "Streams" }).click();
  const buffer = Buffer.from(customersLog(500));
  await shown.importFile({ name: "customers.ndjson", mimeType: "", buffer });
  await page.getByText("500 streams").first().waitFor();
  await page.getByRole("link", { name: "Projections" }).click();
  await customers.says("checkpoint 598 of 602");
  await customers.click("Resume");
  await customers.says("checkpoint 602 of 602");
  await customers.says("1–8 of 501 rows");
  await customers.card.getByLabel("Order").selectOption("by status, then email");
  await customers.card.getByLabel("Status", { exact: true }).fill("SUSPENDED");
  await customers.card.getByLabel("Status", { exact: true }).press("Tab");
  await customers.says("1–8 of 100 rows");
  await customers.card.getByLabel("Email begins with").fill("W1");
  const wanted = Array.from({ length: 500 }, (_, n) => n)
    .filter((n) => n % 5 === 0 && n % 4 === 3 && `${n}`.startsWith("1"))
    .sort((a, b) => (`w${a}@` < `w${b}@` ? -1 : 1))
    .map((n) => `c${String(n).padStart(6, "0")}`);
  await customers.says(`${wanted.length} rows`);
  assert.deepEqual(await customers.ids(), wanted);
  assert.match(page.url(), /customers\.order=2&customers\.is=SUSPENDED&customers\.from=W1/);
  await customers.card.getByLabel("Email begins with").fill("");
  await customers.says("1–8 of 100 rows");
  await customers.click("On");
  await customers.says("9–16 of 100 rows");
  // Opened again, the link asks the same.
  const again = await page.context().newPage();
  await again.goto(page.url());
  await again.getByText("1–8 of 100 rows").waitFor();
  await again.close();
});

test("at 390 pixels nothing has to be scrolled sideways", async () => {
  const narrow = await open({ viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  await narrow.goto(`${url}#/projections`);
  await narrow.getByText("checkpoint 6 of 10").waitFor();
  for (const width of [390, 320]) {
    await narrow.setViewportSize({ width, height: 844 });
    const wide = await narrow.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${wide} at ${width}`);
  }
});

test("what is recorded while everything is read is counted once", async () => {
  const other = await open();
  const buffer = Buffer.from(customersLog(20_000));
  await on(other).importFile({ name: "many.ndjson", mimeType: "", buffer });
  await other.getByText("20,000 streams").first().waitFor();
  await other.getByRole("link", { name: "Projections" }).click();
  await other.getByText(/^Reading the history/).waitFor();
  await other.getByRole("link", { name: "Streams" }).first().click();
  await on(other).rows("streams").filter({ hasText: "Ada Lovelace" }).click();
  await other.getByRole("heading", { name: "Ada Lovelace", level: 2 }).waitFor();
  await on(other).openForm();
  await on(other).deposit(100);
  await other.getByRole("link", { name: "Projections" }).click();
  const card = other.getByRole("region", { name: "Account balances", exact: true });
  await card.getByText(/^checkpoint \d+ of 11$/).waitFor();
  await card.getByRole("button", { name: "Resume" }).click();
  await card.getByText("checkpoint 11 of 11").waitFor();
  await other.close();
});

test("100,000 events are worked through, rebuilt and swapped", async () => {
  const big = await open();
  big.setDefaultTimeout(60_000);
  await big.goto(`${url}#/projections`);
  const buffer = Buffer.from(customersLog(84_000));
  await on(big).importFile({ name: "big.ndjson", mimeType: "", buffer });
  await big.getByText("checkpoint 100,798 of 100,802").waitFor();
  const card = big.getByRole("region", { name: "Customers", exact: true });
  await card.getByRole("button", { name: "Start over" }).click();
  await card.getByRole("button", { name: "Resume" }).click();
  await card.getByRole("button", { name: "Rebuild" }).click();
  await card.getByText("84,001 rows").waitFor();
  await card.getByText("caught up: swap it in").waitFor();
  await card.getByRole("button", { name: "Swap" }).click();
  await card.getByText("Swapped: the new generation answers").waitFor();
  await big.close();
});

test("nothing went wrong on any page", () => assert.deepEqual(complaints, []));
