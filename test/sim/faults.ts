/**
 * Faults. Each strikes a replica or the connection to its upstream, in whatever phase it is, or in a
 * phase that was waited for.
 */
import { batchLength } from "../../src/wire/frame.ts";
import { Disk } from "./disk.ts";
import type { Connection, CutKind, Pipe } from "./network.ts";
import { linkOf, type Phase, phaseOf, PHASES } from "./phases.ts";
import type { SimFlags, SimNode } from "./sim-node.ts";
import { asPrimary, asReplica, type Simulation } from "./simulation.ts";

/** Strikes at `node`, a replica; false when there was nothing to do it to. */
type Strike = (sim: Simulation, node: SimNode) => boolean;

interface Fault {
  readonly name: string;
  readonly weight: number;
  readonly strike: Strike;
  /** It is to strike in each of these, over many runs. */
  readonly phases: readonly Phase[];
}

const CONNECTED = PHASES.filter((phase) => phase !== "apart");

const FAULTS: readonly Fault[] = [
  { name: "reset", weight: 8, strike: sever("reset"), phases: CONNECTED },
  { name: "half_open", weight: 4, strike: sever("half_open"), phases: CONNECTED },
  { name: "only_feeder_told", weight: 3, strike: sever("told_feeder"), phases: CONNECTED },
  { name: "only_replica_told", weight: 5, strike: sever("told_replica"), phases: CONNECTED },
  { name: "cut_at_byte", weight: 10, strike: cutAtByte, phases: CONNECTED },
  { name: "flip", weight: 8, strike: flip, phases: CONNECTED },
  { name: "stall", weight: 5, strike: stall, phases: CONNECTED },
  { name: "asymmetric_delay", weight: 4, strike: asymmetric, phases: CONNECTED },
  { name: "trickle", weight: 3, strike: trickle, phases: CONNECTED },
  { name: "partition", weight: 5, strike: partition, phases: CONNECTED },
  { name: "stop_replica", weight: 5, strike: stopNode, phases: CONNECTED },
  { name: "stop_feeder", weight: 4, strike: onFeeder(stopNode), phases: CONNECTED },
  { name: "block_loop", weight: 4, strike: blockLoop, phases: CONNECTED },
  { name: "slow_replica", weight: 3, strike: slowNode, phases: CONNECTED },
  { name: "slow_feeder", weight: 2, strike: onFeeder(slowNode), phases: CONNECTED },
  { name: "restart_replica", weight: 5, strike: restartWithDisk, phases: CONNECTED },
  { name: "restart_replica_empty", weight: 3, strike: restartEmpty, phases: CONNECTED },
  { name: "restart_feeder", weight: 3, strike: onFeeder(restartFeeder), phases: CONNECTED },
  { name: "restart_seeded", weight: 4, strike: restartSeeded, phases: ["live", "catch_up"] },
  { name: "duplicate_id", weight: 2, strike: duplicateId, phases: CONNECTED },
  { name: "promote", weight: 2, strike: promote, phases: CONNECTED },
  { name: "demote", weight: 2, strike: demote, phases: CONNECTED },
  { name: "failover", weight: 3, strike: failover, phases: ["live", "catch_up"] },
  { name: "swap_roles", weight: 7, strike: swapRoles, phases: ["live"] },
  { name: "two_promotions", weight: 5, strike: twoPromotions, phases: [] },
  { name: "join_in_batch", weight: 3, strike: joinInBatch, phases: [] },
  { name: "reparent", weight: 4, strike: reparent, phases: CONNECTED },
  { name: "serializer_crash", weight: 4, strike: serializerCrash, phases: ["first", "middle"] },
  { name: "slow_serializer", weight: 3, strike: slowSerializer, phases: ["first", "middle"] },
  { name: "bad_chunk", weight: 7, strike: badChunk, phases: ["first", "middle"] },
  { name: "bad_network", weight: 4, strike: quality, phases: [] },
  { name: "clock_jump", weight: 2, strike: clockJump, phases: [] },
  { name: "disk_rot", weight: 2, strike: diskRot, phases: [] },
  { name: "store_full", weight: 4, strike: storeFull, phases: [] },
  { name: "refused_record", weight: 8, strike: refusedRecord, phases: ["live", "catch_up"] },
  { name: "log_rot", weight: 8, strike: logRot, phases: [] },
];

