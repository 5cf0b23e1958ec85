// What outlives the page, and what it says where nothing does: `node --test web/tests/keeping.test.mjs`.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { launchIn, on, permits, shown, start } from "./browser.mjs";

const { browser, complaints, open, openIn, url } = await start();

async function reload(page) {
  await page.reload();
  await shown(page);
}

const bird =
  '{"eventId":"015DNX0QK2KAWQ8CPJD949VE01","eventName":"Seen","aggregateName":"Bird","aggregateId":"owl","aggregateVersion":1,"actorId":"u"}';

const remove = async (page) => {
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByText("Start over…").click();
  await page.getByRole("button", { name: "Remove everything" }).click();
};

/** The files in IndexedDB, each as its name and its bytes in Base64. */
const files = (page) =>
  page.evaluate(async () => {
    const done = (request) =>
      new Promise((kept, broken) => {
        request.onsuccess = () => kept(request.result);
        request.onerror = () => broken(request.error);
      });
    const database = await done(indexedDB.open("rewound"));
    const all = await done(database.transaction("files").objectStore("files").getAll());
    database.close();
    const base64 = async (file) =>
      btoa(
        Array.from(new Uint8Array(await file.arrayBuffer()), (byte) =>
          String.fromCharCode(byte),
        ).join(""),
      );
    return Promise.all(all.map(async (file) => [file.name, await base64(file)]));
  });

test("own streams, settings and the place on the page outlive it", async () => {
  const page = await open();
  const { isAt, openForm, deposit, rows, scrubber, history, state } = on(page);
  await openForm();
  await page.getByLabel("Actor").fill("grace");
  await deposit(100);
  await isAt(9, 9);
  await deposit(23);
  await isAt(10, 10);
  await page.getByLabel("Speed").selectOption("16");
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("radio", { name: "Dark" }).check();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "The event as JSON" }).click();
  assert.equal(await page.locator("pre.json").count(), 0);
  await reload(page);
  assert.equal(await page.locator("pre.json").count(), 0, "it stays folded");
  await page.getByRole("button", { name: "The event as JSON" }).click();
  const [before, last] = [await history(), await state()];
  await scrubber().press("ArrowLeft");
  await isAt(9, 10);

  for (const _ of [1, 2, 3]) {
    await reload(page);
    await isAt(9, 10);
  }
  assert.deepEqual(await history(), before);
  assert.deepEqual(await state(), last);
  assert.equal(await page.getByLabel("Speed").inputValue(), "16");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await openForm();
  assert.equal(await page.getByLabel("Actor").inputValue(), "grace");

  // Another stream is come back to as well, and a stream that was made here is there.
  await page.getByLabel("To", { exact: true }).selectOption("BlogPost");
  await page.getByLabel("Title", { exact: true }).fill("On keeping");
  await page.getByRole("button", { name: "Send Create" }).click();
  await isAt(1, 1);
  await reload(page);
  await page.getByRole("heading", { name: "On keeping" }).waitFor();
  await isAt(1, 1);
  assert.equal(await rows("streams").count(), 6);
});

