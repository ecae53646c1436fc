/**
 * A socket that shows what a server answers byte for byte, for comparing two servers.
 *
 * Owns: one connection. Does not own: the meaning of replies.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { within } from "../../tools/wait.ts";

const MARKER = "<<end of replies>>";
const MARKER_REPLY = Buffer.from(`$${MARKER.length}\r\n${MARKER}\r\n`);

export type Words = readonly (string | Buffer)[];

/** A command as an array of bulk strings. */
export function encodeRequest(words: Words): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? Buffer.from(word, "latin1") : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

export class RawResp {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #closed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static async connect(port: number): Promise<RawResp> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await within(once(socket, "connect"), `a connection to port ${port}`, 10_000);
    return new RawResp(socket);
  }

  /** Sends `request` and a marker; everything that came back before the marker's echo. */
  async replies(request: Buffer): Promise<string> {
    this.#socket.write(Buffer.concat([request, encodeRequest(["ECHO", MARKER])]));
    return this.#until(() => this.#received.indexOf(MARKER_REPLY));
  }

  /** Sends `request` in pieces; everything that came back until the server closed. */
  async untilClosed(...pieces: readonly Buffer[]): Promise<string> {
    for (const piece of pieces) this.#socket.write(piece);
    return this.#until(() => (this.#closed ? this.#received.length : -1));
  }

  close(): void {
    this.#socket.destroy();
  }

  async #until(found: () => number): Promise<string> {
    return within(
      (async () => {
        while (true) {
          const end = found();
          if (end !== -1) {
            const text = this.#received.toString("latin1", 0, end);
            this.#received = this.#received.subarray(end + MARKER_REPLY.length);
            return text;
          }
          if (this.#closed) throw new Error(`closed after ${this.#received.toString("latin1")}`);
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      })(),
      "replies",
      15_000,
    );
  }
}
