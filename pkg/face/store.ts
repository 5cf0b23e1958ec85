// Stores: in memory, and on DynamoDB over any `fetch`.

import {
  commandToJson,
  drawn,
  kindOfAggregate,
  type Aggregate,
  type AggregateEvent,
  type Loaded,
  type Meta,
} from "./aggregate.js";
import { Dynamo, Memory, Signer, type Kind } from "./core.js";
import { drive, type Credentials, type Transport } from "./drive.js";
import { calling } from "./errors.js";
import { Fields, text, wrong } from "./json.js";

/** How a command is sent. */
export interface ExecuteOptions {
  /** Who sends it. */
  actorId: string;
  /** The version that the sender decided on; 0 for "create only". At any other it is a {@link ConflictError}. */
  expectedVersion?: number;
  /** A key under which the command takes effect once within 72 hours, whatever is repeated. */
  idempotencyKey?: string;
  commandId?: string;
  correlationId?: string;
  causationId?: string;
}

/** What something cost. */
export interface Cost {
  /** Requests to the store. */
  requests: number;
  /** DynamoDB's read and write capacity units. */
  rcu: number;
  wcu: number;
}

/** What a command did. */
export interface Executed<State, Event> {
  /** The events that it recorded; none where everything was as it wanted. */
  events: AggregateEvent<Event>[];
  /** The state after them; `null` where nothing ever happened to the aggregate. */
  state: Loaded<State> | null;
  /** Whether this is the answer that an earlier run with the same idempotency key got. */
  repeated: boolean;
  cost: Cost;
}

/** Some of many. */
export interface Page<Item> {
  items: Item[];
  /** Where to go on; `null` at the end. */
  next: string | null;
  cost: Cost;
}

/** Which events. */
export interface EventsOptions {
  /** Only those behind this version, or behind a page before: its `next`. All where it is absent. */
  after?: number | string;
  /** How many at the most; 1,000 where it is absent. */
  limit?: number;
}

/** Which aggregates. */
export interface ListOptions {
  /** Behind a page before: its `next`. */
  cursor?: string;
  /** How many at the most; 100 where it is absent. */
  limit?: number;
}

/** What every store does. */
export interface Store {
  /**
   * Runs a command: loads, decides, commits, and decides again after a conflict.
   *
   * @throws {InvalidCommandError} {@link RejectedError} {@link NotFoundError}, as `decide` does
   * @throws {ConflictError} where the pinned version is not the aggregate's, or others won every attempt
   * @throws {KeyReusedError} where the idempotency key was used with another command
   * @throws {StoreError} where the store did not do what it was asked
   */
  execute<State, Command extends { type: string }, Event extends { eventName: string }>(
    aggregate: Aggregate<State, Command, Event>,
    id: string,
    command: Command,
    options: ExecuteOptions,
  ): Promise<Executed<State, Event>>;
  /**
   * The state of an aggregate now.
   *
   * @throws {NotFoundError} where it was never created
   */
  load<State, Command extends { type: string }, Event extends { eventName: string }>(
    aggregate: Aggregate<State, Command, Event>,
    id: string,
  ): Promise<Loaded<State>>;
  /** Some events of a stream, in the order of their versions; none where there is no such stream. */
  events(id: string, options?: EventsOptions): Promise<Page<AggregateEvent>>;
  /** Some aggregates of a kind, in an order of the store's. */
  list<State, Command extends { type: string }, Event extends { eventName: string }>(
    aggregate: Aggregate<State, Command, Event>,
    options?: ListOptions,
  ): Promise<Page<Meta>>;
}

function order(options: unknown): object {
  const fields = new Fields("options", options);
  const order = {
    actorId: fields.text("actorId"),
    expectedVersion: fields.optionalInteger("expectedVersion", 0),
    idempotencyKey: fields.optionalText("idempotencyKey"),
    commandId: fields.optionalText("commandId"),
    correlationId: fields.optionalText("correlationId"),
    causationId: fields.optionalText("causationId"),
  };
  fields.check();
  return order;
}

