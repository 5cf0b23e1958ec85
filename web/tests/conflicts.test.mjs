// The screen Conflicts: `node --test web/tests/conflicts.test.mjs`. It needs cargo and the package in `pkg/dist`, on
// which the tests are run that the screen writes.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { root, start } from "./browser.mjs";

const { complaints, open, url } = await start();
const folder = mkdtempSync(join(tmpdir(), "rewound-conflicts-"));
after(() => rmSync(folder, { recursive: true }));
const page = await open();

/** Opens the screen at a place of its own. */
async function visit(query = "", on = page) {
  await on.goto("about:blank");
  await on.goto(`${url}#/conflicts${query}`);
  await on.getByRole("heading", { name: "Conflicts", exact: true }).waitFor();
}

const button = (name, on = page) => on.getByRole("button", { name, exact: true });
const take = (name) =>
  page.getByRole("group", { name: "Take a step" }).getByRole("button", { name });
const chips = () => page.locator(".strip button");
/** The steps in their order, as they are called: "Ada: load". */
const steps = () => page.locator(".turn .pick b").allInnerTexts();
const outcome = () => page.getByRole("region", { name: "Outcome" });
const said = (text) => outcome().getByText(text).first().waitFor();
const note = () => page.locator(".note").innerText();
const writer = (name) => page.getByRole("group", { name, exact: true });
const wholes = [
  "Ada: load",
  "Bob: load",
  "Ada: decide",
  "Bob: decide",
  "Ada: commit",
  "Bob: commit",
];

