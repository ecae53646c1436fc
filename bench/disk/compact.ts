/** A checkpoint, or redis's BGREWRITEAOF, from outside. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Resp } from "../lib/resp.ts";
import { isRedis, type Contender } from "./contenders.ts";

/** Between two questions whether it is done, ms: each takes the time of a few SETs. */
const ASK_MS = 20;

/** Compacts, and resolves when it is done. */
export async function compact(contender: Contender, client: Resp): Promise<void> {
  const [command, field] = isRedis(contender)
    ? (["BGREWRITEAOF", "aof_rewrite_in_progress"] as const)
    : (["BGSAVE", "rdb_bgsave_in_progress"] as const);
  const running = async (): Promise<boolean> =>
    (await client.info("persistence")).get(field) !== "0";
  while (await running()) await sleep(ASK_MS);
  await client.call(command);
  while (await running()) await sleep(ASK_MS);
}
