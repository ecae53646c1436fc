/**
 * What a node's parts see of it: the node as its feeder sees it (NodeView) and as its session sees
 * it (ReplicaNode). Both read the identity at every use.
 *
 * Owns: the two views, clocks against the root. Does not own: role changes (node.ts).
 */
import type { NodeView, RootWord } from "../primary/deps.ts";
import type { ReplicaNode } from "../replica/deps.ts";
import { downForMs, owedBytes } from "../replica/owed.ts";
import type { Session } from "../replica/session.ts";
import type { Consent, Format, Id, Lineage, NodeAddress } from "../wire/messages.ts";
import type { Identity } from "./identity.ts";

/** The parts of the node that the views need; node.ts is one. */
export interface RoleOwner {
  readonly identity: Identity;
  readonly state: { readonly format: Format };
  readonly role: "primary" | "replica";
  readonly session: Session;
  /** It has, or had, a state of its own or of an upstream. */
  readonly everSynced: boolean;
  /** Whom it follows, null on a primary. */
  readonly upstream: { readonly host: string; readonly port: number } | null;
  readonly now: () => number;
  readonly wallClock: () => number;
  hasData(): boolean;
  address(): NodeAddress;
  onHistoryChanged(why: string): void;
  onSwapped(): void;
  onSynced(): void;
}

/** A root is heard of each second; after this it is not known to live any more. */
const SILENT_MS = 5_000;

/** What both views say: read from the identity at every use. */
class IdentityView {
  protected readonly owner: RoleOwner;

  constructor(owner: RoleOwner) {
    this.owner = owner;
  }

  get format(): Format {
    return this.owner.state.format;
  }
  get nodeId(): Id {
    return this.owner.identity.nodeId;
  }
  get history(): Id {
    return this.owner.identity.history;
  }
  get lineage(): Lineage {
    return this.owner.identity.lineage;
  }
}

export class FeederView extends IdentityView implements NodeView {
  get role(): "primary" | "replica" {
    return this.owner.role;
  }
  get path(): readonly Id[] {
    return this.owner.identity.path;
  }
  get ready(): boolean {
    return this.owner.role === "primary" || this.owner.everSynced;
  }
  get torn(): boolean {
    return this.owner.role === "replica" && this.owner.session.torn;
  }
  get atBoundary(): boolean {
    return this.owner.role === "primary" || this.owner.session.atBoundary;
  }

  get upstream(): { readonly host: string; readonly port: number } {
    const { role, upstream } = this.owner;
    return role === "primary" || upstream === null ? { host: "", port: 0 } : upstream;
  }
  get rootLives(): boolean {
    const { role, session } = this.owner;
    if (role === "primary" || !session.connected) return false;
    const { awayMs, ageMs } = this.root();
    return awayMs === 0 && ageMs < SILENT_MS;
  }

  /** On a replica what was heard of it, moved on by our own monotonic clock. */
  root(): RootWord {
    const { role, session, wallClock } = this.owner;
    if (role === "primary")
      return { clockMs: Math.max(0, wallClock()), ageMs: 0, awayMs: 0, owedBytes: 0 };
    const nowMs = this.owner.now();
    const downMs = downForMs(session, nowMs);
    const word = session.root.wordAt(nowMs, downMs);
    if (word === null)
      return { clockMs: Math.max(0, wallClock()), ageMs: 0, awayMs: downMs, owedBytes: -1 };
    return { ...word, owedBytes: this.owedToFollowers() };
  }

  /** A snapshot takes us further than its bytes; who follows us goes by offsets of the log. */
  private owedToFollowers(): number {
    const { session, identity } = this.owner;
    const { root, deps } = session;
    const owed = owedBytes(session, root.end);
    if (owed < 0 || root.history !== identity.history) return owed;
    return Math.max(owed, root.end - deps.log.next);
  }
}

export class SessionView extends IdentityView implements ReplicaNode {
  get replicaId(): Id {
    return this.owner.identity.replicaId;
  }
  get instanceId(): Id {
    return this.owner.identity.instanceId;
  }

  address(): NodeAddress {
    return this.owner.address();
  }
  hasData(): boolean {
    return this.owner.hasData();
  }
  consent(nodeId?: Id): Consent {
    const { consent } = this.owner.identity;
    return nodeId === undefined ? consent.kind : consent.for(nodeId);
  }

  onWelcome(nodeId: Id, path: readonly Id[]): void {
    this.owner.identity.consent.bind(nodeId);
    if (this.owner.identity.setPath(path))
      this.owner.onHistoryChanged("the path to the root changed");
  }

  onRefused(): void {
    this.owner.identity.consent.useUp();
  }

  adopt(history: Id, lineage: Lineage): void {
    this.owner.identity.consent.useUp();
    if (this.owner.identity.adopt(history, lineage))
      this.owner.onHistoryChanged("the upstream's history changed");
    this.owner.onSynced();
  }

  onSwapped(history: Id, lineage: Lineage): void {
    this.owner.identity.consent.useUp();
    this.owner.identity.adopt(history, lineage);
    this.owner.onSwapped();
    this.owner.onSynced();
  }
}
