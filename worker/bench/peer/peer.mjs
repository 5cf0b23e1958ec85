// What the edge is measured against: its commands and its state, in plain JavaScript on the AWS SDK and the other
// library, as that library's documentation writes them. Same routes, same rules, same answers, a line of log each.

import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import {
  fromEvent,
  inc,
  reduceEvents,
  updateFromEvent,
  v1,
} from "@coderbyheart/aws-dynamodb-es-cqrs/aggregate";
import { assertAggregateEvent } from "@coderbyheart/aws-dynamodb-es-cqrs/event";
import {
  persistDynamoDB,
  unmarshallAggregate,
} from "@coderbyheart/aws-dynamodb-es-cqrs/persistence";
import { jwtVerify } from "jose";
import { ulid } from "ulidx";

const DEPOSIT_LIMIT = 100_000_000;

class Problem extends Error {
  constructor(status, code, detail, members = {}) {
    super(detail);
    Object.assign(this, { status, code, members });
  }
}

const text = (most) => (value) =>
  typeof value === "string" && value.length >= 1 && value.length <= most;
const integer = (least) => (value) => Number.isSafeInteger(value) && value >= least;
const movement = (description) => ({
  amount: [integer(1)],
  transactionReference: [text(200)],
  description: [text(500), description],
});

/** Each command's fields: what they must be, and what they are where they are not given. */
const fields = {
  Open: {
    accountHolderId: [text(200)],
    currency: [(value) => typeof value === "string" && /^[A-Z]{3}$/.test(value)],
    initialDeposit: [integer(0), 0],
  },
  Deposit: movement("Deposit"),
  Withdraw: movement("Withdrawal"),
};

function checked(name, body) {
  const known = Object.hasOwn(fields, name) && fields[name];
  if (!known) throw new Problem(400, "invalid", `There is no command ${name}.`);
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new Problem(400, "invalid", "A command is an object.");
  const issues = Object.keys(body)
    .filter((field) => !Object.hasOwn(known, field))
    .map((field) => ({ pointer: `/${field}`, message: "is not known" }));
  const command = {};
  for (const [field, [fits, usual]] of Object.entries(known)) {
    command[field] = body[field] ?? usual;
    if (!fits(command[field]))
      issues.push({ pointer: `/${field}`, message: "is missing or wrong" });
  }
  if (issues.length > 0) throw new Problem(400, "invalid", "The command is invalid.", { issues });
  return command;
}

/** The event that a command comes to, or a problem. */
function decide(account, name, command) {
  if (name === "Open") {
    if (account) throw new Problem(409, "already-exists", "It was created before.");
    return { eventName: "AccountOpened", ...command };
  }
  if (!account) throw new Problem(404, "not-found", "There is no such account.");
  if (account.status === "Closed")
    throw new Problem(409, "account-closed", "The account was closed: its money moves no more.");
  if (name === "Withdraw") {
    if (command.amount > account.balance)
      throw new Problem(409, "insufficient-funds", "There is no overdraft.");
    return { eventName: "MoneyWithdrawn", ...command };
  }
  if (command.amount > DEPOSIT_LIMIT)
    throw new Problem(409, "deposit-limit", "One deposit is 1,000,000.00 at the most.");
  if (!Number.isSafeInteger(account.balance + command.amount))
    throw new Problem(409, "balance-out-of-range", "The balance would not be a safe integer.");
  return { eventName: "MoneyDeposited", ...command };
}

const accountReducer = reduceEvents((event, account) => {
  if (event.eventName === "AccountOpened")
    return {
      $meta: fromEvent(event),
      accountHolderId: event.accountHolderId,
      balance: event.initialDeposit,
      currency: event.currency,
      status: "Active",
      pendingTransfers: {},
    };
  assertAggregateEvent(account, event);
  const change = { MoneyDeposited: event.amount, MoneyWithdrawn: -event.amount }[event.eventName];
  if (change === undefined) return undefined;
  return {
    ...account,
    $meta: updateFromEvent(account.$meta, event),
    balance: account.balance + change,
  };
});

