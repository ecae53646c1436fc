/**
 * WAIT under fire: a number is written, so many replicas are waited for, and those that were counted
 * must have it.
 *
 *   write n, WAIT k -> c   c replicas have applied n: at least c others answer n or more, but for
 *                          those that lost their process since
 *   a failover             the promoted node has the last n that was confirmed, unless a process
 *                          that could have had it is gone
 *
 * Owns: that number and its checks. Does not own: failovers (operator.ts calls it).
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../tools/random.ts";
import { ReplyError, RespClient, textOf } from "../../tools/resp-client.ts";
import { within } from "../../tools/wait.ts";
import type { Cluster } from "./cluster.ts";
import type { Life, Member } from "./member.ts";
import { Pausable } from "./pausable.ts";
import type { Verdicts } from "./verdicts.ts";

const KEY = "wait:number";
const ANSWER_MS = 60_000;

export class WaitProber extends Pausable {
  confirmed = 0;
  timedOut = 0;
  readonly #cluster: Cluster;
  readonly #verdicts: Verdicts;
  readonly #random: Random;
  #next = 1;
  #last: { readonly number: number; readonly lives: readonly Life[] } | null = null;

  constructor(cluster: Cluster, verdicts: Verdicts, random: Random) {
    super();
    this.#cluster = cluster;
    this.#verdicts = verdicts;
    this.#random = random;
  }

  async run(): Promise<void> {
    while (!this.over) {
      if (!this.paused) {
        this.idle = false;
        await this.#probe().catch(() => undefined);
      }
      this.idle = true;
      await sleep(this.#random.between(100, 1_500));
    }
  }

  async #probe(): Promise<void> {
    const { generation, root } = this.#cluster;
    const client = await RespClient.connect(root.port);
    try {
      const others = this.#cluster.members.filter((member) => member !== root);
      const lives = others.map((member) => member.life);
      const number = this.#next++;
      const replies = client.pipeline([
        ["SET", KEY, number],
        ["WAIT", this.#random.between(1, 4), this.#random.pick([200, 1_000, 3_000])],
      ]);
      const [written, counted] = await within(replies, "WAIT", ANSWER_MS);
      if (written !== "OK" || typeof counted !== "number") return;
      if (counted === 0) this.timedOut += 1;
      else this.confirmed += 1;
      if (counted === 0 || generation !== this.#cluster.generation) return;
      this.#last = { number, lives };
      await this.#compare(others, lives, number, counted, generation);
    } finally {
      client.close();
    }
  }

  async #compare(
    others: readonly Member[],
    lives: readonly Life[],
    number: number,
    counted: number,
    generation: number,
  ): Promise<void> {
    const held = await Promise.all(others.map((member) => valueOn(member)));
    if (generation !== this.#cluster.generation) return;
    // A process that is not the same any more, or does not answer, may have had it.
    const excused = others.filter((member, i) => member.life !== lives[i] || held[i] === null);
    const have = others.filter(
      (member, i) => member.life === lives[i] && held[i] !== null && held[i]! >= number,
    );
    this.#verdicts.check(
      "a value that WAIT confirmed is on so many replicas",
      have.length + excused.length >= counted,
      () =>
        `WAIT for ${number} said ${counted}; ` +
        others.map((member, i) => `${member.name} has ${held[i]}`).join(", "),
    );
  }

  /** `promoted` takes over; every process that may have confirmed the last number still lives. */
  async onFailover(promoted: Member): Promise<void> {
    const last = this.#last;
    this.#last = null;
    if (last === null || last.lives.some((life) => life.killed || life.daemon.exit !== null))
      return;
    const held = await valueOn(promoted);
    this.#verdicts.check(
      "a value that WAIT confirmed survives a failover",
      held !== null && held >= last.number,
      () => `${promoted.name} has ${held}, ${last.number} was confirmed`,
    );
  }
}

/** The number on a node; null when it does not say. */
async function valueOn(member: Member): Promise<number | null> {
  let client: RespClient | null = null;
  try {
    client = await RespClient.connect(member.port);
    const reply = await within(client.ask("GET", KEY), `GET on ${member.name}`, ANSWER_MS);
    if (reply === null) return 0;
    return reply instanceof ReplyError ? null : Number(textOf(reply));
  } catch {
    return null;
  } finally {
    client?.close();
  }
}
