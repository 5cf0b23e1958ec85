// Drives the screen Evolution in a real Chromium: `node --test web/tests/evolution.test.mjs`.
//
// REWOUND_DIST names another build than dist/, REWOUND_DATA another folder of logs than ../shared/data.

import assert from "node:assert/strict";
import { test } from "node:test";
import { permits, start } from "./browser.mjs";

const { complaints, open, url } = await start();
const page = await open();

const ada = "01KN44ARM0KRVQKEBZ99Y1BWWW";
const judged = () => page.locator(".evolution .judged");
const loaded = () => page.locator(".evolution .loaded");
const area = () => page.getByLabel("As it is stored, to be changed at will");
const after = () => page.getByRole("status", { name: "As the reducer sees it" });

/** The cards of an event's schema versions: what stands in each, and between them. */
const versions = (event) =>
  page
    .getByRole("region", { name: event, exact: true })
    .locator(".version, .step-between")
    .evaluateAll((all) =>
      all.map((card) =>
        card.innerText
          .trim()
          .split(/\s*\n\s*/)
          .join(" | "),
      ),
    );

/** What is said of the judged log: the word, and each reason with its count and its first place. */
async function verdict() {
  const word = await judged().locator(".verdict-line .mark").innerText();
  const reasons = await judged()
    .locator("tbody tr")
    .evaluateAll((all) =>
      all.map((row) => [
        row.querySelector("th").innerText,
        Number(row.querySelector(".amount").innerText.replaceAll(",", "")),
        row.querySelectorAll("td")[1].innerText.split("\n")[0],
      ]),
    );
  return { word, reasons };
}

/** Gives the judge a text. */
async function judge(lines) {
  const details = page.getByText("Or paste events");
  if (!(await page.getByLabel("Events to judge").isVisible())) await details.click();
  await page
    .getByLabel("Events to judge")
    .fill(lines.map((line) => JSON.stringify(line)).join("\n"));
  await page.getByRole("button", { name: "Judge what is pasted" }).click();
  await judged().getByText("The pasted text:").waitFor();
  return verdict();
}

const event = (version, own) => ({
  eventId: `01K1RZXKEYCYQ5MSEQJ4Z5${String(version).padStart(4, "0")}`,
  aggregateName: "BlogPost",
  aggregateId: "p",
  aggregateVersion: version,
  actorId: "ada",
  ...own,
});

test("the first view shows an event that changed twice, with the steps between its versions", async () => {
  await page.getByRole("link", { name: "Evolution" }).click();
  await page.getByRole("heading", { name: "Evolution", exact: true }).waitFor();
  assert.deepEqual(await versions("CustomerRegistered"), [
    "Version 1 | older | 3 stored | fullName | mail",
    "upcaster 1 to 2 | 2 fields touched",
    "Version 2 | older | 1 stored | → name was fullName | → email was mail",
    "upcaster 2 to 3 | 2 fields touched",
    "Version 3 | today | 2 stored | name | ~ email changed | + language added",
  ]);
  await judged().getByText("fine").waitFor();
  await judged().getByText("What the page has: 18 events in 5 streams.").waitFor();
});

test("an old event is lifted while one types, and errors name their place", async () => {
  await after().getByText('"ada@example.com"').waitFor();
  const sample = JSON.parse(await area().inputValue());
  const type = (change) => area().fill(JSON.stringify({ ...sample, ...change }));
  await type({ mail: "GRACE@X.ORG", fullName: "Grace" });
  await after().getByText('"grace@x.org"').waitFor();
  await after().getByText("Schema version 1 to 2").waitFor();
  await type({ mail: undefined });
  await after()
    .getByText("lifting CustomerRegistered from schema version 1 failed: `mail` is missing")
    .waitFor();
  await type({ schemaVersion: 9 });
  await after().getByText("the newest known here is 3").waitFor();
  await type({ eventId: "x" });
  await after().getByText("/eventId: expected a ULID").waitFor();
  await area().fill("{");
  await after().getByText("This is no event").waitFor();
  assert.equal(await area().getAttribute("aria-invalid"), "true");

  await page.getByLabel("Sample").selectOption({ label: "CustomerRegistered, schema version 3" });
  await after().getByText("It is read as it is stored.").waitFor();
});

