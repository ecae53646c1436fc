/**
 * Writers from a seed: every kind of write, hot keys and a wide key space, values from one byte to
 * some megabytes, pipelines. The whole is bounded, so that memory can be judged, and so is its rate.
 *
 *   hot    counters, growing values that are reset at a size, ranges
 *   wide   w:<n>, sizes by powers of two, with expiry, moves and deletions
 *   big    some values of up to 4 MB
 *   ledger a writer's own keys, whose last acknowledged value is known
 *
 * Owns: commands and pace. Does not own: where the root is (cluster.ts).
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../tools/random.ts";
import { ReplyError, RespClient, type Command, type Reply } from "../../tools/resp-client.ts";
import type { Cluster } from "./cluster.ts";
import type { Ledger } from "./ledger.ts";
import { Pausable } from "./pausable.ts";

const WIDE_KEYS = 30_000;
const HOT_KEYS = 16;
const BIG_KEYS = 6;
const BIG_BYTES_MAX = 4_000_000;
const GROWN_BYTES_MAX = 65_536;
const LEDGER_KEYS = 32;
const RETRY_MS = 200;

export interface Pace {
  readonly commandsPerSecond: number;
  readonly bytesPerSecond: number;
}

/** One writer: a connection to the root, opened again wherever the root is. */
export class WorkloadWriter extends Pausable {
  commands = 0;
  bytes = 0;
  errors = 0;
  /** Gaps in which nothing was answered for more than a second, by their length. */
  stallMsMax = 0;
  readonly #name: string;
  readonly #cluster: Cluster;
  readonly #ledger: Ledger;
  readonly #random: Random;
  readonly #pace: Pace;
  #client: RespClient | null = null;
  #generation = -1;

  constructor(name: string, cluster: Cluster, ledger: Ledger, random: Random, pace: Pace) {
    super();
    this.#name = name;
    this.#cluster = cluster;
    this.#ledger = ledger;
    this.#random = random;
    this.#pace = pace;
  }

  /** Writes until told to end. */
  async run(): Promise<void> {
    while (!this.over) {
      if (this.paused) {
        this.idle = true;
        await sleep(20);
        continue;
      }
      this.idle = false;
      try {
        await this.#burst();
      } catch {
        this.errors += 1;
        this.#client?.close();
        this.#client = null;
        await sleep(RETRY_MS);
      }
    }
    this.#client?.close();
  }

  /** Lets go of a connection that may never answer: its root is another. */
  moveOn(): void {
    this.#client?.close();
  }

  async #connection(): Promise<RespClient> {
    const { generation, root } = this.#cluster;
    if (this.#generation !== generation) {
      this.#client?.close();
      this.#client = null;
    }
    this.#client ??= await RespClient.connect(root.port);
    this.#generation = generation;
    return this.#client;
  }

  async #burst(): Promise<void> {
    const client = await this.#connection();
    const random = this.#random;
    const count = random.pick([1, 1, 4, 16, 64]);
    const commands: Command[] = [];
    const promised: [number, string, number][] = [];
    for (let n = 0; n < count; n++) {
      if (random.fraction() < 0.1) {
        const key = `ledger:${this.#name}:${random.between(0, LEDGER_KEYS)}`;
        const number = this.#ledger.send(key);
        promised.push([commands.length, key, number]);
        commands.push(["SET", key, number]);
      } else commands.push(...drawCommands(random));
    }
    const bytes = commands.reduce((sum, command) => sum + sizeOf(command), 0);
    const startedAt = performance.now();
    const replies = await client.pipeline(commands);
    const tookMs = performance.now() - startedAt;
    this.stallMsMax = Math.max(this.stallMsMax, tookMs);
    for (const [index, key, number] of promised)
      if (replies[index] === "OK") this.#ledger.acknowledge(key, number);
    this.commands += commands.length;
    this.bytes += bytes;
    await this.#grown(client, commands, replies);
    const refusal = replies.find(isRefusal);
    if (refusal !== undefined) throw refusal;
    const { commandsPerSecond, bytesPerSecond } = this.#pace;
    const dueMs = Math.max(commands.length / commandsPerSecond, bytes / bytesPerSecond) * 1000;
    await sleep(Math.max(0, dueMs - tookMs) * (0.5 + random.fraction()));
  }

  /** Values that grew too large begin again. */
  async #grown(
    client: RespClient,
    commands: readonly Command[],
    replies: readonly Reply[],
  ): Promise<void> {
    const large = commands.filter(
      ([name], i) => name === "APPEND" && Number(replies[i]) > GROWN_BYTES_MAX,
    );
    for (const [, key] of large) await client.ask("SET", key!, "");
  }
}

/** The node takes no writes: it is no primary, or not yet. */
function isRefusal(reply: Reply): reply is ReplyError {
  return reply instanceof ReplyError && /^(READONLY|LOADING)/.test(reply.message);
}

function sizeOf(command: Command): number {
  return command.reduce<number>(
    (sum, part) => sum + (Buffer.isBuffer(part) ? part.length : String(part).length),
    0,
  );
}

/** Lengths by powers of two: many short ones, some of a few KiB. */
function drawValue(random: Random): Buffer {
  return random.bytes(random.between(1, 2 << random.between(0, 12)));
}

function drawCommands(random: Random): Command[] {
  const kind = random.between(0, 1000);
  const hot = random.between(0, HOT_KEYS);
  const key = `w:${random.between(0, WIDE_KEYS)}`;
  const other = `w:${random.between(0, WIDE_KEYS)}`;
  if (kind < 2)
    return [["SET", `big:${hot % BIG_KEYS}`, random.bytes(random.between(50_000, BIG_BYTES_MAX))]];
  if (kind < 430) return [["SET", key, drawValue(random)]];
  if (kind < 480) return [["SET", key, drawValue(random), "PX", random.between(1, 60_000)]];
  if (kind < 560) return [["DEL", key, other]];
  if (kind < 600) return [["EXPIRE", key, random.between(1, 120)]];
  if (kind < 620) return [["PERSIST", key]];
  if (kind < 720) return [["INCRBY", `count:${hot}`, random.between(-5, 50)]];
  if (kind < 740) return [["INCRBYFLOAT", `float:${hot}`, "0.5"]];
  if (kind < 820) return [["APPEND", `grow:${hot}`, random.bytes(random.between(1, 200))]];
  if (kind < 860)
    return [["SETRANGE", `range:${hot}`, random.between(0, 50_000), drawValue(random)]];
  if (kind < 890) return [["COPY", key, other, "REPLACE"]];
  if (kind < 910) return [["GETDEL", key]];
  if (kind < 930) return [["MSET", key, drawValue(random), other, drawValue(random)]];
  if (kind < 950) return [["GET", key]];
  const group: Command[] = Array.from({ length: random.between(1, 5) }, () => [
    "SET",
    `w:${random.between(0, WIDE_KEYS)}`,
    drawValue(random),
  ]);
  return [["MULTI"], ...group, ["INCR", `count:${hot}`], ["EXEC"]];
}