const SHORT: readonly Phase[] = ["first", "middle", "last", "swap"];
const TOTAL = FAULTS.reduce((sum, { weight }) => sum + weight, 0);
export const FAULT_NAMES: readonly string[] = FAULTS.map(({ name }) => name);

/** Every fault in every phase in which it is to be seen. */
export const FAULT_PHASES: readonly (readonly [string, Phase])[] = FAULTS.flatMap(
  ({ name, phases }) => phases.map((phase) => [name, phase] as const),
);

/** A fault that waits for a phase. */
export interface Armed {
  readonly fault: Fault;
  readonly phase: Phase;
  readonly untilMs: number;
}

/** Draws a fault: for a replica as it is now, or for the next one that enters a phase. */
export function injectFault(sim: Simulation): void {
  const { random } = sim;
  const fault = drawFault(sim);
  if (sim.armed === null && fault.phases.length > 0 && random.fraction() < 0.5) {
    // The short phases more often: they are easily missed.
    const short = fault.phases.filter((each) => SHORT.includes(each));
    const phase = random.pick(short.length > 0 && random.fraction() < 0.4 ? short : fault.phases);
    sim.armed = { fault, phase, untilMs: sim.clock.nowMs + 5_000 };
    sim.say(`${fault.name} waits for ${phase}`);
    return;
  }
  const node = someNode(sim, (other) => other.role === "replica" && other.upstream !== "");
  if (node !== null) strike(sim, fault, node);
}

/** Something ran on `node`: is this what the armed fault waits for? */
export function watchArmed(sim: Simulation, node: SimNode): void {
  const { armed } = sim;
  if (armed === null || node.role !== "replica" || sim.peace) return;
  if (sim.clock.nowMs > armed.untilMs) {
    sim.armed = null;
    return;
  }
  if (phaseOf(node) !== armed.phase) return;
  sim.armed = null;
  sim.clock.in(0, () => {
    if (!node.dead && !sim.peace && node.role === "replica")
      strike(sim, armed.fault, node, armed.phase);
  });
}

function drawFault(sim: Simulation): Fault {
  let draw = sim.random.fraction() * TOTAL;
  for (const fault of FAULTS) {
    draw -= fault.weight;
    if (draw < 0) return fault;
  }
  return FAULTS[0]!;
}

function strike(sim: Simulation, fault: Fault, node: SimNode, phase = phaseOf(node)): void {
  sim.say(`fault ${fault.name} at ${node.name} in ${phase}`);
  if (!fault.strike(sim, node)) return;
  sim.mark(`fault ${fault.name}`);
  sim.mark(`fault ${fault.name} ${phase}`);
}

export function someNode(sim: Simulation, wanted: (node: SimNode) => boolean): SimNode | null {
  const fit = [...sim.nodes.values()].filter((node) => !node.dead && wanted(node));
  return fit.length === 0 ? null : sim.random.pick(fit);
}

function onFeeder(act: Strike): Strike {
  return (sim, node) => {
    const above = sim.nodes.get(node.upstream);
    return above !== undefined && !above.dead && act(sim, above);
  };
}

// --- connections -----------------------------------------------------------------------------------

function connectionOf(sim: Simulation, node: SimNode): Connection | null {
  return sim.net.standing.findLast((connection) => connection.hosts[0] === node) ?? null;
}

/** One direction of its connection; mostly towards the replica. */
function pipeOf(sim: Simulation, node: SimNode): Pipe | null {
  const connection = connectionOf(sim, node);
  return connection === null ? null : connection.pipes[sim.random.fraction() < 0.7 ? 1 : 0];
}

function sever(kind: CutKind): Strike {
  return (sim, node) => {
    const connection = connectionOf(sim, node);
    connection?.sever(kind);
    return connection !== null;
  };
}

