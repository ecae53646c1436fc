/**
 * `hawser status --events`: the memory of events as lines for human eyes.
 *
 *   2026-01-31 12:00:00.000  link_closed     replica c0c1c2c3  silence: nothing received ...   at 4096, applied 4000
 *
 * Replica and reason first, because they are what one looks for; then both positions, then the rest.
 * Owns: words. Does not own: which events are kept (event-log.ts).
 * Tested in: test/e2e/events.test.ts.
 */
import type { Fields } from "../primary/journal.ts";
import type { KeptEvent } from "../node/event-log.ts";
import { escapeText } from "../node/logger.ts";

/** Who, why, and where both ends stood: fields by the part of the line that they are. */
const WHO = ["replica", "remote", "upstream"];
const WHY = ["reason", "case", "decision", "why", "kind", "detail", "role"];
const EVENT_CHARS = 16;
/** Digits of an id that are shown, as elsewhere. */
const ID_CHARS = 8;

/** One line for each event, oldest first. */
export function eventsText(events: readonly KeptEvent[]): string {
  if (events.length === 0) return "no events yet\n";
  return events.map((event) => `${eventLine(event)}\n`).join("");
}

function eventLine({ timeMs, level, event, fields, times, sinceMs }: KeptEvent): string {
  const time = timeText(timeMs);
  const mark = level === "warn" || level === "error" ? "!" : " ";
  const who = whoOf(fields);
  const why = WHY.flatMap((name) => valueOf(fields, name)).join(": ");
  const rest = Object.entries(fields)
    .filter(([name, value]) => !WHO.includes(name) && !WHY.includes(name) && value !== "")
    .map(([name, value]) => `${escapeText(name)}=${short(value)}`);
  const often = times > 1 ? `(${times} times since ${timeText(sinceMs)})` : "";
  return [time, mark, escapeText(event).padEnd(EVENT_CHARS), who, why, rest.join(" "), often]
    .filter((part) => part !== "")
    .join("  ");
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace("T", " ").replace("Z", "");
}

function whoOf(fields: Fields): string {
  const name = WHO.find((each) => (fields[each] ?? "") !== "");
  return name === undefined ? "" : `${name} ${short(fields[name]!)}`;
}

function valueOf(fields: Fields, name: string): string[] {
  const value = fields[name];
  return value === undefined || value === "" ? [] : [short(value)];
}

/** Ids by their first digits: the whole is in --json and in the log. */
function short(value: string | number | boolean): string {
  const text = String(value);
  return /^[0-9a-f]{32}$/.test(text) ? text.slice(0, ID_CHARS) : escapeText(text);
}
