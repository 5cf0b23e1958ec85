// Drives the built page in a real Chromium: `node --test web/tests/playground.test.mjs`.
//
// REWOUND_DIST names another build than dist/, REWOUND_DATA another folder of logs than ../shared/data,
// CHROMIUM another browser than the first on PATH.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { on, permits, root, start } from "./browser.mjs";

const { complaints, open } = await start();
const page = await open();
const {
  rows,
  scrubber,
  message,
  field,
  state,
  isAt,
  shownEvent,
  history,
  openForm,
  choose,
  send,
  importFile,
} = on(page);

/** Every state of the open stream by the core's own word: the same events, replayed natively. */
function replay(log, id) {
  const folder = mkdtempSync(join(tmpdir(), "rewound-"));
  const file = join(folder, "log");
  writeFileSync(file, log);
  const command = "run --quiet --locked --package rewound-core --example replay --".split(" ");
  const lines = execFileSync("cargo", [...command, file, id], { cwd: root, encoding: "utf8" });
  rmSync(folder, { recursive: true });
  return lines.trimEnd().split("\n").map(JSON.parse);
}

/** The leaves of a value by their pointers, as texts. */
function leaves(value, path = "") {
  const isNest = typeof value === "object" && value !== null;
  if (!isNest) return { [path]: `${value}` };
  const parts = Object.entries(value).map(([name, part]) =>
    leaves(part, `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`),
  );
  return Object.assign({}, ...parts);
}

/** Scrubs through the open stream and compares each state with the core's. */
async function compare(states) {
  await scrubber().press("Home");
  for (const [index, expected] of states.entries()) {
    await scrubber().press("ArrowRight");
    await isAt(index + 1, states.length);
    assert.deepEqual(await state(), leaves(expected));
  }
}

/** The balance after these events, reckoned here: the page's own reducer is what is tested. */
function balance(events) {
  const effects = {
    AccountOpened: (event) => event.initialDeposit,
    MoneyDeposited: (event) => event.amount,
    TransferReceived: (event) => event.amount,
    TransferReversed: (event) => event.amount,
    MoneyWithdrawn: (event) => -event.amount,
    TransferInitiated: (event) => -event.amount,
  };
  return events.reduce((sum, event) => sum + (effects[event.eventName]?.(event) ?? 0), 0);
}

test("the first load shows an account with its history, at its end", async () => {
  assert.match(await page.title(), /Rewound/);
  await isAt(8, 8);
  assert.equal(await rows("events").count(), 8);
  assert.equal(await rows("streams").count(), 5);
  assert.equal(await field("/$meta/version"), "8");
  assert.equal(await field("/accountHolderId"), "Ada Lovelace");
  const events = await history();
  assert.deepEqual(
    events.map((event) => event.aggregateVersion),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  assert.equal(await field("/balance"), String(balance(events)));
  assert.equal(balance(events), 384620, "the story adds up");
  await page.getByText("3,846.20 EUR").waitFor();
});

test("scrubbing with the keyboard shows every state of the past", async () => {
  const events = await history();
  for (const [key, version] of [
    ["Home", 0],
    ["ArrowRight", 1],
    ["ArrowRight", 2],
    ["End", 8],
    ["ArrowLeft", 7],
    ["ArrowLeft", 6],
    ["ArrowLeft", 5],
  ]) {
    await scrubber().press(key);
    await isAt(version, 8);
    const last = events[version - 1];
    const text = await scrubber().getAttribute("aria-valuetext");
    assert.equal(text, `Version ${version} of 8: ${last?.eventName ?? "before the first event"}`);
    assert.equal(await page.locator("#events .future").count(), 8 - version);
    if (version === 0) {
      assert.equal(await page.locator("tr[data-path]").count(), 0);
      continue;
    }
    assert.equal(await field("/balance"), String(balance(events.slice(0, version))));
    assert.equal(await field("/$meta/actorId"), last.actorId);
  }
  // At version 5 money left and is pending: three signs tell it, not only the colour.
  const signs = await page.locator("tr[data-path] .sign").allInnerTexts();
  assert.ok(
    signs.some((sign) => sign.includes("~")) && signs.some((sign) => sign.includes("+")),
    `${signs}`,
  );
  assert.equal(await field("/pendingTransfers/concert-tickets/amount"), String(events[4].amount));
  await scrubber().press("ArrowRight");
  await isAt(6, 8);
  const removed = page.locator('tr[data-path="/pendingTransfers/concert-tickets"]');
  assert.match(await removed.innerText(), /−/);

  // Every field of every state is what the core says.
  const log = events.map((event) => JSON.stringify(event)).join("\n");
  await compare(replay(log, events[0].aggregateId));
  await scrubber().press("ArrowLeft");
  await isAt(7, 8);

  // The list is a scrubber too, with the pointer and with keys.
  await rows("events").nth(2).click();
  await isAt(3, 8);
  await page.locator("#events").press("ArrowUp");
  await isAt(2, 8);
  await page.getByRole("button", { name: "Play" }).click();
  await isAt(3, 8);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "To the end" }).click();
  await isAt(8, 8);
});

