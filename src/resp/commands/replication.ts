/**
 * Replication as clients see it: ROLE, REPLICAOF, and our own REPL.INFO, REPL.STATUS,
 * REPL.EVENTS, REPL.DIGEST, REPL.VERIFY and REPL.BUCKET.
 *
 * Owns: arguments and replies. Does not own: what they set off (node.ts), waits (waiting.ts).
 */
import type { Call, PortContext } from "../context.ts";
import type { SessionStateName } from "../../node/api.ts";
import { readHost, UsageError } from "../../node/option-values.ts";
import { wordsOf } from "../../errors.ts";
import { isSameAddress } from "../../net/address.ts";
import { readInteger } from "../numbers.ts";
import { saysToLead } from "../role-words.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import { LIMITS } from "../../limits.ts";
import { PROTOCOL } from "../../wire/messages.ts";
import { ERR, NO_KEYS, row, type Command } from "./command.ts";
import { FAILOVER_COMMANDS } from "./failover-commands.ts";
import { MEMBER_COMMANDS } from "./member-commands.ts";

const ADMIN = "admin noscript stale no_async_loading loading";
const INFO_FLAGS = "loading stale fast";

/** A redis that retries every second is told about once an hour. */
const SYNC_REFUSED_MS = 3_600_000;

export const REPLICATION_COMMANDS: readonly Command[] = [
  row("sync", 1, "admin noscript no_async_loading no_multi", NO_KEYS, refuseSync),
  row("psync", -3, "admin noscript no_async_loading no_multi", NO_KEYS, refuseSync),
  row("role", 1, "noscript loading stale fast", NO_KEYS, role),
  row("replicaof", -3, ADMIN, NO_KEYS, replicaof),
  row("slaveof", -3, ADMIN, NO_KEYS, replicaof),
  ...FAILOVER_COMMANDS,
  ...MEMBER_COMMANDS,
  row("repl.info", -1, INFO_FLAGS, NO_KEYS, replInfo),
  row("repl.digest", 1, "loading stale", NO_KEYS, replDigest),
  row("repl.status", 1, INFO_FLAGS, NO_KEYS, replStatus),
  row("repl.events", -1, INFO_FLAGS, NO_KEYS, replEvents),
  row("repl.verify", -1, "loading stale", NO_KEYS, replVerify),
  row("repl.bucket", -4, "loading stale", NO_KEYS, replBucket),
];

/** Ports to which a redis tried to attach itself, and when that was logged. */
const syncRefusedAtMs = new WeakMap<PortContext, number>();

/** A redis-server whose replicaof names this port: it tries again every second, and says this text. */
function refuseSync(call: Call): void {
  const { client, port, reply } = call;
  const now = Date.now();
  const before = syncRefusedAtMs.get(port);
  if (before === undefined || now - before >= SYNC_REFUSED_MS) {
    syncRefusedAtMs.set(port, now);
    port.log.warn("sync_refused", {
      client: client.address,
      hint: "redis cannot replicate from hawser: run REPLICAOF NO ONE there; hawser's own replicas use the replication port",
    });
  }
  reply.error(
    "NOMASTERLINK hawser does not speak redis's replication protocol, run REPLICAOF NO ONE",
  );
}

const SEED_CHARS = 32;
/** A hundred buckets of three digits with commas. */
const BUCKET_LIST_CHARS_MAX = 400;
/** Keys of one bucket that REPL.BUCKET tells: when it is not told how many, and at most. */
const BUCKET_KEYS = 100_000;
const BUCKET_KEYS_MAX = 200_000;

/** A host of more bytes than readHost() takes need not become a string. */
const HOST_BYTES_READ = LIMITS.textBytesMax + 2;
const TOO_LONG = "x".repeat(HOST_BYTES_READ + 1);

/** How long REPL.VERIFY waits for replicas when it is not told. */
const VERIFY_MS = 30_000;

/** redis's words for what a session does. */
const ROLE_STATES: Readonly<Record<SessionStateName, string>> = {
  connecting: "connecting",
  handshake: "handshake",
  restoring: "sync",
  swapping: "sync",
  streaming: "connected",
  retrying: "connect",
  stopped: "none",
};

