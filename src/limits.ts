/**
 * Every limit on something that a peer, a client or history controls, with its unit, the threat it
 * answers and the reason for its size. A length is compared with its limit before memory is
 * allocated for it.
 *
 * Owns: numbers. Does not own: defaults that an operator may set (daemon/options.ts).
 */

const KIB = 1024;
const MIB = 1024 * 1024;
const GIB = 1024 * 1024 * 1024;

export const LIMITS = {
  /** Bytes of one record, header of the batch not counted. Threat: one record that cannot be held. */
  recordBytesMax: GIB,
  /** Bytes of one batch with its header: the largest record, its length prefix and the header fit. */
  batchBytesMax: GIB + 64,
  /** Bytes a feeder reads from a peer that it has not welcomed yet. DESIGN said 1 KiB; a HELLO with
   * 64 lineage entries (24 bytes each) and a 16-node path needs 2.4 KiB. */
  handshakeBytesMax: 4 * KIB,
  /** Bytes of the body of any control frame but CHUNK. Threat: a frame announcing 4 GiB. */
  controlBytesMax: 4 * KIB,
  /** Bytes of a CHUNK frame's body: the largest ring slot that may be configured. */
  chunkBytesMax: MIB,
  /** Connections that have not finished their handshake. Threat: slow-loris. */
  pendingHandshakesMax: 100,
  /** Connected replicas. */
  linksMax: 1000,
  /** Histories a lineage keeps; older ones are forgotten and then count as unrelated. */
  lineageEntriesMax: 64,
  /** Nodes between a replica and the root. Threat: cycles, unbounded HELLO. */
  pathNodesMax: 16,
  /** Bytes (utf-8) of a host name, code, version or format name in a control frame. */
  textBytesMax: 255,
  /** Bytes (utf-8) of a human-readable message in REJECT and BYE. */
  messageBytesMax: 1024,
  /** Bytes of one RESP bulk string, as redis's proto-max-bulk-len. */
  bulkBytesMax: 512 * MIB,
  /** Arguments of one RESP command, as redis's limit. */
  commandArgumentsMax: 1024 * 1024,
  /** Bytes of one RESP inline command or length line, as redis's PROTO_INLINE_MAX_SIZE. */
  inlineBytesMax: 64 * KIB,
  /** Bytes queued for a client that does not read its replies; then it is closed. */
  clientOutputBytesMax: 256 * MIB,
  /** Bytes of one key. */
  keyBytesMax: 512 * MIB,
  /** Bytes of one value. */
  valueBytesMax: 512 * MIB,
} as const;
