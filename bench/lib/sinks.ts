/**
 * A process of replicas that apply nothing: they say HELLO, count what arrives, and acknowledge at
 * the end of every turn that brought something, as a replica does. Told by messages of the process
 * that started it (sink-fleet.ts).
 *
 *   log bytes of a sink = bytes after WELCOME - PINGs among them, which are not looked for
 *
 * so an ACK says SLACK_BYTES less than what was counted. A plain sink does the same without HELLO,
 * for a sender that speaks no protocol.
 */
import { connect, type Socket } from "node:net";
import { encode } from "../../src/wire/codec.ts";
import { OPENING } from "../../src/wire/opening.ts";
import { helloWith } from "../../tools/hello.ts";
import type { Order } from "./sink-fleet.ts";

const READ_BYTES = 256 * 1024;
/** PINGs of more than a minute. */
const SLACK_BYTES = 4096;
const ROOM_BYTES = 64 * 1024 * 1024;
/** Where a frame's length is in its head. */
const LENGTH_AT = 12;

class Sink {
  private readonly order: Order;
  private readonly whole: () => void;
  private readonly socket: Socket;
  /** The beginning, until WELCOME is over; null afterwards. */
  private opening: Buffer | null = Buffer.alloc(0);
  private greeted = false;
  private count = 0;
  private acknowledged = 0;
  private ackDue = false;

  constructor(order: Order, whole: () => void) {
    this.order = order;
    this.whole = whole;
    if (order.position === null) this.opening = null;
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    this.socket = connect({
      port: order.port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer,
        callback: (length) => {
          this.onBytes(buffer, length);
          return true;
        },
      },
    });
    if (order.position !== null) this.socket.write(OPENING);
    this.socket.on("error", (error) => {
      throw error;
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private onBytes(bytes: Buffer, length: number): void {
    if (this.opening === null) this.counted(length);
    else this.onOpening(Buffer.concat([this.opening, bytes.subarray(0, length)]));
  }

  private onOpening(bytes: Buffer): void {
    this.opening = bytes;
    if (bytes.length < LENGTH_AT + 4) return;
    if (!this.greeted) this.socket.write(encode(helloWith({ position: this.order.position! })));
    this.greeted = true;
    const greeting = bytes.readUInt32LE(LENGTH_AT);
    if (bytes.length < greeting + LENGTH_AT + 4) return;
    const welcome = greeting + bytes.readUInt32LE(greeting + LENGTH_AT);
    if (bytes.length < welcome) return;
    this.opening = null;
    this.counted(bytes.length - welcome);
  }

  private counted(bytes: number): void {
    const { order } = this;
    const before = this.count;
    this.count += bytes;
    if (!this.ackDue) {
      this.ackDue = true;
      setImmediate(() => this.acknowledge());
    }
    if (before < order.bytes && this.count >= order.bytes) this.whole();
  }

  private acknowledge(): void {
    this.ackDue = false;
    if (this.socket.destroyed || this.count - SLACK_BYTES <= this.acknowledged) return;
    this.acknowledged = this.count - SLACK_BYTES;
    const offset = (this.order.position?.offset ?? 0) + this.acknowledged;
    this.socket.write(
      encode({
        type: "ack",
        mode: "streaming",
        received: offset,
        applied: offset,
        durable: 0,
        room: ROOM_BYTES,
        echo: 0,
      }),
    );
  }
}

let sinks: Sink[] = [];

/** New sinks instead of the old ones; says so when each has its bytes. */
function obey(order: Order): void {
  for (const sink of sinks) sink.close();
  let left = order.sinks;
  const whole = (): void => {
    left -= 1;
    if (left === 0) process.send!("whole");
  };
  sinks = Array.from({ length: order.sinks }, () => new Sink(order, whole));
}

process.on("message", (order) => obey(order as Order));
process.on("disconnect", () => process.exit(0));
process.send!("ready");
