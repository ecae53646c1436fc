/**
 * What must be true after every event, and at the end. Compares every node with what was really
 * written (truth.ts); knows nothing of how the cores do it.
 */
import assert from "node:assert/strict";
import type { Fields } from "../../src/primary/journal.ts";
import type { Consent } from "../../src/wire/messages.ts";
import { SimError } from "./clock.ts";
import type { SimNode } from "./sim-node.ts";
import type { Simulation } from "./simulation.ts";
import { digestOf, isPrefix, Truth, Writer, type Boundary } from "./truth.ts";

/** What was last seen of a node. */
interface Seen {
  at: Boundary;
  applied: number;
  resyncs: number;
  hasData: boolean;
  consent: Consent;
  writer: Writer | null;
  /** Where it was before each resync: what it once held. */
  readonly past: Boundary[];
}

export class Checker {
  readonly truth: Truth = new Truth();
  private readonly sim: Simulation;
  private readonly seen = new Map<SimNode, Seen>();

  constructor(sim: Simulation) {
    this.sim = sim;
  }

  private fail(node: SimNode, what: string): never {
    throw new SimError(`${node.name}: ${what}`);
  }

  onStart(node: SimNode): void {
    const { next, chain } = node.backlog;
    const at = this.truth.root(next, chain, digestOf(node.store));
    this.seen.set(node, {
      at,
      applied: 0,
      resyncs: 0,
      hasData: false,
      consent: "none",
      writer: node.role === "primary" ? new Writer(at) : null,
      past: [],
    });
  }

  onFollow(node: SimNode, consent: Consent): void {
    const seen = this.seen.get(node)!;
    if (consent !== "none") seen.consent = consent;
  }

  /** A record was appended and applied. */
  onWrite(node: SimNode): void {
    const { writer } = this.seen.get(node)!;
    assert(writer !== null);
    writer.pending.push({ tail: node.backlog.tail, digest: digestOf(node.store) });
    this.truth.seal(writer, node.backlog);
  }

  // --- after every event -------------------------------------------------------------------------

  observe(node: SimNode): void {
    const seen = this.seen.get(node)!;
    const { backlog } = node;
    if (node.role === "primary") this.observePrimary(node, seen);
    else seen.writer = null;
    this.checkCaps(node);
    const { done } = (node.session as unknown as { applier: { done: number } }).applier;
    const moved = seen.at.offset !== backlog.next || seen.at.chain !== backlog.chain;
    if (!moved && seen.applied === done && seen.resyncs === node.resyncs) return;
    const at = this.truth.find(backlog.next, backlog.chain);
    if (at === undefined) this.fail(node, `is at ${backlog.next}, which nobody ever wrote`);
    if (seen.resyncs === node.resyncs) {
      if (!isPrefix(seen.at, at))
        this.fail(node, `went from ${seen.at.offset} to ${at.offset} without a resync`);
    } else {
      this.checkWipe(node, seen, at);
      seen.past.push(seen.at);
    }
    if (node.role === "replica") this.checkState(node, at, done);
    seen.at = at;
    seen.applied = done;
    seen.resyncs = node.resyncs;
    seen.hasData = node.hasData();
  }

  private observePrimary(node: SimNode, seen: Seen): void {
    if (seen.writer === null) {
      const at = this.truth.find(node.backlog.next, node.backlog.chain);
      if (at === undefined) this.fail(node, "was promoted where nobody ever wrote");
      seen.writer = new Writer(at);
    }
    this.truth.seal(seen.writer, node.backlog);
  }

  private checkState(node: SimNode, at: Boundary, done: number): void {
    const digest = digestOf(node.store);
    if (done === 0) {
      if (digest !== at.digest)
        this.fail(node, `at ${at.offset} the state is ${digest}, the primary's was ${at.digest}`);
      return;
    }
    this.sim.mark("inside_batch");
    const known = at.children.some((child) => child.steps.includes(digest));
    if (!known) this.fail(node, `inside the batch at ${at.offset} the state is no prefix of it`);
  }

  /** An unrelated state may replace data only with consent. */
  private checkWipe(node: SimNode, seen: Seen, at: Boundary): void {
    if (!seen.hasData || rootOf(seen.at) === rootOf(at)) return;
    if (seen.consent === "none")
      this.fail(node, "lost its data to an unrelated state without consent");
    if (seen.consent === "replicaof" && at.digest.startsWith("0:"))
      this.fail(node, "lost its data to an empty state by REPLICAOF alone");
    this.sim.mark("reset_by_consent");
  }

  private checkCaps(node: SimNode): void {
    const { feeder, backlog } = node;
    const { settings } = this.sim;
    for (const link of feeder.links) {
      const most = settings.feeder.outputCapBytes / 2 + settings.slotBytes + 16_384;
      if (link.output.bytes > most) this.fail(node, `an output holds ${link.output.bytes} bytes`);
      if (link.state.kind === "streaming" && link.applied > link.sent)
        this.fail(node, `applied ${link.applied} of ${link.sent} sent`);
    }
    if (backlog.first > backlog.next || backlog.next > backlog.tail)
      this.fail(node, "the log is not in order");
    if (feeder.holds.count > feeder.links.length + feeder.parking.list().length)
      this.fail(node, `${feeder.holds.count} holds, ${feeder.links.length} links`);
  }

