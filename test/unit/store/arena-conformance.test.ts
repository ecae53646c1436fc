/**
 * The built-in store against the contract of a state of an embedder's own, by an adapter from the inner seam
 * to the public one.
 *
 * What the adapter adds: a batch is checked whole before its first record is applied, as the store is atomic in
 * each record and not in a batch; chunks of a snapshot, which have records as they lie in memory, become SETs and
 * back. What does not apply: all that needs a durability (the store keeps nothing by itself: the node's log
 * and checkpoints do), transact() and sync(); changes by methods of its own are the keyspace's
 * (node/keyspace.ts), which has tests of its own.
 */
import { expect, test } from "vitest";
import type {
  Batch,
  Frozen,
  Part,
  Records,
  ReplicatedState,
  Staging,
} from "../../../src/bridge/seam.ts";
import { conformance, type Subject } from "../../../src/conformance/index.ts";
import { ArenaState } from "../../../src/store/arena-state.ts";
import { InlineSource } from "../../../src/store/inline-source.ts";
import * as layout from "../../../src/store/layout.ts";
import { checkRecord } from "../../../src/store/mutations.ts";
import { OP, RECORD_HEAD_BYTES } from "../../../src/store/record.ts";
import { Store } from "../../../src/store/store.ts";
import * as m from "./model.ts";
import { payloadOf } from "./reading.ts";

const SLOT_BYTES = 65_536;
const TOKEN_BYTES = 4;

class ArenaAsReplicated implements ReplicatedState {
  readonly format = { name: "hawser-kv", version: 1 };
  readonly durability = "none";
  readonly store = new Store();
  #newest: InlineSource | null = null;
  readonly #state = new ArenaState(this.store, (snapshot) => {
    return (this.#newest = new InlineSource(snapshot, { slots: 2, slotBytes: SLOT_BYTES }));
  });

  open(): { mark: null; empty: boolean } {
    return { mark: null, empty: this.#state.isEmpty() };
  }

  check(bytes: Buffer, from: number, to: number): void {
    checkRecord(bytes, from, to);
  }

  apply(batch: Batch): void {
    batch.each((bytes, from, to) => this.check(bytes, from, to));
    const run = m.withLengths(Array.from(batch));
    this.#state.applyRange(run, 0, run.length);
    this.store.maintain();
  }

  freeze(): Frozen {
    this.#state.freeze();
    const source = this.#newest!;
    return {
      records: source.records,
      bytes: source.bytes,
      read: (after) => partsOf(source, after === null ? 0 : Buffer.from(after).readUInt32LE()),
      pinned: () => this.#state.memory().pinnedBytes,
      close: () => source.close(),
    };
  }

  stage(about: { readonly records: number; readonly bytes: number }): Staging {
    const staged = this.#state.stage(about);
    let records = 0;
    return {
      load: (lent: Records) => {
        const chunk = Buffer.concat(Array.from(lent, asInChunk));
        staged.load(chunk, 0, chunk.length);
        records += lent.count;
      },
      commit: () => {
        staged.finish({ records });
        this.#state.swap(staged);
      },
      abort: () => staged.discard(),
    };
  }
}

/** One part for each chunk; a record that goes on in the next chunk is in the part where it ends. */
function* partsOf(source: InlineSource, from: number): Generator<Part, undefined> {
  const failures: string[] = [];
  const reader = source.read(from, { ready: () => undefined, failed: (why) => failures.push(why) });
  let begun = Buffer.alloc(0);
  try {
    while (reader.totals === null) {
      source.step();
      expect(failures).toEqual([]);
      for (let chunk = reader.take(); chunk !== null; chunk = reader.take()) {
        const { number } = chunk;
        const bytes = Buffer.concat([begun, payloadOf(chunk)]);
        reader.release(chunk);
        const records: Buffer[] = [];
        let at = 0;
        for (let end = endOf(bytes, at); end > 0; end = endOf(bytes, at)) {
          records.push(asRecord(bytes, at));
          at = end;
        }
        begun = Buffer.from(bytes.subarray(at));
        if (records.length === 0) continue;
        const token = Buffer.alloc(TOKEN_BYTES);
        token.writeUInt32LE(number + 1);
        yield begun.length === 0 ? { records, token } : { records };
      }
    }
  } finally {
    reader.close();
  }
}

function lengthsOf(bytes: Buffer, at: number): { keyAt: number; valueAt: number; end: number } {
  const lengths = bytes.readUInt32LE(at + 8);
  const keyAt = at + layout.headOf(lengths);
  const valueAt = keyAt + layout.keyBytesOf(lengths);
  const end = valueAt + layout.valueBytesOf(lengths, bytes.readUInt32LE(at + 12));
  return { keyAt, valueAt, end };
}

/** Where the record at `at` ends; 0 when it is not whole. */
function endOf(bytes: Buffer, at: number): number {
  if (bytes.length - at < 16) return 0;
  const end = at + layout.align8(lengthsOf(bytes, at).end - at);
  return end <= bytes.length ? end : 0;
}

/** A record as it lies in a chunk => a SET. */
function asRecord(bytes: Buffer, at: number): Buffer {
  const { keyAt, valueAt, end } = lengthsOf(bytes, at);
  return m.setRecord(bytes.subarray(keyAt, valueAt), bytes.subarray(valueAt, end));
}

/** A SET => the record as it lies in a chunk. */
function asInChunk(record: Buffer): Buffer {
  expect(record[0]).toBe(OP.set);
  const keyEnd = RECORD_HEAD_BYTES + record.readUInt32LE(2);
  const [key, value] = [record.subarray(RECORD_HEAD_BYTES, keyEnd), record.subarray(keyEnd)];
  const words = new Uint32Array(layout.recordBytes(key.length, value.length, 0) / 4);
  const bytes = Buffer.from(words.buffer);
  const keyAt = layout.writeLengths(words, 0, key.length, value.length, 0);
  key.copy(bytes, keyAt);
  value.copy(bytes, keyAt + key.length);
  return bytes;
}

const name = (key: number): Buffer => Buffer.from(`key${key}`);

const arena: Subject<ArenaAsReplicated> = {
  make: () => ({ state: new ArenaAsReplicated() }),
  content: ({ store }) =>
    [...m.contentOf(store)].map(([key, { value }]) => `${key}=${value.toString("latin1")}`),
  examples: {
    write: (key, value) => m.setRecord(name(key), Buffer.from(`value${value}`)),
    remove: (key) => m.delRecord(name(key)),
    clear: () => m.flushRecord(),
    writeBytes: (key, value) => m.setRecord(Buffer.from(key), Buffer.from(value)),
    refused: [
      Buffer.from([]),
      Buffer.from([99, 0]),
      m.setRecord(name(1), Buffer.from("v")).subarray(0, 7),
      m.groupRecord([m.setRecord(name(1), Buffer.from("v")), Buffer.from([99])]),
    ],
  },
};

const NOT_APPLICABLE: readonly string[] = [
  "open-again",
  "open-empty-with-mark",
  "open-forgets-staging",
  "mark-bytes",
  "transact",
  "own-writes",
  "own-writes-refused",
  "sync-beside-apply",
  "crash-apply",
  "crash-commit",
  "crash-transact",
];

test.each(conformance({ ...arena, log: () => undefined }))(
  "$name",
  async ({ name: which, run }) => {
    const outcome = await run({ skip: () => undefined });
    expect(outcome !== "passed").toBe(NOT_APPLICABLE.includes(which));
  },
);