test("a field says why it is what it is", async () => {
  const events = await history();
  await page.getByRole("button", { name: "balance", exact: true }).click();
  const causes = page.locator("#causes [role=option]");
  const moving = events.filter((event, index) => index === 0 || balance([event]) !== 0);
  await page.locator(".why").getByText(`${moving.length} events`).waitFor();
  assert.equal(await causes.count(), moving.length);
  let sum = 0;
  for (const [index, event] of moving.entries()) {
    const [version, name, change] = (await causes.nth(index).innerText()).split("\n");
    assert.equal(version, `${event.aggregateVersion}`);
    assert.equal(name, event.eventName);
    const money = (cents) => (cents / 100).toLocaleString("en", { minimumFractionDigits: 2 });
    const before = index === 0 ? "" : `${money(sum)} → `;
    sum += balance([event]);
    assert.equal(change, before + money(sum));
  }
  // Each is a step of the scrubber, with the pointer and with keys; what lies ahead is told apart.
  await causes.nth(2).click();
  await isAt(3, 8);
  await page.locator("#causes").press("ArrowDown");
  await isAt(4, 8);
  assert.equal(await page.locator("#causes .future").count(), moving.length - 4);
  await page.getByRole("button", { name: "accountHolderId" }).click();
  await page.locator(".why").getByText("1 event", { exact: true }).waitFor();
  assert.match(await causes.first().innerText(), /AccountOpened\s+Ada Lovelace/);
  await page.getByRole("button", { name: "Close the question" }).click();
  assert.equal(await page.locator(".why").count(), 0);

  // Two clicks of one finger on a slow machine: the list is gone before its first frame. (What would be said of
  // it in the console, the last test hears.)
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: 6 });
  for (let time = 0; time < 8; time += 1) {
    await page.getByRole("button", { name: "balance", exact: true }).dblclick({ delay: 40 });
  }
  await session.send("Emulation.setCPUThrottlingRate", { rate: 1 });
});

test("a command makes the stream grow", async () => {
  await scrubber().press("End");
  const before = Number(await field("/balance"));
  await openForm();
  await choose("Deposit");
  await page.getByLabel("Amount").fill("12345");
  await page.getByText("= 123.45").waitFor();
  await page.getByLabel("Transaction reference").fill("inv-42");
  assert.equal(
    await page.getByLabel("Description").inputValue(),
    "Deposit",
    "defaults stand there",
  );
  assert.match(
    await page.locator("#preview").innerText(),
    /would record\s+MoneyDeposited\s+123\.45/,
  );
  await page.getByLabel("Actor").fill("grace");
  await send();
  await isAt(9, 9);
  await page.getByText("MoneyDeposited recorded: version 9.").waitFor();
  assert.equal(await field("/balance"), String(before + 12345));
  const event = await shownEvent();
  assert.equal(event.transactionReference, "inv-42");
  assert.equal(event.actorId, "grace");
  assert.match(await rows("streams").first().innerText(), /MoneyDeposited\s+v9/);
  // The fields are empty again, and nothing is called an error before it is one.
  assert.equal(await page.locator("[aria-invalid=true]").count(), 0);
});

