/**
 * A node that led and was started again: asks the nodes that followed it what they have, does what
 * reclaim-choice.ts decides, and leads, or follows whoever leads by now.
 *
 *             +------------ ask_again: after a second, until the bound ------------+
 *             v                                                                    |
 *   start -> ask all -> choose -> take: follows one until it has what that one had +-- at once
 *                          |
 *                          +----> open: what was taken is durable -> it leads, in a new history
 *                          +----> follow: over
 *
 *   how long              a second is                                        it ends with
 *   of silence            the patience from the start (--reclaim)            what the others have
 *   of one that feeds     the patience without a byte of log, over all       nothing more of that one, for good;
 *                         its connections, and no longer than 64 KiB/s       what was taken stays
 *                         take
 *   of one that is not    one round, and nobody waits for more               the same
 *   awaited (peers.ts)
 *   nobody is remembered  none                                               it leads at once
 *
 * Each that feeds does so up to the end that it named, once: so the whole is bounded, whatever they send.
 * When it leads, and has asked for as long as it may, whoever has said nothing will be released: a start does
 * not wait for it. Why not before this node wrote something, and has that on the disk: as long as the log ends
 * where the last life ended, the silent one may have the rest of it, and give it to the next start.
 * What is taken goes through the log to the disk as on any replica: a crash in here loses nothing of it,
 * and the next start asks for the rest. Clients get -LOADING, and so do replicas: they come back. REPLICAOF
 * ends it: of X, or NO ONE for those who do not want to wait.
 *
 *   synchronous mode (D29)
 *     open               asks all for a promise of its rank, and chooses again by what they have then
 *     still open         enough have promised (round-need.ts): what was taken is synced, and it leads with that rank;
 *                        else it asks again, or gives up after the bound when somebody waits for it
 *     one has promised   a higher rank: the next one is above that
 *
 *   a log with a hole (DISK.md, section 5): it leads only once its log counts for as much as what was lost
 *   (log/history.ts); else it fails, and says whom it asked
 *
 * Pure core: time and connections are its owner's. Owns: the rounds, how long one is waited for. Does not
 * own: the decision (reclaim-choice.ts), roles (role-moves.ts), the questions (replica/inquiry.ts).
 */
import { DiskError } from "../errors.ts";
import { compareRanks, type LogEnd } from "../log/history.ts";
import { formatAddress, type Address } from "../net/address.ts";
import type { Journal } from "../primary/journal.ts";
import type { Peer } from "./node-memory.ts";
import {
  answersText,
  chooseReclaim,
  highestRank,
  type ReclaimChoice,
  type ReclaimSelf,
} from "./reclaim-choice.ts";
import type { ReclaimRounds } from "./roles.ts";
import type { PromiseSaid } from "../replica/inquiry.ts";
import type { Id, Rank, StateAnswer } from "../wire/messages.ts";
import type { SeedAnswer } from "./seed-choice.ts";
import type { AskSources } from "./seeding.ts";

/** Between two rounds, and between two looks at one that feeds. */
const ASK_AGAIN_MS = 1_000;
/** For one answer in the first round; twice as long in the next, and so on, but for the bound. Why not all of it
 *  at once: who was asked at a bad moment is asked again while another is silent. */
const ANSWER_MS_FIRST = 1_000;
const ANSWER_MS_MAX = 5_000;
/** What feeds slower than this on the average is given up. */
const SLOWEST_BYTES_PER_MS = 65.536;
/** One that feeds may be away for so long before the others are asked again, ms. */
const AWAY_MS = 2_000;

export interface ReclaimPlan {
  /** Who followed it. */
  readonly peers: readonly Peer[];
  /** --reclaim, ms. */
  readonly patienceMs: number;
  /** Why it may not lead with that log; null when it may. */
  readonly refusalOf: (log: LogEnd) => string | null;
  /** Null, or left out, outside synchronous mode. */
  readonly round?: RoundPlan | null;
}

export interface ReclaimDeps {
  readonly ask: AskSources;
  readonly later: (ms: number, run: () => void) => void;
  /** Calls `done` once, in a later turn, when `holds()`. @returns a cancel */
  readonly until: (holds: () => boolean, done: () => void) => () => void;
  readonly now: () => number;
  readonly journal: Journal;
  readonly counters: { bump(name: string, by?: number): void };
  /** It is over, and the node does not lead. */
  readonly onFailed: () => void;
}

/** A lead round of synchronous mode: others promise before the node leads (D29). */
export interface RoundPlan {
  /** Why it does not lead yet, when these have promised; null when it may. */
  readonly needOf: (promised: readonly StateAnswer[]) => string | null;
  /** Who waits for it: it is given up after `patienceMs`, and `giveUp` is told why. Null: it asks on. */
  readonly giveUp: ((why: string) => void) | null;
}

