/**
 * The role in a node's node.json, and consent: what was decided at runtime about them, for the next start.
 *
 * Owns: reading at the start, and what the log says about it; writing before a change takes effect.
 * Does not own: the decision and the text (role-memory.ts), the file (node-file.ts).
 */
import type { Address } from "../net/address.ts";
import type { Journal } from "../primary/journal.ts";
import type { ConsentMemory } from "./consent.ts";
import { keptFor } from "./kept-consent.ts";
import { changeNode, readNode } from "./node-file.ts";
import {
  type RoleFlags,
  type RoleMemory,
  roleText,
  startingRole,
  type StartingRole,
} from "./role-memory.ts";

export class RoleFile {
  private readonly dir: string;

  /** `dir` "" remembers nothing. */
  constructor(dir: string) {
    this.dir = dir;
  }

  /** @throws {UsageError} naming the file, when it is damaged */
  read(): RoleMemory | null {
    return this.dir === "" ? null : (readNode(this.dir)?.role ?? null);
  }

  /**
   * The role to start in: what the flags say, or what is remembered; told in the log where the two
   * differ. @throws {UsageError} naming the file, when it is damaged
   */
  recall(flags: RoleFlags, journal: Journal): StartingRole {
    const memory = this.read();
    const start = startingRole(flags, memory);
    const { conflict, sources, emptied } = start;
    const told = {
      remembered: memory === null ? "" : roleText(memory.role, memory.upstream),
      flags: roleText(flags.command, flags.of),
    };
    if (conflict === "memory_won") journal("warn", "role_remembered", told);
    if (conflict === "flags_won") journal("warn", "role_from_flags", told);
    if (memory !== null && flags.roleFromFlags) this.forget();
    if (emptied && sources.length === 0 && !flags.keepsState) this.tellEmpty(start, journal);
    return start;
  }

  /** A node that was a primary, and has no state. */
  tellEmpty({ role, upstream }: StartingRole, journal: Journal): void {
    journal("warn", "primary_starts_empty", { role: roleText(role, upstream) });
  }

  /** Remembers both, synced. @throws the system's error, with what was remembered untouched */
  readonly write = (role: RoleMemory, consent: ConsentMemory | null = null): void => {
    if (this.dir === "") return;
    changeNode(this.dir, { role, consent });
  };

  /**
   * What there is of consent at a start that follows `upstream`. A flag that was used counts again once a
   * start was without it.
   */
  recallConsent(
    upstream: Address | null,
    allowReset: boolean,
    journal: Journal,
  ): { readonly consent: ConsentMemory | null; readonly allowReset: boolean } {
    const memory = this.dir === "" ? null : readNode(this.dir);
    if (memory === null) return { consent: null, allowReset };
    const { consent, resetUsed } = memory;
    if (resetUsed && !allowReset) changeNode(this.dir, { resetUsed: false });
    if (resetUsed && allowReset) journal("warn", "allow_reset_used", {});
    return { consent: keptFor(consent, upstream), allowReset: allowReset && !resetUsed };
  }

  /** Keeps consent alone, synced. @throws the system's error */
  readonly keepConsent = (consent: ConsentMemory | null, resetUsed: boolean): void => {
    if (this.dir !== "") changeNode(this.dir, resetUsed ? { consent, resetUsed } : { consent });
  };

  /** Nothing is remembered any more. */
  forget(): void {
    if (this.dir !== "") changeNode(this.dir, { role: null });
  }
}
