/**
 * When an ACK is due, and what it says (D7):
 *
 *   at the end of a turn that applied all it had received, if anything is new
 *   every ackBytes received while there is more to apply
 *   when the upstream asked (PING with ack-now), at a welcome, after a swap
 *   when the disk behind the log takes no more (room is 0), and when it does again
 *   every heartbeat
 *
 * Owns: what was acknowledged last. Does not own: the log, the restore, the socket.
 */
import type { Ack } from "../wire/messages.ts";
import type { ReceivingLog } from "./deps.ts";
import type { SessionOptions } from "./options.ts";
import type { Restorer } from "./restorer.ts";

/** What an ACK says of the log, and of a snapshot that is received. */
type AckLog = Pick<ReceivingLog, "tail" | "next" | "durable" | "takesMore">;
type AckRestorer = Pick<Restorer, "current" | "room">;

export class AckClock {
  /** An ACK goes out at the end of this turn, whatever was said before. */
  due = false;
  /** `sentUs` of this connection's newest PING, 0 before the first. */
  echoUs = 0;
  private lastMs = 0;
  private received = 0;
  private applied = 0;
  private chunk = 0;
  /** As the newest ACK said by its room. */
  private tookMore = true;
  private readonly log: AckLog;
  private readonly restorer: AckRestorer;
  private readonly options: SessionOptions;

  constructor(log: AckLog, restorer: AckRestorer, options: SessionOptions) {
    this.log = log;
    this.restorer = restorer;
    this.options = options;
  }

  heartbeatDue(nowMs: number): boolean {
    return nowMs - this.lastMs >= this.options.heartbeatMs;
  }

  /** At the end of a turn; `more`: complete batches still wait to be applied. */
  turnDue(more: boolean): boolean {
    const restore = this.restorer.current;
    if (this.due) return true;
    if (this.log.takesMore !== this.tookMore) return true;
    if (this.log.tail - this.received >= this.options.ackBytes) return true;
    if (restore !== null && restore.nextChunk !== this.chunk) return true;
    return !more && this.log.next !== this.applied;
  }

  streaming(nowMs: number): Ack {
    const { log, echoUs: echo } = this;
    this.said(nowMs);
    this.received = log.tail;
    this.applied = log.next;
    const { tail: received, next: applied, durable } = log;
    this.tookMore = log.takesMore;
    const room = log.takesMore ? this.options.windowBytes : 0;
    return { type: "ack", mode: "streaming", received, applied, durable, room, echo };
  }

  restoring(nowMs: number): Ack {
    const restore = this.restorer.current;
    this.said(nowMs);
    this.chunk = restore?.nextChunk ?? 0;
    return {
      type: "ack",
      mode: "restoring",
      snapshotId: restore?.begin.snapshotId ?? NO_ID,
      nextChunk: this.chunk,
      room: this.restorer.room,
      echo: this.echoUs,
    };
  }

  private said(nowMs: number): void {
    this.lastMs = nowMs;
    this.due = false;
  }
}

const NO_ID = "0".repeat(32);
