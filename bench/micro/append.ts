/** A SET as the primary writes it into its log: reserved, encoded, sealed, trimmed. No store. */
import type { HawserNode } from "../../src/daemon/node-api.ts";
import type { Case } from "../lib/measure.ts";
import { shipped } from "../lib/shipped.ts";
import { KEY_BYTES, Ring } from "./material.ts";

const BACKLOG_BYTES = 8 * 1024 * 1024;
/** Commands of one turn: one batch. */
const OPS = 256;

export async function append(): Promise<Case[]> {
  const { Backlog } = await shipped("primary/backlog");
  const { Keyspace } = await shipped("daemon/keyspace");
  const { setBytes } = await shipped("store/record");
  return [100, 1000].map((valueBytes) => {
    const log = new Backlog(0, 0, { sizeBytes: BACKLOG_BYTES, clock: () => 1 });
    const store = { apply: () => undefined };
    const node = { log, store, writeRefusal: () => null };
    const keys = new Keyspace(node as unknown as HawserNode);
    const bytes = Buffer.alloc(KEY_BYTES + valueBytes, 120);
    const length = setBytes(KEY_BYTES, valueBytes, 0) + 4;
    const ring = new Ring(BACKLOG_BYTES);
    const source = Buffer.alloc(length, 120);
    return {
      name: `append.${valueBytes}`,
      operation: `one SET of ${valueBytes} bytes into the log, ${OPS} a batch`,
      ops: OPS,
      bytes: length,
      run: () => {
        for (let i = 0; i < OPS; i++) {
          bytes[KEY_BYTES - 1] = i;
          keys.set(bytes, 0, KEY_BYTES, bytes, KEY_BYTES, bytes.length, 0);
        }
        log.seal();
        log.trim(Number.POSITIVE_INFINITY);
      },
      floor: {
        name: "Buffer.copy of the record",
        run: () => {
          for (let i = 0; i < OPS; i++) ring.copy(source, 0, length);
        },
      },
    };
  });
}
