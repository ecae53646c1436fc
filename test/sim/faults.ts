/** One fault, drawn at random, on whatever happens to be going on. */
import type { Simulation } from "./simulation.ts";
import type { SimNode } from "./sim-node.ts";

type Fault = (sim: Simulation) => boolean;

/** Name, weight, what it does; false when there was nothing to do it to. */
const FAULTS: readonly (readonly [string, number, Fault])[] = [
  ["cut", 10, cut],
  ["cut_later", 10, cutLater],
  ["stop", 6, stop],
  ["block_loop", 4, blockLoop],
  ["partition", 5, partition],
  ["restart_replica", 4, restartReplica],
  ["restart_primary_empty", 1, restartPrimary],
  ["promote", 2, promote],
  ["demote", 2, demote],
  ["reparent", 4, reparent],
  ["serializer_crash", 3, serializerCrash],
  ["slow_serializer", 3, slowSerializer],
  ["quality", 4, quality],
  ["clock_jump", 1, clockJump],
  ["flip", 8, flip],
];

const TOTAL = FAULTS.reduce((sum, [, weight]) => sum + weight, 0);
export const FAULT_NAMES: readonly string[] = FAULTS.map(([name]) => name);

export function injectFault(sim: Simulation): void {
  let draw = sim.random.fraction() * TOTAL;
  for (const [name, weight, fault] of FAULTS) {
    draw -= weight;
    if (draw >= 0) continue;
    sim.say(`fault ${name}`);
    if (fault(sim)) sim.mark(`fault_${name}`);
    return;
  }
}

function someNode(sim: Simulation, wanted: (node: SimNode) => boolean): SimNode | null {
  const fit = [...sim.nodes.values()].filter((node) => !node.dead && wanted(node));
  return fit.length === 0 ? null : sim.random.pick(fit);
}

function cut(sim: Simulation): boolean {
  const { standing } = sim.net;
  if (standing.length === 0) return false;
  const connection = sim.random.pick(standing);
  const kind = sim.random.pick([
    "reset",
    "reset",
    "half_open",
    "told_feeder",
    "told_replica",
  ] as const);
  sim.say(`cuts ${connection.hosts[0].name}>${connection.hosts[1].name} ${kind}`);
  connection.sever(kind);
  return true;
}

function cutLater(sim: Simulation): boolean {
  const { standing } = sim.net;
  if (standing.length === 0) return false;
  const pipe = sim.random.pick(sim.random.pick(standing).pipes);
  pipe.cutAt = pipe.delivered + sim.random.between(0, sim.random.pick([3, 100, 3000]));
  return true;
}

function stop(sim: Simulation): boolean {
  const node = someNode(sim, (other) => !other.stopped);
  if (node === null) return false;
  const ms = sim.random.pick([50, 2_000, 10_000]) * sim.random.fraction();
  sim.say(`stops ${node.name} for ${Math.round(ms)} ms`);
  node.stop();
  sim.clock.in(ms, () => {
    if (node.stopped && !node.dead) node.cont();
  });
  return true;
}

function blockLoop(sim: Simulation): boolean {
  const node = someNode(sim, (other) => !other.stopped);
  if (node === null) return false;
  node.stop();
  sim.clock.in(sim.random.fraction() * 300, () => {
    if (node.stopped && !node.dead) node.cont();
  });
  return true;
}

function partition(sim: Simulation): boolean {
  const a = someNode(sim, () => true);
  const b = someNode(sim, (other) => other !== a);
  if (a === null || b === null) return false;
  const ways = [`${a.name}>${b.name}`, `${b.name}>${a.name}`];
  for (const way of ways) sim.net.blocked.add(way);
  for (const connection of sim.net.standing) {
    const names = connection.hosts.map((host) => host.name);
    if (names.includes(a.name) && names.includes(b.name)) connection.sever("half_open");
  }
  sim.clock.in(sim.random.pick([500, 5_000, 15_000]), () => {
    for (const way of ways) sim.net.blocked.delete(way);
  });
  return true;
}

function restart(sim: Simulation, node: SimNode, role: "primary" | "replica"): SimNode {
  const { upstream } = node;
  node.kill();
  sim.say(`${node.name} is killed`);
  const keepsId = sim.random.fraction() < 0.5;
  const id = keepsId ? node.identity.replicaId : sim.randomId();
  const fresh = sim.addNode(node.name, role, id);
  if (role === "replica") fresh.start(upstream);
  return fresh;
}

function restartReplica(sim: Simulation): boolean {
  const node = someNode(sim, (other) => other.role === "replica" && other.upstream !== "");
  if (node === null) return false;
  restart(sim, node, "replica");
  return true;
}

function restartPrimary(sim: Simulation): boolean {
  const node = someNode(sim, (other) => other.role === "primary");
  if (node === null) return false;
  restart(sim, node, "primary");
  return true;
}

function promote(sim: Simulation): boolean {
  const node = someNode(sim, (other) => other.role === "replica");
  if (node === null) return false;
  sim.say(`promotes ${node.name}`);
  node.promote();
  return true;
}

function demote(sim: Simulation): boolean {
  const node = someNode(sim, (other) => other.role === "primary");
  const above = someNode(sim, (other) => other !== node);
  if (node === null || above === null) return false;
  sim.follow(
    node,
    above.name,
    sim.random.pick(["none", "replicaof", "replicaof", "reset"] as const),
  );
  return true;
}

function reparent(sim: Simulation): boolean {
  const node = someNode(sim, (other) => other.role === "replica");
  const above = someNode(sim, () => true);
  if (node === null || above === null) return false;
  sim.follow(node, above.name, sim.random.pick(["none", "replicaof"] as const));
  return true;
}

function serializerCrash(sim: Simulation): boolean {
  const node = someNode(sim, (other) => other.sources.size > 0);
  if (node === null) return false;
  let hit = false;
  node.run(() => {
    for (const source of node.sources) hit = source.crash() || hit;
  });
  return hit;
}

function slowSerializer(sim: Simulation): boolean {
  const node = someNode(sim, (other) => other.sources.size > 0);
  if (node === null) return false;
  for (const source of node.sources) source.stepMs = sim.random.pick([1, 50, 1000]);
  return true;
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

function clockJump(sim: Simulation): boolean {
  const node = someNode(sim, () => true)!;
  node.clockJumpMs += sim.random.between(-100_000, 100_000);
  return true;
}

function flip(sim: Simulation): boolean {
  if (!sim.plan.flips || sim.net.standing.length === 0) return false;
  const pipe = sim.random.pick(sim.random.pick(sim.net.standing).pipes);
  pipe.flipLater(sim.random.between(0, 500));
  return true;
}