test("a real domain shows its events of today, and how many are stored", async () => {
  await page.locator(".evolution .choice select").selectOption("BankAccount");
  await page.getByRole("heading", { name: "Schema versions of Bank account" }).waitFor();
  const [deposited] = await versions("MoneyDeposited");
  assert.equal(
    deposited,
    "Version 1 | today | 2 stored | amount | transactionReference | description",
  );
  // Opened twice; every other event of the demo's two accounts is counted as well.
  const stored = await page.locator(".evolution .stored").allInnerTexts();
  const sum = stored.reduce((sum, text) => sum + Number.parseInt(text, 10), 0);
  assert.equal(sum, 8 + 2);
  assert.match(page.url(), /of=BankAccount/);
  const sample = JSON.parse(await area().inputValue());
  await area().fill(JSON.stringify({ ...sample, initialDeposit: -1 }));
  await after().getByText("The reducer refuses it").waitFor();
  await after().getByText("/initialDeposit: expected").waitFor();
});

test("a log is fine, risky or impossible, and says why and where first", async () => {
  const created = { eventName: "BlogPostCreated", title: "Hello" };
  const published = { eventName: "BlogPostPublished" };
  assert.deepEqual(await judge([event(1, created), event(2, published)]), {
    word: "fine",
    reasons: [],
  });

  const noted = event(2, { ...published, mood: "glad", weight: 0 });
  const large = JSON.stringify(noted).replace('"weight":0', '"weight":9007199254740993');
  await page
    .getByLabel("Events to judge")
    .fill(`${JSON.stringify(event(1, created))}\n${large}\nno event`);
  await page.getByRole("button", { name: "Judge what is pasted" }).click();
  await judged().getByText("risky").waitFor();
  assert.deepEqual(await verdict(), {
    word: "risky",
    reasons: [
      ["lines with a problem", 1, "line 3"],
      ["with fields unknown today", 1, "version 2 of p, line 2"],
      ["with numbers beyond JavaScript's", 1, "version 2 of p, line 2"],
    ],
  });

  const newer = event(2, { ...published, schemaVersion: 4 });
  assert.deepEqual(
    await judge([event(1, created), newer, event(3, published), event(5, published)]),
    {
      word: "impossible",
      reasons: [
        ["newer than every upcaster", 1, "version 2 of p, line 2"],
        ["behind a gap", 1, "version 5 of p, line 4"],
        ["behind a refused event", 1, "version 3 of p, line 3"],
        ["lines with a problem", 1, "line 4"],
      ],
    },
  );
});

test("a real export is judged from its file, and what the page has imported is counted", async () => {
  const file = permits(console.log);
  await page.getByLabel("Judge a file").setInputFiles(file);
  await judged().getByText(`${file.name}: 8,577 events in 1,434 streams.`).waitFor();
  assert.deepEqual((await verdict()).reasons[0].slice(0, 2), ["of an unknown aggregate", 8577]);
  await page.getByText("The page's whole history: 18 events in 5 streams.").waitFor();

  // What is imported is read again, and judged when asked.
  await page
    .locator("header input[type=file], .actions input[type=file]")
    .first()
    .setInputFiles({
      name: "newer.ndjson",
      mimeType: "",
      buffer: Buffer.from(
        JSON.stringify(event(1, { eventName: "BlogPostCreated", schemaVersion: 2, title: "x" })) +
          "\nodd",
      ),
    });
  await page.getByText("The page's whole history: 19 events in 6 streams.").waitFor();
  await page.getByRole("button", { name: "Judge what the page has" }).click();
  await judged().getByText("What the page has: 19 events in 6 streams.").waitFor();
  const { word, reasons } = await verdict();
  assert.equal(word, "impossible");
  // The page's history is no file: only what could not be read has a line, in the file that is named beside it.
  assert.deepEqual(reasons, [
    ["newer than every upcaster", 1, "version 1 of p"],
    ["lines with a problem", 1, "line 2"],
  ]);
  await judged().getByText("newer.ndjson: ", { exact: false }).waitFor();
  await page.locator(".evolution .choice select").selectOption("BlogPost");
  assert.deepEqual((await versions("BlogPostCreated")).slice(1), [
    "no upcaster leads here",
    "Version 2 | newer than every upcaster | 1 stored | title",
  ]);
});

test("a load folds what lies behind the snapshot, wherever the scrubber stands", async () => {
  await page.goto(`${url}#/streams`);
  await page.goto(`${url}#/evolution/BankAccount/${ada}`);
  const scrubber = page.getByRole("slider", { name: "Version to load" });
  const every = page.getByLabel("A snapshot every");
  for (const [interval, version] of [
    [3, 8],
    [3, 6],
    [3, 2],
    [2, 7],
    [5, 8],
    [100, 8],
  ]) {
    await every.fill(`${interval}`);
    await every.press("Tab");
    await scrubber.fill(`${version}`);
    const kept = Math.floor(version / interval) * interval;
    const from = kept === 0 ? "from the start" : `from the snapshot of version ${kept}`;
    const folded = version - kept;
    const events = `${folded} event${folded === 1 ? "" : "s"}`;
    await loaded()
      .getByText(
        `The next load at version ${version} begins ${from} and folds ${events} instead of ${version}.`,
      )
      .waitFor();
    const marks = await page.locator(".evolution .flag").allInnerTexts();
    const count = Math.floor(8 / interval);
    assert.deepEqual(
      marks,
      Array.from({ length: count }, (_, index) => `${(index + 1) * interval}`),
    );
  }
});

