/**
 * A disk that crashes: everything that files.ts says a real one may do, decided by a seed.
 *
 *   inode   now      what a running process reads
 *           stable   what a crash leaves for certain
 *           pending  writes and cuts since the last sync; a crash keeps any of them, a write in
 *                    pieces of a sector; a sync that fails loses some for good
 *   folder  now, stable, pending   the same for names; a crash keeps the first few changes
 *
 * `steps` counts operations; a machine that is to die at step n throws Crash there, in the middle of
 * a write if it is one. Bits can be flipped, the disk can be full, a call can be made to fail.
 */
import assert from "node:assert/strict";
import { DiskError, type DiskErrorCode } from "../../src/errors.ts";
import type { DiskFile, DiskFolder, DiskTree } from "../../src/log/disk/files.ts";
import type { Random } from "../../tools/random.ts";

/** What a disk writes whole, or cannot read. */
export const SECTOR_BYTES = 512;

/** The machine died. Nothing of the code under test may catch it. */
export class Crash extends Error {}

type Pending =
  | { readonly kind: "write"; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: "cut"; readonly bytes: number };

/** Which call is about to be made, for failures on purpose. */
export type DiskCall =
  "create" | "write" | "sync" | "truncate" | "rename" | "remove" | "syncFolder";

type Pieces = readonly Pending[];

class Inode {
  now: Buffer = Buffer.alloc(0);
  stable: Buffer = Buffer.alloc(0);
  pending: Pending[] = [];
  /** Bytes that the disk cannot read any more. */
  bad = { from: 0, to: 0 };

  apply(change: Pending): void {
    this.now = applied(this.now, change);
    this.pending.push(change);
  }

  sync(): void {
    for (const change of this.pending) this.stable = applied(this.stable, change);
    this.pending = [];
  }

  /** A sync failed: some of it was written, and the kernel takes the rest for written too. */
  drop(random: Random): void {
    for (const change of this.pending)
      for (const piece of piecesOf(change))
        if (piece.kind === "cut" || random.fraction() < 0.3)
          this.stable = applied(this.stable, piece);
    this.pending = [];
  }

  /** Now and for certain. */
  set(bytes: Buffer): void {
    this.now = bytes;
    this.stable = Buffer.from(bytes);
    this.pending = [];
  }

  crash(random: Random): void {
    let bytes: Buffer = Buffer.from(this.stable);
    // Why half of the time: a lazy disk that keeps everything, or nothing, is a case of its own.
    const mood = random.pick(["all", "none", "some", "some"] as const);
    for (const change of this.pending)
      for (const piece of piecesOf(change))
        if (mood === "all" || (mood === "some" && random.fraction() < 0.5))
          bytes = applied(bytes, piece);
    this.set(bytes);
  }
}

function applied(bytes: Buffer, change: Pending): Buffer {
  if (change.kind === "cut") {
    const cut = Buffer.alloc(change.bytes);
    bytes.copy(cut, 0, 0, Math.min(bytes.length, change.bytes));
    return cut;
  }
  const grown = grow(bytes, change.at + change.bytes.length);
  change.bytes.copy(grown, change.at);
  return grown;
}

/** Memory that was made larger than what is in it, the rest of it zeros. */
const ROOMY = new WeakSet<ArrayBufferLike>();

function grow(bytes: Buffer, size: number): Buffer {
  if (size <= bytes.length) return bytes;
  const { buffer } = bytes;
  if (ROOMY.has(buffer) && size <= buffer.byteLength) return Buffer.from(buffer, 0, size);
  const roomy = Buffer.alloc(2 * size);
  ROOMY.add(roomy.buffer);
  bytes.copy(roomy);
  return roomy.subarray(0, size);
}

/** A write in the pieces that a disk writes whole. */
function piecesOf(change: Pending): Pieces {
  if (change.kind === "cut") return [change];
  const pieces: Pending[] = [];
  for (let from = 0; from < change.bytes.length;) {
    const at = change.at + from;
    const to = Math.min(change.bytes.length, from + SECTOR_BYTES - (at % SECTOR_BYTES));
    pieces.push({ kind: "write", at, bytes: change.bytes.subarray(from, to) });
    from = to;
  }
  return pieces;
}

