// What the edge asks of its host, each in one step. A step between Rust and JavaScript costs about as much as deciding a
// command, and a request that is taken apart and answered from Rust takes a hundred of them.

/** A request's method, its address, and its headers, a line each: none of them has a line break inside. */
export const head = (request) =>
  [request.method, request.url, ...request.headers].flat().join("\n");

/** These variables, named in words: their values, `null` where one is not set. */
export const variables = (env, names) =>
  JSON.stringify(names.split(" ").map((name) => env[name] ?? null));

/** The bytes of a body. */
export const body = async (request) => new Uint8Array(await request.arrayBuffer());

/** Puts texts, a JSON array of them, on the queue: all of them or none. What is in them no number of JavaScript may touch. */
export async function enqueue(env, texts) {
  if (!env.OUTBOX_QUEUE) throw new Error("no queue is bound as OUTBOX_QUEUE");
  await env.OUTBOX_QUEUE.sendBatch(
    JSON.parse(texts).map((body) => ({ body, contentType: "text" })),
  );
}

/** Headers that are written as lines: a name, its value, the next name. */
export function headers(text) {
  const headers = new Headers();
  const lines = text.split("\n");
  for (let at = 1; at < lines.length; at += 2) headers.append(lines[at - 1], lines[at]);
  return headers;
}

/** A call to DynamoDB: the status, what the answer says of its time and its checksum, and its bytes. */
export async function call(url, lines, body, timeout) {
  const signal = AbortSignal.timeout(timeout);
  const how = { method: "POST", headers: headers(lines), body, redirect: "manual", signal };
  const response = await fetch(url, how);
  const { status, headers: told } = response;
  const bytes = new Uint8Array(await response.arrayBuffer());
  return [status, told.get("date"), told.get("x-amz-crc32"), bytes];
}
