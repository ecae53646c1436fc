/** The end of a turn without sockets: with nothing to send, and with one new batch to all. */
import { performance } from "node:perf_hooks";
import type { Case } from "../lib/measure.ts";
import { fed } from "./links.ts";
import { Ring, SET_BYTES } from "./material.ts";

/** Turns of one run; then every replica acknowledges. */
const OPS = 64;
const REPLICAS = [1, 16];

const linksOf = (replicas: number): string => `${replicas} link${replicas === 1 ? "" : "s"}`;

export async function pump(): Promise<Case[]> {
  const idle = REPLICAS.map(async (replicas): Promise<Case> => {
    const { turn } = await fed(replicas);
    return {
      name: `pump.idle${replicas}`,
      operation: `a turn with nothing to send, ${linksOf(replicas)}`,
      ops: OPS,
      isSteady: true,
      bytes: 0,
      run: () => {
        for (let i = 0; i < OPS; i++) turn.end(2);
      },
      floor: {
        name: "performance.now(), which every turn asks",
        run: () => {
          for (let i = 0; i < OPS; i++) performance.now();
        },
      },
    };
  });
  const sending = REPLICAS.map(async (replicas): Promise<Case> => {
    const { turn, append, take, acknowledge } = await fed(replicas);
    const batch = Buffer.alloc(SET_BYTES + 36, 120);
    const ring = new Ring(1024 * 1024);
    return {
      name: `pump.batch${replicas}`,
      operation: `a turn with a new batch of ${batch.length} bytes to each, taken, ${linksOf(replicas)}`,
      ops: OPS,
      isSteady: true,
      bytes: batch.length * replicas,
      run: () => {
        for (let i = 0; i < OPS; i++) {
          append();
          turn.end(2);
          take();
        }
        acknowledge();
      },
      floor: {
        name: "Buffer.copy of the batch for each link",
        run: () => {
          for (let i = 0; i < OPS * replicas; i++) ring.copy(batch, 0, batch.length);
        },
      },
    };
  });
  return Promise.all([...idle, ...sending]);
}
