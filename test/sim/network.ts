/**
 * The virtual network: connections of two one-way pipes, bytes in order, everything else hostile.
 *
 *   app --write--> handed --kernel takes--> in flight --latency, rate--> unread --read--> app
 *                  (app's memory)  copies                                in pieces of any size
 *
 * Memory is copied when the kernel takes it, not when it is handed over, and compared with what it
 * was then: memory that is used again too early is found at once. A `taken` callback is an event of
 * its own, after the last byte of its piece was taken.
 */
import type { Random } from "../../tools/random.ts";
import { crc32 } from "../../src/wire/crc.ts";
import { type Clock, SimError } from "./clock.ts";

/** Runs things on a node: later when it is stopped, never when it died. */
export interface Host {
  readonly name: string;
  /** At once, or when the node goes on. */
  run(what: () => void): void;
  after(delayMs: number, what: () => void): void;
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
  readonly crc: number;
  readonly onTaken: () => void;
  done: number;
}

export interface LinkQuality {
  latencyMs: number;
  jitterMs: number;
  /** Bytes per ms. */
  rate: number;
  /** Reads and writes of at most this; 1 is byte by byte. */
  pieceMax: number;
  /** One bit flips in so many bytes; 0 for never. */
  flipEvery: number;
  /** Bytes that fit between the kernel's taking and the reader's reading. */
  capacity: number;
}

/** What one end of a connection hears. */
export interface EndEvents {
  read(bytes: Buffer, length: number): void;
  closed(reason: "peer_closed" | "socket_error"): void;
}

/** One direction. */
export class Pipe {
  readonly handed: Piece[] = [];
  private inFlight = 0;
  private readonly unread: Buffer[] = [];
  private freeAtMs = 0;
  private deliverAtMs = 0;
  private taking = false;
  private reading = false;
  private ended = false;
  private eofSent = false;
  /** Everything handed from now on goes nowhere, nobody is told. */
  blackhole = false;
  dead = false;
  delivered = 0;
  /** Cuts the connection once so many bytes were delivered; -1 for never. */
  cutAt = -1;
  /** Flips a bit of the byte with this number in the stream; -1 for none. */
  flipAt = -1;
  /** The kernel takes nothing before; then everything at once. */
  stalledUntilMs = 0;
  /** Added to the latency of this direction. */
  lagMs = 0;
  /** Less than the network's rate by this factor. */
  slowness = 1;
  /** Who reads has said that it does not. */
  private isPaused = false;
  private takenBytes = 0;
  private readonly connection: Connection;
  private readonly from: Host;
  private readonly to: Host;
  private readonly toSide: 0 | 1;

  constructor(connection: Connection, from: Host, to: Host, toSide: 0 | 1) {
    this.connection = connection;
    this.from = from;
    this.to = to;
    this.toSide = toSide;
  }

  /** Flips a bit of a byte that is taken `bytes` from now. */
  flipLater(bytes: number): void {
    this.flipAt = this.takenBytes + bytes;
  }

  private get net(): Network {
    return this.connection.net;
  }

  /** Of the piece that the kernel is taking. */
  get beingTaken(): number {
    const piece = this.handed[0];
    return piece === undefined ? 0 : piece.to - piece.from - piece.done;
  }

  write(bytes: Uint8Array, from: number, to: number, onTaken: () => void): void {
    if (this.dead || this.ended) return;
    this.handed.push({ bytes, from, to, crc: crc32(bytes, from, to, 0), onTaken, done: 0 });
    this.wantTake(0);
  }

