/**
 * A replica inside your process: a copy of the primary's state that keeps itself up to date, read
 * without a network.
 * Tested in: test/unit/index.test.ts, test/unit/embed/torn.test.ts.
 */
import type { Keyspace } from "../node/keyspace.ts";
import { NodeError } from "../errors.ts";
import type { DaemonNode } from "../node/node.ts";
import type { NodeStatus } from "../node/api.ts";
import type { NodeEventName, NodeListener } from "../node/events.ts";
import type { EmbeddedValues } from "../node/settings.ts";
import type { Position } from "../wire/messages.ts";
import { type Bytes, countOf, keyOf, readValue } from "./bytes.ts";
import { type NodeSettings, openNode, type OpenNode } from "./open.ts";
import { type Primary, primaryOver } from "./primary.ts";

export interface ReplicaOptions extends NodeSettings, EmbeddedValues<"replica"> {
  /** HOST:PORT of the node to follow: its replication port, or a daemon's client port. */
  readonly of: string;
  /** Once: let an unrelated or empty primary replace what this replica holds. */
  readonly allowReset?: boolean;
}

export class Replica {
  /** Port that replicas of this replica connect to. */
  readonly replPort: number;
  private readonly node: DaemonNode;
  private readonly keys: Keyspace;
  private readonly parts: OpenNode;
  private promoted: Promise<Primary> | null = null;
  private closing: Promise<void> | null = null;

  private constructor(parts: OpenNode) {
    this.parts = parts;
    this.node = parts.node;
    this.replPort = parts.replPort;
    this.keys = parts.keys;
  }

  /**
   * Opens a replica, which begins to follow at once; synced() tells when it has a state.
   * @throws {UsageError} naming a wrong option and what is allowed
   */
  static async open(options: ReplicaOptions): Promise<Replica> {
    return new Replica(await openNode("replica", options));
  }

  /**
   * A copy of the value, or null when the key is not there or expired.
   * @throws {HawserError} ERR_NOT_SYNCED before the first state is there: nothing is known of the key
   */
  get(key: Bytes): Buffer | null {
    this.needState();
    this.keys.refresh(Date.now());
    return readValue(this.keys, keyOf(key));
  }

  /**
   * Keys, those expired and not deleted yet included.
   * @throws {HawserError} ERR_NOT_SYNCED before the first state is there
   */
  get size(): number {
    this.needState();
    return this.node.store.size;
  }

  private needState(): void {
    if (this.node.isLoading())
      throw new NodeError("ERR_NOT_SYNCED", "this replica has no state yet; await synced() first");
  }

  /**
   * Resolves once the replica is connected and has all that its upstream had said it has: true. False
   * after that time, or the replica is closed first; 0 waits for ever.
   * @throws {HawserError} ERR_ARGUMENT when timeoutMs is no whole number from 0 on
   */
  async synced(timeoutMs = 0): Promise<boolean> {
    countOf("timeoutMs", timeoutMs);
    const { node } = this;
    if (node.isSynced) return true;
    const isOver = (): boolean => node.isSynced || this.closing !== null;
    await node.until(isOver, timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs);
    return node.isSynced;
  }

  /**
   * Resolves once all that this replica had applied by now, what get() could show, outlives a crash of its
   * machine; when a full sync replaces its state meanwhile, once that state does. What it had received and
   * not applied is not in it. It says nothing of the primary's disk.
   * @throws {HawserError} ERR_ARGUMENT without `dir`; ERR_NOT_SYNCED before the first state is there;
   *   ERR_DISK_FULL or ERR_DISK_WRITE when the disk takes nothing, ERR_DISK_SYNC when nobody can say any
   *   more; ERR_CLOSED when the replica is closed first
   */
  async durable(): Promise<void> {
    if (this.closing !== null) throw new NodeError("ERR_CLOSED", "this replica was closed");
    if (this.node.keepsLog) this.needState();
    return this.node.durable();
  }

  /** What is applied: never beyond it, and equal to the primary's state there. */
  get position(): Position {
    return this.node.status().position;
  }

  status(): NodeStatus {
    return this.node.status();
  }

  /**
   * Calls `listener` whenever it happens, from now on: `state`, `synced`, `resync`, `refused`, `role`, `checkpoint`, `error`, and of its own replicas `link` and `lag`
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

  /**
   * Stops following and becomes a primary with a new history, which takes writes. Others can follow
   * it where they could before. This object reads the same state, and closing either closes both.
   * Rejects, and goes on as a replica, when this replica never had a state, which `force` overrides by
   * an empty primary, when its state is inside a batch that it could not apply, and when it was closed.
   */
  promote({ force = false }: { readonly force?: boolean } = {}): Promise<Primary> {
    if (this.promoted !== null) return this.promoted;
    if (this.closing !== null)
      return Promise.reject(new NodeError("ERR_CLOSED", "not promoted: this replica was closed"));
    const promoted = new Promise<Primary>((resolve, reject) => {
      const done = (why: string | null): void => {
        if (why === null) resolve(primaryOver(this.parts));
        else reject(new Error(`not promoted: ${why}`));
      };
      const refusal = this.node.promote(force, done);
      if (refusal !== null) done(refusal);
    });
    this.promoted = promoted;
    promoted.catch(() => {
      this.promoted = null;
    });
    return promoted;
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    // Who awaits synced() is told.
    this.node.turn.changed();
    return this.closing;
  }

  private async end(): Promise<void> {
    // A promotion that is refused leaves a replica to close.
    const primary = await this.promoted?.catch(() => null);
    if (primary != null) {
      await primary.close();
      return;
    }
    this.parts.housekeeping.stop();
    await this.node.stop();
  }
}
