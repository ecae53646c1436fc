/** SYNC at the replica: applied, then its disk is told, then an ACK; the newest of a connection counts. */
import { describe, expect, test } from "vitest";
import { Syncing } from "../../../src/node/syncing.ts";

class Rig {
  next = 0;
  durable = 0;
  keeps = true;
  decoder: object | null = {};
  readonly told: string[] = [];
  readonly waits = new Set<{ readonly holds: () => boolean; readonly done: () => void }>();
  readonly syncing: Syncing;

  constructor() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const rig = this;
    this.syncing = new Syncing({
      backlog: {
        get next() {
          return rig.next;
        },
        get durable() {
          return rig.durable;
        },
        store: {
          get durable() {
            return rig.keeps ? rig.durable : Number.POSITIVE_INFINITY;
          },
        },
        persist: () => this.told.push("persist"),
        wantDurable: () => this.told.push("want"),
      },
      session: {
        get decoder() {
          return rig.decoder;
        },
        wantAck: () => this.told.push("ack"),
        wantStep: () => this.told.push("step"),
      },
      feeder: { counters: { bump: (name) => void this.told.push(name) } },
      turn: {
        until: (holds, done) => {
          const wait = { holds, done };
          this.waits.add(wait);
          return () => void this.waits.delete(wait);
        },
      },
    });
  }

  ask(offset: number): void {
    this.syncing.on({ type: "sync", offset });
    this.turn();
  }

  turn(next = this.next, durable = this.durable): void {
    this.next = next;
    this.durable = durable;
    for (const wait of [...this.waits]) if (wait.holds() && this.waits.delete(wait)) wait.done();
  }
}

const ASKED = ["persist", "syncs_asked_for", "want"];

describe("SYNC", () => {
  test("applied first, then its disk is told once, then an ACK at once", () => {
    const rig = new Rig();
    rig.ask(100);
    rig.turn(99);
    expect(rig.told).toEqual([]);
    rig.turn(120);
    rig.turn(150, 99);
    expect(rig.told).toEqual(ASKED);
    rig.turn(150, 100);
    expect(rig.told).toEqual([...ASKED, "ack", "step"]);
    expect(rig.waits.size).toBe(0);
  });

  test("durable already => an ACK, and no sync", () => {
    const rig = new Rig();
    rig.turn(100, 100);
    rig.ask(100);
    rig.turn();
    expect(rig.told).toEqual(["persist", "ack", "step"]);
  });

  test("a newer one takes the place of one that is not answered; many leave nothing behind", () => {
    const rig = new Rig();
    rig.ask(100);
    for (let n = 0; n < 1000; n++) rig.ask(200 + n);
    expect(rig.waits.size).toBe(1);
    rig.turn(1199, 500);
    expect(rig.told).toEqual(ASKED);
    rig.turn(1199, 1199);
    expect(rig.told).toEqual([...ASKED, "ack", "step"]);
  });

  test("the connection ends, or nothing is kept => nothing is done", () => {
    const rig = new Rig();
    rig.ask(100);
    rig.decoder = {};
    rig.turn(100);
    expect([rig.told, rig.waits.size]).toEqual([[], 0]);
    rig.keeps = false;
    rig.ask(100);
    expect([rig.told, rig.waits.size]).toEqual([[], 0]);
  });
});
