/** A replica's way of a record: pieces of 64 KiB, decoder, log, applier, store. */
import type { Backlog } from "../../src/log/backlog.ts";
import type { DecoderSink } from "../../src/wire/decoder.ts";
import type { Case } from "../lib/measure.ts";
import { shipped } from "../lib/shipped.ts";
import { copyingPieces, piecesOf } from "./decode.ts";
import { logOf, randomSets, setRecords, STEADY_KEYS_MAX } from "./material.ts";

const PER_BATCH = 64;
const RECORDS = 64 * 64;

export async function apply(): Promise<Case[]> {
  const { Decoder } = await shipped("wire/decoder");
  const { Backlog } = await shipped("log/backlog");
  const { Applier } = await shipped("replica/apply");
  const { SESSION_DEFAULTS } = await shipped("replica/options");
  const { Store } = await shipped("store/store");
  return [STEADY_KEYS_MAX, 1_000_000].map((keys) => {
    const store = new Store();
    // Every key is there: what is measured are overwrites.
    const present = setRecords(keys, (i) => i);
    store.applyRange(present, 0, present.length);
    const pieces = piecesOf(logOf(randomSets(RECORDS, keys), PER_BATCH));
    const log = new Backlog(0, 0, { sizeBytes: 8 * 1024 * 1024, clock: () => 1 });
    const applier = new Applier(
      log,
      store,
      SESSION_DEFAULTS,
      () => undefined,
      () => undefined,
    );
    const decoder = new Decoder(new Set([32]), new IntoLog(log));
    return {
      name: `apply.${keys}`,
      operation: `one received SET applied to ${keys} keys, ${PER_BATCH} a batch`,
      ops: RECORDS,
      isSteady: keys <= STEADY_KEYS_MAX,
      bytes: pieces.reduce((sum, piece) => sum + piece.length, 0) / RECORDS,
      run: () => {
        log.reset(0, 0);
        decoder.expect(0, 0);
        for (const piece of pieces) {
          decoder.push(piece, 0, piece.length);
          while (applier.step());
        }
      },
      floor: copyingPieces(pieces),
    };
  });
}

/** As src/replica/session.ts fills its log. */
class IntoLog implements DecoderSink {
  private readonly log: Backlog;

  constructor(log: Backlog) {
    this.log = log;
  }

  control(): void {}
  batchHead(head: Buffer, at: number, length: number): void {
    this.log.receiveHead(head, at, length);
  }
  batchBytes(bytes: Buffer, from: number, to: number): void {
    this.log.receiveBytes(bytes, from, to);
  }
  batchEnd(): void {
    this.log.receiveEnd();
  }
  chunkHead(): void {}
  chunkBytes(): void {}
  chunkEnd(): void {}
}