test("the first view shows two withdrawals and the conflict, as DynamoDB has it", async () => {
  await visit();
  assert.deepEqual(await steps(), [...wholes, "Bob: decide"]);
  const detail = page.getByRole("region", { name: "Step 6" });
  assert.match(await detail.innerText(), /Expected version\s+1\s+Actual version\s+2/);
  assert.match(await detail.locator(".winners").innerText(), /^2\s*Ada MoneyWithdrawn 60\.00/);
  const [request, answer] = (await detail.locator("pre").allInnerTexts()).map((text) =>
    JSON.parse(text),
  );
  await detail.getByText("DynamoDB_20120810.TransactWriteItems").waitFor();
  const { Update } = request.TransactItems[0];
  assert.equal(Update.ConditionExpression, "attribute_exists(#n0) AND #n1 = :prevVersion");
  assert.deepEqual(Update.ExpressionAttributeValues[":prevVersion"], { N: "1" });
  assert.equal(Update.ReturnValuesOnConditionCheckFailure, "ALL_OLD");
  assert.equal(request.TransactItems[1].Put.Item.eventName.S, "MoneyWithdrawn");
  assert.match(request.ClientRequestToken, /^[0-9a-f]{36}$/);
  await detail.getByText("DynamoDB answers 400").waitFor();
  assert.match(answer.__type, /#TransactionCanceledException$/);
  const [row, event] = answer.CancellationReasons;
  assert.deepEqual([row.Code, event.Code], ["ConditionalCheckFailed", "None"]);
  // The winner's row came back: 100.00 less 60.00.
  assert.deepEqual([row.Item.version.N, row.Item.balance.N], ["2", String(10_000 - 6_000)]);
  await said("insufficient funds");
  await said("version 2");
  await said("balance 40.00");
  await said("everything holds");
});

test("steps are taken by hand with the keyboard alone, back and again, and each place has a link", async () => {
  await visit();
  await button("To the start").focus();
  await page.keyboard.press("Enter");
  assert.deepEqual(await steps(), []);
  await page.getByText("Take a step with one of the buttons").waitFor();
  for (const [index, name] of [...wholes, "Bob: decide"].entries()) {
    await take(name).focus();
    await page.keyboard.press("Enter");
    assert.deepEqual(await steps(), [...wholes, "Bob: decide"].slice(0, index + 1));
    const who = name.split(":")[0];
    assert.match(
      await page.evaluate(() => document.activeElement.innerText),
      new RegExp(`^${who}: `),
    );
  }
  await take("Ada: done").waitFor();
  await take("Bob: done").waitFor();
  // One who is done takes no step.
  await take("Ada: done").press("Enter");
  assert.equal((await steps()).length, 7);
  await button("One step back").press("Enter");
  await button("One step back").press("Enter");
  await take("Bob: commit").waitFor();
  assert.equal(await outcome().getByText("on its way").count(), 1);

  // The address is all that there is to it.
  const address = page.url();
  assert.match(address, /order=01010$/);
  const other = await open();
  await other.goto("about:blank");
  await other.goto(address);
  await other.getByRole("button", { name: "Bob: commit" }).first().waitFor();
  assert.deepEqual(await other.locator(".turn .pick b").allInnerTexts(), wholes.slice(0, 5));
  await other.close();
});

test("it plays by itself, and pauses", async () => {
  await visit();
  await button("Play").click();
  await page.locator("#step-1").waitFor();
  await button("Pause").click();
  const count = (await steps()).length;
  assert.ok(count >= 2 && count < 7, `${count}`);
  await button("Play").click();
  await take("Bob: done").waitFor();
  await button("Play").waitFor();
  assert.deepEqual(await steps(), [...wholes, "Bob: decide"]);
});

test("steps are put in another order with keys, with buttons and by dragging, and what changes is told", async () => {
  await visit();
  // Bob's commit before Ada's: Bob wins, and Ada has more to do.
  await chips().nth(5).focus();
  await page.keyboard.press("Alt+ArrowLeft");
  assert.deepEqual((await steps()).slice(4), ["Bob: commit", "Ada: commit", "Ada: decide"]);
  assert.match(
    await note(),
    /Bob is done earlier now, and 1 step fell away; Ada has more to do now, and 1 step/,
  );
  assert.equal(
    await page.evaluate(() => document.activeElement.id),
    "order-4",
    "the focus goes along",
  );
  // Without Alt the arrows only walk.
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.evaluate(() => document.activeElement.id), "order-3");
  assert.deepEqual((await steps()).slice(4), ["Bob: commit", "Ada: commit", "Ada: decide"]);

  // Back again with the button.
  await chips().nth(4).click();
  await button("Later").click();
  assert.deepEqual((await steps()).slice(4), ["Ada: commit", "Bob: commit", "Bob: decide"]);
  // The steps of one writer have an order of their own.
  await chips().nth(6).click();
  await button("Earlier").click();
  assert.match(await note(), /Bob's own steps keep their order/);

  // All of Ada's steps before Bob's: he reads what she wrote, and meets no conflict.
  await chips().nth(4).dragTo(chips().nth(1));
  await chips().nth(3).dragTo(chips().nth(1));
  assert.deepEqual(await steps(), [
    "Ada: load",
    "Ada: decide",
    "Ada: commit",
    "Bob: load",
    "Bob: decide",
  ]);
  assert.match(await note(), /Bob is done earlier now/);
  assert.equal(await page.locator(".reply.bad").count(), 0);
  await said("insufficient funds");
});

test("versions can be pinned, retries forbidden, clocks set wrong", async () => {
  await visit("?example=both-fit");
  await said("balance 65.00");
  await writer("Bob").getByLabel("Pinned version").fill("1");
  await writer("Bob").getByLabel("Pinned version").press("Enter");
  await said("wrong version");
  await said(/version 1 was expected, and it is at version 2/);
  await writer("Bob").getByLabel("Pinned version").fill("");
  await writer("Bob").getByLabel("Pinned version").press("Enter");
  await said("balance 65.00");
  await writer("Bob").getByLabel("Retries").selectOption("0");
  await said("gave up");
  await said(/\(1 commit tried\)/);
  await writer("Bob").getByLabel("Retries").selectOption("1");
  await said("balance 65.00");
  await writer("Bob").getByLabel("Clock").selectOption("1 hour ahead");
  await page.getByText("refused: the clock is too far off").waitFor();
  await said("everything holds");
  // Another amount is another end.
  await writer("Ada").getByLabel("Amount").fill("20000");
  await writer("Ada").getByLabel("Amount").press("Enter");
  await said("insufficient funds");
  await said("balance 125.00");
  // What is no amount is said at its field, and is no event.
  await writer("Ada").getByLabel("Amount").fill("much");
  await writer("Ada").getByLabel("Amount").press("Enter");
  await writer("Ada")
    .getByText(/expected .*integer/i)
    .waitFor();
  assert.equal(await writer("Ada").getByLabel("Amount").getAttribute("aria-invalid"), "true");
  await said("balance 125.00");
  // All of that is in the link.
  await page.reload();
  await said("balance 125.00");
  assert.equal(await writer("Bob").getByLabel("Retries").inputValue(), "1");
});

test("an answer that is lost does no harm with a key, and does without", async () => {
  await visit("?example=both-fit");
  await writer("Bob").getByLabel("Lost answer").selectOption("the run's, to its sender");
  await said(/Bob meant one Deposit, and it took effect 2 times/);
  await said("balance 90.00"); // 100.00 − 60.00 + 2 × 25.00
  await writer("Bob").getByLabel("Idempotency key").fill("k1");
  await writer("Bob").getByLabel("Idempotency key").press("Enter");
  await said("repeated");
  await said("balance 65.00");
  await said("everything holds");
  await writer("Bob").getByLabel("Idempotency key").fill("");
  await writer("Bob").getByLabel("Idempotency key").press("Enter");
  await writer("Bob").getByLabel("Lost answer").selectOption("the store's, to the run");
  await said("balance 65.00");
  assert.ok((await steps()).includes("Bob: read events"), "the run asks who won");
  await said("everything holds");
});

/** Every order of a race on one account, tried here: how often it ends how. */
function enumerate(balance, writers) {
  const ends = new Map();
  const decide = (writer, world) =>
    writer.amount + world.balance < 0
      ? { ...writer, word: "insufficient funds" }
      : { ...writer, seen: world.version };
  const play = (world, all) => {
    const left = all.flatMap((writer, index) => (writer.word ? [] : [index]));
    if (left.length === 0) {
      const end = all.map(({ word }) => word).join(" ");
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    for (const index of left) {
      const writer = all[index];
      let [next, after] = [world, writer];
      if (writer.seen === undefined) after = decide(writer, world);
      else if (writer.seen === world.version) {
        next = { version: world.version + 1, balance: world.balance + writer.amount };
        after = { ...writer, word: "committed" };
      } else if (writer.retries === 0) after = { ...writer, word: "gave up" };
      else after = decide({ ...writer, retries: writer.retries - 1 }, world);
      play(next, all.with(index, after));
    }
  };
  play({ version: 1, balance }, writers);
  return ends;
}

async function outcomes() {
  const rows = page.getByRole("table", { name: "Outcomes" }).locator("tbody tr");
  const cells = await rows.evaluateAll((all) =>
    all.map((row) => [...row.cells].map((cell) => cell.innerText.trim())),
  );
  const count = (text) => Number(text.replaceAll(",", ""));
  return cells.map((cells) => ({
    end: cells
      .slice(0, -4)
      .map((text) => text.replaceAll(/\s+/g, " "))
      .join(" "),
    count: count(cells.at(-4)),
    violations: cells.at(-2),
  }));
}

test("every order is tried, counted, and opened at its shortest", async () => {
  for (const [example, roles] of [
    ["overdraft", [-6000, -6000].map((amount) => ({ amount, retries: 3 }))],
    ["four", [-6000, -6000, 1000, 500].map((amount) => ({ amount, retries: 1 }))],
  ]) {
    await visit(`?example=${example}`);
    await button("Explore all").click();
    const expected = enumerate(10_000, roles);
    const all = [...expected.values()].reduce((sum, count) => sum + count, 0);
    await page
      .getByText(`All ${all.toLocaleString("en")} orders were tried`)
      .waitFor({ timeout: 60_000 });
    const found = await outcomes();
    const clean = (end) => end.replaceAll(/[✓✕!] ?/g, "").trim();
    assert.deepEqual(
      new Map(found.map(({ end, count }) => [clean(end), count])).size,
      expected.size,
    );
    for (const { end, count, violations } of found) {
      assert.equal(count, expected.get(clean(end)), end);
      assert.equal(violations, "nothing");
    }
  }
  // Somebody gives up: the order that shows it.
  const table = page.getByRole("table", { name: "Outcomes" });
  const row = table.getByRole("row").filter({ hasText: "gave up" }).first();
  const requests = Number((await row.getByRole("button").innerText()).match(/\d+/)[0]);
  await row.getByRole("button").click();
  await said("gave up");
  assert.equal(await page.locator(".act.request").count(), requests);
});

test("without optimistic locking, an update is lost and shown", async () => {
  await visit();
  await page.getByLabel("The store has optimistic locking").uncheck();
  await said("this does not hold");
  await said("the row of account-1 says balance 4000, its events make -2000");
  await visit("?example=lost-update&order=000");
  await button("Explore all").click();
  await page.getByText("All 6 orders were tried").waitFor();
  const lost = page
    .getByRole("row")
    .filter({ hasText: "says balance 4000, its events make -2000" });
  assert.equal(await lost.count(), 2, "whoever comes first");
  await lost.first().getByRole("button").click();
  await said("the row of account-1 says balance 4000");
  assert.equal(await page.locator(".reply.good").count(), 2, "both were told that it is done");
});

test("exploring can be cancelled, and says that it was", async () => {
  await visit("?example=four");
  for (const name of ["Ada", "Bob", "Cyd", "Dan"])
    await writer(name).getByLabel("Retries").selectOption("3");
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: 6 });
  try {
    await button("Explore all").click();
    await page.getByRole("progressbar").waitFor();
    await button("Cancel").click();
    await page.getByText("You cancelled it").waitFor();
  } finally {
    await session.send("Emulation.setCPUThrottlingRate", { rate: 1 });
  }
  await page.getByText(/orders were tried to their end/).waitFor();
  await button("Explore all").click();
  await page.getByText(/All [\d,]+ orders were tried/).waitFor({ timeout: 60_000 });
});

