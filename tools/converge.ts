/**
 * The oracle of every end-to-end test: all nodes at one position with one digest of their state,
 * and the counters that say which path they took to get there.
 *
 * Owns: comparing. Does not own: processes, or which counters a test expects.
 */
import type { Daemon } from "./processes.ts";
import { textOf } from "./resp-client.ts";
import { show, until } from "./wait.ts";

export interface Digest {
  readonly history: string;
  readonly offset: number;
  readonly records: number;
  readonly sum: string;
}

export interface Converged extends Digest {
  /** Counters of each node, in the order the nodes were given. */
  readonly counters: readonly Readonly<Record<string, number>>[];
}

/** REPL.DIGEST of one node. */
export async function digestOf(node: Daemon): Promise<Digest> {
  const reply = await node.call("REPL.DIGEST");
  if (!Array.isArray(reply) || reply.length !== 4) {
    throw new Error(`REPL.DIGEST of ${node.name} is no array of 4: ${show(reply)}`);
  }
  const [history, offset, records, sum] = reply.map(textOf) as [string, string, string, string];
  return { history, offset: Number(offset), records: Number(records), sum };
}

/** Counter by name, 0 when it was never counted. */
export function count(counters: Readonly<Record<string, number>>, name: string): number {
  return counters[name] ?? 0;
}

/**
 * Waits until the nodes stand at one position, and compares their states. Nobody may write meanwhile.
 * @param nodes the root first; the others are replicas of it, direct or not
 * @throws Error with all digests when equal positions hold unequal states
 */
export async function converge(nodes: readonly Daemon[], timeoutMs = 60_000): Promise<Converged> {
  const options = {
    what: `${nodes.map((node) => node.name).join(", ")} to stand at one position`,
    timeoutMs,
    describe: () => Promise.all(nodes.map(positionText)),
  };
  // Why again: a primary deletes expired keys through the log whenever it finds one.
  const digests = await until(
    async () => (await samePosition(nodes)) && digestsAtOnePosition(nodes),
    options,
  );
  const [root] = digests as [Digest];
  if (!digests.every((digest) => isSame(digest, root))) {
    const lines = nodes.map((node, i) => `${node.name}: ${show(digests[i])}`);
    throw new Error(`equal positions, unequal states:\n  ${lines.join("\n  ")}`);
  }
  const statuses = await Promise.all(nodes.map((node) => node.status()));
  return { ...root, counters: statuses.map((status) => status.counters) };
}

/** False when one of them moved on meanwhile. */
async function digestsAtOnePosition(nodes: readonly Daemon[]): Promise<Digest[] | false> {
  const digests = await Promise.all(nodes.map(digestOf));
  const { history, offset } = digests[0]!;
  const isOne = digests.every((digest) => digest.history === history && digest.offset === offset);
  return isOne && digests;
}

async function samePosition(nodes: readonly Daemon[]): Promise<boolean> {
  const statuses = await Promise.all(nodes.map((node) => node.status()));
  const root = statuses[0]!.position;
  return statuses.every(
    ({ position, upstream }, i) =>
      position.history === root.history &&
      position.offset === root.offset &&
      (i === 0 || upstream?.state === "streaming"),
  );
}

function isSame(one: Digest, other: Digest): boolean {
  return show(one) === show(other);
}

async function positionText(node: Daemon): Promise<string> {
  try {
    const { role, position, upstream } = await node.status();
    const at = `${position.history.slice(0, 8)}:${position.offset}`;
    const session = upstream ? `, ${upstream.state}, ${show(upstream.lastError)}` : "";
    return `${node.name}: ${role} at ${at}${session}`;
  } catch (error) {
    return `${node.name}: ${String(error)}`;
  }
}
