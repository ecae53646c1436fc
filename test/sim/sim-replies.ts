/** Replies to a client's connection that wait for the disk: what src/resp/client.ts is to a real one. */
import type { TurnReplies } from "../../src/node/turn.ts";

export class SimReplies implements TurnReplies {
  heldReplies = 0;
  wroteTo = 0;
  readonly copies = 0;
  shownTo = 0;
  /** Its next reply answers a read. */
  isRead = false;
  /** What is to be called when each of them goes out. */
  readonly waiting: (() => void)[] = [];
  readonly #mark: (what: string) => void;

  constructor(mark: (what: string) => void) {
    this.#mark = mark;
  }

  takeRead(): boolean {
    const was = this.isRead;
    this.isRead = false;
    return was;
  }

  writeNow(): boolean {
    this.#mark("disk: answered when durable");
    this.waiting.shift()!();
    return true;
  }

  writeUnconfirmed(): void {
    this.#mark("disk: answered unconfirmed");
    this.waiting.shift();
  }

  drop(): void {
    this.#mark("disk: client cut");
    this.waiting.length = 0;
  }
}
