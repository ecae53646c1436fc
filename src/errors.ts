/**
 * Operating errors, each with a stable code, the remedy and a meaning. Programmer errors are
 * node:assert failures instead and are never caught.
 *
 * Owns: the table of codes. Does not own: redis's error replies (resp/).
 * Tested in: test/unit/wire/codec.test.ts, test/unit/node/check-then-append.test.ts.
 */

/** What the owner does about an error, ordered from mildest to gravest. */
export type Remedy = "reconnect" | "resync" | "refuse" | "stop";

export type WireErrorCode =
  | "ERR_WIRE_HEADER_CRC"
  | "ERR_WIRE_BODY_CRC"
  | "ERR_WIRE_CHAIN"
  | "ERR_WIRE_TYPE"
  | "ERR_WIRE_LENGTH"
  | "ERR_WIRE_OFFSET"
  | "ERR_WIRE_BODY"
  | "ERR_WIRE_STATE";
export type StoreErrorCode =
  | "ERR_STORE_RECORD"
  | "ERR_STORE_CHUNK"
  | "ERR_STORE_SNAPSHOT_CLOSED"
  | "ERR_STORE_FULL"
  | "ERR_STORE_FAILED"
  | "ERR_STORE_REFUSED"
  | "ERR_STORE_MARK"
  | "ERR_STORE_WORKER";
export type LogErrorCode = "ERR_LOG_RECORD_SIZE" | "ERR_LOG_FULL";
export type DiskErrorCode =
  | "ERR_DISK_FULL"
  | "ERR_DISK_WRITE"
  | "ERR_DISK_READ"
  | "ERR_DISK_SYNC"
  | "ERR_DISK_DAMAGED"
  | "ERR_DISK_LOCKED";
export type ArgumentErrorCode = "ERR_ARGUMENT";
export type UsageErrorCode = "ERR_USAGE";
export type NodeErrorCode =
  | "ERR_NOT_SYNCED"
  | "ERR_CLOSED"
  | "ERR_TIMEOUT"
  | "ERR_CANNOT_FOLLOW"
  | "ERR_NOT_PROMOTED"
  | "ERR_NOT_HANDED_OVER"
  | "ERR_MAXMEMORY"
  | "ERR_NOT_INTEGER"
  | "ERR_WORKER"
  | "ERR_READONLY"
  | "ERR_INSIDE_BODY"
  | "ERR_POSITION_GONE"
  | "ERR_NO_REPLICAS"
  | "ERR_UNCONFIRMED"
  | "ERR_STALE";

/** Every code that an error of hawser has. */
export type ErrorCode =
  | WireErrorCode
  | StoreErrorCode
  | LogErrorCode
  | DiskErrorCode
  | ArgumentErrorCode
  | UsageErrorCode
  | NodeErrorCode;

/** Every code with its remedy and meaning. */
export const ERRORS: Readonly<
  Record<ErrorCode, { readonly remedy: Remedy; readonly meaning: string }>
