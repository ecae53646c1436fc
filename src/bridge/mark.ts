/**
 * The mark: where a state is, as bytes that it keeps with its data and gives back at the next start.
 *
 *     0  u32 crc32 of the rest     24  u64 term, u32 run      48  u64 clockMs of the newest batch
 *     4  u32 version               36  u64 offset             56  boot id, 16 bytes; zeros: unknown
 *     8  history, 16 bytes         44  u32 chain              72  u8 count, then the lineage, 36 each
 *
 * A lineage of LIMITS.lineageEntriesMax entries does not fit into MARK_BYTES_MAX. Of more than fit those
 * go that were the shortest (log/history.ts): a replica that was last in one of them then gets a snapshot
 * from a node that was started from this mark alone, and nothing else is different.
 *
 * What a state gives back is foreign: it may be cut, of another version, or of anything else.
 * Owns: the bytes. Does not own: which mark is kept when (target.ts), what a start makes of it
 * (node/marked-start.ts).
 */
import { StoreError, WireError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type LogName, withoutShortest } from "../log/history.ts";
import { BodyReader, BodyWriter } from "../wire/body.ts";
import { rank } from "../wire/codec.ts";
import { crc32 } from "../wire/crc.ts";
import * as f from "../wire/fields.ts";
import { writeU64 } from "../wire/frame.ts";
import type { Id, Lineage, LineageEntry } from "../wire/messages.ts";
import type { Mark } from "./seam.ts";

/** What a state must be able to keep. */
export const MARK_BYTES_MAX = 2048;

/** As many histories as fit. */
export const MARK_LINEAGE_MAX = 54;

const VERSION = 1;
const CRC_BYTES = 4;

/** No machine, or one that does not say which of its starts this is. */
export const NO_BOOT: Id = "0".repeat(32);

/** What a mark says. */
export interface MarkedPlace extends LogName {
  /** Where the state is in the log of `history`: between two batches. */
  readonly offset: number;
  readonly chain: number;
  /** Of the newest batch, ms since 1970; 0 before the first. */
  readonly clockMs: number;
  /** Which start of the machine it was written in. */
  readonly bootId: Id;
}

interface MarkBody {
  readonly version: number;
  readonly history: Id;
  readonly rank: LogName["rank"];
  readonly offset: number;
  readonly chain: number;
  readonly clockMs: number;
  readonly bootId: Id;
  readonly lineage: Lineage;
}

const entry = f.struct<LineageEntry>({
  history: f.id,
  left: f.u53,
  term: f.upTo(LIMITS.termMax),
  run: f.u32,
});

const body = f.struct<MarkBody>({
  version: f.u32,
  history: f.id,
  rank,
  offset: f.upTo(LIMITS.offsetMax),
  chain: f.u32,
  clockMs: f.timeMs,
  bootId: f.id,
  lineage: f.list(entry, MARK_LINEAGE_MAX),
});

const scratch = Buffer.alloc(MARK_BYTES_MAX);

/** The mark of `place`, in memory of its own. */
export function encodeMark(place: MarkedPlace): Mark {
  const { history, offset, chain, clockMs, bootId } = place;
  const writer = new BodyWriter(scratch, CRC_BYTES);
  const lineage = withoutShortest([...place.lineage], MARK_LINEAGE_MAX);
  body.write(writer, {
    version: VERSION,
    history,
    rank: place.rank,
    offset,
    chain,
    clockMs,
    bootId,
    lineage,
  });
  scratch.writeUInt32LE(crc32(scratch, CRC_BYTES, writer.at, 0), 0);
  const mark = new Uint8Array(writer.at);
  mark.set(scratch.subarray(0, writer.at));
  return mark;
}

/** Where in a mark a place in its log is; the rest is the log's. */
const AT = { offset: 36, chain: 44, clockMs: 48 } as const;

/** Marks of places in one log: what they have in common is encoded once, which is most of the work. */
export class MarkTemplate {
  readonly #bootId: Id;
  #name: LogName | null = null;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(bootId: Id) {
    this.#bootId = bootId;
  }

  /** As encodeMark(). A lineage that changes is another array. */
  markAt(name: LogName, offset: number, chain: number, clockMs: number): Mark {
    if (!this.#isOf(name)) this.#encode(name);
    // Not from a pool: a state may hand the memory on to a thread.
    const bytes = Buffer.allocUnsafeSlow(this.#bytes.length);
    bytes.set(this.#bytes);
    writeU64(bytes, offset, AT.offset);
    bytes.writeUInt32LE(chain, AT.chain);
    writeU64(bytes, clockMs, AT.clockMs);
    bytes.writeUInt32LE(crc32(bytes, CRC_BYTES, bytes.length, 0), 0);
    return bytes;
  }

  #isOf({ history, lineage, rank }: LogName): boolean {
    const before = this.#name;
    if (before?.history !== history || before.lineage !== lineage) return false;
    return before.rank.term === rank.term && before.rank.run === rank.run;
  }

  #encode({ history, rank, lineage }: LogName): void {
    const place = { offset: 0, chain: 0, clockMs: 0, bootId: this.#bootId };
    const mark = encodeMark({ history, rank, lineage, ...place });
    this.#bytes = Buffer.from(mark.buffer, mark.byteOffset, mark.length);
    this.#name = { history, rank: { ...rank }, lineage };
  }
}

/** @throws {StoreError} ERR_STORE_MARK saying what is wrong with it */
export function decodeMark(mark: Mark): MarkedPlace {
  const bytes = Buffer.from(mark.buffer, mark.byteOffset, mark.byteLength);
  if (bytes.length <= CRC_BYTES || bytes.length > MARK_BYTES_MAX)
    throw damaged(`it has ${bytes.length} bytes, up to ${MARK_BYTES_MAX} are allowed`);
  if (bytes.readUInt32LE(0) !== crc32(bytes, CRC_BYTES, bytes.length, 0))
    throw damaged(`its ${bytes.length} bytes do not match their crc32`);
  const { version, ...place } = readBody(bytes);
  if (version !== VERSION) throw damaged(`it is of version ${version}, known is ${VERSION}`);
  return place;
}

function readBody(bytes: Buffer): MarkBody {
  const reader = new BodyReader(bytes, CRC_BYTES, bytes.length, "mark", CRC_BYTES);
  try {
    const read = body.read(reader);
    reader.end();
    return read;
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw damaged(error.message, error);
  }
}

function damaged(why: string, cause?: unknown): StoreError {
  return new StoreError("ERR_STORE_MARK", `the state's mark cannot be read: ${why}`, { cause });
}

/** The same bytes. */
export function isSameMark(a: Mark | null, b: Mark | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a, b) === 0;
}
