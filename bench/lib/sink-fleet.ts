/** Starts a process of sinks (sinks.ts) and tells it where to connect. */
import { type ChildProcess, fork } from "node:child_process";
import type { Position } from "../../src/wire/messages.ts";

export interface Order {
  readonly port: number;
  readonly sinks: number;
  /** What each is to receive before it counts as whole. */
  readonly bytes: number;
  /** Where the log goes on for them; null for a sender that speaks no protocol. */
  readonly position: Position | null;
}

export class SinkFleet {
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  static async start(): Promise<SinkFleet> {
    const fleet = new SinkFleet(fork(new URL("./sinks.ts", import.meta.url)));
    await fleet.says();
    return fleet;
  }

  /** Drops the sinks there are and connects new ones; resolves when each has its bytes. */
  async receive(order: Order): Promise<void> {
    this.child.send(order);
    await this.says();
  }

  /** The same without waiting: they go on receiving. */
  follow(order: Omit<Order, "bytes">): void {
    this.child.send({ ...order, bytes: Number.MAX_SAFE_INTEGER });
  }

  stop(): void {
    this.child.disconnect();
  }

  private says(): Promise<void> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => {
        reject(new Error(`the sinks ended: ${code ?? "killed"}`));
      };
      this.child.once("exit", onExit);
      this.child.once("message", () => {
        this.child.off("exit", onExit);
        resolve();
      });
    });
  }
}
