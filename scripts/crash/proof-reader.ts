/**
 * How much of a log a data directory proves to have been synced, read from its bytes alone, by the tables
 * of docs/DISK.md and by nothing of the product: what a start must not lose silently.
 *
 *   a MARK with the salt of its file       everything up to what it names
 *   the LOG_HEAD of a file, but the first  everything before its start
 *   a checkpoint in the manifest           everything up to its position
 *
 * Owns: that sum. Does not own: damage (points.ts).
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";

const HEAD_TYPE = 64;
const MARK_TYPE = 65;
const HEAD_BYTES = 16;
/** Where fields are, from the beginning of their frame. */
const AT = { check: 4, type: 8, length: 12, salt: 24, start: 80, markSalt: 16, durable: 32 };
const SALT_BYTES = 16;

/** What of a manifest is looked at. */
interface Manifest {
  readonly generation: number;
  readonly firstLog: number;
  readonly checkpoints: readonly { readonly position: { readonly offset: number } }[];
}

/** The highest offset that is proven; -1 when the manifest cannot be read. */
export function provenTo(dir: string): number {
  const manifest = manifestOf(dir);
  if (manifest === null) return -1;
  const folder = join(dir, `generation-${String(manifest.generation).padStart(8, "0")}`);
  let proven = 0;
  for (const { position } of manifest.checkpoints) proven = Math.max(proven, position.offset);
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const number = Number(/^(\d{8})\.log$/.exec(name)?.[1] ?? -1);
    if (number < manifest.firstLog) continue;
    const bytes = readFileSync(join(folder, name));
    proven = Math.max(proven, provenByFile(bytes, number > manifest.firstLog));
  }
  return proven;
}

function manifestOf(dir: string): Manifest | null {
  const path = join(dir, "manifest");
  if (!existsSync(path)) return null;
  const text = readFileSync(path, "latin1");
  const end = text.indexOf("\n") + 1;
  const sum = crc32(Buffer.from(text.slice(0, end), "latin1"))
    .toString(16)
    .padStart(8, "0");
  return text.slice(end) === `${sum}\n` ? (JSON.parse(text.slice(0, end)) as Manifest) : null;
}

function provenByFile(bytes: Buffer, startCounts: boolean): number {
  if (!isFrame(bytes, 0, HEAD_TYPE)) return 0;
  let proven = startCounts ? numberAt(bytes, AT.start) : 0;
  const salt = bytes.subarray(AT.salt, AT.salt + SALT_BYTES);
  for (let at = bytes.indexOf(salt, AT.salt + 1); at >= 0; at = bytes.indexOf(salt, at + 1)) {
    const frame = at - AT.markSalt;
    if (isFrame(bytes, frame, MARK_TYPE))
      proven = Math.max(proven, numberAt(bytes, frame + AT.durable));
  }
  return proven;
}

/** A frame of this type begins at `at`, and both of its sums are right. */
function isFrame(bytes: Buffer, at: number, type: number): boolean {
  if (at < 0 || at + HEAD_BYTES > bytes.length || bytes[at + AT.type] !== type) return false;
  const end = at + bytes.readUInt32LE(at + AT.length);
  if (end <= at + HEAD_BYTES || end > bytes.length) return false;
  const headSum = crc32(bytes.subarray(at + AT.check, at + HEAD_BYTES));
  if (headSum !== bytes.readUInt32LE(at)) return false;
  return crc32(bytes.subarray(at + HEAD_BYTES, end)) === bytes.readUInt32LE(at + AT.check);
}

function numberAt(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}
