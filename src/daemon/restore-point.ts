/**
 * The word of `--at`: an offset of the log, or a time.
 *
 *   123456                         an offset
 *   2030-01-01T02:00:00Z           a time; with a zone (Z, +01:00), since the log's clock has none
 *   2030-01-01T03:00:00.250+01:00
 *   @1893463200000                 ms since 1970
 *
 * Pure. Owns: the form. Does not own: whether the log has it (node/disk/restore-directory.ts).
 */
import { LIMITS } from "../limits.ts";
import type { LogPoint } from "../log/disk/log-copy.ts";
import { UsageError } from "../node/option-values.ts";

const EXPECTED =
  "expected an offset (123456), a time with its zone (2030-01-01T02:00:00Z, 2030-01-01T03:00:00.250+01:00), or ms since 1970 behind an @ (@1893463200000)";
const TIME =
  /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?(Z|[+-]\d{2}:?\d{2})?$/i;

/** @throws {UsageError} naming the word */
export function readPoint(text: string): LogPoint {
  if (/^\d+$/.test(text)) return { kind: "offset", offset: within(text, text, LIMITS.offsetMax) };
  if (/^@\d+$/.test(text))
    return { kind: "time", ms: within(text, text.slice(1), LIMITS.timeMsMax) };
  const found = TIME.exec(text);
  if (found === null) throw new UsageError(`--at: "${text}" ${EXPECTED}`);
  const zone = found[8];
  if (zone === undefined)
    throw new UsageError(
      `--at: "${text}" has no time zone; write ${text}Z for UTC, or ${text}+01:00`,
    );
  const ms = timeOf(found) - zoneMs(zone);
  if (Number.isNaN(ms) || ms < 0) throw new UsageError(`--at: "${text}" is no such time`);
  return { kind: "time", ms };
}

function within(text: string, digits: string, most: number): number {
  const value = Number(digits);
  if (value <= most) return value;
  throw new UsageError(`--at: "${text}" is above ${most}, the most that there can be`);
}

/** As if its zone were UTC; NaN for a date that no calendar has. */
function timeOf(found: RegExpExecArray): number {
  const [, year = "", month = "", day = "", hour = "", minute = "", second = "00"] = found;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.${(found[7] ?? "").padEnd(3, "0")}Z`;
  const ms = Date.parse(iso);
  return Number.isNaN(ms) || new Date(ms).toISOString() !== iso ? Number.NaN : ms;
}

function zoneMs(zone: string): number {
  if (zone.toUpperCase() === "Z") return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(-2));
  if (hours > 23 || minutes > 59) return Number.NaN;
  const ms = (hours * 60 + minutes) * 60_000;
  return zone.startsWith("-") ? -ms : ms;
}
