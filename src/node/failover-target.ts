/**
 * Which replica is to lead in a planned failover, and why there is none, in redis's words.
 *
 *   said                 the target                                  else
 *   TO host port         the streaming replica that announced them,  not a replica; not online
 *                        or connects from that host
 *   nothing              of those that stream the furthest           requires connected replicas
 *
 * The port may be its client port, as redis has it, or its replication port.
 * Pure. Owns: the choice. Does not own: what follows (failover.ts).
 */
import { type Address, hostOf } from "../net/address.ts";
import type { Control, Id, NodeAddress } from "../wire/messages.ts";

/** A replica's connection; primary/link.ts. */
export interface TargetLink {
  readonly remote: string;
  readonly hello: { readonly storeId: Id; readonly address: NodeAddress } | null;
  readonly state: { readonly kind: string };
  /** The ship whose swap is not confirmed. */
  readonly finishing: unknown;
  /** What it confirmed that it has applied; -1 before. */
  readonly confirmed: number;
}

/** The same, as it is spoken to. */
export interface FailoverLink extends TargetLink {
  /** Says it between two batches, as soon as the link streams. */
  sayBetween(message: Control): void;
}

export const NO_REPLICAS = "FAILOVER requires connected replicas.";
export const NO_SUCH_REPLICA = "FAILOVER target HOST and PORT is not a replica.";
export const NOT_ONLINE = "FAILOVER target replica is not online.";
const NO_PORT = "FAILOVER target replica announces no replication port.";

const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "::1"]);

export type TargetChoice<L> =
  { readonly link: L; readonly refusal: null } | { readonly link: null; readonly refusal: string };

export function chooseTarget<L extends TargetLink>(
  links: readonly L[],
  to: Address | null,
): TargetChoice<L> {
  if (links.length === 0) return refused(NO_REPLICAS);
  const named = to === null ? links : links.filter((link) => isAt(link, to));
  if (named.length === 0) return refused(NO_SUCH_REPLICA);
  const online = named.filter(isOnline);
  if (online.length === 0) return refused(NOT_ONLINE);
  const able = online.filter((link) => link.hello!.address.replPort !== 0);
  if (able.length === 0) return refused(NO_PORT);
  const link = able.reduce((best, each) => (each.confirmed > best.confirmed ? each : best));
  return { link, refusal: null };
}

/** Where its replication port is. */
export function addressOf({ hello, remote }: Pick<TargetLink, "hello" | "remote">): Address {
  const { host, replPort: port } = hello!.address;
  return { host: host || hostOf(remote), port };
}

function refused(refusal: string): { readonly link: null; readonly refusal: string } {
  return { link: null, refusal };
}

function isOnline({ state, finishing }: TargetLink): boolean {
  return state.kind === "streaming" && finishing === null;
}

function isAt({ hello, remote }: TargetLink, { host, port }: Address): boolean {
  if (hello === null) return false;
  const { address } = hello;
  if (port !== address.clientPort && port !== address.replPort) return false;
  return isSameHost(host, address.host) || isSameHost(host, hostOf(remote));
}

function isSameHost(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase() || (LOOPBACK.has(a) && LOOPBACK.has(b));
}
