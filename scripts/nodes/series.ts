/**
 * Kills, one after the other, of the processes of a primary and a replica over states with real files: after each
 * what comes back is compared with what was answered, and the two with each other.
 *
 *   write  ->  kill -9  ->  start  ->  rest, equal, no full sync  ->  write ...
 *
 *   death      what is killed
 *   primary    the primary, under its writes
 *   replica    the replica, while it applies
 *   both       both at once
 *   recovery   the primary, and again while it starts, once to three times
 *
 * The primary has a directory for its log, and the replica too, but for states that keep a mark of their own, of
 * which some have none. When both die at once, a primary without a durability loses the last milliseconds, and
 * the state of a replica that keeps itself may have them, which no log has: that one may need a full sync.
 * Owns: the order, what is checked. Does not own: processes (member.ts).
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../tools/random.ts";
import { until } from "../../tools/wait.ts";
import { say, type Verdicts } from "../soak/verdicts.ts";
import { Member, type Rest } from "./member.ts";

/** Whose records each kind of primary can be followed by. */
export const FOLLOWERS: Readonly<Record<string, readonly string[]>> = {
  level: ["level", "lmdb", "map"],
  lmdb: ["lmdb", "level", "map"],
  map: ["map", "level", "lmdb"],
  accounts: ["accounts"],
  arena: ["arena"],
};

const DEATHS = ["primary", "replica", "both", "recovery"] as const;
const KEEP_THEMSELVES: readonly string[] = ["level", "lmdb", "accounts"];
const keepsItself = ({ kind }: Member): boolean => KEEP_THEMSELVES.includes(kind);
const WRITERS = 4;
/** The twin of a writer's key has the same number: they are written in one call. */
const TWIN = 100;

export interface NodeSeriesOptions {
  readonly kind: string;
  readonly seed: number;
  readonly kills: number;
  /** The primary has its log in memory alone. */
  readonly dry: boolean;
}

export class NodeSeries {
  readonly #options: NodeSeriesOptions;
  readonly #verdicts: Verdicts;
  readonly #random: Random;
  readonly #root = mkdtempSync(join(tmpdir(), "hawser-nodes-"));
  readonly #primary: Member;
  readonly #replica: Member;
  readonly #replicaHasDir: boolean;
  /** The newest number of each writer that was answered in any life. */
  readonly #answered = new Map<number, number>();
  #firstSyncs = 0;
  /** The last kill may have left the replica's state with what no log has. */
  #mayBeAhead = false;

  constructor(options: NodeSeriesOptions, verdicts: Verdicts) {
    const { kind, seed } = options;
    this.#options = options;
    this.#verdicts = verdicts;
    this.#random = new Random(seed);
    const follower = this.#random.pick(FOLLOWERS[kind]!);
    this.#replicaHasDir = !KEEP_THEMSELVES.includes(follower) || this.#random.fraction() < 0.5;
    this.#primary = new Member("primary", kind, this.#folder("primary"), WRITERS);
    this.#replica = new Member("replica", follower, this.#folder("replica"), 0);
  }

