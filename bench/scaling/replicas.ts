/** Bytes that a primary delivers per second of its CPU time, by replicas that follow its log. */
import { chainStart } from "../../src/wire/frame.ts";
import type { Position } from "../../src/wire/messages.ts";
import type { Series } from "../lib/chart.ts";
import { cpuSeconds } from "../lib/process.ts";
import { Resp } from "../lib/resp.ts";
import { SinkFleet } from "../lib/sink-fleet.ts";
import { median } from "../lib/stats.ts";
import { fill, node } from "../resync/scenario.ts";

const REPLICAS = [1, 2, 4, 8, 16, 32];
const LOG_BYTES = 64 * 1024 * 1024;
const VALUE_BYTES = 1000;
/** Delivered for one sample: the system counts CPU time in steps of 10 ms. */
const SAMPLE_BYTES = 2 * 1024 * 1024 * 1024;
const ROUNDS = 3;

export async function replicas(quick: boolean): Promise<Series[]> {
  const primary = await node("primary", "--backlog", "256mb");
  const fleet = await SinkFleet.start();
  await fill(primary.port, LOG_BYTES / VALUE_BYTES, VALUE_BYTES);
  const position = await positionOf(primary.port);
  const { history } = position;
  const order = {
    port: primary.replPort,
    bytes: position.offset,
    position: { history, offset: 0, chain: chainStart(history) },
  };
  const sample = async (sinks: number, sampleBytes: number): Promise<number> => {
    const laps = Math.max(1, Math.round(sampleBytes / position.offset / sinks));
    const before = cpuSeconds(primary.pid);
    for (let i = 0; i < laps; i++) await fleet.receive({ ...order, sinks });
    return (laps * sinks * position.offset) / 1e6 / (cpuSeconds(primary.pid) - before);
  };
  await sample(1, SAMPLE_BYTES / 4);
  const found = new Map(REPLICAS.map((sinks) => [sinks, [] as number[]]));
  for (let round = 0; round < (quick ? 1 : ROUNDS); round++)
    for (const sinks of REPLICAS)
      found.get(sinks)!.push(await sample(sinks, quick ? SAMPLE_BYTES / 4 : SAMPLE_BYTES));
  fleet.stop();
  await primary.stop();
  return [
    {
      id: "replicas",
      what: "Bytes delivered per CPU second of the primary",
      of: "replicas",
      unit: "MB per CPU second",
      yScale: "linear",
      points: REPLICAS.map((x) => ({ x, y: median(found.get(x)!) })),
    },
  ];
}

/** The newest position of a node. */
export async function positionOf(port: number): Promise<Position> {
  const client = await Resp.open(port);
  const status = JSON.parse(String(await client.call("REPL.STATUS"))) as { position: Position };
  client.close();
  return status.position;
}
