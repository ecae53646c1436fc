/**
 * What a node does when a turn of its loop ends, in this order:
 *
 *   seal      the open batch           one for all that the turn appended: 7 times fewer batches than
 *                                      one for each socket read, which costs every replica less
 *   persist   hands it to the store    of the log (log/log-store.ts), before anybody may see it; it
 *                                      is written there meanwhile, and nobody waits for that
 *   publish   what links may see       only whole batches
 *   feed      the pump                 replicas before writers: a client that is woken takes the
 *                                      processor, and what is not written by then waits for the
 *                                      scheduler (idle lag 0.06 ms instead of 0.12)
 *   answer    replies that waited      their condition holds: the pump has run, and with --fsync
 *                                      always what they answer is durable. For a disk that takes
 *                                      nothing they wait a second, then UNCONFIRMED is the answer. In
 *                                      synchronous mode others have confirmed it (confirm-queues.ts)
 *   trim      holds, the backlog       after those, since nobody waits for it
 *   tell      who waits for something  last, when all is as the turn leaves it: paced writers, until().
 *                                      Nobody polls
 *
 * Every end of a turn comes through run(): client reads, embedded writes, batches that a session
 * applied, ACKs, sockets that took, timers. They ask with want(), and one run answers all of them.
 *
 * The one exception: a turn that has appended about a MiB seals, publishes, feeds and trims at once
 * (relieve()), so that a long pipeline neither makes replicas wait nor becomes one huge batch. Its
 * replies still wait for the end.
 *
 * Pure core: the loop and its timers are a TurnShell (loop-turns.ts; the simulator has its own).
 * Owns: the order, what is published, the replies and the others that wait. Does not own: links
 * (primary/), batches (log/), sockets.
 */
import { ConfirmQueues, type TurnConfirmer } from "./confirm-queues.ts";
import { GroupCommit } from "./group-commit.ts";
import { ReplyQueue, type ReplyOut } from "./reply-queue.ts";

/** A turn that appended this much does not wait for its end. */
const LONG_TURN_BYTES = 1024 * 1024;

/**
 * So long what was executed waits for a disk that takes nothing, ms: old files that go may make room, which
 * takes about as long (log/disk/disk-log.ts).
 */
const UNCONFIRMED_MS = 1_000;

/** The log, as a turn moves it. */
export interface TurnLog {
  /** End of what was sealed, or applied on a replica. */
  readonly next: number;
  /** End of all that was appended. */
  readonly tail: number;
  seal(): boolean;
  /** Hands what is sealed to what stands behind the log in memory. */
  persist(): void;
  /** End of what outlives a crash of the machine. */
  readonly durable: number;
  /** Somebody waits until all that was handed over is durable. */
  wantDurable(): void;
}

/** The feeding side, as a turn moves it. */
export interface TurnFeeder {
  /** Links that may be sent what is appended. */
  readonly followers: number;
  /** Writes to links; true when more could be written at once. */
  feed(nowMs: number): boolean;
  /** Gives back log that nobody needs; true when there is more of it. */
  trim(nowMs: number): boolean;
  /** Tells writers that waited for the pace and may go. */
  tell(nowMs: number): void;
  /** When feed() or tell() could do more by themselves, ms; Infinity for never. */
  nextWakeMs(nowMs: number): number;
}

/** The loop around it. */
export interface TurnShell {
  /** Calls `run` at the end of this turn of the loop. */
  soon(run: () => void): void;
  /** Calls `wake` at `atMs`; Infinity for never. A later call replaces an earlier one. */
  wakeAt(atMs: number, nowMs: number, wake: () => void): void;
}

export interface TurnParts {
  readonly log: TurnLog;
  readonly feeder: TurnFeeder;
  readonly shell: TurnShell;
  /** Monotonic, ms. */
  readonly now: () => number;
}

/** Somebody who is told at the end of the first turn at which it holds. */
interface Wait {
  readonly holds: () => boolean;
  readonly done: () => void;
}

/** The turn, for those who append to the log and answer clients. */
export interface ClientTurn {
  /** Replies to writes are held until the writes are durable. */
  readonly confirmsDurable: boolean;
  /** Who confirms what replies show, on a node that leads; null on any other. */
  readonly confirmer: TurnConfirmer | null;
  /** Call after all commands of one socket read, or one embedded write: the log may have grown. */
  appended(): void;
  /**
   * Keeps a copy of a reply for the answer step and returns true, when this turn has something of the
   * log for a replica, what `out` wrote has to be durable first, or other replies to it wait; else
   * false: write it now.
   */
  holdReply(out: TurnReplies, bytes: Buffer): boolean;
  /** Calls `done` once, at the end of the first turn at which `holds()`. @returns a cancel */
  until(holds: () => boolean, done: () => void): () => void;
}