test("where a cap was met, it is said plainly", async () => {
  await visit("?example=four");
  for (const name of ["Ada", "Bob", "Cyd", "Dan"]) {
    await writer(name).getByLabel("Retries").selectOption("3");
    await writer(name).getByLabel("Lost answer").selectOption("the store's, to the run");
  }
  await page.getByLabel("At the most").selectOption("2,000 states");
  await button("Explore all").click();
  await page.getByText("The cap of 2,000 states was met").waitFor({ timeout: 120_000 });
  await page.getByText(/they lead through 2,000 different states/).waitFor();
  await page.getByText(/orders were tried to their end/).waitFor();
});

test("a race starts from a stream of the page, and takes up to four", async () => {
  await visit();
  const streams = page.getByLabel("Start", { exact: true });
  const grace = await streams.locator("option", { hasText: "Grace Hopper" }).first().innerText();
  await streams.selectOption(grace);
  const version = Number(grace.match(/version (\d+)/)[1]);
  await said(new RegExp(`version ${version + 1}`));
  await page
    .getByText(`Writes version ${version + 1}, if the row is still at ${version}`)
    .first()
    .waitFor();
  await button("Add a writer").click();
  await button("Add a writer").click();
  assert.equal(await button("Add a writer").count(), 0);
  await page.locator("#writer-3-name:focus").waitFor();
  assert.deepEqual(await page.locator(".head b").allInnerTexts(), [
    "Ada",
    "Bob",
    "Cyd",
    "Dan",
    "Store",
  ]);
  await button("Remove writer 2").click();
  await take("Cyd: done").waitFor();
  assert.equal(await take(/Bob/).count(), 0);
});

