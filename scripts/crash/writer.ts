/**
 * A client that writes until its node dies, and notes in its ledger what it sent and what was answered.
 *
 * Owns: one connection, what it writes. Does not own: what may be lost (ledger.ts), nodes (place.ts).
 */
import type { Random } from "../../tools/random.ts";
import { ReplyError, RespClient, type Command, type Reply } from "../../tools/resp-client.ts";
import { Ledger, pieceOf, TICK_KEY, valueOf, type Change } from "./ledger.ts";

const KEYS = 30;
/** A key that grows by APPEND begins anew about so often. */
const LOG_RESET = 0.002;

/** How a writer sends: so many commands in one write, so many writes without an answer. */
export interface Style {
  readonly commands: number;
  readonly writes: number;
}

/** Numbers of values, for all writers. */
export interface Numbers {
  next: number;
}

export class Writer {
  readonly ledger: Ledger;
  /** The first error reply, "" for none: no command of it is one that a node may refuse. */
  refused = "";
  readonly #name: string;
  readonly #style: Style;
  readonly #random: Random;
  readonly #numbers: Numbers;
  #mayWrite = true;

  constructor(name: string, style: Style, random: Random, numbers: Numbers) {
    this.#name = name;
    this.#style = style;
    this.#random = random;
    this.#numbers = numbers;
    this.ledger = new Ledger([
      ...Array.from({ length: KEYS }, (_, n) => `${name}:${n}`),
      `${name}:log`,
    ]);
  }

  /** Writes until the connection ends, or stop(); then all that was answered is in the ledger. */
  async run(port: number): Promise<void> {
    this.#mayWrite = true;
    const client = await RespClient.connect(port);
    const flying: Promise<unknown>[] = [];
    try {
      while (this.#goesOn(client)) {
        flying.push(this.#write(client));
        if (flying.length >= this.#style.writes) await flying.shift();
      }
    } catch {
      // The node died: what was answered is noted.
    }
    await Promise.allSettled(flying);
    client.close();
  }

  #goesOn(client: RespClient): boolean {
    return client.isOpen && this.#mayWrite;
  }

  /** It writes nothing new. */
  stop(): void {
    this.#mayWrite = false;
  }

  async #write(client: RespClient): Promise<void> {
    const changes = Array.from({ length: this.#style.commands }, () => this.#draw());
    for (const change of changes) this.ledger.send(change);
    const replies = client.send(changes.map(commandOf));
    await Promise.all(replies.map(async (reply, i) => this.#take(changes[i]!, await reply)));
  }

  #take(change: Change, reply: Reply): void {
    if (reply instanceof ReplyError) this.refused ||= reply.message;
    else this.ledger.answer(change.kind === "tick" ? Number(reply) : null);
  }

  #draw(): Change {
    const random = this.#random;
    const number = this.#numbers.next++;
    const draw = random.fraction();
    const key = `${this.#name}:${random.between(0, KEYS)}`;
    const log = `${this.#name}:log`;
    if (draw < LOG_RESET) return { kind: "delete", key: log };
    if (draw < 0.15) return { kind: "append", key: log, number };
    if (draw < 0.2) return { kind: "delete", key };
    if (draw < 0.25) return { kind: "tick" };
    return { kind: "set", key, number, length: this.#length() };
  }

  #length(): number {
    const draw = this.#random.fraction();
    if (draw < 0.001) return this.#random.between(100_000, 1_500_000);
    return this.#random.between(0, draw < 0.05 ? 8_000 : 200);
  }
}

function commandOf(change: Change): Command {
  switch (change.kind) {
    case "set":
      return ["SET", change.key, valueOf(change.number, change.length)];
    case "append":
      return ["APPEND", change.key, pieceOf(change.number)];
    case "delete":
      return ["DEL", change.key];
    case "tick":
      return ["INCR", TICK_KEY];
  }
}
