/** The decoder over a log in pieces of 64 KiB, cut wherever they end; nobody takes what it finds. */
import type { DecoderSink } from "../../src/wire/decoder.ts";
import type { Case } from "../lib/measure.ts";
import { shipped } from "../lib/shipped.ts";
import { logOf, randomSets, SET_BYTES } from "./material.ts";

export const PIECE_BYTES = 64 * 1024;
const LOG_BYTES = 2 * 1024 * 1024;

export async function decode(): Promise<Case[]> {
  const { Decoder } = await shipped("wire/decoder");
  return [1, 64, 4096].map((perBatch) => {
    const count = Math.ceil(LOG_BYTES / SET_BYTES / perBatch) * perBatch;
    const log = logOf(randomSets(count, 100_000), perBatch);
    const pieces = piecesOf(log);
    const sink = new Deaf();
    const decoder = new Decoder(new Set([32]), sink);
    return {
      name: `decode.batch${perBatch}`,
      operation: `a batch of ${Math.round((log.length * perBatch) / count)} bytes`,
      ops: count / perBatch,
      isSteady: true,
      bytes: (log.length * perBatch) / count,
      run: () => {
        decoder.expect(0, 0);
        for (const piece of pieces) decoder.push(piece, 0, piece.length);
      },
      floor: copyingPieces(pieces),
    };
  });
}

export function piecesOf(log: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < log.length; at += PIECE_BYTES)
    pieces.push(Buffer.from(log.subarray(at, at + PIECE_BYTES)));
  return pieces;
}

export function copyingPieces(pieces: readonly Buffer[]): Case["floor"] {
  const to = Buffer.alloc(PIECE_BYTES);
  return {
    name: "Buffer.copy of the pieces",
    run: () => {
      for (const piece of pieces) piece.copy(to);
    },
  };
}

class Deaf implements DecoderSink {
  control(): void {}
  batchHead(): void {}
  batchBytes(): void {}
  batchEnd(): void {}
  chunkHead(): void {}
  chunkBytes(): void {}
  chunkEnd(): void {}
}
