/**
 * The commands between MULTI and EXEC, packed: their bytes in blocks, their arguments in tables.
 *
 * Packed, because a client decides how many there are: what a command costs is close to what it is
 * counted with, and none of it is an object of its own.
 * Once a command was refused nothing is kept: EXEC will be refused, too.
 * Owns: memory of one transaction, what EXEC must know of it. Does not own: running it (commands/
 * transactions.ts), whether there is memory for it (dispatch.ts).
 * Tested in: test/unit/resp/client.test.ts.
 */
import type { Args } from "./args.ts";

const BLOCK_BYTES_MIN = 256;
const BLOCK_BYTES_MAX = 64 * 1024;
const SLOTS_MIN = 16;
/** What is kept of a command, and of one of its arguments, beside its bytes. */
const COMMAND_BYTES = 24;
const ARGUMENT_BYTES = 8;

/** What a command takes in a queue. */
export function queuedBytes(args: Args): number {
  return COMMAND_BYTES + args.count * ARGUMENT_BYTES + args.to(args.count - 1) - args.from(0);
}

export class CommandQueue<Command extends { readonly bits: number }> {
  /** FLAG bits of all commands. */
  bits = 0;
  /** One of them makes this node a replica. */
  demotes = false;
  /** One of them is to make it a primary; what the first of these says. */
  promotes: "no" | "asked" | "forced" = "no";
  /** What all of it takes, as queuedBytes() counts. */
  bytes = 0;
  #broken = false;
  #commands: Command[] = [];
  #blocks: Buffer[] = [];
  #blockAt = 0;
  /** Of each command: its block, and its first argument in the tables. */
  #block = new Uint32Array(SLOTS_MIN);
  #first = new Uint32Array(SLOTS_MIN);
  #from = new Uint32Array(SLOTS_MIN);
  #to = new Uint32Array(SLOTS_MIN);
  #slots = 0;

  get length(): number {
    return this.#commands.length;
  }

  /** A command was refused. */
  get broken(): boolean {
    return this.#broken;
  }

  command(index: number): Command {
    return this.#commands[index]!;
  }

  /** Points `args` at the arguments of a command. */
  point(args: Args, index: number): void {
    const first = this.#first[index]!;
    const end = index + 1 < this.length ? this.#first[index + 1]! : this.#slots;
    args.point(this.#blocks[this.#block[index]!]!, this.#from, this.#to, first, end - first);
  }

  /** Keeps a copy of the command. */
  push(command: Command, args: Args): void {
    const start = args.from(0);
    const end = args.to(args.count - 1);
    const at = this.#room(end - start);
    args.bytes.copy(this.#blocks.at(-1)!, at, start, end);
    const index = this.#commands.length;
    if (index === this.#first.length) {
      this.#first = grown(this.#first, index + 1);
      this.#block = grown(this.#block, index + 1);
    }
    this.#first[index] = this.#slots;
    this.#block[index] = this.#blocks.length - 1;
    this.#addSlots(args, at - start);
    this.#commands.push(command);
    this.bits |= command.bits;
    this.bytes += queuedBytes(args);
  }

  /** A command was refused: what was kept is dropped. */
  spoil(): void {
    this.#broken = true;
    this.#commands = [];
    this.#blocks = [];
    this.#block = this.#first = this.#from = this.#to = new Uint32Array(SLOTS_MIN);
    this.#slots = 0;
    this.bits = 0;
    this.demotes = false;
    this.promotes = "no";
    this.bytes = 0;
  }

  /** Where `bytes` go in the last block; a new one when they do not fit. */
  #room(bytes: number): number {
    const last = this.#blocks.at(-1);
    if (last !== undefined && this.#blockAt + bytes <= last.length) {
      const at = this.#blockAt;
      this.#blockAt += bytes;
      return at;
    }
    const next = Math.min(BLOCK_BYTES_MAX, (last?.length ?? 0) * 2);
    this.#blocks.push(Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES_MIN, next, bytes)));
    this.#blockAt = bytes;
    return 0;
  }

  #addSlots(args: Args, shift: number): void {
    const need = this.#slots + args.count;
    if (need > this.#from.length) {
      this.#from = grown(this.#from, need);
      this.#to = grown(this.#to, need);
    }
    for (let i = 0; i < args.count; i++) {
      this.#from[this.#slots] = args.from(i) + shift;
      this.#to[this.#slots++] = args.to(i) + shift;
    }
  }
}

function grown(table: Uint32Array, need: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(need, table.length * 2));
  larger.set(table);
  return larger;
}
