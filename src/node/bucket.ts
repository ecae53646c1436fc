/**
 * The keys of some buckets of a verification, each with a sum of its record: what two nodes compare to
 * name the keys that differ.
 *
 * The key space is walked in slices on the loop, as SCAN walks it, while commands go on. So the answer
 * is no state of one moment; it says which positions the walk lies between, and who compares two
 * answers sorts out keys that changed meanwhile (verify-keys.ts).
 * Owns: walking and summing. Does not own: what a bucket is (store/digest.ts), comparing.
 * Tested in: test/unit/daemon/verify-keys.test.ts.
 */
import { createHash } from "node:crypto";
import { bucketKeyOf, bucketOf } from "../store/digest.ts";
import type { Store } from "../store/store.ts";
import type { Id } from "../wire/messages.ts";

export interface BucketRequest {
  /** The seed of the verification. */
  readonly seed: Id;
  /** Into how many buckets it sorts keys, and which of them are asked for: one walk for all. */
  readonly buckets: number;
  readonly wanted: readonly number[];
  /** Keys in the answer at most. */
  readonly limit: number;
}

/** id: 16 hex digits that stand for the whole key; key: its first bytes, base64; sum: of its record. */
export type BucketKey = readonly [id: string, key: string, sum: string];

export interface FoundKeys {
  /** More keys than the limit: what is here is only some of them. */
  readonly truncated: boolean;
  readonly keys: readonly BucketKey[];
}

export interface BucketKeys extends FoundKeys {
  readonly history: Id;
  /** The position when the walk began, and the end of everything applied when it was over. */
  readonly from: number;
  readonly to: number;
}

/** Bytes of a key that are shown. */
const SHOWN_BYTES = 128;
/** Keys of one step, and how long a slice of steps may take. */
const KEYS_PER_STEP = 1024;
const SLICE_MS = 2;

/**
 * Walks the whole key space.
 * @param store     read again for every step: a swap may replace its state
 * @param nextTurn  asked before every slice
 * @returns the buckets' keys, at most `limit` of them, and whether there are more
 */
export async function readBucket(
  store: Store,
  request: BucketRequest,
  nextTurn: () => Promise<void>,
): Promise<FoundKeys> {
  const { seed, buckets, limit } = request;
  const wanted = new Set(request.wanted);
  const seedBytes = Buffer.from(seed, "hex");
  const bucketKey = bucketKeyOf(seed);
  const keys: BucketKey[] = [];
  let cursor = 0;
  await nextTurn();
  let untilMs = performance.now() + SLICE_MS;
  do {
    const found: Buffer[] = [];
    cursor = store.scan(cursor, KEYS_PER_STEP, (bytes, from, to) => {
      if (wanted.has(bucketOf(bytes, from, to, bucketKey, buckets)))
        found.push(Buffer.from(bytes.subarray(from, to)));
    });
    for (const key of found) keys.push(describe(store, seedBytes, key));
    if (keys.length > limit) return { keys: keys.slice(0, limit), truncated: true };
    if (performance.now() >= untilMs) {
      await nextTurn();
      untilMs = performance.now() + SLICE_MS;
    }
  } while (cursor !== 0);
  return { keys, truncated: false };
}

function describe(store: Store, seed: Buffer, key: Buffer): BucketKey {
  const id = createHash("sha256").update(seed).update(key).digest("hex").slice(0, 16);
  const shown = key.toString("base64", 0, SHOWN_BYTES);
  // It was there a moment ago in this very turn.
  if (!store.find(key, 0, key.length)) return [id, shown, ""];
  const { hitBytes, hitFrom, hitTo, hitExpireAt } = store;
  const sum = createHash("sha256").update(seed).update(`${hitExpireAt} `);
  return [id, shown, sum.update(hitBytes.subarray(hitFrom, hitTo)).digest("hex").slice(0, 16)];
}
