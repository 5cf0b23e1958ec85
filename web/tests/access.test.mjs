// The page for those who use no mouse, or do not see it: `node --test web/tests/access.test.mjs`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { LAB, on, permits, start } from "./browser.mjs";

const { complaints, open } = await start();

// IBM's checker of WCAG 2.2, contrast included.
const checker = createRequire(import.meta.url).resolve("accessibility-checker-engine/ace.js");

/** What breaks a rule for sure, as the checker sees the page. */
async function violations(page) {
  if (!(await page.evaluate(() => "ace" in window))) {
    await page.addScriptTag({ content: readFileSync(checker, "utf8") });
  }
  const results = await page.evaluate(async () => {
    const report = await new ace.Checker().check(document, ["WCAG_2_2"]);
    return report.results.map(({ ruleId, value, message, snippet }) => ({
      ruleId,
      value: value.join(" "),
      message,
      snippet,
    }));
  });
  assert.ok(results.length > 100, "the checker looked at the page");
  const broken = results.filter(({ value }) => value === "VIOLATION FAIL");
  return broken.map(({ ruleId, message, snippet }) => `${ruleId}: ${message} ${snippet}`);
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    test(`no rule of WCAG 2.2 is broken, ${colorScheme}, ${width} wide`, async () => {
      const page = await open({ colorScheme, viewport: { width, height: 800 } });
      const { scrubber, openForm, choose, send, importFile, message } = on(page);
      assert.deepEqual(await violations(page), [], "first load");

      await scrubber().press("ArrowLeft");
      await page.getByRole("button", { name: "balance", exact: true }).click();
      await openForm();
      await choose("Withdraw");
      await page.getByLabel("Amount").fill("99999999");
      await page.getByLabel("Transaction reference").fill("yacht");
      await send();
      await page.getByRole("alert").filter({ hasText: "insufficient-funds" }).waitFor();
      assert.deepEqual(await violations(page), [], "a cause, a rejection");

      await page.getByLabel("To", { exact: true }).selectOption("Order");
      await send();
      assert.deepEqual(await violations(page), [], "an invalid form");
      await page.getByRole("button", { name: "Close the form" }).click();

      const line = '{"eventId":"no"}\n'.repeat(3);
      await importFile({ name: "bad.ndjson", mimeType: "", buffer: Buffer.from(line) });
      await message().getByText("3 problems found").waitFor();
      await page.getByRole("button", { name: "Settings" }).click();
      await page.getByText("Start over…").click();
      assert.deepEqual(await violations(page), [], "problems, the menu");
      await page.context().close();
    });
  }
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 390, 320]) {
    test(`no screen of the lab and no box breaks a rule, ${colorScheme}, ${width} wide`, async () => {
      const page = await open({ colorScheme, viewport: { width, height: 800 } });
      for (const key of ["?", "s", "Control+k"]) {
        await page.keyboard.press(key);
        await page.getByRole("dialog").waitFor();
        assert.deepEqual(await violations(page), [], `the box of ${key}`);
        await page.keyboard.press("Escape");
      }
      for (const { title, heading } of LAB) {
        await page.getByRole("link", { name: title, exact: true }).click();
        await page.getByRole("heading", { name: heading }).first().waitFor();
        assert.deepEqual(await violations(page), [], title);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `${title} is ${wide} wide`);
      }
      await page.context().close();
    });
  }
}

test("the checker finds what is wrong", async () => {
  const page = await open();
  await page.evaluate(() => {
    document.querySelector(".screens a").style.color = "#ccc";
    document.querySelector("#menu").previousElementSibling.removeAttribute("aria-label");
    document.querySelector("#menu").previousElementSibling.removeAttribute("title");
  });
  const found = (await violations(page)).join("\n");
  assert.match(found, /text_contrast_sufficient/);
  assert.match(found, /name_exists|has_name|label/i);
});

