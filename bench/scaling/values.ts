/** SETs through the client port of a primary with one replica, by the size of the value. */
import type { Point, Series } from "../lib/chart.ts";
import { chainStart } from "../../src/wire/frame.ts";
import { SinkFleet } from "../lib/sink-fleet.ts";
import { node } from "../resync/scenario.ts";
import { positionOf } from "./replicas.ts";
import { sizeLabel, write } from "./writes.ts";

const SIZES = [16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];
const SETS_MAX = 1_000_000;
/** What all values of one sample are together, at most. */
const SAMPLE_BYTES = 1024 * 1024 * 1024;
/** What is in the store at a time, at most. */
const LIVE_BYTES = 128 * 1024 * 1024;
const KEYS_MAX = 10_000;

export async function values(quick: boolean): Promise<Series[]> {
  const perSet: Point[] = [];
  const perSecond: Point[] = [];
  for (const size of SIZES) {
    const cpuUs = await cpuPerSet(size, quick ? 0.1 : 1);
    const label = sizeLabel(size);
    perSet.push({ x: size, y: cpuUs, label });
    perSecond.push({ x: size, y: size / cpuUs, label });
  }
  const of = "values";
  return [
    {
      id: "values-set",
      what: "CPU time of the primary for one SET",
      of,
      unit: "us",
      yScale: "log",
      points: perSet,
    },
    {
      id: "values-bytes",
      what: "Bytes of values per CPU second of the primary",
      of,
      unit: "MB per CPU second",
      yScale: "log",
      points: perSecond,
    },
  ];
}

async function cpuPerSet(valueBytes: number, share: number): Promise<number> {
  const primary = await node("primary", "--backlog", "256mb");
  const fleet = await SinkFleet.start();
  const { history } = await positionOf(primary.port);
  const position = { history, offset: 0, chain: chainStart(history) };
  fleet.follow({ port: primary.replPort, sinks: 1, position });
  const sets = Math.ceil(share * Math.min(SETS_MAX, SAMPLE_BYTES / valueBytes));
  const load = { valueBytes, keys: Math.ceil(Math.min(KEYS_MAX, LIVE_BYTES / valueBytes)) };
  await write(primary, { ...load, sets: Math.ceil(sets / 4) });
  const used = await write(primary, { ...load, sets });
  fleet.stop();
  await primary.stop();
  return (used * 1e6) / sets;
}
