/**
 * ABORT of a primary that has resigned: it may lead again when the one that was to lead says that it never will.
 *
 *   ABORT -> RELEASE, on the link that stands now --RELEASED--> leads, in a term above what was handed on
 *                              |
 *                              +-- the link ends, no answer, somebody decided otherwise: refused, and why
 *
 * Pure core. Owns: one ABORT that waits. Does not own: the resignation (failover.ts), the target's side
 * (taking.ts), the promotion (role-moves.ts).
 * Tested in: test/unit/node/failover.test.ts.
 */
import type { Journal } from "../primary/journal.ts";
import type { Id, Rank, Released } from "../wire/messages.ts";
import type { Promoted } from "./api.ts";
import type { FailoverLink } from "./failover-target.ts";
import type { Resignation } from "./resignation.ts";
import type { Role } from "./roles.ts";

/** The target, linked, answers within a round trip. */
const RELEASED_MS = 5_000;
const SILENT_TARGET =
  "the target has to say that it does not lead, and is not heard of: try again when it is linked; REPLICAOF host port follows whoever leads, REPLICAOF NO ONE FORCE leads whatever the target does";

/** The node; core.ts. */
export interface ReleasingNode {
  readonly roles: { readonly now: Role; leadReleased(done: Promoted): string | null };
  readonly identity: { heardOf(rank: Rank): void };
  readonly feeder: { readonly replicas: readonly FailoverLink[]; wantPump(): void };
}

export interface ReleasingDeps {
  readonly later: (ms: number, run: () => void) => void;
  readonly journal: Journal;
}

interface Release {
  readonly failoverId: Id;
  readonly link: FailoverLink;
  readonly done: Promoted;
}

export class Releasing {
  readonly #node: ReleasingNode;
  readonly #deps: ReleasingDeps;
  #release: Release | null = null;

  constructor(node: ReleasingNode, deps: ReleasingDeps) {
    this.#node = node;
    this.#deps = deps;
  }

  /** @returns why not; null when `done` is called later */
  begin({ failoverId, target }: Resignation, done: Promoted): string | null {
    if (this.#release !== null) return "another ABORT waits for the target";
    const link = this.#node.feeder.replicas.find(({ hello }) => hello?.storeId === target);
    if (link === undefined || link.state.kind === "shipping") return SILENT_TARGET;
    const release = { failoverId, link, done };
    this.#release = release;
    link.sayBetween({ type: "release", failoverId });
    this.#node.feeder.wantPump();
    this.#deps.later(RELEASED_MS, () => {
      if (this.#release === release) this.end(SILENT_TARGET);
    });
    return null;
  }

  answered(link: FailoverLink, { failoverId }: Released): void {
    const release = this.#release;
    const { roles, identity } = this.#node;
    if (release === null || release.link !== link || roles.now.kind !== "resigned") return;
    if (release.failoverId !== failoverId) return;
    const { term, target } = roles.now.resignation;
    this.#release = null;
    // What it handed on is above what it had, whether it was taken or not.
    identity.heardOf({ term, run: 0 });
    this.#deps.journal("warn", "failover_released", { target });
    const refusal = roles.leadReleased(release.done);
    if (refusal !== null) release.done(refusal);
  }

  linkEnded(link: FailoverLink): void {
    if (this.#release?.link === link) this.end(SILENT_TARGET);
  }

  /** Whoever waits is told why not. */
  end(why: string): void {
    const release = this.#release;
    this.#release = null;
    release?.done(why);
  }
}