test("a corrupt and a stale snapshot are refused, with the keyboard alone; a changed value is not seen", async () => {
  await page.getByLabel("A snapshot every").fill("3");
  await page.getByRole("slider", { name: "Version to load" }).press("End");
  const press = async (name) => {
    await page.getByRole("button", { name, exact: true }).focus();
    await page.keyboard.press("Enter");
  };
  const replay =
    "The next load at version 8 begins from the start and folds 8 events instead of 8.";
  await press("Corrupt it");
  await loaded().getByText("the snapshot holds no state").waitFor();
  await loaded().getByText(replay).waitFor();
  await press("Make it stale");
  await loaded().getByText("another reducer made the snapshot").waitFor();
  await loaded().getByText(replay).waitFor();
  assert.equal(await loaded().locator("li").filter({ hasText: "by the events" }).count(), 0);
  await press("Change a value");
  await loaded().getByText("taken, and wrong").waitFor();
  // One cent more, since nothing behind version 6 sets the balance anew.
  await loaded().getByText("/balance: 3,846.21 by the snapshot, 3,846.20 by the events").waitFor();
  assert.match(page.url(), /snapshot=tampered/);
  const address = page.url();
  await page.goto(`${url}#/streams`);
  await page.goto(address);
  await loaded().getByText("taken, and wrong").waitFor();
  await press("Leave it sound");
  await loaded().getByText("The state is the one that all events make.").waitFor();
});

test("another address of the screen is followed while it stands", async () => {
  await page.goto(`${url}#/evolution/BankAccount/${ada}`);
  await page.getByRole("heading", { name: "Schema versions", exact: true }).waitFor();
  await page.goto(
    `${url}#/evolution/BankAccount/${ada}?every=4&at=7&snapshot=stale&of=BankAccount`,
  );
  await page.getByRole("heading", { name: "Schema versions of Bank account" }).waitFor();
  assert.equal(
    await page.locator(".evolution .choice select").inputValue(),
    "BankAccount",
    "the select goes along",
  );
  await page.getByText("Version 7 of 8, snapshot of version 4", { exact: true }).waitFor();
  await loaded().getByText("another reducer made the snapshot").waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "Schema versions", exact: true }).waitFor();
  await page.getByText("Version 8 of 8, snapshot of version 6", { exact: true }).waitFor();
});

test("what was typed stays when the history comes in; what was not is replaced", async () => {
  const page = await open();
  await page.goto(`${url}#/evolution?of=Errand`);
  const area = page.getByLabel("As it is stored, to be changed at will");
  await page.getByText("The page's whole history: 18 events in 5 streams.").waitFor();
  const give = async (number, own) => {
    await page
      .locator(".actions input[type=file], header input[type=file]")
      .first()
      .setInputFiles({
        name: `${number}.ndjson`,
        mimeType: "",
        buffer: Buffer.from(JSON.stringify(event(1, own))),
      });
    const said = `The page's whole history: ${18 + number} events in ${5 + number} streams.`;
    await page.getByText(said).waitFor();
  };
  // Nobody has typed: what comes in is shown.
  await give(1, {
    eventName: "ErrandBegun",
    aggregateName: "Errand",
    aggregateId: "a",
    note: "Stored",
  });
  await page.waitForFunction(() =>
    document.querySelector(".evolution .lift textarea").value.includes('"Stored"'),
  );
  const mine = (await area.inputValue()).replace("Stored", "Mine");
  await area.fill(mine);
  await give(2, { eventName: "ErrandEnded", aggregateName: "Errand", aggregateId: "b" });
  await page
    .locator(".evolution .lift option", { hasText: "ErrandEnded" })
    .waitFor({ state: "attached" });
  assert.equal(await area.inputValue(), mine);
  // Another sample, and another aggregate's, are taken when asked for.
  await page.getByLabel("Sample").selectOption({ label: "ErrandEnded, schema version 1" });
  assert.match(await area.inputValue(), /"ErrandEnded"/);
  await page.locator(".evolution .choice select").selectOption("BankAccount");
  await page.waitForFunction(() =>
    document.querySelector(".evolution .lift textarea").value.includes('"BankAccount"'),
  );
  await page.context().close();
});

test("nothing went wrong on the way", () => {
  assert.deepEqual(complaints, []);
});
