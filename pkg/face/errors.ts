// The errors, each a class of its own: `error instanceof RejectedError` tells them apart, and so does `error.name`.

/** One thing that is wrong, and where. */
export interface Issue {
  /** A JSON pointer (RFC 6901) to the place; empty for the whole. */
  pointer: string;
  /** What was expected there, and what was found. */
  message: string;
}

/** Every error of this package is one. */
export class RewoundError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The command is malformed: its sender has to change it. */
export class InvalidCommandError extends RewoundError {
  /** Every bad field, by its pointer into the command. */
  readonly issues: Issue[];

  constructor(issues: Issue[], options?: ErrorOptions) {
    super(`the command is malformed: ${told(issues)}`, options);
    this.issues = issues;
  }
}

/**
 * Something else that was given is not what was asked for (options, events, bytes), or a number came up that JavaScript
 * cannot hold.
 */
export class InvalidDataError extends RewoundError {
  /** What is wrong, by its pointer into what was given; empty where it is bytes. */
  readonly issues: Issue[];
  /** The page and the line in it, both from 1, where it is bytes. */
  readonly page: number | undefined;
  readonly line: number | undefined;

  constructor(
    message: string,
    issues: Issue[],
    place: { page?: number | undefined; line?: number | undefined } = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.issues = issues;
    this.page = place.page;
    this.line = place.line;
  }
}

/** A business rule refuses the command in the present state. A domain's `decide` throws it. */
export class RejectedError extends RewoundError {
  /** The rule's stable name, such as `insufficient-funds`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The aggregate is not at the version that was expected, or other writers won every attempt. */
export class ConflictError extends RewoundError {
  /** The version that was expected; 0 for "create only". */
  readonly expected: number;
  /** The version that was met; absent where the store did not say. */
  readonly actual: number | undefined;
  /** How many commits were tried; absent where the version was pinned. */
  readonly attempts: number | undefined;

  constructor(
    message: string,
    versions: { expected: number; actual?: number | undefined; attempts?: number | undefined },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.expected = versions.expected;
    this.actual = versions.actual;
    this.attempts = versions.attempts;
  }
}

/** The idempotency key was used with another command. */
export class KeyReusedError extends RewoundError {
  readonly key: string;

  constructor(message: string, key: string, options?: ErrorOptions) {
    super(message, options);
    this.key = key;
  }
}

/** There is no such aggregate, stream or domain. A domain's `decide` throws it for what was never created. */
export class NotFoundError extends RewoundError {
  readonly aggregateName: string | undefined;
  readonly aggregateId: string | undefined;

  constructor(
    message = "it was never created",
    of: { aggregateName?: string | undefined; aggregateId?: string | undefined } = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.aggregateName = of.aggregateName;
    this.aggregateId = of.aggregateId;
  }
}

/** An event that cannot come next in its stream. */
export class ReduceError extends RewoundError {
  /** The version that the event claims. */
  readonly version: number;
  readonly aggregateId: string;
  readonly eventId: string;
  readonly eventName: string;
  /** The page and the line in it, both from 1, where it came in bytes. */
  readonly page: number | undefined;
  readonly line: number | undefined;

  constructor(
    message: string,
    of: {
      version: number;
      aggregateId: string;
      eventId: string;
      eventName: string;
      page?: number | undefined;
      line?: number | undefined;
    },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.version = of.version;
    this.aggregateId = of.aggregateId;
    this.eventId = of.eventId;
    this.eventName = of.eventName;
    this.page = of.page;
    this.line = of.line;
  }
}

/** A domain's own `decide` failed, or gave what is no event. What it threw is the `cause`. */
export class DomainError extends RewoundError {}

/** The store did not do what it was asked. */
export class StoreError extends RewoundError {
  /** Whether the same may succeed later. */
  readonly retryable: boolean;
  /**
   * Whether the command may have taken effect all the same, since its answer was lost. Send it again with its
   * idempotency key to find out.
   */
  readonly uncertain: boolean;

  constructor(
    message: string,
    of: { retryable?: boolean | undefined; uncertain?: boolean | undefined } = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.retryable = of.retryable ?? false;
    this.uncertain = of.uncertain ?? false;
  }
}

/** What is wrong, as one text. */
export function told(issues: Issue[]): string {
  return issues
    .map(({ pointer, message }) => (pointer ? `${pointer}: ${message}` : message))
    .join("; ");
}

/** As the core throws. */
interface Thrown {
  kind: string;
  message: string;
  issues?: Issue[];
  code?: string;
  expected?: number;
  actual?: number;
  attempts?: number;
  key?: string;
  aggregateName?: string;
  aggregateId?: string;
  version?: number;
  eventId?: string;
  eventName?: string;
  page?: number;
  line?: number;
  retryable?: boolean;
  uncertain?: boolean;
}

/** The error that something thrown is. `cause` is what a domain's own function threw last, or what kept an answer away. */
export function asError(thrown: unknown, cause?: unknown): unknown {
  if (thrown instanceof Error) {
    // What wasm-bindgen says of an object that was freed.
    const isFreed = /null pointer passed to rust/.test(thrown.message);
    return isFreed
      ? new RewoundError("it was freed: it cannot be used any more", { cause: thrown })
      : thrown;
  }
  if (typeof thrown !== "object" || thrown === null) return thrown;
  const of = thrown as Thrown;
  const options = cause === undefined ? undefined : { cause };
  switch (of.kind) {
    // A domain's own error stays the very object that it is.
    case "InvalidCommandError":
      return cause instanceof InvalidCommandError
        ? cause
        : new InvalidCommandError(of.issues ?? []);
    case "RejectedError": {
      const isOwn = cause instanceof RejectedError && cause.code === of.code;
      return isOwn ? cause : new RejectedError(of.code ?? "", of.message);
    }
    case "NotFoundError": {
      const isOwn = cause instanceof NotFoundError && cause.message !== new NotFoundError().message;
      return isOwn ? cause : new NotFoundError(of.message, of);
    }
    case "InvalidDataError":
      return new InvalidDataError(of.message, of.issues ?? [], of);
    case "ConflictError":
      return new ConflictError(of.message, { ...of, expected: of.expected ?? 0 });
    case "KeyReusedError":
      return new KeyReusedError(of.message, of.key ?? "");
    case "ReduceError": {
      const { version = 0, aggregateId = "", eventId = "", eventName = "", page, line } = of;
      return new ReduceError(
        of.message,
        { version, aggregateId, eventId, eventName, page, line },
        options,
      );
    }
    case "DomainError":
      return new DomainError(of.message, options);
    case "StoreError":
      return new StoreError(of.message, of, options);
    default:
      return new RewoundError(String(of.message ?? thrown), options);
  }
}

/** What a domain's own functions threw while the core was at work: the cause of its error. */
let cause: unknown;

/** Remembers what a domain's own function threw, for the error that the core makes of it. */
export function remember(thrown: unknown): void {
  cause = thrown;
}

/** Calls the core, and throws its errors as ours. `before` is what may have led to one. */
export function calling<T>(call: () => T, before?: unknown): T {
  cause = before;
  try {
    return call();
  } catch (thrown) {
    throw asError(thrown, cause);
  } finally {
    cause = undefined;
  }
}
