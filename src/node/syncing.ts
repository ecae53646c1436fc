/**
 * A replica that is asked to sync its log (SYNC): somebody waits at its upstream until this disk has it.
 *
 *   SYNC(to) -> applied up to `to` -> the disk hears that somebody waits -> durable up to `to` -> ACK
 *
 * The newest one on the present connection counts: an upstream says the next when this one is answered, or
 * when the state that it was about is gone. Without a disk none counts.
 * Pure core. Owns: what it waits for. Does not own: the sync (log/disk/), what ACK says (replica/ack-clock.ts).
 */
import type { SyncRequest } from "../wire/messages.ts";

/** The node, as it is asked; core.ts. */
export interface SyncingNode {
  readonly backlog: {
    readonly next: number;
    readonly durable: number;
    /** Infinity when nothing is kept. */
    readonly store: { readonly durable: number };
    persist(): void;
    wantDurable(): void;
  };
  readonly session: {
    /** Of the present connection: another one has another. */
    readonly decoder: object | null;
    wantAck(): void;
    wantStep(): void;
  };
  readonly feeder: { readonly counters: { bump(name: string): void } };
  readonly turn: { until(holds: () => boolean, done: () => void): () => void };
}

export class Syncing {
  readonly #node: SyncingNode;
  #newest: SyncRequest | null = null;

  constructor(node: SyncingNode) {
    this.#node = node;
  }

  on(request: SyncRequest): void {
    const { backlog, feeder, session } = this.#node;
    if (backlog.store.durable === Number.POSITIVE_INFINITY) return;
    const { offset } = request;
    this.#newest = request;
    this.#when(
      () => backlog.next >= offset,
      () => {
        backlog.persist();
        if (backlog.durable < offset) {
          feeder.counters.bump("syncs_asked_for");
          backlog.wantDurable();
        }
        this.#when(
          () => backlog.durable >= offset,
          () => {
            session.wantAck();
            session.wantStep();
          },
        );
      },
    );
  }

  /** Unless another was said, or the connection is another. */
  #when(holds: () => boolean, done: () => void): void {
    const { session, turn } = this.#node;
    const { decoder } = session;
    const newest = this.#newest;
    const isOver = (): boolean => this.#newest !== newest || session.decoder !== decoder;
    turn.until(
      () => isOver() || holds(),
      () => {
        if (!isOver()) done();
      },
    );
  }
}