  /** No more writes; end of file after what was handed. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.wantTake(0);
  }

  private wantTake(delayMs: number): void {
    if (this.taking || this.dead) return;
    this.taking = true;
    this.net.clock.in(delayMs + this.net.random.fraction() * 0.05, () => {
      this.taking = false;
      this.take();
    });
  }

  /** The kernel takes some of what was handed. */
  private take(): void {
    if (this.dead) return;
    const { quality, clock, random } = this.net;
    if (clock.nowMs < this.stalledUntilMs) {
      this.wantTake(this.stalledUntilMs - clock.nowMs);
      return;
    }
    const piece = this.handed[0];
    if (piece === undefined) {
      if (this.ended && !this.eofSent) {
        this.eofSent = true;
        this.schedule(null);
      }
      return;
    }
    const room = quality.capacity - this.inFlight;
    if (room <= 0) return;
    if (piece.done === 0 && crc32(piece.bytes, piece.from, piece.to, 0) !== piece.crc)
      throw new SimError(`memory handed to ${this.from.name}'s socket changed before it was taken`);
    const left = piece.to - piece.from - piece.done;
    const most = Math.min(left, room, quality.pieceMax);
    const size = random.fraction() < 0.5 ? most : random.between(1, most + 1);
    const start = piece.from + piece.done;
    const copy = Buffer.from(piece.bytes.subarray(start, start + size));
    piece.done += size;
    if (piece.done === piece.to - piece.from) {
      if (crc32(piece.bytes, piece.from, piece.to, 0) !== piece.crc)
        throw new SimError(
          `memory handed to ${this.from.name}'s socket changed while it was taken`,
        );
      this.handed.shift();
      this.from.after(random.fraction() * quality.latencyMs, () => {
        if (!this.connection.closedAt(this.toSide === 0 ? 1 : 0)) piece.onTaken();
      });
    }
    const flip = this.flipAt - this.takenBytes;
    if (this.flipAt >= 0 && flip >= 0 && flip < size) {
      copy[flip]! ^= 1 << random.between(0, 8);
      this.flipAt = -1;
      this.net.note("flip");
    }
    const { flipEvery } = quality;
    if (flipEvery > 0 && random.fraction() < size / flipEvery) {
      copy[random.between(0, size)]! ^= 1 << random.between(0, 8);
      this.net.note("flip");
    }
    this.takenBytes += size;
    this.inFlight += size;
    this.freeAtMs = Math.max(this.freeAtMs, clock.nowMs) + (size * this.slowness) / quality.rate;
    this.schedule(copy);
    this.wantTake(Math.max(0, this.freeAtMs - clock.nowMs));
  }

  private schedule(bytes: Buffer | null): void {
    if (this.blackhole) {
      // Acknowledged by nobody: the kernel's memory stays full.
      return;
    }
    const { quality, clock, random } = this.net;
    const atMs = Math.max(clock.nowMs, this.freeAtMs) + quality.latencyMs + this.lagMs;
    this.deliverAtMs = Math.max(this.deliverAtMs, atMs + random.fraction() * quality.jitterMs);
    clock.at(this.deliverAtMs, () => this.arrive(bytes));
  }

  private arrive(bytes: Buffer | null): void {
    if (this.dead || this.blackhole) return;
    if (bytes === null) {
      this.connection.onEof(this.toSide, this.unread.length === 0);
      return;
    }
    let whole = bytes;
    if (this.cutAt >= 0 && this.delivered + bytes.length >= this.cutAt) {
      whole = bytes.subarray(0, Math.max(0, this.cutAt - this.delivered));
      this.cutAt = -1;
      this.delivered += whole.length;
      if (whole.length > 0) this.unread.push(whole);
      this.net.note("cut_at_byte");
      this.connection.sever("reset", this.unread.length > 0);
      this.wantRead();
      return;
    }
    this.delivered += whole.length;
    this.unread.push(whole);
    this.wantRead();
  }

  private wantRead(): void {
    if (this.reading || this.unread.length === 0) return;
    this.reading = true;
    this.to.run(() => {
      this.reading = false;
      this.read();
    });
  }

  pauseReading(isPaused: boolean): void {
    this.isPaused = isPaused;
    if (!isPaused) this.wantRead();
  }

  private read(): void {
    const first = this.unread[0];
    if (first === undefined || this.isPaused || this.connection.closedAt(this.toSide)) return;
    const { random, quality } = this.net;
    let size = Math.min(first.length, quality.pieceMax);
    let bytes = first;
    if (random.fraction() < 0.4) size = random.between(1, size + 1);
    else if (random.fraction() < 0.5 && this.unread.length > 1 && size === first.length) {
      bytes = Buffer.concat(this.unread);
      this.unread.length = 1;
      size = Math.min(bytes.length, quality.pieceMax);
    }
    if (size === bytes.length) this.unread.shift();
    else this.unread[0] = bytes.subarray(size);
    this.inFlight -= size;
    this.connection.deliver(this.toSide, bytes, size);
    this.wantTake(0);
    if (this.unread.length > 0) this.to.after(0, () => this.read());
    else this.connection.onDrained(this.toSide);
  }

  /** Nothing is wrong with it any more, but what is lost. */
  heal(): void {
    this.stalledUntilMs = 0;
    this.lagMs = 0;
    this.slowness = 1;
    this.cutAt = -1;
    this.flipAt = -1;
  }

  /** Bytes that were handed over and not taken. */
  get handedBytes(): number {
    return this.handed.reduce((sum, piece) => sum + piece.to - piece.from - piece.done, 0);
  }

  get hasUnread(): boolean {
    return this.unread.length > 0;
  }

  kill(): void {
    this.dead = true;
    this.handed.length = 0;
  }
}

/** How the two ends of a cut connection learn of it. */
export type CutKind = "reset" | "half_open" | "told_feeder" | "told_replica";

