/**
 * One question to a node over its client port: what `hawser status` and `hawser verify` are made of.
 *
 * Owns: one connection, AUTH, the one string that answers. Does not own: what is asked.
 */
import { wordsOf } from "../errors.ts";
import { type Address, formatAddress } from "../net/address.ts";
import { escapeText } from "../node/logger.ts";
import { dial } from "../net/dial.ts";
import { TIMER_MS_MAX } from "../node/await-turn.ts";

/** The longest answer that is believed. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** A line before the answer's bytes is short, also an error's. */
const LINE_BYTES_MAX = 16 * 1024;
const READ_BYTES = 64 * 1024;
const NOT_OURS = "it is not a hawser node";

export interface Asked {
  readonly target: Address;
  /** "" without. */
  readonly password: string;
}

/** The text that answers a command; rejects with what went wrong, in words for an operator. */
export function ask(
  { target, password }: Asked,
  command: readonly string[],
  timeoutMs: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const answer = new AnswerReader(password !== "");
    const finish = (error: Error | null, text = ""): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error === null) resolve(text);
      else reject(error);
    };
    const forMs = Math.min(timeoutMs, TIMER_MS_MAX);
    const timer = setTimeout(() => finish(new Error("no answer")), forMs);
    const socket = dial(
      target,
      // Its own time is a part of the answer's.
      { readyMs: Number.POSITIVE_INFINITY, readBuffer: Buffer.allocUnsafeSlow(READ_BYTES) },
      {
        onReady: () => {
          if (password !== "") socket.write(request(["AUTH", password]));
          socket.write(request(command));
        },
        onBytes: (bytes, length) => {
          try {
            const text = answer.push(Buffer.from(bytes.subarray(0, length)));
            if (text !== null) finish(null, text);
          } catch (error) {
            finish(error instanceof Error ? error : new Error(String(error)));
          }
        },
        onClosed: (failure) => finish(new Error(failure || "it closed the connection")),
      },
    );
  });
}

/** What a command says of the node that it could not ask, or that refused. */
export function tellFailure(command: string, target: Address, error: unknown): void {
  process.stderr.write(
    `hawser ${command}: ${formatAddress(target)}: ${escapeText(wordsOf(error))}\n`,
  );
}

function request(words: readonly string[]): string {
  const bulks = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${bulks.join("")}`;
}

/** Collects [+OK] and one bulk string, or a line. */
class AnswerReader {
  private wantsOk: boolean;
  private readonly chunks: Buffer[] = [];
  private size = 0;
  /** Bytes of the whole answer with its line and end, -1 until its line is there. */
  private whole = -1;
  private textAt = 0;

  constructor(withAuth: boolean) {
    this.wantsOk = withAuth;
  }

  /** The text once it is complete; throws when the node refuses, or is none. */
  push(bytes: Buffer): string | null {
    this.chunks.push(bytes);
    this.size += bytes.length;
    if (this.whole < 0 && !this.readLines()) return null;
    if (this.size < this.whole) return null;
    return this.joined().toString("utf8", this.textAt, this.whole - 2);
  }

  private joined(): Buffer {
    const [first] = this.chunks;
    if (this.chunks.length === 1 && first !== undefined) return first;
    const joined = Buffer.concat(this.chunks);
    this.chunks.splice(0, this.chunks.length, joined);
    return joined;
  }

  private readLines(): boolean {
    const bytes = this.joined();
    let end = bytes.indexOf("\r\n");
    if (this.wantsOk && end >= 0) {
      if (bytes[0] === MINUS) throw new Error(bytes.toString("utf8", 1, end));
      this.wantsOk = false;
      this.chunks.splice(0, this.chunks.length, bytes.subarray(end + 2));
      this.size -= end + 2;
      return this.readLines();
    }
    if (end < 0 && bytes.length > LINE_BYTES_MAX) throw new Error(NOT_OURS);
    if (end < 0) return false;
    const line = bytes.toString("utf8", 0, end);
    if (line.startsWith("+")) {
      this.textAt = 1;
      this.whole = end + 2;
      return true;
    }
    const length = Number(/^\$(\d{1,9})$/.exec(line)?.[1] ?? -1);
    if (line.startsWith("-") && !line.startsWith("-ERR unknown command"))
      throw new Error(line.slice(1));
    if (length < 0 || length > ANSWER_BYTES_MAX) throw new Error(NOT_OURS);
    end += 2;
    this.textAt = end;
    this.whole = end + length + 2;
    return true;
  }
}

const MINUS = 0x2d;
