/**
 * A node batch as a replica takes it: read whole, as a state reads a record before it takes it, and kept
 * from the state.
 *
 * Owns: the check. Does not own: its bytes (wire/node-record.ts), when it is its turn (apply.ts,
 * run-applier.ts).
 * Tested in: test/unit/replica/apply.test.ts, test/unit/replica/run-applier.test.ts.
 */
import { StoreError, WireError } from "../errors.ts";
import { readNodeBatch } from "../wire/node-record.ts";

/** @throws {StoreError} ERR_STORE_RECORD when the node batch at `bytes[at, ...)` is malformed */
export function checkNodeBatch(bytes: Buffer, at: number): void {
  try {
    readNodeBatch(bytes, at);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new StoreError("ERR_STORE_RECORD", error.message, { cause: error });
  }
}
