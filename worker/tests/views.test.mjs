// Views: what they show, by what they can be asked, and pages that nothing around them disturbs.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { account, client, dynamodb, edge } from "./harness.mjs";
import { foldedAlike, rows, swept, until } from "./readside.mjs";

let db, front, ask, post, command;

before(async () => {
  db = await dynamodb();
  front = await edge(db);
  ({ ask, post, command } = front.client);
});

after(async () => {
  await front?.stop();
  await db?.stop();
});

const ok = async (answer) => {
  const { status, text, body } = await answer;
  assert.ok([200, 201, 202].includes(status), text);
  return body;
};

/** A page for whoever has the token of what they did last. */
const seeing = (token) => `token=${encodeURIComponent(token)}`;
const ids = (items) => items.map(({ $meta }) => $meta.id);
const row = (view, id, token) => ask(`/views/${view}/${encodeURIComponent(id)}?${seeing(token)}`);

const place = (customerId, prices, id = `o-${randomUUID()}`) => {
  const items = prices.map((price) => ({ productId: "p", quantity: 2, price }));
  return ok(command("Order", id, "Create", { customerId, items }));
};
const register = (email, id = `c-${randomUUID()}`) =>
  ok(command("Customer", id, "Register", { email, name: "N" }));

test("each domain has a view, and a row for each aggregate", async () => {
  const { items } = await ok(ask("/views"));
  assert.deepEqual(
    items.map(({ name, aggregate }) => `${name} of ${aggregate}`),
    [
      "account-balances of BankAccount",
      "orders of Order",
      "customers of Customer",
      "blog-posts of BlogPost",
    ],
  );
  const id = `o/ü ${randomUUID()}`;
  const placed = await place("c 1", [150, 10], id);
  const $meta = { id, version: 1 };
  const order = { customerId: "c 1", items: 2, totalAmount: 320, status: "pending" };
  const first = await row("orders", id, placed.token);
  const placedAt = placed.state.$meta.updatedAt;
  assert.deepEqual(first.body, { $meta, ...order, placedAt });
  await ok(command("Order", id, "AddItem", { productId: "q", quantity: 3, price: 5 }));
  const { token } = await ok(command("Order", id, "Confirm"));
  const last = await row("orders", id, token);
  const changed = { items: 3, totalAmount: 335, status: "confirmed", placedAt };
  assert.deepEqual(last.body, { $meta: { id, version: 3 }, ...order, ...changed });
});

test("a row says which version it is of, and is not sent to who has it", async () => {
  const { token, state } = await register("tag@example.com");
  const path = `/views/customers/${state.$meta.id}`;
  const found = await row("customers", state.$meta.id, token);
  assert.deepEqual([found.status, found.headers.get("etag")], [200, '"1.1"']);
  const same = await ask(path, { headers: { "if-none-match": '"1.1"' } });
  assert.deepEqual([same.status, same.text], [304, ""]);
  await ok(command("Customer", state.$meta.id, "Suspend", { reason: "r" }));
  const newer = await ask(`${path}?${seeing(token.replace(/@1$/, "@2"))}`, {
    headers: { "if-none-match": '"1.1"' },
  });
  assert.deepEqual([newer.status, newer.body.status], [200, "SUSPENDED"]);
  const none = await ask("/views/customers/nobody");
  assert.deepEqual([none.status, none.body.code], [404, "not-found"]);
});