/** A cursor says after which version a page goes on, and where its store finds that. */
function place(options: EventsOptions = {}): {
  after: number;
  cursor: string | undefined;
  limit: number;
} {
  const fields = new Fields("options", options);
  const limit = fields.optionalInteger("limit", 1) ?? 1_000;
  if (typeof options.after !== "string") {
    const after = fields.optionalInteger("after", 0) ?? 0;
    fields.check();
    return { after, cursor: undefined, limit };
  }
  fields.text("after");
  fields.check();
  const [, version, cursor] = /^(\d{1,16})\.(.*)$/s.exec(options.after) ?? [];
  if (version === undefined) {
    const message = `expected a version, or the \`next\` of a page, found ${JSON.stringify(options.after)}`;
    throw wrong("options")([{ pointer: "/after", message }]);
  }
  return { after: Number(version), cursor, limit };
}

function listed(options: ListOptions = {}): { cursor: string | undefined; limit: number } {
  const fields = new Fields("options", options);
  const found = {
    cursor: fields.optionalText("cursor"),
    limit: fields.optionalInteger("limit", 1) ?? 100,
  };
  fields.check();
  return found;
}

/** A store in memory: for tests, for prototypes, and to see what happens. It forgets everything with the program. */
export class MemoryStore implements Store {
  readonly #memory = new Memory();
  readonly #now: () => number;
  readonly #random: () => Uint8Array;

  /** `now` is a clock in milliseconds since the epoch, `random` gives ten random bytes: set them where tests need to. */
  constructor(options: { now?: () => number; random?: () => Uint8Array } = {}) {
    const fields = new Fields("options", options);
    this.#now = fields.optional<() => number>("now", "function") ?? Date.now;
    this.#random = fields.optional<() => Uint8Array>("random", "function") ?? drawn;
    fields.check();
  }

  async execute<State, Command extends { type: string }, Event extends { eventName: string }>(
    aggregate: Aggregate<State, Command, Event>,
    id: string,
    command: Command,
    options: ExecuteOptions,
  ): Promise<Executed<State, Event>> {
    const kind = kindOfAggregate(aggregate);
    const [to, json, sent] = [text("id", id), commandToJson(command), order(options)];
    const done = () => this.#memory.execute(kind, to, json, sent, this.#now(), this.#random());
    return JSON.parse(calling(done));
  }

