/**
 * The feeding side's shell: the replication port and the clock of its links.
 * No decisions: bytes and events in, bytes out.
 *
 *   connection -> doorstep, until it has said that it is a replica -> link
 *   data, taken, close  -> link
 *   every 100 ms        -> feeder.tick()
 *
 * Owns: who hears of a connection, the clock. Does not own: sockets (net/), links' state (feeder.ts), who is
 * let in (doorstep.ts), the turn of the loop (turn.ts).
 * Tested in: test/e2e/peers.test.ts.
 */
import { performance } from "node:perf_hooks";
import { GatheredOutput } from "../net/gathered-output.ts";
import { Listener } from "../net/listener.ts";
import type { Socket, SocketEvents } from "../net/socket.ts";
import { Doorstep, type Visitor } from "../primary/doorstep.ts";
import type { Feeder } from "../primary/feeder.ts";
import { isDrained, type Lacking, lackingReplicas } from "../primary/lacking.ts";
import type { Link } from "../primary/link.ts";
import { awaitTurn } from "./await-turn.ts";
import type { Turn } from "./turn.ts";

const TICK_MS = 100;

export class FeederServer {
  private readonly feeder: Feeder;
  private readonly turn: Turn;
  private readonly listener: Listener;
  private readonly doorstep: Doorstep;
  private tickTimer: NodeJS.Timeout | null = null;

  /** @param clientPort told to clients that come to the wrong port, 0 for none */
  constructor(feeder: Feeder, turn: Turn, clientPort: () => number) {
    this.feeder = feeder;
    this.turn = turn;
    this.doorstep = new Doorstep({
      crowd: feeder.crowd,
      options: feeder.options,
      clientPort,
      counters: feeder.counters,
      journal: feeder.deps.journal,
    });
    this.listener = new Listener({
      keepAliveMs: 0,
      // The doorstep turns away whoever is worth the least.
      refusal: () => null,
      accept: (socket) => new Incoming(socket, this.doorstep, feeder),
      // Who could not be accepted dials again; that the system lacks something is an operator's matter.
      onError: (message) => {
        feeder.counters.bump("repl_port_errors");
        feeder.deps.journal("error", "repl_port_error", { message });
      },
    });
  }

  /** Starts the clocks, which a node needs even when it does not listen. */
  start(): void {
    this.tickTimer ??= setInterval(() => {
      const nowMs = performance.now();
      this.doorstep.tick(nowMs);
      this.feeder.tick(nowMs);
    }, TICK_MS).unref();
  }

  /** Listens; resolves with the port. Rejects with the system's error. */
  listen(port: number, host: string): Promise<number> {
    return this.listener.listen({ host, port });
  }

  setRef(isRef: boolean): void {
    this.listener.setRef(isRef);
  }

  /**
   * Waits up to `drainMs` for replicas to say that they have the log, says BYE, closes everything.
   * Resolves with the connected replicas that lack something.
   */
  async close(drainMs: number): Promise<readonly Lacking[]> {
    const untilMs = performance.now() + drainMs;
    const closed = this.listener.stop();
    this.doorstep.clear();
    // What was written in this turn is sealed at its end.
    await awaitTurn(this.turn, () => isDrained(this.feeder), drainMs);
    const lacking = lackingReplicas(this.feeder);
    this.feeder.stop();
    await before(closed, untilMs - performance.now());
    this.listener.destroyAll();
    if (this.tickTimer !== null) clearInterval(this.tickTimer);
    return lacking;
  }
}

/** Resolves when `done` does, after `mostMs` at the latest. */
function before(done: Promise<void>, mostMs: number): Promise<void> {
  if (mostMs <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, mostMs);
    void done.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** One connection to the port: a visitor until it has said that it is a replica, a link from then on. */
class Incoming implements SocketEvents, Visitor {
  readonly remote: string;
  readonly sinceMs: number = performance.now();
  private readonly socket: Socket;
  private readonly doorstep: Doorstep;
  private readonly feeder: Feeder;
  private link: Link | null = null;

  constructor(socket: Socket, doorstep: Doorstep, feeder: Feeder) {
    this.remote = socket.remote;
    this.socket = socket;
    this.doorstep = doorstep;
    this.feeder = feeder;
    doorstep.arrive(this);
  }

  get spoke(): boolean {
    return this.socket.received > 0;
  }

  turnAway(text: string): void {
    if (text !== "") this.socket.write(text);
    this.socket.linger();
  }

  onBytes(bytes: Buffer, length: number): void {
    const nowMs = performance.now();
    if (this.link !== null) {
      this.link.onBytes(bytes, 0, length, nowMs);
      return;
    }
    const rest = this.doorstep.hear(this, bytes);
    if (rest === null) return;
    const { feeder, remote, socket } = this;
    const out = new GatheredOutput(socket, () => this.link?.onTaken(performance.now()));
    this.link = feeder.accept(remote, out, nowMs);
    if (rest.length > 0) this.link.onBytes(rest, 0, rest.length, nowMs);
  }

  onClosed(failure: string): void {
    this.doorstep.leave(this);
    if (failure === "") this.link?.onSocketClosed("peer_closed", "the connection ended");
    else this.link?.onSocketClosed("socket_error", failure);
  }
}
