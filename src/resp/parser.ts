/**
 * Requests of the client port: RESP arrays of bulk strings, and inline commands.
 *
 *   feed(read) -> parse() -> `count` whole commands -> execute them -> parse() ... -> feed(read)
 *
 * Command i has the arguments first[i] .. first[i + 1] - 1 of `from` and `to`: offsets into `bytes`.
 * Nothing is copied or sliced, except that the unfinished command at the end of a read moves into a
 * carry buffer which the next read is appended to; it grows with what arrives, by doubling.
 * An unfinished command goes on where it stopped, so a byte is looked at once however it is split.
 *
 * Limits: arguments, bulk and line length, bytes of one command; before authentication redis's
 * smaller ones. Errors are redis's texts; after one the connection must be closed.
 * Owns: bytes -> argument offsets. Does not own: what a command means (commands/), sockets.
 */
import { LIMITS } from "../limits.ts";
import { splitInline, type WordSink } from "./inline.ts";

/** Commands of one parse(): enough to hide memory latency (store.touch), few enough to stay hot. */
export const PARSE_COMMANDS_MAX = 64;
/** Before AUTH: arguments and bulk bytes, as redis. */
const UNAUTHENTICATED_ARGUMENTS_MAX = 10;
const UNAUTHENTICATED_BULK_BYTES_MAX = 16_384;
/** Argument slots at first, and the most that is kept after a large command. */
const SLOTS_MIN = 64;
const SLOTS_KEPT = 4096;
/** Smallest carry; most clients never need one. */
const CARRY_BYTES_MIN = 1024;

const STAR = 0x2a;
const DOLLAR = 0x24;
const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;

const NO_BYTES = Buffer.alloc(0);
/** readLength's answers below 0. */
const LINE_INCOMPLETE = -1;
const LINE_NOT_A_NUMBER = -2;
const LINE_NEGATIVE = -3;
const LINE_TOO_LONG = -4;

export class RespParser implements WordSink {
  /** What `from` and `to` point into; valid until the next feed(). */
  bytes: Buffer = NO_BYTES;
  from: Uint32Array = new Uint32Array(SLOTS_MIN);
  to: Uint32Array = new Uint32Array(SLOTS_MIN);
  /** First argument of each command; first[count] is the end of the last. */
  readonly first: Uint32Array = new Uint32Array(PARSE_COMMANDS_MAX + 1);
  /** Whole commands that the last parse() found. */
  count = 0;
  /** Without "-ERR "; to be answered after the `count` commands, then close. */
  error = "";
  /** Apply the limits for strangers. */
  authenticated = true;

  #at = 0;
  #end = 0;
  /** Whether `bytes` is ours to append to. */
  #carried = false;
  /** Arguments of the unfinished command still to come; 0 when none has begun. */
  #missing = 0;
  /** Length of the bulk that is arriving; -1 when its line was not read yet. */
  #bulk = -1;
  /** Slots used: arguments of whole commands, then those of the unfinished one. */
  #slots = 0;
  /** First byte of the unfinished command. */
  #start = 0;
  /** Where the search for the end of a line goes on, so that it is not quadratic. */
  #searched = 0;

