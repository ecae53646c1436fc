/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH: commands that run together or not at all.
 *
 * EXEC's writes are one GROUP record, so a replica never shows half of them. Queueing is dispatch's. With REPLICAOF NO
 * ONE in it EXEC waits for how that ends.
 * Owns: the verdict on watched keys. Does not own: groups (keyspace.ts), queueing (dispatch.ts).
 */
import { LIMITS } from "../../limits.ts";
import { Args } from "../args.ts";
import { CommandQueue } from "../command-queue.ts";
import type { Call } from "../context.ts";
import { execute, noteRead, noteWrite, waitsForOthers } from "../execute.ts";
import type { Keyspace } from "../../node/keyspace.ts";
import {
  ABSENT,
  printOf,
  samePrint,
  type KeyPrint,
  WATCHED_KEY_BYTES,
  type Watcher,
} from "../../node/watch.ts";
import { ALL_KEYS, ERR, FLAG, NO_KEYS, row, type Command } from "./command.ts";

const FLAGS = "noscript loading stale fast allow_busy";

export const TRANSACTION_COMMANDS: readonly Command[] = [
  row("multi", 1, FLAGS, NO_KEYS, multi),
  row("exec", 1, "noscript loading stale skip_slowlog", NO_KEYS, exec),
  row("discard", 1, FLAGS, NO_KEYS, discard),
  row("watch", -2, FLAGS, ALL_KEYS, watch),
  row("unwatch", 1, FLAGS, NO_KEYS, unwatch),
];

function multi(call: Call): void {
  const { client, reply } = call;
  if (client.queue !== null) {
    reply.error("ERR MULTI calls can not be nested");
    return;
  }
  client.queue = new CommandQueue();
  reply.ok();
}

function exec(call: Call): void {
  const { queue } = call.client;
  const promotes = queue === null || queue.broken || queue.demotes ? "no" : queue.promotes;
  if (promotes === "no" || watchedChanged(call)) execNow(call);
  else promoteFirst(call, promotes === "forced");
}

/**
 * With a REPLICAOF NO ONE in it, which may have to ask others: that comes first, and the transaction runs when it is
 * known how it ended. Why not in its turn: nothing can wait between two commands of a transaction. Why not told when
 * it has begun: who promotes by a transaction, as Sentinel does, reads EXEC's reply alone.
 * Of writes there are none: on a node that does not lead they are not queued, and one that leads answers at once.
 */
function promoteFirst(call: Call, force: boolean): void {
  const { client, keys, port } = call;
  client.block((done) => {
    const { node } = port;
    const run = (refusal: string | null): void =>
      done(() => {
        keys.refresh(Date.now());
        client.promotion = refusal;
        execNow(call);
        client.promotion = undefined;
      });
    const refusal = node.promote(force, run);
    if (refusal !== null) run(refusal);
    // A promotion that was asked for happens, whoever is there to hear of it.
    return () => undefined;
  });
}

function execNow(call: Call): void {
  const { client, keys, reply } = call;
  const { queue } = client;
  if (queue === null) {
    reply.error("ERR EXEC without MULTI");
    return;
  }
  const { broken } = queue;
  const showsData = (queue.bits & (FLAG.write | FLAG.readonly)) !== 0;
  const writes = (queue.bits & FLAG.write) !== 0;
  const changed = !broken && watchedChanged(call);
  client.discard(keys.watches);
  if (broken) {
    reply.error("EXECABORT Transaction discarded because of previous errors.");
    return;
  }
  const waits = waitsForOthers(call) && (changed || showsData);
  if (changed) {
    const at = reply.pending;
    reply.nilArray();
    if (waits) noteRead(call, at);
    return;
  }
  const { steps } = keys;
  const from = reply.pending;
  // One write, one answer: no part of it goes before the others.
  const isHeld = writes || waits;
  if (isHeld) reply.hold();
  try {
    runQueued(call, queue);
    if (writes) noteWrite(call, from, steps);
    else if (waits) noteRead(call, from);
  } finally {
    if (isHeld) reply.release();
  }
}

function runQueued(call: Call, queue: CommandQueue<Command>): void {
  const { client, keys, reply } = call;
  const own = call.args;
  client.executing = true;
  keys.beginGroup();
  reply.array(queue.length);
  call.args = new Args();
  for (let i = 0; i < queue.length; i++) {
    queue.point(call.args, i);
    execute(call, queue.command(i));
  }
  keys.endGroup();
  client.executing = false;
  call.args = own;
}

function discard(call: Call): void {
  const { client, keys, reply } = call;
  if (client.queue === null) {
    reply.error("ERR DISCARD without MULTI");
    return;
  }
  client.discard(keys.watches);
  reply.ok();
}

function watch(call: Call): void {
  const { args, client, keys, reply } = call;
  if (client.queue !== null) {
    reply.error("ERR WATCH inside MULTI is not allowed");
    return;
  }
  const { watcher } = client;
  let { bytes } = watcher;
  for (let i = 1; i < args.count; i++) bytes += args.length(i) + WATCHED_KEY_BYTES;
  if (bytes > LIMITS.watchedBytesMax) {
    reply.error("ERR too many watched keys");
    return;
  }
  if (keys.clientBytes + bytes - watcher.bytes > LIMITS.clientsBytesMax) {
    reply.error(ERR.oom);
    return;
  }
  if (watcher.keys.size === 0) watcher.generation = call.port.node.stateGeneration;
  for (let i = 1; i < args.count; i++) {
    const print = currentPrint(keys, args.bytes, args.from(i), args.to(i));
    keys.watches.add(args.view(i), watcher, print);
  }
  reply.ok();
}

function unwatch(call: Call): void {
  call.keys.watches.clear(call.client.watcher);
  call.reply.ok();
}

function watchedChanged(call: Call): boolean {
  const { watcher } = call.client;
  if (watcher.keys.size === 0) return false;
  if (watcher.touched) return true;
  const swapped = watcher.generation !== call.port.node.stateGeneration;
  return anyDiffers(call.keys, watcher, swapped);
}

/** A swap is a flush: every watched key that was there, or is now, counts as changed. */
function anyDiffers(keys: Keyspace, watcher: Watcher, swapped: boolean): boolean {
  for (const [name, before] of watcher.keys) {
    const bytes = keys.watches.keyOf(name);
    const now = currentPrint(keys, bytes, 0, bytes.length);
    if (!samePrint(before, now) || (swapped && before.exists)) return true;
  }
  return false;
}

/** The key as a client sees it; looking does not delete it. */
function currentPrint(keys: Keyspace, bytes: Buffer, from: number, to: number): KeyPrint {
  const { store } = keys;
  if (!store.find(bytes, from, to)) return ABSENT;
  const expireAt = store.hitExpireAt;
  if (expireAt !== 0 && expireAt < keys.now) return ABSENT;
  return printOf(store.hitBytes, store.hitFrom, store.hitTo, expireAt);
}
