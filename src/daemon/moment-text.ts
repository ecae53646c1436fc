/**
 * A place in the log and its time, as commands say them. Times are UTC, in the form that --at takes.
 *
 * Pure. Owns: that text. Does not own: the form of --at (restore-point.ts).
 * Tested in: test/e2e/restore.test.ts.
 */
import type { LogMoment } from "../node/disk/log-source.ts";

/** `offset 1234 (2030-01-01T02:00:00.000Z)`; without the time when the log does not say it. */
export function momentText({ offset, clockMs }: LogMoment): string {
  return clockMs === 0 ? `offset ${offset}` : `offset ${offset} (${timeText(clockMs)})`;
}

export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
