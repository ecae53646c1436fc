/**
 * What really was written: a tree of batch boundaries over all histories, with the digest of the
 * state at each boundary and after each record in between.
 *
 *   (offset, chain) ---batch---> (offset, chain) ---batch---> ...
 *          \-------batch---> (another primary's)
 *
 * A boundary is named by offset and chain: the chain sums up everything before it, so equal names
 * are equal logs. Primaries add to the tree as they seal; everybody else is compared with it.
 */
import type { Backlog } from "../../src/log/backlog.ts";
import { digestArena } from "../../src/store/digest.ts";
import type { Digest, DigestOptions } from "../../src/store/state.ts";
import type { Store } from "../../src/store/store.ts";
import { batchChain, batchLength, isNodeBatch } from "../../src/wire/frame.ts";
import type { Id } from "../../src/wire/messages.ts";
import { readNodeBatch } from "../../src/wire/node-record.ts";
import { SimError } from "./clock.ts";

export interface Boundary {
  readonly offset: number;
  readonly chain: number;
  readonly parent: Boundary | null;
  readonly depth: number;
  /** One further back, so that what is far below is found in few steps; null at the beginning. */
  readonly jump: Boundary | null;
  /** Digest of the state here. */
  readonly digest: string;
  /** Digests after each record of the batch that ends here, the last one being `digest`. */
  readonly steps: readonly string[];
  readonly children: Boundary[];
}

/** Sums the live records in place: a freeze would change how the store goes on. */
export function liveDigest(store: Store, options: DigestOptions = {}): Digest {
  const { arena } = store.parts.space;
  const { segments } = arena;
  return digestArena(
    {
      epoch: arena.epoch + 1,
      segmentCount: segments.length,
      segment: (index) => {
        const { words, bytes, slotBytes, used } = segments[index]!;
        return { words, bytes, slotBytes, slots: used };
      },
    },
    options,
  )!;
}

/** Of a node's live records, whatever holds them. */
export function digestOf({ held }: { readonly held: { digest(): Digest } }): string {
  const { records, sum } = held.digest();
  return `${records}:${sum}`;
}

const nameOf = (offset: number, chain: number): string => `${offset}:${chain}`;

/** A primary's writing end in the tree. */
export class Writer {
  at: Boundary;
  /** Digest after each record that is not sealed yet, by the log's tail after it. */
  pending: { readonly tail: number; readonly digest: string }[] = [];
  readonly history: Id;
  /** The history that begins with its next batch, which has to say so; "" when it has begun. */
  begins: Id;
  constructor(at: Boundary, begins: Id) {
    this.at = at;
    this.history = begins;
    this.begins = begins;
  }
}

export class Truth {
  private readonly boundaries = new Map<string, Boundary>();
  /** How far each history was ever written. */
  private readonly ends = new Map<Id, Boundary>();

  get size(): number {
    return this.boundaries.size;
  }

  find(offset: number, chain: number): Boundary | undefined {
    return this.boundaries.get(nameOf(offset, chain));
  }

  /** The beginning of a history: an empty state. */
  root(offset: number, chain: number, digest: string): Boundary {
    const known = this.find(offset, chain);
    if (known !== undefined) return known;
    const root: Boundary = {
      offset,
      chain,
      parent: null,
      jump: null,
      depth: 0,
      digest,
      steps: [],
      children: [],
    };
    this.boundaries.set(nameOf(offset, chain), root);
    return root;
  }

  /** Adds what `log` sealed since. */
  seal(writer: Writer, log: Backlog): void {
    while (writer.at.offset < log.next) {
      const { offset } = writer.at;
      if (offset < log.first)
        throw new SimError(`the batch at ${offset} was trimmed in the turn in which it was sealed`);
      const segment = log.segmentAt(offset);
      const end = offset + batchLength(segment.bytes, offset - segment.start);
      const chain = batchChain(segment.bytes, offset - segment.start);
      const steps = this.stepsOfNodeBatch(writer, segment.bytes, offset - segment.start);
      while (writer.pending.length > 0 && writer.pending[0]!.tail <= end)
        steps.push(writer.pending.shift()!.digest);
      const digest = steps.at(-1);
      if (digest === undefined)
        throw new SimError(`a batch without records was sealed at ${offset}`);
      writer.at = this.add(writer.at, end, chain, steps);
      this.ends.set(writer.history, writer.at);
    }
  }

  /** A batch of which nobody knew whether it counts, and which does now. */
  decide(parent: Boundary, offset: number, chain: number, digest: string): Boundary {
    return this.add(parent, offset, chain, [digest]);
  }

  /** The furthest that was ever written in a history; undefined before its first batch. */
  endOf(history: Id): Boundary | undefined {
    return this.ends.get(history);
  }

  /** The first batch of a history, and no other, says that it begins, and changes nothing. */
  private stepsOfNodeBatch(writer: Writer, bytes: Buffer, at: number): string[] {
    const begins = isNodeBatch(bytes, at) ? readNodeBatch(bytes, at).history : "";
    if (begins !== writer.begins)
      throw new SimError(`"${begins}" begins at ${writer.at.offset}, not "${writer.begins}"`);
    writer.begins = "";
    return begins === "" ? [] : [writer.at.digest];
  }

  private add(parent: Boundary, offset: number, chain: number, steps: string[]): Boundary {
    const known = this.find(offset, chain);
    const digest = steps.at(-1)!;
    if (known !== undefined) {
      if (known.digest !== digest) throw new SimError(`two states at ${offset} of one log`);
      return known;
    }
    const depth = parent.depth + 1;
    const jump = jumpOf(parent);
    const fresh = { offset, chain, parent, jump, depth, digest, steps, children: [] };
    this.boundaries.set(nameOf(offset, chain), fresh);
    parent.children.push(fresh);
    return fresh;
  }
}

/** `below` is `above`, or a boundary on the way to it. */
export function isPrefix(below: Boundary, above: Boundary): boolean {
  let at: Boundary | null = above;
  while (at !== null && at.depth > below.depth)
    at = at.jump !== null && at.jump.depth >= below.depth ? at.jump : at.parent;
  return at === below;
}

/** Where the child of `parent` jumps to: lengths double, as in a skew-binary number, so a walk takes O(log n) steps. */
function jumpOf(parent: Boundary): Boundary {
  const near = parent.jump;
  const far = near?.jump ?? null;
  if (near === null || far === null) return parent;
  return parent.depth - near.depth === near.depth - far.depth ? far : parent;
}