let shared;
function services(env) {
  return (shared ??= {
    db: new DynamoDBClient({
      endpoint: env.AWS_ENDPOINT_URL_DYNAMODB,
      region: env.AWS_REGION,
      credentials: {
        accessKeyId: env.AWS_ACCESS_KEY_ID,
        secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
      },
    }),
    secret: new TextEncoder().encode(env.JWT_SECRET),
    table: `${env.TABLE_PREFIX}-BankAccount`,
    events: `${env.TABLE_PREFIX}-events`,
  });
}

async function principal({ secret }, env, request) {
  const [, token] = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
  const rules = {
    algorithms: ["HS256"],
    audience: env.JWT_AUDIENCE,
    requiredClaims: ["sub", "exp"],
  };
  const { payload } = await jwtVerify(token ?? "", secret, rules).catch((error) => {
    throw new Problem(401, "unauthorized", error.message);
  });
  return { actorId: payload.sub, scopes: String(payload.scope ?? "").split(" ") };
}

async function load({ db, table }, id) {
  const asked = { TableName: table, Key: marshall({ aggregateId: id }) };
  const { Item } = await db.send(new GetItemCommand(asked));
  return Item && unmarshallAggregate(Item);
}

async function run({ db, table, events }, id, name, request, { actorId, correlationId }) {
  if (!/^application\/json\b/.test(request.headers.get("content-type") ?? ""))
    throw new Problem(415, "media-type", "A command is application/json.");
  const body = await request.json().catch(() => {
    throw new Problem(400, "invalid", "The body is no JSON.");
  });
  const command = checked(name, body);
  const account = name === "Open" ? undefined : await load({ db, table }, id);
  const event = {
    eventId: ulid(),
    aggregateName: "BankAccount",
    aggregateId: id,
    aggregateVersion: account ? inc(account.$meta.version) : v1,
    actorId,
    correlationId,
    ...decide(account, name, command),
  };
  const state = accountReducer([event], account);
  await persistDynamoDB(
    db,
    table,
    events,
  )(state, event).catch((error) => {
    if (/version conflict/.test(error.message)) throw new Problem(409, "contention", error.message);
    throw error;
  });
  return { events: [event], state };
}

async function respond(env, request, path, correlationId, line) {
  const shared = services(env);
  const { actorId, scopes } = await principal(shared, env, request);
  line.actor = actorId;
  const [, id, name] =
    /^\/aggregates\/BankAccount\/([^/]+)(?:\/commands\/([^/]+))?$/.exec(path) ?? [];
  if (!id) throw new Problem(404, "not-found", "There is nothing here.");
  if (request.method !== (name ? "POST" : "GET"))
    throw new Problem(405, "method-not-allowed", "Only POST for commands, and GET for states.");
  line.route = name ? "command" : "state";
  const scope = name ? "command" : "read";
  if (!scopes.includes(`BankAccount:${scope}`) && !scopes.includes(`*:${scope}`))
    throw new Problem(403, "insufficient-scope", `The token lacks the scope BankAccount:${scope}.`);
  if (name) {
    const about = { actorId, correlationId };
    const answer = await run(shared, decodeURIComponent(id), name, request, about);
    const { version } = answer.state.$meta;
    return Response.json(answer, {
      status: version === 1 ? 201 : 200,
      headers: {
        etag: `"${version}"`,
        "x-correlation-id": correlationId,
        ...(version === 1 && { location: `/aggregates/BankAccount/${id}` }),
      },
    });
  }
  const state = await load(shared, decodeURIComponent(id));
  if (!state) throw new Problem(404, "not-found", "There is no such account.");
  return Response.json(state, { headers: { etag: `"${state.$meta.version}"` } });
}

export default {
  async fetch(request, env) {
    const begun = Date.now();
    const correlationId = request.headers.get("x-correlation-id") ?? ulid();
    const line = { method: request.method, route: "unknown", correlationId };
    const answer = await respond(
      env,
      request,
      new URL(request.url).pathname,
      correlationId,
      line,
    ).catch((error) => {
      const { status = 500, code = "internal", members } = error instanceof Problem ? error : {};
      const detail = status === 500 ? "Something went wrong." : error.message;
      if (status === 500) line.cause = String(error);
      const type = `urn:rewound:problem:${code}`;
      const headers = { "content-type": "application/problem+json", "cache-control": "no-store" };
      return Response.json({ type, status, detail, code, ...members }, { status, headers });
    });
    console.log(JSON.stringify({ ...line, status: answer.status, ms: Date.now() - begun }));
    return answer;
  },
};
