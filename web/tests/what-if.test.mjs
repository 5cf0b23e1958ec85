// Drives the screen What if in a real Chromium, and runs the tests that it exports:
// `node --test web/tests/what-if.test.mjs`.
//
// REWOUND_DIST names another build of the playground than dist/. The npm package stands in pkg/dist.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { root, start } from "./browser.mjs";

const { complaints, open, url } = await start();
const page = await open();

const ada = "01KN44ARM0KRVQKEBZ99Y1BWWW";
const pairs = () => page.locator(".what-if .pair");
const button = (name) => page.getByRole("button", { name });
const summary = () => page.locator(".what-if .told");

/** Opens a branch of Ada's account, by its link. */
async function openBranch(edits, id = ada, aggregate = "BankAccount") {
  const query = edits === undefined ? "" : `?edits=${encodeURIComponent(JSON.stringify(edits))}`;
  // The same address again is no step.
  await page.goto(`${url}#/streams`);
  await page.goto(`${url}#/what-if/${aggregate}/${id}${query}`);
  await page.getByRole("heading", { name: "Event by event" }).waitFor();
  await page.waitForFunction(() => !document.querySelector(".what-if .deciding"));
}

/** The branch as a person reads it: the versions of both sides and the marks of each row. */
const shown = () =>
  pairs().evaluateAll((all) =>
    all.map((row) => ({
      fate: row.dataset.fate,
      original: row.querySelector(".original .position")?.innerText ?? null,
      branch: row.querySelector(".branch .position")?.innerText ?? null,
      event: row.querySelector(".branch .pick")?.innerText ?? null,
      marks: [...row.querySelectorAll(".mark")].map((mark) => mark.innerText),
    })),
  );

/** The state table: each field with what stands on either side. */
const states = () =>
  page
    .locator(".what-if .states tbody tr")
    .evaluateAll((all) =>
      Object.fromEntries(
        all.map((row) => [
          row.dataset.path,
          [...row.querySelectorAll("td")].map((cell) => cell.innerText),
        ]),
      ),
    );

/** Moves the slider to a place. */
const seek = (place) =>
  page.getByRole("slider", { name: "Place in both histories" }).fill(`${place}`);

/** The JSON of every event of Ada's account, from what the screen exports of the history itself. */
async function history() {
  await openBranch([]);
  await page.getByRole("radio", { name: "JavaScript" }).check({ force: true });
  const text = await exported();
  await page.getByRole("radio", { name: "Rust" }).check({ force: true });
  return [...text.matchAll(/^ {2}'(\{.*\})',$/gm)].map((line) =>
    JSON.parse(line[1].replaceAll("\\'", "'")),
  );
}

/** The whole of the file that is offered. */
async function exported() {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download" }).click(),
  ]);
  return readFileSync(await download.path(), "utf8");
}

/** The balance after these events, reckoned here. */
function balance(events) {
  const signs = {
    MoneyDeposited: 1,
    MoneyWithdrawn: -1,
    TransferInitiated: -1,
    TransferReversed: 1,
  };
  return events.reduce(
    (sum, event) => sum + (signs[event.eventName] ?? 0) * (event.amount ?? 0),
    0,
  );
}

const money = (cents) => {
  const [whole, part] = [
    Math.floor(Math.abs(cents) / 100),
    `${Math.abs(cents) % 100}`.padStart(2, "0"),
  ];
  return `${cents < 0 ? "−" : ""}${whole.toLocaleString("en-US")}.${part} EUR`;
};

test("the first view shows what would have been without a salary: three payments are impossible", async () => {
  await page.getByRole("link", { name: "What if" }).click();
  await page.getByRole("heading", { name: "What if", exact: true }).waitFor();
  await summary().getByText("An example to begin with.").waitFor();
  await summary().getByText("3 events could not have come about, version 2 first.").waitFor();
  const rows = await shown();
  assert.equal(rows.length, 8);
  assert.deepEqual(
    rows.map(({ original, branch }) => [original, branch]),
    [
      ["1", "1"],
      ["2", null],
      ["3", "2"],
      ["4", "3"],
      ["5", "4"],
      ["6", "5"],
      ["7", "6"],
      ["8", "7"],
    ],
  );
  assert.deepEqual(rows[0].marks, [], "before the first difference nothing is marked");
  assert.deepEqual(rows[1].marks, ["dropped"]);
  assert.deepEqual(rows[2].marks, ["kept, now version 2", "impossible: insufficient-funds"]);
  assert.deepEqual(rows[7].marks, ["kept, now version 7", "decided"]);
  await page.getByText("The history itself is as it was: 8 events.").waitFor();
});

