/**
 * Ranges of seeds in child processes: each child is this program again, asks for a piece of the
 * range, and answers with what it exercised. A seed gives the same run in any process.
 *
 *   parent --{first, count}--> child --RangeResult--> parent --next piece--> ...
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { addResult, runRange, type RangeOptions, type RangeResult } from "./range.ts";

interface Piece {
  readonly first: number;
  readonly count: number;
}

const PIECE_SEEDS = 10;
const SERIALIZATION = "advanced";

/** Runs [first, first + count) in `jobs` processes. Throws when one of them dies. */
export async function runInJobs(first: number, count: number, jobs: number): Promise<RangeResult> {
  const total: RangeResult = { schedules: 0, virtualMs: 0, failed: [], marks: new Map() };
  const pieces: Piece[] = [];
  for (let at = first; at < first + count; at += PIECE_SEEDS)
    pieces.push({ first: at, count: Math.min(PIECE_SEEDS, first + count - at) });
  const work = async (): Promise<void> => {
    const child = fork(process.argv[1]!, process.argv.slice(2), { serialization: SERIALIZATION });
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift())
      addResult(total, await ask(child, piece));
    child.disconnect();
  };
  await Promise.all(Array.from({ length: Math.min(jobs, pieces.length) }, work));
  return total;
}

async function ask(child: ChildProcess, piece: Piece): Promise<RangeResult> {
  const over = new AbortController();
  const died = once(child, "exit", { signal: over.signal }).then(([code]) => {
    throw new Error(`a process ended with ${String(code)} at seeds ${piece.first} and on`);
  });
  died.catch(() => undefined);
  child.send(piece);
  const answer = once(child, "message", { signal: over.signal });
  answer.catch(() => undefined);
  try {
    const [result] = (await Promise.race([answer, died])) as [RangeResult];
    return result;
  } finally {
    over.abort();
  }
}

/** The child's side: answers until the parent is gone. False when there is no parent. */
export function serveJobs(options: RangeOptions): boolean {
  if (process.send === undefined) return false;
  process.on("message", ({ first, count }: Piece) => {
    void runRange(first, count, options).then((result) => process.send!(result));
  });
  return true;
}