/** Side 0 dialled, side 1 accepted. */
export class Connection {
  readonly net: Network;
  readonly id: number;
  readonly hosts: readonly [Host, Host];
  readonly pipes: readonly [Pipe, Pipe];
  private readonly events: [EndEvents | null, EndEvents | null] = [null, null];
  private readonly closed: [boolean, boolean] = [false, false];
  private readonly eof: [boolean, boolean] = [false, false];
  private readonly pendingClose: [boolean, boolean] = [false, false];

  constructor(net: Network, id: number, dialler: Host, acceptor: Host) {
    this.net = net;
    this.id = id;
    this.hosts = [dialler, acceptor];
    // pipes[s] carries what side s writes.
    this.pipes = [new Pipe(this, dialler, acceptor, 1), new Pipe(this, acceptor, dialler, 0)];
  }

  bind(side: 0 | 1, events: EndEvents): void {
    this.events[side] = events;
  }

  closedAt(side: 0 | 1): boolean {
    return this.closed[side];
  }

  get over(): boolean {
    return this.closed[0] && this.closed[1];
  }

  deliver(side: 0 | 1, bytes: Buffer, size: number): void {
    const { scratch } = this.net;
    bytes.copy(scratch, 0, 0, size);
    this.events[side]?.read(scratch, size);
    // The read buffer is used again: whoever kept a part of it must have copied it.
    scratch.fill(0xdb, 0, size);
  }

  /** The other end said that it is over. */
  onEof(side: 0 | 1, drained: boolean): void {
    this.eof[side] = true;
    if (drained) this.finish(side, "peer_closed");
  }

  onDrained(side: 0 | 1): void {
    if (this.pendingClose[side]) this.finish(side, "socket_error");
    else if (this.eof[side]) this.finish(side, "peer_closed");
  }

  private finish(side: 0 | 1, reason: "peer_closed" | "socket_error"): void {
    if (this.closed[side]) return;
    this.closed[side] = true;
    this.pipes[side].kill();
    // The socket answers the end of file with its own.
    const other = side === 0 ? 1 : 0;
    if (!this.closed[other] && reason === "peer_closed") this.remoteGone(other);
    this.hosts[side].after(0, () => this.events[side]?.closed(reason));
  }

  /** `side` gives up the socket at once; its own closed event follows when `tell`. */
  destroy(side: 0 | 1, tell: boolean): void {
    if (this.closed[side]) return;
    this.closed[side] = true;
    this.pipes[side].kill();
    if (tell)
      this.hosts[side].after(this.net.random.fraction(), () =>
        this.events[side]?.closed("peer_closed"),
      );
    this.remoteGone(side === 0 ? 1 : 0);
  }

  private remoteGone(side: 0 | 1): void {
    const pipe = this.pipes[side === 0 ? 1 : 0];
    if (pipe.blackhole) return;
    this.net.clock.in(this.net.quality.latencyMs + this.net.random.fraction(), () => {
      if (this.closed[side]) return;
      if (pipe.hasUnread) this.pendingClose[side] = true;
      else this.finish(side, "socket_error");
    });
  }

  /** The network ends it. */
  sever(kind: CutKind, drainFirst = false): void {
    for (const pipe of this.pipes) pipe.blackhole = true;
    const tell = (side: 0 | 1): void => {
      this.net.clock.in(this.net.random.fraction() * 5, () => {
        if (drainFirst && this.pipes[side === 0 ? 1 : 0].hasUnread) this.pendingClose[side] = true;
        else this.finish(side, "socket_error");
      });
    };
    if (kind === "reset" || kind === "told_replica") tell(0);
    if (kind === "reset" || kind === "told_feeder") tell(1);
  }
}

export class Network {
  readonly clock: Clock;
  readonly random: Random;
  readonly quality: LinkQuality;
  readonly connections = new Set<Connection>();
  readonly scratch: Buffer = Buffer.alloc(1 << 22);
  /** "a>b": a cannot dial b, silently. */
  readonly blocked = new Set<string>();
  readonly note: (what: string) => void;
  private nextId = 1;

  constructor(clock: Clock, random: Random, quality: LinkQuality, note: (what: string) => void) {
    this.clock = clock;
    this.random = random;
    this.quality = quality;
    this.note = note;
  }

  connect(dialler: Host, acceptor: Host): Connection {
    const connection = new Connection(this, this.nextId++, dialler, acceptor);
    for (const old of this.connections) if (old.over) this.connections.delete(old);
    this.connections.add(connection);
    return connection;
  }

  /** Connections that stand, oldest first. */
  get standing(): Connection[] {
    return [...this.connections].filter((connection) => !connection.over);
  }
}
