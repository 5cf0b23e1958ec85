// The core with WebAssembly's vectors: MODULE=… node --test vectors.test.mjs
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const { Bench, bothWaysAgree, replay, replayThoroughly, timeOf } = createRequire(import.meta.url)(
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

test("an event's id is read as a ULID, whatever stands in it", () => {
  const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const expected = (id) => {
    const values = [...id.toUpperCase()].map((digit) => digits.indexOf(digit));
    // The first digit holds three bits alone.
    if (values.length !== 26 || values.includes(-1) || values[0] > 7) return undefined;
    return values.slice(0, 10).reduce((time, digit) => time * 32 + digit, 0);
  };
  const id = "01K1RZXKEYCYQ5MSEQJ4Z5JNDE";
  assert.equal(timeOf(id), Date.parse("2025-08-03T22:13:01.022Z"));
  for (let place = 0; place < 26; place += 1) {
    for (let byte = 0; byte < 128; byte += 1) {
      const other = id.slice(0, place) + String.fromCharCode(byte) + id.slice(place + 1);
      assert.equal(timeOf(other), expected(other), JSON.stringify(other));
    }
  }
  for (const other of ["", id.slice(1), `${id}0`]) assert.equal(timeOf(other), undefined);
});
