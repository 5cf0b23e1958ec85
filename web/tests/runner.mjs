// Runs the Rust tests of the page in Chromium: what Cargo calls with the tests, compiled to WebAssembly.
//
// wasm-bindgen's own runner serves them; it would drive the browser through a WebDriver, which is one tool more
// to install, so the browser of the other tests opens its page instead.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { launch } from "./browser.mjs";

const free = createServer();
await new Promise((done) => free.listen(0, "127.0.0.1", done));
const address = `127.0.0.1:${free.address().port}`;
await new Promise((done) => free.close(done));

const env = { ...process.env, NO_HEADLESS: "1", WASM_BINDGEN_TEST_ADDRESS: address };
const runner = spawn("wasm-bindgen-test-runner", process.argv.slice(2), {
  env,
  stdio: ["ignore", "pipe", "inherit"],
});
const ready = new Promise((done, failed) => {
  let said = "";
  runner.stdout.on("data", (text) => (said += text).includes(address) && done());
  runner.on("exit", (code) =>
    failed(new Error(`wasm-bindgen-test-runner ended with ${code}: ${said}`)),
  );
  const help = "`cargo xtask test --only web` puts it on the PATH";
  runner.on("error", (error) => failed(new Error(`${error.message}: ${help}`)));
});
let browser;
try {
  await ready;
  browser = await launch();
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(`${error}`));
  await page.goto(`http://${address}/`);
  const output = page.locator("#output");
  await output.getByText(/test result: /).waitFor({ timeout: 120_000 });
  const text = await output.innerText();
  console.log(text);
  process.exitCode = /test result: ok/.test(text) ? 0 : 1;
} finally {
  await browser?.close();
  runner.kill();
}
