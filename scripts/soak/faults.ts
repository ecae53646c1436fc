/**
 * Faults, drawn from a seed: what strikes at connections (through their proxies) and at processes
 * (signals, restarts), for a time, while writers write.
 *
 * Owns: the table, drawing, what a fault does and undoes. Does not own: roles (operator.ts), or when
 * the faults stop (soak.ts).
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { CutKind, Direction, FaultProxy } from "../../tools/proxy.ts";
import type { Random } from "../../tools/random.ts";
import { errorText } from "../../tools/wait.ts";
import type { Cluster } from "./cluster.ts";
import type { Member } from "./member.ts";
import type { Operator } from "./operator.ts";
import { say, type Verdicts } from "./verdicts.ts";

/** Strikes; resolves when it is over. False when there was nothing to strike at. */
type Strike = (faults: Faults) => Promise<boolean>;

interface Fault {
  readonly name: string;
  readonly weight: number;
  readonly strike: Strike;
}

const FAULTS: readonly Fault[] = [
  { name: "cut after n bytes", weight: 10, strike: (faults) => faults.cutAfter() },
  { name: "reset", weight: 6, strike: (faults) => faults.cutAll("reset") },
  { name: "closed", weight: 3, strike: (faults) => faults.cutAll("destroy") },
  { name: "half closed", weight: 4, strike: (faults) => faults.cutAll("halfClose") },
  { name: "bit flipped", weight: 8, strike: (faults) => faults.flip() },
  { name: "stalled", weight: 6, strike: (faults) => faults.stall() },
  { name: "blackhole", weight: 4, strike: (faults) => faults.blackhole() },
  { name: "slow line", weight: 5, strike: (faults) => faults.slow() },
  { name: "late, with jitter", weight: 5, strike: (faults) => faults.late() },
  { name: "ACKs trickle", weight: 3, strike: (faults) => faults.trickle() },
  { name: "refused", weight: 3, strike: (faults) => faults.refuse() },
  { name: "stopped shortly", weight: 8, strike: (faults) => faults.stop(50, 900) },
  { name: "stopped long", weight: 4, strike: (faults) => faults.stop(2_000, 30_000) },
  { name: "replica killed", weight: 5, strike: (faults) => faults.killReplica(true) },
  { name: "replica killed, disk lost", weight: 3, strike: (faults) => faults.killReplica(false) },
  { name: "replica killed twice", weight: 3, strike: (faults) => faults.killTwice() },
  { name: "follows another", weight: 5, strike: (faults) => faults.reparent() },
  { name: "failover", weight: 2, strike: (faults) => faults.failover() },
  { name: "primary killed", weight: 2, strike: (faults) => faults.killPrimary() },
];
const TOTAL = FAULTS.reduce((sum, { weight }) => sum + weight, 0);

/** Lives through the whole soak: its memory can be compared over all of it. */
const NEVER_KILLED = "n3";
/** Faults under way at a time. */
const AT_ONCE = 3;
const EVERY_MS_MAX = 5_000;

export class Faults {
  /** How often each was made. */
  readonly made = new Map<string, number>();
  /** Bits were flipped since this was last reset: protocol errors are no surprise. */
  flipped = false;
  readonly #cluster: Cluster;
  readonly #operator: Operator;
  readonly #verdicts: Verdicts;
  readonly #random: Random;
  #calm = new AbortController();

  constructor(cluster: Cluster, operator: Operator, verdicts: Verdicts, random: Random) {
    this.#cluster = cluster;
    this.#operator = operator;
    this.#verdicts = verdicts;
    this.#random = random;
  }

  /** Makes faults for a time; afterwards the network is whole and every process runs. */
  async run(ms: number): Promise<void> {
    const active = new Set<Promise<void>>();
    const untilMs = performance.now() + ms;
    this.#calm = new AbortController();
    while (performance.now() < untilMs) {
      if (active.size < AT_ONCE) {
        const one = this.#one().finally(() => active.delete(one));
        active.add(one);
      }
      await sleep(this.#random.between(0, EVERY_MS_MAX));
    }
    this.#calm.abort();
    this.#cluster.heal();
    await Promise.all(active);
    this.#cluster.heal();
  }

  async #one(): Promise<void> {
    let draw = this.#random.fraction() * TOTAL;
    const fault = FAULTS.find(({ weight }) => (draw -= weight) < 0) ?? FAULTS[0]!;
    try {
      if (await fault.strike(this)) this.made.set(fault.name, (this.made.get(fault.name) ?? 0) + 1);
      this.#verdicts.check("every fault could be made and undone", true, () => "");
    } catch (error) {
      const seen = (): string => `${fault.name}: ${errorText(error)}`;
      this.#verdicts.check("every fault could be made and undone", false, seen);
    }
  }