  /** @throws when nodes cannot be compared any more */
  async run(): Promise<void> {
    await this.#start(this.#primary);
    await this.#start(this.#replica);
    await until(() => this.#primary.wrote.length > 20, { what: "the first writes" });
    await this.#equal();
    await this.#replica.isKept();
    this.#firstSyncs = this.#fullSyncs;
    this.#verdicts.check("the first sync is a full one", this.#firstSyncs > 0, () => this.dump());
    this.#note();
    for (let kill = 1; kill <= this.#options.kills; kill++) await this.#kill(kill);
  }

  async close(): Promise<void> {
    await Promise.all([this.#primary.close(), this.#replica.close()]);
    rmSync(this.#root, { recursive: true, force: true });
  }

  get name(): string {
    const dir = this.#replicaHasDir ? "with dir" : "without dir";
    return `${this.#primary.kind} => ${this.#replica.kind} ${dir}`;
  }

  dump(): string {
    return `${this.#primary.text}\n${this.#replica.text}`;
  }

  #folder(name: string): string {
    const place = join(this.#root, name);
    mkdirSync(place);
    return place;
  }

  #optionsOf(member: Member): object {
    const isPrimary = member === this.#primary;
    const dir = join(this.#root, isPrimary ? "primary.log" : "replica.log");
    const hasDir = isPrimary ? !this.#options.dry : this.#replicaHasDir;
    return {
      ...(isPrimary ? {} : { of: `127.0.0.1:${this.#primary.port}` }),
      ...(hasDir ? { dir } : {}),
    };
  }

  async #start(member: Member): Promise<void> {
    await member.launch(this.#optionsOf(member));
    await member.ready();
  }

  async #kill(kill: number): Promise<void> {
    const death = this.#random.pick(DEATHS);
    this.#primary.goOn();
    await sleep(this.#random.between(5, 250));
    const killed = {
      primary: [this.#primary],
      recovery: [this.#primary],
      replica: [this.#replica],
    };
    const dead = death === "both" ? [this.#primary, this.#replica] : killed[death];
    await Promise.all(dead.map((member) => member.kill()));
    this.#note();
    const links = death === "replica" ? this.#primary.links.length : 0;
    if (death === "recovery") await this.#dieInRecovery();
    const fromMs = performance.now();
    await Promise.all(dead.map((member) => this.#start(member)));
    const tookMs = Math.round(performance.now() - fromMs);
    this.#mayBeAhead =
      death === "both" && !keepsItself(this.#primary) && keepsItself(this.#replica);
    this.#compare(await this.#equal());
    await this.#checkLinks(links);
    if (this.#mayBeAhead) this.#firstSyncs = this.#fullSyncs;
    this.#note();
    const sum = [...this.#answered.values()].reduce((a, b) => a + b, 0);
    say(`${this.name}, kill ${kill}: ${death}, back after ${tookMs} ms; ${sum} answered`);
  }

  async #dieInRecovery(): Promise<void> {
    for (let times = this.#random.between(1, 4); times > 0; times--) {
      await this.#primary.launch(this.#optionsOf(this.#primary));
      await sleep(this.#random.between(50, 300));
      await this.#primary.close();
      this.#note();
    }
  }

  /** What was answered in this life. */
  #note(): void {
    for (const [key, n] of this.#primary.wrote)
      this.#answered.set(key, Math.max(n, this.#answered.get(key) ?? 0));
  }

  /** Both rest, and have the same at the same position. @returns what the primary has */
  async #equal(): Promise<Rest> {
    const from = await this.#primary.rest();
    const there = async (): Promise<Rest | null> => {
      const rest = await this.#replica.rest();
      return JSON.stringify(rest.position) === JSON.stringify(from.position) ? rest : null;
    };
    const to = await until(there, {
      what: "the replica to be where the primary is",
      describe: async () => [from.position, (await this.#replica.rest()).position, this.dump()],
    });
    const differ = (from.content ?? []).filter((entry, n) => entry !== to.content?.[n]);
    this.#verdicts.check(
      "both have the same",
      differ.length === 0 && from.content?.length === to.content?.length,
      () => `${differ.slice(0, 5).join()} of ${from.content?.length}, ${to.content?.length} there`,
    );
    return from;
  }

  get #fullSyncs(): number {
    return this.#primary.fullSyncs + this.#replica.fullSyncs;
  }

  #compare({ content }: Rest): void {
    const has = numbersIn(content ?? []);
    for (const [key, n] of this.#answered)
      this.#verdicts.check(
        "what was answered is there",
        (has.get(key) ?? 0) >= n,
        () => `key ${key} has ${has.get(key)}, ${n} was answered`,
      );
    for (let writer = 1; writer < WRITERS; writer++)
      this.#verdicts.check(
        "a write is there whole",
        has.get(writer) === has.get(TWIN + writer),
        () =>
          `key ${writer} has ${has.get(writer)}, key ${TWIN + writer} ${has.get(TWIN + writer)}`,
      );
    this.#verdicts.check(
      "no full sync after a kill",
      this.#fullSyncs === this.#firstSyncs || this.#mayBeAhead,
      () => `${this.#fullSyncs}, ${this.#firstSyncs} were expected`,
    );
  }

  /** The replica is back at the primary, in a connection after the first `before` of this life. */
  async #checkLinks(before: number): Promise<void> {
    const links = (): readonly string[] => this.#primary.links.slice(before);
    await until(() => links().length > 0, { what: "the replica to be back" });
    this.#verdicts.check(
      "the replica goes on by a partial resync",
      links().every((decision) => decision === "continue") || this.#mayBeAhead,
      () => links().join(),
    );
  }
}

/** What each key has. */
function numbersIn(content: readonly string[]): Map<number, number> {
  return new Map(
    content.map((entry) => {
      const [key = "", value = ""] = entry.split("=");
      return [Number(/\d+$/.exec(key)?.[0]), Number(/\d+$/.exec(value)?.[0])];
    }),
  );
}
