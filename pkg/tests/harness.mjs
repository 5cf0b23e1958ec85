// What the package's tests share: the built package, and a DynamoDB on loopback behind a gate that looks at every
// signature.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const pkg = fileURLToPath(new URL("..", import.meta.url));

/** Starts the emulator; ends with `stop()`. */
export async function dynamodb() {
  const program = process.env.REWOUND_DYNAMODB ?? `${root}target/debug/rewound-dynamodb`;
  const child = spawn(program, ["--gate"], { stdio: ["pipe", "pipe", "inherit"] });
  const failed = new Promise((_, no) =>
    child.on("error", (error) =>
      no(new Error(`${error.message}: \`cargo xtask test --only pkg\` builds it first`)),
    ),
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value } = await Promise.race([lines.next(), failed]);
  const { url, region, accessKeyId, secretAccessKey } = JSON.parse(value);
  return {
    endpoint: url,
    region,
    credentials: { accessKeyId, secretAccessKey },
    stop: () => new Promise((done) => (child.on("exit", done), child.stdin.end())),
  };
}

/** The names of tables that no other test has. */
export function tables(prefix, names = ["BankAccount", "Order", "Customer", "BlogPost"]) {
  const aggregates = Object.fromEntries(names.map((name) => [name, `${prefix}-${name}`]));
  return { events: `${prefix}-events`, helpers: `${prefix}-helpers`, aggregates };
}

/** The error that something throws, now or later; a test that expects one fails where there is none. */
export async function thrown(what) {
  try {
    await what();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

/** Random numbers, the same for the same seed (mulberry32). */
export function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
