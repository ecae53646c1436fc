/**
 * What `hawser status`, `verify`, `checkpoint`, `switchover` and `members` believe of a node's answer.
 *
 * The node that is asked may be another program, another version, or somebody's trap. So an answer is
 * read whole before a word of it is used: every field that is shown or reckoned with has its type and
 * its range, ids are hex digits, names are words, and only free texts (hosts, errors, keys) are left to
 * escape where they are shown. Fields that are not known are kept for --json and used nowhere.
 *
 * Pure. Owns: the shapes. Does not own: the fields' meaning (node/api.ts), what is shown (status.ts).
 * Tested in: test/unit/fuzz/answers.test.ts.
 */
import type { NodeStatus } from "../node/api.ts";
import type { SyncStatus } from "../node/member-status.ts";
import type { BucketKeys } from "../node/bucket.ts";
import type { KeptEvent } from "../node/event-log.ts";
import { escapeJson } from "../node/logger.ts";
import type { VerifyReport } from "../node/verifier.ts";
import type { Position } from "../wire/messages.ts";

/** What REPL.CHECKPOINT answers. */
export interface CheckpointReport {
  readonly position: Position;
  readonly records: number;
  readonly bytes: number;
  readonly ms: number;
}

/** Where a value is none of the wanted shape: "" for itself, ".field" or "[i]..." inside; null when it is. */
type Shape = (value: unknown) => string | null;

/** Members of one list, and characters of one text: more than any node tells. */
const LIST_MAX = 1_000_000;
const TEXT_CHARS_MAX = 64 * 1024;
/** The latest time that a Date can show, ms since 1970. */
const TIME_MAX = 8.64e15;

const test =
  (isGood: (value: unknown) => boolean): Shape =>
  (value) =>
    isGood(value) ? null : "";

const text = test((value) => typeof value === "string" && value.length <= TEXT_CHARS_MAX);
const matching = (pattern: RegExp): Shape =>
  test((value) => typeof value === "string" && pattern.test(value));
const within = (min: number, max: number): Shape =>
  test((value) => typeof value === "number" && value >= min && value <= max);
