/**
 * Replies as RESP2 or RESP3 bytes, gathered in one buffer and handed over once per socket read, or
 * once per MiB of it.
 *
 * One writer serves all clients: a run of commands begins with begin(sink) and ends with flush(),
 * all in one synchronous step. The sink says whether the bytes are its own when it returns; when
 * the socket kept them, the buffer is given up and a new one begun.
 * Between hold() and release(), which nest, nothing is handed over, so that rollback() takes back all
 * replies since: a command that fails midway answers its error and nothing else.
 * Invariant: what reaches a sink is a copy; nothing points into the store.
 * Owns: encoding and the buffer. Does not own: sockets (client.ts), texts of errors (commands/).
 */
import { writeDecimal } from "./decimal.ts";

/**
 * Takes finished bytes; true when it needs them no longer, false when it keeps them, "gone" when nobody
 * will ever read them. `owned`: nobody else has them, so what keeps them needs no copy.
 */
export type ReplySink = (bytes: Buffer, owned: boolean) => boolean | "gone";

/** Handed over as soon as this much is there. */
const REPLY_FLUSH_BYTES = 1024 * 1024;
const BUFFER_BYTES_MIN = 64 * 1024;
/** A bulk of this size is handed over by itself instead of growing the buffer. */
const LARGE_BULK_BYTES = 256 * 1024;
/** More than any error of ours with what it repeats. */
const ERROR_CHARS_MAX = 1024;
/** Below this a loop is faster than a call of Buffer.copy (80 ns). */
const LOOP_COPY_BYTES_MAX = 48;
/** Longest head: type, 20 digits, sign, CRLF. */
const HEAD_BYTES_MAX = 32;

const CR = 0x0d;
const LF = 0x0a;
const TYPE = {
  simple: 0x2b,
  error: 0x2d,
  integer: 0x3a,
  bulk: 0x24,
  array: 0x2a,
  map: 0x25,
  set: 0x7e,
  double: 0x2c,
  nil: 0x5f,
  verbatim: 0x3d,
} as const;

const OK = Buffer.from("+OK\r\n");
const NIL_BULK = Buffer.from("$-1\r\n");
const NIL_ARRAY = Buffer.from("*-1\r\n");
const NIL_3 = Buffer.from("_\r\n");

export class ReplyWriter {
  /** 2 or 3: what the client asked for with HELLO. */
  protocol: 2 | 3 = 2;
  /** Bytes handed over since the process began, for INFO. */
  bytesTotal = 0;
  /** Error replies since the process began, for INFO. */
  errorsTotal = 0;

  #buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES_MIN);
  #at = 0;
  #sink: ReplySink = () => true;
  /** The sink said so in this run. */
  #gone = false;
  /** Where rollback() goes back to. */
  #markBuffer: Buffer = this.#buffer;
  #markAt = 0;
  #markHeld = 0;
  /** Calls of hold() without their release(). */
  #holds = 0;
  /** What is to be handed over by release(). */
  #held: { readonly bytes: Buffer; readonly owned: boolean }[] = [];
  #heldBytes = 0;
  /** Something was handed over since mark(). */
  #passedMark = false;

  /** Begins the replies of one client. */
  begin(sink: ReplySink, protocol: 2 | 3): void {
    this.#sink = sink;
    this.protocol = protocol;
    this.#at = 0;
    this.#gone = false;
    this.#holds = 0;
    this.#dropHeld(0);
  }

  /** Remembers this place for rollback(). */
  mark(): void {
    this.#markBuffer = this.#buffer;
    this.#markAt = this.#at;
    this.#markHeld = this.#held.length;
    this.#passedMark = false;
  }

  /** mark(), and hands nothing over until release(). */
  hold(): void {
    this.mark();
    this.#holds += 1;
  }

  /** What was held may go. */
  release(): void {
    this.#holds -= 1;
    if (this.#holds > 0 || this.#held.length === 0) return;
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const { bytes, owned } of held) this.#handOver(bytes, owned);
  }

