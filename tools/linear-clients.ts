/**
 * Clients that write and read a few registers on whichever node leads, and the history of what they saw.
 *
 *   what came back                         in the history
 *   OK; a value from a node that leads     the operation, with its return
 *   READONLY, NOREPLICAS, LOADING, ...     nothing: it was not executed
 *   UNCONFIRMED, a cut, no answer in time  a write without a return; of a read nothing
 *
 * A read is asked between two ROLEs, since a replica answers reads with what it has, which promises nothing.
 * Owns: the load, the history. Does not own: the judgement (linearizable.ts), faults (linear.ts).
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Operation } from "./linearizable.ts";
import type { Daemon } from "./processes.ts";
import { Random } from "./random.ts";
import { type Reply, ReplyError, RespClient, textOf } from "./resp-client.ts";
import { within } from "./wait.ts";

const CLIENTS = 6;
const KEYS = ["a", "b", "c"];
const PAUSE_MS_MAX = 8;
/**
 * Half of them mostly write, and soon look elsewhere; the others mostly read, and wait: a leader that was stopped
 * meanwhile answers them when others have long written to the next.
 */
const TEMPERS = [
  { writesPercent: 65, answerMs: 300 },
  { writesPercent: 25, answerMs: 10_000 },
] as const;
const FINAL_MS = 10_000;
/** Nothing was executed, by its first word. */
const REFUSED = /^(READONLY|NOREPLICAS|LOADING|MASTERDOWN|STALE) /;

export class LinearClients {
  readonly history: Operation[] = [];
  readonly counts = { writes: 0, reads: 0, unknown: 0, refused: 0 };
  /** Whoever wants to write goes elsewhere from here: its log stays confirmed, and only reads are asked of it. */
  readsOnlyAt: number | null = null;
  readonly #nodes: readonly Daemon[];
  readonly #running: Promise<void>[] = [];
  readonly #connections = new Set<RespClient>();
  #now = 0;
  #isOn = true;

  constructor(nodes: readonly Daemon[], seed: number) {
    this.#nodes = nodes;
    for (let n = 0; n < CLIENTS; n++) this.#running.push(this.#work(n, new Random(seed * 100 + n)));
  }

  /** Every connection of theirs is gone, whatever was under way. */
  cut(): void {
    for (const connection of this.#connections) connection.close();
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#running);
    for (const connection of this.#connections) connection.close();
  }

  /** Reads every register on the node that leads, for the history. */
  async readAll(leader: Daemon): Promise<void> {
    const connection = await RespClient.connect(leader.port);
    for (const key of KEYS)
      if (!(await this.#read(connection, key, FINAL_MS)))
        throw new Error(`${key} cannot be read at the end`);
    connection.close();
  }

  async #work(n: number, random: Random): Promise<void> {
    const { writesPercent, answerMs } = TEMPERS[n % TEMPERS.length]!;
    let at = random.between(0, this.#nodes.length);
    let connection: RespClient | null = null;
    for (let op = 0; this.#isOn; op++) {
      await sleep(random.between(0, PAUSE_MS_MAX));
      const isWrite = random.between(0, 100) < writesPercent;
      const key = random.pick(KEYS);
      connection ??= await this.#connect(this.#nodes[at]!);
      const isTaken =
        connection !== null &&
        !(isWrite && at === this.readsOnlyAt) &&
        (await (isWrite
          ? this.#write(connection, { key, value: `${n}.${op}`, answerMs })
          : this.#read(connection, key, answerMs)));
      if (isTaken) continue;
      if (connection !== null) this.#connections.delete(connection);
      connection?.close();
      connection = null;
      at = (at + 1) % this.#nodes.length;
    }
  }

  async #connect({ port }: Daemon): Promise<RespClient | null> {
    try {
      const connection = await RespClient.connect(port);
      this.#connections.add(connection);
      return connection;
    } catch {
      return null;
    }
  }

  /** @returns whether this node took it */
  async #write(
    connection: RespClient,
    { key, value, answerMs }: { key: string; value: string; answerMs: number },
  ): Promise<boolean> {
    const calledAt = this.#now++;
    const [reply] = await answered(connection, [["SET", key, value]], answerMs);
    if (reply instanceof ReplyError && REFUSED.test(reply.message)) {
      this.counts.refused++;
      return false;
    }
    const isKnown = reply === "OK";
    if (reply instanceof ReplyError && !reply.message.startsWith("UNCONFIRMED ")) throw reply;
    this.counts[isKnown ? "writes" : "unknown"]++;
    const returnedAt = isKnown ? this.#now++ : Infinity;
    this.history.push({ key, kind: "write", value, calledAt, returnedAt });
    return isKnown;
  }

  async #read(connection: RespClient, key: string, answerMs: number): Promise<boolean> {
    const calledAt = this.#now++;
    const commands = [["ROLE"], ["GET", key], ["ROLE"]];
    const [before, reply, after] = await answered(connection, commands, answerMs);
    if (reply === undefined || reply instanceof ReplyError) return false;
    if (!isLeader(before) || !isLeader(after)) return false;
    const value = reply === null ? null : textOf(reply);
    this.counts.reads++;
    this.history.push({
      key,
      kind: "read",
      value,
      calledAt,
      returnedAt: this.#now++,
    });
    return true;
  }
}

/** All replies; none when the connection was cut, or nothing came in time. */
async function answered(
  connection: RespClient,
  commands: readonly string[][],
  answerMs: number,
): Promise<Reply[]> {
  try {
    return await within(connection.pipeline(commands), commands.join(" "), answerMs);
  } catch {
    return [];
  }
}

function isLeader(role: Reply | undefined): boolean {
  return Array.isArray(role) && textOf(role[0]!) === "master";
}
