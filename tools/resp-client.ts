/**
 * A minimal RESP2 client for tests: raw, binary-safe, pipelining. It shows replies as they are on
 * the wire: simple strings are strings, bulk strings are Buffers, errors are ReplyError values.
 *
 *   call()      one command; an error reply rejects
 *   ask()       one command; an error reply is a value
 *   pipeline()  many commands in one write; error replies are values
 *   send()      the same, with a promise for each reply
 *
 * Owns: one socket, the order of its replies. Does not own: reconnecting (tests see every cut).
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { within } from "./wait.ts";

/** An error reply, without the leading "-". */
export class ReplyError extends Error {
  override name = "ReplyError";
}

export type Reply = string | number | null | Buffer | ReplyError | Reply[];
export type Argument = string | number | Buffer;
export type Command = readonly Argument[];

const CR = 0x0d;

export class RespClient {
  readonly port: number;
  readonly #socket: Socket;
  readonly #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = [];
  readonly #parser = new ReplyParser();
  #closedBy: Error | null = null;

  private constructor(socket: Socket, port: number) {
    this.port = port;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => {
      for (const reply of this.#parser.push(bytes)) this.#waiting.shift()?.resolve(reply);
    });
    socket.on("error", (error) =>
      this.#fail(new Error(`connection to port ${port} closed: ${error.message}`)),
    );
    socket.on("close", () => this.#fail(new Error(`connection to port ${port} closed`)));
  }

  static async connect(port: number, host = "127.0.0.1"): Promise<RespClient> {
    const socket = connect({ port, host });
    await within(once(socket, "connect"), `a connection to ${host}:${port}`, 10_000);
    return new RespClient(socket, port);
  }

  get isOpen(): boolean {
    return this.#closedBy === null;
  }

  /** Sends one command; resolves to its reply, rejects with ReplyError. */
  async call(...command: Argument[]): Promise<Reply> {
    const reply = await this.ask(...command);
    if (reply instanceof ReplyError) throw reply;
    return reply;
  }

  /** Sends one command; resolves to its reply, an error reply too. */
  ask(...command: Argument[]): Promise<Reply> {
    const reply = this.#expect();
    this.#socket.write(encode([command]));
    return reply;
  }

  /** As call(), with a bulk or simple string as utf-8 text. */
  async text(...command: Argument[]): Promise<string> {
    return textOf(await this.call(...command));
  }

  /** All commands in one write, all replies in order. */
  async pipeline(commands: readonly Command[]): Promise<Reply[]> {
    return Promise.all(this.send(commands));
  }

  /** The same, each reply by itself: a connection that is cut has answered some of them. */
  send(commands: readonly Command[]): Promise<Reply>[] {
    const replies = commands.map(() => this.#expect());
    this.#socket.write(encode(commands));
    return replies;
  }

  /** Bytes as they are; resolves to the next `replies` replies. */
  async raw(bytes: Buffer | string, replies: number): Promise<Reply[]> {
    const expected = Array.from({ length: replies }, () => this.#expect());
    this.#socket.write(bytes);
    return Promise.all(expected);
  }

  /** INFO as a table of its fields. */
  async info(...sections: string[]): Promise<Info> {
    return parseInfo(await this.text("INFO", ...sections));
  }

  close(): void {
    this.#socket.destroy();
  }

  #expect(): Promise<Reply> {
    const closedBy = this.#closedBy;
    if (closedBy) return Promise.reject(closedBy);
    const reply = new Promise<Reply>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    reply.catch(() => undefined);
    return reply;
  }

  #fail(error: Error): void {
    this.#closedBy ??= error;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(this.#closedBy);
  }
}

/** The fields of INFO by name. */
export class Info {
  readonly fields: ReadonlyMap<string, string>;
  constructor(fields: ReadonlyMap<string, string>) {
    this.fields = fields;
  }
  /** @throws when the field is missing */
  text(name: string): string {
    const value = this.fields.get(name);
    if (value === undefined) throw new Error(`INFO has no field ${name}`);
    return value;
  }
  /** @throws when the field is missing or no number */
  number(name: string): number {
    const value = Number(this.text(name));
    if (Number.isNaN(value)) throw new Error(`INFO ${name} is no number: ${this.text(name)}`);
    return value;
  }
  /** As number(), 0 when the field is missing: counters appear with their first count. */
  counter(name: string): number {
    return this.fields.has(name) ? this.number(name) : 0;
  }
  /** `slave0:ip=..,port=..,offset=..` as a list of tables. */
  get replicas(): ReadonlyMap<string, string>[] {
    return [...this.fields]
      .filter(([name]) => /^slave\d+$/.test(name))
      .map(([, value]) => new Map(value.split(",").map((pair) => splitAt(pair, "="))));
  }
}

export function parseInfo(text: string): Info {
  const lines = text.split("\r\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Info(new Map(lines.map((line) => splitAt(line, ":"))));
}

export function textOf(reply: Reply): string {
  if (typeof reply === "string") return reply;
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (typeof reply === "number") return String(reply);
  throw new Error(`not a text: ${reply instanceof Error ? reply.message : JSON.stringify(reply)}`);
}

function splitAt(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** Commands as RESP arrays of bulk strings. */
export function encode(commands: readonly Command[]): Buffer {
  const parts: Buffer[] = [];
  let text = "";
  for (const command of commands) {
    text += `*${command.length}\r\n`;
    for (const argument of command) {
      if (Buffer.isBuffer(argument)) {
        parts.push(Buffer.from(`${text}$${argument.length}\r\n`), argument);
        text = "\r\n";
      } else {
        const plain = String(argument);
        text += `$${Buffer.byteLength(plain)}\r\n${plain}\r\n`;
      }
    }
  }
  parts.push(Buffer.from(text));
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** Incremental: one frame on the stack for each array that is open, one for a bulk in arrival. */
class ReplyParser {
  #rest: Buffer = Buffer.alloc(0);
  #arrays: { items: Reply[]; length: number }[] = [];
  #bulk: { bytes: Buffer; filled: number } | null = null;
  #done: Reply[] = [];

  push(bytes: Buffer): Reply[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#bulk === null ? this.#line() : this.#fill());
    return this.#done.splice(0);
  }

  /** Takes one header line; false when it is not there yet. */
  #line(): boolean {
    const end = this.#rest.indexOf("\r\n");
    if (end < 0) return false;
    const line = this.#rest.toString("utf8", 1, end);
    const type = String.fromCharCode(this.#rest[0]!);
    this.#rest = this.#rest.subarray(end + 2);
    if (type === "+") this.#value(line);
    else if (type === "-") this.#value(new ReplyError(line));
    else if (type === ":") this.#value(Number(line));
    else if (type === "$") this.#openBulk(Number(line));
    else if (type === "*") this.#openArray(Number(line));
    else throw new Error(`not RESP2: ${JSON.stringify(type + line)}`);
    return true;
  }

  #openBulk(length: number): void {
    if (length < 0) this.#value(null);
    else this.#bulk = { bytes: Buffer.allocUnsafe(length + 2), filled: 0 };
  }

  #openArray(length: number): void {
    if (length < 0) this.#value(null);
    else if (length === 0) this.#value([]);
    else this.#arrays.push({ items: [], length });
  }

  /** Moves what is there into the open bulk; false when more is missing. */
  #fill(): boolean {
    const bulk = this.#bulk!;
    const taken = this.#rest.copy(bulk.bytes, bulk.filled);
    bulk.filled += taken;
    this.#rest = this.#rest.subarray(taken);
    if (bulk.filled < bulk.bytes.length) return false;
    const length = bulk.bytes.length - 2;
    if (bulk.bytes[length] !== CR) throw new Error("a bulk string does not end in CRLF");
    this.#bulk = null;
    this.#value(bulk.bytes.subarray(0, length));
    return true;
  }

  #value(value: Reply): void {
    const array = this.#arrays.at(-1);
    if (!array) {
      this.#done.push(value);
      return;
    }
    array.items.push(value);
    if (array.items.length === array.length) {
      this.#arrays.pop();
      this.#value(array.items);
    }
  }
}
