// The palette, the keys, and the price of a command: `node --test web/tests/keys.test.mjs`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { on, start } from "./browser.mjs";

const { complaints, open } = await start();
const palette = (page) => page.getByRole("combobox", { name: "Do or go to" });
const focused = (page) => page.evaluate(() => document.activeElement.className);

test("single keys do what the list of keys says", async () => {
  const page = await open();
  const { isAt } = on(page);
  const press = (key) => page.keyboard.press(key);
  // Told long before the key is on its way.
  const chooser = new Promise((done) => page.on("filechooser", done));
  await press("j");
  await isAt(7, 8);
  await press("l");
  await isAt(8, 8);
  await press("0");
  await isAt(0, 8);
  await press("e");
  await isAt(8, 8);
  await press("k");
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await press("k");
  await page.getByRole("button", { name: "Play" }).waitFor();
  await press("e");
  await press("c");
  await page.getByRole("heading", { name: "Send a command" }).waitFor();
  await page.getByLabel("Amount").fill("5");
  await page.getByRole("radio", { name: "Deposit", exact: true }).focus();
  await press("c");
  assert.equal(await page.getByLabel("Amount").inputValue(), "5", "what was typed stays");
  await page.getByRole("button", { name: "Close the form" }).click();
  await press("d");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await press("i");
  await chooser;
  await press("s");
  await page.getByRole("heading", { name: "Share or export" }).waitFor();
  await press("Escape");
  for (const [key, name] of [
    "Conflicts",
    "Projections",
    "What if",
    "Evolution",
    "Live",
  ].entries()) {
    await press(`${key + 2}`);
    const link = page.getByRole("link", { name, exact: true });
    await page.getByRole("heading", { name, exact: true }).first().waitFor();
    assert.equal(await link.getAttribute("aria-current"), "page");
  }
  // Keys of the streams do nothing where they are not in sight.
  await press("c");
  await press("1");
  await isAt(8, 8);
  assert.equal(await page.getByRole("heading", { name: "Send a command" }).count(), 0);
  await press("/");
  assert.equal(await focused(page), "filter");
  await page.context().close();
});

test("whoever writes means letters, and whoever wants none of it switches it off", async () => {
  const page = await open();
  const { isAt, rows } = on(page);
  await page.getByLabel("Filter the streams").focus();
  await page.keyboard.type("jack");
  assert.equal(await page.getByLabel("Filter the streams").inputValue(), "jack");
  await isAt(8, 8);
  await page.getByLabel("Filter the streams").fill("");

  await rows("streams").first().click();
  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keys" }).waitFor();
  const listed = await page.locator(".choice-row .key").allInnerTexts();
  assert.deepEqual(listed, [..."kjl0e/c123456isd?"]);
  await page.getByLabel(/Keys work by themselves/).uncheck();
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.waitForTimeout(200);
  await isAt(8, 8);
  await page.keyboard.press("?");
  assert.equal(await page.getByRole("heading", { name: "Keys" }).count(), 0);
  await page.reload();
  await isAt(8, 8);
  await page.keyboard.press("j");
  await page.waitForTimeout(200);
  await isAt(8, 8);
  await page.keyboard.press("Control+k");
  await palette(page).fill("keys");
  await page.keyboard.press("Enter");
  await page.getByLabel(/Keys work by themselves/).check();
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await isAt(7, 8);
  await page.context().close();
});

