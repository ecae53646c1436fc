/**
 * What becomes of the disks of a cluster, and of the machines that they are in: drawn apart from other
 * faults, so that a cluster without disks is what it was.
 *
 * Owns: which, when. Does not own: the disk (virtual-disk.ts), what must come back (log-disk.ts).
 */
import type { LogDisk } from "./log-disk.ts";
import type { SimNode } from "./sim-node.ts";
import { takeCopy } from "./sim-copy.ts";
import type { Simulation } from "./simulation.ts";

interface DiskFault {
  readonly name: string;
  readonly weight: number;
  strike(sim: Simulation, node: SimNode, log: LogDisk): void;
}

const FAULTS: readonly DiskFault[] = [
  { name: "crash_at_step", weight: 6, strike: crashAtStep },
  { name: "machine_crash", weight: 3, strike: takeDown("machine") },
  { name: "process_crash", weight: 3, strike: takeDown("process") },
  { name: "power_cut", weight: 2, strike: powerCut },
  { name: "clean_stop", weight: 3, strike: cleanStop },
  { name: "disk_full", weight: 2, strike: fillUp },
  { name: "writes_fail", weight: 2, strike: failWrites },
  { name: "sync_fails", weight: 2, strike: failSync },
  { name: "checkpoint", weight: 8, strike: checkpoint },
  { name: "copy", weight: 3, strike: copy },
];
export const DISK_FAULT_NAMES: readonly string[] = FAULTS.map(({ name }) => name);
const TOTAL = FAULTS.reduce((sum, { weight }) => sum + weight, 0);

/** One after another, until faults are over. */
export function scheduleDiskFaults(sim: Simulation): void {
  const { clock, diskRandom, plan } = sim;
  const everyMs = Math.max(1_000, 2 * plan.faultEveryMs);
  const next = (): void => {
    if (sim.peace) return;
    strike(sim);
    clock.in(-Math.log(1 - diskRandom.fraction()) * everyMs, next);
  };
  clock.in(diskRandom.fraction() * 2_000, next);
}

function strike(sim: Simulation): void {
  const { diskRandom, nodes } = sim;
  const alive = [...nodes.values()].filter(({ dead, disk }) => !dead && disk.log !== null);
  if (alive.length === 0) return;
  const node = diskRandom.pick(alive);
  let draw = diskRandom.fraction() * TOTAL;
  const fault = FAULTS.find(({ weight }) => (draw -= weight) < 0) ?? FAULTS[0]!;
  sim.say(`disk fault ${fault.name} at ${node.name}`);
  sim.mark(`disk fault ${fault.name}`);
  fault.strike(sim, node, node.disk.log!);
}

/** For how long a machine is away, ms. */
function awayMs({ diskRandom }: Simulation): number {
  return diskRandom.pick([1, 100, 3_000]);
}

/** It dies in one of the next steps of its disk, perhaps while it opens the next time. */
function crashAtStep({ diskRandom }: Simulation, _node: SimNode, { disk }: LogDisk): void {
  disk.crashAt = disk.steps + 1 + diskRandom.between(0, diskRandom.pick([3, 30, 300]));
}

function takeDown(how: "machine" | "process"): DiskFault["strike"] {
  return (sim, node, { disk }) => {
    sim.takeDown(node, how, awayMs(sim));
    if (sim.diskRandom.fraction() < 0.3)
      disk.crashAt = disk.steps + 1 + sim.diskRandom.between(0, 25);
  };
}

/** All machines with a disk at once. */
function powerCut(sim: Simulation): void {
  for (const node of [...sim.nodes.values()])
    if (node.disk.log !== null) sim.takeDown(node, "machine", awayMs(sim));
}

/** As told by a signal; another starts soon. */
function cleanStop(sim: Simulation, node: SimNode): void {
  if (node.stopped) return;
  if (!node.end()) {
    sim.takeDown(node, "process", awayMs(sim));
    return;
  }
  sim.mark("disk: clean stop");
  sim.checker.onEnded(node);
  sim.takeDown(node, "ended", awayMs(sim));
}

function mendLater(sim: Simulation, mend: () => void): void {
  sim.clock.in(sim.diskRandom.pick([100, 1_000, 5_000]), mend);
}

function fillUp(sim: Simulation, _node: SimNode, { disk }: LogDisk): void {
  disk.capacity = disk.usedBytes + sim.diskRandom.between(0, 10_000);
  mendLater(sim, () => {
    disk.capacity = Number.POSITIVE_INFINITY;
  });
}

function failWrites(sim: Simulation, _node: SimNode, { disk, random }: LogDisk): void {
  disk.fail = (call) => {
    if (call === "sync" || call === "syncFolder" || call === "remove") return null;
    return random.fraction() < 0.2 ? random.pick(["ERR_DISK_FULL", "ERR_DISK_WRITE"]) : null;
  };
  mendLater(sim, () => {
    disk.fail = () => null;
  });
}

/** One sync fails, of whatever file: of the log it ends the process. */
function failSync(_sim: Simulation, _node: SimNode, { disk }: LogDisk): void {
  disk.fail = (call) => {
    if (call !== "sync" && call !== "syncFolder") return null;
    disk.fail = () => null;
    return "ERR_DISK_SYNC";
  };
}

/** Somebody says BGSAVE. */
function checkpoint(sim: Simulation, node: SimNode): void {
  node.run(() => {
    node.core.checkpointer?.ask((why) =>
      sim.mark(why === "" ? "disk: checkpoint counts" : "disk: checkpoint does not count"),
    );
  });
}

/** Somebody on another machine takes a copy. */
function copy(sim: Simulation, node: SimNode): void {
  const others = [...sim.nodes.values()].filter((other) => other !== node && !other.dead);
  if (others.length === 0) return;
  const at = sim.diskRandom.pick(others);
  at.run(() =>
    takeCopy(node, at, (position, digest) => sim.checker.onCopy(node, position, digest)),
  );
}
