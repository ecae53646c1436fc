/**
 * A node that leads tells those that it remembers: who followed it directly, and whom it followed itself before.
 * One of them may lead as well, and not know that it must not any more.
 *
 *   it leads         everybody is told, and again after 5 s, doubled to 60, until each has answered once
 *   an answer        who answers with a higher rank fences this node (fence.ts)
 *   it leads no more, or leads anew    over; begins anew
 *
 * Pure core: time and connections are its owner's. Owns: the rounds. Does not own: what a peer does with it
 * (role-moves.ts), the question (replica/inquiry.ts), who is remembered (peers.ts).
 */
import { type Address, formatAddress } from "../net/address.ts";
import type { Announcement } from "../replica/inquiry.ts";
import type { StateAnswer } from "../wire/messages.ts";
import type { AskSources } from "./seeding.ts";

/** For an answer, and until the second round. */
const ANNOUNCE_MS = 5_000;
/** Between two rounds at most: one that is gone for good is asked for as long as this node leads. */
const ANNOUNCE_MS_MAX = 60_000;

export interface AnnouncerDeps {
  readonly ask: AskSources;
  readonly later: (ms: number, run: () => void) => void;
  /** What is announced; null on a node that does not lead. */
  readonly announcement: () => Announcement | null;
  /** One has answered, which may lead, or know who does. */
  readonly heard: (state: StateAnswer, source: Address) => void;
}

export class Announcer {
  readonly #deps: AnnouncerDeps;
  /** Who has not answered; of the newest time that it leads. */
  #silent: ReadonlyMap<string, Address> = new Map();

  constructor(deps: AnnouncerDeps) {
    this.#deps = deps;
  }

  /** It leads from now on. */
  leads(peers: readonly Address[]): void {
    const silent = new Map(peers.map((peer) => [formatAddress(peer), peer]));
    this.#silent = silent;
    this.#round(silent, ANNOUNCE_MS);
  }

  #round(silent: Map<string, Address>, againMs: number): void {
    const announcement = this.#deps.announcement();
    if (silent !== this.#silent || silent.size === 0 || announcement === null) return;
    this.#deps.ask(
      [...silent.values()],
      ANNOUNCE_MS,
      (answers) => {
        if (silent !== this.#silent) return;
        for (const { source, state } of answers) {
          if (state === null) continue;
          silent.delete(formatAddress(source));
          this.#deps.heard(state, source);
        }
      },
      announcement,
    );
    const nextMs = Math.min(ANNOUNCE_MS_MAX, 2 * againMs);
    this.#deps.later(againMs, () => this.#round(silent, nextMs));
  }
}