test("customers: all who are active, and by how their address begins, in capitals or not", async () => {
  const name = randomUUID().slice(0, 8);
  const emails = [
    `${name}.Ada@Example.com`,
    `${name}.adam@b.com`,
    `${name}.bob@a.com`,
    `z${name}@c.com`,
  ];
  const made = [];
  for (const email of emails) made.push(await register(email));
  const [ada, adam, bob, zoe] = made.map(({ state }) => state.$meta.id);
  let { token } = await ok(command("Customer", bob, "Suspend", { reason: "r" }));
  const found = async (query) =>
    ids((await ok(ask(`/views/customers?${query}&${seeing(token)}`))).items);
  // Of a customer's own order the index may still learn: each was asked for with its token.
  for (const { token: of } of made) await ok(ask(`/views/customers?email=${name}&${seeing(of)}`));
  assert.deepEqual(await found(`email=${name}`), [ada, adam, bob]);
  assert.deepEqual(await found(`email=${name.toUpperCase()}.ADA`), [ada, adam]);
  assert.deepEqual(await found(`status=ACTIVE&email=${name}`), [ada, adam]);
  assert.deepEqual(await found(`status=SUSPENDED&email=${name}`), [bob]);
  assert.deepEqual(await found(`status=SUSPENDED&email=${name}.a`), []);
  const active = Object.keys(await rows(front.client, "customers", "&status=ACTIVE", 2));
  assert.ok([ada, adam, zoe].every((id) => active.includes(id)) && !active.includes(bob));
  ({ token } = await ok(command("Customer", bob, "Reactivate")));
  assert.deepEqual(await found(`status=ACTIVE&email=${name}`), [ada, adam, bob]);
  // Whoever moves leaves no trace where they were.
  ({ token } = await ok(command("Customer", ada, "UpdateEmail", { newEmail: `q${name}@x.com` })));
  assert.deepEqual(await found(`email=${name}`), [adam, bob]);
  assert.deepEqual(await found(`email=q${name}`), [ada]);
});

test("orders: the newest first, all of them or a customer's", async () => {
  const [mine, theirs] = [`c#1%-${randomUUID()}`, `c#1-${randomUUID()}`];
  const placed = [];
  for (const customer of [mine, theirs, mine, mine]) placed.push(await place(customer, [1]));
  const order = placed.map(({ state }) => state.$meta.id);
  for (const { token } of placed) await ok(ask(`/views/orders?${seeing(token)}`));
  const found = async (query) => ids((await ok(ask(`/views/orders?${query}`))).items);
  const of = `customerId=${encodeURIComponent(mine)}`;
  assert.deepEqual(await found(of), [order[3], order[2], order[0]]);
  assert.deepEqual((await found("limit=4")).toSorted(), order.toSorted());
  const times = (await ok(ask("/views/orders?limit=100"))).items.map(({ placedAt }) => placedAt);
  assert.deepEqual(times, times.toSorted().toReversed());
  const day = placed[0].state.$meta.updatedAt.slice(0, 10);
  assert.equal((await found(`${of}&placedAt=${day}`)).length, 3);
  assert.equal((await found(`${of}&placedAt=1999`)).length, 0);
});

test("posts: what is published, the newest first; drafts for who asks for an author's", async () => {
  const ada = client(front.url, { sub: `ada-${randomUUID()}` });
  const { actorId } = (await ok(ada.command("BlogPost", randomUUID(), "Create", { title: "A" })))
    .events[0];
  const drafts = [];
  for (const title of ["B", "C", "D"])
    drafts.push(await ok(ada.command("BlogPost", `p-${randomUUID()}`, "Create", { title })));
  const [b, c, d] = drafts.map(({ state }) => state.$meta.id);
  let last;
  for (const id of [c, b]) last = await ok(ada.command("BlogPost", id, "Publish"));
  last = await ok(ada.command("BlogPost", b, "ChangeTitle", { title: "B!" }));
  const published = (await ok(ask(`/views/blog-posts?publishedAt=&${seeing(last.token)}`))).items;
  const seen = published.filter(({ authorId }) => authorId === actorId);
  assert.deepEqual(
    seen.map(({ $meta, title }) => [$meta.id, title]),
    [
      [b, "B!"],
      [c, "C"],
    ],
  );
  const all = (await ok(ask(`/views/blog-posts?authorId=${actorId}&${seeing(last.token)}`))).items;
  assert.deepEqual(
    all.map(({ title }) => title),
    ["D", "C", "B!", "A"],
  );
  assert.equal(all[0].publishedAt, undefined);
  assert.ok(!ids(published).includes(d));
});

