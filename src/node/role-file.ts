/**
 * role.json in a node's --dir: what was decided at runtime about its role, for the next start.
 *
 * Owns: reading at the start, writing before a change takes effect. Does not own: the decision and
 * the text (role-memory.ts), how a file is written (directory.ts).
 * Tested in: test/unit/node/directory.test.ts.
 */
import { join } from "node:path";
import { readSmall, removeSmall, wordsOf, writeSmall } from "./directory.ts";
import { UsageError } from "./option-values.ts";
import { decodeRole, encodeRole, ROLE_FILE, type RoleMemory } from "./role-memory.ts";

export class RoleFile {
  private readonly dir: string;

  /** `dir` "" remembers nothing. */
  constructor(dir: string) {
    this.dir = dir;
  }

  /** @throws {UsageError} naming the file, when it is damaged */
  read(): RoleMemory | null {
    const text = this.dir === "" ? null : readSmall(this.dir, ROLE_FILE);
    if (text === null) return null;
    try {
      return decodeRole(text);
    } catch (error) {
      throw new UsageError(
        `--dir: ${join(this.dir, ROLE_FILE)} is damaged: ${wordsOf(error)}; remove it to start in the role that the flags name`,
      );
    }
  }

  /** Remembers `role`, synced. @throws the system's error, with what was remembered untouched */
  readonly write = (role: RoleMemory): void => {
    if (this.dir === "") return;
    const text = encodeRole(role);
    // Why: what the next start cannot read must not be written.
    decodeRole(text);
    writeSmall(this.dir, ROLE_FILE, text);
  };

  /** Nothing is remembered any more. */
  forget(): void {
    if (this.dir !== "") removeSmall(this.dir, ROLE_FILE);
  }
}
