/**
 * Every full sync must have had a reason. Read from the nodes' own log lines:
 *
 *   ship_new           the replica's process had never finished a sync before
 *   resume too_old     its lag was about a backlog, or the feeder had begun a new backlog itself
 *   resume diverged    there was a failover
 *   resume reset, unrelated   a primary had come back empty
 *   fell_behind        its lag was about a backlog
 *   resume chain_differs, ahead_of_primary, and a broken protocol without a flipped bit: never
 *
 * Owns: that judgement. Does not own: what happened (faults.ts, operator.ts tell it).
 */
import type { LogLine } from "../../tools/processes.ts";
import { BACKLOG_BYTES, type Cluster } from "./cluster.ts";
import type { Life } from "./member.ts";
import type { Verdicts } from "./verdicts.ts";

/** What happened since the last judgement. */
export interface Circumstances {
  readonly failovers: number;
  readonly primariesKilled: number;
  readonly flipped: boolean;
}

/** Less than this behind, with a full backlog, nobody has to begin anew. */
const NEEDLESS_BYTES = 0.8 * BACKLOG_BYTES;
const FATAL = new Set(["crashed", "stop_failed", "cannot_listen", "verify_failed"]);

export class SyncJudge {
  readonly #cluster: Cluster;
  readonly #verdicts: Verdicts;
  /** Lines of each process that were judged already. */
  readonly #judged = new Map<Life, number>();
  /** Processes that have finished a full sync. */
  readonly #synced = new Set<Life>();
  readonly counts = new Map<string, number>();

  constructor(cluster: Cluster, verdicts: Verdicts) {
    this.#cluster = cluster;
    this.#verdicts = verdicts;
  }

  /** Judges what was logged since the last time. */
  judge(circumstances: Circumstances): void {
    for (const { lives } of this.#cluster.members)
      for (const life of lives) {
        const { log } = life.daemon;
        for (let at = this.#judged.get(life) ?? 0; at < log.length; at++)
          this.#line(life, log[at]!, circumstances);
        this.#judged.set(life, log.length);
      }
  }

  #line(life: Life, line: LogLine, circumstances: Circumstances): void {
    const { event } = line;
    if (event === "resume") {
      this.#count(`resume ${String(line["case"])}`);
      const why = this.#whyNot(life, line, circumstances);
      const seen = (): string => `${life.daemon.name}: ${why}: ${JSON.stringify(line)}`;
      this.#verdicts.check("every full sync had a reason", why === "", seen);
    }
    if (event === "fell_behind") {
      this.#count(event);
      const behind = Number(line["next"]) - Number(line["offset"]);
      const seen = (): string => `${life.daemon.name}: ${JSON.stringify(line)}`;
      this.#verdicts.check("every full sync had a reason", behind >= NEEDLESS_BYTES, seen);
    }
    if (event === "restored") this.#synced.add(life);
    if (event === "welcomed" && line["decision"] === "ship_new") {
      const seen = (): string => `${life.daemon.name} had synced before: ${JSON.stringify(line)}`;
      this.#verdicts.check("every full sync had a reason", !this.#synced.has(life), seen);
    }
    if (event === "ship_begins") this.#count(Number(line["chunk"]) > 0 ? "ship resumed" : "ship");
    if (event === "writers_slowed" || event === "sync_given_up") this.#count(event);
    if (event === "part_file_found") this.#count(event);
    const isBroken =
      (event === "link_closed" && line["reason"] === "protocol") ||
      (event === "upstream_lost" && String(line["why"]).startsWith("ERR_"));
    if (isBroken) {
      this.#count("protocol error");
      const seen = (): string => `${life.daemon.name}: ${JSON.stringify(line)}`;
      this.#verdicts.check("no protocol error without a flip", circumstances.flipped, seen);
    }
    if (FATAL.has(event)) {
      const seen = (): string => `${life.daemon.name}: ${JSON.stringify(line)}`;
      this.#verdicts.check("no process crashed", false, seen);
    }
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** Why this decision was wrong; "" when it was right. */
  #whyNot(feeder: Life, line: LogLine, circumstances: Circumstances): string {
    switch (line["case"]) {
      case "too_old": {
        const behind = Number(line["next"]) - Number(line["replica_offset"]);
        const held = Number(line["next"]) - Number(line["first"]);
        const isYoung = held < NEEDLESS_BYTES && feeder.daemon.find("restored") !== undefined;
        return behind >= NEEDLESS_BYTES || isYoung ? "" : `only ${behind} bytes behind`;
      }
      case "diverged":
        return circumstances.failovers + circumstances.primariesKilled > 0 ? "" : "no failover";
      case "reset":
      case "unrelated":
      case "unrelated_empty":
        return circumstances.primariesKilled > 0 ? "" : "no primary was lost";
      case "ahead_of_primary":
      case "chain_differs":
        return "impossible";
      default:
        return "";
    }
  }
}
