/** One reply of a client in synchronous mode, which may wait: what src/resp/client.ts is to a real one. */
import type { Turn, TurnReplies } from "../../src/node/turn.ts";
import { SimError } from "./clock.ts";

const REPLY = Buffer.from("+OK\r\n");

/** What is called when it is answered, if it is. */
export interface SyncAnswers {
  /** It was not UNCONFIRMED. */
  confirmed(): void;
  unconfirmed(): void;
}

export class SyncClient implements TurnReplies {
  heldReplies = 0;
  readonly copies = 0;
  readonly wroteTo: number;
  readonly shownTo: number;
  #isRead: boolean;
  readonly #kind: string;
  readonly #mark: (what: string) => void;
  readonly #on: SyncAnswers;
  #isAnswered = false;

  /** It is asked now, at `tail` of the log. */
  constructor(
    turn: Turn,
    tail: number,
    reads: boolean,
    mark: (what: string) => void,
    on: SyncAnswers,
  ) {
    this.wroteTo = reads ? 0 : tail;
    this.shownTo = tail;
    this.#isRead = reads;
    this.#kind = reads ? "read" : "write";
    this.#mark = mark;
    this.#on = on;
    if (!turn.holdReply(this, REPLY)) this.writeNow();
  }

  takeRead(): boolean {
    const was = this.#isRead;
    this.#isRead = false;
    return was;
  }

  writeNow(): boolean {
    this.#mark(`sync: ${this.#kind} confirmed`);
    this.#answered();
    this.#on.confirmed();
    return true;
  }

  writeUnconfirmed(): void {
    this.#mark(`sync: ${this.#kind} unconfirmed`);
    this.#answered();
    this.#on.unconfirmed();
  }

  drop(): void {
    this.#mark("sync: client cut");
    this.#answered();
  }

  /** In whichever way, once. */
  #answered(): void {
    if (this.#isAnswered) throw new SimError(`a ${this.#kind} is answered twice`);
    this.#isAnswered = true;
  }
}
