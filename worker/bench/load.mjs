// Requests over HTTP for next to no time of this processor, which the runtime that is measured shares: a connection is
// a socket, a request is a text written to it, and of an answer as much is read as tells where it ends.

import { connect } from "node:net";

/** A connection to a server on loopback, kept open. It carries one request at a time. */
export async function connection(url) {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  let [received, waiting] = [Buffer.alloc(0), undefined];
  const failed = (error) => waiting?.no(error);
  const answer = () => {
    const end = received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = received.toString("latin1", 0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) return failed(new Error(`an answer without a length: ${head}`));
    const whole = end + 4 + Number(length);
    if (received.length < whole) return;
    const body = received.subarray(end + 4, whole);
    received = received.subarray(whole);
    waiting.yes({ status: Number(head.slice(9, 12)), body });
  };
  socket.on("data", (data) => {
    received = received.length === 0 ? data : Buffer.concat([received, data]);
    answer();
  });
  socket.on("error", failed);
  socket.on("close", () => failed(new Error("the connection was closed")));
  await new Promise((yes, no) => socket.once("connect", yes).once("error", no));
  return {
    ask: (text) =>
      new Promise((yes, no) => {
        waiting = { yes, no };
        socket.write(text);
      }),
    close: () => socket.destroy(),
  };
}

/** A command as it goes over the wire. */
export function command(token, id, name, fields) {
  const body = JSON.stringify(fields);
  return (
    `POST /aggregates/BankAccount/${id}/commands/${name} HTTP/1.1\r\nHost: edge\r\n` +
    `Authorization: Bearer ${token}\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

/** Sends one command; anything but success is an error, unless another status is expected. */
export async function send(to, text, expected) {
  const { status, body } = await to.ask(text);
  if (expected === undefined ? status !== 200 && status !== 201 : status !== expected)
    throw new Error(`${text.slice(0, text.indexOf(" HTTP"))}: ${status} ${body}`);
  return JSON.parse(body);
}

/**
 * Sends commands for so many milliseconds, over so many connections at once, each with texts of its own in turn: gives
 * how many were answered a second, and how long each took, in milliseconds.
 */
export async function load(url, texts, connections, duration) {
  const all = await Promise.all(Array.from({ length: connections }, () => connection(url)));
  const begun = performance.now();
  const times = [];
  const one = async (to, index) => {
    for (let turn = index; performance.now() - begun < duration; turn += connections) {
      const sent = performance.now();
      const { status, body } = await to.ask(texts[turn % texts.length]);
      if (status !== 200) throw new Error(`${status} ${body}`);
      times.push(performance.now() - sent);
    }
  };
  await Promise.all(all.map(one));
  const seconds = (performance.now() - begun) / 1000;
  for (const to of all) to.close();
  return { rate: times.length / seconds, times };
}