  /** Waits, not beyond the calm. */
  async #during(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#calm.signal }).catch(() => undefined);
  }

  // --- connections ---------------------------------------------------------------------------

  #wire(what: string): { proxy: FaultProxy; way: Direction } | null {
    const replicas = this.#cluster.replicas;
    if (replicas.length === 0) return null;
    const member = this.#random.pick(replicas);
    const proxy = this.#cluster.proxyOf(member);
    const way = this.#random.fraction() < 0.7 ? proxy.down : proxy.up;
    say(`${what}: ${member.name} < ${member.upstream!.name}, ${way.name}`);
    return { proxy, way };
  }

  async cutAfter(): Promise<boolean> {
    const wire = this.#wire("cut after n bytes");
    const kind = this.#random.pick<CutKind>(["destroy", "reset", "halfClose"]);
    void wire?.way.cutAfter(this.#random.between(0, 1 << this.#random.between(1, 22)), kind);
    return Promise.resolve(wire !== null);
  }

  async cutAll(kind: CutKind): Promise<boolean> {
    const wire = this.#wire(kind);
    wire?.proxy.cutAll(kind);
    return Promise.resolve(wire !== null);
  }

  async flip(): Promise<boolean> {
    const wire = this.#wire("bit flipped");
    this.flipped = true;
    const at = this.#random.between(0, 1 << this.#random.between(1, 20));
    void wire?.way.flipBitAfter(at, this.#random.between(0, 8));
    return Promise.resolve(wire !== null);
  }

  async stall(): Promise<boolean> {
    const wire = this.#wire("stalled");
    wire?.way.stall();
    await this.#during(this.#random.pick([500, 5_000, 25_000]));
    wire?.way.resume();
    return wire !== null;
  }

  async blackhole(): Promise<boolean> {
    const wire = this.#wire("blackhole");
    const isBoth = this.#random.fraction() < 0.5;
    if (isBoth) wire?.proxy.up.blackhole();
    if (isBoth) wire?.proxy.down.blackhole();
    else wire?.way.blackhole();
    await this.#during(this.#random.pick([500, 5_000, 25_000]));
    wire?.proxy.up.resume();
    wire?.proxy.down.resume();
    return wire !== null;
  }

  async slow(): Promise<boolean> {
    return this.#shaped("slow line", {
      bytesPerSecond: this.#random.pick([20_000, 200_000, 1_000_000]),
    });
  }

  async late(): Promise<boolean> {
    const [delayMs, jitterMs] = [this.#random.between(0, 400), this.#random.between(0, 200)];
    return this.#shaped("late, with jitter", { delayMs, jitterMs });
  }

  async #shaped(what: string, shape: Parameters<Direction["set"]>[0]): Promise<boolean> {
    const wire = this.#wire(what);
    wire?.way.set(shape);
    await this.#during(this.#random.between(2_000, 20_000));
    wire?.way.set({ bytesPerSecond: Infinity, delayMs: 0, jitterMs: 0 });
    return wire !== null;
  }

  async trickle(): Promise<boolean> {
    const wire = this.#wire("ACKs trickle");
    wire?.proxy.up.set({ bytesPerSecond: this.#random.pick([20, 100, 500]) });
    await this.#during(this.#random.between(2_000, 15_000));
    wire?.proxy.up.set({ bytesPerSecond: Infinity });
    return wire !== null;
  }

  async refuse(): Promise<boolean> {
    const wire = this.#wire("refused");
    if (wire === null) return false;
    wire.proxy.refusing = true;
    wire.proxy.cutAll("reset");
    await this.#during(this.#random.between(500, 20_000));
    wire.proxy.refusing = false;
    return true;
  }

  // --- processes -----------------------------------------------------------------------------

  /** One whose process nobody else is at. */
  async #with(fit: (member: Member) => boolean, act: (member: Member) => Promise<void>) {
    const cluster = this.#cluster;
    if (cluster.operating) return false;
    const free = cluster.members.filter((member) => !member.busy && fit(member));
    if (free.length === 0) return false;
    const member = this.#random.pick(free);
    member.busy = true;
    try {
      await act(member);
    } finally {
      member.busy = false;
    }
    return true;
  }

  async stop(fromMs: number, toMs: number): Promise<boolean> {
    const ms = this.#random.between(fromMs, toMs);
    return this.#with(
      () => true,
      async (member) => {
        say(`stopped: ${member.name} for ${ms} ms`);
        member.daemon.pause();
        await this.#during(ms);
        member.daemon.resume();
      },
    );
  }

  async killReplica(keepsDisk: boolean): Promise<boolean> {
    return this.#with(mayDie, async (member) => {
      say(`killed: ${member.name}, ${keepsDisk ? "its disk stays" : "and its disk is lost"}`);
      await member.kill();
      if (!keepsDisk) member.wipeDir();
      await this.#during(this.#random.pick([0, 500, 10_000]));
      await this.#cluster.startReplica(member);
    });
  }

  /** The second time most likely in the middle of its full sync. */
  async killTwice(): Promise<boolean> {
    return this.#with(mayDie, async (member) => {
      say(`killed: ${member.name}, twice`);
      await member.kill();
      await this.#cluster.startReplica(member);
      await this.#during(this.#random.between(50, 1_000));
      await member.kill();
      await this.#cluster.startReplica(member);
    });
  }

  // --- roles ---------------------------------------------------------------------------------

  async reparent(): Promise<boolean> {
    return this.#operator.exclusively(() => this.#operator.reparent(this.#random));
  }

  async failover(): Promise<boolean> {
    return this.#operator.exclusively(() => {
      say("failover");
      return this.#operator.failover(this.#random);
    });
  }

  async killPrimary(): Promise<boolean> {
    if (this.#cluster.root.name === NEVER_KILLED) return false;
    return this.#operator.exclusively(() => {
      say(`killed: the primary, ${this.#cluster.root.name}`);
      return this.#operator.primaryKilled(this.#random);
    });
  }
}

const mayDie = (member: Member): boolean =>
  member.upstream !== null && member.name !== NEVER_KILLED;
