/**
 * What the numbers of options may be, whether a flag, a variable, the file or CONFIG SET gives them.
 *
 * Owns: ranges. Does not own: which options exist (option-table.ts), syntax (option-values.ts).
 */
import { LIMITS } from "../limits.ts";
import type { OptionName } from "./option-table.ts";

interface Range {
  readonly min: number;
  readonly max: number;
  /** 0 has a meaning of its own. */
  readonly orZero?: boolean;
  /** For messages: "at least 16kb". */
  readonly text: string;
}

const KIB = 1024;
/** A day: longer than any clock is useful, and far below what timers can do. */
const DAY_MS = 86_400_000;
/** 1 PiB: sums of a few of these stay exact. */
const BYTES_MAX = 2 ** 50;

/** A log or window smaller than this could not hold a turn's worth. */
const BUFFER: Range = { min: 16 * KIB, max: BYTES_MAX, text: "16kb to 1048576gb" };
/** Below three heartbeats, one a second, some could be missed. */
const CLOCK: Range = { min: 3_000, max: DAY_MS, text: "3s to 1440m" };
const DELAY: Range = { min: 100, max: DAY_MS, text: "100ms to 1440m" };

const RANGES: Readonly<Partial<Record<OptionName, Range>>> = {
  backlog: BUFFER,
  "backlog-ttl": { min: 0, max: 365 * DAY_MS, text: "0 to 525600m" },
  hold: { ...BUFFER, orZero: true, text: "0, or 16kb to 1048576gb" },
  "throttle-max": { min: 100, max: DAY_MS, text: "100ms to 1440m" },
  window: BUFFER,
  // At less a chunk of the usual size takes longer than half of the stall clock.
  "ship-rate": { min: 16 * KIB, max: BYTES_MAX, orZero: true, text: "0, or 16kb to 1048576gb" },
  "ship-window": BUFFER,
  "ship-gather": { min: 0, max: 60_000, text: "0 to 60s" },
  "ring-slots": { min: 2, max: 1024, text: "2 to 1024" },
  chunk: { min: 4 * KIB, max: LIMITS.chunkBytesMax, text: "4kb to 1mb" },
  silence: CLOCK,
  stall: CLOCK,
  "handshake-timeout": DELAY,
  "backoff-max": DELAY,
  maxmemory: { min: 0, max: BYTES_MAX, text: "0 to 1048576gb" },
  maxclients: { min: 1, max: 999_999, text: "1 to 999999" },
};

/** What would be allowed, as "expected ...", when `value` (ms, bytes, a count) is not; else null. */
export function outOfRange(name: OptionName, value: number): string | null {
  const range = RANGES[name];
  if (range === undefined || (range.orZero === true && value === 0)) return null;
  return value >= range.min && value <= range.max ? null : `expected ${range.text}`;
}
