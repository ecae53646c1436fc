/**
 * A session's full sync: SNAPSHOT, chunks, END, and the swap.
 *
 *   SNAPSHOT -> chunks -> staged state -> END: verified -> swap: state and log are the snapshot's
 *
 * With a state that answers later, what follows END waits on the connection until the rest is loaded and
 * the state has answered. From the commit on nothing calls the swap off: it is done also when the
 * connection is over by then, or this node is to follow somebody else, or nobody.
 *
 * Invariants: a swap happens only with everything verified; the old state answers until then.
 * Owns: what is owed, the swap. Does not own: the sums of a snapshot (restore.ts), what is kept of one
 * over connections (restorer.ts), the connection (session.ts).
 * Tested in: test/unit/replica/session.test.ts.
 */
import { type HawserError, WireError } from "../errors.ts";
import { goesFrom } from "../log/discard.ts";
import { logEndOf } from "../log/history.ts";
import type * as m from "../wire/messages.ts";
import { isSuspect } from "./calls.ts";
import * as handshake from "./handshake.ts";
import type { SessionLife } from "./life.ts";
import { reportFork, reportRestoreBegins, reportRestored } from "./reports.ts";
import type { Restore } from "./restore.ts";
import type { Restorer } from "./restorer.ts";
import type { Streaming } from "./streaming.ts";

export class Restoring {
  /** A snapshot was announced and is not swapped in. */
  owesSnapshot = false;
  /** END, while something of its snapshot is not loaded, or it is being swapped in. */
  private end: m.SnapshotEnd | null = null;
  private welcome: m.Welcome | null = null;
  private readonly life: SessionLife;
  private readonly restorer: Restorer;
  private readonly streaming: Streaming;

  constructor(life: SessionLife, restorer: Restorer, streaming: Streaming) {
    this.life = life;
    this.restorer = restorer;
    this.streaming = streaming;
  }

  /** The snapshot being received, kept while the connection is away. */
  get current(): Restore | null {
    return this.restorer.current;
  }

  /** The stream goes on from the log: a snapshot is not needed. Throws as Restorer.drop(). */
  drop(): void {
    this.restorer.drop();
  }

  onSnapshot(begin: m.SnapshotBegin): void {
    const { life } = this;
    const { state, deps } = life;
    if (state.kind !== "restoring" && state.kind !== "streaming")
      throw new WireError("ERR_WIRE_STATE", `a SNAPSHOT while ${state.kind}`);
    const { node, log } = deps;
    const lower = handshake.judgeSnapshot(handshake.ownLog(node, log), begin, life.torn);
    if (lower !== null) {
      life.refuse(lower, "passing");
      return;
    }
    this.restorer.begin(begin, deps.node.format, life.nowMs);
    this.owesSnapshot = true;
    life.move({ kind: "restoring", begin });
    life.wantAck();
    reportRestoreBegins(deps, begin);
  }

  chunkHead(number: number, payloadBytes: number): void {
    this.restorer.chunkHead(this.fed(), number, payloadBytes);
  }

  chunkBytes(bytes: Buffer, from: number, to: number): void {
    this.restorer.current!.chunkBytes(bytes, from, to);
  }

  chunkEnd(digest: number): void {
    this.restorer.chunkEnd(digest, this.loadedLater);
    this.life.deps.counters.bump("snapshot_chunks_received");
  }

  private readonly loadedLater = (): void => this.life.wantStep();

  /** The restore that this connection feeds. */
  private fed(): Restore {
    const { state } = this.life;
    const { current } = this.restorer;
    if (state.kind !== "restoring" || state.begin === null || current === null)
      throw new WireError("ERR_WIRE_STATE", `snapshot bytes while ${state.kind}`);
    return current;
  }

  /** `welcome` is what this connection runs under. */
  onEnd(end: m.SnapshotEnd, welcome: m.Welcome): void {
    const restore = this.fed();
    this.end = end;
    this.welcome = welcome;
    if (restore.isLoaded && this.life.isStateFree) {
      this.finish();
      return;
    }
    this.life.move({ kind: "swapping" });
    this.life.holdInput();
  }

  /** The connection is over: what has not begun to be swapped in waits for the next END. */
  leave(): void {
    if (!this.restorer.isCommitting) this.end = null;
  }

  /** The state may be called: goes on with what waits for it. Throws HawserError what fails. */
  advance(): void {
    this.restorer.advance();
    if (this.end === null || this.restorer.isCommitting) return;
    if (this.restorer.current?.isLoaded === true && this.life.isStateFree) this.finish();
  }

  /** END is in and everything is loaded. */
  private finish(): void {
    const end = this.end!;
    this.end = null;
    const restore = this.restorer.verify(end);
    const refusal = handshake.judgeEmpty(this.life.deps.node, this.welcome!, end);
    if (refusal === null) this.swap(restore, end);
    else {
      this.restorer.drop();
      this.life.refuse(refusal, "standing");
    }
  }

  /** All verified: from here to the end nothing can fail, but a state that answers later. */
  private swap(restore: Restore, end: m.SnapshotEnd): void {
    const { life, restorer } = this;
    life.deps.node.onSwapping();
    this.end = end;
    restorer.isCommitting = true;
    try {
      if (restore.loading.swap({ records: end.records }, restore.begin)) this.swapped();
      else if (life.state.kind === "restoring") {
        life.move({ kind: "swapping" });
        life.holdInput();
      }
    } catch (error) {
      this.notSwapped(error);
      throw error;
    }
  }

  /** A state that answers later has replaced itself, or says why not. Throws HawserError then. */
  onSwapAnswered(error: HawserError | null): void {
    if (error === null) this.swapped();
    else {
      this.notSwapped(error);
      throw error;
    }
  }

  private notSwapped(error: unknown): void {
    if (isSuspect(error)) this.streaming.tear();
    this.end = null;
    this.restorer.over();
  }

  /** From where on this node has log that its new leader has not; -1 when it has none, or is a stranger to it. */
  private forkOf(begin: m.SnapshotBegin): number {
    const { node, log } = this.life.deps;
    const own = { ...handshake.ownLog(node, log), offset: log.next };
    // A torn state goes back within its own log.
    const theirs = logEndOf(begin);
    return goesFrom(own, this.life.torn ? { ...theirs, offset: own.offset } : theirs) ?? -1;
  }

  private swapped(): void {
    const { life, restorer } = this;
    const { log, node } = life.deps;
    const restore = restorer.current!;
    const end = this.end!;
    const { position, rank, lineage, sync } = restore.begin;
    // The connection may be over by now, if the state answered later.
    const isFed = life.state.kind === "restoring" || life.state.kind === "swapping";
    this.end = null;
    const fork = this.forkOf(restore.begin);
    reportFork(life.deps, restore.begin, fork);
    // Why first: what stands behind the log writes the name of the history where it begins.
    node.onSwapped({ history: position.history, rank, lineage }, this.welcome!.clusterId);
    node.onSyncRule(sync);
    log.reset(position.offset, position.chain, fork);
    this.streaming.swapped(position.offset);
    life.gotOn();
    if (isFed) life.decoder!.expect(position.offset, position.chain);
    restorer.over();
    this.owesSnapshot = false;
    if (isFed) life.move({ kind: "streaming" });
    reportRestored(life.deps, restore, end, life.nowMs);
    life.wantAck();
    life.resumeInput();
  }
}