function cutAtByte(sim: Simulation, node: SimNode): boolean {
  const pipe = pipeOf(sim, node);
  if (pipe === null) return false;
  pipe.cutAt = pipe.delivered + sim.random.between(0, sim.random.pick([3, 100, 3000]));
  return true;
}

function flip(sim: Simulation, node: SimNode): boolean {
  const pipe = pipeOf(sim, node);
  if (!sim.plan.flips || pipe === null) return false;
  pipe.flipLater(sim.random.between(0, sim.random.pick([4, 500])));
  return true;
}

function stall(sim: Simulation, node: SimNode): boolean {
  const pipe = pipeOf(sim, node);
  if (pipe === null) return false;
  pipe.stalledUntilMs = sim.clock.nowMs + sim.random.pick([200, 3_000, 20_000]);
  return true;
}

function asymmetric(sim: Simulation, node: SimNode): boolean {
  const pipe = pipeOf(sim, node);
  if (pipe === null) return false;
  pipe.lagMs = sim.random.pick([100, 2_000]);
  return true;
}

function trickle(sim: Simulation, node: SimNode): boolean {
  const pipe = pipeOf(sim, node);
  if (pipe === null) return false;
  pipe.slowness = sim.random.pick([10, 200]);
  sim.clock.in(sim.random.pick([1_000, 10_000]), () => {
    pipe.slowness = 1;
  });
  return true;
}

function partition(sim: Simulation, node: SimNode): boolean {
  const other = sim.nodes.get(node.upstream);
  if (other === undefined) return false;
  isolate(sim, node, other, sim.random.pick([500, 5_000, 15_000]));
  return true;
}

function isolate(
  sim: Simulation,
  a: SimNode,
  b: SimNode,
  ms: number,
  how: CutKind = "half_open",
): void {
  const ways = [`${a.name}>${b.name}`, `${b.name}>${a.name}`];
  for (const way of ways) sim.net.blocked.add(way);
  for (const connection of sim.net.standing) {
    const names = connection.hosts.map((host) => host.name);
    if (names.includes(a.name) && names.includes(b.name)) connection.sever(how);
  }
  sim.clock.in(ms, () => {
    for (const way of ways) sim.net.blocked.delete(way);
  });
}

function quality(sim: Simulation): boolean {
  const { quality: present } = sim.net;
  const { random } = sim;
  const original = { ...sim.plan.quality };
  Object.assign(present, {
    latencyMs: original.latencyMs * random.pick([0.1, 1, 20]),
    rate: original.rate * random.pick([0.1, 1, 10]),
    capacity: random.pick([64, original.capacity]),
  });
  sim.clock.in(random.fraction() * 5_000, () => {
    if (!sim.peace) Object.assign(present, original);
  });
  return true;
}

// --- processes -------------------------------------------------------------------------------------

function stopFor(sim: Simulation, node: SimNode, ms: number): boolean {
  if (node.stopped) return false;
  node.stop();
  sim.clock.in(ms, () => {
    if (node.stopped && !node.dead) node.cont();
  });
  return true;
}

function stopNode(sim: Simulation, node: SimNode): boolean {
  return stopFor(sim, node, sim.random.pick([50, 2_000, 10_000]) * sim.random.fraction());
}

function blockLoop(sim: Simulation, node: SimNode): boolean {
  const either = sim.random.fraction() < 0.5 ? node : (sim.nodes.get(node.upstream) ?? node);
  return stopFor(sim, either, sim.random.fraction() * 300);
}

/** Its loop is busy with something else most of the time. */
function slowNode(sim: Simulation, node: SimNode): boolean {
  node.slowMs = sim.random.pick([5, 100, 1_000]);
  sim.clock.in(sim.random.pick([1_000, 10_000]), () => {
    node.slowMs = 0;
  });
  return true;
}

/**
 * The process dies; another starts in its place: with its disk, which remembers what it was told, and
 * the flags of the first day; or with a new disk and the flags that fit the present.
 */
