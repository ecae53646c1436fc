/** A SET as the primary writes it into its log: reserved, encoded, sealed, trimmed. No store. */
import type { HawserNode } from "../../src/node/api.ts";
import type { Keyspace } from "../../src/node/keyspace.ts";
import type { Case } from "../lib/measure.ts";
import { shipped } from "../lib/shipped.ts";
import { KEY_BYTES, Ring } from "./material.ts";

const BACKLOG_BYTES = 8 * 1024 * 1024;
/** Commands of one turn: one batch. */
const OPS = 256;

/** A key and a value where the caller has them. */
interface Pair {
  readonly key: Buffer;
  readonly keyAt: number;
  readonly value: Buffer;
  readonly valueAt: number;
}

export async function append(): Promise<Case[]> {
  const { Backlog } = await shipped("log/backlog");
  const { Keyspace } = await shipped("node/keyspace");
  const { setBytes } = await shipped("store/record");
  const question = (name: string, from: string, valueBytes: number, pairs: Pair[]): Case => {
    const log = new Backlog(0, 0, { sizeBytes: BACKLOG_BYTES, clock: () => 1 });
    const node = { log, store: { apply: () => undefined }, writeRefusal: () => null };
    const keys = new Keyspace(node as unknown as HawserNode);
    const length = setBytes(KEY_BYTES, valueBytes, 0) + 4;
    const ring = new Ring(BACKLOG_BYTES);
    const source = Buffer.alloc(length, 120);
    return {
      name: `append.${name}`,
      operation: `a SET of ${valueBytes} bytes ${from} into the log, ${OPS} a batch`,
      ops: OPS,
      isSteady: true,
      bytes: length,
      run: () => {
        for (const pair of pairs) set(keys, pair, valueBytes);
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
  };
  return [
    question("read100", "out of a read", 100, inOneRead(100)),
    question("read1000", "out of a read", 1000, inOneRead(1000)),
    question("own100", "from a buffer of its own", 100, inOwnBuffers(100)),
  ];
}

function set(keys: Keyspace, pair: Pair, valueBytes: number): void {
  const { key, keyAt, value, valueAt } = pair;
  keys.set(key, keyAt, keyAt + KEY_BYTES, value, valueAt, valueAt + valueBytes, 0);
}

/** As the client port has them: one after another in what a socket read brought. */
function inOneRead(valueBytes: number): Pair[] {
  const step = KEY_BYTES + valueBytes + 28;
  const read = Buffer.alloc((OPS + 1) * step, 120);
  return Array.from({ length: OPS }, (_, i) => {
    const keyAt = 20 + i * step;
    return { key: read, keyAt, value: read, valueAt: keyAt + KEY_BYTES + 8 };
  });
}

/** As an embedder has them. */
function inOwnBuffers(valueBytes: number): Pair[] {
  return Array.from({ length: OPS }, () => {
    const [key, value] = [Buffer.alloc(KEY_BYTES, 120), Buffer.alloc(valueBytes, 120)];
    return { key, keyAt: 0, value, valueAt: 0 };
  });
}
