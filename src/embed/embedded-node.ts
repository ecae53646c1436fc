/**
 * What a primary and a replica in a process have in common: reads, events, where the log is, the end.
 *
 * Owns: those methods, as an embedder calls them. Does not own: reading (key-reader.ts), waits (waits.ts),
 * writes and roles (primary.ts, replica.ts), the node (node/).
 * Tested in: test/unit/index.test.ts, test/unit/embed/key-reader.test.ts, test/unit/embed/endings.test.ts.
 */
import type { Wait } from "../bridge/seam.ts";
import { ArgumentError } from "../errors.ts";
import { awaitConfirmed } from "../node/await-confirmed.ts";
import { awaitDurable } from "../node/await-durable.ts";
import type { NodeStatus } from "../node/api.ts";
import type { NodeEventName, NodeListener } from "../node/events.ts";
import type { Position } from "../wire/messages.ts";
import type { Bytes } from "./bytes.ts";
import {
  type Encoded,
  type Encoding,
  KeyReader,
  type ScanOptions,
  type ScanStep,
  type WalkOptions,
} from "./key-reader.ts";
import type { OpenNode } from "./open.ts";
import { inWords } from "./words.ts";

/** What Primary and Replica both have. It is not made by itself. */
export abstract class EmbeddedNode {
  /** Port that replicas of this node connect to. */
  readonly replPort: number;
  readonly #parts: OpenNode;
  readonly #reader: KeyReader;

  protected constructor(parts: OpenNode) {
    this.#parts = parts;
    this.#reader = new KeyReader(parts.node);
    this.replPort = parts.replPort;
  }

  // --- reads -----------------------------------------------------------------------------------

  /**
   * A copy of the value, or null when the key is not there or has expired. Reads go on after close().
   * @throws {HawserError} ERR_NOT_SYNCED on a replica before the first state is there: nothing is known of
   *   the key; ERR_STALE on a replica whose state may be older than `replicaMaxStalenessMs`; ERR_ARGUMENT for a key
   *   that is none. All reads throw these
   */
  get(key: Bytes): Buffer | null {
    return this.#reader.get(key);
  }

  /** The value as a string, of what is taken for utf-8; null as get(). */
  getString(key: Bytes): string | null {
    return this.#reader.getString(key);
  }

  /** Whether the key is there and has not expired. */
  has(key: Bytes): boolean {
    return this.#reader.has(key);
  }

  /** When the key expires, ms since 1970; Infinity when it does not, null when it is not there. */
  expireAt(key: Bytes): number | null {
    return this.#reader.expireAt(key);
  }

  /** How long the key has left, ms, 0 or more; Infinity when it does not expire, null when it is not there. */
  ttlMs(key: Bytes): number | null {
    const expireAt = this.#reader.expireAt(key);
    return expireAt === null ? null : Math.max(0, expireAt - Date.now());
  }

  /** Keys, those that have expired and are not deleted yet included; a primary deletes them soon. */
  get size(): number {
    return this.#reader.size;
  }

  /**
   * One step of a walk over the keys, in no order: 0 begins, and what is returned as `cursor` goes on; 0 is
   * the end. A step looks at about `count` keys (100), and finds none when none of them is wanted.
   *
   * A key that is there from the first step to the last is found exactly once, whatever is written
   * meanwhile and also when a full sync replaces the state. One that comes or goes meanwhile is found once
   * or not at all. A cursor has no end of its own, and may be kept for any time.
   * @throws {HawserError} ERR_ARGUMENT for an option that does not exist or is not allowed
   */
  scan<E extends Encoding = "buffer">(cursor: number, options: ScanOptions<E> = {}): ScanStep<E> {
    return this.#reader.scan(cursor, options);
  }

  /**
   * All keys, in no order, with the guarantee of scan(). Other work runs meanwhile: a turn of the loop looks
   * at some hundred keys. A key that was deleted a moment ago may still be given.
   * @throws {HawserError} as scan(), at once
   */
  keys<E extends Encoding = "buffer">(
    options: WalkOptions<E> = {},
  ): AsyncIterableIterator<Encoded<E>> {
    return this.#reader.keys(options);
  }