function restart(sim: Simulation, node: SimNode, keepsDisk: boolean): void {
  const { role, seeds } = node;
  // One that is fenced follows nobody: it is started below whoever leads.
  const { root } = sim;
  const upstream = node.upstream || (root === null || root === node ? "" : root.name);
  const present = role === "primary" || upstream === "" ? asPrimary() : asReplica(upstream);
  restartAs(sim, node, keepsDisk || seeds ? node.flags : present, keepsDisk);
}

function restartAs(sim: Simulation, node: SimNode, flags: SimFlags, keepsDisk: boolean): void {
  node.kill();
  sim.say(`${node.name} is killed`);
  sim.addNode(node.name, flags, keepsDisk ? node.disk : sim.newDisk()).start();
}

/**
 * The process dies, and the next starts with --seed-from some of the others, itself perhaps among them:
 * mostly the primary, and sometimes a replica, which finds a primary that lives.
 */
function restartSeeded(sim: Simulation, node: SimNode): boolean {
  const { random } = sim;
  const above = sim.nodes.get(node.upstream);
  const chosen = above?.role === "primary" && random.fraction() < 0.8 ? above : node;
  const names = [...sim.nodes.keys()].filter((name) => !name.endsWith("'"));
  const sources: string[] = [];
  while (names.length > 0) {
    const [name] = names.splice(random.between(0, names.length), 1) as [string];
    if (name === chosen.name ? random.fraction() < 0.2 : random.fraction() < 0.8)
      sources.push(name);
  }
  if (sources.length === 0) return false;
  sim.say(`${chosen.name} is to be seeded from ${sources.join()}`);
  restartAs(sim, chosen, asPrimary(sources), chosen.role === "primary");
  return true;
}

function restartWithDisk(sim: Simulation, node: SimNode): boolean {
  restart(sim, node, true);
  return true;
}

function restartEmpty(sim: Simulation, node: SimNode): boolean {
  restart(sim, node, false);
  return true;
}

/** A primary whose state was in memory alone comes back empty, under a new history. */
function restartFeeder(sim: Simulation, node: SimNode): boolean {
  if (node.role === "primary") {
    if (sim.random.fraction() < 0.6) return false;
  }
  const keepsDisk = sim.random.fraction() < 0.7;
  const isEmpty = !keepsDisk || node.disk.log === null;
  if (node.role === "primary" && isEmpty) sim.mark("primary restarts empty");
  restart(sim, node, keepsDisk);
  if (node.role === "replica" || sim.random.fraction() < 0.5) return true;
  // Somebody types REPLICAOF before anything was written to it.
  for (const other of sim.nodes.values())
    if (other.role === "replica" && other.upstream === node.name)
      sim.follow(other, node.name, "replicaof");
  return true;
}

/** A copy of the machine, with what says who it is, starts beside the original. */
function duplicateId(sim: Simulation, node: SimNode): boolean {
  const name = `${node.name}'`;
  if (name.length > 3 || sim.nodes.has(name)) return false;
  sim.addNode(name, asReplica(node.upstream), new Disk(node.disk.replicaId)).start();
  sim.clock.in(sim.random.pick([1_000, 8_000]), () => sim.removeNode(name));
  return true;
}

function clockJump(sim: Simulation, node: SimNode): boolean {
  const either = sim.random.fraction() < 0.5 ? node : (sim.nodes.get(node.upstream) ?? node);
  either.clockJumpMs += sim.random.between(-100_000, 100_000);
  return true;
}

function diskRot(sim: Simulation, node: SimNode): boolean {
  const { chunks } = node.disk;
  if (chunks.length === 0) return false;
  const { bytes } = sim.random.pick(chunks);
  bytes[sim.random.between(0, bytes.length)]! ^= 1 << sim.random.between(0, 8);
  restart(sim, node, true);
  return true;
}

/** The memory that the state of one end may have is used up for a while; then somebody mends it. */
function storeFull(sim: Simulation, node: SimNode): boolean {
  const { random } = sim;
  const above = sim.nodes.get(node.upstream);
  const full = above !== undefined && !above.dead && random.fraction() < 0.4 ? above : node;
  full.limitMemory(random.pick([0, 0, 4_096, 20_000]));
  mendLater(sim, full, random.pick([500, 3_000]));
  return true;
}

