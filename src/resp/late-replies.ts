/**
 * Replies to writes wait for the pump: what a turn appended to the log is on its way to the replicas
 * before its writers hear "+OK".
 *
 *   reads of one loop turn -> commands -> log and replies, both waiting
 *   end of the turn        -> pump writes to replicas -> release() writes to clients
 *
 * Why: a client that wakes up on our processor takes it from us, and whatever we had not written by
 * then waits for a slice of the scheduler (2 ms). With the replicas last that was their lag's p99.
 *
 * Owns: the copies that wait. Does not own: sockets, the turn (client-server.ts, node/replication-port.ts).
 */

/** Where waiting bytes go in the end; false when it keeps them. */
export interface LateSink {
  /** True while something of it waits here: what it writes next must wait behind. */
  late: boolean;
  writeNow(bytes: Buffer): boolean;
}

/** More than this does not wait. A socket whose peer does not read keeps a page of it. */
const PAGE_BYTES = 64 * 1024;

export class LateReplies {
  #page: Buffer = Buffer.allocUnsafeSlow(PAGE_BYTES);
  #at = 0;
  readonly #sinks: LateSink[] = [];
  readonly #ends: number[] = [];

  /** Copies `bytes` to be written by release(); false when they are too many. */
  hold(sink: LateSink, bytes: Buffer): boolean {
    const end = this.#at + bytes.length;
    if (end > PAGE_BYTES) return false;
    bytes.copy(this.#page, this.#at);
    this.#at = end;
    this.#sinks.push(sink);
    this.#ends.push(end);
    sink.late = true;
    return true;
  }

  /** Writes all that waits, in the order in which it came. */
  readonly release = (): void => {
    const sinks = this.#sinks;
    if (sinks.length === 0) return;
    let from = 0;
    let free = true;
    for (let i = 0; i < sinks.length; i++) {
      const end = this.#ends[i]!;
      const sink = sinks[i]!;
      sink.late = false;
      if (!sink.writeNow(this.#page.subarray(from, end))) free = false;
      from = end;
    }
    sinks.length = 0;
    this.#ends.length = 0;
    this.#at = 0;
    if (!free) this.#page = Buffer.allocUnsafeSlow(PAGE_BYTES);
  };
}
