/** A serializer with a thread's timing, that may crash: the shipped chunk code, stepped by the clock. */
import type {
  ChunkEvents,
  ChunkReader,
  Digest,
  DigestOptions,
  FrozenState,
  ReadyChunk,
} from "../../src/store/state.ts";
import type { SimNode } from "./sim-node.ts";

/** A frozen state that makes one chunk, or tells of one end, for each step. */
export interface Stepped extends FrozenState {
  /** False when there was nothing to do. */
  step(): boolean;
}

/** One open snapshot. */
export class SimSource implements FrozenState {
  private readonly node: SimNode;
  private readonly inline: Stepped;
  private readonly open = new Set<ChunkEvents>();
  /** Chunks taken and not released, for each reader. */
  private readonly taken = new Map<ChunkReader, number>();
  private working = false;
  private closed = false;
  /** ms for one chunk. */
  stepMs = 0.05;
  /** The next chunk is not what the sum at the end is about. */
  lies = false;

  constructor(node: SimNode, inline: Stepped) {
    this.node = node;
    this.inline = inline;
  }

  get records(): number {
    return this.inline.records;
  }
  get bytes(): number {
    return this.inline.bytes;
  }

  digest(options: DigestOptions): Promise<Digest> {
    return this.inline.digest(options);
  }

  read(fromChunk: number, events: ChunkEvents): ChunkReader {
    if (this.open.size > 0 && fromChunk > 0 && !this.resuming())
      this.node.world.mark("reading split");
    const reader = this.inline.read(fromChunk, events);
    this.open.add(events);
    this.work();
    this.taken.set(reader, 0);
    const bump = (by: number): void => void this.taken.set(reader, this.taken.get(reader)! + by);
    const take = reader.take.bind(reader);
    reader.take = () => {
      const chunk = take();
      if (chunk === null) return null;
      bump(1);
      if (this.lies) this.lie(chunk);
      return chunk;
    };
    const release = reader.release.bind(reader);
    reader.release = (chunk) => {
      bump(-1);
      // A ring slot is used again at once: whoever still reads it reads something else.
      chunk.bytes.fill(0xdb, chunk.from, chunk.to);
      release(chunk);
      this.work();
    };
    const close = reader.close.bind(reader);
    reader.close = () => {
      this.open.delete(events);
      close();
    };
    return reader;
  }

  /** This reading is for a ship that goes on after a cut. */
  private resuming(): boolean {
    const { links } = this.node.feeder;
    return links.some(({ ship }) => ship?.resumed === true && ship.snapshot === null);
  }

  /** The chunk goes bad after it was counted, and its frame is made of that. */
  private lie({ number, bytes, from, to }: ReadyChunk): void {
    if (from === to) return;
    this.lies = false;
    const { random } = this.node.world;
    const [at, bit] = [random.between(from, to), random.between(0, 8)];
    this.node.lie = { bytes, number, from, to, at, bit };
  }

  /** Ring slots that are not free, for each reader. */
  ringUse(): number[] {
    return [...this.taken.values()];
  }

  private work(): void {
    if (this.working) return;
    this.working = true;
    this.node.after(this.stepMs * (0.5 + this.node.world.random.fraction()), () => {
      this.working = false;
      if (this.inline.step()) this.work();
      else if (this.closed) this.node.sources.delete(this);
    });
  }

  /** The worker dies. */
  crash(): boolean {
    const victims = [...this.open];
    this.open.clear();
    for (const events of victims) events.failed("the worker crashed");
    return victims.length > 0;
  }

  close(): void {
    this.closed = true;
    this.inline.close();
    this.work();
  }
}
