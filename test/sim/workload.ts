/** Random writes on a primary: every kind of record, keys that collide, a few values that are large. */
import type { Keyspace } from "../../src/node/keyspace.ts";
import { HawserError } from "../../src/errors.ts";
import {
  delBytes,
  expireBytes,
  FLUSH_BYTES,
  GROUP_HEAD_BYTES,
  moveBytes,
  patchBytes,
  setBytes,
} from "../../src/store/record.ts";
import type { Random } from "../../tools/random.ts";

export interface WorkloadSettings {
  readonly keys: number;
  readonly valueMax: number;
  /** One in so many values is up to `largeMax` bytes. */
  readonly largeEvery: number;
  readonly largeMax: number;
}

export interface Draft {
  /** Bytes of its record. */
  readonly length: number;
  /** Makes it, as a command does; throws HawserError when it is refused. */
  readonly change: (keys: Keyspace) => void;
}

/** Times that no record may have. */
const BAD_TIMES = [Number.NaN, Number.POSITIVE_INFINITY, 0.5, 2 ** 60];

/** The next change of a primary's state. */
export function drawRecord(random: Random, settings: WorkloadSettings, nowMs: number): Draft {
  const kind = random.between(0, 100);
  if (kind === 99 && random.fraction() < 0.3)
    return { length: FLUSH_BYTES, change: (keys) => keys.flush() };
  if (kind >= 95) return group(random, settings, nowMs);
  return keyed(random, settings, nowMs, kind);
}

function keyed(random: Random, settings: WorkloadSettings, nowMs: number, kind: number): Draft {
  const key = drawKey(random, settings);
  const to = key.length;
  const expireAt = drawExpiry(random, nowMs);
  if (kind < 60) {
    const value = random.bytes(drawLength(random, settings));
    return {
      length: setBytes(to, value.length, expireAt),
      change: (keys) => keys.set(key, 0, to, value, 0, value.length, expireAt),
    };
  }
  if (kind < 75) return { length: delBytes(to), change: (keys) => keys.remove(key, 0, to) };
  if (kind < 80)
    return {
      length: expireBytes(to),
      change: (keys) => keys.expire(key, 0, to, Number.isFinite(expireAt) ? expireAt : 2 ** 60),
    };
  if (kind < 88) {
    const data = random.bytes(random.between(0, 40));
    const valueAt = random.between(0, 60);
    return {
      length: patchBytes(to, data.length),
      change: (keys) => keys.patch(key, 0, to, valueAt, data, 0, data.length),
    };
  }
  const both = Buffer.concat([key, drawKey(random, settings)]);
  const op = kind < 92 ? "rename" : "copy";
  return {
    length: moveBytes(to, both.length - to),
    change: (keys) => keys.move(op, both, 0, to, to, both.length),
  };
}

/** One in a while is a time that the store refuses. */
function drawExpiry(random: Random, nowMs: number): number {
  if (random.between(0, 4) !== 0) return 0;
  const at = nowMs + random.between(1, random.pick([300, 3_000, 100_000]));
  return at % 101 === 0 ? BAD_TIMES[at % BAD_TIMES.length]! : at;
}

/** A transaction: a command of it that is refused changes nothing, and the others are made. */
function group(random: Random, settings: WorkloadSettings, nowMs: number): Draft {
  const drafts = Array.from({ length: random.between(1, 6) }, () =>
    keyed(random, settings, nowMs, random.between(0, 95)),
  );
  return {
    length: drafts.reduce((sum, draft) => sum + 4 + draft.length, GROUP_HEAD_BYTES),
    change: (keys) => {
      keys.beginGroup();
      for (const draft of drafts) {
        try {
          draft.change(keys);
        } catch (error) {
          if (!(error instanceof HawserError)) throw error;
        }
      }
      keys.endGroup();
    },
  };
}

function drawKey(random: Random, settings: WorkloadSettings): Buffer {
  const n = random.between(0, settings.keys);
  // Binary keys, an empty one, and keys of uneven length.
  return n === 0
    ? Buffer.alloc(0)
    : Buffer.from(`k${"\r\n".repeat(n % 3)}${n}`.padEnd(n % 17, "."));
}

function drawLength(random: Random, settings: WorkloadSettings): number {
  if (random.between(0, settings.largeEvery) === 0) return random.between(0, settings.largeMax);
  return random.between(0, settings.valueMax);
}
