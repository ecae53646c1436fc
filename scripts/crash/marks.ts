/**
 * Up to where a node says that its log is written: what was answered before that is promised to outlive
 * the process at every policy.
 *
 *   note how many were answered  ->  where does the log end?  ->  wait until it is written up to there
 *   ->  the noted ones are promised
 *
 * Owns: asking, and the floors of ledgers. Does not own: whether a node keeps its word (series.ts).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { RespClient } from "../../tools/resp-client.ts";
import type { Ledger } from "./ledger.ts";

const EVERY_MS = 5;

/** Raises the floors of the writers until the connection ends. @returns how often */
export async function raiseFloors(
  port: number,
  writers: readonly { readonly ledger: Ledger }[],
): Promise<number> {
  const client = await RespClient.connect(port);
  let times = 0;
  try {
    for (;;) {
      const answered = writers.map(({ ledger }) => ledger.answered);
      const end = (await client.info("persistence")).number("log_appended");
      while ((await client.info("persistence")).number("log_written") < end) await sleep(1);
      writers.forEach(({ ledger }, i) => {
        ledger.floor = Math.max(ledger.floor, answered[i]!);
      });
      times += 1;
      await sleep(EVERY_MS);
    }
  } catch {
    client.close();
    return times;
  }
}
