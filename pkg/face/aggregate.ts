// Aggregates: the compiled domains, and those that are written in JavaScript.

import { Kind } from "./core.js";
import type { Domains } from "./domains.js";
import {
  calling,
  InvalidCommandError,
  NotFoundError,
  RejectedError,
  remember,
  told,
} from "./errors.js";
import { eventsToJson, Fields, issuesOf, kindOf, pages, toJson, wrong } from "./json.js";

/** What every event has, whatever happened. */
export interface Envelope {
  /** A ULID: its time is when the event was recorded. */
  eventId: string;
  eventName: string;
  aggregateName: string;
  aggregateId: string;
  /** From 1: the event is the n-th of its stream. */
  aggregateVersion: number;
  /** Who did it. */
  actorId: string;
  /** What caused it. */
  commandId?: string;
  correlationId?: string;
  causationId?: string;
  /** The version of the event's own schema; 1 where it is absent. */
  schemaVersion?: number;
}

/** An event: the envelope, with its own fields flat beside. */
export type AggregateEvent<Event = Record<string, unknown>> = Envelope & Event;

/** Where in its stream a state is. */
export interface Meta {
  id: string;
  /** From 1: how many events made it. */
  version: number;
  /** Who changed it last. */
  actorId: string;
  /** When, in ISO 8601; absent in rows of programs that do not write it. */
  updatedAt?: string;
}

/** A state as it is loaded: its own fields, and `$meta`. */
export type Loaded<State> = State & { $meta: Meta };

/** To whom a command goes, who sends it, and when. */
export interface Context {
  /** The aggregate's id. */
  id: string;
  /** Who sends the command. */
  actorId: string;
  /** Milliseconds since the epoch. An event is never earlier than the one before it. */
  now: number;
  commandId?: string;
  correlationId?: string;
  causationId?: string;
  /** Ten random bytes for the first event's id, drawn where they are absent: the same bytes give the same id. */
  random?: Uint8Array;
}

/** One page of bytes, or several. Each is gzip or plain. */
export type Bytes = Uint8Array | Uint8Array[];

/** The core behind an aggregate. */
const kinds = new WeakMap<object, Kind>();

/**
 * The core behind an aggregate.
 *
 * @internal
 */
export function kindOfAggregate(aggregate: unknown): Kind {
  const kind =
    typeof aggregate === "object" && aggregate !== null ? kinds.get(aggregate) : undefined;
  if (!kind) {
    const message = `expected what aggregate() or defineAggregate() gave, found ${kindOf(aggregate)}`;
    throw wrong("aggregate")([{ pointer: "", message }]);
  }
  return kind;
}

/**
 * A kind of aggregate: three pure functions, with everything around them that is the same for all.
 *
 * It holds no state: one is enough for all aggregates of its kind.
 */
export interface Aggregate<
  State,
  Command extends { type: string },
  Event extends { eventName: string },
> {
  /** Its name on the wire, such as `BankAccount`. */
  readonly name: string;
  /** The JSON Schemas of its commands, events and state, as far as they are known. */
  readonly schemas: {
    commands: Record<string, object>;
    events: Record<string, object>;
    state: object | true;
  };
  /**
   * The events with which a state, or none, answers a command: none where everything is as the command wants. It writes
   * nothing: that is what stores are for.
   *
   * @throws {InvalidCommandError} naming every bad field
   * @throws {RejectedError} naming the rule
   * @throws {NotFoundError} where it takes a state and there is none
   */
  decide(
    state: Loaded<State> | null | undefined,
    command: Command,
    context: Context,
  ): AggregateEvent<Event>[];
  /**
   * The state after events, from another state or from none: strictly in their order, 1, 2, 3 …, all of one aggregate.
   * `null` where there is neither event nor state.
   *
   * @throws {ReduceError} naming the first event that cannot come next
   */
  reduceEvents(events: Iterable<Envelope>, state?: Loaded<State> | null): Loaded<State> | null;
  /**
   * The state after all events of one stream, from bytes: answers to a DynamoDB `Query`, a file of a DynamoDB export,
   * lines of JSON, or a JSON array. A page is a whole text. Events are applied in the order of their versions, wherever
   * they stand. `null` where there is no event.
   *
   * @throws {ReduceError} naming page, line and event
   * @throws {InvalidDataError} naming page and line of what is no event
   */
  replay(bytes: Bytes): Loaded<State> | null;
}

