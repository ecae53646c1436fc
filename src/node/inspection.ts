/**
 * What a node says about its whole state: one sum, a comparison with its replicas, the keys of a
 * bucket that differs. The first two are of one position; a state that is inside a batch has none, and
 * is waited for.
 *
 * Owns: positions, freezes. Does not own: sums (store/state.ts), questions to replicas and answers
 * (verifier.ts), the walk over keys (bucket.ts).
 * Tested in: test/unit/daemon/verify.test.ts, test/unit/embed/torn.test.ts.
 */
import type { Journal } from "../primary/journal.ts";
import type { Link } from "../primary/link.ts";
import type { DigestAnswer, Position, Verify } from "../wire/messages.ts";
import type { StateDigest, StateInspection } from "./api.ts";
import type { BucketKeys, BucketRequest, FoundKeys } from "./bucket.ts";
import type { NodeCore } from "./core.ts";
import { STOPPED, TORN } from "./roles.ts";
import { type Until, Verifier, type VerifyReport } from "./verifier.ts";

/** Walks the keys of the state, which goes on changing meanwhile. */
type FindKeys = (request: BucketRequest) => Promise<FoundKeys>;

export class Inspection implements StateInspection {
  readonly #core: NodeCore;
  readonly #journal: Journal;
  readonly #verifier: Verifier;
  readonly #find: FindKeys;

  constructor(core: NodeCore, journal: Journal, until: Until, find: FindKeys) {
    this.#core = core;
    this.#journal = journal;
    this.#find = find;
    this.#verifier = new Verifier(until);
  }

  async digest(): Promise<StateDigest> {
    // Why not always: whoever asks at a boundary means the state of this very turn.
    while (!this.#core.view.atBoundary) await this.#boundary();
    const position = this.#sealedPosition();
    const frozen = this.#core.state.freeze();
    try {
      const { records, sum } = await frozen.digest({});
      return { position, records, sum };
    } finally {
      frozen.close();
    }
  }

  async verify(timeoutMs: number): Promise<VerifyReport> {
    const { feeder, state, view } = this.#core;
    // Why not always: as in digest().
    while (!view.atBoundary) await this.#boundary();
    return this.#verifier.run(feeder, this.#sealedPosition(), state, timeoutMs);
  }

  async bucket(request: BucketRequest): Promise<BucketKeys> {
    const { backlog, identity, roles } = this.#core;
    const { history } = identity;
    const from = backlog.next;
    const { swaps } = roles;
    const read = await this.#find(request);
    if (swaps !== roles.swaps)
      throw new Error("the state was replaced while it was read: ask again");
    return { history, from, to: backlog.tail, ...read };
  }

  /** The state is at the position that the upstream asks about, in this call alone. */
  onVerify(message: Verify): void {
    const { feeder, session, state } = this.#core;
    if (!this.#verifier.mayAnswer) {
      feeder.counters.bump("verifies_dropped");
      return;
    }
    this.#verifier.answer(session, message, state.freeze()).catch((error: unknown) => {
      this.#journal("error", "verify_failed", { why: String(error) });
    });
  }

  /** A replica answered a question of verify(). */
  onDigest(link: Link, answer: DigestAnswer): void {
    this.#verifier.onAnswer(link, answer);
  }

  /** The sealed position. The state is exactly there only until something else runs. */
  #sealedPosition(): Position {
    this.#core.backlog.seal();
    return this.#core.position;
  }

  /** Resolves when the state is at a position, with nothing run since; rejects when it is torn. */
  #boundary(): Promise<void> {
    const { view, turn, roles } = this.#core;
    return new Promise((resolve, reject) => {
      const isOver = (): boolean => view.atBoundary || view.torn || roles.now.kind === "stopped";
      const done = (): void => {
        if (view.atBoundary) resolve();
        else reject(new Error(view.torn ? TORN : STOPPED));
      };
      turn.until(isOver, done);
    });
  }
}