function role(call: Call): void {
  const { reply, port } = call;
  const status = port.node.status();
  if (status.role === "primary" || status.upstream === null) {
    const links = status.links.filter((link) => link.state === "streaming");
    reply.array(3);
    reply.bulkText("master");
    reply.integer(status.position.offset);
    reply.array(links.length);
    for (const link of links) {
      reply.array(3);
      reply.bulkText(link.host);
      reply.bulkText(String(link.clientPort));
      reply.bulkText(String(link.applied));
    }
    return;
  }
  reply.array(5);
  reply.bulkText("slave");
  reply.bulkText(status.upstream.host);
  reply.integer(status.upstream.port);
  reply.bulkText(ROLE_STATES[status.upstream.state]);
  reply.integer(status.upstream.applied);
}

function replicaof(call: Call): void {
  const { args, port, reply } = call;
  if (saysToLead(args)) {
    promote(call, args.count === 4);
    return;
  }
  if (args.count !== 3) {
    reply.error(
      args.is(1, "NO") && args.is(2, "ONE")
        ? "ERR syntax error, expected REPLICAOF NO ONE [FORCE]"
        : `ERR wrong number of arguments for '${args.is(0, "SLAVEOF") ? "slaveof" : "replicaof"}' command`,
    );
    return;
  }
  const target = readInteger(args.bytes, args.from(2), args.to(2));
  if (typeof target !== "number" || target < 1 || target > 65_535) {
    reply.error("ERR Invalid master port");
    return;
  }
  let host: string;
  try {
    host = readHost(args.text(1, HOST_BYTES_READ) ?? TOO_LONG);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    reply.error(`ERR Invalid master host '${args.shown(1)}': ${error.message}`);
    return;
  }
  const upstream = port.node.role === "replica" ? port.node.status().upstream : null;
  // Why not by the address alone: typed again it is consent, which a session that is refused needs.
  const standing = upstream?.state === "streaming" || upstream?.state === "restoring";
  if (standing && isSameAddress(upstream, { host, port: target })) {
    reply.simple("OK Already connected to specified master");
    return;
  }
  const refusal = port.node.follow(host, target, "replicaof");
  call.keys.refresh(call.keys.now);
  answerRole(reply, refusal);
}

const NOT_BOTH =
  "ERR in synchronous mode REPLICAOF NO ONE asks others first: say it in a transaction without REPLICAOF host port";

function promote({ client, keys, port, reply }: Call, force: boolean): void {
  const { node } = port;
  if (client.executing) {
    // Beside a REPLICAOF of a node EXEC has not waited.
    const { promotion } = client;
    const mayWait = promotion === undefined && !force && node.status().sync !== null;
    if (mayWait) reply.error(NOT_BOTH);
    else
      answerRole(reply, promotion === undefined ? node.promote(force, () => undefined) : promotion);
  } else {
    client.block((done) => {
      const answer = (why: string | null): void => done((later) => answerRole(later, why));
      const refusal = node.promote(force, answer);
      if (refusal !== null) answer(refusal);
      // A promotion that was asked for happens, whoever is there to hear of it.
      return () => undefined;
    });
  }
  keys.refresh(keys.now);
}

function answerRole(reply: ReplyWriter, refusal: string | null): void {
  if (refusal === null) reply.ok();
  else reply.error(`ERR ${refusal}`);
}

/**
 * REPL.INFO [LINK]: what somebody who only knows the client port needs to find the rest. LINK is how
 * a replica asks, which opens every connection with it (wire/opening.ts).
 */
function replInfo(call: Call): void {
  if (call.args.count > 2 || (call.args.count === 2 && !call.args.is(1, "LINK"))) {
    call.reply.error("ERR expected REPL.INFO [LINK]");
    return;
  }
  const status = call.port.node.status();
  const fields: readonly (readonly [string, string | number])[] = [
    ["protocol", PROTOCOL.max],
    ["repl_host", status.announceHost],
    ["repl_port", status.replPort],
    ["role", status.role],
    ["node_id", status.nodeId],
    ["history", status.position.history],
    ["offset", status.position.offset],
  ];
  call.reply.map(fields.length);
  for (const [name, value] of fields) {
    call.reply.bulkText(name);
    if (typeof value === "number") call.reply.integer(value);
    else call.reply.bulkText(value);
  }
}

