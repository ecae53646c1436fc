/**
 * Who has to go when more connections than there are places have not finished their handshake.
 * Strangers cost the most and are worth the least: known addresses keep their places, a connection
 * that said something goes after one that said nothing, and of two the one goes whose address has
 * more of them; then the oldest.
 *
 * Pure. Owns: that order, addresses from which replicas came. Does not own: connections.
 * Tested in: test/unit/primary/doorstep.test.ts.
 */

/** Addresses that are remembered; the one that was seen longest ago is forgotten first. */
const ADDRESSES_MAX = 1_000;

/** A connection that has not finished its handshake. */
export interface Pending {
  /** "address:port". */
  readonly remote: string;
  /** It has said something. */
  readonly spoke: boolean;
}

export class Crowd {
  private readonly known = new Set<string>();

  /** A replica was welcomed from there. */
  welcomed(remote: string): void {
    const address = addressOf(remote);
    this.known.delete(address);
    this.known.add(address);
    const oldest = this.known.values().next().value;
    if (this.known.size > ADDRESSES_MAX && oldest !== undefined) this.known.delete(oldest);
  }

  /** Who goes first of `pending`, oldest first; undefined when there is none. */
  firstToGo<T extends Pending>(pending: readonly T[]): T | undefined {
    const counts = new Map<string, number>();
    for (const { remote } of pending) {
      const address = addressOf(remote);
      counts.set(address, (counts.get(address) ?? 0) + 1);
    }
    const worth = ({ remote, spoke }: T): number => {
      const address = addressOf(remote);
      const few = 1 / (1 + (counts.get(address) ?? 0));
      return (this.known.has(address) ? 4 : 0) + (spoke ? 2 : 0) + few;
    };
    let first: T | undefined;
    for (const one of pending) if (first === undefined || worth(one) < worth(first)) first = one;
    return first;
  }
}

/** The part of "address:port" that another connection of the same machine has too. */
export function addressOf(remote: string): string {
  return remote.slice(0, Math.max(0, remote.lastIndexOf(":")));
}