test("an import is kept as the bytes that it was, and read again", async (context) => {
  const page = await open();
  const { isAt, rows, scrubber, importFile, message, state, trouble } = on(page);
  const file = permits((text) => context.diagnostic(text));
  await importFile(file);
  await message()
    .getByText(/8,577 events/)
    .waitFor();
  await rows("streams").nth(6).click();
  await scrubber().press("End");
  const length = Number(await scrubber().getAttribute("max"));
  await isAt(length, length);
  const [title, last] = [await page.locator("#events-title").innerText(), await state()];
  assert.deepEqual(await files(page), [[file.name, file.buffer.toString("base64")]]);

  await reload(page);
  await page.getByRole("heading", { name: title }).waitFor();
  await isAt(length, length);
  assert.deepEqual(await state(), last);
  await page.getByText("1,439", { exact: true }).waitFor();
  await message().getByText("Drag the slider").waitFor();
  assert.equal(await trouble().innerText(), "");

  // One import can go alone.
  await importFile({ name: "one.ndjson", mimeType: "", buffer: Buffer.from(bird) });
  await page.getByText("1,440", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: `Remove ${file.name}` }).press("Enter");
  await page.getByText("6", { exact: true }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "menu");
  await page.keyboard.press("Escape");
  await page.getByRole("heading", { name: "owl" }).waitFor();
  await page.waitForFunction(async () => {
    const { promise, resolve } = Promise.withResolvers();
    indexedDB.open("rewound").onsuccess = ({ target }) => {
      const keys = target.result.transaction("files").objectStore("files").getAllKeys();
      keys.onsuccess = () => (target.result.close(), resolve(keys.result.length === 1));
    };
    return promise;
  });
  await reload(page);
  await page.getByRole("heading", { name: "owl" }).waitFor();
  assert.deepEqual(await files(page), [["one.ndjson", Buffer.from(bird).toString("base64")]]);

  await remove(page);
  await isAt(8, 8);
  assert.equal(await rows("streams").count(), 5);
  await page.waitForFunction(() => localStorage.getItem("rewound/settings") === null);
  assert.deepEqual(await files(page), []);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "system");
  await reload(page);
  await isAt(8, 8);
  assert.equal(await rows("streams").count(), 5);
});

test("one window keeps, and another takes over without losing what either did", async () => {
  const one = await open();
  const two = await openIn(one.context());
  const [first, second] = [on(one), on(two)];
  const warning = /Another window keeps your streams/;
  await second.trouble().getByText(warning).waitFor();
  assert.equal(await first.trouble().innerText(), "");

  // The first is kept; the second's is not, and on another stream, so that both can be.
  await first.openForm();
  await first.deposit(100);
  await first.isAt(9, 9);
  await second.rows("streams").nth(1).click();
  await second.isAt(2, 2);
  await second.openForm();
  await second.deposit(50);
  await second.isAt(3, 3);

  // So with imports: what one removes that may not write, is there all the same.
  const file = (name) => ({ name, mimeType: "", buffer: Buffer.from(bird.replace("owl", name)) });
  await first.importFile(file("first"));
  await first
    .message()
    .getByText(/1 event in 1 stream/)
    .waitFor();
  await one.waitForFunction(() => indexedDB.databases().then((all) => all.length === 1));
  await second.importFile(file("second"));
  await second
    .message()
    .getByText(/1 event in 1 stream/)
    .waitFor();

  await two.getByRole("button", { name: "Keep them in this one" }).click();
  await first.trouble().getByText(warning).waitFor();
  await two.waitForFunction(() => document.querySelector(".troubles").innerText === "");
  await two.waitForFunction(() => document.querySelector(".streams .tally").innerText === "7");
  await one.getByRole("button", { name: "Settings" }).click();
  await one.getByRole("button", { name: "Remove first" }).click();
  await one.keyboard.press("Escape");
  await second.rows("streams").first().click();
  await second.isAt(9, 9);
  // What the first does now stays in it.
  await first.deposit(1);
  await first.isAt(10, 10);
  await one.close();
  assert.deepEqual(
    (await files(two)).map(([name]) => name),
    ["first", "second"],
  );
  await reload(two);
  await second.isAt(9, 9);
  await second.rows("streams").nth(1).click();
  await second.isAt(3, 3);
  await two.waitForFunction(() => document.querySelector(".streams .tally").innerText === "7");
  assert.equal(await second.trouble().innerText(), "");
});

test("what does not fit any more when a window takes over is told", async () => {
  const one = await open();
  const two = await openIn(one.context());
  const [first, second] = [on(one), on(two)];
  for (const window of [first, second]) {
    await window.openForm();
    await window.deposit(100);
    await window.isAt(9, 9);
  }
  await two.getByRole("button", { name: "Keep them in this one" }).click();
  await second
    .trouble()
    .getByText(/Left out: 1 command .*version 9/)
    .waitFor();
  await one.close();
  await reload(two);
  assert.equal(await second.trouble().innerText(), "");
  await second.isAt(9, 9);
});

