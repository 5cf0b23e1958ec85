// Values on their way to the core as JSON text, which loses nothing where it says nothing.

import { InvalidDataError, told, type Issue } from "./errors.js";

/** Whether a text has a lone surrogate, which no UTF-8 can hold. */
const isWhole = (text: string): boolean => text.isWellFormed();

const SURROGATE = "expected a text, found one with half a character (a lone surrogate)";

/** A pointer one level deeper. */
const below = (path: string, key: string): string =>
  `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;

/**
 * Whatever JSON would drop or change in silence, or refuse without saying where: functions, symbols, NaN, bigints,
 * cycles, lone surrogates. A field that is undefined is left out, and what has a `toJSON` is what that gives.
 */
function look(value: unknown, path: string, above: object[], issues: Issue[]): void {
  const found = (message: string) => issues.push({ pointer: path, message });
  switch (typeof value) {
    case "string":
      if (!isWhole(value)) found(SURROGATE);
      return;
    case "number":
      if (!Number.isFinite(value)) found(`expected a number, found ${value}`);
      // What is not exact is not what somebody counted, and comes back with other digits.
      else if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
        found(`expected an integer up to 2^53 − 1, found ${value}: pass a text`);
      }
      return;
    case "bigint":
      found(`expected a value that JSON holds, found the bigint ${value}: pass a number or a text`);
      return;
    case "function":
    case "symbol":
    case "undefined":
      found(`expected a value that JSON holds, found ${typeof value}`);
      return;
    case "boolean":
      return;
  }
  if (value === null) return;
  const object = value as object;
  if (object instanceof Date && Number.isNaN(object.getTime())) {
    found("expected a date, found an invalid one");
    return;
  }
  if ("toJSON" in object && typeof object.toJSON === "function") {
    return look(object.toJSON(""), path, above, issues);
  }
  if (above.includes(object)) {
    found("it contains itself: JSON holds no cycles");
    return;
  }
  if (above.length >= 100) {
    found("it is nested deeper than 100 levels");
    return;
  }
  const inside = [...above, object];
  if (Array.isArray(object)) {
    // By index, since a hole would be skipped: JSON makes null of it.
    for (let index = 0; index < object.length; index += 1) {
      look(object[index], below(path, String(index)), inside, issues);
    }
    return;
  }
  const kind = Object.prototype.toString.call(object);
  if (kind !== "[object Object]" || object instanceof Map || object instanceof Set) {
    found(`expected a plain object, found ${kind.slice(8, -1)}`);
    return;
  }
  for (const [key, item] of Object.entries(object)) {
    if (!isWhole(key)) found("a field's name has half a character (a lone surrogate)");
    if (item !== undefined) look(item, below(path, key), inside, issues);
  }
}

/** What is wrong with a value that is to become JSON. */
export function issuesOf(value: unknown): Issue[] {
  const issues: Issue[] = [];
  try {
    look(value, "", [], issues);
  } catch (error) {
    // A getter or a `toJSON` that throws.
    issues.push({ pointer: "", message: `it cannot be read: ${String(error)}` });
  }
  return issues;
}

/** A value as JSON; `fail` makes the error of what is wrong with it. */
export function toJson(value: unknown, fail: (issues: Issue[]) => Error): string {
  const issues = issuesOf(value);
  if (issues.length > 0) throw fail(issues);
  return JSON.stringify(value);
}

/** The error of an argument that is not what it should be. */
export const wrong =
  (what: string) =>
  (issues: Issue[]): InvalidDataError =>
    new InvalidDataError(`${what}: ${told(issues)}`, issues);

/** Many events as JSON. */
export function eventsToJson(events: unknown): string {
  const fail = wrong("events");
  if (!Array.isArray(events)) {
    throw fail([{ pointer: "", message: `expected an array of events, found ${kindOf(events)}` }]);
  }
  return toJson(events, fail);
}

/** What something is, for messages. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object")
    return `an object (${value.constructor?.name ?? "without a class"})`;
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "undefined" || typeof value === "function" ? typeof value : String(value);
}

/** Looks at options one by one, and tells of all that is wrong with them at once. */
export class Fields {
  readonly #given: Record<string, unknown>;
  readonly #issues: Issue[] = [];
  readonly #what: string;
  readonly #asked = new Set<string>();

  constructor(what: string, given: unknown) {
    this.#what = what;
    const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
    if (!isObject) this.#wrong("", `expected an object, found ${kindOf(given)}`);
    this.#given = isObject ? (given as Record<string, unknown>) : {};
  }

  #wrong(pointer: string, message: string): void {
    this.#issues.push({ pointer, message });
  }

  #ask(name: string): unknown {
    this.#asked.add(name);
    return this.#given[name];
  }

  /** A text of one character at least. */
  text(name: string): string {
    const value = this.#ask(name);
    if (typeof value !== "string" || value === "") {
      this.#wrong(`/${name}`, `expected a text that is not empty, found ${kindOf(value)}`);
      return "";
    }
    if (!isWhole(value)) this.#wrong(`/${name}`, SURROGATE);
    return value;
  }

  optionalText(name: string): string | undefined {
    return this.#ask(name) === undefined ? undefined : this.text(name);
  }

  integer(name: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.#ask(name);
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
      this.#wrong(
        `/${name}`,
        `expected an integer from ${least} to ${most}, found ${kindOf(value)}`,
      );
      return least;
    }
    return value as number;
  }

  optionalInteger(name: string, least: number, most?: number): number | undefined {
    return this.#ask(name) === undefined ? undefined : this.integer(name, least, most);
  }

  /** Something of a type that `typeof` names, or nothing. */
  optional<T>(name: string, type: "function" | "object"): T | undefined {
    const value = this.#ask(name);
    if (value === undefined) return undefined;
    if (typeof value !== type || value === null) {
      this.#wrong(
        `/${name}`,
        `expected ${type === "object" ? "an object" : "a function"}, found ${kindOf(value)}`,
      );
      return undefined;
    }
    return value as T;
  }

  required<T>(name: string, type: "function" | "object"): T {
    if (this.#ask(name) === undefined) this.#wrong(`/${name}`, "it is missing");
    return this.optional<T>(name, type) as T;
  }

  /** Ten bytes or more, or nothing. */
  bytes(name: string): Uint8Array | undefined {
    const value = this.#ask(name);
    if (value === undefined || (value instanceof Uint8Array && value.length >= 10)) return value;
    this.#wrong(`/${name}`, `expected a Uint8Array of ten bytes, found ${kindOf(value)}`);
    return undefined;
  }

  /** Throws where anything was wrong, and where something was given that nobody asked for: a name with a typo. */
  check(): void {
    for (const name of Object.keys(this.#given)) {
      const known = [...this.#asked].join(", ");
      if (!this.#asked.has(name))
        this.#wrong(`/${name}`, `there is no such field; there are: ${known}`);
    }
    if (this.#issues.length > 0) throw wrong(this.#what)(this.#issues);
  }
}

/** One text argument. */
export function text(what: string, value: unknown): string {
  const fields = new Fields(what, { [what]: value });
  const found = fields.text(what);
  fields.check();
  return found;
}

/** Bytes, or pages of them. */
export function pages(value: unknown): Uint8Array[] {
  const list = Array.isArray(value) ? value : [value];
  const issues = list.flatMap((page, index) => {
    if (page instanceof Uint8Array) return [];
    const pointer = Array.isArray(value) ? `/${index}` : "";
    return [{ pointer, message: `expected a Uint8Array, found ${kindOf(page)}` }];
  });
  if (issues.length > 0) throw wrong("bytes")(issues);
  return list as Uint8Array[];
}
