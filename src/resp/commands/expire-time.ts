/**
 * Times to live as arguments, in any of redis's four forms, to absolute ms since 1970.
 *
 * Owns: units, overflow, redis's verdicts. Does not own: what is done with the time.
 * Tested in: test/e2e/beside-redis/expiry.test.ts.
 */
import type { Args } from "../args.ts";
import { I64_MAX, I64_MIN, readBigInteger } from "../numbers.ts";
import { ERR } from "./command.ts";

export interface ExpireUnit {
  /** ms in one unit. */
  readonly ms: bigint;
  /** Counted from now on, not from 1970. */
  readonly relative: boolean;
}

export const UNIT: Readonly<Record<"ex" | "px" | "exat" | "pxat", ExpireUnit>> = {
  ex: { ms: 1000n, relative: true },
  px: { ms: 1n, relative: true },
  exat: { ms: 1000n, relative: false },
  pxat: { ms: 1n, relative: false },
};

/** redis's bound. */
const EXPIRE_AT_MAX = I64_MAX;
const NO_LOSS_MAX = BigInt(Number.MAX_SAFE_INTEGER);
/**
 * The largest time that is kept, 2^63 - 1024. Times are doubles: beyond 2^53 ms, the year 287396, they
 * are kept to the next multiple of 2 to 1024 ms.
 */
const KEPT_MAX = 9_223_372_036_854_774_784;

/**
 * The absolute time that argument `index` means.
 * @param positive redis's rule for SET and GETEX: zero and negative times are refused
 * @returns ms since 1970, or an error text; negative and past times are possible
 */
export function readExpireAt(
  args: Args,
  index: number,
  unit: ExpireUnit,
  now: number,
  command: string,
  positive: boolean,
): number | string {
  const value = readBigInteger(args.bytes, args.from(index), args.to(index));
  if (value === null) return ERR.notInteger;
  const invalid = `ERR invalid expire time in '${command}' command`;
  if (positive && value <= 0n) return invalid;
  const at = value * unit.ms + (unit.relative ? BigInt(now) : 0n);
  if (at > EXPIRE_AT_MAX) return invalid;
  if (positive && at <= 0n) return invalid;
  if (at < -NO_LOSS_MAX) return value * unit.ms < I64_MIN ? invalid : -1;
  return Math.min(Number(at), KEPT_MAX);
}
