/**
 * A snapshot that ships or parkings still need: frozen state, the position it was frozen at, and
 * who uses it. The last user closes it.
 */
import assert from "node:assert/strict";
import { ChunkTally } from "../wire/chunk-tally.ts";
import type { Id } from "../wire/messages.ts";
import type { FrozenState } from "../store/state.ts";

export class OpenSnapshot {
  readonly id: Id;
  /** Where the stream goes on; in the log that the backlog holds, whatever its history is called now. */
  readonly offset: number;
  readonly chain: number;
  readonly frozen: FrozenState;
  /** Of the chunks that were taken of it, by all readings together. */
  readonly tally: ChunkTally = new ChunkTally();
  #users = 0;

  constructor(id: Id, offset: number, chain: number, frozen: FrozenState) {
    this.id = id;
    this.offset = offset;
    this.chain = chain;
    this.frozen = frozen;
  }

  get closed(): boolean {
    return this.#users < 0;
  }

  retain(): void {
    assert(this.#users >= 0, "a closed snapshot was retained");
    this.#users += 1;
  }

  release(): void {
    assert(this.#users > 0);
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#users = -1;
    this.frozen.close();
  }
}