const whole = (min: number, max: number = Number.MAX_SAFE_INTEGER): Shape =>
  test((value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max);
const yes = test((value) => typeof value === "boolean");

const id = matching(/^[0-9a-f]{32}$/);
/** Of what is not known yet, or is none. */
const maybeId = matching(/^([0-9a-f]{32})?$/);
const sum = matching(/^([0-9a-f]{16})?$/);
/** A role, a state, a verdict: which of them, is the node's to say. */
const word = matching(/^[a-z][a-z_]{0,31}$/);
const count = whole(0);
/** A count, or -1 for what is not known. */
const known = within(-1, Number.MAX_SAFE_INTEGER);
const number = within(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
const port = whole(0, 65_535);
const time = within(-TIME_MAX, TIME_MAX);

const orNull =
  (shape: Shape): Shape =>
  (value) =>
    value === null ? null : shape(value);

const either =
  (...shapes: readonly Shape[]): Shape =>
  (value) =>
    shapes.some((shape) => shape(value) === null) ? null : "";

const list =
  (shape: Shape): Shape =>
  (value) => {
    if (!Array.isArray(value) || value.length > LIST_MAX) return "";
    for (let i = 0; i < value.length; i++) {
      const wrong = shape(value[i]);
      if (wrong !== null) return `[${i}]${wrong}`;
    }
    return null;
  };

const tuple =
  (...shapes: readonly Shape[]): Shape =>
  (value) => {
    if (!Array.isArray(value) || value.length !== shapes.length) return "";
    const at = shapes.findIndex((shape, i) => shape(value[i]) !== null);
    return at < 0 ? null : `[${at}]`;
  };

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const object =
  (fields: Readonly<Record<string, Shape>>): Shape =>
  (value) => {
    if (!isObject(value)) return "";
    for (const [name, shape] of Object.entries(fields)) {
      const wrong = shape(Object.hasOwn(value, name) ? value[name] : undefined);
      if (wrong !== null) return `.${name}${wrong}`;
    }
    return null;
  };

/** An object whose names are the node's, and of one shape each. */
const record =
  (shape: Shape): Shape =>
  (value) =>
    isObject(value) && Object.values(value).every((each) => shape(each) === null) ? null : "";

const position = object({ history: id, offset: count, chain: whole(0, 0xffff_ffff) });

const ship = object({
  state: word,
  chunksSent: count,
  bytesSent: count,
  bytesTotal: count,
  startedAtMs: time,
});

const link = object({
  replicaId: maybeId,
  nodeId: maybeId,
  remote: text,
  host: text,
  clientPort: port,
  replPort: port,
  state: word,
  sent: known,
  applied: known,
  lagBytes: known,
  lagMs: known,
  lastAckAgoMs: known,
  ship: orNull(ship),
});

const upstream = object({
  host: text,
  port,
  state: word,
  lastError: text,
  received: known,
  applied: known,
  upstreamLagBytes: known,
  rootLink: word,
  rootDownForMs: within(0, Number.MAX_SAFE_INTEGER),
  lagBytes: known,
  staleMs: known,
  restore: orNull(object({ chunks: count, bytes: count, bytesTotal: count, startedAtMs: time })),
});

const disk = object({
  fsync: word,
  watermarks: object({ appended: count, sealed: count, written: count, durable: count }),
  trouble: text,
  incompleteTo: orNull(known),
  found: orNull(object({ replayed: count, cutBytes: count, ms: number })),
  checkpoint: orNull(object({ offset: count, clockMs: time })),
  logBytes: count,
});

const rule = object({ copies: count, level: word, members: list(id) });

const SYNC = object({
  copies: count,
  level: word,
  leads: yes,
  confirmed: known,
  goodMembers: count,
  members: list(
    object({
      storeId: id,
      host: text,
      clientPort: port,
      replPort: port,
      replacedBy: maybeId,
      linked: yes,
      complete: yes,
      good: yes,
      confirmed: known,
      lagBytes: known,
    }),
  ),
  heldReplies: count,
  change: orNull(object({ from: orNull(rule), to: orNull(rule) })),
});

const STATUS = object({
  role: word,
  nodeId: id,
  position,
  complete: yes,
  rank: text,
  fenced: text,
  ownBytes: count,
  supersededBy: maybeId,
  clientPort: port,
  replPort: port,
  backlog: object({ sizeBytes: count, first: count, next: count, heldBytes: count }),
  reclaiming: text,
  failover: text,
  quarantined: count,
  parked: list(object({ snapshotId: text })),
  writePace: known,
  near: object({ lacksReplicas: yes, isStale: yes, staleMs: known, goodReplicas: known }),
  sync: orNull(SYNC),
  links: list(link),
  upstream: orNull(upstream),
  recovery: orNull(
    object({ startedAtMs: time, totalBytes: count, loadedBytes: count, records: count }),
  ),
  disk: orNull(disk),
});

const EVENTS = list(
  object({
    timeMs: time,
    level: word,
    event: text,
    fields: record(either(text, number, yes)),
    times: count,
    sinceMs: time,
  }),
);

const REPORT = object({
  position,
  seed: id,
  bucketCount: whole(1, 65_536),
  records: count,
  sum,
  replicas: list(
    object({
      replicaId: maybeId,
      remote: text,
      host: text,
      clientPort: port,
      authenticated: yes,
      verdict: word,
      records: known,
      sum,
      buckets: list(whole(0, 65_535)),
    }),
  ),
});

const BUCKET = object({
  history: id,
  from: count,
  to: count,
  truncated: yes,
  keys: list(tuple(matching(/^[0-9a-f]{16}$/), matching(/^[A-Za-z0-9+/=]{0,256}$/), sum)),
});

const CHECKPOINT = object({ position, records: count, bytes: count, ms: count });

/** @throws Error that says in one line which field is wrong, as all of them do */
export function readStatus(answer: string): NodeStatus {
  return read(answer, STATUS) as NodeStatus;
}

export function readMembers(answer: string): SyncStatus {
  return read(answer, SYNC) as SyncStatus;
}

export function readEvents(answer: string): readonly KeptEvent[] {
  return read(answer, EVENTS) as readonly KeptEvent[];
}

export function readReport(answer: string): VerifyReport {
  return read(answer, REPORT) as VerifyReport;
}

export function readBucketKeys(answer: string): BucketKeys {
  return read(answer, BUCKET) as BucketKeys;
}

export function readCheckpointReport(answer: string): CheckpointReport {
  return read(answer, CHECKPOINT) as CheckpointReport;
}

/** One line of JSON that is safe on a terminal, whoever made the value. */
export function jsonLine(value: unknown): string {
  return `${escapeJson(JSON.stringify(value))}\n`;
}

function read(answer: string, shape: Shape): unknown {
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch (cause) {
    throw new Error("its answer is no JSON", { cause });
  }
  const wrong = shape(value);
  if (wrong === null) return value;
  const where = wrong === "" ? "its answer" : `${wrong.replace(/^\./, "")} of its answer`;
  throw new Error(`${where} is not what a hawser node of this version answers`);
}
