/**
 * Writes to a state of an embedder's own, on the node that replicates it: the order of writes (bridge/) with
 * the node's log, pace, disk and turn around it.
 *
 *   write, update, transact --> WriteOrder --draft--> Backlog --> links, at the end of the turn
 *                                          --apply--> the state
 *
 *   the node                        then
 *   leads                           open; a state that binds has its log
 *   is told to follow, or closes    who waits is rejected, what is in flight ends, then it is told
 *   has a state that is suspect     closed for good: nobody is fed, and only a snapshot mends it
 *
 * Owns: what a write waits for, and how it ends. Does not own: the order (bridge/write-order.ts), roles.
 * Tested in: test/unit/embed/replicated-node.test.ts.
 */
import { ArgumentError, NodeError, wordsOf } from "../errors.ts";
import type { BridgedState } from "../bridge/bridged-state.ts";
import { BoundLog } from "../bridge/bound-log.ts";
import type { Awaitable, Log, LogPosition, Wait } from "../bridge/seam.ts";
import { WriteOrder } from "../bridge/write-order.ts";
import type { OrderDeps } from "../bridge/write-deps.ts";
import { WaitingRecords } from "../bridge/waiting-records.ts";
import type { BodyJob, Job, WriteJob } from "../bridge/write-jobs.ts";
import type { WriteRefusal } from "../node/api.ts";
import type { Role } from "../node/roles.ts";
import { newWriterTurn, type WriterTurn } from "../primary/pace.ts";
import { InsideBody } from "./inside-body.ts";
import { NodeLog, type LoggingNode } from "./node-log.ts";
import { limitQueueing } from "./queue-limits.ts";
import { refusedBecause, type RefusingNode } from "./write-refusals.ts";

/** The parts of the node that writes need; node/node.ts. */
export interface WritingNode extends LoggingNode, RefusingNode {
  readonly core: LoggingNode["core"] & {
    isAtRest: () => boolean;
    isQuiet: () => boolean;
    readonly roles: { readonly now: Role; torn(): void };
  };
  writeRefusal(): WriteRefusal;
  mayWrite(turn: WriterTurn, bytes: number): boolean;
  onWritersResumed(turn: WriterTurn, resume: () => void): () => void;
}

export class NodeWrites {
  readonly #node: WritingNode;
  readonly #bridge: BridgedState;
  readonly #order: WriteOrder;
  readonly #inside = new InsideBody();
  readonly #pace = newWriterTurn();
  readonly #bound: BoundLog;
  readonly #waiting = new WaitingRecords();
  #closed: Error | null = null;

