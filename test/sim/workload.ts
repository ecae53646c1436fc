/** Random writes on a primary: every kind of record, keys that collide, a few values that are large. */
import {
  delBytes,
  encodeDelHead,
  encodeExpireHead,
  encodeFlush,
  encodeGroupHead,
  encodeMoveHead,
  encodePatchHead,
  encodeSetHead,
  expireBytes,
  FLUSH_BYTES,
  GROUP_HEAD_BYTES,
  moveBytes,
  OP,
  patchBytes,
  setBytes,
} from "../../src/store/record.ts";
import type { Random } from "../tools/random.ts";

export interface WorkloadSettings {
  readonly keys: number;
  readonly valueMax: number;
  /** One in so many values is up to `largeMax` bytes. */
  readonly largeEvery: number;
  readonly largeMax: number;
}

export interface Draft {
  readonly length: number;
  readonly fill: (into: Buffer, at: number) => void;
}

/** The next record: its length, and how to write it. */
export function drawRecord(random: Random, settings: WorkloadSettings, nowMs: number): Draft {
  const kind = random.between(0, 100);
  if (kind === 99 && random.fraction() < 0.3)
    return { length: FLUSH_BYTES, fill: (into, at) => encodeFlush(into, at) };
  if (kind >= 95) return group(random, settings, nowMs);
  return keyed(random, settings, nowMs, kind);
}

function keyed(random: Random, settings: WorkloadSettings, nowMs: number, kind: number): Draft {
  const key = drawKey(random, settings);
  const expireAt = random.between(0, 4) === 0 ? nowMs + random.between(1, 100_000) : 0;
  if (kind < 60) {
    const value = random.bytes(drawLength(random, settings));
    return {
      length: setBytes(key.length, value.length, expireAt),
      fill: (into, at) => put(into, encodeSetHead(into, at, key.length, expireAt), key, value),
    };
  }
  if (kind < 75)
    return {
      length: delBytes(key.length),
      fill: (into, at) => put(into, encodeDelHead(into, at, key.length), key),
    };
  if (kind < 80)
    return {
      length: expireBytes(key.length),
      fill: (into, at) => put(into, encodeExpireHead(into, at, key.length, expireAt), key),
    };
  if (kind < 88) {
    const data = random.bytes(random.between(0, 40));
    const valueAt = random.between(0, 60);
    return {
      length: patchBytes(key.length, data.length),
      fill: (into, at) => put(into, encodePatchHead(into, at, key.length, valueAt), key, data),
    };
  }
  const newKey = drawKey(random, settings);
  const op = kind < 92 ? OP.rename : OP.copy;
  return {
    length: moveBytes(key.length, newKey.length),
    fill: (into, at) => put(into, encodeMoveHead(into, at, op, key.length), key, newKey),
  };
}

function group(random: Random, settings: WorkloadSettings, nowMs: number): Draft {
  const drafts = Array.from({ length: random.between(1, 6) }, () =>
    keyed(random, settings, nowMs, random.between(0, 95)),
  );
  const length = drafts.reduce((sum, draft) => sum + 4 + draft.length, GROUP_HEAD_BYTES);
  return {
    length,
    fill: (into, start) => {
      let at = encodeGroupHead(into, start);
      for (const draft of drafts) {
        into.writeUInt32LE(draft.length, at);
        draft.fill(into, at + 4);
        at += 4 + draft.length;
      }
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

function put(into: Buffer, at: number, ...parts: readonly Buffer[]): void {
  for (const part of parts) at += part.copy(into, at);
}