test("the states diverge from the first difference on, as arithmetic says", async () => {
  const events = await history();
  assert.equal(events.length, 8);
  await openBranch([{ drop: 2 }]);
  for (const [place, original, branch] of [
    [0, 0, 0],
    [1, 1, 1],
    [2, 2, 1],
    [3, 3, 2],
    [5, 5, 4],
    [8, 8, 7],
  ]) {
    await seek(place);
    const [left, right] = [
      events.slice(0, original),
      events.filter((_, index) => index !== 1).slice(0, branch),
    ];
    if (place === 0) {
      await page.getByText("There is no state on either side").waitFor();
      continue;
    }
    await page.getByRole("columnheader", { name: `Original, version ${original}` }).waitFor();
    await page
      .getByRole("columnheader", { name: `Branch, version ${branch}`, exact: true })
      .waitFor();
    assert.deepEqual((await states())["/balance"], [money(balance(left)), money(balance(right))]);
  }
  await page.getByText("1 field differs").waitFor();
});

test("drop, edit, insert, move and undo work with the keyboard alone", async () => {
  await openBranch([]);
  await summary().getByText("nothing differs yet").waitFor();
  const press = async (name, key = "Enter") => {
    await button(name).focus();
    await page.keyboard.press(key);
  };
  await press("Drop version 4, MoneyWithdrawn");
  await summary().getByText("a possible history").waitFor();
  assert.deepEqual((await shown())[3].marks, ["dropped"]);
  assert.equal(await page.evaluate(() => document.activeElement.innerText), "Restore");

  // Enter in the editor of a field is a new line: Tab leads to the buttons.
  await press("Edit version 2, MoneyDeposited");
  const area = page.getByLabel("Payload, as JSON");
  assert.ok(await area.evaluate((area) => area === document.activeElement));
  await area.fill('{"amount": 5, "transactionReference": ');
  await page.getByText(/This is no JSON: .* at line 1 column/).waitFor();
  await area.fill('{"amount": -5, "transactionReference": "x", "description": "y"}');
  await page.getByText("/amount: expected", { exact: false }).waitFor();
  await area.fill('{"amount": 400000, "transactionReference": "x", "description": "y"}');
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await area.waitFor({ state: "detached" });
  assert.equal((await shown())[1].fate, "edited");

  await press("Insert behind version 1, AccountOpened");
  await page.getByRole("combobox", { name: "Event", exact: true }).selectOption("AccountClosed");
  await area.fill('{"reason": "moved", "closedBy": "ada"}');
  await page.getByRole("button", { name: "Insert", exact: true }).press("Enter");
  assert.equal((await shown())[1].event, "AccountClosed");
  assert.deepEqual((await shown())[2].marks.at(-1), "impossible: account-closed");

  await page.keyboard.press("Alt+ArrowDown");
  assert.equal((await shown())[2].event, "AccountClosed");
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  assert.equal(await focused(), "Branch version 3: AccountClosed", "the focus goes along");
  await page.keyboard.press("Alt+ArrowUp");
  assert.equal((await shown())[1].event, "AccountClosed");

  for (let step = 0; step < 5; step += 1) await press("Undo");
  await summary().getByText("nothing differs yet").waitFor();
  assert.ok((await shown()).every((row) => row.fate === "kept"));
});