const linked = (writers) => encodeURIComponent(JSON.stringify(writers));
const heads = () => page.locator(".head b").allInnerTexts();

test("writers of one name are told apart, so that nobody is said to have done what another did", async () => {
  const command = { type: "Deposit", amount: 1, transactionReference: "r" };
  const ada = { name: "Ada", command };
  await visit(`?example=overdraft&writers=${linked([ada, ada, { ...ada, name: "Bob" }])}&order=`);
  assert.deepEqual(await heads(), ["Ada", "Cyd", "Bob", "Store"], "each has a name");
  await button("To the end").click();
  await said("everything holds");
});

test("a start that is not on the page is said to be missing, and has no verdict", async () => {
  await visit("?start=BankAccount/NOPE&order=01");
  await page.getByRole("alert").getByText("There is no bank account NOPE on this page.").waitFor();
  assert.equal(await outcome().count(), 0);
  assert.equal(await button("Explore all").count(), 0);
  assert.match(page.url(), /order=01/, "the link stays as it was");
  await page.getByLabel("Start", { exact: true }).selectOption("The example's own");
  await said("everything holds");
  assert.equal(await page.getByText("There is no bank account").count(), 0);
});

test("what is refused is not left in its field, and why is said", async () => {
  await visit();
  const bob = writer("Bob");
  for (const [wrong, why] of [
    ["Ada", "Another writer is called Ada: this one is Bob as before."],
    ["", "A writer has a name: it is Bob as before."],
  ]) {
    await bob.getByLabel("Name").fill(wrong);
    await bob.getByLabel("Name").press("Tab");
    await bob.getByText(why).waitFor();
    assert.equal(await bob.getByLabel("Name").inputValue(), "Bob");
  }
  const version = bob.getByLabel("Pinned version");
  await version.fill("1");
  await version.press("Tab");
  for (const wrong of ["99999999999999999999999", "9007199254740992", "one"]) {
    await version.fill(wrong);
    await version.press("Tab");
    await bob.getByText(`"${wrong}" is no version`).waitFor();
    assert.equal(await version.inputValue(), "1", "it is pinned as before");
  }
  await version.fill("2");
  await version.press("Tab");
  await bob.getByText("is no version").waitFor({ state: "detached" });
  assert.equal(await version.inputValue(), "2");
});

test("one order is one order", async () => {
  const wrong = { type: "Deposit", amount: -1, transactionReference: "r" };
  const writers = ["Ada", "Bob"].map((name) => ({ name, command: wrong }));
  await visit(`?writers=${linked(writers)}`);
  await button("Explore all").click();
  await page.getByText(/^The only order was tried: it leads through /).waitFor();
  await page.getByText(/no order came to a state/).waitFor();
});

