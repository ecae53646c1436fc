/**
 * A node batch as a replica takes it: read whole, as a state reads a record before it takes it, kept from
 * the state, and compared with what is known of its history from elsewhere.
 *
 *   rank     as WELCOME, the lineage, or the head of the log file says it
 *   parent   ends where this batch begins
 *
 * One that differs stays in the log all the same: it is what the root wrote, and changes no state.
 * Owns: the check. Does not own: its bytes (wire/node-record.ts), when it is its turn (apply.ts,
 * run-applier.ts), who is told.
 */
import { StoreError, WireError } from "../errors.ts";
import { compareRanks, type LogName, rankIn } from "../log/history.ts";
import { type NodeRecord, readNodeBatch } from "../wire/node-record.ts";
import type { ReceivingLog } from "./deps.ts";

/** Is told of every node batch before it is visible: the log ends where it begins. */
export type OnNodeBatch = (record: NodeRecord) => void;

/**
 * The node batch at `bytes[at, ...)`, the next one of `log`, becomes visible.
 * @throws {StoreError} ERR_STORE_RECORD when it is malformed, and stays where it is
 */
export function passNodeBatch(
  log: Pick<ReceivingLog, "commit">,
  bytes: Buffer,
  at: number,
  onNodeBatch: OnNodeBatch,
): void {
  onNodeBatch(recordOf(bytes, at));
  log.commit();
}

function recordOf(bytes: Buffer, at: number): NodeRecord {
  try {
    return readNodeBatch(bytes, at);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new StoreError("ERR_STORE_RECORD", error.message, { cause: error });
  }
}

/** In what a node batch that begins where `log` ends differs from what is known; null in nothing. */
export function differenceOf(
  { history, rank, parent }: NodeRecord,
  log: Pick<ReceivingLog, "next" | "chain">,
  name: LogName,
): string | null {
  // Why none is no difference: of a long lineage the shortest histories are forgotten.
  const known = rankIn(name, history) ?? rank;
  if (compareRanks(rank, known) !== 0)
    return `rank ${rank.term}.${rank.run} of ${history}, known is ${known.term}.${known.run}`;
  if (parent === null || (parent.offset === log.next && parent.chain === log.chain)) return null;
  return `${history} goes on from ${parent.offset} with chain ${parent.chain}, it begins at ${log.next} with ${log.chain}`;
}