> = {
  ERR_WIRE_HEADER_CRC: { remedy: "reconnect", meaning: "a frame header does not match its crc32" },
  ERR_WIRE_BODY_CRC: { remedy: "reconnect", meaning: "a frame body does not match its crc32" },
  ERR_WIRE_CHAIN: { remedy: "reconnect", meaning: "a batch does not continue the chain" },
  ERR_WIRE_TYPE: { remedy: "reconnect", meaning: "a frame type that does not exist" },
  ERR_WIRE_LENGTH: { remedy: "reconnect", meaning: "a frame declares more than its type allows" },
  ERR_WIRE_OFFSET: { remedy: "reconnect", meaning: "a batch is not at the expected offset" },
  ERR_WIRE_BODY: { remedy: "reconnect", meaning: "a frame body does not parse" },
  ERR_WIRE_STATE: { remedy: "reconnect", meaning: "a frame that is not allowed in this state" },
  ERR_STORE_RECORD: { remedy: "stop", meaning: "a record is not in the store's format" },
  ERR_STORE_CHUNK: { remedy: "resync", meaning: "a snapshot chunk is not in the store's format" },
  ERR_STORE_SNAPSHOT_CLOSED: { remedy: "resync", meaning: "the snapshot was closed meanwhile" },
  ERR_STORE_FULL: { remedy: "stop", meaning: "the store's address space or memory is used up" },
  ERR_STORE_FAILED: { remedy: "stop", meaning: "the state failed, and may be at no position" },
  ERR_STORE_REFUSED: {
    remedy: "reconnect",
    meaning: "the state failed, and is what it was before",
  },
  ERR_STORE_MARK: { remedy: "refuse", meaning: "the mark that a state gave back is not readable" },
  ERR_STORE_WORKER: { remedy: "resync", meaning: "the serializer worker failed" },
  ERR_NOT_SYNCED: {
    remedy: "refuse",
    meaning: "a replica that never had a state was asked for it",
  },
  ERR_CLOSED: { remedy: "refuse", meaning: "a node that was closed was asked to change" },
  ERR_TIMEOUT: { remedy: "refuse", meaning: "what was waited for did not come in time" },
  ERR_CANNOT_FOLLOW: {
    remedy: "refuse",
    meaning: "a replica will not get what its upstream has while both are as they are",
  },
  ERR_NOT_PROMOTED: { remedy: "refuse", meaning: "a replica cannot become a primary now" },
  ERR_NOT_HANDED_OVER: {
    remedy: "refuse",
    meaning: "no replica leads in the place of this primary",
  },
  ERR_MAXMEMORY: {
    remedy: "refuse",
    meaning: "memory is at maxmemory, and the state may not grow",
  },
  ERR_NOT_INTEGER: { remedy: "refuse", meaning: "a value, or a sum, is no whole number" },
  ERR_WORKER: { remedy: "stop", meaning: "there is no code for worker threads, or another one" },
  ERR_READONLY: { remedy: "refuse", meaning: "a node that does not lead was asked to change" },
  ERR_INSIDE_BODY: {
    remedy: "refuse",
    meaning: "what was called within the body of an update would wait for that body",
  },
  ERR_POSITION_GONE: {
    remedy: "refuse",
    meaning: "a position that this node's log does not have, and never will",
  },
  ERR_NO_REPLICAS: {
    remedy: "refuse",
    meaning: "fewer replicas are near than minReplicasToWrite asks for",
  },
  ERR_UNCONFIRMED: {
    remedy: "refuse",
    meaning: "written here, and too few members have confirmed it: it may be lost",
  },
  ERR_STALE: {
    remedy: "refuse",
    meaning: "what a replica would show may be older than replicaMaxStalenessMs allows",
  },
  ERR_LOG_RECORD_SIZE: { remedy: "refuse", meaning: "a record is larger than recordBytesMax" },
  ERR_LOG_FULL: { remedy: "reconnect", meaning: "there is no memory for the log" },
  ERR_DISK_FULL: { remedy: "refuse", meaning: "there is no room on the disk" },
  ERR_DISK_WRITE: { remedy: "refuse", meaning: "a file cannot be written" },
  ERR_DISK_READ: { remedy: "stop", meaning: "a file cannot be read" },
  ERR_DISK_SYNC: { remedy: "stop", meaning: "nobody knows any more what of a file is on the disk" },
  ERR_DISK_DAMAGED: { remedy: "stop", meaning: "a file is not what was written to it" },
  ERR_DISK_LOCKED: { remedy: "refuse", meaning: "another process has the data directory open" },
  ERR_USAGE: { remedy: "refuse", meaning: "an option that does not exist or is not allowed" },
  ERR_ARGUMENT: { remedy: "refuse", meaning: "an argument that is not allowed" },
};

/** Base of every operating error here. */
export class HawserError<C extends ErrorCode = ErrorCode> extends Error {
  /** Stable: what a program decides by. The message is for people. */
  readonly code: C;
  /** What whoever hears of it does: reconnect, resync, refuse what was asked, stop. */
  readonly remedy: Remedy;
  constructor(code: C, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.name = new.target.name;
    this.code = code;
    this.remedy = ERRORS[code].remedy;
  }
}

/** Bytes from a peer break the protocol. */
export class WireError extends HawserError<WireErrorCode> {}

/** The store refuses a record, a chunk or an operation. */
export class StoreError extends HawserError<StoreErrorCode> {}

/** The node is not in a state to do what it was asked. */
export class NodeError extends HawserError<NodeErrorCode> {}

/** The log refuses an append or a read. */
export class LogError extends HawserError<LogErrorCode> {}

/** The data directory refuses, or what is in it is damaged. */
export class DiskError extends HawserError<DiskErrorCode> {
  /** Of what a log on disk told of itself. */
  static of({ code, message }: DiskFault): DiskError {
    return new DiskError(code, message);
  }
}

/** What went wrong with a disk, as it is told between threads. */
export interface DiskFault {
  readonly code: DiskErrorCode;
  readonly message: string;
}

/** An embedder gave a value that is not allowed; the message names it and what is. */
export class ArgumentError extends HawserError<ArgumentErrorCode> {}

/** What went wrong, on one line. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
