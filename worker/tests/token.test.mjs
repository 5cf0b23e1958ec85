// Read your writes: whoever shows the token of a command to a view sees at least what the command did, or hears that they
// do not. Nothing follows a command here by itself.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { account } from "./harness.mjs";
import { foldedAlike, peerEvent, scene, swept, written } from "./readside.mjs";

const STILL = { NUDGE: "off" };

const deposit = ({ command }, id, amount) =>
  command("BankAccount", id, "Deposit", { amount, transactionReference: "r" });
const at = (id, version, kind = "BankAccount") =>
  `token=${encodeURIComponent(`/aggregates/${kind}/${encodeURIComponent(id)}@${version}`)}`;
const balance = ({ ask }, id, query = "") =>
  ask(`/views/account-balances/${encodeURIComponent(id)}?${query}`);

// Each has a DynamoDB and an edge of its own, and some mostly wait.
describe("tokens", { concurrency: 4 }, () => {
  test("with a command's token a row is there at once, and without not before the sweep", () =>
    scene(STILL, async (db, front) => {
      const { ask, command } = front.client;
      const [id, other] = [await account(front.client, 5, `a/ü@1 ${randomUUID()}`), randomUUID()];
      await account(front.client, 1, other);
      const { body } = await deposit(front.client, id, 20);
      assert.equal((await balance(front.client, id)).status, 404);
      const mine = await balance(front.client, id, `token=${encodeURIComponent(body.token)}`);
      assert.deepEqual(
        [mine.status, mine.body?.balance, mine.headers.get("etag")],
        [200, 25, '"1.1"'],
      );
      // What was brought there for one is there for all, and nothing else is.
      assert.equal((await balance(front.client, id)).body.balance, 25);
      assert.equal((await balance(front.client, other)).status, 404);
      await deposit(front.client, id, 100);
      assert.equal((await balance(front.client, id)).body.balance, 25);
      assert.equal((await balance(front.client, id, at(id, 2))).body.balance, 25);
      await swept(front);
      assert.deepEqual(
        [
          (await balance(front.client, id)).body.balance,
          (await balance(front.client, other)).body.balance,
        ],
        [125, 1],
      );
      await foldedAlike(db, front.client);
    }));

  test("a page shows what the token says, at its place", () =>
    scene(STILL, async (db, front) => {
      const { ask, command } = front.client;
      const register = (email) =>
        command("Customer", `c-${randomUUID()}`, "Register", { email, name: "N" });
      const name = randomUUID().slice(0, 8);
      const [first, second] = [
        await register(`${name}.a@x.com`),
        await register(`${name}.b@x.com`),
      ];
      const found = async (token) => {
        const shown = token ? `&token=${encodeURIComponent(token)}` : "";
        const { status, body, text } = await ask(`/views/customers?email=${name}${shown}`);
        assert.equal(status, 200, text);
        return body.items.map(({ $meta, status }) => `${$meta.id} ${status}`);
      };
      const [a, b] = [first, second].map(({ body }) => body.state.$meta.id);
      assert.deepEqual(await found(), []);
      assert.deepEqual(await found(second.body.token), [`${b} ACTIVE`]);
      assert.deepEqual(await found(first.body.token), [`${a} ACTIVE`, `${b} ACTIVE`]);
      const gone = await command("Customer", a, "Suspend", { reason: "r" });
      assert.deepEqual(await found(), [`${a} ACTIVE`, `${b} ACTIVE`]);
      assert.deepEqual(await found(gone.body.token), [`${a} SUSPENDED`, `${b} ACTIVE`]);
    }));

  test("a token is good at every edge, and for a row of somebody else", () =>
    scene([STILL, STILL], async (db, front, other) => {
      const { ask, command } = front.client;
      const id = await account(front.client, 5);
      const path = `/views/account-balances/${id}?${at(id, 1)}`;
      assert.equal((await other.client.ask(path)).body.balance, 5);
      const second = await account(front.client, 6);
      const elsewhere = await other.client.ask(`/views/account-balances/${id}?${at(second, 1)}`);
      assert.deepEqual([elsewhere.status, elsewhere.body.balance], [200, 5]);
      assert.equal((await balance(front.client, second)).body.balance, 6);
    }));

  test("hundreds of events that nobody followed are brought there by one question", () =>
    scene(STILL, async (db, front) => {
      const { ask, command } = front.client;
      const id = `a-${randomUUID()}`;
      const opened = { accountHolderId: "p", initialDeposit: 0, currency: "EUR" };
      const events = [peerEvent("BankAccount", id, 1, "AccountOpened", opened)];
      for (let version = 2; version <= 260; version += 1)
        events.push(
          peerEvent("BankAccount", id, version, "MoneyDeposited", {
            ...{ amount: version, transactionReference: "r", description: "d" },
          }),
        );
      await written(db, events);
      const { status, body, text } = await balance(front.client, id, at(id, 260));
      assert.equal(status, 200, text);
      assert.deepEqual([body.balance, body.$meta.version], [(260 * 261) / 2 - 1, 260]);
    }));

  test("what cannot be applied is told: how far the view is, and when to ask again", () =>
    scene(STILL, async (db, front) => {
      const { ask, command } = front.client;
      const id = `c-${randomUUID()}`;
      const registered = peerEvent("Customer", id, 1, "CustomerRegistered", {
        email: "p@x.com",
        name: "P",
      });
      const poison = peerEvent("Customer", id, 2, "CustomerEmailUpdated", { oldEmail: "p@x.com" });
      const third = peerEvent("Customer", id, 3, "CustomerSuspended", { reason: "r" });
      await written(db, [registered, poison, third]);
      for (const path of [`/views/customers/${id}?`, "/views/customers?email=p&"]) {
        const refused = await ask(path + at(id, 3, "Customer"));
        const { code, expected, actual } = refused.body;
        assert.deepEqual([refused.status, code, expected, actual], [503, "view-behind", 3, 1]);
        assert.equal(refused.headers.get("retry-after"), "1");
        assert.equal((await ask(path + at(id, 1, "Customer"))).status, 200);
      }
      // Once it is parked, the view has seen it: it said so in a dead letter.
      await swept(front);
      const seen = await ask(`/views/customers/${id}?${at(id, 3, "Customer")}`);
      assert.deepEqual(
        [seen.status, seen.body.status, seen.body.$meta.version],
        [200, "SUSPENDED", 3],
      );
      await foldedAlike(db, front.client, [poison.eventId]);
    }));

  test("a token of what never happened is none", () =>
    scene(STILL, async (db, front) => {
      const { ask, command } = front.client;
      const id = await account(front.client, 5);
      for (const query of [at(id, 2), at(`nobody-${id}`, 1), at(id, 2 ** 40)]) {
        const early = await balance(front.client, id, query);
        assert.equal(early.status, 400, early.text);
        assert.match(early.text, /token/);
      }
      assert.equal((await balance(front.client, id, at(id, 1))).body.balance, 5);
    }));

  test("under faults a token is held to, or refused honestly", () =>
    scene(STILL, async (db, front) => {
      const { ask, command } = front.client;
      const id = await account(front.client);
      const faults = ["error", "throttle", "lost", "cut", "garbage", "type"];
      const shown = [];
      for (let version = 2; version <= 13; version += 1) {
        const { body } = await deposit(front.client, id, 1);
        await db.ask({ faults, every: 2 });
        const { status, body: row } = await balance(
          front.client,
          id,
          `token=${encodeURIComponent(body.token)}`,
        );
        await db.ask({ faults: [] });
        shown.push(status);
        if (status === 200) assert.equal(row.balance, version - 1);
        else assert.equal(status, 503);
      }
      assert.ok(shown.filter((status) => status === 200).length > 6, shown.join());
      await deposit(front.client, id, 1);
      for (const only of ["GetItem", "Query", "PutItem"]) {
        await db.ask({ faults: ["error"], every: 1, only });
        const down = await balance(front.client, id, at(id, 14));
        await db.ask({ faults: [] });
        assert.deepEqual([down.status, down.body.code], [503, "store-unavailable"], only);
        assert.ok(down.headers.get("retry-after"), only);
      }
      assert.equal((await balance(front.client, id, at(id, 14))).body.balance, 13);
      await swept(front);
      await foldedAlike(db, front.client);
    }));

  test("a page shows what the token says where many rows have one place", () =>
    scene(STILL, async (db, front) => {
      const { ask, command } = front.client;
      const fields = { email: "same@x.com", name: "N" };
      const others = Array.from({ length: 120 }, (_, n) => `c${n}`);
      await written(
        db,
        others.map((id) => peerEvent("Customer", id, 1, "CustomerRegistered", fields)),
      );
      await swept(front);
      const { body } = await command("Customer", "zoe", "Register", fields);
      const token = encodeURIComponent(body.token);
      const shown = await ask(`/views/customers?email=same&limit=200&token=${token}`);
      assert.equal(shown.status, 200, shown.text);
      assert.equal(shown.body.items.at(-1).$meta.id, "zoe");
    }));
});
