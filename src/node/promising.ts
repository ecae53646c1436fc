/**
 * A node is asked for a promise, by one that is to lead: to follow nobody who leads with a lower rank (D29).
 *
 *   who asks                                              this node
 *   of another cluster, or of a log that is a stranger's  promises nothing
 *   with a rank that is not above the one that it         nothing; the same one, asking again, has its promise
 *   promised, or that its log has
 *   this node leads, hands over, leads soon, or           nothing: a promise does not fence, only who leads does
 *   recovers
 *   with the rank that it promised to a third one         nothing, and it answers with the rank after that: whoever asks
 *                                                         has to go above
 *   else                                                  promises: its session with whoever leads lower is over, then
 *                                                         the promise is synced, then it answers with what it has
 *
 * The answer is STATE, whose `promised` says which rank it is. What it says of the log then is all that it will ever
 * have acknowledged to a lower leader: no ACK follows.
 *
 * Owns: that decision and its order. Does not own: the file (identity.ts), the answer (primary/answering.ts), who
 * asks (reclaiming.ts).
 */
import { compareRanks, latestCommon, type LogName, rankText } from "../log/history.ts";
import type { Journal } from "../primary/journal.ts";
import type { Id, PromiseAsked, Rank } from "../wire/messages.ts";
import type { Role } from "./roles.ts";

/** The node; core.ts. */
export interface PromisingNode {
  readonly identity: LogName & {
    readonly storeId: Id;
    readonly clusterId: Id | null;
    readonly promised: Rank;
    /** Synced. @returns whether it is kept */
    promise(rank: Rank): boolean;
  };
  readonly backlog: { readonly next: number };
  readonly roles: { readonly now: Role; leaveLower(why: string): void };
}

const MAY_PROMISE: ReadonlySet<Role["kind"]> = new Set<Role["kind"]>([
  "following",
  "fenced",
  "resigned",
  "seeding",
  "reclaiming",
]);

export class Promising {
  /** To whom its newest promise is, as far as this process knows. */
  #to: Id = "";
  readonly #node: PromisingNode;
  readonly #journal: Journal;

  constructor(node: PromisingNode, journal: Journal) {
    this.#node = node;
    this.#journal = journal;
  }

  /** It has promised to lead with `rank` itself. */
  promisedSelf(storeId: Id): void {
    this.#to = storeId;
  }

  /** Its newest promise is to this one. */
  isTo(storeId: Id): boolean {
    return this.#to === storeId;
  }

  /**
   * One that follows this replica has promised a rank above the one of its log. So does this node then: its upstream
   * hears of it, and whoever leads at the top, who leads above it. Else that one could never follow here.
   */
  spread(rank: Rank, remote: string): void {
    const { identity, roles } = this.#node;
    if (roles.now.kind !== "following" || compareRanks(rank, identity.promised) <= 0) return;
    const text = rankText(rank);
    roles.leaveLower(`this node has promised to follow rank ${text}`);
    if (!identity.promise(rank)) return;
    this.#to = "";
    this.#journal("warn", "promised", { rank: text, to: "", remote });
  }

  /** @returns whether the rank that it asks for is promised to a third one */
  asked(asked: PromiseAsked, remote: string): boolean {
    this.#promise(asked, remote);
    const { identity } = this.#node;
    // Why not its own promise to itself: it does not count for others by its role.
    const isToAnother = this.#to !== asked.storeId && this.#to !== identity.storeId;
    return isToAnother && compareRanks(asked.rank, identity.promised) === 0;
  }

  #promise({ storeId, clusterId, rank, position, lineage }: PromiseAsked, remote: string): void {
    const { identity, backlog, roles } = this.#node;
    if (!MAY_PROMISE.has(roles.now.kind)) return;
    if (clusterId !== (identity.clusterId ?? clusterId)) return;
    const related = latestCommon({ history: position.history, lineage }, identity) !== null;
    if (!related && backlog.next > 0) return;
    if (compareRanks(rank, identity.promised) === 0 && this.#to === storeId) return;
    if (compareRanks(rank, identity.promised) <= 0 || compareRanks(rank, identity.rank) <= 0)
      return;
    const text = rankText(rank);
    roles.leaveLower(`this node has promised to follow rank ${text}`);
    if (!identity.promise(rank)) return;
    this.#to = storeId;
    this.#journal("warn", "promised", { rank: text, to: storeId, remote });
  }
}
