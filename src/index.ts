/**
 * hawser, embedded: the public list.
 *
 *   Primary     a key-value state in this process that feeds replicas
 *   Replica     a copy of a primary's state in this process
 *   replicate   a state of your own in this process, as a primary or a replica
 *   mapState    a Map that can be replicated
 *   levelState, lmdbState  stores on disk as states to be replicated
 *
 * @see docs/ARCHITECTURE.md for guarantees
 */
export {
  type LevelDatabase,
  levelState,
  type LevelState,
  type LevelStateOptions,
} from "./adapters/level.ts";
export {
  type LmdbDatabase,
  lmdbState,
  type LmdbState,
  type LmdbStateOptions,
} from "./adapters/lmdb.ts";
export { Primary, type PrimaryOptions } from "./embed/primary.ts";
export { Replica, type ReplicaOptions } from "./embed/replica.ts";
export type { EmbeddedNode } from "./embed/embedded-node.ts";
export type { Bytes, Expiry } from "./embed/bytes.ts";
export type { Change } from "./embed/key-writer.ts";
export type { Encoded, Encoding, ScanOptions, ScanStep, WalkOptions } from "./embed/key-reader.ts";
export type { HandOver } from "./embed/hand-over.ts";
export { replicate, type ReplicateOptions } from "./embed/replicate.ts";
export type { ConfirmationLevel, ReplicatedNode } from "./embed/replicated-node.ts";
export type {
  Awaitable,
  Batch,
  Frozen,
  Log,
  LogPosition,
  Mark,
  Part,
  RecordFormat,
  Records,
  ReplicatedState,
  Staging,
  StateDurability,
  StateLog,
  Wait,
} from "./bridge/seam.ts";
export type { NodeSettings } from "./embed/open.ts";
export type { NodeEventName, NodeEvents, NodeListener } from "./node/events.ts";
export type {
  DiskStatus,
  FailoverState,
  LinkStatus,
  NodeStatus,
  RecoveryStatus,
  ShipStatus,
  UpstreamStatus,
} from "./node/api.ts";
export type { Near } from "./node/nearness.ts";
export { keyValueCodec, mapState, MapState } from "./adapters/map.ts";
export { type Codec, mapCodecs } from "./adapters/map-codecs.ts";
export type { MapCodec } from "./adapters/map-records.ts";
export { UsageError } from "./node/option-values.ts";
export { HawserError, type ErrorCode } from "./errors.ts";
export type { Position } from "./wire/messages.ts";
