// Takes pictures of the built page, wide and narrow, light and dark, into target/screenshots:
//
//     node web/tests/screenshots.mjs [a log to import]

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { LAB, launch, root, serve } from "./browser.mjs";

const log = process.argv[2];
const folder = join(root, "target/screenshots");
mkdirSync(folder, { recursive: true });
const server = await serve();
const browser = await launch();
try {
  for (const width of [1280, 390]) {
    for (const colorScheme of ["light", "dark"]) {
      const viewport = { width, height: width > 500 ? 800 : 844 };
      const page = await browser.newPage({ viewport, colorScheme, deviceScaleFactor: 2 });
      page.on("console", (message) => console.log(`${message.type()}: ${message.text()}`));
      page.on("pageerror", (error) => console.log(error));
      const shoot = async (name) => {
        const path = join(folder, `${name}-${width}-${colorScheme}.png`);
        await page.waitForTimeout(150);
        await page.screenshot({ path, fullPage: width < 500 });
      };
      await page.goto(server.url);
      await page.getByRole("heading", { name: /State at version/ }).waitFor();
      await shoot("first");
      await page.getByRole("option", { name: "TransferInitiated" }).click();
      await page.getByRole("button", { name: "balance", exact: true }).click();
      await shoot("past");
      await page.getByRole("button", { name: "Close the question" }).click();
      await page.getByRole("button", { name: "Send a command" }).click();
      await page.getByRole("radio", { name: "InitiateTransfer" }).check();
      await page.getByLabel("Amount").fill("25000");
      await page.getByRole("button", { name: /^Send Initiate/ }).click();
      await shoot("command");
      await page.getByLabel("To", { exact: true }).selectOption("Order");
      await page.getByRole("button", { name: "Add item" }).click();
      await page.locator("#field-items-0-price").fill("1250");
      await shoot("order");
      await page.getByRole("button", { name: "Close the form" }).click();
      if (log) {
        await page.locator("input[type=file]").setInputFiles(log);
        await page.getByText("problem").first().waitFor();
        await page.locator("#scrubber").press("End");
        await shoot("import");
      }
      await page.getByRole("button", { name: "Settings" }).click();
      await page.getByText("Start over…").click();
      await shoot("menu");
      await page.keyboard.press("Escape");
      for (const key of ["?", "s"]) {
        await page.keyboard.press(key);
        await page.getByRole("dialog").waitFor();
        await shoot(key === "?" ? "keys" : "share");
        await page.keyboard.press("Escape");
      }
      for (const { name, title, heading } of LAB) {
        await page.getByRole("link", { name: title, exact: true }).click();
        await page.getByRole("heading", { name: heading }).first().waitFor();
        await shoot(name);
      }
      await page.close();
    }
  }
  console.log(`Written to ${folder}`);
} finally {
  await browser.close();
  await server.close();
}
