/**
 * Texts to option values and back: sizes, times, ports, addresses, choices.
 *
 * Every reader takes the text as it was given and returns the value, or throws UsageError with what
 * would have been allowed. Owns: syntax of values. Does not own: which settings exist (settings.ts).
 * Tested in: test/unit/fuzz/options.test.ts, test/unit/node/options.test.ts.
 */

import { HawserError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Address } from "../net/address.ts";

/** A wrong option, of a command line (exit code 2) or of an embedder; the message is for people. */
export class UsageError extends HawserError<"ERR_USAGE"> {
  constructor(message: string) {
    super("ERR_USAGE", message);
    this.name = "UsageError";
    // Why without the code: it is printed as it is.
    this.message = message;
  }
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1_000_000,
  mb: 1024 * 1024,
  g: 1_000_000_000,
  gb: 1024 * 1024 * 1024,
};
const TIME_UNITS: Readonly<Record<string, number>> = { "": 1000, ms: 1, s: 1000, m: 60_000 };

/** "256mb" to bytes; redis's units (k = 1000, kb = 1024), plain digits are bytes. */
export function readSize(text: string): number {
  return readUnits(text, SIZE_UNITS, "a size such as 65536, 512kb, 256mb or 1gb");
}

/** "60s" to ms; plain digits are seconds. */
export function readTime(text: string): number {
  return readUnits(text, TIME_UNITS, "a time such as 200ms, 60s or 5m");
}

/** 60000 ms as "60s", 200 as "200ms": what readTime reads as the same time. */
export function formatTime(ms: number): string {
  if (ms === 0) return "0";
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

function readUnits(text: string, units: Readonly<Record<string, number>>, what: string): number {
  const match = /^(\d{1,16})(?:\.(\d{1,6}))?([a-z]*)$/i.exec(text.trim());
  const unit = match === null ? undefined : units[(match[3] ?? "").toLowerCase()];
  if (match === null || unit === undefined) throw new UsageError(`expected ${what}`);
  const value = Math.floor(Number(`${match[1] ?? ""}.${match[2] ?? "0"}`) * unit);
  if (!Number.isSafeInteger(value)) throw new UsageError(`expected ${what}, below 2^53`);
  return value;
}

/** "10000": plain digits. */
export function readCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError("expected a count such as 16");
  return Number(text);
}

/** 0 to 65535; 0 lets the system choose. */
export function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port < 0 || port > 65_535) throw new UsageError("expected a port, 0 to 65535");
  return port;
}

export function readSwitch(text: string): boolean {
  if (text === "true" || text === "yes" || text === "1") return true;
  if (text === "false" || text === "no" || text === "0") return false;
  throw new UsageError("expected true or false");
}

export function readChoice(text: string, choices: readonly string[]): string {
  if (choices.includes(text)) return text;
  throw new UsageError(`expected ${choices.join(" or ")}`);
}

/** A host name as DNS takes it, with underscores; one of another script in its ascii form (xn--). */
const NAME = /^[A-Za-z0-9_.-]+$/;
/** Loosely: what the system does not take is an error when it is dialled. */
const IPV6 =
  /^[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?(?:%[\w.-]+)?$/;

/**
 * A host on the command line, in REPLICAOF, or announced: a name, an IPv4 or an IPv6 address, the last
 * with or without brackets. Everything that takes a host asks here.
 * @returns without brackets
 */
export function readHost(text: string): string {
  if (text === "") throw new UsageError("expected a host, found nothing");
  if (Buffer.byteLength(text) > LIMITS.textBytesMax)
    throw new UsageError(`expected a host of at most ${LIMITS.textBytesMax} bytes`);
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (IPV6.test(bare) || (bare === text && NAME.test(text))) return bare;
  throw new UsageError("expected a host: a name, an IPv4 address, or an IPv6 address");
}

/** "host:port", "[::1]:port". */
export function readAddress(text: string): Address {
  const match = /^(\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[2] ?? -1);
  if (match === null || port < 1 || port > 65_535) {
    throw new UsageError("expected HOST:PORT such as 127.0.0.1:6380 or [::1]:6380");
  }
  return { host: readHost(match[1] ?? ""), port };
}

/** "host:port,host:port". */
export function readAddresses(text: string): readonly Address[] {
  return text.split(",").map(readAddress);
}

/** Reachable from this machine only. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
