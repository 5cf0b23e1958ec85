// The README's tour of the edge, as it stands there.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { promisify } from "node:util";
import { token } from "../edge.mjs";
import { SECRET, dynamodb, edge } from "./harness.mjs";

test("a transfer arrives in the read model, as the README shows it", async () => {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const section = readme.split("\n## The edge\n")[1].split("\n## ")[0];
  const [write, read] = [...section.matchAll(/```sh\n([^`]+)```/g)].map(([, script]) => script);
  const db = await dynamodb();
  const { url, stop } = await edge(db);
  try {
    const run = async (script) => {
      const here = script.replaceAll("http://127.0.0.1:8787", url);
      const env = { ...process.env, TOKEN: token(SECRET) };
      const { stdout } = await promisify(execFile)("bash", ["-euc", here], { env });
      return stdout;
    };
    const first = await run(write);
    assert.deepEqual(
      first.match(/HTTP\/1.1 \d+/g).join(),
      "HTTP/1.1 201,HTTP/1.1 200,HTTP/1.1 200",
    );
    // What is asked for at once may be a few milliseconds early: a person is not.
    const [, opened, begun, shown] = /^(B=.*)\n(curl[^]*?InitiateTransfer)\n(curl[^]*)$/.exec(read);
    await run(`${write.split("\n")[0]}\n${opened}\n${begun}`);
    let second = "";
    for (let tries = 0; tries < 50 && !second.includes('"balance":500'); tries += 1)
      second = await run(`${opened}\n${shown}`);
    assert.match(second, /"balance":500/);
    assert.match(second, /"eventName":"TransferReceived"/);
  } finally {
    await stop();
    await db.stop();
  }
});
