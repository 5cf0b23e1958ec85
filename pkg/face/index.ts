// Everything that the package gives. Each entry (node, browser, workerd, inline) starts the core and gives this.

export {
  aggregate,
  defineAggregate,
  type Aggregate,
  type AggregateEvent,
  type Bytes,
  type Context,
  type DecideContext,
  type Definition,
  type Envelope,
  type Loaded,
  type Meta,
  type NewEvent,
} from "./aggregate.js";
export type * from "./domains.js";
export type { Credentials } from "./drive.js";
export {
  ConflictError,
  DomainError,
  InvalidCommandError,
  InvalidDataError,
  KeyReusedError,
  NotFoundError,
  ReduceError,
  RejectedError,
  RewoundError,
  StoreError,
  type Issue,
} from "./errors.js";
export {
  EventLog,
  eventsFromStreamRecords,
  Timeline,
  type Cause,
  type Change,
  type Stream,
} from "./log.js";
export {
  DynamoStore,
  MemoryStore,
  type Cost,
  type DynamoStoreOptions,
  type EventsOptions,
  type ExecuteOptions,
  type Executed,
  type ListOptions,
  type Page,
  type Store,
} from "./store.js";