  /** Takes one socket read. All commands of earlier parse() calls must have been executed. */
  feed(read: Buffer): void {
    const keepFrom = this.#missing > 0 ? this.#start : this.#at;
    const kept = this.#end - keepFrom;
    if (kept === 0) {
      this.bytes = read;
      this.#carried = false;
      this.#at = 0;
      this.#searched = 0;
      this.#end = read.length;
      return;
    }
    if (!this.#carried || this.#end + read.length > this.bytes.length) {
      this.#moveToCarry(keepFrom, kept, read.length);
    }
    read.copy(this.bytes, this.#end);
    this.#end += read.length;
  }

  /** Bytes fed and not yet part of a whole command. */
  get buffered(): number {
    return this.#end - (this.#missing > 0 ? this.#start : this.#at);
  }

  /**
   * Finds up to `max` (at most PARSE_COMMANDS_MAX) whole commands; `count` says how many.
   * @returns false when there was nothing more: all that was fed is used, or is the beginning of
   *          an unfinished command, or `error` is set
   */
  parse(max: number = PARSE_COMMANDS_MAX): boolean {
    this.#dropExecuted();
    let count = 0;
    while (count < max && this.error === "") {
      if (this.#missing === 0 && !this.#beginCommand()) break;
      if (this.#missing > 0 && !this.#readArguments()) break;
      // Empty lines and empty arrays are no command.
      if (this.#slots !== this.first[count]) this.first[++count] = this.#slots;
    }
    this.count = count;
    return count > 0;
  }

  addWord(from: number, to: number): void {
    if (this.#slots === this.from.length) this.#growSlots();
    this.from[this.#slots] = from;
    this.to[this.#slots++] = to;
  }

  /** The slots of the unfinished command move to the front; a huge table is given back. */
  #dropExecuted(): void {
    const used = this.first[this.count]!;
    const partial = this.#slots - used;
    if (partial > 0 && used > 0) {
      this.from.copyWithin(0, used, this.#slots);
      this.to.copyWithin(0, used, this.#slots);
    } else if (partial === 0 && this.from.length > SLOTS_KEPT) {
      this.from = new Uint32Array(SLOTS_MIN);
      this.to = new Uint32Array(SLOTS_MIN);
    }
    this.#slots = partial;
    this.first[0] = 0;
    this.count = 0;
  }

  /** Reads "*N" or a whole inline line. False: more bytes are needed, or `error`. */
  #beginCommand(): boolean {
    const at = this.#at;
    this.#start = at;
    if (at >= this.#end) return false;
    const bytes = this.bytes;
    if (bytes[at] !== STAR) return this.#readInline();
    const digit = bytes[at + 1]! - ZERO;
    if (at + 3 < this.#end && digit > 0 && digit <= 9 && bytes[at + 2] === CR) {
      this.#at = at + 4;
      this.#missing = digit;
      this.#bulk = -1;
      return true;
    }
    const length = this.#readLength(LIMITS.commandArgumentsMax);
    if (length === LINE_INCOMPLETE) return this.#tooLongALine("mbulk count");
    if (length === LINE_NOT_A_NUMBER || length === LINE_TOO_LONG) {
      return this.#fail("Protocol error: invalid multibulk length");
    }
    if (!this.authenticated && length > UNAUTHENTICATED_ARGUMENTS_MAX) {
      return this.#fail("Protocol error: unauthenticated multibulk length");
    }
    this.#missing = Math.max(length, 0);
    this.#bulk = -1;
    return true;
  }

  /** Reads "$N" and N bytes until the command is whole. False: more is needed, or `error`. */
  #readArguments(): boolean {
    const bytes = this.bytes;
    const end = this.#end;
    let at = this.#at;
    let missing = this.#missing;
    let bulk = this.#bulk;
    while (true) {
      if (bulk < 0) {
        // Nearly every line is "$" and one or two digits.
        const one = at + 3 < end && bytes[at] === DOLLAR ? bytes[at + 1]! - ZERO : -1;
        const two = one >= 0 && one <= 9 ? bytes[at + 2]! : -1;
        if (two === CR) {
          bulk = one;
          at += 4;
        } else if (one > 0 && two >= ZERO && two <= 0x39 && at + 4 < end && bytes[at + 3] === CR) {
          bulk = one * 10 + two - ZERO;
          at += 5;
        } else {
          bulk = one > 0 ? this.#shortLength(at) : -1;
          if (bulk > 0) at += bulk < 1000 ? 6 : 7;
          else {
            this.#at = at;
            bulk = this.#readBulkLength();
            at = this.#at;
            if (bulk < 0) break;
          }
        }
      }
      const after = at + bulk + 2;
      if (after > end) break;
      if (this.#slots === this.from.length) this.#growSlots();
      this.from[this.#slots] = at;
      this.to[this.#slots++] = at + bulk;
      at = after;
      bulk = -1;
      if (--missing === 0) break;
    }
    this.#at = at;
    this.#missing = missing;
    this.#bulk = bulk;
    this.#searched = at;
    return missing === 0;
  }

  /** "$N" of three or four digits at `at`, whole and within all limits; else -1: the slow path says. */
  #shortLength(at: number): number {
    const bytes = this.bytes;
    if (at + 7 > this.#end) return -1;
    let length = 0;
    let next = at + 1;
    for (; next < at + 5; next++) {
      const digit = bytes[next]! - ZERO;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    if (length < 100 || bytes[next] !== CR || bytes[at + 1] === ZERO) return -1;
    return at - this.#start + length <= LIMITS.recordBytesMax ? length : -1;
  }

  /** Slow path of one "$N" line; -1 when more bytes are needed or `error` is set. */
  #readBulkLength(): number {
    const at = this.#at;
    if (at >= this.#end) return -1;
    const lineEnd = this.#findCarriageReturn();
    if (lineEnd === -1) {
      this.#tooLongALine("bulk count");
      return -1;
    }
    if (this.bytes[at] !== DOLLAR) {
      const got = String.fromCharCode(this.bytes[at]!);
      this.#fail(`Protocol error: expected '$', got '${got}'`);
      return -1;
    }
    const length = this.#readLength(LIMITS.bulkBytesMax);
    if (length < 0) {
      this.#fail("Protocol error: invalid bulk length");
      return -1;
    }
    if (!this.authenticated && length > UNAUTHENTICATED_BULK_BYTES_MAX) {
      this.#fail("Protocol error: unauthenticated bulk length");
      return -1;
    }
    if (this.#at - this.#start + length > LIMITS.recordBytesMax) {
      this.#fail("Protocol error: command is too large");
      return -1;
    }
    return length;
  }

  /** Position of the line's \r when its \n has arrived too, else -1. */
  #findCarriageReturn(): number {
    const searchFrom = Math.max(this.#at, this.#searched);
    const found = this.#indexOf(CR, searchFrom);
    this.#searched = found === -1 ? this.#end : found;
    return found === -1 || found + 2 > this.#end ? -1 : found;
  }

  #indexOf(byte: number, from: number): number {
    const { bytes } = this;
    // Why not always a view: it is garbage. A carry is longer than what is in it.
    return (bytes.length === this.#end ? bytes : bytes.subarray(0, this.#end)).indexOf(byte, from);
  }

  /** The number of the line at #at, which is passed over when it is valid. */
  #readLength(max: number): number {
    const lineEnd = this.#findCarriageReturn();
    if (lineEnd === -1) return LINE_INCOMPLETE;
    const length = readDecimal(this.bytes, this.#at + 1, lineEnd);
    if (length > max) return LINE_TOO_LONG;
    if (length !== LINE_NOT_A_NUMBER) this.#at = lineEnd + 2;
    return length;
  }

  #readInline(): boolean {
    const newline = this.#indexOf(LF, Math.max(this.#at, this.#searched));
    if (newline === -1) {
      this.#searched = this.#end;
      if (this.#end - this.#at <= LIMITS.inlineBytesMax) return false;
      return this.#fail("Protocol error: too big inline request");
    }
    const lineEnd = newline > this.#at && this.bytes[newline - 1] === CR ? newline - 1 : newline;
    const slots = this.#slots;
    if (!splitInline(this.bytes, this.#at, lineEnd, this)) {
      this.#slots = slots;
      return this.#fail("Protocol error: unbalanced quotes in request");
    }
    this.#at = newline + 1;
    this.#searched = this.#at;
    return true;
  }

  #tooLongALine(what: string): boolean {
    if (this.#end - this.#at <= LIMITS.inlineBytesMax) return false;
    return this.#fail(`Protocol error: too big ${what} string`);
  }

  #fail(error: string): false {
    this.error = error;
    return false;
  }

  #growSlots(): void {
    const from = new Uint32Array(this.from.length * 2);
    const to = new Uint32Array(this.to.length * 2);
    from.set(this.from);
    to.set(this.to);
    this.from = from;
    this.to = to;
  }

  /** Moves the unfinished command to the front of a buffer with room for `more` bytes. */
  #moveToCarry(keepFrom: number, kept: number, more: number): void {
    const need = kept + more;
    const roomy = this.#carried && need <= this.bytes.length && kept * 2 <= this.bytes.length;
    const into = roomy ? this.bytes : Buffer.allocUnsafeSlow(this.#carryBytes(keepFrom, need));
    this.bytes.copy(into, 0, keepFrom, this.#end);
    for (let slot = this.first[this.count]!; slot < this.#slots; slot++) {
      this.from[slot]! -= keepFrom;
      this.to[slot]! -= keepFrom;
    }
    this.bytes = into;
    this.#carried = true;
    this.#at -= keepFrom;
    this.#searched = Math.max(this.#searched - keepFrom, 0);
    this.#start = 0;
    this.#end = kept;
  }

  /** Twice what is there, but no more than a known bulk needs, and at least `need`. */
  #carryBytes(keepFrom: number, need: number): number {
    const doubled = Math.max(CARRY_BYTES_MIN, need * 2);
    if (this.#bulk < CARRY_BYTES_MIN) return doubled;
    const whole = this.#at - keepFrom + this.#bulk + 2;
    return Math.max(need, Math.min(doubled, whole));
  }
}

/** A decimal as redis's string2ll takes it, within +-2^53; else LINE_NOT_A_NUMBER. */
function readDecimal(bytes: Buffer, from: number, to: number): number {
  const negative = bytes[from] === 0x2d;
  const digitsFrom = negative ? from + 1 : from;
  const digits = to - digitsFrom;
  if (digits < 1 || digits > 15) return LINE_NOT_A_NUMBER;
  if (bytes[digitsFrom] === ZERO) return digits === 1 && !negative ? 0 : LINE_NOT_A_NUMBER;
  let value = 0;
  for (let at = digitsFrom; at < to; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return LINE_NOT_A_NUMBER;
    value = value * 10 + digit;
  }
  return negative ? LINE_NEGATIVE : value;
}