  /** The values of all keys, each as it is when it is given; else as keys(). */
  values<E extends Encoding = "buffer">(
    options: WalkOptions<E> = {},
  ): AsyncIterableIterator<Encoded<E>> {
    return this.#reader.values(options);
  }

  /** All keys with their values, each as it is when it is given; else as keys(). */
  entries<E extends Encoding = "buffer">(
    options: WalkOptions<E> = {},
  ): AsyncIterableIterator<[key: Encoded<E>, value: Encoded<E>]> {
    return this.#reader.entries(options);
  }

  /** entries() with Buffers: `for await (const [key, value] of node)`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<[key: Buffer, value: Buffer]> {
    return this.#reader.entries<"buffer">();
  }

  // --- where it is -------------------------------------------------------------------------------

  /**
   * Resolves once all that was written, or on a replica applied, before the call outlives a crash of this
   * machine. Of a replica that is what get() could show; when a full sync replaces its state meanwhile, that
   * state. It says nothing of other nodes. Calls at once cost one sync.
   * @throws {HawserError} ERR_ARGUMENT without `dir`; ERR_NOT_SYNCED on a replica before the first state is
   *   there; ERR_DISK_FULL or ERR_DISK_WRITE when the disk takes nothing, ERR_DISK_SYNC when nobody can say
   *   any more; and as every wait
   */
  durable(wait?: Wait): Promise<void> {
    const { node, waits } = this.#parts;
    return waits.run("durable()", wait, (until) => {
      if (!node.keepsLog) throw new ArgumentError("ERR_ARGUMENT", "durable(): there is no dir");
      this.#reader.needState();
      return awaitDurable(node, until);
    });
  }

  /**
   * In synchronous mode: resolves once enough members have confirmed all that was written before the call;
   * what get() returns is no more than this node's own word until then. At once without that mode, and on a
   * replica.
   * @throws {HawserError} ERR_UNCONFIRMED after `syncTimeoutMs`, or when this node leads no more: what was written
   *   may be lost; and as every wait
   */
  confirmed(wait?: Wait): Promise<void> {
    const { node, waits } = this.#parts;
    return waits.run("confirmed()", wait, (until) => awaitConfirmed(node, until));
  }

  /**
   * Where the log is: on a primary the end of what is sealed, which is what was written before this turn of
   * the loop; on a replica what is applied, never beyond it and equal to the primary's state there.
   */
  get position(): Position {
    return this.#parts.node.position;
  }

  /** All there is to know of the node, its links and its disk, as of now. */
  status(): NodeStatus {
    return inWords(this.#parts.node.status(), {});
  }

  // --- events ------------------------------------------------------------------------------------

  /**
   * Calls `listener` whenever it happens, from now on (NodeEvents): at the end of a turn of the loop, never
   * in the middle of a call of yours. It may use this object. What it throws, or rejects with, is logged,
   * told as an `error` event, and changes nothing.
   */
  on<Name extends NodeEventName>(event: Name, listener: NodeListener<Name>): this {
    this.#parts.node.emitter.on(event, listener);
    return this;
  }

  /** `listener` is not called any more. */
  off<Name extends NodeEventName>(event: Name, listener: NodeListener<Name>): this {
    this.#parts.node.emitter.off(event, listener);
    return this;
  }

  // --- the end -----------------------------------------------------------------------------------

  /**
   * The node does not keep the process alive any more: neither sockets nor threads nor timers. A process
   * that ends by itself then is one that was killed, to its replicas and its disk.
   */
  unref(): this {
    this.#parts.node.setRef(false);
    return this;
  }

  /**
   * Says BYE to replicas, sends what is left, syncs the disk, closes. Waits that are pending, and calls that
   * come later, end with ERR_CLOSED; reads go on. Closing again waits for the same end.
   */
  close(): Promise<void> {
    return this.#parts.close();
  }

  /** close(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
