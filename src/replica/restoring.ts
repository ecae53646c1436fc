/**
 * A session's full sync: SNAPSHOT, chunks, END, and the swap.
 *
 *   SNAPSHOT -> chunks -> staged state -> END: verified -> swap: state and log are the snapshot's
 *
 * Invariants: a swap happens only with everything verified; the old state answers until then.
 * Owns: what is owed, the swap. Does not own: the sums of a snapshot (restore.ts), what is kept of one
 * over connections (restorer.ts), the connection (session.ts).
 * Tested in: test/unit/replica/session.test.ts.
 */
import { WireError } from "../errors.ts";
import type * as m from "../wire/messages.ts";
import * as handshake from "./handshake.ts";
import type { SessionLife } from "./life.ts";
import { reportRestoreBegins, reportRestored } from "./reports.ts";
import type { Restore } from "./restore.ts";
import type { Restorer } from "./restorer.ts";
import type { Streaming } from "./streaming.ts";

export class Restoring {
  /** A snapshot was announced and is not swapped in. */
  owesSnapshot = false;
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

  /** The stream goes on from the log: a snapshot is not needed. */
  drop(): void {
    this.restorer.drop();
  }

  onSnapshot(begin: m.SnapshotBegin): void {
    const { life } = this;
    const { state, deps } = life;
    if (state.kind !== "restoring" && state.kind !== "streaming")
      throw new WireError("ERR_WIRE_STATE", `a SNAPSHOT while ${state.kind}`);
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
    this.restorer.chunkEnd(digest);
    this.life.deps.counters.bump("snapshot_chunks_received");
  }

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
    this.fed();
    const restore = this.restorer.verify(end);
    const refusal = handshake.judgeEmpty(this.life.deps.node, welcome, end);
    if (refusal === null) this.swap(restore, end);
    else {
      this.restorer.drop();
      this.life.refuse(refusal, false);
    }
  }

  /** All verified: from here to the end nothing can fail. */
  private swap(restore: Restore, end: m.SnapshotEnd): void {
    const { position, lineage } = restore.begin;
    const { life } = this;
    const { log, state, node } = life.deps;
    state.swap(restore.staging);
    log.reset(position.offset, position.chain);
    this.streaming.swapped(position.offset);
    life.gotOn();
    life.decoder!.expect(position.offset, position.chain);
    this.restorer.swapped();
    this.owesSnapshot = false;
    life.move({ kind: "streaming" });
    reportRestored(life.deps, restore, end, life.nowMs);
    node.onSwapped(position.history, lineage);
    life.wantAck();
  }
}
