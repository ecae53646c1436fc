/**
 * A folder of the file system, for the log and checkpoints (log/disk/files.ts). Every call waits: it
 * belongs in a thread of its own, or in a start that nobody is served in yet.
 *
 * Errors of the system become DiskErrors by what was done and by their code:
 *
 *   no room (ENOSPC, EDQUOT)      ERR_DISK_FULL
 *   sync                          ERR_DISK_SYNC
 *   read, open                    ERR_DISK_READ
 *   anything else                 ERR_DISK_WRITE
 *
 * Owns: calls of node:fs. Does not own: their order (log/disk/).
 */
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  writevSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DiskError, type DiskErrorCode } from "../../errors.ts";
import type { DiskFile, DiskFolder, DiskTree } from "../../log/disk/files.ts";

const NO_ROOM: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT"]);

/** How files that are there are opened. */
export type OpenMode = "r" | "r+";

export class FsFolder implements DiskFolder {
  readonly path: string;
  readonly #mode: OpenMode;

  /** `path` is a folder that is there; "r" opens files for reading alone. */
  constructor(path: string, mode: OpenMode = "r+") {
    this.path = path;
    this.#mode = mode;
  }

  /** Makes it if it is not there, its name synced. @throws {DiskError} */
  static make(path: string): FsFolder {
    attempt("ERR_DISK_WRITE", path, () => {
      mkdirSync(path, { recursive: true });
    });
    const folder = new FsFolder(path);
    folder.sync();
    new FsFolder(dirname(path)).sync();
    return folder;
  }

  list(): readonly string[] {
    return attempt("ERR_DISK_READ", this.path, () => readdirSync(this.path));
  }

  open(name: string): DiskFile {
    const path = join(this.path, name);
    return new FsFile(
      path,
      attempt("ERR_DISK_READ", path, () => openSync(path, this.#mode)),
    );
  }

  create(name: string): DiskFile {
    const path = join(this.path, name);
    // Errors name it as it will be called: it keeps its file when it is renamed.
    return new FsFile(
      path.replace(/\.tmp$/, ""),
      attempt("ERR_DISK_WRITE", path, () => openSync(path, "w+")),
    );
  }

  rename(from: string, to: string): void {
    attempt("ERR_DISK_WRITE", join(this.path, to), () => {
      renameSync(join(this.path, from), join(this.path, to));
    });
  }

  remove(name: string): void {
    attempt("ERR_DISK_WRITE", join(this.path, name), () => {
      rmSync(join(this.path, name), { force: true });
    });
  }

  sync(): void {
    attempt("ERR_DISK_SYNC", this.path, () => {
      syncDirectory(this.path);
    });
  }
}

/** A folder of the file system with folders in it. */
export class FsTree implements DiskTree {
  readonly root: FsFolder;
  readonly #mode: OpenMode;

  /** `path` is a folder that is there. */
  constructor(path: string, mode: OpenMode = "r+") {
    this.root = new FsFolder(path, mode);
    this.#mode = mode;
  }

  folders(): readonly string[] {
    const { path } = this.root;
    return attempt("ERR_DISK_READ", path, () =>
      readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name),
    );
  }

  folder(name: string): FsFolder {
    return new FsFolder(join(this.root.path, name), this.#mode);
  }

  make(name: string): FsFolder {
    return FsFolder.make(join(this.root.path, name));
  }

  removeFolder(name: string): void {
    const path = join(this.root.path, name);
    attempt("ERR_DISK_WRITE", path, () => {
      rmSync(path, { recursive: true, force: true });
    });
  }
}

class FsFile implements DiskFile {
  readonly #path: string;
  readonly #file: number;

  constructor(path: string, file: number) {
    this.#path = path;
    this.#file = file;
  }

  get sizeBytes(): number {
    return attempt("ERR_DISK_READ", this.#path, () => fstatSync(this.#file).size);
  }

  read(into: Buffer, at: number, bytes: number, position: number): number {
    return attempt("ERR_DISK_READ", this.#path, () => {
      let done = 0;
      while (done < bytes) {
        const count = readSync(this.#file, into, at + done, bytes - done, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }

  write(parts: readonly Uint8Array[], position: number): void {
    attempt("ERR_DISK_WRITE", this.#path, () => {
      let rest = parts;
      for (let at = position; rest.length > 0;) {
        const count = writevSync(this.#file, rest, at);
        at += count;
        rest = without(rest, count);
      }
    });
  }

  sync(): void {
    attempt("ERR_DISK_SYNC", this.#path, () => {
      fdatasyncSync(this.#file);
    });
  }

  truncate(bytes: number): void {
    attempt("ERR_DISK_WRITE", this.#path, () => {
      ftruncateSync(this.#file, bytes);
    });
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** What is left of `parts` when their first `bytes` were written: a disk that is nearly full takes some. */
function without(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes;
  let first = 0;
  while (first < parts.length && left >= parts[first]!.length) {
    left -= parts[first]!.length;
    first += 1;
  }
  const rest = parts.slice(first);
  if (left > 0) rest[0] = rest[0]!.subarray(left);
  return rest;
}

/** Names in `path` survive a crash of the machine then. @throws the system's error */
function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function attempt<T>(code: DiskErrorCode, path: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    const { code: system, message } = cause as NodeJS.ErrnoException;
    const isFull = code === "ERR_DISK_WRITE" && NO_ROOM.has(system);
    throw new DiskError(isFull ? "ERR_DISK_FULL" : code, `${path}: ${message}`, { cause });
  }
}
