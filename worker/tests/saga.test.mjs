// Transfers: what is sent arrives or comes back, whatever is killed on the way.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { FULL, account, certainly, client, dynamodb, edge, seeded, whole } from "./harness.mjs";
import { foldedAlike, scene, swept, until } from "./readside.mjs";

const KILLS = FULL ? 50 : 8;

let db, front, still;

before(async () => {
  db = await dynamodb();
  front = await edge(db);
  // The same tables, and nothing follows a command but the sweep.
  still = await edge(db, { vars: { NUDGE: "off" } });
});

after(async () => {
  await front?.stop();
  await still?.stop();
  await db?.stop();
});

const state = async ({ client }, id) => (await client.ask(`/aggregates/BankAccount/${id}`)).body;
const balances = (at, ids) => Promise.all(ids.map(async (id) => (await state(at, id)).balance));
const names = async (at, id) =>
  (await whole(at.client, "BankAccount", id)).events.map(({ eventName }) => eventName);

/** Sends money, and gives the transfer's id and the token. */
async function send(at, from, to, amount, headers) {
  const fields = { transferId: randomUUID(), destinationAccountId: to, amount };
  const { status, body, text } = await at.client.command(
    ...["BankAccount", from, "InitiateTransfer", fields, headers],
  );
  assert.equal(status, 200, text);
  return { id: fields.transferId, token: body.token, event: body.events[0] };
}

/** Waits until an account waits for no transfer any more. */
const settled = (at, id) =>
  until(
    async () => Object.keys((await state(at, id)).pendingTransfers).length === 0,
    `${id} waits for nothing`,
  );

