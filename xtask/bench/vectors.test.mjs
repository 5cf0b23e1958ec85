// The core with WebAssembly's vectors: MODULE=… node --test vectors.test.mjs
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const { Bench, bothWaysAgree, replay, replayThoroughly } = createRequire(import.meta.url)(
  process.env.MODULE,
);

test("both ways of a replay agree on damaged pages", () => {
  const rounds = process.env.REWOUND_FULL ? 200_000 : 5_000;
  const whole = bothWaysAgree(rounds);
  assert.ok(whole > 0 && whole < rounds, `${whole} of ${rounds} pages still ended in a state`);
});

test("both ways of a replay end in the same state", () => {
  const pages = new Bench(2_000, 7).queryPages();
  assert.equal(replay(pages), replayThoroughly(pages));
});
