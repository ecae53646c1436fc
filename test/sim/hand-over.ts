/**
 * A planned failover as a fault: whoever leads hands over to one of its replicas, with or without a time limit, by
 * force, and is told to take it back now and then. The other faults strike meanwhile. Drawn apart from them, so that it
 * comes as often as it should however many they are.
 *
 * Owns: what is said to the primary. Does not own: what must be so then (resignations.ts), writers that are held
 * (simulation.ts).
 */
import type { SimNode } from "./sim-node.ts";
import type { Simulation } from "./simulation.ts";

/** Why one is over, and what that is called here. */
const ENDS: readonly (readonly [string, string])[] = [
  ["FAILOVER ABORT", "aborted"],
  ["the target did not get to the end of the log in time", "timed out"],
  ["the target cannot lead", "refused by the target"],
];

/** Of so many nobody asks whether it can lead. */
const ANY_REPLICA = 0.15;

/** One after another, until faults are over. */
export function scheduleHandOvers(sim: Simulation): void {
  const { clock, handOverRandom: random, plan } = sim;
  const everyMs = Math.max(1_000, 2 * plan.faultEveryMs);
  const next = (): void => {
    if (sim.peace) return;
    strike(sim);
    clock.in(-Math.log(1 - random.fraction()) * everyMs, next);
  };
  clock.in(random.fraction() * 2 * everyMs, next);
}

/** A node that leads is told to hand over, to a replica or to whichever it chooses. */
function strike(sim: Simulation): void {
  const { handOverRandom: random, nodes } = sim;
  const leaders = [...nodes.values()].filter(
    ({ dead, stopped, core }) => !dead && !stopped && core.roles.now.kind === "leading",
  );
  if (leaders.length === 0) return;
  const old = random.pick(leaders);
  const target = targetOf(sim, old);
  if (target === "") return;
  const force = random.fraction() < 0.25;
  const timeoutMs = random.pick(force ? [1, 10, 100, 2_000] : [0, 50, 2_000, 10_000]);
  const to = force || random.fraction() < 0.7 ? { host: target, port: 1 } : null;
  old.run(() => {
    const { failover, turn } = old.core;
    const refusal = failover.start({ to, force, timeoutMs }, (why) => tellEnd(sim, old, why));
    const how = `${force ? " by force" : ""} in ${timeoutMs} ms`;
    sim.say(`FAILOVER of ${old.name} to ${to?.host ?? "any"}${how}: ${refusal ?? "begins"}`);
    sim.mark(`hand over: ${refusal === null ? "begun" : "refused"}`);
    turn.want();
  });
  if (random.fraction() < 0.15) onceResigned(sim, old, () => abortLater(sim, old, 0));
  else if (random.fraction() < 0.05) onceResigned(sim, old, () => insist(sim, old));
  else if (random.fraction() < 0.3)
    abortLater(sim, old, random.fraction() * random.pick([3, 30, 300]));
  // Without a limit a replica that stands still would hold all writers until faults are over.
  else if (timeoutMs === 0) abortLater(sim, old, random.pick([2_000, 10_000]));
}

/** A replica that streams, now and then any other node; "" when there is none. */
function targetOf({ handOverRandom: random, nodes }: Simulation, old: SimNode): string {
  const streaming = old.feeder.replicas.flatMap(({ state, hello }) =>
    state.kind === "streaming" && hello !== null ? [hello.address.host] : [],
  );
  const others = [...nodes.keys()].filter((name) => name !== old.name);
  const chosen = random.fraction() < ANY_REPLICA ? others : streaming;
  return chosen.length === 0 ? "" : random.pick(chosen);
}

function tellEnd(sim: Simulation, old: SimNode, why: string | null): void {
  sim.say(`FAILOVER of ${old.name} is over: ${why ?? "OK"}`);
  const end = ENDS.find(([text]) => why?.startsWith(text));
  sim.mark(`hand over: ${why === null ? "done" : (end?.[1] ?? "given up")}`);
}

/** Whatever the target does: both lead then, perhaps, and the rank decides. */
function insist(sim: Simulation, old: SimNode): void {
  sim.clock.in(0, () => {
    if (sim.peace || old.dead || old.core.roles.now.kind !== "resigned") return;
    sim.mark("hand over: led again by force");
    sim.promote(old, true);
  });
}

/** As soon as it has resigned: TAKE may not have been heard. */
function onceResigned(sim: Simulation, old: SimNode, then: () => void): void {
  sim.watch(10_000, (node) => {
    if (old.dead || old.core.failover.state === "no-failover") return true;
    if (node !== old || old.core.roles.now.kind !== "resigned") return false;
    then();
    return true;
  });
}

function abortLater(sim: Simulation, old: SimNode, afterMs: number): void {
  sim.clock.in(afterMs, () => {
    if (sim.peace || old.dead) return;
    old.run(() => {
      const { roles, failover, turn } = old.core;
      const wasResigned = roles.now.kind === "resigned";
      const refusal = failover.abort((why) => {
        sim.say(`ABORT of ${old.name}: ${why ?? "OK"}`);
        if (why === null && wasResigned) sim.mark("hand over: released");
      });
      sim.say(`ABORT of ${old.name}: ${refusal ?? "begins"}`);
      turn.want();
    });
  });
}