describe("transfers", { concurrency: true }, () => {
  describe("each by itself", { concurrency: 1 }, () => {
    for (const nudged of [true, false]) {
      const how = nudged ? "right behind the command" : "by the sweep alone";
      const edgeOf = () => (nudged ? front : still);
      const driven = async (id) => {
        if (nudged) return settled(front, id);
        const { pendingTransfers } = await state(still, id);
        if (Object.keys(pendingTransfers).length > 0) await swept(still);
      };

      test(`a transfer arrives ${how}, in both accounts and both of their rows`, async () => {
        const at = edgeOf();
        const [from, to] = [await account(at.client, 100), await account(at.client, 5)];
        const { id } = await send(at, from, to, 30);
        await driven(from);
        assert.deepEqual(await balances(at, [from, to]), [70, 35]);
        assert.deepEqual(await names(at, from), [
          "AccountOpened",
          "TransferInitiated",
          "TransferCompleted",
        ]);
        assert.deepEqual(await names(at, to), ["AccountOpened", "TransferReceived"]);
        const { events } = await whole(at.client, "BankAccount", to);
        const { transferId, sourceAccountId, amount, currency, actorId } = events[1];
        assert.deepEqual([transferId, sourceAccountId, amount, currency], [id, from, 30, "EUR"]);
        assert.notEqual(actorId, "developer");
        // Nobody shows a token: whatever followed the command brought them there.
        const shown = (account) => at.client.ask(`/views/account-balances/${account}`);
        for (const [account, balance, version] of [
          [from, 70, 3],
          [to, 35, 2],
        ])
          await until(async () => {
            const { body } = await shown(account);
            return body.$meta?.version === version && body.balance === balance;
          }, `${account} is shown`);
      });

      test(`a transfer whose destination is missing, closed or of another currency comes back ${how}`, async () => {
        const at = edgeOf();
        const closed = await account(at.client);
        assert.equal(
          (await at.client.command("BankAccount", closed, "Close", { reason: "r" })).status,
          200,
        );
        const dollars = `d-${randomUUID()}`;
        const fields = { accountHolderId: "x", currency: "USD" };
        assert.equal((await at.client.command("BankAccount", dollars, "Open", fields)).status, 201);
        const full = await account(at.client, Number.MAX_SAFE_INTEGER);
        const sent = [];
        for (const to of [
          `nobody-${randomUUID()}`,
          " ",
          "ü#%/".repeat(50),
          closed,
          dollars,
          full,
        ]) {
          const from = await account(at.client, 100);
          await send(at, from, to, 30);
          sent.push([from, to]);
        }
        for (const [from, to] of sent) {
          await driven(from);
          assert.equal((await state(at, from)).balance, 100);
          const happened = ["AccountOpened", "TransferInitiated", "TransferReversed"];
          assert.deepEqual(await names(at, from), happened);
          if (to === dollars || to === closed) assert.equal((await state(at, to)).balance, 0);
        }
      });
    }

    test("a conversation is carried from the command to every event that follows", async () => {
      for (const at of [front, still]) {
        const [from, to] = [await account(at.client, 100), await account(at.client)];
        const talk = `talk-${randomUUID()}`;
        const { event } = await send(at, from, to, 30, { "x-correlation-id": talk });
        if (at === still) await swept(still);
        await settled(at, from);
        const [, initiated, completed] = (await whole(at.client, "BankAccount", from)).events;
        const [, received] = (await whole(at.client, "BankAccount", to)).events;
        assert.equal(initiated.eventId, event.eventId);
        for (const { correlationId } of [initiated, received, completed])
          assert.equal(correlationId, talk);
        assert.deepEqual(
          [received.causationId, completed.causationId],
          [initiated.eventId, received.eventId],
        );
        // The way back as well.
        const { event: again } = await send(at, from, "nobody", 30, { "x-correlation-id": talk });
        if (at === still) await swept(still);
        await settled(at, from);
        const reversed = (await whole(at.client, "BankAccount", from)).events.at(-1);
        assert.equal(reversed.eventName, "TransferReversed");
        assert.deepEqual([reversed.correlationId, reversed.causationId], [talk, again.eventId]);
      }
    });

    test("what people do to an account meanwhile does not hold its transfers up", async () => {
      const [from, to] = [await account(still.client, 100), await account(still.client, 100)];
      await send(still, from, to, 30);
      await send(still, to, from, 7);
      const draw = (amount) => ({ amount, transactionReference: "r" });
      for (const id of [from, to]) {
        const refused = await still.client.command("BankAccount", id, "Close", { reason: "r" });
        assert.equal(refused.status, 409);
      }
      assert.equal(
        (await still.client.command("BankAccount", from, "Withdraw", draw(70))).status,
        200,
      );
      await swept(still);
      assert.deepEqual(await balances(still, [from, to]), [7, 123]);
      // A source that is closed by now was settled before.
      assert.equal(
        (await still.client.command("BankAccount", from, "Withdraw", draw(7))).status,
        200,
      );
      assert.equal(
        (await still.client.command("BankAccount", from, "Close", { reason: "r" })).status,
        200,
      );
      await swept(still);
      await foldedAlike(db, still.client);
    });
  });

  test("a transfer that cannot come back for now is not forgotten", () =>
    scene({ NUDGE: "off" }, async (_, at) => {
      const from = await account(at.client, Number.MAX_SAFE_INTEGER);
      await send(at, from, "nobody", 30);
      const paid = { amount: 30, transactionReference: "r" };
      const deposited = await at.client.command("BankAccount", from, "Deposit", paid);
      assert.equal(deposited.status, 200, deposited.text);
      await swept(at);
      const letters = async () =>
        (await at.client.ask("/feed/transfers/dead-letters")).body.items.length;
      const pending = Object.keys((await state(at, from)).pendingTransfers).length;
      assert.deepEqual([pending, await letters()], [1, 1]);
    }));

  test(`${KILLS} kills at any point: every transfer ends once, and no cent is made or lost`, async () => {
    const random = seeded(11);
    const own = await dynamodb();
    let victim = await edge(own);
    const port = Number(new URL(victim.url).port);
    const steady = client(victim.url);
    try {
      const ids = [];
      for (let n = 0; n < 6; n += 1) ids.push(await account(steady, 10_000));
      const sent = new Map();
      let [goesOn, number] = [true, 0];
      const sender = async () => {
        while (goesOn) {
          const [from, transferId] = [ids[Math.floor(random() * 6)], `t-${(number += 1)}`];
          // One of eight goes nowhere.
          const to = number % 8 === 0 ? "nobody" : ids.filter((id) => id !== from)[number % 5];
          const fields = { transferId, destinationAccountId: to, amount: 1 + (number % 90) };
          const key = { "idempotency-key": transferId };
          const answer = await certainly(
            () => steady.command("BankAccount", from, "InitiateTransfer", fields, key),
            200,
          );
          assert.equal(answer.status, 200, answer.text);
          sent.set(transferId, { from, to });
        }
      };
      const senders = Promise.all([1, 2, 3, 4].map(sender));
      senders.catch(() => (goesOn = false));
      for (let kill = 0; kill < KILLS && goesOn; kill += 1) {
        const before = sent.size;
        await until(
          () => !goesOn || sent.size >= before + Math.ceil(40 / KILLS),
          "transfers go on",
        );
        // Every other time in the middle of a sweep.
        if (kill % 2) victim.tick().catch(() => {});
        await new Promise((later) => setTimeout(later, random() * 60));
        await victim.stop("SIGKILL");
        victim = { ...(await edge(own, { port })) };
      }
      goesOn = false;
      await senders;
      assert.ok(sent.size >= 40, `${sent.size} transfers`);
      // The sweep that was killed is taken to be alive for a minute: so the clock is put forward.
      await own.ask({ skew: 6 * 60_000 });
      await swept(victim);
      const all = await foldedAlike(own, steady);
      let sum = 0;
      for (const id of ids) {
        const { state } = await whole(steady, "BankAccount", id);
        assert.deepEqual(state.pendingTransfers, {});
        sum += state.balance;
      }
      assert.equal(sum, 60_000);
      const ends = new Map();
      for (const { eventName, transferId, aggregateId } of all)
        if (transferId)
          ends.set(transferId, [...(ends.get(transferId) ?? []), [eventName, aggregateId]]);
      assert.equal(ends.size, sent.size);
      for (const [transfer, { from, to }] of sent) {
        const arrived = [
          ["TransferCompleted", from],
          ["TransferInitiated", from],
          ["TransferReceived", to],
        ];
        const reversed = [
          ["TransferInitiated", from],
          ["TransferReversed", from],
        ];
        const expected = to === "nobody" ? reversed : arrived;
        assert.deepEqual(ends.get(transfer).toSorted(), expected, transfer);
      }
    } finally {
      await victim.stop();
      await own.stop();
    }
  });
});