test("where the storage is full it says so, goes on, and catches up once there is room", async () => {
  const page = await open();
  const { openForm, deposit, isAt, trouble } = on(page);
  await page.evaluate(() => {
    for (let size = 1 << 22; size > 0; size >>= 1) {
      for (let full = false; !full;) {
        try {
          localStorage.setItem(`filler${localStorage.length}`, "x".repeat(size));
        } catch {
          full = true;
        }
      }
    }
  });
  await openForm();
  await deposit(100);
  await isAt(9, 9);
  await trouble()
    .getByText(/In memory only: 1 command\. .*(quota|Quota)/)
    .waitFor();
  await deposit(200);
  await isAt(10, 10);
  await trouble()
    .getByText(/2 commands/)
    .waitFor();
  await page.evaluate(() => {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith("filler")) localStorage.removeItem(key);
    }
  });
  await deposit(300);
  await isAt(11, 11);
  await page.waitForFunction(() => document.querySelector(".troubles").innerText === "");
  await reload(page);
  await isAt(11, 11);
});

test("an import that finds no room stays in memory, and says so", async (context) => {
  const page = await open();
  const { importFile, message, trouble, rows } = on(page);
  const session = await page.context().newCDPSession(page);
  const origin = new URL(url).origin;
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1_000 });
  await importFile(permits((text) => context.diagnostic(text)));
  await message()
    .getByText(/8,577 events/)
    .waitFor();
  await trouble()
    .getByText(/In memory only: .*\.gz\./)
    .waitFor();
  assert.ok((await rows("streams").count()) > 5);
});

test("a browser that refuses storage runs the page all the same", async () => {
  // The setting that people know as "block all cookies".
  const folder = mkdtempSync(join(tmpdir(), "rewound-"));
  mkdirSync(join(folder, "Default"));
  const blocked = { profile: { default_content_setting_values: { cookies: 2 } } };
  writeFileSync(join(folder, "Default/Preferences"), JSON.stringify(blocked));
  const context = await launchIn(folder);
  try {
    const page = await openIn(context);
    const { trouble, isAt, openForm, deposit, importFile, message } = on(page);
    assert.equal(
      await page.evaluate(() => {
        try {
          return typeof localStorage;
        } catch (error) {
          return error.name;
        }
      }),
      "SecurityError",
    );
    await trouble()
      .getByText(/This browser keeps nothing .*denied/)
      .waitFor();
    await openForm();
    await deposit(100);
    await isAt(9, 9);
    await importFile(permits(() => {}));
    await message()
      .getByText(/8,577 events/)
      .waitFor();
    await remove(page);
    await isAt(8, 8);
    await trouble()
      .getByText(/This browser keeps nothing/)
      .waitFor();
  } finally {
    await context.close();
    rmSync(folder, { recursive: true });
  }
});

test("a kept commit that is broken is told, and the rest is there", async () => {
  const page = await open();
  const { openForm, deposit, isAt, trouble } = on(page);
  await openForm();
  await deposit(100);
  await isAt(9, 9);
  const broken = await page.evaluate(() => {
    const key = Object.keys(localStorage)
      .filter((key) => key.startsWith("rewound/commit"))
      .sort()
      .at(-1);
    localStorage.setItem(key, '{"events":[{"eventId":1}]}');
    return key;
  });
  await reload(page);
  await isAt(8, 8);
  await trouble()
    .getByText(/Left out: 1 command/)
    .waitFor();
  assert.ok((await trouble().innerText()).includes(broken));
  await openForm();
  await deposit(5);
  await isAt(9, 9);
  assert.equal(
    await page.evaluate((key) => localStorage.getItem(key), broken),
    '{"events":[{"eventId":1}]}',
  );
  await reload(page);
  await isAt(9, 9);
});

test("the window that is left keeps, once the one that kept is closed", async () => {
  const one = await open();
  const two = await openIn(one.context());
  const second = on(two);
  await second
    .trouble()
    .getByText(/Another window/)
    .waitFor();
  await second.openForm();
  await second.deposit(100);
  await second.isAt(9, 9);
  await one.close();
  await two.waitForFunction(() => document.querySelector(".troubles").innerText === "");
  await second.isAt(9, 9);
  await second.deposit(5);
  await second.isAt(10, 10);
  await reload(two);
  await second.isAt(10, 10);
});

