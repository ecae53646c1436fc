/**
 * Structured log: one event is one line on stderr, as JSON or for human eyes.
 *
 *   json     {"time":"2026-11-21T12:00:00.000Z","level":"info","event":"ready","port":6380}
 *   pretty   2026-11-21T12:00:00.000Z info  ready port=6380
 *
 * Invariant: one event is one line whatever a peer put into a field; control characters never reach
 * a terminal. Owns: format and level. Does not own: where lines go (the sink), what is logged.
 */

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "json" | "pretty";
export type LogFields = Readonly<Record<string, string | number | boolean>>;

export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one line with its newline. */
  readonly sink: (line: string) => void;
  /** Colour the level; only for terminals. */
  readonly colour?: boolean;
  readonly now?: () => number;
}

/** Ascending gravity. */
const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Characters of one field's value; a peer must not fill the log. */
const FIELD_CHARS_MAX = 1024;

const COLOURS: Readonly<Record<LogLevel, number>> = { debug: 90, info: 36, warn: 33, error: 31 };

/** A logger that writes whole lines to `options.sink`. */
export function createLogger(options: LoggerOptions): Logger {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const now = options.now ?? Date.now;
  const line = options.format === "json" ? jsonLine : prettyLine;
  const at = (level: LogLevel) => {
    if (LOG_LEVELS.indexOf(level) < threshold) return ignore;
    const shown = options.colour === true ? paint(level) : level.padEnd(5);
    const name = options.format === "json" ? level : shown;
    return (event: string, fields: LogFields = {}): void => {
      options.sink(line(new Date(now()).toISOString(), name, event, fields));
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** `text` with everything that is not printable ASCII or a letter escaped: safe on one line. */
export function escapeText(text: string): string {
  const cut = text.length > FIELD_CHARS_MAX ? `${text.slice(0, FIELD_CHARS_MAX)}...` : text;
  return cut.replace(
    // C0, DEL, C1, line and paragraph separators, bidirectional marks and overrides, byte order mark.
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function jsonLine(time: string, level: string, event: string, fields: LogFields): string {
  const safe: Record<string, string | number | boolean> = { time, level, event };
  for (const [key, value] of Object.entries(fields)) {
    safe[key] = typeof value === "string" ? clip(value) : value;
  }
  return `${escapeJson(JSON.stringify(safe))}\n`;
}

function clip(value: string): string {
  return value.length > FIELD_CHARS_MAX ? `${value.slice(0, FIELD_CHARS_MAX)}...` : value;
}

/** What JSON.stringify() leaves raw, escaped too: DEL, C1 and the separators; it escapes C0 only. */
export function escapeJson(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function prettyLine(time: string, level: string, event: string, fields: LogFields): string {
  let line = `${time} ${level} ${escapeText(event)}`;
  for (const [key, value] of Object.entries(fields)) {
    line += ` ${escapeText(key)}=${typeof value === "string" ? quoted(value) : String(value)}`;
  }
  return `${line}\n`;
}

function quoted(value: string): string {
  const safe = escapeText(value);
  return /^[^\s"=]+$/.test(safe) ? safe : `"${safe.replaceAll('"', '\\"')}"`;
}

function paint(level: LogLevel): string {
  return `\u001b[${COLOURS[level]}m${level.padEnd(5)}\u001b[0m`;
}

function ignore(): void {
  // Below the threshold.
}
