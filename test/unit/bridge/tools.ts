/** Bytes of a log as a replica has them, and a bridge over a toy. */
import { type BridgeDeps, BridgedState } from "../../../src/bridge/bridged-state.ts";
import { NO_BOOT } from "../../../src/bridge/mark.ts";
import type { ReplicatedState } from "../../../src/bridge/seam.ts";
import {
  BATCH_FLAG,
  BATCH_HEAD_BYTES,
  RECORD_LENGTH_BYTES,
  sealBatchHead,
} from "../../../src/wire/frame.ts";
import type { Id } from "../../../src/wire/messages.ts";

export const id = (n: number): Id => n.toString(16).padStart(32, "0");

export interface LoggedBatch {
  readonly records: readonly Buffer[];
  readonly isNode?: boolean;
  readonly clockMs?: number;
}

/** Batches one after another, the first at log offset `offset`. */
export function logOf(batches: readonly LoggedBatch[], offset = 0): Buffer {
  const heads: Buffer[] = [];
  let next = offset;
  let chain = 7;
  for (const { records, isNode = false, clockMs = 1 } of batches) {
    const payload = records.flatMap((record) => {
      const length = Buffer.alloc(RECORD_LENGTH_BYTES);
      length.writeUInt32LE(record.length);
      return [length, record];
    });
    const bytes = Buffer.concat([Buffer.alloc(BATCH_HEAD_BYTES), ...payload]);
    const flags = isNode ? BATCH_FLAG.node : BATCH_FLAG.none;
    chain = sealBatchHead(bytes, 0, bytes.length, records.length, next, clockMs, chain, flags);
    next += bytes.length;
    heads.push(bytes);
  }
  return Buffer.concat(heads);
}

export const NAME = { history: id(1), rank: { term: 3, run: 1 }, lineage: [] };

export function bridgeOver(
  state: ReplicatedState,
  deps: Partial<BridgeDeps> = {},
): { readonly bridge: BridgedState; readonly failures: string[] } {
  const failures: string[] = [];
  const bridge = new BridgedState(state, {
    sizes: { slots: 4, slotBytes: 60 },
    nextTurn: (run) => setImmediate(run),
    name: () => NAME,
    bootId: NO_BOOT,
    onFailure: (why, at) => failures.push(`${why} at ${at}`),
    ...deps,
  });
  return { bridge, failures };
}

/** What a late call comes to: "now", "later", or the error. */
export function outcome(
  bridge: BridgedState,
  begin: () => boolean,
): Promise<"now" | "later" | Error> {
  return new Promise((resolve) => {
    bridge.onAnswer = (error) => resolve(error ?? "later");
    try {
      if (begin()) resolve("now");
    } catch (error) {
      resolve(error as Error);
    }
  });
}
