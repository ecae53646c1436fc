/**
 * How much of the throughput of plain sockets the pump reaches. Both senders are in this process,
 * alternate, and send the same memory, a filled backlog, in the same sizes to the same sinks in
 * another process, which acknowledge both alike:
 *
 *   hawser   embedded primary: feeder, pump, links, the shell's sockets
 *   plain    net sockets, each given its next piece as soon as less than half the cap is waiting
 */
import { performance } from "node:perf_hooks";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Backlog } from "../../src/log/backlog.ts";
import type { OpenNode } from "../../src/embed/open.ts";
import { shipped } from "../lib/shipped.ts";
import { SinkFleet } from "../lib/sink-fleet.ts";
import { median } from "../lib/stats.ts";

const LOG_BYTES_MIN = 64 * 1024 * 1024;
/** What one lap sends to all sinks, at least: a lap begins with a handshake. */
const LAP_BYTES = 256 * 1024 * 1024;
const VALUE_BYTES = 1000;
/** The pump's budget for one link and run, and half its cap. */
const PIECE_BYTES = 256 * 1024;
const WAITING_BYTES_MAX = 2 * 1024 * 1024;
/** Bytes of one sample, over all sinks: as many laps as are needed. */
const SAMPLE_BYTES = 1024 * 1024 * 1024;
const LEAST_RATIO = 0.8;

export interface Compared {
  /** MB per second, medians. */
  readonly hawser: number;
  readonly plain: number;
  /** hawser / plain, pair by pair. */
  readonly ratio: number;
  readonly ratioMin: number;
  readonly ratioMax: number;
}

export interface Share {
  readonly replicas: number;
  readonly wall: Compared;
  /** Per CPU second of the sender. */
  readonly cpu: Compared;
  readonly leastRatio: number;
}

interface Rates {
  readonly wall: number;
  readonly cpu: number;
}

export async function share(replicas: number, pairs: number): Promise<Share> {
  const fleet = await SinkFleet.start();
  const logBytes = Math.max(LOG_BYTES_MIN, LAP_BYTES / replicas);
  const node = await filledNode(logBytes);
  const plain = await PlainSender.open(node.node.backlog);
  const laps = Math.ceil(SAMPLE_BYTES / logBytes / replicas);
  const { position } = node.node.status();
  const chain = node.node.backlog.chainAt(0);
  const start = { history: position.history, offset: 0, chain };
  const order = { sinks: replicas, bytes: position.offset };
  const hawserLap = (): Promise<void> =>
    fleet.receive({ ...order, port: node.replPort, position: start });
  const plainLap = (): Promise<void> =>
    fleet.receive({ ...order, port: plain.port, position: null });
  const found: { hawser: Rates; plain: Rates }[] = [];
  await hawserLap();
  await plainLap();
  for (let pair = 0; pair < pairs; pair++) {
    const bytes = laps * replicas * position.offset;
    found.push({
      hawser: await rates(laps, bytes, hawserLap),
      plain: await rates(laps, bytes, plainLap),
    });
  }
  fleet.stop();
  plain.close();
  await node.close();
  const compare = (kind: keyof Rates): Compared =>
    compared(found.map((pair) => [pair.hawser[kind], pair.plain[kind]]));
  return { replicas, wall: compare("wall"), cpu: compare("cpu"), leastRatio: LEAST_RATIO };
}

async function rates(laps: number, bytes: number, lap: () => Promise<void>): Promise<Rates> {
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  for (let i = 0; i < laps; i++) await lap();
  const used = process.cpuUsage(cpu);
  const wallMs = performance.now() - startMs;
  return { wall: bytes / 1e3 / wallMs, cpu: bytes / (used.user + used.system) };
}

function compared(pairs: readonly (readonly [number, number])[]): Compared {
  const ratios = pairs.map(([hawser, plain]) => hawser / plain);
  return {
    hawser: median(pairs.map(([hawser]) => hawser)),
    plain: median(pairs.map(([, plain]) => plain)),
    ratio: median(ratios),
    ratioMin: Math.min(...ratios),
    ratioMax: Math.max(...ratios),
  };
}

/** A primary whose backlog is full and holds its log from the beginning on. */
async function filledNode(logBytes: number): Promise<OpenNode> {
  const { openNode } = await shipped("embed/open");
  const node = await openNode("primary", { backlogBytes: 2 * logBytes });
  const bytes = Buffer.alloc(16 + VALUE_BYTES, 120);
  for (let i = 0; node.node.backlog.tail < logBytes; i++) {
    bytes.writeUInt32LE(i % 1000, 0);
    node.keys.set(bytes, 0, 16, bytes, 16, bytes.length, 0);
    node.node.turn.appended();
  }
  node.node.turn.end(performance.now());
  return node;
}

/** Sends the log in a backlog to every connection, from its beginning to its end. */
class PlainSender {
  readonly port: number;
  private readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static open(log: Backlog): Promise<PlainSender> {
    const server = createServer({ noDelay: true }, (socket) => send(socket, log));
    return new Promise((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve(new PlainSender(server)));
    });
  }

  close(): void {
    this.server.close();
  }
}

function send(socket: Socket, log: Backlog): void {
  const end = log.next;
  let segment = log.segmentAt(0);
  let [at, sent, waiting] = [0, 0, 0];
  const feed = (): void => {
    while (sent < end && waiting < WAITING_BYTES_MAX) {
      if (at === segment.sealed) {
        segment = segment.next!;
        at = 0;
      }
      const size = Math.min(PIECE_BYTES, segment.sealed - at);
      waiting += size;
      sent += size;
      socket.write(segment.bytes.subarray(at, at + size), () => {
        waiting -= size;
        feed();
      });
      at += size;
    }
  };
  socket.on("data", () => undefined);
  socket.on("error", () => undefined);
  feed();
}
