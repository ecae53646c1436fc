/** A feeder with links that are welcomed and whose sockets take everything when told to. */
import type { Turn } from "../../src/node/turn.ts";
import type { Feeder } from "../../src/primary/feeder.ts";
import type { Backlog } from "../../src/log/backlog.ts";
import type { Link, LinkOut } from "../../src/primary/link.ts";
import { randomId } from "../../src/wire/id.ts";
import { NO_SYNC } from "../../src/wire/messages.ts";
import { helloWith } from "../../tools/hello.ts";
import { shipped } from "../lib/shipped.ts";
import { SET_BYTES } from "./material.ts";

const BACKLOG_BYTES = 8 * 1024 * 1024;
const FORMAT = { name: "bench", version: 1 };
const HISTORY = "0".repeat(31) + "1";
const NODE_ID = "0".repeat(31) + "2";

/** Counts pieces, keeps nothing. */
class FakeOut implements LinkOut {
  pieces = 0;
  bytes = 0;
  readonly beingTaken = 0;

  write(_bytes: Uint8Array, from: number, to: number): void {
    this.pieces += 1;
    this.bytes += to - from;
  }
  flush(): void {}
  end(): void {}
  destroy(): void {}
}

export interface Fed {
  readonly turn: Turn;
  readonly links: readonly Link[];
  /** A SET into the open batch. */
  readonly append: () => void;
  /** The sockets take what they were given. */
  readonly take: () => void;
  /** Every replica acknowledges all it was sent. */
  readonly acknowledge: () => void;
}

export async function fed(replicas: number): Promise<Fed> {
  const { Turn } = await shipped("node/turn");
  const { Feeder } = await shipped("primary/feeder");
  const { FEEDER_DEFAULTS } = await shipped("primary/options");
  const { Backlog } = await shipped("log/backlog");
  const { encode } = await shipped("wire/codec");
  const { chainStart } = await shipped("wire/frame");
  const log = new Backlog(0, chainStart(HISTORY), { sizeBytes: BACKLOG_BYTES, clock: () => 1 });
  const feeder = newFeeder(Feeder, FEEDER_DEFAULTS, log);
  const shell = { soon: () => undefined, wakeAt: () => undefined };
  const turn = new Turn({ log, feeder, shell, now: () => 1 });
  const outs: FakeOut[] = [];
  const links = Array.from({ length: replicas }, (_, i) => {
    const out = new FakeOut();
    outs.push(out);
    const link = feeder.accept(`bench:${i}`, out, 0);
    const position = { history: HISTORY, offset: 0, chain: chainStart(HISTORY) };
    const said = encode(helloWith({ format: FORMAT, position }));
    link.onBytes(said, 0, said.length, 0);
    if (link.state.kind !== "streaming") throw new Error(`a link is ${link.state.kind}`);
    return link;
  });
  const record = Buffer.alloc(SET_BYTES - 4, 120);
  const take = (): void => {
    for (let i = 0; i < links.length; i++) {
      const out = outs[i]!;
      for (; out.pieces > 0; out.pieces--) links[i]!.onTaken(1);
    }
  };
  turn.end(1);
  take();
  return {
    turn,
    links,
    append: () => void record.copy(log.bytes, log.append(record.length)),
    take,
    acknowledge: () => {
      for (const link of links) {
        const { sent } = link;
        const bytes = encode({
          type: "ack",
          mode: "streaming",
          received: sent,
          applied: sent,
          durable: 0,
          room: 64 * 1024 * 1024,
          echo: 0,
        });
        link.onBytes(bytes, 0, bytes.length, 1);
      }
    },
  };
}

function newFeeder(Shipped: typeof Feeder, options: Feeder["options"], backlog: Backlog): Feeder {
  return new Shipped({
    options,
    backlog,
    source: {
      freeze: () => {
        throw new Error("nobody asked for a ship");
      },
      isEmpty: () => true,
      memory: () => ({ dataBytes: 0, pinnedBytes: 0 }),
      reclaimableBytes: () => 0,
    },
    node: {
      history: HISTORY,
      rank: { term: 1, run: 0 },
      lineage: [],
      storeId: NODE_ID,
      clusterId: null,
      sync: NO_SYNC,
      complete: true,
      intact: true,
      promised: { term: 0, run: 0 },
      nodeId: NODE_ID,
      role: "primary",
      path: [NODE_ID],
      rootId: NODE_ID,
      format: FORMAT,
      ready: true,
      fenced: "",
      torn: false,
      atBoundary: true,
      root: () => ({ clockMs: 0, ageMs: 0, awayMs: 0, owedBytes: 0 }),
      rootLives: false,
      upstream: { host: "", port: 0 },
    },
    journal: () => undefined,
    randomId,
    wantTurn: () => undefined,
    now: () => 1,
    onLeader: () => undefined,
    onRolledBack: () => undefined,
    onPromised: () => undefined,
    onPromise: () => false,
    pinned: () => ({ bytes: 0, capBytes: 1 }),
    onDigest: () => undefined,
    onFailoverAnswer: () => undefined,
    onWelcomed: () => undefined,
    onLinkClosed: () => undefined,
  });
}
