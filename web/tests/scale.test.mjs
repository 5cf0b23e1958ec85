// A log of 262,000 events: `node --test web/tests/scale.test.mjs`. How long it takes is for the benchmark to say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { many, on, start } from "./browser.mjs";

const { complaints, open } = await start();
const EVENTS = 262_000;

test("262,000 events are imported while the page goes on, listed, filtered, scrubbed", async () => {
  const log = many(EVENTS, (text) => console.log(text));
  const page = await open();
  const { rows, importFile, scrubber, isAt } = on(page);
  // What the bar shows, and whether the page answers meanwhile: a click on each stream of the demo.
  await page.evaluate(() => {
    window.shown = [];
    const look = () => {
      const bar = document.querySelector(".notice progress");
      if (bar.checkVisibility() && bar.value !== window.shown.at(-1)) window.shown.push(bar.value);
      requestAnimationFrame(look);
    };
    look();
  });
  await importFile(log);
  await page.getByText(/^Reading .* so far$/).waitFor();
  await rows("streams").nth(1).click();
  await isAt(2, 2);
  await page.getByText(/read in [\d,]+ ms/).waitFor({ timeout: 120_000 });
  const shown = await page.evaluate(() => window.shown);
  assert.ok(shown.length > 20, `the bar moved ${shown.length} times`);
  assert.deepEqual(
    shown,
    [...shown].sort((a, b) => a - b),
    "it never goes back",
  );

  const streams = log.streams + 5;
  const tally = page.locator("#streams").locator("..").getByRole("status");
  assert.equal(await tally.innerText(), streams.toLocaleString("en"));
  await page.getByText(`${EVENTS.toLocaleString("en")} events in`).waitFor();

  await page.locator("#streams").press("End");
  const last = page.locator(`#streams-${streams - 1}`);
  await last.waitFor();
  const version = (await last.innerText()).match(/v(\d+)$/)[1];
  await scrubber().press("End");
  await isAt(version, version);
  await scrubber().press("Home");
  await isAt(0, version);
  // Only what is in sight exists.
  assert.ok((await rows("streams").count()) < 60);

  await page.getByLabel("Filter the streams").fill(log.last);
  await page.getByText("1", { exact: true }).first().waitFor();
  assert.equal(await rows("streams").count(), 1);
  await page.context().close();
});

test("nothing went wrong on the way", () => assert.deepEqual(complaints, []));