test("an event is moved by its buttons and by dragging, and is back where it was", async () => {
  await openBranch([]);
  await button("Move up version 3, MoneyWithdrawn").click();
  let rows = await shown();
  assert.deepEqual(
    [rows[1].fate, rows[1].event, rows[3].fate],
    ["moved", "MoneyWithdrawn", "left"],
  );
  assert.deepEqual(rows[1].marks, ["moved from version 3", "impossible: insufficient-funds"]);
  await button("Move down version 2, MoneyWithdrawn").click();
  assert.ok(
    (await shown()).every((row) => row.fate === "kept"),
    "at home again it was not moved",
  );

  await pairs().nth(7).locator(".branch .says").dragTo(pairs().nth(4).locator(".branch .says"));
  rows = await shown();
  assert.deepEqual(
    [rows[4].fate, rows[4].event, rows[8].fate],
    ["moved", "MoneyWithdrawn", "left"],
  );
  await button("Reset").click();
  assert.equal((await shown()).length, 8);
});

test("a branch is a link, which opens again", async () => {
  await openBranch([{ drop: 3 }, { move: 7, after: 1 }]);
  const before = await shown();
  await button("Drop version 5, TransferInitiated").click();
  await page.waitForFunction(() => decodeURIComponent(location.hash).includes('{"drop":5}'));
  const after = await shown();
  const address = page.url();
  await page.goto(`${url}#/streams`);
  await page.goto(address);
  await page.getByRole("heading", { name: "Event by event" }).waitFor();
  assert.deepEqual(await shown(), after);
  await button("Restore version 5").click();
  assert.deepEqual(await shown(), before);
  // Who comes back without a link finds the branch as it was left.
  await page.getByRole("link", { name: "Streams" }).click();
  await page.getByRole("link", { name: "What if" }).click();
  await pairs().first().waitFor();
  assert.deepEqual(await shown(), before);

  await openBranch([{ drop: 99 }]);
  await page.getByText("expected a version from 1 to 8, found 99", { exact: false }).waitFor();
  await page.goto(`${url}#/what-if/BankAccount/nowhere`);
  await page.getByText("Bank account nowhere is not here.", { exact: false }).waitFor();
});

test("the page's own history is what it was", async () => {
  await page.goto(`${url}#/streams/BankAccount/${ada}/8`);
  await page.getByText("Version 8 of 8", { exact: true }).waitFor();
  assert.equal(await page.locator('tr[data-path="/balance"]').getAttribute("data-value"), "384620");
});

