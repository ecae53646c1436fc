/**
 * What replicate() gives: a node over a state of the embedder's own, as a primary or a replica, and from one
 * to the other.
 *
 *   leads      write, update, transact; durable, confirmed
 *   follows    synced, reached; the state is read by whoever has it
 *   closed     everything rejects with ERR_CLOSED
 *
 * A role changes when no write is under way: those that wait are rejected, what has begun ends first.
 * Owns: that, and the waits. Does not own: the order of writes (node-writes.ts, bridge/write-order.ts), the
 * node (node/), its options (replicate.ts).
 */
import { ArgumentError, NodeError } from "../errors.ts";
import type { BridgedState } from "../bridge/bridged-state.ts";
import type { Awaitable, Log, LogPosition, Wait } from "../bridge/seam.ts";
import { awaitConfirmed } from "../node/await-confirmed.ts";
import { awaitDurable } from "../node/await-durable.ts";
import type { NodeStatus } from "../node/api.ts";
import type { NodeEventName, NodeListener } from "../node/events.ts";
import { hasReached, needHope, needThere, tokenFor } from "../node/following.ts";
import type { DaemonNode } from "../node/node.ts";
import { readAddress, UsageError } from "../node/option-values.ts";
import { countOf } from "./bytes.ts";
import { type HandOver, handOver } from "./hand-over.ts";
import { NodeWrites } from "./node-writes.ts";
import { placeOf } from "./positions.ts";
import { asEmbedder, inWords, REPLICATE_NAMES } from "./words.ts";
import { untilWelcome } from "./ready-to-write.ts";
import { Waits } from "./waits.ts";

/** Of confirmed(): who counts. */
export type ConfirmationLevel = "applied" | "durable";

const LEVELS: readonly ConfirmationLevel[] = ["applied", "durable"];

/** The constructor and the node behind it, for this folder and tests: embedders have replicate() alone. */
let construct: <Tx>(node: DaemonNode, bridge: BridgedState, port: number) => ReplicatedNode<Tx>;
let reveal: (of: ReplicatedNode) => DaemonNode;

/** close() says that a body holds it up after so long, ms. */
const BODY_PATIENCE_MS = 5_000;

/** @typeParam Tx  what the state's transact() hands to a body; never when it has none */
export class ReplicatedNode<Tx = never> {
  /** Replicas of this node connect to it. */
  readonly port: number;
  readonly #node: DaemonNode;
  readonly #writes: NodeWrites;
  readonly #waits: Waits;
  /** One change of the role at a time. */
  #moving: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;

  private constructor(node: DaemonNode, bridge: BridgedState, port: number) {
    this.port = port;
    this.#node = node;
    this.#waits = new Waits(node.turn, "this node");
    this.#writes = new NodeWrites(node, bridge, (why) =>
      node.journal("error", "state_suspect", { why }),
    );
    if (node.role === "primary") this.#writes.open();
    // Its primary may have handed over to it.
    node.emitter.on("role", () => {
      if (node.role === "primary" && this.#closing === null) this.#writes.open();
    });
  }

  static {
    construct = (node, bridge, port) => new ReplicatedNode(node, bridge, port);
    reveal = (of) => of.#node;
  }

  /** What it is now; "closed" from the call of close() on. */
  get role(): "primary" | "replica" | "closed" {
    return this.#closing === null ? this.#node.role : "closed";
  }

  /** Where the state is: on a primary all that was written, on a replica all that is applied. */
  get position(): LogPosition {
    const { history, offset } = this.#node.position;
    return { history, offset };
  }

  // --- writing -----------------------------------------------------------------------------------

  /**
   * Applies records to the state, logs them, and sends them to replicas. They are copied at once. Records of
   * one call are applied together or not at all; calls of one moment share a batch, in the order of the
   * calls. An empty array writes nothing and resolves when its turn comes.
   *
   * Resolves when the state has them, and with `dir` and a state that has a durability when the log in `dir`
   * has them too; with fsync "always" when that is synced; with `sync` when enough members have them. With `signal` or `timeoutMs` the write leaves the queue; once it is under way neither stops
   * it. On a state that is changed by methods of its own it acts before the call returns, unless it waits.
   * @returns where the log ends with it
   * @throws the signal's reason; what check() of the state throws
   * @throws {HawserError} with nothing written: ERR_ARGUMENT; ERR_LOG_RECORD_SIZE for a record above 1 GiB, or
   *   more in one call; ERR_LOG_FULL without memory; ERR_STORE_REFUSED when the state failed and is what it
   *   was (`cause`: its own error); ERR_DISK_... when the disk of `dir` takes nothing; ERR_READONLY on a
   *   replica; ERR_NO_REPLICAS while fewer than `minReplicasToWrite` are near, or too few members; ERR_UNCONFIRMED, written here, when
   *   too few confirm it, and it may be lost; ERR_INSIDE_BODY within the body of an update; ERR_TIMEOUT, ERR_CLOSED.
   *   ERR_STORE_FAILED: nobody knows whether it is written, and this node writes no more
   */
  write(records: Uint8Array | readonly Uint8Array[], wait?: Wait): Promise<LogPosition> {
    // Why no async function: of a store that groups writes, promises are half of what a write costs.
    try {
      this.#waits.needOpen();
      const written = this.#writes.write(records, wait);
      return this.#isConfirmed ? this.#whenConfirmed(written) : written;
    } catch (error) {
      return rejected(error);
    }
  }

