/**
 * Deliberate bugs, each as textual changes of the sources: the classic ways in which replication
 * goes wrong. Looked for in clusters.
 */
import { type Mutant, mutantsOf } from "./mutant.ts";

const mutant = mutantsOf();

export const MUTANTS: readonly Mutant[] = [
  mutant("a replica calls durable what it has only applied", [
    "replica/ack-clock.ts",
    "const { tail: received, next: applied, durable } = log;",
    "const { tail: received, next: applied, next: durable } = log;",
  ]),
  mutant("a replica calls durable what it has only received", [
    "replica/ack-clock.ts",
    "const { tail: received, next: applied, durable } = log;",
    "const { tail: received, next: applied, tail: durable } = log;",
  ]),
  mutant("the hold is dropped at END, not after the catch-up", [
    "primary/ship-life.ts",
    "  link.stream(new Cursor(owner.backlog, offset), offset, nowMs);\n  owner.wantPump();",
    "  link.stream(new Cursor(owner.backlog, offset), offset, nowMs);\n  owner.holds.drop(link.sync.releaseHold());\n  owner.wantPump();",
  ]),
  mutant("a hold does not move with its replica", [
    "primary/pacing.ts",
    "hold.moveTo(link.confirmed);",
    "",
  ]),
  mutant("a hold has no cap", [
    "primary/pacing.ts",
    "holds.enforce(backlog.newestSegmentStart, this.holdCapBytes)",
    "holds.enforce(backlog.newestSegmentStart, Number.POSITIVE_INFINITY)",
  ]),
  mutant("writers run free while a sync is cut", [
    "primary/pacing.ts",
    "nowMs - sinceMs > PATIENCE_MS) {",
    "nowMs - sinceMs > 0) {",
  ]),
  mutant("a cut batch is resumed off by one byte", [
    "log/cursor.ts",
    "    this.at += held;",
    "    this.at += held - 1;",
  ]),
  mutant("a batch's chain is not compared", [
    "wire/decoder.ts",
    "if (this.#sum === this.#check) return;\n    const seen = `the batch",
    "if (this.#sum !== -1) return;\n    const seen = `the batch",
  ]),
  mutant("a head's crc is not checked", [
    "wire/head-checks.ts",
    "    if (seen !== sum) {",
    "    if (seen < 0) {",
  ]),
  mutant("a chunk's crc is not checked", [
    "wire/decoder.ts",
    "    this.#sum = crc32(bytes, at, end, this.#sum);\n    this.#missing -= end - at;\n    this.#sink.chunkBytes",
    "    this.#sum = this.#check;\n    this.#missing -= end - at;\n    this.#sink.chunkBytes",
  ]),
  mutant("an ACK counts what was received as applied", [
    "replica/ack-clock.ts",
    "const { tail: received, next: applied, durable } = log;",
    "const { tail: received, tail: applied, durable } = log;",
  ]),
  mutant("the swap comes before the verification", [
    "replica/restore.ts",
    "if (digest !== end.digest)",
    'if (digest === "")',
  ]),
  mutant("the superseded link stays", [
    "primary/hello-checks.ts",
    '  older.close("superseded", `by ${link.remote}`);',
    "",
  ]),
  mutant("a snapshot compares deaths with > instead of >=", [
    "store/serialize.ts",
    "return death === 0 || death >= epoch;",
    "return death === 0 || death > epoch;",
  ]),
  mutant("a snapshot loses records that died after it", [
    "store/serialize.ts",
    "return death === 0 || death >= epoch;",
    "return death === 0;",
  ]),
  mutant(
    "records seen by a snapshot are changed in place",
    ["store/key-space.ts", "=== lengths && words[at + BIRTH]! >= arena.pin) {", "=== lengths) {"],
    [
      "store/key-space.ts",
      "if (words[at + BIRTH]! < arena.pin) return false;",
      "if (words[at + BIRTH]! < 0) return false;",
    ],
  ),
  mutant("near links are fed and far ones never", [
    "primary/pump.ts",
    'if (anyFar) left = this.feedAll("far", order, true, left);',
    "",
  ]),
  mutant(
    "the freeze comes before the sealing",
    [
      "primary/feeder.ts",
      "  sealedPosition(): { readonly offset: number; readonly chain: number } {\n    this.backlog.seal();",
      "  sealedPosition(): { readonly offset: number; readonly chain: number } {",
    ],
    [
      "node/turn.ts",
      "    this.#seal();\n    this.#persist();\n    this.#publish();\n    const moreToFeed = this.#feed(nowMs);",
      "    const moreToFeed = this.#feed(nowMs);\n    this.#seal();\n    this.#persist();\n    this.#publish();",
    ],
  ),
  mutant("a replica freezes inside a batch", [
    "primary/feeder.ts",
    "    return this.deps.node.atBoundary;",
    "    return true;",
  ]),
  mutant("a batch larger than the window is not let through", [
    "primary/flow.ts",
    "return Math.max(plain, cursor.batchEnd(this.#applied));",
    "return plain;",
  ]),
  mutant("the window is ignored", [
    "primary/flow.ts",
    "const plain = this.#applied + Math.min(this.#room, windowBytes);",
    "const plain = Number.MAX_SAFE_INTEGER;",
  ]),
  mutant("the pump's budget is ignored", [
    "primary/link-feed.ts",
    "let left = Math.min(budget, outputCapBytes / 2 - link.output.bytes);",
    "let left = outputCapBytes / 2 - link.output.bytes;",
  ]),
  mutant("the output's cap is ignored", [
    "primary/link-feed.ts",
    "let left = Math.min(budget, outputCapBytes / 2 - link.output.bytes);",
    "let left = budget;",
  ]),
  mutant("offsets of different histories are compared", [
    "log/history.ts",
    "return { history, fork: Math.min(feederLeft, leftAt(replica, history)) };",
    "return { history, fork: Number.POSITIVE_INFINITY };",
  ]),
  mutant("older lineage entries are not lowered at a promotion", [
    "log/history.ts",
    "left: Math.min(entry.left, offset),",
    "left: entry.left,",
  ]),
  mutant("a promotion keeps what was received and not applied", [
    "node/role-moves.ts",
    "    backlog.dropReceived();\n    session.resetToLog();",
    "    session.resetToLog();",
  ]),
  mutant("a log segment is recycled before its last write callback", [
    "log/log-segment.ts",
    "    if (this.readers === 0) this.free();\n  }\n\n  private free",
    "    this.free();\n  }\n\n  private free",
  ]),
  mutant("chunks carry their stamps", [
    "store/serialize.ts",
    "for (let i = at; i < at + 8; i++) out[i] = 0;",
    "for (let i = at; i < at + 4; i++) out[i] = 0;",
  ]),
  mutant("a sharer's ring slot is freed too early", [
    "primary/reading.ts",
    "    this.#waiting -= 1;\n    if (this.#waiting === 0) this.#reading.releaseFront();",
    "    if (this.#waiting > 0) this.#waiting = 0;\n    this.#reading.releaseFront();",
  ]),
  mutant("links of a node survive its resync", [
    "primary/feeder.ts",
    '    this.dropAll("history_changed", "upstream_resync", "the upstream sent a snapshot");',
    "",
  ]),
  mutant(
    "waiters survive a resync",
    ["primary/feeder.ts", "    this.cutWaiters();\n    this.dropAll", "    this.dropAll"],
    ["node/role-moves.ts", "if (hasLed) feeder.cutWaiters();", ";"],
  ),
  mutant("a parked snapshot is not released", [
    "primary/parking.ts",
    "    parked.snapshot?.release();",
    "",
  ]),
  mutant("a batch that another primary began is continued", [
    "log/cursor.ts",
    "if (batchHeadCrc(segment.bytes, at) !== headCrc || at + held >=",
    "if (headCrc < 0 || at + held >=",
  ]),
  mutant("replicas are not told of a promotion", [
    "node/role-moves.ts",
    '    this.dropLinks("this node was promoted");\n',
    "",
  ]),
  mutant("what snapshots pin has no cap", [
    "primary/pacing.ts",
    "if (overBytes > 0) relieve(",
    "if (pinned.bytes < 0) relieve(",
  ]),
  mutant(
    "ships are given up at maxmemory though that cannot help",
    [
      "node/snapshot-memory.ts",
      "if (overBytes < pinned.bytes && nowMs",
      "if (pinned.bytes > 0 && nowMs",
    ],
    [
      "primary/relief.ts",
      "if (source.reclaimableBytes(all) < Math.max(1, neededBytes)) return false;",
      "",
    ],
  ),
  mutant("a replica is quarantined for what its snapshot pinned", [
    "primary/relief.ts",
    "giveUp(link, why, nowMs, false)",
    "giveUp(link, why, nowMs)",
  ]),
  mutant(
    "an unrelated state replaces data without consent",
    ["primary/resume.ts", 'if (replica.consent === "none") return "unrelated";', ""],
    [
      "replica/handshake.ts",
      'if (node.hasData() && node.consent(welcome.nodeId) === "none" && !relatedTo(node, welcome))',
      "if (node.nodeId === welcome.nodeId)",
    ],
  ),
  mutant("consent is not used up", [
    "node/present-role.ts",
    "roles.upstreamOf(this.role));\n    this.role = roles.withoutConsent(this.role);",
    "roles.upstreamOf(this.role));",
  ]),
  mutant("WAIT compares offsets of another time as a primary", [
    "log/write-mark.ts",
    "return leftAt(node, this.history) >= this.offset ? this.offset : -1;",
    "return leftAt(node, this.history) < -1 ? -1 : this.offset;",
  ]),
  mutant("a token counts as reached beyond where its history was left", [
    "log/token.ts",
    'if (place.offset > left) return "lost";',
    "",
  ]),
  mutant("a token is reached as soon as the lineage names its history", [
    "log/token.ts",
    'return next >= place.offset ? "reached" : "ahead";',
    'return next >= 0 ? "reached" : "ahead";',
  ]),
  mutant("a token names the present history for what was written in an older one", [
    "log/token.ts",
    "name.lineage.find(({ left }) => left >= offset)",
    "name.lineage.find(({ left }) => left === -offset - 1)",
  ]),
  mutant("a token of a higher rank is lost on a node that is behind", [
    "log/token.ts",
    "return order < 0 || (order === 0 && history < name.history);",
    "return order > 0 || (order === 0 && history < name.history);",
  ]),
  mutant("a refusal leaves consent as it was", [
    "replica/handshaking.ts",
    "    if (handshake.isVerdict(reject)) deps.node.onRefused();\n",
    "",
  ]),
  mutant(
    "VERIFY is said one slice too late",
    [
      "primary/link.ts",
      "mark.position.offset !== this.flow.sent) return;",
      "mark.position.offset > this.flow.sent + 1) return;",
    ],
    [
      "primary/link-feed.ts",
      "const end = link.mark?.position.offset ?? Number.POSITIVE_INFINITY;",
      "const end = Number.POSITIVE_INFINITY;",
    ],
    [
      "replica/mark.ts",
      "return applied === message.position.offset ? message : null;",
      "return message;",
    ],
  ),
  mutant("a middle node takes its own end for the root's", [
    "primary/pump.ts",
    "root.owedBytes < 0 ? null : Math.min(Number.MAX_SAFE_INTEGER, next + root.owedBytes)",
    "next",
  ]),
  mutant("what is left of a full sync is not lag", [
    "replica/owed.ts",
    "Math.max(1, bytes - restore.bytes)",
    "0",
  ]),
  mutant("an outage above a live link is not handed on", [
    "replica/root-view.ts",
    "word.awayMs > 0 ? word.awayMs + sinceMs : downForMs",
    "downForMs",
  ]),
  mutant("a word on the root does not age", [
    "replica/root-view.ts",
    "bounded(word.ageMs + sinceMs)",
    "bounded(word.ageMs)",
  ]),
  mutant("a promotion is not remembered", [
    "node/role-moves.ts",
    '?? this.remember({ role: "primary", upstream: null });\n    if',
    "?? null;\n    if",
  ]),
  mutant("REPLICAOF is not remembered", [
    "node/role-moves.ts",
    'const refusal = this.remember({ role: "replica", upstream }, kept);',
    "const refusal = null;",
  ]),
  mutant("a node that never had a state is promoted", [
    "node/roles.ts",
    "return force ? null : NEVER_SYNCED;",
    "return null;",
  ]),
  mutant(
    "a record is in the log before the store took it",
    [
      "node/keyspace.ts",
      "    try {\n      this.store.apply(",
      "    if (!this.#grouping) this.#log.append(length);\n    try {\n      this.store.apply(",
    ],
    ["node/keyspace.ts", "    } else this.#log.append(length);\n", "    }\n"],
  ),
  mutant(
    "a torn state is promoted",
    ["node/roles.ts", "      return TORN;\n", "      return null;\n"],
    ["node/roles.ts", '  assert(from.holds !== "torn", "a torn state leads");\n', ""],
    [
      "node/role-moves.ts",
      'else if (roles.heldBy(this.role) === "torn")',
      "else if (this.role.waiting.length === 0)",
    ],
  ),
  mutant(
    "a torn state feeds",
    ["node/present-role.ts", "    this.parts.feeder.stateTorn();\n", ""],
    [
      "primary/hello-checks.ts",
      "if (node.torn) return refusal(",
      'if (node.torn && hello.nodeId === "") return refusal(',
    ],
  ),
  mutant("a torn state is kept, and applies its batch again", [
    "replica/apply.ts",
    "    if (!this.torn) this.stuck = false;",
    "    this.reset();",
  ]),
  mutant("a demoted node goes on logging expiries", [
    "node/housekeeping.ts",
    "  if (keys.refusal !== null) return false;\n",
    "",
  ]),
  mutant("a damaged stored batch is fetched again for ever", [
    "replica/damage.ts",
    "return this.failures >= FAILURES_MAX;",
    "return this.failures < 0;",
  ]),
  mutant("applied is acknowledged before the state has answered", [
    "replica/run-applier.ts",
    "if (this.calls.call(this.apply, this.answered)) this.finish(this.to);",
    "this.calls.call(this.apply, this.answered);\n      this.finish(this.to);",
  ]),
  mutant(
    "a snapshot is staged while the state has a run",
    ["replica/calls.ts", 'busy: ["free", "resting"]', 'busy: ["free", "resting", "busy"]'],
    ["replica/late-loading.ts", "while (this.calls.isFree) {", "while (this.calls !== null) {"],
  ),
  mutant("a promotion does not wait for the run that the state has", [
    "node/role-moves.ts",
    "    else if (session.isBusy) this.#awaitState();\n",
    "",
  ]),
  mutant("a state is frozen while it has a run", [
    "replica/run-applier.ts",
    "return !this.calls.isBusy && !this.torn;",
    "return !this.torn;",
  ]),
  mutant("what follows END is taken before the swap is answered", [
    "replica/session.ts",
    "    this.decoder!.suspend();\n",
    "",
  ]),
];
