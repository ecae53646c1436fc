/**
 * SCAN in the order of tags (hash prefixes), which growing and shrinking do not change. A cursor is
 * a tag as u32: everything below it has been visited. A key's tag never changes, so a key that is
 * there from start to end is visited once, and no key twice.
 *
 *   0        cursor       next                        2^32
 *   |--------|------------|---------------------------|      pages own ranges of this line; a part
 *    visited  this call    to come                           of a page's range can be visited alone
 *
 * Owns: cursors. Does not own: what is done with a key (the visitor).
 */
import type { KeyIndex } from "./key-index.ts";

const TAGS_END = 0x1_0000_0000;
/** Pages looked at in one call, when they are (almost) empty. */
const PAGES_MAX = 64;

/**
 * Visits the addresses of all entries in the next part of the index, about `count` of them.
 *
 * @param cursor 0 to start, or what the last call returned
 * @returns the next cursor, 0 at the end
 */
export function scanIndex(
  index: KeyIndex,
  cursor: number,
  count: number,
  visit: (address: number) => void,
): number {
  if (cursor >= TAGS_END) return 0; // Nobody got that one from us.
  let from = cursor;
  let seen = 0;
  for (let n = 0; n < PAGES_MAX && seen < count; n++) {
    const page = index.pageOf(from | 0);
    const depth = index.pages.depths[page]!;
    const width = 2 ** (32 - depth);
    const pageEnd = (index.pages.prefixes[page]! >>> 0) + width;
    const entries = Math.max(1, index.pages.counts[page]!);
    // The share of the page's range that should hold as many entries as are still wanted.
    const part = Math.max(1, Math.floor((width * (count - seen)) / entries));
    const to = Math.min(pageEnd, from + part);
    seen += visitPart(index, page, from, to, visit);
    from = to;
    if (from >= TAGS_END) return 0;
  }
  return from;
}

/** Visits the entries of `page` with from <= tag < to. Copies them first: visitors may delete. */
function visitPart(
  index: KeyIndex,
  page: number,
  from: number,
  to: number,
  visit: (address: number) => void,
): number {
  const chunk = index.pages.chunkOf(page);
  const base = index.pages.baseOf(page);
  const addresses: number[] = [];
  for (let at = base; at < base + (1 << index.pages.pageShift); at += 2) {
    if (chunk[at + 1] === 0) continue;
    const tag = chunk[at]! >>> 0;
    if (tag >= from && tag < to) addresses.push(chunk[at + 1]!);
  }
  for (const address of addresses) visit(address);
  return addresses.length;
}
