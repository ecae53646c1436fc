/**
 * A primary inside your process: keys in memory, every change in the log, replicas fed from it.
 *
 * Owns: writes and waits of a primary as an embedder calls them. Does not own: what a write does
 * (key-writer.ts), reads and the end (embedded-node.ts).
 * Tested in: test/unit/index.test.ts, test/unit/embed/key-writer.test.ts, test/unit/embed/ready.test.ts,
 * test/unit/embed/durable.test.ts, test/unit/embed/endings.test.ts.
 */
import type { LogPosition, Wait } from "../bridge/seam.ts";
import { NodeError } from "../errors.ts";
import { tokenFor } from "../node/following.ts";
import { type Bytes, countOf, type Expiry } from "./bytes.ts";
import { EmbeddedNode } from "./embedded-node.ts";
import { type HandOver, handOver } from "./hand-over.ts";
import { type Change, KeyWriter } from "./key-writer.ts";
import { type NodeSettings, openNode, type OpenNode } from "./open.ts";
import { untilWelcome } from "./ready-to-write.ts";

/** What Primary.open() takes. */
export type PrimaryOptions = NodeSettings;

/** The constructor, for promotions: embedders have open() alone. */
let construct: (parts: OpenNode) => Primary;

/**
 * A primary: the keys are in this process, every change goes into its log, and replicas that connect to it are
 * fed from that.
 */
export class Primary extends EmbeddedNode {
  private readonly parts: OpenNode;
  private readonly writer: KeyWriter;

  private constructor(parts: OpenNode) {
    super(parts);
    this.parts = parts;
    this.writer = new KeyWriter(parts.node, parts.keys, parts.waits);
  }

  static {
    construct = (parts) => new Primary(parts);
  }

  /**
   * Opens a primary and listens for replicas. With `dir` it has the state that is there, read by the time
   * this resolves; else an empty one.
   * @throws {UsageError} naming a wrong option and what is allowed
   * @throws {HawserError} ERR_DISK_LOCKED when another process has `dir`, ERR_DISK_DAMAGED when what is in
   *   it is not whole: both say what to do
   */
  static async open(options: PrimaryOptions = {}): Promise<Primary> {
    return new Primary(await openNode("primary", options));
  }

  // --- writes ------------------------------------------------------------------------------------

  /**
   * Sets a key. A key and a value have at most 512 MiB each; bytes are copied before this returns. Without
   * an expiry the key does not expire, also when it did before.
   * @throws {HawserError} with nothing changed, as every write: ERR_ARGUMENT for an argument that is not
   *   allowed, ERR_LOG_RECORD_SIZE when it does not fit into a record of 1 GiB, ERR_MAXMEMORY above
   *   `maxmemory`, ERR_STORE_FULL or ERR_LOG_FULL when there is no memory, ERR_DISK_... when the disk of
   *   `dir` takes nothing, ERR_NO_REPLICAS while fewer than `minReplicasToWrite` are near, ERR_CLOSED after
   *   close()
   */
  set(key: Bytes, value: Bytes, expiry?: Expiry): void {
    this.writer.set(key, value, expiry);
  }

  /** Deletes a key. False when it was not there, or had expired. @throws as set() */
  delete(key: Bytes): boolean {
    return this.writer.delete(key);
  }

  /**
   * Several changes, in order, as one record of the log: all of them or none, here when it throws, on a
   * replica, which never shows a part of them, and after a crash. Deleting what is not there is nothing.
   * @throws as set(), with nothing changed
   */
  batch(changes: readonly Change[]): void {
    this.writer.batch(changes);
  }

  /** Sets a key that is not there. False, with nothing changed, when it is. @throws as set() */
  setIfAbsent(key: Bytes, value: Bytes, expiry?: Expiry): boolean {
    return this.writer.setIfAbsent(key, value, expiry);
  }

  /**
   * Sets a key whose value is `expected`, byte by byte; null is a key that is not there. A `value` of null
   * deletes it. False, with nothing changed, when it is another. @throws as set()
   */
  compareAndSet(key: Bytes, expected: Bytes | null, value: Bytes | null, expiry?: Expiry): boolean {
    return this.writer.compareAndSet(key, expected, value, expiry);
  }

