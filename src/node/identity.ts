/**
 * Who a node is and which log it is in: ids, history, lineage, path. The one place where these change.
 *
 * Owns: values and their changes. Does not own: roles (roles.ts), what else happens when these change
 * (role-moves.ts).
 * Tested in: test/unit/node/directory.test.ts.
 */
import { join } from "node:path";
import { type LogName, NO_RANK, nextTerm, promoted } from "../log/history.ts";
import { isId, randomId } from "../wire/id.ts";
import type { Id, Lineage, Rank } from "../wire/messages.ts";
import { readSmall, wordsOf, writeSmall } from "./directory.ts";
import { UsageError } from "./option-values.ts";

export class Identity implements LogName {
  readonly nodeId: Id;
  readonly instanceId: Id;
  /** Of the copy, as it is named to feeders: replicaId in status. */
  readonly storeId: Id;
  /** Counts the starts of this store. */
  readonly incarnation: number = 1;
  /** Of all nodes that follow one leader; null before it led or followed. */
  clusterId: Id | null = null;
  history: Id;
  /** Of `history`. */
  rank: Rank = NO_RANK;
  lineage: Lineage = [];
  /** Node ids from the root to this node, this node last. */
  path: readonly Id[];
  /** A newer primary that descends from our history, "" for none known, and when it was heard of. */
  supersededBy: Id = "";
  supersededAtMs = 0;

  private readonly mint: () => Id;

  /** `dir` "" keeps nothing: the replica id is then as new as the process. `mint` makes new ids. */
  constructor(dir: string, mint: () => Id = randomId) {
    this.mint = mint;
    this.nodeId = mint();
    this.instanceId = mint();
    this.history = mint();
    this.path = [this.nodeId];
    this.storeId = dir === "" ? mint() : keptReplicaId(dir);
  }

  /** It leads from its first start on: a cluster of its own. */
  found(): void {
    this.rank = nextTerm(this.rank);
    this.clusterId = this.mint();
  }

  /** A new history begins at `offset`. */
  promote(offset: number): void {
    const { history, rank, lineage } = promoted(this, offset, this.mint(), nextTerm(this.rank));
    this.history = history;
    this.rank = rank;
    this.lineage = lineage;
    this.path = [this.nodeId];
    this.supersededBy = "";
    this.clusterId ??= this.mint();
  }

  /** The upstream's log is ours. @returns whether its history is news */
  adopt({ history, rank, lineage }: LogName, clusterId: Id | null): boolean {
    const news = history !== this.history;
    this.history = history;
    this.rank = rank;
    this.lineage = lineage;
    this.supersededBy = "";
    this.clusterId = clusterId ?? this.clusterId;
    return news;
  }

  /** A newer primary descends from our history. @returns whether that is news */
  supersede(by: Id, nowMs: number): boolean {
    if (this.supersededBy === by) return false;
    this.supersededBy = by;
    this.supersededAtMs = nowMs;
    return true;
  }

  /** @returns whether the path changed */
  setPath(path: readonly Id[]): boolean {
    const news = path.join() !== this.path.join();
    this.path = path;
    return news;
  }
}

const REPLICA_ID_FILE = "replica-id";

/**
 * The id in `dir`/replica-id, made on the first start.
 * @throws {UsageError} naming the file, when it is damaged or cannot be written
 */
function keptReplicaId(dir: string): Id {
  const path = join(dir, REPLICA_ID_FILE);
  const text = readSmall(dir, REPLICA_ID_FILE);
  if (text !== null) {
    const kept = text.trim();
    if (isId(kept)) return kept;
    const found = kept === "" ? "nothing" : JSON.stringify(kept.slice(0, 50));
    throw new UsageError(
      `--dir: ${path} holds ${found}, expected 32 hex digits; remove it, and this replica gets a new id`,
    );
  }
  const fresh = randomId();
  try {
    writeSmall(dir, REPLICA_ID_FILE, `${fresh}\n`);
  } catch (error) {
    throw new UsageError(`--dir: ${path} cannot be written (${wordsOf(error)})`);
  }
  return fresh;
}