test("the palette finds streams, versions, screens and actions with the keyboard alone", async () => {
  const page = await open();
  const { isAt, rows } = on(page);
  await page.locator("#streams").focus();
  const find = async (words) => {
    await page.keyboard.press("Control+k");
    await page.keyboard.type(words);
  };
  await find("5");
  await page.getByRole("option", { name: "Go to version 5" }).waitFor();
  await page.keyboard.press("Enter");
  await isAt(5, 8);
  assert.equal(await focused(page), "list", "the focus is back where it was");

  await find("hopper");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Grace Hopper" }).waitFor();

  await find("c");
  const choices = page.getByRole("listbox", { name: "What was found" }).getByRole("option");
  const names = await choices.allInnerTexts();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  assert.equal(await choices.nth(1).getAttribute("aria-selected"), "true");
  assert.ok(names.some((name) => name.startsWith("Conflicts")));
  await page.keyboard.press("Escape");

  await find("nobody is called that");
  await page.getByText("Nothing is called that.").waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");

  // A version leads where it can be seen, and a box is closed by a press beside it alone.
  await page.keyboard.press("3");
  await find("2");
  await page.keyboard.press("Enter");
  await isAt(2, 2);
  await page.keyboard.press("s");
  const box = await page.getByRole("dialog").boundingBox();
  await page.mouse.click(box.x + 5, box.y + 5);
  await page.getByLabel("Link to this scene").waitFor();
  await page.mouse.click(box.x - 20, box.y + 5);
  await page.getByRole("dialog").waitFor({ state: "hidden" });

  // From a screen of the lab a stream opens where it can be seen.
  await find("projections");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Projections", exact: true }).waitFor();
  await find("lovelace");
  await page.keyboard.press("Enter");
  await isAt(8, 8);
  assert.equal(await rows("streams").count(), 5);
  await page.context().close();
});

test("a command says what it costs on DynamoDB, with the very bytes, and what the peer would have cost", async () => {
  const page = await open({ permissions: ["clipboard-read", "clipboard-write"] });
  const { openForm, choose } = on(page);
  await openForm();
  await page.getByText("What it costs on DynamoDB").click();
  await page.getByText("Fill in the form to see it.").waitFor();
  await choose("Deposit");
  await page.getByLabel("Amount").fill("2500");
  await page.getByLabel("Transaction reference").fill("inv-42");
  const price = page.locator(".price");
  await price.getByRole("cell", { name: "$3.125" }).waitFor();
  const table = await price
    .locator("tbody tr")
    .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.innerText)));
  assert.deepEqual(table, [
    ["State remembered", "1", "0", "5", "$3.125"],
    ["State read first", "2", "1", "5", "$3.250"],
    ["The peer library", "2", "0.5", "5", "$3.188"],
  ]);
  const buttons = price.getByRole("button", { name: "Copy the exact bytes" });
  assert.equal(await buttons.count(), 2);
  await buttons.last().click();
  await price.getByText("Copied.").waitFor();
  const body = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  const [{ Update: row }, { Put: event }] = body.TransactItems;
  assert.equal(body.TransactItems.length, 2);
  assert.match(row.ConditionExpression, /^attribute_exists\(#\w+\) AND #\w+ = :\w+$/);
  assert.ok(Object.values(row.ExpressionAttributeValues).some(({ N }) => N === "387120"));
  assert.equal(event.Item.aggregateVersion.N, "9");
  assert.equal(event.Item.amount.N, "2500");
  assert.match(body.ClientRequestToken, /^[0-9a-f]{36}$/);

  // It follows the form: a new aggregate is one request in either case, a refused command has no price.
  await choose("Withdraw");
  await page.getByLabel("Amount").fill("99999999");
  await page.getByLabel("Transaction reference").fill("yacht");
  await price.getByText(/It would not be written: .*balance/i).waitFor();
  await page.getByLabel("To", { exact: true }).selectOption("BlogPost");
  await page.getByLabel("Title", { exact: true }).fill("Hello");
  await price.getByRole("cell", { name: "$3.125" }).first().waitFor();
  assert.deepEqual(await price.locator("tbody tr td:nth-child(2)").allInnerTexts(), [
    "1",
    "1",
    "1",
  ]);

  // Closed and opened again, it is there anew.
  await page.getByRole("button", { name: "Close the form" }).click();
  await openForm();
  await page.getByText("What it costs on DynamoDB").click();
  await page.getByText("Fill in the form to see it.").waitFor();
  await page.context().close();
});

test("nothing went wrong on the way", () => assert.deepEqual(complaints, []));
