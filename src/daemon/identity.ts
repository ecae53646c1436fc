/**
 * Who a node is and which log it is in: ids, history, lineage, path, consent. The one place where
 * these change.
 *
 * Owns: values and their moves. Does not own: what has to happen when they move (node.ts).
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promoted, type HistoryState } from "../primary/history.ts";
import { isId, randomId } from "../wire/id.ts";
import type { Consent, Id, Lineage } from "../wire/messages.ts";

export class Identity implements HistoryState {
  readonly nodeId: Id = randomId();
  readonly instanceId: Id = randomId();
  readonly replicaId: Id;
  history: Id = randomId();
  lineage: Lineage = [];
  /** Node ids from the root to this node, this node last. */
  path: readonly Id[] = [this.nodeId];
  consent: Consent;
  /** A newer primary that descends from our history, "" for none known. */
  supersededBy: Id = "";

  /** `dir` "" keeps nothing: the replica id is then as new as the process. */
  constructor(dir: string, allowReset: boolean) {
    this.replicaId = dir === "" ? randomId() : keptReplicaId(dir);
    this.consent = allowReset ? "reset" : "none";
  }

  /** A new history begins at `offset`. */
  promote(offset: number): void {
    const { history, lineage } = promoted(this, offset, randomId());
    this.history = history;
    this.lineage = lineage;
    this.path = [this.nodeId];
    this.supersededBy = "";
  }

  /** The upstream's history is ours. @returns whether that is news */
  adopt(history: Id, lineage: Lineage): boolean {
    const news = history !== this.history;
    this.history = history;
    this.lineage = lineage;
    this.supersededBy = "";
    return news;
  }

  /** @returns whether the path changed */
  setPath(path: readonly Id[]): boolean {
    const news = path.join() !== this.path.join();
    this.path = path;
    return news;
  }

  /** Consent is good for one sync. A standing --allow-reset outranks a typed REPLICAOF. */
  giveConsent(consent: Consent): void {
    if (this.consent !== "reset") this.consent = consent;
  }
}

/** The id in `dir`/replica-id, made on the first start. */
function keptReplicaId(dir: string): Id {
  const path = join(dir, "replica-id");
  try {
    const kept = readFileSync(path, "utf8").trim();
    if (isId(kept)) return kept;
    throw new Error(`${path} does not hold 32 hex digits; remove it to get a new id`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const fresh = randomId();
  mkdirSync(dir, { recursive: true });
  writeFileSync(path, `${fresh}\n`);
  return fresh;
}