/** Runs an exported file of Rust tests as a crate's, which depends on the core alone. */
function runRust(tests) {
  const folder = mkdtempSync(join(tmpdir(), "rewound-what-if-"));
  try {
    mkdirSync(join(folder, "src"));
    mkdirSync(join(folder, "tests"));
    writeFileSync(join(folder, "src/lib.rs"), "");
    writeFileSync(join(folder, "tests/branch.rs"), tests);
    writeFileSync(
      join(folder, "Cargo.toml"),
      `[package]\nname = "branch"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n` +
        `rewound-core = { path = ${JSON.stringify(join(root, "core"))} }\n\n[workspace]\n`,
    );
    // The versions that were tried, and no network.
    writeFileSync(join(folder, "Cargo.lock"), readFileSync(join(root, "Cargo.lock")));
    const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
    const command = "test --quiet --offline --test branch".split(" ");
    const env = { ...process.env, CARGO_TARGET_DIR: target };
    return execFileSync("cargo", command, { cwd: folder, encoding: "utf8", env, stdio: "pipe" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs an exported file of JavaScript tests beside the npm package. */
function runJavaScript(tests) {
  const folder = mkdtempSync(join(tmpdir(), "rewound-what-if-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(join(root, "pkg"), join(folder, "node_modules/rewound"));
    writeFileSync(join(folder, "branch.test.mjs"), tests);
    const env = { ...process.env };
    // Inside a run of tests node would report to that one.
    delete env.NODE_TEST_CONTEXT;
    const options = { cwd: folder, encoding: "utf8", env, stdio: "pipe" };
    return execFileSync(
      process.execPath,
      ["--test", "--test-reporter=tap", "branch.test.mjs"],
      options,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What goes wrong in a run of tests, as text. */
function failing(run, tests) {
  try {
    run(tests);
  } catch (error) {
    return `${error.stdout}\n${error.stderr}`;
  }
  assert.fail("the tests ran, and nothing was wrong");
}

test(
  "an exported branch runs as tests of Rust and of JavaScript, and can fail",
  { timeout: 400_000 },
  async () => {
    assert.ok(
      existsSync(join(root, "pkg/dist/node.js")),
      "no npm package: run `cargo xtask pkg` first",
    );
    // A rejection, an edited event, one that is decided otherwise, one that does not reduce.
    const close = { reason: "moved", closedBy: "ada" };
    const edits = [
      { drop: 2 },
      {
        insert: "MoneyDeposited",
        after: 5,
        fields: { amount: 7, transactionReference: 'it\'s "odd" \\', description: "d" },
      },
      { insert: "AccountClosed", after: 6, fields: close },
      { insert: "MoneyDeposited", after: 8, fields: { amount: "much" } },
    ];
    await openBranch(edits);
    const last = (await shown()).at(-1);
    assert.deepEqual(last.marks, ["inserted", "does not reduce"]);
    await page
      .getByRole("region", { name: "The tests" })
      .getByText("insufficient-funds")
      .first()
      .waitFor();
    const rust = await exported();
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Copy" }).click();
    await page.getByText("Copied.").waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), rust);
    const ran = runRust(rust);
    const tests = [...rust.matchAll(/^#\[test\]$/gm)].length;
    assert.equal(tests, 10, "nine events behind the drop, and the state");
    assert.match(ran, new RegExp(`test result: ok. ${tests} passed`));
    const broken = rust.replace('rule.code, "insufficient-funds"', 'rule.code, "no-such-rule"');
    assert.notEqual(broken, rust);
    assert.match(failing(runRust, broken), /left: "insufficient-funds"/);

    await page.getByRole("radio", { name: "JavaScript" }).check({ force: true });
    const javascript = await exported();
    assert.match(runJavaScript(javascript), new RegExp(`# pass ${tests}\n# fail 0`));
    const wrong = javascript.replace("code: 'insufficient-funds'", "code: 'no-such-rule'");
    assert.notEqual(wrong, javascript);
    assert.match(failing(runJavaScript, wrong), /no-such-rule/);
  },
);

test(
  "a log of nobody's domain branches too, and of a long one only a window is drawn",
  { timeout: 120_000 },
  async () => {
    const ulid = (number) => `015DNX0QK2${String(number).padStart(16, "0")}`;
    const line = (id, version) =>
      JSON.stringify({
        eventId: ulid(version),
        eventName: `Step ${version % 5}`,
        aggregateName: "Errand",
        aggregateId: id,
        aggregateVersion: version,
        actorId: "anna",
        weight: version,
      });
    const lines = (id, count) => Array.from({ length: count }, (_, index) => line(id, index + 1));
    await page.locator("input[type=file]").setInputFiles({
      name: "errands.ndjson",
      mimeType: "",
      buffer: Buffer.from([...lines("short", 4), ...lines("long", 8000)].join("\n")),
    });
    const option = page.locator(".what-if option", { hasText: "8,000 events" });
    await option.waitFor({ state: "attached" });
    await openBranch([{ drop: 2 }], "short", "Errand");
    await button("Move up version 3, Step 4").click();
    assert.deepEqual(
      (await shown()).map((row) => row.event),
      ["Step 1", null, "Step 4", "Step 3", null],
    );
    await seek(5);
    assert.deepEqual((await states())["/weight"], ["4", "3"]);
    await page.getByRole("radio", { name: "JavaScript" }).check({ force: true });
    assert.match(runJavaScript(await exported()), /# fail 0/);
    await page.getByRole("radio", { name: "Rust" }).check({ force: true });
    assert.match(runRust(await exported()), /test result: ok/);

    await openBranch([{ drop: 4000 }], "long", "Errand");
    assert.equal(await pairs().count(), 40, "only a window of the rows is there");
    await button("↑ 7,960 rows before").waitFor();
    await seek(4001);
    assert.deepEqual((await shown()).find((row) => row.original === "4,001").branch, "4,000");
    await page.getByText("From here on they differ").waitFor();
  },
);

test("an import leaves the branch at hand, and what is half typed, as they are", async () => {
  const page = await open();
  await page.getByRole("link", { name: "What if" }).click();
  await page.getByRole("button", { name: "Drop version 3, MoneyWithdrawn" }).click();
  await page.getByRole("button", { name: "Edit version 2, MoneyWithdrawn" }).click();
  const area = page.getByLabel("Payload, as JSON");
  await area.fill('{"amount": 12');
  await page.locator("input[type=file]").setInputFiles({
    name: "post.ndjson",
    mimeType: "",
    buffer: Buffer.from(
      JSON.stringify({
        eventId: "015DNX0QK20000000000000001",
        eventName: "BlogPostCreated",
        aggregateName: "BlogPost",
        aggregateId: "p",
        aggregateVersion: 1,
        actorId: "ada",
        title: "Hello",
      }),
    ),
  });
  await page
    .locator(".what-if option", { hasText: "Blog post: Hello" })
    .waitFor({ state: "attached" });
  assert.equal(await area.inputValue(), '{"amount": 12');
  assert.equal(await page.locator(".what-if .pair").nth(3).getAttribute("data-fate"), "dropped");
  await page.context().close();
});

test("an import that changes the stream at hand is told, and its branch goes on where it can", async () => {
  const events = await history();
  const deposit = {
    ...events.find((event) => event.eventName === "MoneyDeposited"),
    eventId: "01ZZZZZZZZ0000000000000009",
    aggregateVersion: 9,
  };
  const page = await open();
  const give = (events) =>
    page.locator("input[type=file]").setInputFiles({
      name: "ada.ndjson",
      mimeType: "",
      buffer: Buffer.from(events.map((event) => JSON.stringify(event)).join("\n")),
    });
  const says = (text) => page.locator(".what-if .trouble", { hasText: text }).waitFor();
  const rows = page.locator(".what-if .pair");
  const fate = (row) => rows.nth(row).getAttribute("data-fate");
  await page.getByRole("link", { name: "What if" }).click();
  await rows.first().waitFor();
  await page.goto(`${url}#/what-if/BankAccount/${ada}?edits=${encodeURIComponent('[{"drop":8}]')}`);
  await page.getByRole("button", { name: "Restore version 8" }).waitFor();

  // It has grown: what is half typed stays too.
  await page.getByRole("button", { name: "Edit version 2, MoneyDeposited" }).click();
  const area = page.getByLabel("Payload, as JSON");
  await area.fill('{"amount": 12');
  await give([...events, deposit]);
  await says("there were 8, now there are 9. Both sides show those of now.");
  assert.deepEqual(
    [await rows.count(), await fate(7), await fate(8)],
    [9, "dropped", "renumbered"],
  );
  assert.equal(await area.inputValue(), '{"amount": 12');
  await page.getByRole("button", { name: "Cancel" }).click();

  // As many as before, and one of them another.
  await give([...events, { ...deposit, amount: 77 }]);
  await says("there were 9, now there are 9.");
  assert.match(await rows.nth(8).innerText(), /0\.77/);

  // Without the event that was dropped: the branch stays as it is until its edits fit.
  await give(events.slice(0, 5));
  await says("The edits do not fit those of now");
  assert.deepEqual([await rows.count(), await fate(7)], [9, "dropped"]);
  await page.keyboard.press("1");
  await page.getByText(/^Version \d of 5$/).waitFor();
  await page.keyboard.press("4");
  await says("The edits do not fit those of now");
  assert.deepEqual([await rows.count(), await fate(7)], [9, "dropped"]);
  await page.getByRole("button", { name: "Reset" }).click();
  await says("there were 9, now there are 5. Both sides show those of now.");
  assert.equal(await rows.count(), 5);

  // It is told whoever comes back as well.
  await page.keyboard.press("1");
  await give(events);
  await page.getByText(/^Version \d of 8$/).waitFor();
  await page.keyboard.press("4");
  await says("there were 5, now there are 8. Both sides show those of now.");
  await page.context().close();
});

test("the branch of another stream is there for whoever comes back", async () => {
  const page = await open();
  await page.getByRole("link", { name: "What if" }).click();
  await page.getByText("An example to begin with.").waitFor();
  const select = page.locator(".what-if select.stream-choice");
  const adas = await select.inputValue();
  const options = await select.locator("option:not([disabled])").allTextContents();
  const grace = options.find((name) => name.startsWith("Bank account") && name.includes("Grace"));
  await select.selectOption({ label: grace });
  await page.getByRole("button", { name: "Drop version 1, AccountOpened" }).click();
  const fates = () =>
    page
      .locator(".what-if .pair")
      .evaluateAll((all) => all.map((row) => row.dataset.fate).join(" "));
  await page.waitForFunction(() => decodeURIComponent(location.hash).includes('{"drop":1}'));
  const [graces, before] = [await select.inputValue(), await fates()];
  assert.notEqual(graces, adas);
  assert.match(before, /^dropped/);
  await page.keyboard.press("1");
  await page.getByRole("heading", { name: /^State at version/ }).waitFor();
  await page.keyboard.press("4");
  await page.locator(".what-if .pair").first().waitFor();
  assert.deepEqual([await select.inputValue(), await fates()], [graces, before]);
  // Each stream keeps its own branch.
  await select.selectOption(adas);
  await page.getByRole("button", { name: "Drop version 3, MoneyWithdrawn" }).click();
  await select.selectOption(graces);
  await page.locator(".what-if .pair .branch .pick").first().waitFor();
  await page.waitForFunction(() => decodeURIComponent(location.hash).includes('{"drop":1}'));
  assert.equal(await fates(), before);
  await page.context().close();
});

test("the address holds long edits too, and the screen says where it does not", async () => {
  const note = (length) => ({
    insert: "MoneyDeposited",
    after: 8,
    fields: { amount: 7, transactionReference: "r", description: "d".repeat(length) },
  });
  const warning = page.getByText("not in the link", { exact: true });
  await openBranch([note(4_000)]);
  assert.equal(await warning.count(), 0);
  await page.reload();
  await page.getByRole("heading", { name: "Event by event" }).waitFor();
  assert.equal((await shown()).at(-1).fate, "inserted");
  assert.match(page.url(), /d{4000}/);

  await openBranch([note(16_001)]);
  await warning.waitFor();
  await page.getByText("a link holds 16,000", { exact: false }).waitFor();
  assert.doesNotMatch(page.url(), /dddd/);
  await button("Reset").click();
  await warning.waitFor({ state: "detached" });
});

test("a link opened again applies again, whatever was done in between", async () => {
  const link = `${url}#/what-if/BankAccount/${ada}?edits=${encodeURIComponent('[{"drop":3}]')}`;
  await openBranch([{ drop: 3 }]);
  await button("Reset").click();
  await summary().getByText("nothing differs yet").waitFor();
  await page.waitForFunction(() => !decodeURIComponent(location.hash).includes("drop"));
  await page.goto(link);
  await button("Restore version 3").waitFor();
  assert.equal((await shown())[2].fate, "dropped");
});

test("a stream that is not here leaves no other one's branch on the screen", async () => {
  await openBranch([{ drop: 3 }]);
  await page.goto(`${url}#/what-if/Nope/x`);
  await page.getByText("Nope x is not here.", { exact: false }).waitFor();
  await pairs().first().waitFor({ state: "detached" });
  assert.equal(await summary().innerText(), "");
  const select = page.locator(".what-if select.stream-choice");
  const chosen = select.locator("option:checked");
  assert.equal(await chosen.textContent(), "Choose a stream");
  assert.ok(await chosen.isDisabled(), "it is no choice");
  // The first of the list is a choice as every other is.
  await select.selectOption({ index: 1 });
  await pairs().first().waitFor();
  assert.notEqual(await chosen.textContent(), "Choose a stream");
  assert.equal(await page.getByText("is not here.", { exact: false }).isVisible(), false);
});

test("who has everything removed finds no branch of before", async () => {
  await openBranch([{ drop: 3 }]);
  await button("Restore version 3").waitFor();
  await button("Settings").click();
  await page.getByText("Start over…").click();
  await button("Remove everything").click();
  await page.waitForFunction(() => location.hash.startsWith("#/streams/"));
  await page.getByRole("link", { name: "What if" }).click();
  await summary().getByText("An example to begin with.").waitFor();
  assert.equal(await button("Restore version 3").count(), 0);
});

test("nothing went wrong on the way", () => {
  assert.deepEqual(complaints, []);
});
