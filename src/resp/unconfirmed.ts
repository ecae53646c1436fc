/**
 * What a reply answers that may have to be taken back: its text says which.
 *
 * Owns: those names. Does not own: the places of such replies, their texts (held-writes.ts).
 * Tested in: test/unit/resp/held-writes.test.ts.
 */

/** What it is that cannot be confirmed. */
export const UNCONFIRMED = {
  /** A write that the own disk has not taken. */
  disk: 0,
  /** A write that too few members have. */
  write: 1,
  /** What a read shows. */
  read: 2,
} as const;
export type Unconfirmed = (typeof UNCONFIRMED)[keyof typeof UNCONFIRMED];