/**
 * There is no memory for a record in the midst of a batch, or for one at its beginning, on a replica
 * that has replicas of its own as often as not.
 */
function refusedRecord(sim: Simulation, node: SimNode): boolean {
  const { random } = sim;
  const feeding = someNode(
    sim,
    (other) => other.role === "replica" && other.feeder.links.some((link) => link.welcomed),
  );
  const full = feeding !== null && random.fraction() < 0.5 ? feeding : node;
  full.refusesInside = random.fraction() < 0.8;
  full.refusesAfter = random.between(0, random.pick([1, 2, 20]));
  mendLater(sim, full, random.pick([2_000, 5_000]));
  return true;
}

/** There is memory again after `ms`; later somebody lets the node go on. */
function mendLater(sim: Simulation, full: SimNode, ms: number): void {
  const { random } = sim;
  sim.clock.in(ms, () => {
    full.limitMemory();
    // Now and then somebody wants to have it as a primary as it is.
    if (full.core.view.torn && !sim.peace && random.fraction() < 0.5) sim.promote(full);
  });
  sim.clock.in(ms + random.pick([100, 3_000]), () => {
    // A node that has not chosen a source yet has nobody to be told to follow.
    if (full.dead || sim.peace || full.upstream === "") return;
    if (full.session.state.kind === "stopped") sim.follow(full, full.upstream, "none");
  });
}

/**
 * A bit rots in the upstream's log, in the batch that the replica, cut off for a moment, needs next.
 * Not in memory that a socket was given: that would be a fault of the way.
 */
function logRot(sim: Simulation, node: SimNode): boolean {
  const above = sim.nodes.get(node.upstream);
  if (!sim.plan.flips || above === undefined || above.dead) return false;
  isolate(sim, node, above, sim.random.pick([2_000, 5_000]), "reset");
  sim.watch(5_000, (seen) => {
    if (node.dead || above.dead || node.upstream !== above.name) return true;
    if (seen !== above || linkOf(node) !== undefined) return false;
    const { backlog } = above;
    const offset = node.backlog.tail - node.backlog.partialBytes;
    if (offset < backlog.first || offset >= backlog.next) return false;
    if (node.identity.history !== above.identity.history) return false;
    const { start, bytes } = backlog.segmentAt(offset);
    const from = offset - start;
    const length = batchLength(bytes, from);
    // What is not on its disk yet would rot there too, which is another fault.
    if (above.onDisk !== null && offset + length > above.onDisk.store.written) return false;
    const inHead = sim.random.fraction() < 0.3;
    const at =
      from + sim.random.between(inHead ? 0 : node.backlog.partialBytes, inHead ? 36 : length);
    if (isGiven(sim, above, bytes, at)) return false;
    bytes[at]! ^= 1 << sim.random.between(0, 8);
    above.rotten = true;
    sim.say(`a bit rots in the log of ${above.name}, at ${at - from} of the batch at ${offset}`);
    sim.mark("bit rotten in a log");
    return true;
  });
  return true;
}

/** A socket was given the byte at index `at` of this memory. */
function isGiven(sim: Simulation, feeding: SimNode, bytes: Buffer, at: number): boolean {
  return sim.net.standing.some(
    ({ hosts, pipes }) =>
      hosts[1] === feeding &&
      pipes[1].handed.some((piece) => piece.bytes === bytes && piece.from <= at && at < piece.to),
  );
}

// --- serializers -----------------------------------------------------------------------------------

function serializerCrash(sim: Simulation, node: SimNode): boolean {
  const above = sim.nodes.get(node.upstream);
  if (above === undefined || above.dead || above.stopped) return false;
  let hit = false;
  above.run(() => {
    for (const source of above.sources) hit = source.crash() || hit;
  });
  return hit;
}

/** A chunk with a right sum of its own, that is not the snapshot's. */
function badChunk(sim: Simulation, node: SimNode): boolean {
  const above = sim.nodes.get(node.upstream);
  if (!sim.plan.flips || above === undefined || above.sources.size === 0) return false;
  for (const source of above.sources) source.lies = true;
  return true;
}

