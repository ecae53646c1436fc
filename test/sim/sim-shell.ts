/** Sockets of a simulated node: what src/node/replication-port.ts and src/node/upstream-socket.ts are to a real one. */
import type { Link, LinkOut } from "../../src/primary/link.ts";
import type { SessionShell, SocketUser } from "../../src/replica/deps.ts";
import { CHUNK_HEAD_BYTES, chunkSum, sealChunkHead } from "../../src/wire/frame.ts";
import type { Random } from "../../tools/random.ts";
import type { Connection, Host, Network } from "./network.ts";

const CONNECT_MS = 5_000;
const LINGER_MS = 10_000;

/** A chunk with one bit to be turned. */
export interface Lie {
  readonly bytes: Buffer;
  readonly number: number;
  readonly from: number;
  readonly to: number;
  readonly at: number;
  readonly bit: number;
}

/** Turns the bit, and makes a frame whose sum is right. */
function tell({ bytes, number, from, to, at, bit }: Lie): void {
  bytes[at]! ^= 1 << bit;
  const sum = chunkSum(bytes, from, to, number);
  sealChunkHead(bytes, from - CHUNK_HEAD_BYTES, number, to - from, sum);
}

/** A node, as its sockets use it. */
export interface SocketNode extends Host {
  readonly world: {
    readonly net: Network;
    readonly random: Random;
    node(name: string): SocketNode | undefined;
  };
  readonly dead: boolean;
  lie: Lie | null;
  now(): number;
  /** Until a turn of its loop is over. */
  turnMs(): number;
  accept(connection: Connection): void;
}

/** A socket's writing side with a link behind it. */
export class SimOut implements LinkOut {
  taker: Link | null = null;
  readonly connection: Connection;
  private readonly node: SocketNode;
  private pending: { bytes: Uint8Array; from: number; to: number }[] = [];
  private ended = false;

  constructor(node: SocketNode, connection: Connection) {
    this.node = node;
    this.connection = connection;
  }

  get beingTaken(): number {
    return this.connection.pipes[1].beingTaken;
  }

  write(bytes: Uint8Array, from: number, to: number): void {
    const { lie } = this.node;
    if (lie !== null && lie.bytes === bytes) {
      tell(lie);
      this.node.lie = null;
    }
    this.pending.push({ bytes, from, to });
  }

  flush(): void {
    const { pending } = this;
    this.pending = [];
    if (this.connection.closedAt(1) || this.ended) return;
    for (const { bytes, from, to } of pending)
      this.connection.pipes[1].write(bytes, from, to, () => this.taker?.onTaken(this.node.now()));
  }

  end(): void {
    this.flush();
    if (this.ended) return;
    this.ended = true;
    this.connection.pipes[1].end();
    this.node.after(LINGER_MS, () => this.connection.destroy(1, true));
  }

  destroy(): void {
    this.pending = [];
    this.connection.destroy(1, true);
  }
}

/** The socket of a session or an inquiry (src/node/upstream-socket.ts). */
export class SimShell implements SessionShell {
  private readonly node: SocketNode;
  private connection: Connection | null = null;
  private generation = 0;
  private stepWanted = false;

  private readonly target: () => string;
  private readonly user: () => SocketUser;

  /** `target` names the node to dial, `user` hears what comes of it. */
  constructor(node: SocketNode, target: () => string, user: () => SocketUser) {
    this.node = node;
    this.target = target;
    this.user = user;
  }

  dial(): void {
    const { node } = this;
    const { net, random } = node.world;
    const generation = ++this.generation;
    const current = (): boolean => generation === this.generation;
    const target = this.target();
    if (net.blocked.has(`${node.name}>${target}`)) {
      node.after(CONNECT_MS, () => {
        if (current()) this.user().onClosed("connecting took too long", node.now());
      });
      return;
    }
    node.after(net.quality.latencyMs * 2 + random.fraction(), () => {
      if (!current()) return;
      const feeding = node.world.node(target);
      if (feeding === undefined || feeding.dead) {
        this.user().onClosed("connection refused", node.now());
        return;
      }
      this.open(net.connect(node, feeding), feeding, current);
    });
  }

  private open(connection: Connection, feeding: SocketNode, current: () => boolean): void {
    const { node } = this;
    let opened = false;
    this.connection = connection;
    connection.bind(0, {
      read: (bytes, length) => {
        if (!current()) return;
        if (!opened) this.user().onConnected(node.now());
        opened = true;
        this.user().onBytes(bytes, 0, length, node.now());
      },
      closed: (reason) => {
        if (!current()) return;
        this.connection = null;
        this.user().onClosed(reason, node.now());
      },
    });
    feeding.accept(connection);
  }

  write(bytes: Buffer): void {
    this.connection?.pipes[0].write(bytes, 0, bytes.length, () => undefined);
  }

  get pendingBytes(): number {
    return this.connection?.pipes[0].handedBytes ?? 0;
  }

  end(): void {
    this.generation += 1;
    this.connection?.pipes[0].end();
    this.connection = null;
  }

  destroy(): void {
    this.generation += 1;
    this.connection?.destroy(0, false);
    this.connection = null;
  }

  pauseReading(isPaused: boolean): void {
    this.connection?.pipes[1].pauseReading(isPaused);
  }

  wantStep(): void {
    if (this.stepWanted) return;
    this.stepWanted = true;
    const { node } = this;
    node.after(node.turnMs(), () => {
      this.stepWanted = false;
      if (this.user().step(node.now())) this.wantStep();
    });
  }
}
