/**
 * Data for end-to-end tests: many keys of mixed sizes through the client port, the same for a seed.
 *
 * Owns: what is written. Does not own: what becomes of it.
 */
import type { Daemon } from "../../tools/processes.ts";
import { Random } from "../../tools/random.ts";
import { ReplyError, type Command } from "../../tools/resp-client.ts";

export interface FillOptions {
  readonly keys: number;
  readonly seed?: number;
  readonly prefix?: string;
  /** Bytes of a value, from inclusive, to exclusive; default 0 to 200. */
  readonly valueBytes?: readonly [number, number];
  /** Commands in one write, default 200. */
  readonly pipeline?: number;
}

/** Writes `keys` keys; returns when all are answered OK. */
export async function fill(node: Daemon, options: FillOptions): Promise<void> {
  const { keys, seed = 1, prefix = "key", valueBytes = [0, 200], pipeline = 200 } = options;
  const random = new Random(seed);
  const client = await node.client();
  for (let from = 0; from < keys; from += pipeline) {
    const commands: Command[] = [];
    for (let i = from; i < Math.min(from + pipeline, keys); i++) {
      commands.push(["SET", `${prefix}:${i}`, random.bytes(random.between(...valueBytes))]);
    }
    const replies = await client.pipeline(commands);
    const error = replies.find((reply) => reply instanceof ReplyError);
    if (error instanceof ReplyError) throw error;
  }
}

/** Writes until `node`'s log has grown by `bytes`, overwriting a few keys. */
export async function writeLog(node: Daemon, bytes: number, valueBytes = 16_384): Promise<void> {
  const keys = Math.ceil(bytes / valueBytes);
  const options = { valueBytes: [valueBytes, valueBytes + 1] as const, pipeline: 32 };
  for (let from = 0; from < keys; from += 64) {
    await fill(node, { ...options, keys: Math.min(64, keys - from), prefix: "log", seed: from });
  }
}