const parse = <T>(text: string | undefined): T | null =>
  text === undefined ? null : (JSON.parse(text) as T);

function made<State, Command extends { type: string }, Event extends { eventName: string }>(
  name: string,
  kind: Kind,
): Aggregate<State, Command, Event> {
  const aggregate: Aggregate<State, Command, Event> = {
    name,
    get schemas() {
      return JSON.parse(kind.schemas());
    },
    decide(state, command, context) {
      const order = commandToJson(command);
      const fields = new Fields("context", context);
      const sent = {
        id: fields.text("id"),
        actorId: fields.text("actorId"),
        now: fields.integer("now", 0),
        commandId: fields.optionalText("commandId"),
        correlationId: fields.optionalText("correlationId"),
        causationId: fields.optionalText("causationId"),
        random: [...(fields.bytes("random") ?? drawn())],
      };
      fields.check();
      const from = stateToJson(state);
      return JSON.parse(calling(() => kind.decide(from, order, sent)));
    },
    reduceEvents(events, state) {
      const list = eventsToJson(Array.isArray(events) ? events : listed(events));
      const from = stateToJson(state);
      const text = calling(() => kind.reduce(list, from));
      return text === undefined && state ? state : parse(text);
    },
    replay(bytes) {
      const list = pages(bytes);
      return parse(calling(() => kind.replay(list)));
    },
  };
  kinds.set(aggregate, kind);
  return Object.freeze(aggregate);
}

/** What can be gone through, as an array; anything else as it is, to be refused by name. */
function listed(events: unknown): unknown {
  const canIterate = typeof events === "object" && events !== null && Symbol.iterator in events;
  return canIterate ? [...(events as Iterable<unknown>)] : events;
}

/** A command as JSON. */
export function commandToJson(command: unknown): string {
  return toJson(command, (issues) => new InvalidCommandError(issues));
}

function stateToJson(state: unknown): string | undefined {
  return state === null || state === undefined ? undefined : toJson(state, wrong("state"));
}

/** The compiled domains that were asked for. */
const compiled = new Map<string, Aggregate<any, any, any>>();

/** Ten random bytes. */
export const drawn = (): Uint8Array => crypto.getRandomValues(new Uint8Array(10));

/**
 * A compiled domain.
 *
 * ```js
 * const account = aggregate("BankAccount");
 * ```
 *
 * @throws {NotFoundError} where none has that name
 */
export function aggregate<Name extends keyof Domains>(
  name: Name,
): Aggregate<Domains[Name]["state"], Domains[Name]["command"], Domains[Name]["event"]> {
  const fields = new Fields("aggregate", { name });
  const found = fields.text("name");
  fields.check();
  let known = compiled.get(found);
  if (!known) {
    known = made(
      found,
      calling(() => Kind.find(found)),
    );
    compiled.set(found, known);
  }
  return known;
}

/** What a domain's `decide` may know beside state and command. */
export interface DecideContext {
  /** The aggregate's id. */
  id: string;
  /** The version that is decided on; 0 before the first event. */
  version: number;
  /** Who sends the command. */
  actorId: string;
}

/** An event as `decide` gives it: its name and its own fields. The envelope is put around it. */
export type NewEvent<Event extends { eventName: string }> = Event extends unknown
  ? Omit<Event, Exclude<keyof Envelope, "eventName">>
  : never;

/** A domain written in JavaScript. */
export interface Definition<
  State extends object,
  Command extends { type: string },
  Event extends { eventName: string },
> {
  /** Its name on the wire. */
  name: string;
  /**
   * The events with which a state answers a command: several, one, or none. It throws a {@link RejectedError} where a
   * rule refuses the command, a {@link NotFoundError} where there is nothing yet to command, an
   * {@link InvalidCommandError} where the command is malformed. It answers at once, and changes nothing.
   */
  decide(
    state: State | undefined,
    command: Command,
    context: DecideContext,
  ): NewEvent<Event>[] | NewEvent<Event> | undefined | void;
  /** The state after an event. It repeats no rule: what happened, happened. */
  evolve(state: State | undefined, event: AggregateEvent<Event>): State;
  /**
   * Says which reducer this is: a text of your own, to be changed whenever states of the same events would change. Rows
   * that another reducer wrote are replayed from their events until they are rewritten (`DynamoStore.rebuild`). Where it
   * is absent, the source of `evolve` says it; in production, where a build step may change that source and `evolve`
   * calls other functions, give one.
   */
  revision?: string;
}

