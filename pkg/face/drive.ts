// What the core may not do itself: send, wait, look at the clock.

import type { Run, Signer } from "./core.js";
import { calling, StoreError } from "./errors.js";
import { Fields } from "./json.js";

/** An AWS key. */
export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  /** The token that comes with a temporary key. */
  sessionToken?: string;
}

/**
 * The way to DynamoDB.
 *
 * @internal
 */
export interface Transport {
  url: string;
  signer: Signer;
  credentials: () => Credentials | Promise<Credentials>;
  fetch: typeof fetch;
  /** The milliseconds after which a request counts as lost. */
  timeout: number;
  now: () => number;
  random: () => Uint8Array;
  /** The milliseconds by which the clock was found to be off. */
  correction: number;
}

/** What the core asks for. */
interface Todo {
  send?: { target: string; body: string };
  wait?: number;
  done?: string;
}

/** What came back, or why nothing did. */
interface Answer {
  head?: { status: number; date: string | undefined; crc32: string | undefined };
  body?: Uint8Array;
  failure?: unknown;
}

/**
 * Drives something to its end; gives what it came to. `seen` is called after each step.
 *
 * @internal
 */
export async function drive<T>(
  transport: Transport,
  start: () => Run,
  seen?: (run: Run) => void,
): Promise<T> {
  const run = calling(start);
  try {
    let answer: Answer | undefined;
    let [signed, correction] = clock(transport);
    let found: number | undefined;
    let isFirst = true;
    for (;;) {
      const [time, bits, now] = [signed, transport.random(), answer];
      const next = (): Todo => run.next(time, bits, now?.head, now?.body);
      const todo = calling(next, now?.failure);
      if (run.correction !== found) {
        // Of several requests that were refused at once, each finds the same.
        found = run.correction;
        transport.correction = correction + (found ?? 0);
      }
      seen?.(run);
      if (todo.done !== undefined) return JSON.parse(todo.done) as T;
      if (!todo.send) await new Promise((done) => setTimeout(done, todo.wait ?? 0));
      [signed, correction] = clock(transport);
      answer = todo.send && (await send(transport, todo.send, signed, isFirst));
      if (todo.send) isFirst = false;
    }
  } finally {
    run.free();
  }
}

/** The time, and the correction in it. */
function clock({ now, correction }: Transport): [number, number] {
  return [Math.floor(now()) + correction, correction];
}

/** Makes a call. */
async function send(
  { url, signer, credentials, fetch, timeout }: Transport,
  { target, body }: { target: string; body: string },
  signed: number,
  isFirst: boolean,
): Promise<Answer> {
  let parts: string[];
  try {
    parts = signer.sign(await key(credentials), target, body, signed);
  } catch (failure) {
    // Where something was sent before, what became of that is the core's to tell.
    if (isFirst) throw failure;
    return { failure };
  }
  const headers = new Headers();
  for (let index = 0; index + 1 < parts.length; index += 2)
    headers.set(parts[index]!, parts[index + 1]!);
  try {
    const signal = AbortSignal.timeout(timeout);
    const response = await fetch(url, {
      method: "POST",
      headers,
      body,
      signal,
      redirect: "manual",
    });
    const [date, crc32] = ["date", "x-amz-crc32"].map(
      (name) => response.headers.get(name) ?? undefined,
    );
    return {
      head: { status: response.status, date, crc32 },
      body: new Uint8Array(await response.arrayBuffer()),
    };
  } catch (failure) {
    return { failure };
  }
}

/** The key as the core takes it: its id, its secret, its token. */
async function key(credentials: Transport["credentials"]): Promise<string[]> {
  let given: Credentials;
  try {
    given = await credentials();
  } catch (cause) {
    throw new StoreError(
      `there are no credentials: ${String(cause)}`,
      { retryable: true },
      { cause },
    );
  }
  const fields = new Fields("credentials", given);
  const parts = [
    fields.text("accessKeyId"),
    fields.text("secretAccessKey"),
    fields.optionalText("sessionToken") ?? "",
  ];
  fields.check();
  return parts;
}