test("all of it works with the keyboard alone, and the focus is always seen", async () => {
  const page = await open();
  const { isAt, field, message, rows } = on(page);
  const press = (key) => page.keyboard.press(key);
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement;
      const places = [
        element,
        element.closest(".entry"),
        element.parentElement?.querySelector("span"),
      ];
      const seen = places.some((place) => place && getComputedStyle(place).outlineStyle !== "none");
      const name = element.ariaLabel ?? element.labels?.[0]?.innerText ?? element.innerText ?? "";
      return { id: element.id, name: name.trim(), seen, role: element.role ?? element.tagName };
    });
  /** Goes on with Tab to what has that name or id. Whatever has the focus on the way shows it. */
  const tabTo = async (wanted, key = "Tab") => {
    for (let steps = 0; steps < 80; steps += 1) {
      await press(key);
      const { id, name, seen, role } = await focused();
      if (role === "BODY") continue;
      assert.ok(seen, `the focus on ${name || id} is not seen`);
      if (id === wanted || name === wanted) return;
    }
    assert.fail(`Tab never reaches ${wanted}`);
  };

  // Told long before: the browser is not asked to wait for it while the key is already on its way.
  page.on("filechooser", (chooser) => chooser.setFiles(permits(() => {})));

  // Choose a stream and an event, and ask why.
  await tabTo("streams");
  await press("ArrowDown");
  await page.getByRole("heading", { name: "Grace Hopper" }).waitFor();
  await press("Home");
  await isAt(8, 8);
  await tabTo("events");
  await press("Home");
  await isAt(1, 8);
  await press("ArrowDown");
  await isAt(2, 8);
  await tabTo("balance");
  await press("Enter");
  await tabTo("causes");
  await press("End");
  await isAt(8, 8);
  await tabTo("Close the question", "Shift+Tab");
  await press("Enter");
  assert.equal((await focused()).name, "balance", "the focus goes back to what was asked");

  // Travel.
  await tabTo("scrubber");
  await press("Home");
  await isAt(0, 8);
  await press("PageUp");
  await press("End");
  await isAt(8, 8);
  await tabTo("To the start", "Shift+Tab");
  await press("Enter");
  await isAt(0, 8);
  await tabTo("Play");
  await press("Space");
  await isAt(1, 8);
  await press("Space");
  assert.equal(await page.getByRole("button", { name: "Play" }).count(), 1);

  // Send a command: the form takes the focus, and gives it back.
  await tabTo("command-button", "Shift+Tab");
  await press("Enter");
  await page.waitForFunction(() => document.activeElement.id === "target");
  await tabTo("Deposit");
  await press("ArrowRight");
  await page.getByRole("button", { name: "Send Withdraw" }).waitFor();
  await press("ArrowLeft");
  await tabTo("field-amount");
  await page.keyboard.type("-5");
  await press("Enter");
  // The first bad field takes the focus in the next frame; nobody types faster.
  await page.getByRole("alert").filter({ hasText: "2 fields need another look" }).waitFor();
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
  assert.equal((await focused()).id, "field-amount");
  await press("Control+A");
  await page.keyboard.type("4711");
  await tabTo("field-transactionReference");
  await page.keyboard.type("keys");
  await press("Enter");
  await isAt(9, 9);
  assert.equal(await field("/balance"), String(384620 + 4711));
  await tabTo("Close the form", "Shift+Tab");
  await press("Enter");
  await page.waitForFunction(() => document.activeElement.id === "command-button");

  // Settings open, close and give the focus back.
  await tabTo("Settings");
  await press("Enter");
  await press("Tab");
  await press("ArrowRight");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
  await press("Escape");
  assert.equal((await focused()).name, "Settings");

  // Import.
  await tabTo("Import events", "Shift+Tab");
  await press("Enter");
  await message()
    .getByText(/8,577 events/)
    .waitFor();
  await tabTo("streams");
  await press("End");
  await rows("streams").and(page.locator("[aria-selected=true]")).waitFor();
});

test("a screen reader is told what happens, and where one is", async () => {
  const page = await open();
  const { scrubber, openForm, choose, send, rows } = on(page);
  const active = async (list) => {
    const id = await page.locator(list).getAttribute("aria-activedescendant");
    return page.locator(`[id="${id}"]`).getAttribute("aria-selected");
  };
  assert.equal(await active("#streams"), "true");
  assert.equal(await active("#events"), "true");
  await scrubber().press("Home");
  assert.equal(
    await scrubber().getAttribute("aria-valuetext"),
    "Version 0 of 8: before the first event",
  );
  await scrubber().press("ArrowRight");
  // The signs of a change are words too.
  const state = page.getByRole("region", { name: "State at version 1" });
  await state.getByRole("row", { name: "added currency EUR" }).waitFor();
  await scrubber().press("End");
  await page
    .getByRole("row", { name: /^changed balance 3,846\.20 EUR .*was 4,996\.20$/ })
    .waitFor();

  await openForm();
  await choose("Deposit");
  await send();
  const amount = page.getByLabel("Amount");
  assert.equal(await amount.getAttribute("aria-invalid"), "true");
  const help = await amount.getAttribute("aria-describedby");
  assert.match(await page.locator(`[id="${help}"]`).innerText(), /missing/);
  await page.getByRole("alert").filter({ hasText: "2 fields need another look" }).waitFor();
  // Each part of the page is a landmark or a region with a name.
  for (const name of [
    "Streams",
    "Ada Lovelace",
    "State at version 8",
    "Send a command",
    "Time travel",
  ]) {
    assert.equal(await page.getByRole("region", { name, exact: true }).count(), 1, name);
  }
  assert.equal(await rows("events").first().getAttribute("aria-setsize"), "8");
});

test("the console stayed silent, and no request failed", () => {
  assert.deepEqual(complaints, []);
});