function slowSerializer(sim: Simulation, node: SimNode): boolean {
  const above = sim.nodes.get(node.upstream);
  if (above === undefined || above.sources.size === 0) return false;
  for (const source of above.sources) source.stepMs = sim.random.pick([1, 50, 1000]);
  return true;
}

// --- roles -----------------------------------------------------------------------------------------

function promote(sim: Simulation, node: SimNode): boolean {
  const force = sim.random.fraction() < 0.1;
  sim.say(`promotes ${node.name}${force ? " by force" : ""}`);
  sim.promote(node, force);
  return true;
}

/** A primary follows one of the others. */
function demote(sim: Simulation): boolean {
  const node = someNode(sim, (other) => other.role === "primary");
  const above = someNode(sim, (other) => other !== node);
  if (node === null || above === null) return false;
  const consent = sim.random.pick(["none", "replicaof", "replicaof", "reset"] as const);
  sim.follow(node, above.name, consent);
  return true;
}

function reparent(sim: Simulation, node: SimNode): boolean {
  const above = someNode(sim, () => true)!;
  sim.follow(node, above.name, sim.random.pick(["none", "replicaof"] as const));
  return true;
}

/**
 * The primary is lost for a while: a replica takes over, the others follow it. Then the old one is
 * back, writes on for a while, and is told to follow.
 */
function failover(sim: Simulation, node: SimNode): boolean {
  const old = sim.nodes.get(node.upstream);
  if (old === undefined || old.role !== "primary") return false;
  const { random, clock } = sim;
  const awayMs = random.pick([500, 3_000]);
  if (random.fraction() < 0.5) stopFor(sim, old, awayMs);
  else for (const other of sim.nodes.values()) if (other !== old) isolate(sim, old, other, awayMs);
  sim.say(`promotes ${node.name} in place of ${old.name}`);
  sim.promote(node);
  for (const other of sim.nodes.values())
    if (other !== node && other.role === "replica" && other.upstream === old.name)
      sim.follow(other, node.name, "none");
  clock.in(awayMs + random.pick([100, 3_000]), () => {
    if (sim.peace || old.dead || node.dead || node.role !== "primary") return;
    if (old.role !== "primary") return;
    sim.mark("stale primary back");
    sim.follow(old, node.name, random.pick(["none", "none", "replicaof"] as const));
  });
  return true;
}

/**
 * A planned swap as the manual has it, demotion first, and sometimes back again: the connections of
 * clients outlive both. Now and then the new primary goes its own way first, so that writes of the old
 * one are lost.
 */
function swapRoles(sim: Simulation, node: SimNode): boolean {
  const old = sim.nodes.get(node.upstream);
  if (old?.role !== "primary" || old.stopped) return false;
  const { random, clock } = sim;
  const promoteFirst = random.fraction() < 0.3;
  if (promoteFirst) sim.promote(node);
  clock.in(promoteFirst ? random.pick([0, 100, 1_000]) : 0, () => {
    if (sim.peace || old.dead || node.dead || old.role !== "primary") return;
    sim.follow(old, node.name, random.pick(["none", "replicaof"] as const));
  });
  clock.in(random.pick([200, 2_000]), () => {
    if (sim.peace || node.dead) return;
    if (!promoteFirst) watchSwap(sim, old, node);
    sim.promote(node);
  });
  clock.in(random.pick([2_500, 6_000]), () => {
    if (sim.peace || old.dead || node.dead || old.role !== "replica") return;
    sim.mark("roles swapped back");
    sim.follow(node, old.name, "none");
    sim.promote(old);
  });
  return true;
}

