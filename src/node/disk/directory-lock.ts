/**
 * The file `lock` in a data directory: a second process that opens the directory is told who has it.
 *
 *   take   1 a file of its own, with who this is   2 linked as `lock`: one of any number gets it
 *          when it is left over (lock-holder.ts): 2 linked as `lock.claim`, so that one takes it over
 *          3 `lock` is still the one that is left   4 its own file renamed over it   5 `lock.claim` goes
 *   free   removed, when it is its own
 *
 * It is not synced: after a crash of the machine no lock counts.
 * Owns: the files, what runs on this machine. Does not own: the judgement.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DiskError } from "../../errors.ts";
import { readSmallFile } from "../../log/disk/small-files.ts";
import { FsFolder } from "./fs-folder.ts";
import { decodeHolder, encodeHolder, isLeft, takenText, type LockHolder } from "./lock-holder.ts";

const LOCK_FILE = "lock";

/** Who has `dir` open; null for nobody. @throws {DiskError} when it cannot be read, or is no small file */
export function holderOf(dir: string): LockHolder | null {
  const text = readSmallFile(new FsFolder(dir, "r"), LOCK_FILE);
  const holder = text === null ? null : decodeHolder(text);
  return holder === null || isLeft(holder, thisProcess(), beganOf) ? null : holder;
}

/** Takers that come and go meanwhile. */
const TRIES_MAX = 10;

export class DirectoryLock {
  readonly #path: string;
  readonly #text: string;

  /** @throws {DiskError} ERR_DISK_LOCKED, saying who has it; ERR_DISK_WRITE */
  constructor(dir: string, self: LockHolder = thisProcess()) {
    this.#path = join(dir, LOCK_FILE);
    this.#text = encodeHolder(self);
    const own = `${this.#path}.${self.pid}.tmp`;
    try {
      writeFileSync(own, this.#text);
      this.#take(dir, own, self);
    } catch (cause) {
      if (cause instanceof DiskError) throw cause;
      throw new DiskError("ERR_DISK_WRITE", `${this.#path}: ${(cause as Error).message}`, {
        cause,
      });
    } finally {
      rmSync(own, { force: true });
    }
  }

  /** Idempotent. */
  free(): void {
    if (readIfThere(this.#path) === this.#text) rmSync(this.#path, { force: true });
  }

  #take(dir: string, own: string, self: LockHolder): void {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (linked(own, this.#path)) return;
      const text = readIfThere(this.#path);
      if (text === null) continue;
      const holder = decodeHolder(text);
      if (!isLeft(holder, self, beganOf))
        throw new DiskError("ERR_DISK_LOCKED", takenText(dir, holder!, self));
      if (this.#takeOver(own, text, self)) return;
    }
    throw new DiskError("ERR_DISK_LOCKED", `--dir "${dir}" is being opened by others`);
  }

  /** Takes the lock that is left over, `text`, unless somebody else does. */
  #takeOver(own: string, text: string, self: LockHolder): boolean {
    const claim = `${this.#path}.claim`;
    if (!linked(own, claim)) {
      // Who died here has left its claim.
      const other = readIfThere(claim);
      if (other !== null && isLeft(decodeHolder(other), self, beganOf))
        rmSync(claim, { force: true });
      return false;
    }
    const isSame = readIfThere(this.#path) === text;
    // Why a copy: `own` and the claim are one file, and renaming one of two names of a file over the
    // other does nothing.
    if (isSame) {
      writeFileSync(`${own}.over`, this.#text);
      renameSync(`${own}.over`, this.#path);
    }
    rmSync(claim, { force: true });
    return isSame;
  }
}

/** One of any number of processes gets `name`. */
function linked(own: string, name: string): boolean {
  try {
    linkSync(own, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

export function thisProcess(): LockHolder {
  const { pid } = process;
  return { pid, began: beganOf(pid) ?? "", bootId: bootId(), host: hostname() };
}

/** Random, of every start of the machine; "" where the system does not say. */
export function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

/** When process `pid` began; "" when that is unknown, null when it does not run. */
export function beganOf(pid: number): string | null {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return null;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name of the program, in parentheses, may have blanks and parentheses in it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state = ""] = fields;
    return state === "Z" || state === "X" ? null : (fields[19] ?? "");
  } catch {
    return "";
  }
}
