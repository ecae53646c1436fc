/**
 * What a planned failover promises, over all nodes of a cluster:
 *
 *   who is paused or has resigned        appends nothing
 *   who has resigned in a term           never leads in that term again, nor below it, restarted or not; nor in the
 *                                        next, which it handed on, unless it followed somebody in between
 *   who leads because it was told to     was named by one that has resigned, and has its whole log and no more,
 *   TAKE                                 or, by FORCE, a part of it
 *
 * Knows nothing of how the nodes do it. Owns: that. Does not own: when it is asked (checker.ts).
 */
import type { RoleMemory } from "../../src/node/role-memory.ts";
import type { Role } from "../../src/node/roles.ts";
import type { Fields } from "../../src/primary/journal.ts";
import { rankText } from "../../src/log/history.ts";
import type { Disk } from "./disk.ts";
import type { SimNode } from "./sim-node.ts";
import { type Boundary, isPrefix, type Truth } from "./truth.ts";

type Resigned = Extract<RoleMemory, { readonly role: "resigned" }>;

export interface ResignationsDeps {
  readonly truth: Truth;
  readonly mark: (what: string) => void;
  readonly fail: (node: SimNode, what: string) => never;
}

export class Resignations {
  readonly #deps: ResignationsDeps;
  /** Where the log of one ended that may not append. */
  readonly #still = new Map<SimNode, number>();
  /** The highest term in which each has resigned: of a process, or of a disk. */
  readonly #terms = new Map<SimNode | Disk, number>();
  /** The term that each has handed on, and followed nobody since. */
  readonly #handedOn = new Map<SimNode | Disk, number>();
  /** All there were, newest last. */
  readonly #all: Resigned[] = [];
  /** What a node was told to take last, since it was told to follow. */
  readonly #told = new Map<SimNode, Resigned>();

  constructor(deps: ResignationsDeps) {
    this.#deps = deps;
  }

  /** After something ran on it. */
  look(node: SimNode): void {
    const { kind } = node.core.roles.now;
    if (kind !== "paused" && kind !== "resigned") {
      this.#still.delete(node);
      return;
    }
    const { tail } = node.backlog;
    const before = this.#still.get(node) ?? tail;
    if (tail !== before)
      this.#deps.fail(node, `is ${kind}, and its log went from ${before} to ${tail}`);
    this.#still.set(node, tail);
  }

  /** It writes down that it has resigned. */
  resigned(node: SimNode, memory: Resigned): void {
    const { offset, chain } = memory.end;
    const { next, chain: own } = node.backlog;
    if (node.backlog.tail !== offset || next !== offset || own !== chain)
      this.#deps.fail(node, `resigns at ${offset}, and its log ends at ${node.backlog.tail}`);
    this.#all.push(memory);
    this.#terms.set(whoOf(node), memory.term - 1);
    this.#handedOn.set(whoOf(node), memory.term);
    this.#deps.mark(`hand over: resigned${memory.forced ? " by force" : ""}`);
  }

  /** Its upstream says TAKE. */
  told(node: SimNode, { term, offset }: Fields): void {
    const given = this.#all.findLast(
      (each) =>
        each.target === node.identity.storeId && each.term === term && each.end.offset === offset,
    );
    if (given === undefined) this.#deps.fail(node, `hears TAKE, and nobody has resigned for it`);
    this.#told.set(node, given);
  }

  /** It is told to lead, whatever its upstream says. */
  promoted(node: SimNode): void {
    this.#told.delete(node);
  }

  /** It follows another, or is fenced. */
  follows(node: SimNode): void {
    this.#told.delete(node);
    this.#handedOn.delete(whoOf(node));
  }

  /** It writes down that it leads. @returns whether that is because it was told TAKE */
  takes(node: SimNode): boolean {
    const given = this.#told.get(node);
    if (given === undefined) return false;
    const { fail, mark } = this.#deps;
    const own = this.#at(node, node.backlog.next, node.backlog.chain);
    const end = this.#at(node, given.end.offset, given.end.chain);
    if (own !== end && !given.forced)
      fail(node, `leads at ${own.offset}, and was handed a log that ends at ${end.offset}`);
    if (!isPrefix(own, end))
      fail(node, `leads by force at ${own.offset}, which is no part of what it was handed`);
    mark(`hand over: taken${own === end ? "" : " with less, by force"}`);
    return true;
  }

  #at(node: SimNode, offset: number, chain: number): Boundary {
    const at = this.#deps.truth.find(offset, chain);
    return at ?? this.#deps.fail(node, "takes a log that nobody ever wrote");
  }

  /** It leads, with a rank that was not seen before. */
  leads(node: SimNode): void {
    this.#told.delete(node);
    const { rank } = node.identity;
    const who = whoOf(node);
    const term = this.#handedOn.get(who) ?? this.#terms.get(who) ?? 0;
    this.#handedOn.delete(who);
    if (rank.term <= term)
      this.#deps.fail(node, `leads with rank ${rankText(rank)}, not above term ${term}`);
  }
}

/** What a start of it goes on from. */
function whoOf(node: SimNode): SimNode | Disk {
  return node.onDisk === null ? node : node.disk;
}

/** For whom it has resigned, also while it reads its disk; "" for nobody. */
export function resignedFor(role: Role): string {
  if (role.kind === "recovering") return resignedFor(role.then);
  return role.kind === "resigned" ? role.resignation.upstream.host : "";
}