test("what is removed while it is read or kept does not come back", async () => {
  const page = await open();
  const { importFile, message, rows } = on(page);
  const line = (index) =>
    bird.replace("VE01", `V${String(index).padStart(3, "0")}`).replace("owl", `owl${index}`);
  const many = Array.from({ length: 999 }, (_, index) => line(index)).join("\n");
  const text = `${many}\n`.repeat(60);
  const start = async () => {
    await importFile({ name: "many.ndjson", mimeType: "", buffer: Buffer.from(text) });
    await message()
      .getByText(/Reading many/)
      .waitFor();
  };
  await start();
  await remove(page);
  // What is being read is read to its end first, which a busy machine takes its time for.
  await message().getByText("Drag the slider").waitFor({ timeout: 60_000 });
  await page.waitForTimeout(1_500);
  assert.deepEqual(
    [await rows("streams").count(), await files(page)],
    [5, []],
    "removed while it was read",
  );

  await importFile({ name: "one.ndjson", mimeType: "", buffer: Buffer.from(bird) });
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Remove one.ndjson" }).click();
  await page.keyboard.press("Escape");
  await page.waitForTimeout(500);
  assert.deepEqual(
    [await rows("streams").count(), await files(page)],
    [5, []],
    "removed while it was kept",
  );
});

test("each of several files is told of, and stays told", async () => {
  const page = await open();
  const { importFile, message, trouble, openForm, deposit, isAt } = on(page);
  const file = (name, text) => ({ name, mimeType: "", buffer: Buffer.from(text) });
  const session = await page.context().newCDPSession(page);
  const origin = new URL(url).origin;
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 200_000 });
  await importFile([
    file("none", ""),
    file("bad", `${bird}\n{`),
    file("good", bird.replace("owl", "jay")),
  ]);
  await message().getByText("good: 1 event in 1 stream").waitFor();
  await message().getByText("none was not imported: there is no event in it.").waitFor();
  await page.getByRole("region", { name: "Problems in bad" }).waitFor();

  await importFile(file("late", bird.replace("owl", "tit") + "\n".repeat(500_000)));
  await trouble()
    .getByText(/In memory only: late/)
    .waitFor();
  await page.getByText("Ada Lovelace").first().click();
  await openForm();
  await deposit(1);
  await isAt(9, 9);
  await trouble()
    .getByText(/In memory only: late/)
    .waitFor();
});

test("the place on the page is kept, however quickly one reloads", async (context) => {
  const page = await open();
  const { importFile, message, scrubber, isAt } = on(page);
  await importFile(permits((text) => context.diagnostic(text)));
  await message()
    .getByText(/8,577 events/)
    .waitFor();
  await scrubber().press("ArrowRight");
  const title = await page.locator("#events-title").innerText();
  const length = Number(await scrubber().getAttribute("max"));
  await isAt(2, length);
  await page.reload({ waitUntil: "commit" });
  await shown(page);
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.evaluate(() => window.dispatchEvent(new Event("pagehide")));
  await page.reload();
  await page.getByRole("heading", { name: title }).waitFor();
  await isAt(2, length);
});

test("storage that is cleared under the page is not written to in pieces", async () => {
  const page = await open();
  const { openForm, deposit, isAt, trouble } = on(page);
  await page.evaluate(() => localStorage.clear());
  await openForm();
  await deposit(1);
  await isAt(9, 9);
  await trouble()
    .getByText(/was cleared while the page was open/)
    .waitFor();
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  await reload(page);
  await isAt(8, 8);
  assert.equal(await trouble().innerText(), "");
});

test("a browser whose locks fail shows the page all the same", async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    navigator.locks.request = () => Promise.reject(new DOMException("no", "SecurityError"));
  });
  const page = await openIn(context);
  await on(page)
    .trouble()
    .getByText(/This browser keeps nothing/)
    .waitFor();
  await on(page).isAt(8, 8);
});

test("the console stayed silent, and no request failed", () => {
  assert.deepEqual(complaints, []);
});
