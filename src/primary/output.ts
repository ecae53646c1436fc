/**
 * A link's output: what was handed to its socket and not yet taken by the kernel, in order, each
 * piece with the owner of its memory, which is released when the piece is taken or the socket is
 * gone.
 *
 * Owns: the queue and its byte count. Does not own: the socket (node/replication-port.ts), limits (link-feed.ts).
 */
import assert from "node:assert/strict";

/** Memory that must not change until released. */
export interface Owner {
  release(): void;
}

export class Output {
  #bytes = 0;
  private sizes: number[] = [];
  private owners: (Owner | null)[] = [];
  private head = 0;
  private end = 0;

  /** Bytes handed over and not taken. */
  get bytes(): number {
    return this.#bytes;
  }

  push(size: number, owner: Owner | null): void {
    this.sizes[this.end] = size;
    this.owners[this.end] = owner;
    this.end += 1;
    this.#bytes += size;
  }

  /** The oldest piece was taken. Returns its size. */
  taken(): number {
    assert(this.head < this.end, "a socket took more pieces than it was given");
    const size = this.sizes[this.head]!;
    const owner = this.owners[this.head] ?? null;
    this.owners[this.head] = null;
    this.head += 1;
    if (this.head === this.end) this.head = this.end = 0;
    else if (this.head === COMPACT_AT) this.compact();
    this.#bytes -= size;
    owner?.release();
    return size;
  }

  /** The socket is gone: nothing will be read any more. */
  releaseAll(): void {
    const { owners, head } = this;
    this.empty();
    this.#bytes = 0;
    for (const owner of owners.slice(head)) owner?.release();
  }

  private empty(): void {
    this.sizes = [];
    this.owners = [];
    this.head = 0;
    this.end = 0;
  }

  private compact(): void {
    this.sizes = this.sizes.slice(this.head);
    this.owners = this.owners.slice(this.head);
    this.end -= this.head;
    this.head = 0;
  }
}

const COMPACT_AT = 1024;