test("a refusal names its rule and changes nothing", async () => {
  await choose("Withdraw");
  await page.getByLabel("Amount").fill("99999999");
  await page.getByLabel("Transaction reference").fill("yacht");
  assert.match(await page.locator("#preview").innerText(), /refused: .*overdraft/);
  await send();
  const alert = page.getByRole("alert").filter({ hasText: "insufficient-funds" });
  assert.match(await alert.innerText(), /there is no overdraft/);
  await isAt(9, 9);

  await page.getByLabel("Amount").fill("1");
  await page.getByLabel("Expected version").fill("3");
  await send();
  await page.getByRole("alert").filter({ hasText: "wrong-version" }).waitFor();
  await page.getByLabel("Expected version").fill("9");
  await send();
  await isAt(10, 10);
});

test("an invalid form names each bad field, where it is", async () => {
  await page.getByLabel("To", { exact: true }).selectOption("Order");
  await page.getByLabel("Actor").fill("");
  await page.getByLabel("Expected version").fill("last");
  await page.getByRole("button", { name: "Add item" }).click();
  await page.locator("#field-items-1-quantity").fill("2.5");
  await page.locator("#field-items-1-price").fill("-3");
  const named = () =>
    page.locator(".help.error").evaluateAll((all) => all.map((one) => one.dataset.pointer));
  const left = ["/items/1/quantity", "actor", "expected version"];
  assert.deepEqual(await named(), left, "only what was touched and left");
  // What one rests in is said too, without leaving it.
  await page.locator('[data-pointer="/items/1/price"].error').waitFor();
  await send();
  const expected = [
    "/customerId",
    ...["productId", "quantity", "price"].flatMap((name) => [`/items/0/${name}`]),
    ...["productId", "quantity", "price"].flatMap((name) => [`/items/1/${name}`]),
    "actor",
    "expected version",
  ];
  assert.deepEqual(await named(), expected);
  await page.getByRole("alert").filter({ hasText: "9 fields" }).waitFor();
  await assert.doesNotReject(
    page.waitForFunction(() => document.activeElement.id === "field-customerId"),
  );
  assert.match(
    await page.locator('[data-pointer="/items/1/quantity"]').innerText(),
    /from 1 to 1000000.*2\.5/,
  );
  // As one types, an error goes away.
  await page.locator("#field-items-1-quantity").fill("2");
  assert.deepEqual(
    await named(),
    expected.filter((pointer) => pointer !== "/items/1/quantity"),
  );

  await page.getByRole("button", { name: "Remove item 1" }).press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.innerText), "Add item");
  assert.equal(
    await page.locator("#field-items-0-quantity").inputValue(),
    "2",
    "the other line moved up",
  );
  await page.getByLabel("Customer id").fill("c-1");
  await page.locator("#field-items-0-productId").fill("pencil");
  await page.locator("#field-items-0-price").fill("150");
  await page.getByLabel("Actor").fill("ada");
  await page.getByLabel("Expected version").fill("0");
  await send();
  await isAt(1, 1);
  assert.equal(await field("/totalAmount"), "300");
  assert.equal(await field("/status"), "pending");
});

