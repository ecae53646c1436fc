/**
 * A primary inside your process: keys in memory, every change in the log, replicas fed from it.
 * Tested in: test/unit/index.test.ts, test/unit/embed/ready.test.ts, test/unit/embed/durable.test.ts.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Keyspace } from "../node/keyspace.ts";
import type { DaemonNode } from "../node/node.ts";
import type { NodeStatus } from "../node/api.ts";
import type { NodeEventName, NodeListener } from "../node/events.ts";
import type { Position } from "../wire/messages.ts";
import { DiskError, NodeError } from "../errors.ts";
import { newWriterTurn } from "../primary/pace.ts";
import { type Bytes, countOf, expiryOf, keyOf, readValue, valueOf } from "./bytes.ts";
import { type NodeSettings, openNode, type OpenNode } from "./open.ts";

export type PrimaryOptions = NodeSettings;

const CLOSED = "the primary was closed before replicas confirmed";

/** The constructor, for promotions: embedders have open() alone. */
let construct: (parts: OpenNode) => Primary;

export class Primary {
  /** Port replicas connect to. */
  readonly replPort: number;
  private readonly node: DaemonNode;
  private readonly keys: Keyspace;
  private readonly parts: OpenNode;
  private closing: Promise<void> | null = null;

  private constructor(parts: OpenNode) {
    this.parts = parts;
    this.node = parts.node;
    this.replPort = parts.replPort;
    this.keys = parts.keys;
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

  /** A copy of the value, or null when the key is not there or expired. */
  get(key: Bytes): Buffer | null {
    this.keys.refresh(Date.now());
    return readValue(this.keys, keyOf(key));
  }

  /**
   * Sets a key. A key and a value have at most 512 MiB each. `expireAt` is absolute, a whole number of
   * ms since 1970; without it, or with 0, the key does not expire.
   * @throws {HawserError} with nothing changed: ERR_ARGUMENT for a value that is not allowed,
   *   ERR_LOG_RECORD_SIZE when key and value do not fit into a record of 1 GiB, ERR_STORE_FULL or
   *   ERR_LOG_FULL when there is no memory, ERR_DISK_... when the disk of `dir` takes nothing,
   *   ERR_CLOSED after close()
   */
  set(key: Bytes, value: Bytes, options: { readonly expireAt?: number } = {}): void {
    const keyBytes = keyOf(key);
    const valueBytes = valueOf(value);
    const expireAt = expiryOf(options.expireAt);
    this.needWritable();
    this.keys.refresh(Date.now());
    this.keys.set(keyBytes, 0, keyBytes.length, valueBytes, 0, valueBytes.length, expireAt);
    this.node.turn.appended();
  }

  /**
   * Deletes a key. False when it was not there.
   * @throws {HawserError} with nothing changed: ERR_ARGUMENT, ERR_LOG_FULL, ERR_CLOSED as set()
   */
  delete(key: Bytes): boolean {
    const bytes = keyOf(key);
    this.needWritable();
    this.keys.refresh(Date.now());
    if (!this.keys.find(bytes, 0, bytes.length)) return false;
    this.keys.remove(bytes, 0, bytes.length);
    this.node.turn.appended();
    return true;
  }

  /** Why: after close() a write would reach nobody, and a disk that takes nothing would never have it. */
  private needWritable(): void {
    this.needOpen();
    const { diskTrouble } = this.node;
    if (diskTrouble !== null) throw new DiskError(diskTrouble.code, diskTrouble.message);
  }

  private needOpen(): void {
    if (this.closing !== null) throw new NodeError("ERR_CLOSED", "this primary was closed");
  }

  /** Keys, those expired and not deleted yet included. */
  get size(): number {
    return this.node.store.size;
  }

  /**
   * Resolves when writing is welcome: at once, but while a syncing replica needs writers to slow
   * down. Await it in loops that write much.
   * @throws {HawserError} ERR_CLOSED when the primary is closed, also meanwhile
   */
  async ready(): Promise<void> {
    const { node } = this;
    const turn = newWriterTurn();
    this.needOpen();
    while (!node.mayWrite(turn, 0)) {
      let isTold = false;
      const cancel = node.onWritersResumed(turn, () => {
        isTold = true;
        node.turn.changed();
      });
      await node.until(() => isTold || this.closing !== null, Number.POSITIVE_INFINITY);
      cancel();
      this.needOpen();
    }
  }

  /**
   * Resolves once all that was written so far outlives a crash of the machine.
   * @throws {HawserError} ERR_ARGUMENT without `dir`; ERR_DISK_FULL or ERR_DISK_WRITE when the disk takes
   *   nothing, ERR_DISK_SYNC when nobody can say any more; ERR_CLOSED when the primary is closed first
   */
  async durable(): Promise<void> {
    this.needOpen();
    return this.node.durable();
  }

  /**
   * Waits until `replicas` have applied everything written so far.
   * @returns how many have, when they are enough, or after that time; timeoutMs 0 waits for ever
   * @throws {HawserError} ERR_ARGUMENT when one is no whole number from 0 on; ERR_CLOSED when the
   *   primary is closed first: nobody can say any more
   */
  async waitForReplicas(replicas: number, timeoutMs: number): Promise<number> {
    countOf("replicas", replicas);
    countOf("timeoutMs", timeoutMs);
    if (this.closing !== null) throw new NodeError("ERR_CLOSED", CLOSED);
    const { tail } = this.node.log;
    return new Promise((resolve, reject) => {
      this.node.waitForReplicas(tail, replicas, timeoutMs, (count) => {
        if (count === null) reject(new NodeError("ERR_CLOSED", CLOSED));
        else resolve(count);
      });
    });
  }

  /** The newest sealed position of the log. */
  get position(): Position {
    return this.node.status().position;
  }

  status(): NodeStatus {
    return this.node.status();
  }

  /**
   * Calls `listener` whenever it happens, from now on: `link`, `resync`, `lag`, `refused`, `role`, `checkpoint`,
   * `error`
   * (NodeEvents). It is called at the end of a turn of the loop, never in the middle of a call of yours,
   * and may use this object. What it throws, or rejects with, is
   * logged, told as an `error` event, and changes nothing.
   */
  on<Name extends NodeEventName>(event: Name, listener: NodeListener<Name>): this {
    this.node.emitter.on(event, listener);
    return this;
  }

  /** `listener` is not called any more. */
  off<Name extends NodeEventName>(event: Name, listener: NodeListener<Name>): this {
    this.node.emitter.off(event, listener);
    return this;
  }

  /** Says BYE to replicas, sends what is left, closes. Closing again waits for the same end. */
  close(): Promise<void> {
    this.closing ??= this.end();
    // Who awaits ready() is told.
    this.node.turn.changed();
    return this.closing;
  }

  private async end(): Promise<void> {
    this.parts.housekeeping.stop();
    await sleep(0);
    await this.node.stop();
  }
}

/** A primary over a node that runs already: a replica was promoted. */
export function primaryOver(parts: OpenNode): Primary {
  return construct(parts);
}
