/**
 * What the feeding side reads of a node's settings, at use, with defaults (docs/decisions, D3 to D15).
 *
 * Owns: names, units, defaults. Does not own: parsing (node/options.ts), limits on peers (limits.ts).
 * Tested in: test/unit/primary/shipping.test.ts.
 */
export interface FeederOptions {
  /** Bytes behind the end of the log up to which a link is near; most of a ship in one pump run. */
  readonly budgetBytes: number;
  /** Most bytes written to all links in one pump run: what blocks the loop for at most 0.8 ms. */
  readonly runBytes: number;
  /** A link's output stays below this; it is refilled below half of it. */
  readonly outputCapBytes: number;
  /** Bytes of the stream in flight (sent and not applied). */
  readonly windowBytes: number;
  /** Payload of a chunk, but for the last; what is expected of one before any was loaded. */
  readonly chunkBytes: number;
  /** Chunk payload in flight (sent and not loaded). */
  readonly shipWindowBytes: number;
  /** Chunk payload per second, over all ships; 0 is no limit. */
  readonly shipRate: number;
  /** Handshakes that arrive within this share one freeze. */
  readonly shipGatherMs: number;
  /** Serializations at a time; the others queue. */
  readonly shipsAtOnce: number;
  /** One that has queued for this long gets a serialization beyond those. */
  readonly shipWaitMs: number;
  /** A sharer that holds the ring back for this long gets a reading of its own. */
  readonly shipSplitMs: number;
  /** What is kept of a replica whose ship or catch-up was cut. */
  readonly parkMs: number;
  /** Most bytes of backlog a hold may pin; 0 is four times the backlog. */
  readonly holdBytes: number;
  /** How long one sync may keep writers below the pace floor. */
  readonly throttleMaxMs: number;
  readonly handshakeMs: number;
  readonly silenceMs: number;
  readonly stallMs: number;
  readonly heartbeatMs: number;
  /** How long a replica that is ahead of a feeding replica is kept. */
  readonly waitMs: number;
  /** A connection with the same replica id but another process is superseded after this silence. */
  readonly duplicateSilenceMs: number;
  /** Shared by both ends, "" for none. */
  readonly replPassword: string;
}

/** Falling behind this soon after a ship counts as a failure of the ship, ms. */
export function relapseMs(options: FeederOptions): number {
  return 3 * options.throttleMaxMs;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const FEEDER_DEFAULTS: FeederOptions = {
  budgetBytes: 256 * KIB,
  runBytes: MIB,
  outputCapBytes: 4 * MIB,
  windowBytes: 64 * MIB,
  chunkBytes: 256 * KIB,
  shipWindowBytes: 4 * MIB,
  shipRate: 0,
  shipGatherMs: 200,
  shipsAtOnce: 2,
  shipWaitMs: 10_000,
  shipSplitMs: 1_000,
  parkMs: 60_000,
  holdBytes: 0,
  throttleMaxMs: 60_000,
  handshakeMs: 10_000,
  silenceMs: 60_000,
  stallMs: 30_000,
  heartbeatMs: 1_000,
  waitMs: 30_000,
  duplicateSilenceMs: 3_000,
  replPassword: "",
};