/** [history, offset, records, sum] of the whole state, once the worker has read it. */
function replDigest(call: Call): void {
  answerLater(
    call,
    () => call.port.node.inspection.digest(),
    (reply, { position, records, sum }) => {
      reply.array(4);
      reply.bulkText(position.history);
      reply.integer(position.offset);
      reply.integer(records);
      reply.bulkText(sum);
    },
  );
}

/** REPL.VERIFY [timeout ms]: every streaming replica compared with this node, as JSON. */
function replVerify(call: Call): void {
  const { args, port, reply } = call;
  const timeout = args.count === 1 ? VERIFY_MS : readInteger(args.bytes, args.from(1), args.to(1));
  if (typeof timeout !== "number" || timeout < 0 || args.count > 2) {
    reply.error("ERR timeout is not an integer or out of range");
    return;
  }
  answerLater(
    call,
    () => port.node.inspection.verify(timeout),
    (later, report) => {
      later.bulkText(JSON.stringify(report));
    },
  );
}

/** REPL.BUCKET seed buckets bucket[,bucket..] [limit]: keys of a verification's buckets, as JSON. */
function replBucket(call: Call): void {
  const { args, port, reply } = call;
  const seed = args.word(1, SEED_CHARS) ?? "";
  const list = args.latin1(3, BUCKET_LIST_CHARS_MAX) ?? "";
  if (args.count > 5 || !/^[0-9a-f]{32}$/.test(seed) || !/^\d{1,3}(,\d{1,3}){0,99}$/.test(list)) {
    reply.error("ERR expected REPL.BUCKET seed buckets bucket[,bucket..] [limit]");
    return;
  }
  const wanted = list.split(",").map(Number);
  const buckets = readInteger(args.bytes, args.from(2), args.to(2));
  const limit = args.count === 4 ? BUCKET_KEYS : readInteger(args.bytes, args.from(4), args.to(4));
  const number = (value: unknown, min: number, max: number): value is number =>
    typeof value === "number" && value >= min && value <= max;
  if (
    !number(buckets, 1, LIMITS.digestBucketsMax) ||
    !wanted.every((bucket) => bucket < buckets) ||
    !number(limit, 1, BUCKET_KEYS_MAX)
  ) {
    reply.error(ERR.notInteger);
    return;
  }
  answerLater(
    call,
    () => port.node.inspection.bucket({ seed, buckets, wanted, limit }),
    (later, keys) => {
      later.bulkText(JSON.stringify(keys));
    },
  );
}

/** Asks, and blocks the client until the answer is there. */
function answerLater<T>(
  call: Call,
  ask: () => Promise<T>,
  write: (reply: ReplyWriter, value: T) => void,
): void {
  // In a transaction nothing can wait: its replies are one array, written in one step.
  if (call.client.executing) {
    call.reply.error("ERR this command is not allowed in transactions");
    return;
  }
  call.client.block((done) => {
    let wanted = true;
    // Why a turn later: else a pipeline of these would be one chain of promises, and nobody else's turn.
    const later = (reply: (reply: ReplyWriter) => void) =>
      setImmediate(() => {
        if (wanted) done(reply);
      });
    ask().then(
      (value) => later((reply) => write(reply, value)),
      (error: unknown) => {
        const message = wordsOf(error);
        later((reply) => reply.error(`ERR ${message}`));
      },
    );
    return () => {
      wanted = false;
    };
  });
}

/** REPL.EVENTS [count]: the newest events, oldest first, as JSON. */
function replEvents(call: Call): void {
  const { args, port, reply } = call;
  const count = args.count === 1 ? 0 : readInteger(args.bytes, args.from(1), args.to(1));
  if (typeof count !== "number" || count < 0 || args.count > 2) {
    reply.error(ERR.notInteger);
    return;
  }
  reply.bulkText(
    JSON.stringify(count === 0 ? port.node.events() : port.node.events().slice(-count)),
  );
}

function replStatus(call: Call): void {
  call.reply.bulkText(JSON.stringify(call.port.node.status()));
}