/** A connection, as its replies wait. */
export interface TurnReplies extends ReplyOut {
  /** End of the log after what it wrote, 0 for nothing that is in this log. */
  readonly wroteTo: number;
  /** How many others it asks to have confirmed what it is shown; 0 for what the node asks for. */
  readonly copies: number;
  /** End of the log after what it was shown, 0 for nothing that is in this log. */
  readonly shownTo: number;
  /** Since the last call it was shown what others may know better. */
  takeRead(): boolean;
}

export class Turn implements ClientTurn {
  readonly #parts: TurnParts;
  readonly #replies = new ReplyQueue();
  readonly #waits = new Set<Wait>();
  /** End of the log that links may see. */
  #published = 0;
  #isWanted = false;
  /** Writes are answered when they are durable: --fsync always. */
  confirmsDurable = false;
  confirmer: TurnConfirmer | null = null;
  readonly #confirming = new ConfirmQueues();
  readonly #commit = new GroupCommit();
  /** The confirmer was asked to ask others in this turn. */
  #hasAsked = false;
  /** When what waits for a disk that takes nothing is answered; Infinity while it takes. */
  #givesUpAtMs = Number.POSITIVE_INFINITY;

  constructor(parts: TurnParts) {
    this.#parts = parts;
  }

  /** Replies that wait until others have confirmed what they show. */
  get repliesConfirming(): number {
    return this.#confirming.length;
  }

  // --- who needs a turn ------------------------------------------------------------------------

  /** Asks for run() at the end of this turn of the loop, once however often it is asked. */
  readonly want = (): void => {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#parts.shell.soon(this.run);
  };

  appended(): void {
    const { tail } = this.#parts.log;
    if (tail === this.#published) return;
    this.want();
    if (tail - this.#published >= LONG_TURN_BYTES) this.#relieve(this.#parts.now());
  }

  /** A session took something in, and may have applied batches. */
  applied(): void {
    if (this.#parts.log.next !== this.#published || this.#waits.size > 0) this.want();
  }

  /** Something changed that somebody may wait for. */
  readonly changed = (): void => {
    if (this.#waits.size > 0) this.want();
  };

  /**
   * Calls `done` once, at the end of the first turn at which `holds()`, from this one on. Whoever
   * makes it hold asks for a turn, by changed() where nothing else does. @returns a cancel
   */
  until(holds: () => boolean, done: () => void): () => void {
    const wait = { holds, done };
    this.#waits.add(wait);
    this.want();
    return () => void this.#waits.delete(wait);
  }

  // --- the turn --------------------------------------------------------------------------------

  /** What the shell calls: a turn, and what comes after it. */
  readonly run = (): void => {
    const { shell, feeder, now } = this.#parts;
    const nowMs = now();
    this.#isWanted = false;
    if (this.end(nowMs)) this.want();
    else shell.wakeAt(Math.min(feeder.nextWakeMs(nowMs), this.#giveUpMs), nowMs, this.want);
  };

  /** One turn's end. @returns true when there is more to do at once */
  end(nowMs: number): boolean {
    this.#seal();
    this.#persist();
    this.#publish();
    const moreToFeed = this.#feed(nowMs);
    this.#answer(nowMs);
    const moreToTrim = this.#trim(nowMs);
    this.#tell(nowMs);
    return moreToFeed || moreToTrim;
  }

  /** Inside a long turn. */
  #relieve(nowMs: number): void {
    this.#seal();
    this.#persist();
    this.#publish();
    this.#feed(nowMs);
    this.#trim(nowMs);
  }

  #seal(): void {
    this.#parts.log.seal();
  }

  #persist(): void {
    this.#parts.log.persist();
  }

  #publish(): void {
    this.#published = this.#parts.log.next;
  }

  #feed(nowMs: number): boolean {
    return this.#parts.feeder.feed(nowMs);
  }

  #answer(nowMs: number): void {
    this.#answerOwn(nowMs);
    if (this.confirmer !== null) this.#answerConfirmed(this.confirmer, nowMs);
  }

  #answerConfirmed(confirmer: TurnConfirmer, nowMs: number): void {
    confirmer.look();
    this.#hasAsked = false;
    if (this.#confirming.isEmpty) return;
    const { log } = this.#parts;
    const durable = this.confirmsDurable ? log.durable : Number.POSITIVE_INFINITY;
    const isDone = this.#confirming.release(confirmer, durable, nowMs - confirmer.timeoutMs);
    if (!isDone && (this.confirmsDurable || confirmer.needsDurable)) log.wantDurable();
    if (!isDone && confirmer.needsDurable) confirmer.askToSync();
  }

