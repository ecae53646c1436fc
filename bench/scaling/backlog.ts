/** SETs through the client port of a primary without replicas, by the size of its backlog. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Point, Series } from "../lib/chart.ts";
import { rssBytes } from "../lib/process.ts";
import { node } from "../resync/scenario.ts";
import { sizeLabel, write } from "./writes.ts";

const MIB = 1024 * 1024;
const SIZES = [MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB, 1024 * MIB];
const QUICK_BYTES_MAX = 64 * MIB;
const VALUE_BYTES = 1000;
const KEYS = 10_000;
const SETS = 300_000;
/** Until the collector has had its time. */
const IDLE_MS = 2_000;

export async function backlog(quick: boolean): Promise<Series[]> {
  const costs: Point[] = [];
  const memory: Point[] = [];
  for (const size of SIZES.filter((bytes) => !quick || bytes <= QUICK_BYTES_MAX)) {
    const sets = quick ? SETS / 5 : SETS;
    const primary = await node("primary", "--backlog", String(size));
    const load = { valueBytes: VALUE_BYTES, keys: KEYS };
    // Full, and trimming.
    await write(primary, { ...load, sets: Math.max(sets / 4, (1.2 * size) / VALUE_BYTES) });
    const used = await write(primary, { ...load, sets });
    await sleep(IDLE_MS);
    const label = sizeLabel(size);
    costs.push({ x: size, y: (used * 1e6) / sets, label });
    memory.push({ x: size, y: rssBytes(primary.pid) / 1e6, label });
    await primary.stop();
  }
  const of = "backlog";
  return [
    {
      id: "backlog-set",
      what: `CPU time of the primary for one SET of ${VALUE_BYTES} bytes`,
      of,
      unit: "us",
      yScale: "linear",
      points: costs,
    },
    {
      id: "backlog-memory",
      what: "Resident memory with a full backlog, idle",
      of,
      unit: "MB",
      yScale: "log",
      points: memory,
    },
  ];
}
