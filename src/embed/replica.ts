/**
 * A replica inside your process: a copy of the primary's state that keeps itself up to date, read
 * without a network.
 *
 * Owns: waits and the promotion of a replica as an embedder calls them. Does not own: reads and the end
 * (embedded-node.ts).
 * Tested in: test/unit/index.test.ts, test/unit/embed/torn.test.ts, test/unit/embed/following.test.ts.
 */
import type { LogPosition, Wait } from "../bridge/seam.ts";
import { NodeError } from "../errors.ts";
import { asEmbedder } from "./words.ts";
import { hasReached, needHope, needThere } from "../node/following.ts";
import type { EmbeddedValues } from "../node/settings.ts";
import type { Position } from "../wire/messages.ts";
import { EmbeddedNode } from "./embedded-node.ts";
import { type NodeSettings, openNode, type OpenNode } from "./open.ts";
import { placeOf } from "./positions.ts";
import { type Primary, primaryOver } from "./primary.ts";

/** What Replica.open() takes. */
export interface ReplicaOptions extends NodeSettings, EmbeddedValues<"replica"> {
  /** HOST:PORT of the node to follow: its replication port, or a daemon's client port. */
  readonly of: string;
  /** Once: let an unrelated or empty primary replace what this replica holds. */
  readonly allowReset?: boolean;
}

const NEVER_SYNCED =
  "this node never had a state, and would be an empty primary; await synced() first, or force it";

/**
 * A replica: it follows a primary, or another replica, over the network, and answers reads from its own copy
 * in this process. It takes no writes; promote() makes a primary of it.
 */
export class Replica extends EmbeddedNode {
  private readonly parts: OpenNode;
  private promoted: Promise<Primary> | null = null;

  private constructor(parts: OpenNode) {
    super(parts);
    this.parts = parts;
  }

  /**
   * Opens a replica, which begins to follow at once; synced() tells when it has a state.
   * @throws {UsageError} naming a wrong option and what is allowed
   */
  static async open(options: ReplicaOptions): Promise<Replica> {
    return new Replica(await openNode("replica", options));
  }

  /**
   * Resolves once the replica is connected and has all that its upstream had said it has.
   * @returns where it is then
   * @throws the signal's reason
   * @throws {HawserError} as every wait: ERR_TIMEOUT after `timeoutMs`, ERR_CLOSED when it is closed, also
   *   meanwhile, ERR_ARGUMENT for a wait that is none. ERR_CANNOT_FOLLOW, at once, when trying again cannot
   *   help while both ends are as they are: another password, another version or format of records,
   *   data of another history, an address that is no node's, a state that cannot apply what it is sent. The
   *   replica goes on trying where that could help, and a later call may resolve
   */
  async synced(wait?: Wait): Promise<Position> {
    const { node, waits } = this.parts;
    await waits.until(
      "synced()",
      wait,
      () => node.isSynced || needHope(node.core, (why) => asEmbedder(why)),
    );
    return node.position;
  }

  /**
   * Resolves once this replica has applied the log up to `at` (Primary.written, or a position), or one that
   * goes on from there: then it shows what was written before. `at` may be a text: Primary.token, or what
   * REPL.TOKEN of a daemon answered.
   * @throws {HawserError} ERR_POSITION_GONE, at once, when the log went on from before it; else as synced()
   */
  async reached(at: LogPosition | string, wait?: Wait): Promise<void> {
    const { node, waits } = this.parts;
    const { core } = node;
    await waits.until("reached()", wait, () => {
      const place = placeOf("reached()", at);
      return (
        hasReached(core, place) ||
        needThere("reached()", core, place) ||
        needHope(core, (why) => asEmbedder(why))
      );
    });
  }

  /**
   * Stops following and becomes a primary with a new history, which takes writes. Others can follow
   * it where they could before. This object reads the same state, and closing either closes both.
   * Rejects, and goes on as a replica, when this replica never had a state, which `force` overrides by
   * an empty primary, when its state is inside a batch that it could not apply, and when it was closed.
   */
  promote({ force = false }: { readonly force?: boolean } = {}): Promise<Primary> {
    if (this.promoted !== null) return this.promoted;
    const { node, waits } = this.parts;
    if (waits.isClosed)
      return Promise.reject(new NodeError("ERR_CLOSED", "not promoted: this replica was closed"));
    const promoted = new Promise<Primary>((resolve, reject) => {
      if (node.isLoading() && !force)
        throw new NodeError("ERR_NOT_PROMOTED", asEmbedder(NEVER_SYNCED));
      const done = (why: string | null): void => {
        if (why === null) resolve(primaryOver(this.parts));
        else reject(new NodeError("ERR_NOT_PROMOTED", asEmbedder(why)));
      };
      const refusal = node.promote(force, done);
      if (refusal !== null) done(refusal);
    });
    this.promoted = promoted;
    promoted.catch(() => {
      this.promoted = null;
    });
    return promoted;
  }
}