/** The node, as it is moved. */
export interface ReclaimingNode {
  reclaimSelf(): ReclaimSelf;
  readonly log: LogEnd;
  /** Where its log ends, and records in it since the start of the process. */
  readonly next: number;
  readonly records: number;
  /** All of the log is durable. */
  readonly isDurable: boolean;
  wantDurable(): void;
  /** Its connection to the source stands; `isRefused`: and never will again. */
  readonly connected: boolean;
  readonly isRefused: boolean;
  /** Its state is inside a batch that it cannot apply. */
  readonly isTorn: boolean;
  /** Follows `source` for its log; nothing is remembered. */
  takeFrom(source: Address): void;
  /** It hangs up on the source. */
  takeNoMore(): void;
  /** It is a replica of `source` from here on. */
  stayBelow(source: Address): void;
  /** Should it lead, by whatever decision, then above this rank. */
  heardOf(rank: Rank): void;
  /** The rank that it would lead with: above all that it heard of. */
  readonly roundRank: Rank;
  /** It promises to itself to follow nobody below `rank`. @returns what it says to others; null when it cannot be kept */
  promiseSelf(rank: Rank): PromiseSaid | null;
  /** Its newest promise is that one. */
  holds(rank: Rank): boolean;
  /** It leads from here on, with `rank` if others promised that, once its history is on the disk: then led() is called. */
  lead(rank: Rank | null): void;
  /** These stores were silent, and it leads without them from `end` on: followers.ts. */
  parted(storeIds: readonly Id[], end: number): void;
}

/** How one feeds, over all connections to it. */
interface Pace {
  /** Where the log ended at first, and when. */
  readonly from: number;
  readonly sinceMs: number;
  /** The same of the newest byte. */
  next: number;
  movedMs: number;
}

/** One that feeds, on a connection. */
interface Feeding {
  readonly source: Address;
  readonly to: number;
  readonly pace: Pace;
  readonly from: number;
  readonly records: number;
}

export class ReclaimRun implements ReclaimRounds {
  why = "asking the nodes that followed it";
  /** Why it does not lead; null before, and when it does. */
  failure: DiskError | null = null;
  readonly #node: ReclaimingNode;
  readonly #plan: ReclaimPlan;
  readonly #deps: ReclaimDeps;
  readonly #awaited: ReadonlySet<string>;
  #startMs = 0;
  #isOver = false;
  #isFirst = true;
  /** Where the log ended when it was decided that it leads, after all of the bound; null before. */
  #ledFrom: number | null = null;
  #answerMs = ANSWER_MS_FIRST;
  /** The newest of each; who has answered and is silent now has not changed its log by that. */
  readonly #newest = new Map<string, SeedAnswer>();
  /** Gave what they had, or could not. */
  readonly #spent = new Set<string>();
  readonly #paces = new Map<string, Pace>();
  /** What others were asked to promise; null before, and when somebody else asked for a higher one. */
  #rank: Rank | null = null;
  /** Who has promised that, and what each had then. */
  readonly #promised = new Map<Id, StateAnswer>();
  #cancelWait: (() => void) | null = null;
  #told = "";

  constructor(node: ReclaimingNode, plan: ReclaimPlan, deps: ReclaimDeps) {
    this.#node = node;
    this.#plan = plan;
    this.#deps = deps;
    // Why from the start on: whoever is told to lead twice does not lead by the second word alone.
    this.lacks = plan.round?.needOf([]) ?? null;
    this.#awaited = new Set(plan.peers.filter(({ awaited }) => awaited).map(formatAddress));
  }

  /** What its round lacks, as it was last found, and before anybody has answered too; null without a round. */
  lacks: string | null;

  get refusal(): string | null {
    return this.#plan.refusalOf(this.#node.log);
  }

  start(): void {
    this.#startMs = this.#deps.now();
    this.#round();
  }

  /** Somebody else decided. */
  stop(): void {
    this.#isOver = true;
    this.#cancelWait?.();
    this.#cancelWait = null;
  }

  led(): void {
    if (this.#ledFrom === null) return;
    const silent = this.#plan.peers.filter((peer) => !this.#hasAnswered(peer));
    this.#node.parted(
      silent.map(({ storeId }) => storeId),
      this.#ledFrom,
    );
  }

  torn(): void {
    this.#fail("--reclaim: a batch that was taken cannot be applied");
  }

  get #leftMs(): number {
    return Math.max(0, this.#startMs + this.#plan.patienceMs - this.#deps.now());
  }

