/**
 * A primary that has resigned asks the target whether it leads, and follows it then.
 *
 *   start, the target's link ends -> ask -+-> it leads in a higher term, or follows who does: followed
 *             ^                           |
 *             +---- 10 ms, doubled to a second ----+ else
 *
 * Why asked, not dialled: of two that are each other's replicas neither ever leads.
 * Pure core: time and connections are its owner's. Owns: the rounds. Does not own: TAKE (failover.ts), the
 * role (role-moves.ts).
 * Tested in: test/unit/node/failover.test.ts.
 */
import type { Address } from "../net/address.ts";
import { formatAddress } from "../net/address.ts";
import type { StateAnswer } from "../wire/messages.ts";
import type { Resignation } from "./resignation.ts";
import type { ResignedRounds } from "./roles.ts";
import type { AskSources } from "./seeding.ts";

const ASK_AGAIN_MS_FIRST = 10;
const ASK_AGAIN_MS_MAX = 1_000;
const ANSWER_MS = 2_000;

export interface ResignedDeps {
  readonly ask: AskSources;
  readonly later: (ms: number, run: () => void) => void;
  /** The target leads: it is followed. */
  readonly onLed: (upstream: Address) => void;
  /** Somebody decided otherwise, or it was followed. */
  readonly onStopped: () => void;
}

export class ResignedRun implements ResignedRounds {
  readonly resignation: Resignation;
  upstream: Address;
  readonly #deps: ResignedDeps;
  #isOver = false;
  #isAsking = false;
  #delayMs = ASK_AGAIN_MS_FIRST;
  /** Of the round that is waited for: an older one was overtaken. */
  #round = 0;

  constructor(resignation: Resignation, deps: ResignedDeps) {
    this.resignation = resignation;
    this.upstream = resignation.upstream;
    this.#deps = deps;
  }

  get why(): string {
    return `resigned for ${formatAddress(this.upstream)}, which does not lead yet`;
  }

  start(): void {
    this.hasten();
  }

  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deps.onStopped();
  }

  hasten(): void {
    this.#delayMs = ASK_AGAIN_MS_FIRST;
    this.#round += 1;
    this.#ask();
  }

  #ask(): void {
    if (this.#isOver || this.#isAsking) return;
    this.#isAsking = true;
    const { upstream } = this;
    this.#deps.ask([upstream], ANSWER_MS, ([answer]) => {
      this.#isAsking = false;
      if (this.#isOver) return;
      if (this.#hasTaken(answer?.state ?? null)) this.#deps.onLed(upstream);
      else this.#askLater();
    });
  }

  #askLater(): void {
    const delayMs = this.#delayMs;
    const round = ++this.#round;
    this.#delayMs = Math.min(ASK_AGAIN_MS_MAX, 2 * delayMs);
    this.#deps.later(delayMs, () => {
      if (round === this.#round) this.#ask();
    });
  }

  /** A log that is led above ours. Why not by the role alone: one that was started again asks before it leads. */
  #hasTaken(state: StateAnswer | null): boolean {
    if (state === null) return false;
    const { end, term } = this.resignation;
    if (state.rank.term < term || !(state.role === "primary" || state.rootLives)) return false;
    return state.lineage.some(({ history }) => history === end.history);
  }
}
