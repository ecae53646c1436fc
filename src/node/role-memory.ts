/**
 * Which role a node starts in: what its flags say, and what was decided at runtime (REPLICAOF, a
 * promotion, the end of seeding) and is remembered in --dir.
 *
 *   remembered         flags                     starts as
 *   nothing            primary                   primary
 *   nothing            primary --seed-from S     seeds from S
 *   nothing            replica --of X            replica of X
 *   replica of Y       any                       replica of Y
 *   primary            primary --seed-from S     seeds from S
 *   primary            any other                 primary; empty, if its state was in memory
 *   resigned for Y     any                       resigned for Y: resignation.ts
 *   any                any, --role-from-flags    as if nothing were remembered, which is forgotten
 *
 * Flags that say something else than what they are overruled by, or overrule, are told in the log.
 * Pure. Owns: the decision, the text of role.json, which node.json replaced. Does not own: the file (directory.ts).
 */
import { LIMITS } from "../limits.ts";
import { type Json, jsonOf, objectOf, shownJson } from "../wire/json-fields.ts";
import { type Address, isSameAddress } from "../net/address.ts";
import { readResignation, type Resignation } from "./resignation.ts";

const VERSION = 1;

export type RoleMemory =
  | { readonly role: "primary"; readonly upstream: null }
  | { readonly role: "replica"; readonly upstream: Address }
  | ({ readonly role: "resigned" } & Resignation);

/** What the command line says. */
export interface RoleFlags {
  readonly command: "primary" | "replica";
  /** Null on a primary. */
  readonly of: Address | null;
  readonly seedFrom: readonly Address[];
  readonly roleFromFlags: boolean;
  /** The state is on the disk too, perhaps. */
  readonly keepsState: boolean;
}

export interface StartingRole {
  readonly role: "primary" | "replica";
  /** Whom it follows; null on a primary, and before a source was chosen. */
  readonly upstream: Address | null;
  /** Where it gets its state from before it is a primary; empty when it does not seed. */
  readonly sources: readonly Address[];
  /** Flags and memory differ, and which of the two is followed. */
  readonly conflict: "none" | "memory_won" | "flags_won";
  /** It was a primary, and its state is gone unless it is on the disk. */
  readonly emptied: boolean;
  /** It hands over, to whom it is a replica of. */
  readonly resignation?: Resignation;
}

/** Decides; see the table above. */
export function startingRole(flags: RoleFlags, memory: RoleMemory | null): StartingRole {
  const differs = memory !== null && !agree(flags, memory);
  if (memory === null || flags.roleFromFlags) return byFlags(flags, differs ? "flags_won" : "none");
  const conflict = differs ? "memory_won" : "none";
  if (memory.role === "resigned") {
    const { upstream } = memory;
    const replica = { role: "replica", upstream, sources: [], conflict, emptied: false } as const;
    return { ...replica, resignation: memory };
  }
  if (memory.role === "replica")
    return {
      role: "replica",
      upstream: memory.upstream,
      sources: [],
      conflict,
      emptied: false,
    };
  if (flags.seedFrom.length > 0) return byFlags(flags, conflict);
  return { role: "primary", upstream: null, sources: [], conflict, emptied: true };
}

function byFlags(flags: RoleFlags, conflict: StartingRole["conflict"]): StartingRole {
  const { of: upstream, seedFrom: sources, command } = flags;
  const role = sources.length > 0 ? "replica" : command;
  return { role, upstream, sources, conflict, emptied: false };
}

function agree(flags: RoleFlags, memory: RoleMemory): boolean {
  if (memory.role === "primary") return flags.command === "primary";
  return isSameAddress(flags.of, memory.upstream);
}

/** "primary", "replica of host:port" or "resigned for host:port": for log lines. */
export function roleText(
  role: "primary" | "replica" | "resigned",
  upstream: Address | null,
): string {
  if (upstream === null) return role;
  const of = role === "resigned" ? "resigned for" : `${role} of`;
  return `${of} ${upstream.host}:${upstream.port}`;
}

/** Reads role.json, every field checked. @throws {Error} naming what is wrong */
export function decodeRole(text: string): RoleMemory {
  const root = objectOf(jsonOf(text), "the text");
  if (root["version"] !== VERSION)
    throw new Error(`version is ${shownJson(root["version"])}, expected ${VERSION}`);
  return readRole(root);
}

/** What an object says of a role, every field checked. @throws {Error} naming what is wrong */
export function readRole(value: Json): RoleMemory {
  const { role, upstream } = value;
  if (role === "primary") {
    if (upstream !== null) throw new Error("upstream of a primary is not null");
    return { role, upstream };
  }
  if (role !== "replica" && role !== "resigned")
    throw new Error(`role is ${shownJson(role)}, expected primary, replica or resigned`);
  const address = readAddress(upstream, "upstream");
  if (role === "replica") return { role, upstream: address };
  return { role, ...readResignation(value, address) };
}

/** Whom it was told to follow. @throws {Error} naming what is wrong */
export function readAddress(value: unknown, name: string): Address {
  const { host, port } = objectOf(value, name);
  if (typeof host !== "string" || host === "" || Buffer.byteLength(host) > LIMITS.textBytesMax)
    throw new Error(`${name}.host is no text of 1 to ${LIMITS.textBytesMax} bytes`);
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`${name}.port is ${shownJson(port)}, expected 1 to 65535`);
  return { host, port };
}