test("every domain has a form for each of its commands", async () => {
  const commands = {
    BankAccount:
      "Open Deposit Withdraw Close InitiateTransfer ReceiveTransfer CompleteTransfer ReverseTransfer",
    Order: "Create AddItem Confirm",
    Customer: "Register UpdateEmail Suspend Reactivate",
    BlogPost: "Create Publish ChangeTitle",
  };
  const fields = {
    "BankAccount.Open": "accountHolderId currency initialDeposit",
    "BankAccount.Close": "reason closedBy",
    "BankAccount.ReverseTransfer": "transferId amount reason",
    "Order.Create": "customerId items-0-productId items-0-quantity items-0-price",
    "Order.Confirm": "",
    "Customer.Register": "email name",
    "BlogPost.ChangeTitle": "title",
  };
  for (const [aggregate, names] of Object.entries(commands)) {
    await page.getByLabel("To", { exact: true }).selectOption(aggregate);
    await page.waitForFunction(
      (count) => document.querySelectorAll(".command .chip").length === count,
      names.split(" ").length,
    );
    const chips = await page.locator(".command .chip").allInnerTexts();
    assert.equal(chips.join(" "), names);
    for (const name of chips) {
      await choose(name);
      await page.getByRole("button", { name: `Send ${name}`, exact: true }).waitFor();
      const wanted = fields[`${aggregate}.${name}`];
      if (wanted !== undefined) {
        const ids = await page
          .locator("[id^=field-]:is(input)")
          .evaluateAll((all) => all.map((one) => one.id));
        assert.equal(ids.map((id) => id.replace("field-", "")).join(" "), wanted);
      }
    }
  }
  // One with a format, one created from nothing.
  await page.getByLabel("To", { exact: true }).selectOption("Customer");
  await page.getByLabel("Email", { exact: true }).fill("nobody");
  await page.getByLabel("Name", { exact: true }).fill("Mary");
  await page
    .locator('[data-pointer="/email"].error')
    .getByText(/e-mail address/)
    .waitFor();
  await page.getByLabel("Email", { exact: true }).fill("mary@example.com");
  await send();
  await isAt(1, 1);
  assert.equal(await field("/status"), "ACTIVE");
});

test("a real export is imported, and opens at the start of its first stream", async (context) => {
  const file = permits((text) => context.diagnostic(text));
  await page.evaluate(() => {
    window.busy = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.busy = Math.max(window.busy, entry.duration);
    }).observe({ entryTypes: ["longtask"] });
  });
  await importFile(file);
  await message()
    .getByText(/8,577 events in 1,434 streams/)
    .waitFor();
  await message().getByText("no problem found").waitFor();
  const text = await message().innerText();
  const busy = await page.evaluate(() => window.busy);
  context.diagnostic(`${text.split("\n")[0]}; the longest task took ${Math.round(busy)} ms`);
  assert.equal(await page.locator(".streams .tally").innerText(), "1,441");
  assert.match(await scrubber().getAttribute("aria-valuetext"), /^Version 1 of \d+: /);
  assert.equal(await field("/$meta/version"), "1");
  assert.equal(await page.getByRole("button", { name: "Play" }).count(), 1, "it is paused");
  // What nobody described is replayed by the generic reducer: the last value of each field.
  const events = await history();
  const { eventName, actorId, ...last } = events.at(-1);
  assert.equal(await field("/$meta/actorId"), actorId);
  assert.equal(await field("/transition"), last.transition);
  const times = events.filter((event) => event.eventName === eventName).length;
  assert.equal(
    await field(`/$events/${eventName.replaceAll("~", "~0").replaceAll("/", "~1")}`),
    String(times),
  );
  await page.locator(".command").getByText("Imported logs are read-only").waitFor();
  await compare(replay(file.buffer, last.aggregateId));
});

