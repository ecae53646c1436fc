/**
 * The store's upkeep in an embedder's process: expired keys are deleted through the log (primary
 * only), memory is tidied, a little at a time.
 */
import type { Keyspace } from "../daemon/keyspace.ts";
import type { DaemonNode } from "../daemon/node.ts";

const UPKEEP_MS = 100;
/** Keys deleted and slices of tidying in one go: well under a millisecond. */
const EXPIRED_MAX = 200;
const SLICES_MAX = 4;

/** @returns stop */
export function startUpkeep(node: DaemonNode, keys: Keyspace): () => void {
  const timer = setInterval(() => {
    keys.refresh(Date.now());
    if (node.writeRefusal() === null) {
      const { store } = node;
      store.expired(keys.now, EXPIRED_MAX, (bytes, from, to) => keys.dropExpired(bytes, from, to));
      node.afterClientRead();
    }
    for (let slice = 0; slice < SLICES_MAX; slice++) if (!node.store.maintain()) break;
  }, UPKEEP_MS).unref();
  return () => clearInterval(timer);
}
