// What follows right behind a command, without any sweep: views, and the transfers of a crowd.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { account, whole } from "./harness.mjs";
import { busy, foldedAlike, scene, swept, until } from "./readside.mjs";

const alike = (db, asking) => () => foldedAlike(db, asking).catch(() => false);

// Each has a DynamoDB and an edge of its own, and mostly waits.
describe("what follows a command", { concurrency: 4 }, () => {
  test("every view follows by itself", () =>
    scene({}, async (db, front) => {
      await busy(front.client, 80);
      await until(alike(db, front.client), "all is shown");
      assert.ok(!front.lines.some((line) => line.includes('"work":"sweep"')));
    }));

  test("hot aggregates are followed as well", () =>
    scene({ HOT_AGGREGATES: "BankAccount Order" }, async (db, front) => {
      await Promise.all([1, 2].map((seed) => busy(front.client, 40, { seed, name: "h-" })));
      await until(alike(db, front.client), "all is shown");
    }));

  test("a crowd at one aggregate is followed to its last event", () =>
    scene([{}, {}], async (db, front, other) => {
      const id = await account(front.client);
      const deposit = (n) =>
        [front, other][n % 2].client.command("BankAccount", id, "Deposit", {
          ...{ amount: 1, transactionReference: `${n}` },
        });
      let n = 0;
      const sender = async () => {
        while (n < 80) await deposit((n += 1));
      };
      await Promise.all(Array.from({ length: 8 }, sender));
      const { events, state } = await whole(front.client, "BankAccount", id);
      const row = async () => (await other.client.ask(`/views/account-balances/${id}`)).body;
      const shown = async () => (await row()).$meta?.version === events.length;
      await until(shown, "the last is shown");
      assert.equal((await row()).balance, state.balance);
      await foldedAlike(db, front.client);
    }));

  test("aggregates of different kinds that share an id do not meet", () =>
    scene([{}, { NUDGE: "off" }], async (db, ...fronts) => {
      for (const [at, { client }] of fronts.entries()) {
        const id = `same-${at}-${randomUUID()}`;
        await account(client, 5, id);
        const items = [{ productId: "p", quantity: 1, price: 3 }];
        const more = [
          ["Order", "Create", { customerId: "c", items }],
          ["Customer", "Register", { email: "a@x.com", name: "N" }],
          ["BlogPost", "Create", { title: "t" }],
          ["BankAccount", "Deposit", { amount: 2, transactionReference: "r" }],
          ["Order", "Confirm", {}],
          ["Customer", "Suspend", { reason: "r" }],
          ["BlogPost", "Publish", {}],
        ];
        for (const [kind, name, fields] of more)
          assert.ok((await client.command(kind, id, name, fields)).status < 300, `${kind}.${name}`);
        const token = encodeURIComponent(`/aggregates/Customer/${id}@2`);
        const seen = await client.ask(`/views/customers/${id}?token=${token}`);
        assert.equal(seen.body.status, "SUSPENDED");
      }
      await swept(fronts[1]);
      await foldedAlike(db, fronts[0].client);
    }));
});
