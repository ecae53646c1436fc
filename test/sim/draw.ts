/** A run's settings, drawn from its seed: from the defaults of a data centre to absurdly small. */
import { FEEDER_DEFAULTS } from "../../src/primary/options.ts";
import { SESSION_DEFAULTS } from "../../src/replica/options.ts";
import type { Random } from "../../tools/random.ts";
import type { LinkQuality } from "./network.ts";
import type { NodeSettings } from "./sim-node.ts";
import type { WorkloadSettings } from "./workload.ts";

export interface Plan {
  readonly nodes: number;
  readonly faultMs: number;
  /** Mean time between two faults. */
  readonly faultEveryMs: number;
  readonly writeEveryMs: number;
  /** Records appended in one turn, at most. */
  readonly burstMax: number;
  readonly flips: boolean;
  readonly settings: NodeSettings;
  readonly workload: WorkloadSettings;
  readonly quality: LinkQuality;
}

export function drawPlan(random: Random): Plan {
  if (random.fraction() < 0.04) return drawHeavy(random);
  const tiny = random.fraction() < 0.3;
  const pieceMax = random.pick(tiny ? [1, 7, 100, 65_536] : [50, 1000, 65_536, 65_536]);
  const speed = random.pick([1, 1, 0.2]);
  const largeMax = random.pick(tiny ? [100, 2000] : [500, 5000, 40_000]);
  const flips = random.fraction() < 0.5;
  return {
    nodes: random.between(2, 6),
    faultMs: random.between(5_000, 40_000),
    faultEveryMs: random.pick([200, 1000, 4000]),
    writeEveryMs: random.pick([5, 30, 200]) * (tiny ? 4 : 1),
    burstMax: random.pick([1, 5, 30]),
    flips,
    settings: drawSettings(random, speed, tiny),
    workload: {
      keys: random.pick([1, 20, 200]),
      valueMax: random.pick([10, 100, 300]),
      largeEvery: random.pick([20, 200]),
      largeMax,
    },
    quality: {
      latencyMs: random.pick([0.05, 1, 30]),
      jitterMs: random.pick([0, 1, 40]),
      rate: random.pick(tiny ? [20, 1000] : [5, 100, 10_000]),
      pieceMax,
      flipEvery: flips ? random.pick([0, 3_000, 30_000]) : 0,
      capacity: random.pick([100, 5000, 200_000]),
    },
  };
}

/** More is written than a slow network carries: writers are slowed, syncs are given up. */
function drawHeavy(random: Random): Plan {
  const settings = drawSettings(random, 1, false);
  return {
    nodes: random.between(2, 4),
    faultMs: random.between(10_000, 20_000),
    faultEveryMs: 4_000,
    writeEveryMs: 40,
    burstMax: 3,
    flips: false,
    settings: {
      ...settings,
      feeder: {
        ...settings.feeder,
        budgetBytes: 262_144,
        runBytes: 1_048_576,
        outputCapBytes: 65_536,
        windowBytes: 65_536,
        shipWindowBytes: 65_536,
        shipRate: 0,
        holdBytes: 0,
        throttleMaxMs: random.pick([5_000, 60_000]),
      },
      session: { ...settings.session, windowBytes: 67_108_864, sliceBytes: 262_144 },
      backlogBytes: 300_000,
      backlogTtlMs: 0,
      logSegmentBytes: 65_536,
      arenaSegmentBytes: 65_536,
      ringSlots: 4,
      slotBytes: 16_384,
    },
    workload: { keys: 40, valueMax: 12_000, largeEvery: 1000, largeMax: 20_000 },
    quality: {
      latencyMs: 1,
      jitterMs: 1,
      rate: 60,
      flipEvery: 0,
      pieceMax: 65_536,
      capacity: 65_536,
    },
  };
}

function drawSettings(random: Random, speed: number, tiny: boolean): NodeSettings {
  const clocks = {
    handshakeMs: 10_000 * speed,
    silenceMs: 60_000 * speed * speed,
    heartbeatMs: 1_000 * speed,
    parkMs: random.pick([60_000, 4_000]),
  };
  return {
    feeder: {
      ...FEEDER_DEFAULTS,
      ...clocks,
      stallMs: 30_000 * speed,
      waitMs: 30_000 * speed,
      duplicateSilenceMs: 3_000 * speed,
      budgetBytes: random.pick(tiny ? [64, 1000] : [1000, 262_144]),
      runBytes: random.pick(tiny ? [64, 1000] : [1000, 1_048_576]),
      outputCapBytes: random.pick([300, 5000, 4_194_304]),
      windowBytes: random.pick([100, 3000, 67_108_864]),
      shipWindowBytes: random.pick([100, 3000, 8_388_608]),
      shipRate: random.pick([0, 0, 0, 20_000]),
      shipGatherMs: random.pick([0, 50, 200]),
      shipsAtOnce: random.pick([1, 2]),
      shipSplitMs: random.pick([20, 1_000]),
      holdBytes: random.pick([0, 0, 0, 5_000]),
      throttleMaxMs: random.pick([5_000, 60_000]),
    },
    session: {
      ...SESSION_DEFAULTS,
      ...clocks,
      windowBytes: random.pick([200, 5000, 67_108_864]),
      sliceBytes: random.pick([1, 50, 1000, 262_144]),
      ackBytes: random.pick([1, 300, 262_144]),
    },
    backlogBytes: random.pick([300, 2000, 20_000, 1_000_000]),
    backlogTtlMs: random.pick([0, 0, 0, 3_000]),
    logSegmentBytes: random.pick([64, 300, 2000, 65_536]),
    arenaSegmentBytes: random.pick([4096, 16_384]),
    indexPageEntries: random.pick([16, 64]),
    ringSlots: random.pick([1, 2, 5, 16]),
    slotBytes: random.pick([128, 500, 4096]),
    loopMs: random.pick([0.02, 0.02, 0.02, 3]),
    diskMs: random.pick([0.1, 20]),
    syncEvery: random.pick([0, 1, 5]),
    pinnedBytesMin: random.pick([67_108_864, 67_108_864, 20_000, 3_000]),
  };
}
