/** A snapshot read to its end, by a worker as it is shipped. */
import type { SerializerPool } from "../../src/store/pool.ts";
import type { Snapshot } from "../../src/store/snapshot.ts";

/** Reads all chunks of the snapshot as fast as they come; resolves with its totals. */
export function drain(
  pool: SerializerPool,
  snapshot: Snapshot,
  each: (bytes: Buffer) => void = () => undefined,
): Promise<{ bytes: number; records: number }> {
  return new Promise((resolve, reject) => {
    const reader = pool.frozen(snapshot).read(0, {
      ready: () => {
        for (let chunk = reader.take(); chunk !== null; chunk = reader.take()) {
          each(chunk.frame as Buffer);
          reader.release(chunk);
        }
        if (reader.totals !== null) resolve(reader.totals);
      },
      failed: (reason) => reject(new Error(reason)),
    });
  });
}