test("a list of any length renders the rows in sight, to its end", async () => {
  const list = page.locator("#streams");
  const most = 40;
  assert.ok((await rows("streams").count()) < most);
  await list.evaluate((list) => (list.scrollTop = list.scrollHeight));
  await rows("streams").and(page.locator('[aria-posinset="1441"]')).waitFor();
  assert.ok((await rows("streams").count()) < most);
  await rows("streams").and(page.locator('[aria-posinset="1441"]')).click();
  await page.waitForFunction(
    () =>
      document.querySelector("#streams").getAttribute("aria-activedescendant") === "streams-1440",
  );
  await list.press("Home");
  await page.getByRole("heading", { name: "Ada Lovelace" }).waitFor();
  assert.equal(await list.evaluate((list) => list.scrollTop), 0);

  await page.getByLabel("Filter the streams").fill("blog");
  await page.getByText("1 of 1,441").waitFor();
  assert.equal(await rows("streams").count(), 1);
  await page.getByLabel("Filter the streams").fill("");
  await page.getByText("1,441", { exact: true }).waitFor();
});

test("a broken log says what is wrong in which line, and the rest is kept", async () => {
  const line = (version, more = "") =>
    `{"eventId":"015DNX0QK2KAWQ8CPJD949VE0${version}","eventName":"Seen","aggregateName":"Bird","aggregateId":"owl","aggregateVersion":${version},"actorId":"u"${more}}`;
  const text = [line(1), '{"eventId":', line(2, ',"n":1'), line(2, ',"n":2'), line(4)].join("\n");
  const transfer = await page.evaluateHandle((text) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], "birds.ndjson"));
    return transfer;
  }, text);
  await page.dispatchEvent("body", "dragover", { dataTransfer: transfer });
  await page.getByText("Drop to import").waitFor();
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
  const table = page.getByRole("region", { name: "Problems in birds.ndjson" });
  await table.waitFor();
  await message().getByText("3 problems found").waitFor();
  const lines = await table.locator("tbody td:first-child").allInnerTexts();
  assert.deepEqual(lines, ["2", "4", "5"]);
  assert.match(await table.innerText(), /version 3 is missing/);
  await isAt(1, 2);

  // A stream without its first event has nothing to replay, and says so.
  await importFile({ name: "late.ndjson", mimeType: "", buffer: Buffer.from(line(3)) });
  await page.getByText("The replay ends here: version 1 is missing").waitFor();
  await page.getByText("There is no state without events.").waitFor();

  await importFile({ name: "none.txt", mimeType: "", buffer: Buffer.from("\n\n") });
  await message().getByText("there is no event in it").waitFor();
  await page.getByRole("button", { name: "Close this message" }).click();
  await page.getByText("Drag the slider").waitFor();
});

for (const wide of [320, 390]) {
  test(`a window of ${wide} pixels shows everything in one column`, async () => {
    const narrow = await open({ viewport: { width: wide, height: 844 } });
    await narrow.getByRole("button", { name: "Send a command" }).press("Enter");
    await narrow.waitForFunction(() => document.activeElement.id === "target");
    await narrow.getByRole("button", { name: "Close the form" }).press("Enter");
    await narrow.waitForFunction(() => document.activeElement.id === "command-button");
    await narrow.getByRole("button", { name: "Send a command" }).press("Enter");
    await narrow.getByLabel("To", { exact: true }).selectOption("Order");
    await narrow.getByRole("button", { name: "Add item" }).click();
    const [width, window] = await narrow.evaluate(() => [
      document.documentElement.scrollWidth,
      innerWidth,
    ]);
    assert.ok(width <= window, `the page is ${width} wide, the window ${window}`);
    const outside = await narrow.evaluate(() =>
      [...document.querySelectorAll("button, input, select, h2")]
        .filter((element) => !element.closest(".unseen, .chip") && !element.matches(".unseen"))
        .filter((element) => element.getBoundingClientRect().right > innerWidth)
        .map((element) => element.outerHTML.slice(0, 120)),
    );
    assert.deepEqual(outside, []);
    await narrow.context().close();
  });
}

test("the console stayed silent, and no request failed", () => {
  assert.deepEqual(complaints, []);
});
