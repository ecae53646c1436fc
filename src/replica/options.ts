/**
 * What the following side reads of a node's settings, at use, with defaults (docs/decisions, D6, D7, D15).
 *
 * Owns: names, units, defaults. Does not own: parsing (node/options.ts), limits on peers (limits.ts).
 * Tested in: test/unit/replica/session.test.ts.
 */
export interface SessionOptions {
  readonly handshakeMs: number;
  readonly silenceMs: number;
  readonly heartbeatMs: number;
  /** Bytes received and not applied that are held at most, but for one batch. */
  readonly windowBytes: number;
  /** Bytes of records applied in one slice: well under 10 ms at 1 us for each record of 100 bytes. */
  readonly sliceBytes: number;
  /** An ACK goes out at least this often while bytes arrive. */
  readonly ackBytes: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** How long a half loaded snapshot is kept while the connection is away. */
  readonly parkMs: number;
  /** Payload of a snapshot that is staged at most, bytes, whatever is announced. */
  readonly stagedBytesMax: number;
  /** What to do when the upstream says that our own log went another way. */
  readonly onDivergence: "resync" | "refuse";
  readonly replPassword: string;
}

const MIB = 1024 * 1024;

export const SESSION_DEFAULTS: SessionOptions = {
  handshakeMs: 10_000,
  silenceMs: 60_000,
  heartbeatMs: 1_000,
  windowBytes: 64 * MIB,
  sliceBytes: MIB / 4,
  ackBytes: MIB / 4,
  backoffMinMs: 50,
  backoffMaxMs: 15_000,
  parkMs: 60_000,
  stagedBytesMax: Number.MAX_SAFE_INTEGER,
  onDivergence: "resync",
  replPassword: "",
};