test("pages meet every row that stays exactly once, whatever comes and goes between them", async () => {
  const prefix = `p${randomUUID().slice(0, 8)}`;
  const address = (n) => `${prefix}-${String(n).padStart(3, "0")}@x.com`;
  const made = await Promise.all(
    Array.from({ length: 12 }, (_, n) => register(address(10 * n + 5))),
  );
  for (const { token } of made) await ok(ask(`/views/customers?email=${prefix}&${seeing(token)}`));
  const steady = ids(made.map(({ state }) => state));
  // Those of every walk: some suspended, which are in this index all the same.
  for (const limit of [1, 2, 3]) {
    const met = [];
    let [cursor, page] = ["", 0];
    // It leaves its place in the middle of the walk, to the front, and is met once at the most.
    const mover = (await register(address(117 + limit))).state.$meta.id;
    do {
      const { items, next } = await ok(
        ask(`/views/customers?email=${prefix}&limit=${limit}${cursor}`),
      );
      assert.ok(items.length <= limit);
      met.push(...ids(items));
      cursor = next && `&cursor=${next}`;
      // One before, one behind, and where the page ended one goes away.
      const at = (page += 1) * limit * 10;
      if (at > 100) continue;
      const { token } = await register(address(at - 9 + limit));
      await register(address(at + 41 + limit));
      if (page === 2)
        await ok(
          command("Customer", mover, "UpdateEmail", { newEmail: `${address(0)}.a${limit}` }),
        );
      await ok(ask(`/views/customers?email=${prefix}&${seeing(token)}`));
    } while (cursor !== null);
    assert.equal(new Set(met).size, met.length, `nobody twice with pages of ${limit}`);
    assert.deepEqual(
      met.filter((id) => steady.includes(id)),
      steady,
      `everybody with pages of ${limit}`,
    );
  }
});

test("a page costs one request, and so does a row", async () => {
  await ok(ask("/views/customers?limit=2"));
  await db.ask({ count: true });
  const { next } = await ok(ask("/views/customers?limit=2"));
  assert.deepEqual((await db.ask({ count: true })).actions, { Query: 1 });
  await ok(ask(`/views/customers?limit=2&cursor=${next}`));
  assert.deepEqual((await db.ask({ count: true })).actions, { Query: 1 });
  await ok(ask("/views/orders?limit=2"));
  assert.deepEqual((await db.ask({ count: true })).actions, { Query: 1 });
  await ask("/views/account-balances/nobody");
  assert.deepEqual((await db.ask({ count: true })).actions, { GetItem: 1 });
});

test("a cursor outlives a rebuild, and so do the rows", async () => {
  const before = await rows(front.client, "customers", "&email=");
  const page = await ok(ask("/views/customers?email=&limit=5"));
  const { generation } = await ok(post("/feed/customers/rebuild"));
  await swept(front);
  const feed = await ok(ask("/feed"));
  const view = feed.views.find(({ name }) => name === "customers");
  assert.deepEqual([view.generation, view.rebuild], [generation, null]);
  // An isolate knows of it within five seconds; both generations answer until then.
  const rest = await ok(ask(`/views/customers?email=&limit=100&cursor=${page.next}`));
  const met = ids([...page.items, ...rest.items]);
  assert.deepEqual(met, Object.keys(before).slice(0, met.length));
  await db.ask({ count: true });
  await until(async () => {
    await ask("/views/customers?email=&limit=1");
    return (await db.ask({ count: true })).actions.GetItem;
  }, "the checkpoint is looked at again");
  const after = await ok(ask(`/views/customers?email=&limit=100&cursor=${page.next}`));
  assert.deepEqual(after, rest);
  assert.deepEqual(await rows(front.client, "customers", "&email="), before);
  await foldedAlike(db, front.client);
});

test("an account's row is that of its holder", async () => {
  const holder = `h-${randomUUID()}`;
  const open = (currency) => {
    const fields = { accountHolderId: holder, currency, initialDeposit: 7 };
    return ok(command("BankAccount", `a-${randomUUID()}`, "Open", fields));
  };
  const [first, second] = [await open("EUR"), await open("USD")];
  await account(front.client, 5);
  for (const { token } of [first, second])
    await ok(ask(`/views/account-balances?accountHolderId=${holder}&${seeing(token)}`));
  const { items } = await ok(ask(`/views/account-balances?accountHolderId=${holder}`));
  assert.deepEqual(ids(items), ids([first.state, second.state]));
  assert.deepEqual(
    items.map(({ balance, currency }) => [balance, currency]),
    [
      [7, "EUR"],
      [7, "USD"],
    ],
  );
});