/** The demoted `old` has all that `fresh` has, which is to be promoted: it goes on by a partial resync. */
function watchSwap(sim: Simulation, old: SimNode, fresh: SimNode): void {
  const isBelow = (): boolean => old.role === "replica" && old.upstream === fresh.name && !old.dead;
  const { next, chain } = fresh.backlog;
  if (!isBelow() || old.backlog.next !== next || old.backlog.chain !== chain) return;
  if (old.keys.counters.expired > 0) sim.mark("planned swap under expiries");
  const { resyncs } = old;
  sim.watch(10_000, () => {
    if (!isBelow() || fresh.role !== "primary") return !isBelow();
    const { state } = old.session;
    if (state.kind !== "streaming" || old.identity.history !== fresh.identity.history) return false;
    if (old.resyncs === resyncs) sim.mark("planned swap without a full sync");
    return true;
  });
}

/**
 * Two promotions in a row, the second of a replica that lags behind the first:
 *
 *   old     H0 ----------------100          stands still meanwhile, then follows `laggard`
 *   first   H0 ----------------100 H1 ...   promoted where it has all
 *   laggard H0 -------60 (H1) --80 H2       has taken over the new history, but not all of the old log
 *
 * H0 was left at 80 on the laggard's way, not at 100 as `first` says: all above is not its log.
 */
function twoPromotions(sim: Simulation, laggard: SimNode): boolean {
  const old = sim.nodes.get(laggard.upstream);
  if (old?.role !== "primary" || old.stopped) return false;
  const first = someNode(sim, (other) => other !== laggard && other.upstream === old.name);
  if (first === null) return false;
  if (!stopFor(sim, laggard, sim.random.pick([2_000, 6_000]))) return false;
  sim.clock.in(sim.random.pick([100, 1_000]), () =>
    sim.watch(5_000, () => {
      if (first.dead || old.dead || old.role !== "primary") return true;
      const isBehind = laggard.backlog.next < old.backlog.next;
      const hasAll = old.backlog.openBytes === 0 && first.backlog.next === old.backlog.next;
      if (!isBehind || !hasAll || first.upstream !== old.name) return false;
      sim.clock.in(0, () => promoteBoth(sim, old, first, laggard));
      return true;
    }),
  );
  return true;
}

function promoteBoth(sim: Simulation, old: SimNode, first: SimNode, laggard: SimNode): void {
  if (sim.peace || first.role !== "replica" || laggard.dead || laggard.role !== "replica") return;
  stopFor(sim, old, 10_000);
  sim.say(`promotes ${first.name}, which ${laggard.name} is to follow`);
  sim.promote(first);
  const fork = first.backlog.next;
  if (laggard.stopped) laggard.cont();
  laggard.slowMs = 300;
  sim.follow(laggard, first.name, "none");
  sim.watch(5_000, (node) => {
    if (node !== laggard || laggard.identity.history !== first.identity.history) return false;
    if (laggard.role !== "replica" || laggard.backlog.next >= fork) return true;
    sim.clock.in(0, () => {
      if (sim.peace || laggard.dead || laggard.role !== "replica") return;
      sim.mark("second promotion of a laggard");
      sim.say(`promotes ${laggard.name} at ${laggard.backlog.next} of ${fork}`);
      sim.promote(laggard);
      laggard.slowMs = 0;
      for (const other of sim.nodes.values())
        if (other === old || other.upstream === old.name) sim.follow(other, laggard.name, "none");
      if (old.stopped && !old.dead) old.cont();
    });
    return true;
  });
}

/** An empty replica asks a feeding replica for a snapshot while that one is in the middle of a batch. */
function joinInBatch(sim: Simulation, feeding: SimNode): boolean {
  const joining = someNode(
    sim,
    (other) => other !== feeding && other.role === "replica" && other.name !== feeding.upstream,
  );
  if (joining === null) return false;
  feeding.slowMs = sim.random.pick([100, 1_000]);
  sim.clock.in(10_000, () => {
    feeding.slowMs = 0;
  });
  sim.watch(5_000, (node) => {
    if (feeding.dead || joining.dead || feeding.role !== "replica") return true;
    if (node !== feeding || feeding.core.view.atBoundary) return false;
    sim.clock.in(0, () => {
      if (sim.peace || feeding.dead || joining.dead || joining.role !== "replica") return;
      restartAs(sim, joining, asReplica(feeding.name), false);
    });
    return true;
  });
  return true;
}
