/**
 * A hand-made peer of the replication protocol: says what a test wants it to say, in either role,
 * and remembers the answers.
 *
 * Owns: one socket. Does not own: the protocol (src/wire), what is sane to say.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { encode } from "../../src/wire/codec.ts";
import { Decoder, type DecoderSink } from "../../src/wire/decoder.ts";
import { OPENING } from "../../src/wire/opening.ts";
import { FRAME, type Control, type Hello } from "../../src/wire/messages.ts";
import { helloWith } from "../../tools/hello.ts";
import { until } from "../../tools/wait.ts";

type Of<T extends Control["type"]> = Extract<Control, { type: T }>;

export class WirePeer implements DecoderSink {
  readonly socket: Socket;
  /** Control frames received, in order. */
  readonly heard: Control[] = [];
  /** What was received could not be decoded any more. */
  nonsense: unknown = null;
  bytesReceived = 0;
  isClosed = false;
  readonly #decoder = new Decoder(new Set<number>(Object.values(FRAME)), this);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.bytesReceived += bytes.length;
      if (this.nonsense !== null) return;
      try {
        this.#decoder.push(bytes, 0, bytes.length);
      } catch (error) {
        this.nonsense = error;
      }
    });
    socket.on("error", () => undefined);
    socket.on("close", () => (this.isClosed = true));
  }

  /** Connects to a node's replication port and says nothing yet. */
  static async silent(port: number): Promise<WirePeer> {
    const socket = connect({ port, host: "127.0.0.1" });
    const peer = new WirePeer(socket);
    await once(socket, "connect");
    return peer;
  }

  /** Connects to a node's replication port as a replica does. */
  static async connect(port: number): Promise<WirePeer> {
    const peer = await WirePeer.silent(port);
    peer.socket.write(OPENING);
    return peer;
  }

  /** As the other end names this connection in its log. */
  get remote(): string {
    return `127.0.0.1:${this.socket.localPort ?? 0}`;
  }

  say(message: Control): void {
    this.socket.write(encode(message));
  }

  /** Waits for a control frame of this type. */
  async hears<T extends Control["type"]>(type: T): Promise<Of<T>> {
    return until(() => this.heard.find((message): message is Of<T> => message.type === type), {
      what: `a ${type} frame`,
      describe: () => ({
        heard: this.heard,
        closed: this.isClosed,
        nonsense: String(this.nonsense),
      }),
    });
  }

  async closes(): Promise<void> {
    await until(() => this.isClosed, { what: "the connection to be closed by the other end" });
  }

  /** A HELLO as an empty replica would say it, with some fields replaced. */
  hello(changes: Partial<Hello> = {}): Hello {
    return helloWith(changes);
  }

  control(message: Control): void {
    this.heard.push(message);
    if (message.type === "welcome")
      this.#decoder.expect(message.position.offset, message.position.chain);
  }
  batchHead(): void {}
  batchBytes(): void {}
  batchEnd(): void {}
  chunkHead(): void {}
  chunkBytes(): void {}
  chunkEnd(): void {}
}