  /** Takes back what was written since mark() or hold(); false when some of it is handed over already. */
  rollback(): boolean {
    if (this.#passedMark) return false;
    this.#dropHeld(this.#markHeld);
    this.#buffer = this.#markBuffer;
    this.#at = this.#markAt;
    return true;
  }

  #dropHeld(from: number): void {
    if (this.#held.length === from) return;
    for (const { bytes } of this.#held.splice(from)) this.#heldBytes -= bytes.length;
  }

  /** Bytes not yet handed over. */
  get pending(): number {
    return this.#at + this.#heldBytes;
  }

  /** Hands over what is there. */
  flush(): void {
    if (this.#at === 0) return;
    const free = this.#handOver(this.#buffer.subarray(0, this.#at), false);
    this.#at = 0;
    if (!free || this.#buffer.length > 2 * REPLY_FLUSH_BYTES) {
      this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES_MIN);
    }
  }

  /** True when the bytes may be used again. */
  #handOver(bytes: Buffer, owned: boolean): boolean {
    if (this.#holds > 0) {
      this.#held.push({ bytes, owned });
      this.#heldBytes += bytes.length;
      return false;
    }
    this.#passedMark = true;
    if (this.#gone) return true;
    this.bytesTotal += bytes.length;
    const free = this.#sink(bytes, owned);
    if (free !== "gone") return free;
    this.#gone = true;
    return true;
  }

  /** "+OK". */
  ok(): void {
    this.#reserve(5);
    const buffer = this.#buffer;
    const at = this.#at;
    buffer[at] = TYPE.simple;
    buffer[at + 1] = 0x4f;
    buffer[at + 2] = 0x4b;
    buffer[at + 3] = CR;
    buffer[at + 4] = LF;
    this.#at = at + OK.length;
  }

  simple(text: string): void {
    this.#line(TYPE.simple, text);
  }

  /**
   * `text` begins with its code, "ERR ...", without "-"; line breaks become spaces. What it repeats of a
   * client's words is latin1, one character a byte, and goes out as the bytes that came in.
   */
  error(text: string): void {
    this.errorsTotal++;
    const short = text.length > ERROR_CHARS_MAX ? text.slice(0, ERROR_CHARS_MAX) : text;
    this.#line(TYPE.error, /[\r\n]/.test(short) ? short.replaceAll(/[\r\n]/g, " ") : short);
  }

  integer(value: number): void {
    this.#head(TYPE.integer, value);
  }

  /** An integer beyond 2^53, already as digits. */
  integerText(digits: string): void {
    this.#line(TYPE.integer, digits);
  }

  /** Copies `bytes[from, to)`. */
  bulk(bytes: Buffer, from: number, to: number): void {
    const length = to - from;
    if (length >= LARGE_BULK_BYTES) {
      this.#largeBulk(bytes, from, to);
      return;
    }
    this.#reserve(length + HEAD_BYTES_MAX);
    this.#head(TYPE.bulk, length);
    const buffer = this.#buffer;
    let at = this.#at;
    if (length <= LOOP_COPY_BYTES_MAX) {
      for (let source = from; source < to; source++) buffer[at++] = bytes[source]!;
    } else {
      bytes.copy(buffer, at, from, to);
      at += length;
    }
    buffer[at] = CR;
    buffer[at + 1] = LF;
    this.#at = at + 2;
  }

  bulkText(text: string): void {
    const length = Buffer.byteLength(text);
    this.#reserve(length + HEAD_BYTES_MAX);
    this.#head(TYPE.bulk, length);
    this.#at += this.#buffer.write(text, this.#at);
    this.#lineBreak();
  }

  /** Human-readable text: RESP3 says so ("txt:"). */
  verbatim(text: string): void {
    if (this.protocol === 2) {
      this.bulkText(text);
      return;
    }
    const length = Buffer.byteLength(text) + 4;
    this.#reserve(length + HEAD_BYTES_MAX);
    this.#head(TYPE.verbatim, length);
    this.#at += this.#buffer.write("txt:", this.#at, "latin1");
    this.#at += this.#buffer.write(text, this.#at);
    this.#lineBreak();
  }

  /** No such value. */
  nil(): void {
    this.#constant(this.protocol === 2 ? NIL_BULK : NIL_3);
  }

  /** No such list; EXEC that was aborted. */
  nilArray(): void {
    this.#constant(this.protocol === 2 ? NIL_ARRAY : NIL_3);
  }

  array(count: number): void {
    this.#head(TYPE.array, count);
  }

  /** `pairs` keys and values follow; RESP2 has a flat array. */
  map(pairs: number): void {
    if (this.protocol === 2) this.#head(TYPE.array, pairs * 2);
    else this.#head(TYPE.map, pairs);
  }

  set(count: number): void {
    this.#head(this.protocol === 2 ? TYPE.array : TYPE.set, count);
  }

  /** Bytes that are a reply already. */
  raw(bytes: Buffer): void {
    this.#constant(bytes);
  }

  #constant(bytes: Buffer): void {
    this.#reserve(bytes.length);
    bytes.copy(this.#buffer, this.#at);
    this.#at += bytes.length;
  }

  #line(type: number, text: string): void {
    this.#reserve(text.length * 3 + 3);
    this.#buffer[this.#at++] = type;
    // Only texts of ours have characters that are no bytes.
    this.#at += this.#buffer.write(text, this.#at, isLatin1(text) ? "latin1" : "utf8");
    this.#lineBreak();
  }

  /** Type, decimal, line break. */
  #head(type: number, value: number): void {
    this.#reserve(HEAD_BYTES_MAX);
    const buffer = this.#buffer;
    let at = this.#at;
    buffer[at++] = type;
    at = writeDecimal(buffer, at, value);
    buffer[at] = CR;
    buffer[at + 1] = LF;
    this.#at = at + 2;
  }

  #lineBreak(): void {
    this.#buffer[this.#at++] = CR;
    this.#buffer[this.#at++] = LF;
  }

  #largeBulk(bytes: Buffer, from: number, to: number): void {
    if (this.#gone) return;
    // First: it may fail, and then nothing is written.
    const copy = Buffer.allocUnsafeSlow(to - from);
    bytes.copy(copy, 0, from, to);
    this.#head(TYPE.bulk, to - from);
    this.flush();
    this.#handOver(copy, true);
    this.#reserve(2);
    this.#lineBreak();
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes > this.#buffer.length) this.#makeRoom(bytes);
  }

  #makeRoom(bytes: number): void {
    if (this.#at >= REPLY_FLUSH_BYTES) this.flush();
    if (this.#at + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }
}

function isLatin1(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false;
  return true;
}
