/**
 * Names of keys that differ between a primary and a replica, in some buckets, while writes go on.
 *
 *   primary P1 -> wait until the replica has applied all that P1 can have seen -> replica R -> primary P2
 *
 * A key that P1 and P2 have with one sum, or both have not, was that all the time between, so R must
 * agree: where it does not, the key differs. Keys that changed between P1 and P2 say nothing. A key
 * that comes, goes and comes back the same can still deceive one round, so it takes two in a row.
 *
 * Pure but for the two ends it is given. Owns: the comparison. Does not own: asking (verify.ts).
 */
import { isUtf8 } from "node:buffer";
import type { BucketKey, BucketKeys } from "../node/bucket.ts";

export type KeyDifference = "missing on replica" | "extra" | "different";

export interface NamedKey {
  /** Its first 128 bytes; of a key that is no utf-8 all but ascii as \xNN. */
  readonly key: string;
  readonly difference: KeyDifference;
}

/** One end, as it is asked. */
export interface BucketSource {
  keys(): Promise<BucketKeys>;
  /** Resolves when it has applied `history` up to `offset`; rejects when that takes too long. */
  reach(history: string, offset: number): Promise<void>;
}

const ROUNDS = 2;

/**
 * The keys that differ.
 * @throws Error when an end does not answer, or the buckets have more keys than are told
 */
export async function differingKeys(
  primary: BucketSource,
  replica: BucketSource,
): Promise<readonly NamedKey[]> {
  let before = await primary.keys();
  let standing: Map<string, NamedKey> | null = null;
  for (let round = 0; round < ROUNDS; round++) {
    await replica.reach(before.history, before.to);
    const there = await replica.keys();
    const after = await primary.keys();
    for (const { truncated, history } of [before, there, after]) {
      if (truncated) throw new Error("there are more keys than can be compared");
      if (history !== before.history) throw new Error("the history changed meanwhile");
    }
    const found = compare(before.keys, there.keys, after.keys);
    standing = standing === null ? found : both(standing, found);
    if (standing.size === 0) return [];
    before = after;
  }
  return [...(standing ?? new Map<string, NamedKey>()).values()];
}

/** Keys that P1 and P2 agree about and R does not. */
function compare(
  before: readonly BucketKey[],
  there: readonly BucketKey[],
  after: readonly BucketKey[],
): Map<string, NamedKey> {
  const first = sums(before);
  const last = sums(after);
  const replica = sums(there);
  const named = new Map<string, NamedKey>();
  for (const [id, key] of [...before, ...there]) {
    const sum = first.get(id);
    const other = replica.get(id);
    if (sum !== last.get(id) || sum === other) continue;
    const difference =
      sum === undefined ? "extra" : other === undefined ? "missing on replica" : "different";
    named.set(id, { key: textOf(Buffer.from(key, "base64")), difference });
  }
  return named;
}

function sums(keys: readonly BucketKey[]): Map<string, string> {
  return new Map(keys.map(([id, , sum]) => [id, sum]));
}

function textOf(key: Buffer): string {
  if (isUtf8(key)) return key.toString("utf8");
  return key
    .toString("latin1")
    .replaceAll(/[^ -~]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

function both(
  one: ReadonlyMap<string, NamedKey>,
  other: ReadonlyMap<string, NamedKey>,
): Map<string, NamedKey> {
  return new Map([...one].filter(([id, named]) => other.get(id)?.difference === named.difference));
}