type Rename = (names: Map<string, Inode>) => void;

export class VirtualDisk {
  readonly random: Random;
  /** Operations so far. */
  steps = 0;
  /** The machine dies at this step. */
  crashAt: number = Number.POSITIVE_INFINITY;
  /** Bytes that all files together may have. */
  capacity: number = Number.POSITIVE_INFINITY;
  /** A code to fail a call with, null to let it be. */
  fail: (call: DiskCall, name: string) => DiskErrorCode | null = () => null;
  readonly #folders = new Map<string, VirtualFolder>();
  /** Grows at a crash: what was open before is of no use. */
  life = 0;

  constructor(random: Random) {
    this.random = random;
  }

  folder(name: string): VirtualFolder {
    const found = this.#folders.get(name) ?? new VirtualFolder(this);
    this.#folders.set(name, found);
    return found;
  }

  /** A folder is gone for good. */
  forget(name: string): void {
    this.#folders.delete(name);
  }

  get usedBytes(): number {
    let sum = 0;
    for (const folder of this.#folders.values())
      for (const inode of folder.now.values()) sum += inode.now.length;
    return sum;
  }

  /** The machine dies and comes back: what was not synced may be gone. */
  crash(): void {
    this.life += 1;
    this.crashAt = Number.POSITIVE_INFINITY;
    for (const folder of this.#folders.values()) folder.crash(this.random);
  }

  /** The process dies, the machine goes on: the kernel has all that was written. */
  kill(): void {
    this.life += 1;
    this.crashAt = Number.POSITIVE_INFINITY;
  }

  /** Before an operation. @throws {Crash | DiskError} */
  step(call: DiskCall, name: string): void {
    this.steps += 1;
    if (this.steps >= this.crashAt) throw new Crash(`at step ${this.steps}: ${call} ${name}`);
    const code = this.fail(call, name);
    if (code !== null) throw new DiskError(code, `${call} ${name}, on purpose`);
  }
}

export class VirtualFolder implements DiskFolder {
  now = new Map<string, Inode>();
  #stable = new Map<string, Inode>();
  #pending: Rename[] = [];
  readonly #disk: VirtualDisk;

  constructor(disk: VirtualDisk) {
    this.#disk = disk;
  }

  list(): readonly string[] {
    return [...this.now.keys()];
  }

  open(name: string): DiskFile {
    const inode = this.now.get(name);
    if (inode === undefined) throw new DiskError("ERR_DISK_READ", `${name} is not there`);
    return new VirtualFile(this.#disk, name, inode);
  }

  create(name: string): DiskFile {
    this.#disk.step("create", name);
    const inode = new Inode();
    this.#change((names) => names.set(name, inode));
    return new VirtualFile(this.#disk, name, inode);
  }

  rename(from: string, to: string): void {
    this.#disk.step("rename", from);
    const inode = this.now.get(from);
    assert(inode !== undefined, `${from} is not there`);
    this.#change((names) => {
      names.delete(from);
      names.set(to, inode);
    });
  }

  remove(name: string): void {
    this.#disk.step("remove", name);
    this.#change((names) => names.delete(name));
  }

  sync(): void {
    this.#disk.step("syncFolder", "");
    this.#settle();
  }

  /** What is in a file now. */
  bytesOf(name: string): Buffer {
    const inode = this.now.get(name);
    assert(inode !== undefined, `${name} is not there`);
    return inode.now;
  }

  /** Rot, or somebody's editor: also what was synced is other now. */
  overwrite(name: string, bytes: Buffer): void {
    const inode = this.now.get(name) ?? new Inode();
    this.now.set(name, inode);
    inode.set(Buffer.from(bytes));
    this.#settle();
  }

  /** Somebody removed it. */
  lose(name: string): void {
    this.now.delete(name);
    this.#settle();
  }

  #settle(): void {
    this.#stable = new Map(this.now);
    this.#pending = [];
  }

  /** A sector that cannot be read. */
  breakSector(name: string, at: number): void {
    const from = at - (at % SECTOR_BYTES);
    this.now.get(name)!.bad = { from, to: from + SECTOR_BYTES };
  }

  crash(random: Random): void {
    const names = new Map(this.#stable);
    const kept = random.between(0, this.#pending.length + 1);
    for (const change of this.#pending.slice(0, kept)) change(names);
    for (const inode of new Set([...this.now.values(), ...names.values()])) inode.crash(random);
    this.now = names;
    this.#settle();
  }

  #change(change: Rename): void {
    change(this.now);
    this.#pending.push(change);
  }
}

/** A folder with folders in it. Why an entry for each: their names are as lasting as those of files. */
export class VirtualTree implements DiskTree {
  readonly root: VirtualFolder;
  readonly #disk: VirtualDisk;
  readonly #name: string;

  constructor(disk: VirtualDisk, name: string) {
    this.#disk = disk;
    this.#name = name;
    this.root = disk.folder(name);
  }

  folders(): readonly string[] {
    return this.root
      .list()
      .filter((name) => name.endsWith("/"))
      .map((name) => name.slice(0, -1));
  }

  folder(name: string): VirtualFolder {
    return this.#disk.folder(`${this.#name}/${name}`);
  }

  make(name: string): VirtualFolder {
    if (!this.folders().includes(name)) {
      // One that is made anew has nothing of an older one of its name.
      this.#disk.forget(`${this.#name}/${name}`);
      this.root.create(`${name}/`).close();
      this.root.sync();
    }
    return this.folder(name);
  }

  removeFolder(name: string): void {
    const folder = this.folder(name);
    for (const file of folder.list()) folder.remove(file);
    this.root.remove(`${name}/`);
  }
}

class VirtualFile implements DiskFile {
  readonly #disk: VirtualDisk;
  readonly #name: string;
  readonly #inode: Inode;
  readonly #life: number;

  constructor(disk: VirtualDisk, name: string, inode: Inode) {
    this.#disk = disk;
    this.#name = name;
    this.#inode = inode;
    this.#life = disk.life;
  }

  get sizeBytes(): number {
    return this.#inode.now.length;
  }

  read(into: Buffer, at: number, bytes: number, position: number): number {
    const { bad } = this.#inode;
    if (position < bad.to && position + bytes > bad.from)
      throw new DiskError("ERR_DISK_READ", `${this.#name}, bytes ${bad.from} to ${bad.to}`);
    const end = Math.min(this.#inode.now.length, position + bytes);
    return end <= position ? 0 : this.#inode.now.copy(into, at, position, end);
  }

  write(parts: readonly Uint8Array[], position: number): void {
    const bytes = Buffer.concat(parts);
    const partly = (): void => {
      const kept = this.#disk.random.between(0, bytes.length + 1);
      if (kept > 0) this.#apply({ kind: "write", at: position, bytes: bytes.subarray(0, kept) });
    };
    try {
      this.#step("write");
      this.#checkRoom(position + bytes.length);
    } catch (error) {
      partly();
      throw error;
    }
    this.#apply({ kind: "write", at: position, bytes });
  }

  sync(): void {
    try {
      this.#step("sync");
    } catch (error) {
      if (error instanceof DiskError) this.#inode.drop(this.#disk.random);
      throw error;
    }
    this.#inode.sync();
  }

  truncate(bytes: number): void {
    this.#step("truncate");
    this.#apply({ kind: "cut", bytes });
  }

  close(): void {
    // Nothing is held.
  }

  #step(call: DiskCall): void {
    assert.equal(this.#life, this.#disk.life, `${call} of ${this.#name} by a process that died`);
    this.#disk.step(call, this.#name);
  }

  #checkRoom(end: number): void {
    const more = end - this.#inode.now.length;
    if (this.#disk.capacity === Number.POSITIVE_INFINITY) return;
    if (more > 0 && this.#disk.usedBytes + more > this.#disk.capacity)
      throw new DiskError("ERR_DISK_FULL", `${this.#name} would grow by ${more} bytes`);
  }

  #apply(change: Pending): void {
    this.#inode.apply(change);
  }
}
