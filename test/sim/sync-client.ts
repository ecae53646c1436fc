/** One reply of a client in synchronous mode, which may wait: what src/resp/client.ts is to a real one. */
import type { Turn, TurnReplies } from "../../src/node/turn.ts";

const REPLY = Buffer.from("+OK\r\n");

export class SyncClient implements TurnReplies {
  heldReplies = 0;
  readonly copies = 0;
  readonly wroteTo: number;
  readonly shownTo: number;
  #isRead: boolean;
  readonly #kind: string;
  readonly #mark: (what: string) => void;
  readonly #check: () => void;

  /** It is asked now, at `tail` of the log; `check` is called when the answer goes out and is not UNCONFIRMED. */
  constructor(
    turn: Turn,
    tail: number,
    reads: boolean,
    mark: (what: string) => void,
    check: () => void,
  ) {
    this.wroteTo = reads ? 0 : tail;
    this.shownTo = tail;
    this.#isRead = reads;
    this.#kind = reads ? "read" : "write";
    this.#mark = mark;
    this.#check = check;
    if (!turn.holdReply(this, REPLY)) this.writeNow();
  }

  takeRead(): boolean {
    const was = this.#isRead;
    this.#isRead = false;
    return was;
  }

  writeNow(): boolean {
    this.#mark(`sync: ${this.#kind} confirmed`);
    this.#check();
    return true;
  }

  writeUnconfirmed(): void {
    this.#mark(`sync: ${this.#kind} unconfirmed`);
  }

  drop(): void {
    this.#mark("sync: client cut");
  }
}
