/**
 * Who has a data directory open, and whether it still does.
 *
 *   the lock names                          then
 *   this machine, this boot, a process      taken: by that process, this one included
 *     that runs, begun at the same time
 *   this machine, another boot              left: the machine was started anew
 *   this machine, this boot, a process      left: it died. Its number may be another's by now, which was
 *     that does not run, or began later       begun at another time
 *   another machine                         taken: nobody can look there
 *   nothing that can be read                left: a lock is written whole, so nobody has written this
 *
 * Where a system does not say when a process began, or which boot this is (neither is said outside Linux),
 * what is unknown counts as equal: a process of that number has it.
 * A container is a machine: it counts as this one when its host name is the same.
 *
 * Pure. Owns: the text, the judgement. Does not own: the file, what runs (directory-lock.ts).
 * Tested in: test/unit/node/disk/directory-lock.test.ts.
 */
import { numberOf, textOf, versionedOf } from "../../wire/json-fields.ts";

const VERSION = 1;

export interface LockHolder {
  readonly pid: number;
  /** When the process began, in ticks of its boot; "" for unknown. */
  readonly began: string;
  /** Random, of every start of the machine; "" for unknown. */
  readonly bootId: string;
  readonly host: string;
}

export function encodeHolder(holder: LockHolder): string {
  return `${JSON.stringify({ version: VERSION, ...holder })}\n`;
}

/** Null for what nobody here has written. */
export function decodeHolder(text: string): LockHolder | null {
  try {
    const root = versionedOf(JSON.parse(text), "the lock", VERSION);
    return {
      pid: numberOf(root["pid"], "pid", 0x7fff_ffff),
      began: textOf(root["began"], "began"),
      bootId: textOf(root["bootId"], "bootId"),
      host: textOf(root["host"], "host"),
    };
  } catch {
    return null;
  }
}

/**
 * Whether the lock is left over. `beganOf` tells when the process of a number began: "" when that is
 * unknown, null when there is none.
 */
export function isLeft(
  holder: LockHolder | null,
  self: LockHolder,
  beganOf: (pid: number) => string | null,
): boolean {
  if (holder === null) return true;
  if (holder.host !== self.host) return false;
  if (!agree(holder.bootId, self.bootId)) return true;
  const began = beganOf(holder.pid);
  return began === null || !agree(holder.began, began);
}

function agree(a: string, b: string): boolean {
  return a === "" || b === "" || a === b;
}

/** For the operator of a process that finds it taken. */
export function takenText(dir: string, holder: LockHolder, self: LockHolder): string {
  if (holder.host !== self.host)
    return `--dir "${dir}" is in use by process ${holder.pid} on ${holder.host}; if nothing runs there any more, remove the file "lock" in it`;
  if (holder.pid === self.pid) return `--dir "${dir}" is in use by this very process`;
  return `--dir "${dir}" is in use by process ${holder.pid}; stop that, or choose another directory`;
}