  /** @param onSuspect nobody knows where the state is */
  constructor(node: WritingNode, bridge: BridgedState, onSuspect: (why: string) => void) {
    this.#node = node;
    this.#bridge = bridge;
    this.#order = new WriteOrder(this.#deps(onSuspect));
    this.#bound = new BoundLog(
      node.backlog,
      node.turn,
      () => this.#boundRefusal,
      bridge.writer.onOwnChange,
    );
    node.core.isAtRest = () => this.#order.isAtRest;
    node.core.isQuiet = () => this.#order.isQuiet;
  }

  // --- writing -----------------------------------------------------------------------------------

  /** Throws, or rejects. */
  write(records: Uint8Array | readonly Uint8Array[], wait?: Wait): Promise<LogPosition> {
    const list = recordsOf(records);
    this.needOutside("write()");
    const { bytes, from, to } = this.#waiting.copyOf(list);
    return new Promise((resolve, reject) => {
      const job: WriteJob = {
        kind: "write",
        count: list.length,
        bytes,
        from,
        to,
        ends: { resolve, reject },
      };
      if (this.#bridge.writer.binds && wait === undefined && this.#order.writeNow(job)) {
        this.#node.turn.want();
        return;
      }
      this.#add(job, wait);
    });
  }

  async update<T>(body: (log: Log) => Awaitable<T>, wait?: Wait): Promise<T> {
    needBody("update()", body);
    return this.#run("update", (_tx, log) => body(log), wait) as Promise<T>;
  }

  async transact<T>(body: (tx: never, log: Log) => Awaitable<T>, wait?: Wait): Promise<T> {
    needBody("transact()", body);
    if (!this.#bridge.writer.transacts)
      throw new ArgumentError(
        "ERR_ARGUMENT",
        "transact(): this state has no transact(); use update()",
      );
    return this.#run("transact", (tx, log) => body(tx as never, log), wait) as Promise<T>;
  }

  async #run(kind: BodyJob["kind"], body: BodyJob["body"], wait?: Wait): Promise<unknown> {
    this.needOutside(`${kind}()`);
    return new Promise((resolve, reject) => {
      this.#add({ kind, body, ends: { resolve, reject } }, wait);
    });
  }

  #add(job: Job, wait: Wait | undefined): void {
    const limited = wait === undefined ? job : limitQueueing(this.#order, job, wait);
    if (limited !== null) this.#order.add(limited);
  }

  /** @throws {NodeError} ERR_INSIDE_BODY: `what` would wait for the body that calls it */
  needOutside(what: string): void {
    if (!this.#inside.isHere) return;
    const { running } = this.#order;
    throw new NodeError(
      "ERR_INSIDE_BODY",
      `${what} within the body of ${running ?? "update"}() would wait for that body; call log(record) there instead`,
    );
  }

  // --- the node's roles ----------------------------------------------------------------------------

  /** The node leads: writes are welcome, and a state that binds takes changes. */
  open(): void {
    this.#closed = null;
    this.#order.open();
    this.#bridge.writer.bind(this.#order.suspect === null ? this.#bound : null);
  }

  /** Who waits rejects with `why`, and whoever comes; resolves when the state has what is in flight. */
  async close(why: Error): Promise<void> {
    this.#closed = why;
    this.#bridge.writer.bind(null);
    await new Promise<void>((resolve) => {
      this.#order.close(why, resolve);
    });
  }

  /** Why a write would be refused now, and not only wait; null when it would not. */
  get refusal(): Error | null {
    return this.#closed ?? this.#order.suspect ?? this.#roleRefusal();
  }

  /** The same for a change that a state's own method makes, which cannot wait. */
  get #boundRefusal(): Error | null {
    const { refusal } = this;
    if (refusal !== null || this.#node.writeRefusal() !== "paused") return refusal;
    return refusedBecause(this.#node, "paused");
  }

  /** The body that runs now, for messages. */
  get running(): string | null {
    return this.#order.running;
  }

  // --- what the order needs ------------------------------------------------------------------------

  #deps(onSuspect: (why: string) => void): OrderDeps {
    const { turn, core } = this.#node;
    return {
      log: new NodeLog(this.#node, this.#bridge.kept.keepsMarks && !this.#bridge.writer.binds),
      state: this.#bridge.writer,
      refusal: () => this.#roleRefusal(),
      hold: (bytes, resume) => this.#hold(bytes, resume),
      bodies: this.#inside,
      // Why twice: who awaited the state's boundary comes first (node/inspection.ts).
      soon: (run) => queueMicrotask(() => queueMicrotask(run)),
      afterTurn: (run) => void turn.until(() => true, run),
      onSuspect: (error) => {
        this.#bridge.writer.bind(null);
        core.roles.torn();
        onSuspect(wordsOf(error));
      },
    };
  }

  #roleRefusal(): Error | null {
    const refusal = this.#node.writeRefusal();
    // What waits in the order is held; for what a state's own method changes see #boundRefusal.
    if (refusal === null || refusal === "paused") return null;
    return refusedBecause(this.#node, refusal);
  }

  #hold(bytes: number, resume: () => void): (() => void) | null {
    const node = this.#node;
    if (node.mayWrite(this.#pace, bytes)) return null;
    return node.onWritersResumed(this.#pace, resume);
  }
}

/** @throws {ArgumentError} */
function recordsOf(given: unknown): readonly Uint8Array[] {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  for (const record of list)
    if (!(record instanceof Uint8Array))
      throw new ArgumentError(
        "ERR_ARGUMENT",
        `write(): a record is of type ${typeof record}; a Uint8Array is allowed, or an array of them`,
      );
  return list as readonly Uint8Array[];
}

/** @throws {ArgumentError} */
function needBody(what: string, body: unknown): void {
  if (typeof body === "function") return;
  throw new ArgumentError(
    "ERR_ARGUMENT",
    `${what}: its body is of type ${typeof body}; a function is allowed`,
  );
}