  /**
   * Sets a key to what `change` makes of its value, a copy, or null when it is not there; null deletes it.
   * `change` is called once, at once, and must not be asynchronous. Without an expiry given the key keeps
   * the one that it has.
   * @returns what `change` returned
   * @throws what `change` throws, with nothing changed; else as set()
   */
  update<T extends Bytes | null>(
    key: Bytes,
    change: (value: Buffer | null) => T,
    expiry?: Expiry,
  ): T {
    return this.writer.update(key, change, expiry);
  }

  /**
   * Adds to a key whose value is a whole number in decimal digits, 0 when it is not there; its expiry stays.
   * @returns the sum
   * @throws {HawserError} ERR_NOT_INTEGER when the value is none, or the sum is beyond 2^53 - 1; else as
   *   set()
   */
  increment(key: Bytes, by = 1): number {
    return this.writer.increment(key, by);
  }

  /**
   * Changes when a key expires, and not its value; `{}` takes its expiry away. False when it is not there.
   * @throws as set()
   */
  expire(key: Bytes, expiry: Expiry): boolean {
    return this.writer.expire(key, expiry);
  }

  /** Deletes all keys, in one step and one record, whatever their number. @throws as set() */
  clear(): void {
    this.writer.clear();
  }

  // --- waits -------------------------------------------------------------------------------------

  /**
   * Resolves when writing is welcome: at once, but while a syncing replica, or the disk, needs writers to
   * slow down. Await it in loops that write much.
   * @throws the signal's reason
   * @throws {HawserError} as every wait: ERR_TIMEOUT after `timeoutMs`, ERR_CLOSED when the node is closed,
   *   also meanwhile, ERR_ARGUMENT for a wait that is none; ERR_READONLY when it has handed over
   */
  ready(wait?: Wait): Promise<void> {
    const { node, waits } = this.parts;
    const refuse = (): void => {
      if (node.role === "replica")
        throw new NodeError("ERR_READONLY", "ready(): this node has handed over");
    };
    return waits.run("ready()", wait, (until) => untilWelcome(node, until, refuse));
  }

  /**
   * Hands over to a replica, which leads when this resolves: nothing that was written is lost, and no full sync
   * follows. Until then writes are refused with ERR_READONLY, and ready() waits; afterwards this object is of a
   * replica of it, and refuses them for good.
   * @throws {UsageError} for a `to` that is no address
   * @throws {HawserError} ERR_NOT_HANDED_OVER: no such replica, it does not stream, its connection ended; this
   *   node goes on as before. As every wait: with ERR_TIMEOUT or the signal's reason it goes on as before too,
   *   unless role is "replica" by then: it has resigned, and the replica is to lead as soon as it is heard of
   */
  handOver(to?: HandOver): Promise<void> {
    const { node, waits } = this.parts;
    return handOver(node, waits, to);
  }

  /**
   * Waits until `replicas` have applied everything that was written before the call.
   * @returns how many have, at least `replicas`
   * @throws as every wait: see ready(). When it ends in another way, what was written stays written
   */
  waitForReplicas(replicas: number, wait?: Wait): Promise<number> {
    const { node, waits } = this.parts;
    const what = `waitForReplicas(${replicas})`;
    return waits.run(what, wait, async (until) => {
      countOf("replicas", replicas);
      let answer: { readonly count: number | null } | null = null;
      const wanted = { offset: node.log.tail, replicas, level: "applied", local: false } as const;
      const cancel = node.feeder.wait(wanted, Number.POSITIVE_INFINITY, (count) => {
        answer = { count };
        node.turn.changed();
      });
      try {
        await until(() => answer !== null);
      } finally {
        cancel();
      }
      const { count } = answer as unknown as { readonly count: number | null };
      if (count === null) throw new NodeError("ERR_CLOSED", `${what}: it is no primary any more`);
      return count;
    });
  }

  /**
   * Where all that was written so far ends: hand it to a replica's reached() to read your writes there. It
   * is good from the call on, also before the turn of the loop ends that seals it.
   */
  get written(): LogPosition {
    const { node } = this.parts;
    return { history: node.identity.history, offset: node.log.tail };
  }

  /** `written` as a text, for a cookie or a message: reached() of a replica takes it, and REPL.WAIT of a daemon. */
  get token(): string {
    return tokenFor("token", this.parts.node.core, this.written);
  }
}

/** A primary over a node that runs already: a replica was promoted. */
export function primaryOver(parts: OpenNode): Primary {
  return construct(parts);
}