  // --- events of the cores -------------------------------------------------------------------------

  onEvent(node: SimNode, event: string, fields: Fields): void {
    if (event === "resume") this.checkResume(node, fields);
    if (event === "link_closed") this.sim.mark(`closed_${String(fields["reason"])}`);
    if (!this.sim.plan.flips) {
      if (event === "link_closed" && fields["reason"] === "protocol")
        this.fail(node, `a link ended by a protocol error: ${String(fields["detail"])}`);
      if (event === "upstream_lost" && String(fields["why"]).startsWith("ERR_"))
        this.fail(node, `the upstream broke the protocol: ${String(fields["why"])}`);
    }
    if (this.sim.peace && event === "upstream_lost" && String(fields["why"]).includes("unrelated"))
      this.sim.operatorConsents(node);
    if (event === "upstream_refused" && String(fields["why"]).startsWith("ERR_"))
      this.fail(node, `stopped for good: ${String(fields["why"])}`);
  }

  /** The decision against what was really written. */
  private checkResume(node: SimNode, fields: Fields): void {
    const seen = this.seen.get(node)!;
    if (seen.writer !== null && node.role === "primary") this.truth.seal(seen.writer, node.backlog);
    const kind = String(fields["case"]);
    this.sim.mark(`resume_${kind}`);
    const claim = this.truth.find(
      Number(fields["replica_offset"]),
      Number(fields["replica_chain"]),
    );
    if (claim === undefined)
      this.fail(node, `a replica claims ${String(fields["replica_offset"])}, never written`);
    const own = this.truth.find(node.backlog.next, node.backlog.chain);
    if (own === undefined) this.fail(node, "is where nobody ever wrote");
    const fits = isPrefix(claim, own) && claim.offset >= node.backlog.first;
    if (kind === "continue" && !fits)
      this.fail(node, `continues a replica at ${claim.offset} on another log`);
    const ships = [
      "too_old",
      "ahead_of_primary",
      "chain_differs",
      "diverged",
      "reset",
      "unrelated",
    ];
    if (ships.includes(kind) && fits && rootOf(claim) === rootOf(own) && claim.depth > 0)
      this.fail(
        node,
        `needless full sync: ${kind}, though the replica at ${claim.offset} is on our log`,
      );
  }

  // --- WAIT --------------------------------------------------------------------------------------

  wait(node: SimNode): void {
    const { sim } = this;
    const wanted = sim.random.between(1, 3);
    const timeoutMs = sim.random.pick([200, 2_000, Number.POSITIVE_INFINITY]);
    const { tail } = node.backlog;
    const before = this.seen.get(node)!;
    const log = before.writer;
    const { resyncs } = node;
    node.feeder.wait(tail, wanted, node.now() + timeoutMs, (count) => {
      if (count < wanted) return;
      if (node.resyncs !== resyncs) {
        sim.mark("wait_over_resync");
        return;
      }
      sim.mark("wait_satisfied");
      let at: Boundary | null = log!.at;
      while (at !== null && at.offset > tail) at = at.parent;
      if (at?.offset !== tail) this.fail(node, `WAIT for ${tail}, which was never sealed`);
      const written = at;
      const holders = [...this.seen].filter(
        ([other, seen]) =>
          other !== node && [seen.at, ...seen.past].some((held) => isPrefix(written, held)),
      );
      if (holders.length < count)
        this.fail(node, `WAIT for ${tail} counted ${count}, ${holders.length} hold it`);
    });
  }

  // --- the end -----------------------------------------------------------------------------------

  /** A replica that stays where it is may have to be told that its data may go. */
  onConsentNeeded(node: SimNode, root: SimNode): void {
    const own = this.seen.get(node)!;
    const top = this.seen.get(root)!;
    if (rootOf(own.at) !== rootOf(top.at)) this.sim.follow(node, node.upstream, "reset");
  }

  final(): void {
    const digests = new Set<string>();
    for (const node of this.sim.nodes.values()) {
      digests.add(digestOf(node.store));
      const { feeder, backlog, store, session } = node;
      const left = {
        holds: feeder.holds.count,
        parked: feeder.parking.list().length,
        queued: feeder.shipping.queued,
        readings: feeder.shipping.activeReadings,
        sources: node.sources.size,
        snapshots: store.stats().snapshotsOpen,
        pinned: backlog.pinnedBytes,
        restore: session.restore === null ? 0 : 1,
        partial: backlog.partialBytes,
      };
      for (const [what, count] of Object.entries(left))
        if (count !== 0) this.fail(node, `${count} ${what} left over at the end`);
    }
    if (digests.size !== 1)
      throw new SimError(`states differ at the end: ${[...digests].join(" ")}`);
  }
}

function rootOf(at: Boundary): Boundary {
  let top = at;
  while (top.parent !== null) top = top.parent;
  return top;
}