  async load<State, Command extends { type: string }, Event extends { eventName: string }>(
    aggregate: Aggregate<State, Command, Event>,
    id: string,
  ): Promise<Loaded<State>> {
    const [kind, of] = [kindOfAggregate(aggregate), text("id", id)];
    return JSON.parse(calling(() => this.#memory.load(kind, of)));
  }

  async events(id: string, options?: EventsOptions): Promise<Page<AggregateEvent>> {
    const [of, { after, limit }] = [text("id", id), place(options)];
    return JSON.parse(calling(() => this.#memory.events(of, after, limit)));
  }

  async list<State, Command extends { type: string }, Event extends { eventName: string }>(
    aggregate: Aggregate<State, Command, Event>,
    options?: ListOptions,
  ): Promise<Page<Meta>> {
    const [kind, { cursor, limit }] = [kindOfAggregate(aggregate), listed(options)];
    return JSON.parse(calling(() => this.#memory.list(kind, cursor, limit)));
  }

  /** Every event as lines of JSON, for an {@link EventLog} or a {@link Timeline}. */
  toNdjson(): Uint8Array {
    return new TextEncoder().encode(this.#memory.ndjson());
  }
}

/** Where a store on DynamoDB is, and who uses it. */
export interface DynamoStoreOptions {
  /** Where DynamoDB is, such as `http://127.0.0.1:8000`; AWS's endpoint of the region where it is absent. */
  endpoint?: string;
  /** Such as `eu-central-1`. */
  region: string;
  /** A key, or a function that gives one before each request. */
  credentials: Credentials | (() => Credentials | Promise<Credentials>);
  /** The `fetch` to use; the platform's where it is absent. */
  fetch?: typeof fetch;
  /** The names of the tables: that of the events, that of the helpers, and one for each kind of aggregate. */
  tables: { events: string; helpers: string; aggregates: Record<string, string> };
  /** How many states to remember, so that a warm command takes one request; 1,000 where it is absent, 0 for none. */
  cache?: number;
  /** The milliseconds after which a request counts as lost; 10,000 where it is absent. */
  timeout?: number;
  /** A clock in milliseconds since the epoch, for tests. */
  now?: () => number;
  /** Gives ten random bytes, for tests. */
  random?: () => Uint8Array;
}

/**
 * A store on DynamoDB. One command is one transaction: the aggregate's row, its events and the record of its
 * idempotency key are written together or not at all.
 *
 * The tables are those of `@coderbyheart/aws-dynamodb-es-cqrs` 1.3.0, and one of helpers beside them.
 */
export class DynamoStore implements Store {
  readonly #dynamo: Dynamo;
  readonly #transport: Transport;
  /** Which reducer wrote the rows of a kind: asked at the start, and then once a minute. */
  readonly #reducers = new Map<string, { asked: Promise<void>; at: number }>();
  /** The kinds of aggregates that have a table. */
  readonly #kinds: Set<string>;
  /** The last command on its way to each aggregate: those of one store wait in line instead of racing. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(options: DynamoStoreOptions) {
    const fields = new Fields("options", options);
    const region = fields.text("region");
    const endpoint = fields.optionalText("endpoint");
    const given = options?.credentials;
    fields.required("credentials", typeof given === "function" ? "function" : "object");
    const send =
      fields.optional<typeof fetch>("fetch", "function") ?? globalThis.fetch.bind(globalThis);
    const now = fields.optional<() => number>("now", "function") ?? Date.now;
    const random = fields.optional<() => Uint8Array>("random", "function") ?? drawn;
    const cache = fields.optionalInteger("cache", 0) ?? 1_000;
    const timeout = fields.optionalInteger("timeout", 1, 2 ** 31 - 1) ?? 10_000;
    fields.required("tables", "object");
    fields.check();

    const tables = new Fields("options.tables", options.tables);
    const names = { events: tables.text("events"), helpers: tables.text("helpers") };
    tables.required("aggregates", "object");
    tables.check();
    const kinds = new Fields("options.tables.aggregates", options.tables.aggregates);
    const aggregates = new Map(
      Object.keys(options.tables.aggregates).map((name) => [name, kinds.text(name)]),
    );
    kinds.check();

    this.#kinds = new Set(aggregates.keys());

    let url: URL;
    try {
      url = new URL(endpoint ?? `https://${new Signer(region).host}`);
    } catch {
      const message = `expected a URL such as http://127.0.0.1:8000, found ${JSON.stringify(endpoint)}`;
      throw wrong("options")([{ pointer: "/endpoint", message }]);
    }
    const credentials = typeof given === "function" ? given : () => given;
    this.#dynamo = calling(() => new Dynamo({ ...names, aggregates }, cache));
    const signer = new Signer(region, url.host);
    this.#transport = {
      url: `${url.origin}/`,
      signer,
      credentials,
      fetch: send,
      timeout,
      now,
      random,
      correction: 0,
    };
  }

  async execute<State, Command extends { type: string }, Event extends { eventName: string }>(
    aggregate: Aggregate<State, Command, Event>,
    id: string,
    command: Command,
    options: ExecuteOptions,
  ): Promise<Executed<State, Event>> {
    const kind = kindOfAggregate(aggregate);
    const [to, json, sent] = [text("id", id), commandToJson(command), order(options)];
    return this.#inLine(`${aggregate.name}/${to}`, async () => {
      await this.#ready(aggregate.name, kind, true);
      return drive(this.#transport, () => this.#dynamo.execute(kind, to, json, sent));
    });
  }

  async load<State, Command extends { type: string }, Event extends { eventName: string }>(
    aggregate: Aggregate<State, Command, Event>,
    id: string,
  ): Promise<Loaded<State>> {
    const [kind, of] = [kindOfAggregate(aggregate), text("id", id)];
    await this.#ready(aggregate.name, kind, false);
    return drive(this.#transport, () => this.#dynamo.load(kind, of));
  }

  async events(id: string, options?: EventsOptions): Promise<Page<AggregateEvent>> {
    const [of, { after, cursor, limit }] = [text("id", id), place(options)];
    return drive(this.#transport, () => this.#dynamo.events(of, after, cursor, limit));
  }

  async list<State, Command extends { type: string }, Event extends { eventName: string }>(
    aggregate: Aggregate<State, Command, Event>,
    options?: ListOptions,
  ): Promise<Page<Meta>> {
    const [kind, { cursor, limit }] = [kindOfAggregate(aggregate), listed(options)];
    return drive(this.#transport, () => this.#dynamo.list(kind, cursor, limit));
  }

  /**
   * Makes the tables that are not there yet, and waits until they can be used. In production, tables are better made by
   * what makes the rest of it.
   */
  async createTables(): Promise<void> {
    await drive(this.#transport, () => this.#dynamo.tables());
  }

  /**
   * Writes the rows of a kind anew from their events, after its reducer changed: until then each command on an aggregate
   * whose row another reducer wrote replays its events. Commands may go on meanwhile, but not those of a program with the
   * old reducer. Where it is interrupted, run it again.
   *
   * ```js
   * await store.rebuild(cart, { progress: (rows) => console.log(rows) });
   * ```
   *
   * @throws {ReduceError} where a stream does not reduce; the rows before it are written
   */
  async rebuild<State, Command extends { type: string }, Event extends { eventName: string }>(
    aggregate: Aggregate<State, Command, Event>,
    options: { progress?: (rows: number) => void } = {},
  ): Promise<{ rows: number; cost: Cost }> {
    const kind = kindOfAggregate(aggregate);
    const fields = new Fields("options", options);
    const progress = fields.optional<(rows: number) => void>("progress", "function");
    fields.check();
    // No row is trusted, whoever wrote it.
    this.#dynamo.trust(kind, "");
    let seen = 0;
    const done = await drive<{ rows: number; cost: Cost }>(
      this.#transport,
      () => this.#dynamo.rebuild(kind),
      ({ rows }) => {
        if (rows > seen) progress?.((seen = rows));
      },
    );
    const ours = await drive<string>(this.#transport, () => this.#dynamo.rewritten(kind));
    this.#dynamo.trust(kind, ours);
    this.#reducers.clear();
    return done;
  }

  /**
   * Asks which reducer wrote the rows: those of another are replayed from their events. Who is about to write says so
   * here, so that no other reducer trusts what it writes.
   */
  #ready(name: string, kind: Kind, willWrite: boolean): Promise<void> {
    if (!this.#kinds.has(name)) return Promise.resolve(); // what has no table is refused without a request
    const key = `${kind.fingerprint()} ${willWrite}`;
    const known = this.#reducers.get(key);
    if (known && performance.now() - known.at < RECHECK) return known.asked;
    const ask = () => this.#dynamo.reducer(kind, willWrite);
    const asked = drive<string | null>(this.#transport, ask).then((found) =>
      this.#dynamo.trust(kind, found ?? ""),
    );
    this.#reducers.set(key, { asked, at: performance.now() });
    // Where nobody could be asked, the next command asks again.
    asked.catch(() => this.#reducers.delete(key));
    return asked;
  }

  /** Does something behind what is on its way to the same aggregate. */
  #inLine<T>(aggregate: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(aggregate) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#last.set(aggregate, mine);
    const leave = () => {
      if (this.#last.get(aggregate) === mine) this.#last.delete(aggregate);
    };
    mine.then(leave, leave);
    return mine;
  }
}

/** The milliseconds after which it is asked again who wrote the rows: another program may have begun to. */
const RECHECK = 60_000;