  /** That the pump has run holds for all that waits for this node alone. */
  #answerOwn(nowMs: number): void {
    if (!this.confirmsDurable) {
      this.#replies.releaseTo(Number.POSITIVE_INFINITY);
      return;
    }
    const { log } = this.#parts;
    const { durable } = log;
    this.#replies.releaseTo(durable);
    if (nowMs >= this.#giveUpMs) this.#replies.giveUp();
    const choice = this.#commit.choose(this.#replies, durable, nowMs);
    if (choice === "ask") log.wantDurable();
    else if (choice === "again") this.want();
  }

  /** When those who wait are answered though nothing is confirmed; Infinity when nobody does. */
  get #giveUpMs(): number {
    return this.#replies.length === 0 ? Number.POSITIVE_INFINITY : this.#givesUpAtMs;
  }

  #trim(nowMs: number): boolean {
    return this.#parts.feeder.trim(nowMs);
  }

  #tell(nowMs: number): void {
    this.#parts.feeder.tell(nowMs);
    if (this.#waits.size === 0) return;
    for (const wait of [...this.#waits])
      if (this.#waits.has(wait) && wait.holds()) {
        this.#waits.delete(wait);
        wait.done();
      }
  }

  // --- replies ---------------------------------------------------------------------------------

  /** Some wait, for this turn's end, for the disk or for others. */
  get holdsReplies(): boolean {
    return this.#replies.length > 0 || !this.#confirming.isEmpty;
  }

  holdReply(out: TurnReplies, bytes: Buffer): boolean {
    const { log, feeder } = this.#parts;
    const { tail } = log;
    const { confirmer } = this;
    if (confirmer !== null && (confirmer.isOn || out.copies > 0))
      return this.#holdUntilConfirmed(confirmer, out, bytes);
    if (this.confirmsDurable) return this.#holdUntilDurable(out, bytes);
    const mustWait = tail !== this.#published && feeder.followers > 0;
    if (!mustWait && out.heldReplies === 0) return false;
    this.want();
    if (this.#replies.hold(out, bytes, tail)) return true;
    this.#replies.releaseTo(Number.POSITIVE_INFINITY);
    return false;
  }

  /** Reads wait too, until it is known that this node still led when they ran. */
  #holdUntilConfirmed(confirmer: TurnConfirmer, out: TurnReplies, bytes: Buffer): boolean {
    const { copies, shownTo } = out;
    const nowMs = this.#parts.now();
    const hearUs = out.takeRead() ? Math.round(nowMs * 1000) : 0;
    const isFree = out.heldReplies === 0 && hearUs === 0;
    if (isFree && shownTo <= confirmer.confirmedTo(copies) && !this.confirmsDurable) return false;
    if (hearUs > 0 && !this.#hasAsked) {
      this.#hasAsked = true;
      confirmer.ask();
    }
    this.want();
    this.#confirming.hold(copies, out, bytes, shownTo, hearUs, nowMs);
    return true;
  }

  /** The node leads no more: what is not confirmed by now nobody confirms. */
  endConfirming(): void {
    if (this.confirmer === null) return;
    this.#answerConfirmed(this.confirmer, this.#parts.now());
    this.#confirming.giveUp();
  }

  /** A read waits behind writes of its own connection alone. */
  #holdUntilDurable(out: TurnReplies, bytes: Buffer): boolean {
    const { wroteTo } = out;
    if (out.heldReplies === 0 && (wroteTo <= this.#parts.log.durable || this.#gaveUp)) return false;
    this.want();
    return this.#replies.hold(out, bytes, wroteTo, true);
  }

  /** What is said now of the log waits no more for a disk that has taken nothing for a while. */
  get #gaveUp(): boolean {
    return Number.isFinite(this.#givesUpAtMs) && this.#parts.now() >= this.#givesUpAtMs;
  }

  /** The disk takes nothing, and may later; or it takes again. */
  diskTakes(takes: boolean): void {
    const atMs = takes ? Number.POSITIVE_INFINITY : this.#parts.now() + UNCONFIRMED_MS;
    this.#givesUpAtMs = takes ? atMs : Math.min(this.#givesUpAtMs, atMs);
    this.#commit.reset();
    this.want();
  }

  /** The log is another one: what waited until it was durable in this one will never be. */
  dropReplies(): void {
    this.#commit.reset();
    this.#confirming.drop();
    if (this.confirmsDurable) this.#replies.drop();
  }
}
