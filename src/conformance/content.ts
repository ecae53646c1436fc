/**
 * What is in a state, so that two can be compared: the records of a snapshot, and what the state's own
 * methods show, without their order.
 *
 * Owns: reading and comparing. Does not own: which states are equal (checks).
 * Tested in: test/unit/conformance/suite.test.ts.
 */
import type { Frozen, Part } from "../bridge/seam.ts";

/** Of one state at one moment; each list is sorted. */
export interface Content {
  /** As latin1. */
  readonly records: readonly string[];
  /** null when there are no methods to ask. */
  readonly own: readonly string[] | null;
}

const SHOWN_MAX = 3;
const SHOWN_BYTES_MAX = 48;

/** A copy of each record in the order of one read; `visit` sees each part before it is copied. */
export async function readRecords(
  frozen: Frozen,
  after: Uint8Array | null = null,
  visit: (part: Part) => Promise<void> | void = () => undefined,
): Promise<string[]> {
  const records: string[] = [];
  for await (const part of frozen.read(after)) {
    await visit(part);
    for (const record of part.records) records.push(latin1(record));
  }
  return records;
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** How `seen` differs from `expected`, in words of bounded length; null when it does not. */
export function difference(expected: Content, seen: Content): string | null {
  return (
    listDifference("records of a snapshot", expected.records, seen.records) ??
    listDifference("entries", expected.own ?? [], seen.own ?? [])
  );
}

/** The same of two sorted lists, which may have a text twice. */
export function listDifference(
  what: string,
  expected: readonly string[],
  seen: readonly string[],
): string | null {
  const missing: string[] = [];
  const extra: string[] = [];
  let i = 0;
  let j = 0;
  while (i < expected.length || j < seen.length) {
    const [a, b] = [expected[i], seen[j]];
    if (a === b) {
      i += 1;
      j += 1;
    } else if (b === undefined || (a !== undefined && a < b)) {
      missing.push(a!);
      i += 1;
    } else {
      extra.push(b);
      j += 1;
    }
  }
  if (missing.length === 0 && extra.length === 0) return null;
  const parts = [`${seen.length} ${what}, expected ${expected.length}`];
  if (missing.length > 0) parts.push(`${missing.length} missing: ${shown(missing)}`);
  if (extra.length > 0) parts.push(`${extra.length} too many: ${shown(extra)}`);
  return parts.join("; ");
}

function shown(texts: readonly string[]): string {
  const some = texts.slice(0, SHOWN_MAX).map(showBytes).join(", ");
  return texts.length > SHOWN_MAX ? `${some}, ...` : some;
}

/** As text where it is plain, else as hex; cut. */
export function showBytes(text: string): string {
  const isLong = text.length > SHOWN_BYTES_MAX;
  const some = text.slice(0, SHOWN_BYTES_MAX);
  const said = /^[\x20-\x7e]*$/.test(some)
    ? `"${some}"`
    : Buffer.from(some, "latin1").toString("hex");
  return isLong ? `${said}... (${text.length} bytes)` : said;
}
