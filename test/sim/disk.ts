/**
 * A virtual disk: what src/replica/part-file.ts keeps, with its order of work and its checkpoints,
 * and with crashes that lose what was not synced, and bits that rot.
 */
import type { ChunkKeeper, KeptChunkVisitor, KeptSnapshot } from "../../src/replica/keeper.ts";
import type { Id, SnapshotBegin } from "../../src/wire/messages.ts";
import {
  decodeNode,
  encodeNode,
  newNode,
  type NodeKeeper,
  type NodeMemory,
  type NodeStart,
} from "../../src/node/node-memory.ts";
import type { LogDisk } from "./log-disk.ts";
import type { SimNode } from "./sim-node.ts";

interface KeptChunk {
  readonly digest: number;
  /** u32 number and payload. */
  readonly bytes: Buffer;
}

/** What outlives a process. */
export class Disk implements NodeKeeper {
  readonly replicaId: Id;
  /** Where its log and state are; null when they are in memory alone. */
  readonly log: LogDisk | null;
  /** Of the process that started last. */
  incarnation = 0;
  /** node.json; "" when it is not there. Written whole and synced, as src/node/directory.ts does. */
  node = "";
  begin: SnapshotBegin | null = null;
  /** Written, in order. */
  chunks: KeptChunk[] = [];
  /** Of these, so many are named by the checkpoint. */
  synced = 0;

  constructor(replicaId: Id, log: LogDisk | null = null) {
    this.replicaId = replicaId;
    this.log = log;
  }

  // --- as NodeKeeper -------------------------------------------------------------------------------

  start(): NodeStart {
    const { incarnation, complete: wasComplete } = this.#memory;
    this.change({ incarnation: incarnation + 1, complete: false });
    return { memory: this.#memory, rebooted: false, wasComplete };
  }

  change(change: Partial<NodeMemory>): void {
    this.node = encodeNode({ ...this.#memory, ...change });
  }

  get #memory(): NodeMemory {
    return this.node === "" ? newNode(this.replicaId) : decodeNode(this.node);
  }

  /** The process died: what was not synced may be lost. */
  crash(): void {
    this.chunks.length = this.synced;
    if (this.synced === 0) this.begin = null;
  }

  wipe(): void {
    this.begin = null;
    this.chunks = [];
    this.synced = 0;
  }
}

export class DiskKeeper implements ChunkKeeper {
  kept: KeptSnapshot | null;
  pendingBytes = 0;
  private readonly node: SimNode;
  private readonly disk: Disk;
  private readonly syncEvery: number;
  private work: { readonly generation: number; readonly step: () => boolean }[] = [];
  private generation = 0;
  private busy = false;

  constructor(node: SimNode, disk: Disk, syncEvery: number) {
    this.node = node;
    this.disk = disk;
    this.syncEvery = syncEvery;
    disk.crash();
    this.kept = disk.begin === null ? null : { begin: disk.begin, chunks: disk.synced };
  }

  replay(visit: KeptChunkVisitor, done: (error: Error | null) => void): void {
    let at = 0;
    const readOne = (): boolean => {
      const chunk = this.disk.chunks[at];
      if (chunk === undefined) {
        done(null);
        return true;
      }
      at += 1;
      try {
        visit(Buffer.from(chunk.bytes), 0, chunk.bytes.length - 4, chunk.digest, (goOn) => {
          if (goOn) this.run(readOne);
        });
      } catch (error) {
        done(error as Error);
      }
      return true;
    };
    this.run(readOne);
  }

  begin(begin: SnapshotBegin): void {
    this.clear();
    this.run(() => {
      this.disk.begin = begin;
      return true;
    });
  }

  keep(number: number, digest: number, payload: Buffer, begin: SnapshotBegin): void {
    const bytes = Buffer.alloc(4 + payload.length);
    bytes.writeUInt32LE(number);
    payload.copy(bytes, 4);
    this.pendingBytes += bytes.length;
    this.run(() => {
      this.pendingBytes -= bytes.length;
      this.disk.chunks.push({ digest, bytes });
      this.disk.begin = begin;
      if (this.disk.chunks.length - this.disk.synced >= this.syncEvery)
        this.disk.synced = this.disk.chunks.length;
      return true;
    });
  }

  clear(): void {
    this.generation += 1;
    this.kept = null;
    this.pendingBytes = 0;
    this.run(() => {
      this.disk.wipe();
      return true;
    });
  }

  /** One step after the other; a step that is not done comes again. */
  private run(step: () => boolean): void {
    this.work.push({ generation: this.generation, step });
    if (!this.busy) this.next();
  }

  private next(): void {
    this.busy = this.work.length > 0;
    if (!this.busy) return;
    this.node.after(this.node.world.random.fraction() * this.node.world.settings.diskMs, () => {
      const { generation, step } = this.work[0]!;
      if (generation !== this.generation || step()) this.work.shift();
      this.next();
    });
  }
}
