/** A snapshot read to its end, by a worker as it is shipped. */
import type { SerializerPool } from "../../src/store/pool.ts";
import type { Snapshot } from "../../src/store/snapshot.ts";

/** Reads all chunks of the snapshot as fast as they come; resolves with its totals. */
export function drain(
  pool: SerializerPool,
  snapshot: Snapshot,
  each: (payload: Buffer) => void = () => undefined,
): Promise<{ bytes: number; records: number }> {
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const reader = pool.frozen(snapshot).read(0, {
      ready: () => {
        for (let chunk = reader.take(); chunk !== null; chunk = reader.take()) {
          const { bytes: memory, from, to } = chunk;
          each(memory.subarray(from, to));
          bytes += to - from;
          reader.release(chunk);
        }
        if (reader.totals !== null) resolve({ bytes, records: reader.totals.records });
      },
      failed: (reason) => reject(new Error(reason)),
    });
  });
}