test("the screens' styles reach no other screen", () => {
  for (const screen of ["conflicts", "projections", "live"]) {
    const styles = readFileSync(join(root, `web/styles/${screen}.css`), "utf8");
    const rules = styles.replace(/\/\*[^]*?\*\//g, "").matchAll(/(?:^|[{}])\s*([^{}@;]+?)\s*\{/g);
    const selectors = [...rules].flatMap(([, selector]) => selector.split(/,(?![^(]*\))/));
    assert.ok(selectors.length > 20);
    for (const selector of selectors) {
      assert.ok(selector.trim().startsWith(`.${screen} `), `${screen}: ${selector.trim()}`);
    }
  }
});

const rustc = (source, out) => {
  const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
  const build = "build --quiet --locked --package rewound-core".split(" ");
  execFileSync("cargo", build, { cwd: root });
  const library = `rewound_core=${join(target, "debug/librewound_core.rlib")}`;
  const needs = `dependency=${join(target, "debug/deps")}`;
  const options = ["--test", "--edition=2024", "--extern", library, "-L", needs, "-o", out, source];
  execFileSync("rustc", options, { cwd: root });
};

const node = (file) => {
  // What runs this must not think that it runs that as well.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return execFileSync("node", ["--test", "--test-reporter=tap", file], {
    cwd: folder,
    env,
    encoding: "utf8",
    stdio: "pipe",
  });
};

async function downloaded(name) {
  const waiting = page.waitForEvent("download");
  await page.getByRole("link", { name: `Download ${name}` }).click();
  return readFileSync(await (await waiting).path(), "utf8");
}

test("the order is written as tests in Rust and JavaScript, which run as they are", async () => {
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join(root, "pkg"), join(folder, "node_modules/rewound"));
  const races = ["overdraft", "four", "pinned", "lost-answer", "lost-update"];
  // One that gives up after its answer was lost and its clock set right.
  const deposit = { type: "Deposit", amount: 1, transactionReference: "r" };
  const writers = [
    { name: "Ada", command: deposit, skew: 3_600_000, idempotencyKey: "k", loss: "answer" },
    { name: "Bob", command: deposit, retries: 0, loss: "sender" },
  ];
  races.push(`overdraft&writers=${encodeURIComponent(JSON.stringify(writers))}`);
  for (const [index, example] of races.entries()) {
    await visit(`?example=${example}`);
    await button("JavaScript test").click();
    const text = await page.getByRole("region", { name: "The JavaScript test" }).innerText();
    const source = await downloaded("race.test.mjs");
    assert.equal(source.trim(), text.trim());
    const file = join(folder, `race-${index}.test.mjs`);
    writeFileSync(file, source);
    assert.match(node(file), /# pass 1\n# fail 0/);
  }
  // They would notice another end.
  const changed = readFileSync(join(folder, "race-0.test.mjs"), "utf8");
  assert.ok(changed.includes('"insufficient-funds"'));
  writeFileSync(
    join(folder, "changed.test.mjs"),
    changed.replace('"insufficient-funds"', '"committed"'),
  );
  assert.throws(() => node(join(folder, "changed.test.mjs")));

  await visit("?example=lost-answer");
  await button("Rust test").click();
  await button("Copy").waitFor();
  const rust = await downloaded("race.rs");
  const [source, binary] = [join(folder, "race.rs"), join(folder, "race")];
  writeFileSync(source, rust);
  rustc(source, binary);
  assert.match(execFileSync(binary, { encoding: "utf8" }), /1 passed; 0 failed/);
  assert.ok(rust.includes('["uncertain", "committed"]'));
  writeFileSync(source, rust.replace('["uncertain", "committed"]', '["committed"]'));
  rustc(source, binary);
  assert.throws(() => execFileSync(binary, { stdio: "pipe" }));
});

test("it fits a narrow window, and a link that is wrong shows an example", async () => {
  for (const width of [390, 320]) {
    const narrow = await open({ viewport: { width, height: 800 } });
    for (const example of ["overdraft", "four", "lost-update"]) {
      await visit(`?example=${example}`, narrow);
      await button("Explore all", narrow).click();
      await narrow.getByText(/orders were tried/).waitFor({ timeout: 60_000 });
      const wide = await narrow.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${example} at ${width}: ${wide} too wide`);
    }
    await narrow.close();
  }
  await visit("?example=none&writers=%5B1%5D&order=99x&start=Bird/1&locking=perhaps");
  assert.deepEqual(await steps(), []);
  await take("Ada: load").waitFor();
});

test("nothing was complained about", () => assert.deepEqual(complaints, []));