  /** By the disk, or by others: writes wait for it. */
  get #isConfirmed(): boolean {
    const { turn, synchronous } = this.#node;
    return turn.confirmsDurable || synchronous.isOn;
  }

  async #whenConfirmed(written: Promise<LogPosition>): Promise<LogPosition> {
    const position = await written;
    await this.#settled(position);
    return position;
  }

  /** Why side by side: should the node lead no more when it is durable, nobody could say whether it was confirmed. */
  async #settled(position?: LogPosition): Promise<void> {
    const durable = this.#node.turn.confirmsDurable ? this.durable(position) : null;
    await Promise.all([durable, this.#confirmed()]);
  }

  async #confirmed(): Promise<void> {
    if (!this.#node.synchronous.isOn) return;
    await this.#waits.run("write()", undefined, (until) => awaitConfirmed(this.#node, until));
  }

  /**
   * Runs `body` alone: no other write is under way, so that what it reads of the state is what it changes. It
   * calls `log(record)` for each change, which is copied at once, and hawser applies them when it has ended.
   * Nothing is written when it throws. `wait` is for its turn, not for the body.
   * @returns what `body` returns, when the state has the records
   * @throws what `body` throws, and as write()
   */
  async update<T>(body: (log: Log) => Awaitable<T>, wait?: Wait): Promise<T> {
    this.#waits.needOpen();
    const value = await this.#writes.update(body, wait);
    if (this.#isConfirmed) await this.#settled();
    return value;
  }

  /**
   * Runs `body` alone, in a transaction of the state that it changes by itself; it calls `log(record)` for
   * each change that replicas are to make. What it changed and where the log is then are stored together.
   * @throws {HawserError} ERR_ARGUMENT when the state has no transact(); else as update()
   */
  async transact<T>(body: (tx: Tx, log: Log) => Awaitable<T>, wait?: Wait): Promise<T> {
    this.#waits.needOpen();
    const value = await this.#writes.transact(body, wait);
    if (this.#isConfirmed) await this.#settled();
    return value;
  }

  // --- waiting -----------------------------------------------------------------------------------

  /**
   * Resolves when writing is welcome: at once, but while a syncing replica needs writers to slow down or the
   * disk of `dir` is behind. write() waits for that by itself.
   * @throws {HawserError} ERR_READONLY on a replica, ERR_DISK_..., ERR_STORE_FAILED, ERR_TIMEOUT, ERR_CLOSED
   */
  async ready(wait?: Wait): Promise<void> {
    const refuse = (): void => {
      const why = this.#writes.refusal;
      if (why !== null) throw why;
    };
    await this.#waits.run("ready()", wait, (until) => untilWelcome(this.#node, until, refuse));
  }

  /**
   * Resolves once a replica is connected and has all that its upstream had said it has; a primary always
   * does.
   * @returns where it is then
   * @throws {HawserError} ERR_CANNOT_FOLLOW, at once, when trying again cannot help while both ends are as they
   *   are: another password, other records, data of another history, a state that cannot apply them;
   *   ERR_TIMEOUT, ERR_CLOSED
   */
  async synced(wait?: Wait): Promise<LogPosition> {
    const node = this.#node;
    await this.#waits.until("synced()", wait, () => node.isSynced || needHope(node.core, spelled));
    return this.position;
  }

  /**
   * Resolves once the state has what was written up to `at`: read your writes on a replica. `at` may be what
   * token() gave, on any node.
   * @throws {HawserError} ERR_POSITION_GONE, at once, when the log went on from before it; else as synced()
   */
  async reached(at: LogPosition | string, wait?: Wait): Promise<void> {
    const node = this.#node;
    const place = placeOf("reached()", at);
    await this.#waits.until("reached()", wait, () => {
      if (hasReached(node.core, place)) return true;
      needThere("reached()", node.core, place);
      return node.role === "replica" && needHope(node.core, spelled);
    });
  }

  /**
   * A position as a text, for a cookie or a message: reached() of any node of the same state takes it.
   * @param at by default all that was written, or on a replica applied
   * @throws {HawserError} ERR_ARGUMENT; ERR_POSITION_GONE when this node's log does not have it
   */
  token(at: LogPosition = this.position): string {
    return tokenFor("token()", this.#node.core, placeOf("token()", at));
  }

  /**
   * Resolves once the log up to `at`, by default all that is written by now, is synced in `dir`, and outlives
   * a crash of the machine with the state that it belongs to.
   * @throws {HawserError} ERR_ARGUMENT without `dir`; ERR_DISK_..., ERR_POSITION_GONE, ERR_TIMEOUT, ERR_CLOSED
   */
  async durable(at: LogPosition = this.position, wait?: Wait): Promise<void> {
    const node = this.#node;
    placeOf("durable()", at);
    await this.#waits.run("durable()", wait, async (until) => {
      if (!node.keepsLog) throw new ArgumentError("ERR_ARGUMENT", "durable(): there is no dir");
      await until(() => hasReached(node.core, at) || needThere("durable()", node.core, at));
      if (at.history === node.position.history && node.backlog.durable >= at.offset) return;
      await awaitDurable(node, until);
    });
  }

  /**
   * Resolves once `replicas` nodes that follow this one directly have applied the log up to `at`, or have
   * synced it in a `dir` of theirs.
   * @returns how many have
   * @throws {HawserError} ERR_POSITION_GONE when `at` is not in this log, ERR_TIMEOUT, ERR_CLOSED
   */
  async confirmed(
    at: LogPosition,
    wait: Wait & { readonly replicas: number; readonly level?: ConfirmationLevel },
  ): Promise<number> {
    const { feeder } = this.#node;
    placeOf("confirmed()", at);
    countOf("replicas", (wait as typeof wait | undefined)?.replicas as number);
    const { replicas, level = "applied" } = wait;
    if (!LEVELS.includes(level))
      throw new ArgumentError(
        "ERR_ARGUMENT",
        `confirmed(): level is ${level}; "applied" or "durable" is allowed`,
      );
    let count = 0;
    feeder.askForAcks(at.offset);
    await this.#waits.until("confirmed()", wait, () => {
      needThere("confirmed()", this.#node.core, at);
      // Why asked: a history that this node does not know has other bytes at that offset.
      const isHere = hasReached(this.#node.core, at);
      count = isHere ? feeder.confirmedBy(at.offset, level) : 0;
      return isHere && count >= replicas;
    });
    return count;
  }

  // --- roles -------------------------------------------------------------------------------------

  /**
   * Follows the node at `of`, HOST:PORT of its replication port. A primary ends what is under way first, and
   * rejects the writes that wait. Resolves when it follows; synced() says when it has everything.
   * `allowReset`: once, an unrelated or empty primary may replace what the state holds.
   * @throws {UsageError} for an address that is none
   * @throws {HawserError} ERR_CANNOT_FOLLOW when the role cannot be kept in `dir`, ERR_TIMEOUT, ERR_CLOSED
   */
  async follow(of: string, wait: Wait & { readonly allowReset?: boolean } = {}): Promise<void> {
    const { host, port } = addressOf(of);
    const { allowReset = false, ...limits } = wait;
    this.#writes.needOutside("follow()");
    await this.#move("follow()", limits, async () => {
      const why = new NodeError("ERR_READONLY", `this node was told to follow ${of}`);
      if (this.#node.role === "primary") await this.#endWrites(why);
      // Consent is for what a primary has, as REPLICAOF gives it.
      const refusal = this.#node.follow(host, port, allowReset ? "reset" : "replicaof");
      if (refusal === null) return;
      if (this.#node.role === "primary") this.#writes.open();
      throw new NodeError("ERR_CANNOT_FOLLOW", spelled(refusal));
    });
  }

  /**
   * Stops following, applies what was received, and leads a history of its own. Resolves when writes are
   * welcome; at once on a primary.
   * @throws {HawserError} ERR_NOT_PROMOTED when it never had a state, or one that is at no position;
   *   ERR_TIMEOUT: it may still become one; ERR_CLOSED
   */
  async promote(wait?: Wait): Promise<void> {
    await this.#move("promote()", wait, async () => {
      await new Promise<void>((resolve, reject) => {
        const done = (why: string | null): void => {
          if (why === null) resolve();
          else reject(new NodeError("ERR_NOT_PROMOTED", spelled(why)));
        };
        const refusal = this.#node.promote(false, done);
        if (refusal !== null) done(refusal);
      });
      // It may have been told to follow again meanwhile.
      if (this.#node.role === "primary") this.#writes.open();
    });
  }

  /**
   * Hands over to a replica, which leads when this resolves: nothing that was written is lost, and no full sync
   * follows. Writes wait until it is known who leads: they are written once, or reject with ERR_READONLY. What a
   * state's own methods change is refused meanwhile.
   * @throws {UsageError} for a `to` that is no address
   * @throws {HawserError} ERR_NOT_HANDED_OVER: it is no primary, there is no such replica, it does not stream, its
   *   connection ended; this node goes on as before. With ERR_TIMEOUT or the signal's reason it goes on as before
   *   too, unless role is "replica" by then: it has resigned, and the replica is to lead as soon as it is heard of.
   *   ERR_INSIDE_BODY, ERR_CLOSED
   */
  async handOver(to: HandOver = {}): Promise<void> {
    this.#writes.needOutside("handOver()");
    await this.#move("handOver()", to, async () => {
      await handOver(this.#node, this.#waits, to);
      await this.#endWrites(new NodeError("ERR_READONLY", "this node has handed over"));
    });
  }

  /** Moves one after another; who stops waiting leaves the move to itself. */
  async #move(what: string, wait: Wait | undefined, move: () => Promise<void>): Promise<void> {
    let isOver = false;
    let failure: { readonly why: unknown } | null = null;
    await this.#waits.run(what, wait, async (until) => {
      const moved = this.#moving.then(async () => {
        this.#waits.needOpen();
        await move();
      });
      this.#moving = moved.then(
        () => undefined,
        () => undefined,
      );
      moved.then(
        () => {
          isOver = true;
          this.#node.turn.changed();
        },
        (why: unknown) => {
          failure = { why };
          isOver = true;
          this.#node.turn.changed();
        },
      );
      await until(() => isOver);
    });
    const ended = failure as { readonly why: unknown } | null;
    if (ended !== null) throw ended.why;
  }

  async #endWrites(why: Error): Promise<void> {
    const timer = setTimeout(() => {
      const { running } = this.#writes;
      if (running === null) return;
      this.#node.journal("error", "body_runs", {
        why: `${why.message}, and waits for the body of ${running}() to end`,
      });
    }, BODY_PATIENCE_MS);
    try {
      await this.#writes.close(why);
    } finally {
      clearTimeout(timer);
    }
  }

  // --- the rest ----------------------------------------------------------------------------------

  /** What `hawser status` shows of a node: position, links, upstream, disk, counters. */
  status(): NodeStatus {
    return inWords(this.#node.status(), REPLICATE_NAMES);
  }

  /**
   * Calls `listener` whenever it happens, from now on (NodeEvents), at the end of a turn of the loop. What it
   * throws, or rejects with, is told as an `error` event, and changes nothing.
   * @returns a function after which it is not called any more
   */
  on<Name extends NodeEventName>(event: Name, listener: NodeListener<Name>): () => void {
    // Why another: the same listener may be given twice, and taken away once.
    const own: NodeListener<Name> = (happened) => listener(happened);
    this.#node.emitter.on(event, own);
    return () => this.#node.emitter.off(event, own);
  }

  /** The process may end while this node is open; it does not hold it by itself any more. */
  unref(): this {
    this.#node.setRef(false);
    return this;
  }

  /**
   * Rejects the writes that wait, ends what is under way, says BYE to replicas, sends what is left, and lets go
   * of the state, which stays open. An update whose body does not end keeps it open: after 5 s an `error` event
   * says so. Closing again waits for the same end.
   * @throws {HawserError} ERR_INSIDE_BODY within the body of an update
   */
  async close(): Promise<void> {
    this.#writes.needOutside("close()");
    this.#closing ??= this.#end();
    return this.#closing;
  }

  /** close(), at the end of a block that has it with `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #end(): Promise<void> {
    const why = new NodeError("ERR_CLOSED", "this node was closed");
    const quiet = this.#endWrites(why);
    this.#waits.close();
    await quiet;
    await this.#moving;
    await this.#node.stop();
  }
}

/** A node over `state` that is started already. */
export function replicatedOver<Tx>(
  node: DaemonNode,
  bridge: BridgedState,
  port: number,
): ReplicatedNode<Tx> {
  return construct<Tx>(node, bridge, port);
}

function spelled(why: string): string {
  return asEmbedder(why, REPLICATE_NAMES);
}

/** As an async function rejects that throws. */
function rejected(error: unknown): Promise<never> {
  return Promise.resolve().then(() => {
    throw error as Error;
  });
}

/** For tests. */
export function nodeOf<Tx>(of: ReplicatedNode<Tx>): DaemonNode {
  return reveal(of as unknown as ReplicatedNode);
}

/** @throws {UsageError} */
function addressOf(of: unknown): { readonly host: string; readonly port: number } {
  try {
    return readAddress(typeof of === "string" ? of : "");
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`follow(): "${String(of).slice(0, 200)}" ${error.message}`);
  }
}
