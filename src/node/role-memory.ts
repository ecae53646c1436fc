/**
 * Which role a node starts in: what its flags say, and what was decided at runtime (REPLICAOF, a
 * promotion, the end of seeding) and is remembered in --dir.
 *
 *   remembered         flags                     starts as
 *   nothing            primary                   primary
 *   nothing            primary --seed-from S     seeds from S
 *   nothing            replica --of X            replica of X
 *   replica of Y       any                       replica of Y
 *   primary            primary --seed-from S     primary, as without S: S is asked as well (reclaim-plan.ts); seeds
 *                                                from S if its state was in memory, or its directory has none
 *   primary            any other                 primary; empty, if its state was in memory
 *   resigned for Y     any                       resigned for Y: resignation.ts
 *   fenced             primary --seed-from S     fenced; if its state was in memory it seeds from whoever fenced it, if
 *                                                that one is known, and from S, and never leads by itself
 *   fenced             any other                 fenced, by whoever it was
 *   any                any, --role-from-flags    as if nothing were remembered, which is forgotten
 *
 * Flags that say something else than what they are overruled by, or overrule, are told in the log.
 * Pure. Owns: the decision, the text of role.json, which node.json replaced. Does not own: the file (directory.ts).
 */
import { type Json, jsonOf, objectOf, shownJson } from "../wire/json-fields.ts";
import { type Address, isSameAddress } from "../net/address.ts";
import { readResignation, type Resignation } from "./resignation.ts";
import { type Fence, readFence } from "./fence.ts";
import { keptAddressOf } from "./kept-address.ts";

const VERSION = 1;

export type RoleMemory =
  | { readonly role: "primary"; readonly upstream: null }
  | { readonly role: "replica"; readonly upstream: Address }
  | ({ readonly role: "resigned" } & Resignation)
  | { readonly role: "fenced"; readonly upstream: null; readonly fence: Fence };

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
  /** Where it gets its state from before it is a primary; on a primary whom it asks, and gets it from if it has none. */
  readonly sources: readonly Address[];
  /** Flags and memory differ, and which of the two is followed. */
  readonly conflict: "none" | "memory_won" | "flags_won";
  /** It led, and somebody leads with a higher rank; null else. */
  readonly fence: Fence | null;
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
    return { ...replica, fence: null, resignation: memory };
  }
  if (memory.role === "replica")
    return {
      role: "replica",
      upstream: memory.upstream,
      sources: [],
      conflict,
      fence: null,
      emptied: false,
    };
  return memory.role === "primary"
    ? ofPrimary(flags, conflict)
    : ofFenced(flags, conflict, memory.fence);
}

function ofPrimary(flags: RoleFlags, conflict: StartingRole["conflict"]): StartingRole {
  const { seedFrom: sources, keepsState } = flags;
  if (sources.length > 0 && !keepsState) return byFlags(flags, conflict);
  return { role: "primary", upstream: null, sources, conflict, fence: null, emptied: true };
}

/** Why it seeds without a state: there is nothing that could be discarded, and a source knows who leads. */
function ofFenced(
  flags: RoleFlags,
  conflict: StartingRole["conflict"],
  fence: Fence,
): StartingRole {
  const { seedFrom, keepsState } = flags;
  const leader = fence.leader === null ? [] : [fence.leader];
  const sources = seedFrom.length > 0 && !keepsState ? [...leader, ...seedFrom] : [];
  return { role: "replica", upstream: null, sources, conflict, fence, emptied: false };
}

function byFlags(flags: RoleFlags, conflict: StartingRole["conflict"]): StartingRole {
  const { of: upstream, seedFrom: sources, command } = flags;
  const role = sources.length > 0 ? "replica" : command;
  return { role, upstream, sources, conflict, fence: null, emptied: false };
}

function agree(flags: RoleFlags, memory: RoleMemory): boolean {
  if (memory.role === "primary" || memory.role === "fenced") return flags.command === "primary";
  return isSameAddress(flags.of, memory.upstream);
}

/** "primary", "replica of host:port" or "resigned for host:port": for log lines. */
export function roleText(role: RoleMemory["role"], upstream: Address | null): string {
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
  const { role, upstream, fence } = value;
  switch (role) {
    case "replica":
      return { role, upstream: keptAddressOf(upstream, "upstream") };
    case "resigned":
      return { role, ...readResignation(value, keptAddressOf(upstream, "upstream")) };
    case "primary":
    case "fenced":
      if (upstream !== null) throw new Error("there is an upstream of a node that follows nobody");
      return role === "primary" ? { role, upstream } : { role, upstream, fence: readFence(fence) };
    default:
      throw new Error(`role is ${shownJson(role)}, expected primary, replica, resigned or fenced`);
  }
}
