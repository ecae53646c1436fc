/**
 * Every limit on something that a peer, a client or history controls, with its unit, the threat it
 * answers and the reason for its size. A length is compared with its limit before memory is
 * allocated for it.
 *
 * Plain literals: 1_048_576 is 1 MiB, 1_073_741_824 is 1 GiB.
 * Owns: numbers. Does not own: defaults that an operator may set (node/settings.ts).
 * Tested in: test/unit/docs/tables.test.ts.
 */

export const LIMITS = {
  /** Bytes of one record, header of the batch not counted. Threat: one record that cannot be held. */
  recordBytesMax: 1_073_741_824,
  /** Bytes of one batch with its header: the largest record, its length prefix and the header fit. */
  batchBytesMax: 1_073_741_888,
  /** Bytes a feeder reads from a peer that it has not welcomed yet. A HELLO with 64 lineage entries
   * (36 bytes each) and all its texts needs 3 KiB. */
  handshakeBytesMax: 4_096,
  /** Bytes of the body of any control frame but CHUNK. Threat: a frame announcing 4 GiB. */
  controlBytesMax: 4_096,
  /** Bytes of a CHUNK frame's body: the largest ring slot that may be configured. */
  chunkBytesMax: 1_048_576,
  /** Connections that have not finished their handshake. Threat: slow-loris. */
  pendingHandshakesMax: 100,
  /** Connected replicas. */
  linksMax: 1000,
  /** Copies (`hawser backup`) at a time: they take no replica's place. */
  copiesMax: 16,
  /** Histories a lineage keeps; of more, the shortest are forgotten and then count as unrelated. */
  lineageEntriesMax: 64,
  /** The term of a rank: half of what the field holds. Threat: one that no promotion can be above. */
  termMax: 4_503_599_627_370_496,
  /** Peers that a node remembers over restarts. */
  rememberedPeersMax: 32,
  /** Peers that a replica is told of. */
  peersToldMax: 14,
  /** Stores that a node batch names. */
  nodeBatchMembersMax: 32,
  /** Key buckets in one DIGEST: as many u32 as a control frame holds. */
  digestBucketsMax: 512,
  /** Nodes between a replica and the root. Threat: cycles, unbounded HELLO. */
  pathNodesMax: 16,
  /** Bytes (utf-8) of a host name, code, version or format name in a control frame. */
  textBytesMax: 255,
  /** Bytes (utf-8) of a human-readable message in REJECT and BYE. */
  messageBytesMax: 1024,
  /** A peer's clock or duration, ms: the last moment that a JavaScript Date can name. Threat: sums of
   * such numbers that are no integers any more. */
  timeMsMax: 8_640_000_000_000_000,
  /** Offset of a snapshot: 1 TiB short of 2^53. Threat: a log that cannot go on from there. */
  offsetMax: 9_006_099_743_113_216,
  /** How long a REJECT may keep a replica away, ms. Nobody has proved anything when it is said. */
  retryAfterMsMax: 60_000,
  /** Bytes that wait to be taken by an upstream before it is told no more ACKs. */
  sessionOutputBytesMax: 65_536,
  /** Verifications that a replica digests at a time; one more is not answered. */
  verifiesMax: 4,
  /** Bytes of one RESP bulk string, as redis's proto-max-bulk-len. */
  bulkBytesMax: 536_870_912,
  /** Arguments of one RESP command, as redis's limit. */
  commandArgumentsMax: 1_048_576,
  /** Bytes of one RESP inline command or length line, as redis's PROTO_INLINE_MAX_SIZE. */
  inlineBytesMax: 64_096,
  /** Bytes of a client's password, user, or setting (CONFIG SET). Threat: hashing 512 MB on the loop. */
  settingBytesMax: 4_096,
  /** Bytes of a connection's name, and of its library's name and version, each. Threat: CLIENT LIST
   * of 10,000 clients as one string. */
  clientTextBytesMax: 1_024,
  /** Bytes of a glob pattern. Threat: a class of 512 MB, looked through for every key. */
  patternBytesMax: 16_384,
  /** Bytes of all keys that one client watches, each with WATCHED_KEY_BYTES of ours. Threat: WATCH
   * after WATCH; one key of the largest size fits. */
  watchedBytesMax: 1_073_741_824,
  /** Bytes that all clients together have in transactions, watched keys and requests that are still
   * arriving, beyond which MULTI queues and WATCH takes nothing more. Threat: 2 GB of MULTI. */
  clientsBytesMax: 1_073_741_824,
  /** Bytes of all keys that one KEYS or SCAN answers with. */
  keyListBytesMax: 536_870_912,
  /** Bytes queued for a client that does not read its replies; then it is closed. Two of the largest
   * values fit on top of what may wait before a command runs. */
  clientOutputBytesMax: 1_207_959_552,
  /** Bytes of one key. */
  keyBytesMax: 536_870_912,
  /** Bytes of one value. */
  valueBytesMax: 536_870_912,
} as const;
