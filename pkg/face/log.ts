// Logs and time travel.

import {
  kindOfAggregate,
  type Aggregate,
  type AggregateEvent,
  type Bytes,
  type Loaded,
} from "./aggregate.js";
import { eventsOfRecords, Line, Log } from "./core.js";
import { asError, calling, type ReduceError } from "./errors.js";
import { Fields, pages, text, toJson, wrong } from "./json.js";

type AnyAggregate = Aggregate<any, any, any>;

/** One difference between two states. */
export interface Change {
  op: "add" | "remove" | "replace";
  /** A JSON pointer into the state. */
  path: string;
  /** What was there; absent where nothing was. */
  from?: unknown;
  /** What is there; absent where nothing is. */
  to?: unknown;
}

/** One event that changed a field. */
export interface Cause {
  version: number;
  eventId: string;
  eventName: string;
  from?: unknown;
  to?: unknown;
}

/** A stream of a log. */
export interface Stream {
  aggregateId: string;
  aggregateName: string;
  /** The version that its events reach without a gap. */
  version: number;
  lastEventName: string;
  /** When the last one happened, in ISO 8601. */
  updatedAt: string;
}

const given = (aggregate: AnyAggregate | undefined) =>
  aggregate === undefined ? undefined : kindOfAggregate(aggregate).copy();

/** The history of one stream: its state at any version, what changed, and why. It holds the events in the core's memory. */
export class Timeline<State = Record<string, unknown>> {
  readonly #line: Line;

  /** @internal */
  constructor(line: Line) {
    this.#line = line;
  }

  /**
   * The timeline of the one stream in these bytes: see {@link Aggregate.replay} for what they can be. It is replayed by
   * `aggregate`, or by the compiled domain that the events name, or, where there is none, each field shows its last
   * value.
   *
   * @throws {ReduceError} naming the first event that cannot come next
   * @throws {InvalidDataError} naming page and line of what is no event
   */
  static from<State = Record<string, unknown>>(
    bytes: Bytes,
    aggregate?: Aggregate<State, any, any>,
  ): Timeline<State> {
    const [list, kind] = [pages(bytes), given(aggregate)];
    return new Timeline<State>(calling(() => new Line(list, kind)));
  }

  /** How many events it has, which is the version at its end. */
  get length(): number {
    return this.#line.length;
  }

  /** The first event of the stream that does not reduce: the timeline ends before it. */
  get problem(): ReduceError | undefined {
    const problem = this.#line.problem();
    return problem === undefined ? undefined : (asError(problem) as ReduceError);
  }

  /** The state after `version` events; `null` at 0, the last one where there are fewer. */
  stateAt(version: number): Loaded<State> | null {
    const at = versions({ version });
    const text = calling(() => this.#line.state(at.version!));
    return text === undefined ? null : JSON.parse(text);
  }

  /** The version at a time, in milliseconds since the epoch or as a Date: how many events there were. */
  versionAt(time: number | Date): number {
    const at = versions({ time: Number(time) });
    return this.#line.versionAt(at.time!);
  }

  /** What changed from one version to another. */
  diff(from: number, to: number): Change[] {
    const at = versions({ from, to });
    return JSON.parse(calling(() => this.#line.diff(at.from!, at.to!)));
  }

  /** The events that changed the field at `path`, a JSON pointer into the state; `""` is the whole state. */
  why(path: string): Cause[] {
    const pointer = path === "" ? "" : text("path", path);
    return JSON.parse(calling(() => this.#line.why(pointer)));
  }

  /** The events behind a version, 1,000 at the most where nothing else is asked for. */
  events(options: { after?: number; limit?: number } = {}): AggregateEvent[] {
    const fields = new Fields("options", options);
    const after = fields.optionalInteger("after", 0) ?? 0;
    const limit = fields.optionalInteger("limit", 0) ?? 1_000;
    fields.check();
    return JSON.parse(calling(() => this.#line.events(after, limit)));
  }

  /** Gives its memory back at once, and not when it is collected. It cannot be used afterwards. */
  free(): void {
    this.#line.free();
  }
}

function versions(given: Record<string, number>): Record<string, number> {
  const fields = new Fields("arguments", given);
  for (const name of Object.keys(given)) fields.integer(name, 0);
  fields.check();
  return given;
}

/** A whole log of many streams, of known domains or not. It holds the events in the core's memory. */
export class EventLog {
  readonly #log: Log;

  private constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Reads a DynamoDB export, answers to queries, lines of JSON or one JSON array; gzip or plain. Several pieces are read
   * as one text, so the files of an export can be given as they are. Whatever is wrong is told in
   * {@link EventLog.problems}; the good rest is there.
   */
  static from(bytes: Bytes): EventLog {
    const list = pages(bytes);
    return new EventLog(calling(() => new Log(list)));
  }

  /** Its streams, in the order in which they first appear. */
  streams(): Stream[] {
    return calling(() => this.#log.streams()) as Stream[];
  }

  /** What is wrong in it, and what became of it: nothing is dropped in silence. Lines are counted from 1. */
  get problems(): { line: number; message: string }[] {
    return calling(() => this.#log.problems()) as { line: number; message: string }[];
  }

  /**
   * The timeline of a stream, up to the first event that does not reduce ({@link Timeline.problem}).
   *
   * @throws {NotFoundError} where the log has no such stream
   */
  timeline<State = Record<string, unknown>>(
    aggregateId: string,
    aggregate?: Aggregate<State, any, any>,
  ): Timeline<State> {
    const [id, kind] = [text("aggregateId", aggregateId), given(aggregate)];
    return new Timeline<State>(calling(() => this.#log.timeline(id, kind)));
  }

  /** Its events as lines of JSON, in the order in which they came in, each the very text that it was. */
  toNdjson(): Uint8Array {
    return new TextEncoder().encode(this.#log.ndjson());
  }

  /** Gives its memory back at once, and not when it is collected. It cannot be used afterwards. */
  free(): void {
    this.#log.free();
  }
}

/**
 * The events in records of a DynamoDB stream, as Lambda gets them or `GetRecords` gives them: an array, or an object with
 * `Records`. They keep their order. Records of removed items hold no event and are left out.
 *
 * @throws {InvalidDataError} naming the first record that is none, or tells of an event that was changed
 */
export function eventsFromStreamRecords(records: object): AggregateEvent[] {
  const json = toJson(records, wrong("records"));
  return JSON.parse(calling(() => eventsOfRecords(json)));
}