/**
 * A domain written in JavaScript: `decide` and `evolve` are yours, everything else is the core's.
 *
 * ```js
 * const counter = defineAggregate({
 *   name: "Counter",
 *   decide: (state, command) => ({ eventName: "Counted", by: command.by }),
 *   evolve: (state, event) => ({ sum: (state?.sum ?? 0) + event.by }),
 * });
 * ```
 *
 * Define it once, where your program starts: it is never freed.
 */
export function defineAggregate<
  State extends object,
  Command extends { type: string } = { type: string; [field: string]: any },
  Event extends { eventName: string } = { eventName: string; [field: string]: any },
>(definition: Definition<State, Command, Event>): Aggregate<State, Command, Event> {
  const fields = new Fields("definition", definition);
  const name = fields.text("name");
  const decide = fields.required<Definition<State, Command, Event>["decide"]>("decide", "function");
  const evolve = fields.required<Definition<State, Command, Event>["evolve"]>("evolve", "function");
  const revision = fields.optionalText("revision");
  fields.check();
  if (revision === undefined && `${evolve}`.includes("[native code]")) {
    const message = "it is missing: the source of this `evolve` does not say which reducer it is";
    throw wrong("definition")([{ pointer: "/revision", message }]);
  }

  const hooks = {
    decide(state: string | undefined, command: string, context: string): string {
      const fields = JSON.parse(command) as Command;
      const from = state === undefined ? undefined : (JSON.parse(state) as State);
      return decided(name, fields.type, () => decide(from, fields, JSON.parse(context)));
    },
    fold(state: string | undefined, events: string): string {
      remember(undefined);
      let now = state === undefined ? undefined : (JSON.parse(state) as State);
      const list = JSON.parse(events) as AggregateEvent<Event>[];
      let index = 0;
      try {
        for (; index < list.length; index += 1) now = evolve(now, list[index]!);
      } catch (thrown) {
        remember(thrown);
        return JSON.stringify({ failed: { index, message: `\`evolve\` threw ${saying(thrown)}` } });
      }
      const issues = isPlain(now)
        ? issuesOf(now)
        : [{ pointer: "", message: `it is ${kindOf(now)}` }];
      if (issues.length > 0) {
        const message = `\`evolve\` gave what is no state: ${told(issues)}`;
        return JSON.stringify({ failed: { index: list.length - 1, message } });
      }
      return `{"state":${JSON.stringify(now)}}`;
    },
  };
  const source = revision === undefined ? `source ${evolve}` : `revision ${revision}`;
  return made(
    name,
    calling(() => Kind.define(name, source, hooks)),
  );
}

const isPlain = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const saying = (thrown: unknown): string =>
  thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : kindOf(thrown);

/** What a domain's `decide` came to, as the core reads it. */
function decided(name: string, type: string, decide: () => unknown): string {
  remember(undefined);
  const failed = (what: string) => JSON.stringify({ failed: `${name}.decide(${type}) ${what}` });
  let answer: unknown;
  try {
    answer = decide();
  } catch (thrown) {
    remember(thrown);
    if (thrown instanceof RejectedError) {
      return JSON.stringify({ rejected: { code: thrown.code, message: thrown.message } });
    }
    if (thrown instanceof InvalidCommandError) return JSON.stringify({ invalid: thrown.issues });
    if (thrown instanceof NotFoundError) return '"missing"';
    return failed(`threw ${saying(thrown)}`);
  }
  if (isPlain(answer) && typeof (answer as { then?: unknown }).then === "function") {
    return failed("gave a promise: it has to answer at once");
  }
  const events =
    answer === undefined || answer === null ? [] : Array.isArray(answer) ? answer : [answer];
  const index = events.findIndex((event) => !isPlain(event));
  if (index >= 0) return failed(`gave ${kindOf(events[index])} at /${index}, which is no event`);
  const issues = issuesOf(events);
  if (issues.length > 0) return failed(`gave what is no event: ${told(issues)}`);
  return JSON.stringify({ events });
}