  // --- rounds -----------------------------------------------------------------------------------

  readonly #round = (): void => {
    if (this.#isOver) return;
    const withinMs = this.#answerMs;
    this.#answerMs = Math.min(ANSWER_MS_MAX, 2 * withinMs);
    const [waitedFor, others] = this.#parted();
    this.#isFirst = false;
    this.#deps.ask(waitedFor, withinMs, (answers) => {
      this.#hear(answers);
      this.#act();
    });
    if (others.length > 0) this.#deps.ask(others, withinMs, this.#hear);
  };

  /** Whose answers a round waits for, and whose not: who is not awaited has had the first round. */
  #parted(): readonly [Peer[], Peer[]] {
    const { peers } = this.#plan;
    const isWaitedFor = (peer: Peer): boolean =>
      this.#isFirst || peer.awaited || this.#hasAnswered(peer);
    return [peers.filter(isWaitedFor), peers.filter((peer) => !isWaitedFor(peer))];
  }

  readonly #hear = (answers: readonly SeedAnswer[]): void => {
    for (const answer of answers) {
      const name = formatAddress(answer.source);
      if (answer.state !== null || !this.#newest.has(name)) this.#newest.set(name, answer);
    }
  };

  #hasAnswered(peer: Peer): boolean {
    return (this.#newest.get(formatAddress(peer))?.state ?? null) !== null;
  }

  get #answers(): readonly SeedAnswer[] {
    return [...this.#newest.values()];
  }

  readonly #act = (): void => this.#choose(false);

  /** `isPromised`: it has just been asked for promises. */
  #choose(isPromised: boolean): void {
    if (this.#isOver) return;
    // What was received is applied after it hung up, too.
    if (this.#node.isTorn) {
      this.torn();
      return;
    }
    const isOverdue = this.#leftMs === 0;
    const isOver = (source: Address): boolean => this.#spent.has(formatAddress(source));
    const own = this.#node.reclaimSelf();
    const isAwaited = (source: Address): boolean => this.#awaited.has(formatAddress(source));
    const choice = chooseReclaim(own, this.#answers, { isOverdue, isOver, isAwaited });
    this.#node.heardOf(highestRank(own, this.#answers));
    this.#tell(choice);
    switch (choice.kind) {
      case "ask_again": {
        const leftMs = this.#leftMs;
        const isLast = leftMs <= ASK_AGAIN_MS;
        this.#deps.later(isLast ? leftMs : ASK_AGAIN_MS, isLast ? this.#act : this.#round);
        break;
      }
      case "follow":
        this.#isOver = true;
        this.#node.stayBelow(choice.source);
        break;
      case "take":
        this.#take(choice.source, choice.to);
        break;
      case "open":
        if (isOverdue) this.#ledFrom = own.offset;
        this.#open(isPromised);
    }
  }

  // --- one feeds --------------------------------------------------------------------------------

  #take(source: Address, to: number): void {
    const { next, records } = this.#node;
    const nowMs = this.#deps.now();
    const name = formatAddress(source);
    const pace = this.#paces.get(name) ?? { from: next, sinceMs: nowMs, next, movedMs: nowMs };
    this.#paces.set(name, pace);
    this.#node.takeFrom(source);
    this.#watch({ source, to, pace, from: next, records }, nowMs);
  }

  /** Until it has all; looks now and then at whether it still comes. */
  #watch(feeding: Feeding, dialledMs: number): void {
    const node = this.#node;
    const cancel = this.#deps.until(
      () => node.next >= feeding.to || node.isRefused || node.isTorn,
      () => this.#look(feeding, dialledMs),
    );
    this.#cancelWait = cancel;
    this.#deps.later(ASK_AGAIN_MS, () => {
      if (this.#cancelWait !== cancel) return;
      cancel();
      this.#look(feeding, dialledMs);
    });
  }

  #look(feeding: Feeding, dialledMs: number): void {
    this.#cancelWait = null;
    const node = this.#node;
    const { source, to, pace } = feeding;
    const nowMs = this.#deps.now();
    if (node.next > pace.next) Object.assign(pace, { next: node.next, movedMs: nowMs });
    if (node.isTorn) {
      this.#count(feeding);
      this.#fail(`--reclaim: a batch of ${formatAddress(source)} cannot be applied`);
    } else if (node.next >= to || node.isRefused || this.#isTooSlow(pace, nowMs))
      this.#end(feeding, true);
    else if (!node.connected && nowMs - Math.max(dialledMs, pace.movedMs) >= AWAY_MS)
      this.#end(feeding, false);
    else this.#watch(feeding, dialledMs);
  }

  #isTooSlow({ from, sinceMs, next, movedMs }: Pace, nowMs: number): boolean {
    const { patienceMs } = this.#plan;
    const slowestMs = (next - from) / SLOWEST_BYTES_PER_MS;
    return nowMs - movedMs >= patienceMs || nowMs - sinceMs >= patienceMs + slowestMs;
  }

  /** Then all are asked again: meanwhile somebody may lead. */
  #end(feeding: Feeding, isSpent: boolean): void {
    this.#count(feeding);
    if (isSpent) this.#spent.add(formatAddress(feeding.source));
    this.#node.takeNoMore();
    this.#round();
  }

  #count({ source, from, records: before }: Feeding): void {
    const bytes = this.#node.next - from;
    if (bytes === 0) return;
    const records = this.#node.records - before;
    const { journal, counters } = this.#deps;
    counters.bump("reclaimed_records", records);
    counters.bump("reclaimed_bytes", bytes);
    journal("info", "reclaimed", { records, bytes, from: formatAddress(source) });
  }

  // --- the end ----------------------------------------------------------------------------------

  #open(isPromised: boolean): void {
    const refusal = this.#plan.refusalOf(this.#node.log);
    if (refusal !== null) {
      this.#fail(`${refusal}. Asked: ${answersText(this.#node.reclaimSelf(), this.#answers)}`);
      return;
    }
    const { round = null } = this.#plan;
    if (round !== null && !isPromised) this.#askPromises();
    else if (round === null || this.#isMet(round)) this.#sync();
  }

  /** Enough have promised; else asks again, or gives up. */
  #isMet(round: RoundPlan): boolean {
    const isHeld = this.#rank !== null && this.#node.holds(this.#rank);
    const lacks = isHeld
      ? round.needOf([...this.#promised.values()])
      : "another node is to lead with a higher rank";
    if (lacks === null) return true;
    this.lacks = lacks;
    this.why = lacks;
    if (round.giveUp !== null && this.#leftMs === 0) {
      this.#isOver = true;
      round.giveUp(lacks);
    } else this.#deps.later(Math.min(ASK_AGAIN_MS, this.#leftMs || ASK_AGAIN_MS), this.#round);
    return false;
  }

  /** All whom it knows: a promise ends what they have of a lower leader, and tells what they have. */
  #askPromises(): void {
    const node = this.#node;
    if (this.#rank === null || !node.holds(this.#rank)) {
      this.#rank = node.roundRank;
      this.#promised.clear();
    }
    const rank = this.#rank;
    const said = node.promiseSelf(rank);
    if (said === null) {
      this.#fail("the promise of a lead round cannot be kept in --dir");
      return;
    }
    const hear = (answers: readonly SeedAnswer[]): void => {
      this.#hear(answers);
      this.#hearPromises(rank, answers);
      this.#choose(true);
    };
    this.#deps.ask(this.#plan.peers, this.#answerMs, hear, said);
  }

  #hearPromises(rank: Rank, answers: readonly SeedAnswer[]): void {
    for (const { state } of answers) {
      if (state === null) continue;
      const order = compareRanks(state.promised, rank);
      if (order === 0 && state.role === "replica") this.#promised.set(state.storeId, state);
      if (order <= 0) continue;
      this.#node.heardOf(state.promised);
      this.#rank = null;
    }
  }

  /** All that it has becomes durable, then it leads. */
  #sync(): void {
    const node = this.#node;
    this.why = "what was taken is being synced";
    node.wantDurable();
    this.#cancelWait = this.#deps.until(
      () => node.isDurable,
      () => {
        this.#isOver = true;
        node.lead((this.#plan.round ?? null) === null ? null : this.#rank);
      },
    );
  }

  #fail(why: string): void {
    this.#isOver = true;
    this.failure = new DiskError("ERR_DISK_DAMAGED", why);
    this.#deps.onFailed();
  }

  /** One line when something changed, not one each round. */
  #tell(choice: ReclaimChoice): void {
    this.why = choice.why;
    const source = "source" in choice ? formatAddress(choice.source) : "";
    const answered = this.#answers.filter(({ state }) => state !== null).length;
    const line = `${choice.kind} ${source} ${answered} ${choice.why}`;
    if (line === this.#told) return;
    this.#told = line;
    const isWarning = choice.kind === "ask_again" || choice.kind === "follow";
    this.#deps.journal(isWarning ? "warn" : "info", "reclaim", {
      choice: choice.kind,
      source,
      why: choice.why,
      asked: this.#answers.length,
      answered,
      waits_ms: Math.round(this.#leftMs),
    });
  }
}
