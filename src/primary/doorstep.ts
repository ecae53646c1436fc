/**
 * Connections to the replication port that have not said that they are replicas. They are no links:
 * they get no memory but a few bytes of input, and no byte of output but the line that turns them
 * away.
 *
 *   arrive --> (bytes) --> replica: the shell makes a link of it, with the bytes behind the opening
 *                    |---> a client, a browser, noise: one readable answer, then closed
 *                    +---> nothing for handshakeMs, or no place: closed
 *
 * Pure core: sockets are behind Visitor's `turnAway`.
 * Owns: who waits there, for how long, what each is told. Does not own: sockets, links.
 */
import { LIMITS } from "../limits.ts";
import { openerOf, OPENING, type Opener } from "../wire/opening.ts";
import { printable } from "../wire/text.ts";
import type { Crowd, Pending } from "./crowd.ts";
import type { Journal } from "./journal.ts";
import type { FeederOptions } from "./options.ts";

/** Why a stranger went: the suffix of `strangers_<kind>` and the word in the log line. */
export type StrangerKind = Exclude<Opener, "wait" | "replica"> | "silent" | "left" | "crowded_out";

export interface DoorstepDeps {
  readonly crowd: Crowd;
  readonly options: Pick<FeederOptions, "handshakeMs">;
  /** The node's client port, for those who look for it; 0 when there is none. */
  readonly clientPort: () => number;
  readonly counters: { bump(name: string): void };
  readonly journal: Journal;
}

/** One connection; `turnAway` sends the text, if any, and ends it. */
export interface Visitor extends Pending {
  readonly sinceMs: number;
  turnAway(text: string): void;
}

/** First bytes of a stranger that its log line shows. */
const SHOWN_BYTES = 40;
const NO_BYTES = Buffer.alloc(0);

export class Doorstep {
  /** Oldest first. */
  private readonly visitors = new Map<Visitor, Buffer>();
  private readonly deps: DoorstepDeps;

  constructor(deps: DoorstepDeps) {
    this.deps = deps;
  }

  get count(): number {
    return this.visitors.size;
  }

  /** Somebody is there. One too many, and whoever is worth the least goes. */
  arrive(visitor: Visitor): void {
    this.visitors.set(visitor, NO_BYTES);
    if (this.visitors.size <= LIMITS.pendingHandshakesMax) return;
    const before = [...this.visitors.keys()].filter((other) => other !== visitor);
    const goes = this.deps.crowd.firstToGo(before);
    if (goes !== undefined) this.part(goes, "crowded_out", "");
  }

  /**
   * Bytes of a visitor; copied.
   * @returns what follows the opening when it is a replica, which is no visitor then; else null
   */
  hear(visitor: Visitor, bytes: Buffer): Buffer | null {
    const before = this.visitors.get(visitor);
    if (before === undefined) return null;
    const heard = before.length === 0 ? bytes : Buffer.concat([before, bytes]);
    const opener = openerOf(heard);
    if (opener === "replica") {
      this.visitors.delete(visitor);
      return heard.subarray(OPENING.length);
    }
    this.visitors.set(visitor, Buffer.from(heard.subarray(0, LIMITS.handshakeBytesMax)));
    if (opener !== "wait") this.part(visitor, opener, this.answerTo(opener));
    return null;
  }

  /** The visitor's connection is over. */
  leave(visitor: Visitor): void {
    if (this.visitors.has(visitor)) this.part(visitor, "left", "");
  }

  /** Those go that have said too little for too long. */
  tick(nowMs: number): void {
    for (const visitor of [...this.visitors.keys()])
      if (nowMs - visitor.sinceMs >= this.deps.options.handshakeMs)
        this.part(visitor, "silent", "");
  }

  /** All go: the port closes. */
  clear(): void {
    for (const visitor of [...this.visitors.keys()]) {
      this.visitors.delete(visitor);
      visitor.turnAway("");
    }
  }

  private part(visitor: Visitor, kind: StrangerKind, answer: string): void {
    const { counters, journal } = this.deps;
    const heard = this.visitors.get(visitor) ?? NO_BYTES;
    this.visitors.delete(visitor);
    counters.bump(`strangers_${kind}`);
    // Why quiet: load balancers and port scanners connect and leave all day.
    journal(kind === "left" && heard.length === 0 ? "debug" : "warn", "stranger", {
      remote: visitor.remote,
      kind,
      said: printable(heard.toString("latin1", 0, SHOWN_BYTES)),
    });
    visitor.turnAway(answer);
  }

  private answerTo(opener: Opener): string {
    const port = this.deps.clientPort();
    const clients = port === 0 ? "this node has no client port" : `clients connect to port ${port}`;
    const text = `this is hawser's replication port; ${clients}`;
    if (opener !== "http") return `-ERR ${text}\r\n`;
    const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n`;
    return `${head}Content-Length: ${text.length + 1}\r\n\r\n${text}\n`;
  }
}
