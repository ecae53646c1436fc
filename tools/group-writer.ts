/**
 * Writers that overwrite keys in groups, aim at a rate, and measure: what a user of a pipeline sees.
 *
 * Owns: connections of its own. Does not own: nodes, or what the rate should be.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { RespClient } from "./resp-client.ts";

export interface GroupWriterOptions {
  readonly writers: number;
  /** SETs in one group; the next is sent when all are answered. */
  readonly group: number;
  readonly valueBytes: number;
  readonly keys: number;
  /** Of all writers together. */
  readonly bytesPerSecond: number;
}

export interface GroupFigures {
  readonly groups: number;
  readonly bytes: number;
  /** From the write of a group to its last answer. */
  readonly longestMs: number;
}

/** Starts the writers; the answer stops them. Throws there when a SET was not answered with OK. */
export async function writeGroups(
  port: number,
  options: GroupWriterOptions,
): Promise<() => Promise<GroupFigures>> {
  const { writers, group, valueBytes, keys, bytesPerSecond } = options;
  const everyMs = (1000 * group * valueBytes * writers) / bytesPerSecond;
  const value = "w".repeat(valueBytes);
  let isRunning = true;
  let groups = 0;
  let longestMs = 0;
  let at = 0;
  const write = async (client: RespClient): Promise<void> => {
    let dueMs = performance.now();
    while (isRunning) {
      let text = "";
      for (let i = 0; i < group; i++) {
        const key = `key:${at++ % keys}`;
        text += `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${valueBytes}\r\n${value}\r\n`;
      }
      const startMs = performance.now();
      const replies = await client.raw(text, group);
      longestMs = Math.max(longestMs, performance.now() - startMs);
      const bad = replies.find((reply) => reply !== "OK");
      if (bad !== undefined) throw new Error(`a SET was answered with ${String(bad)}`);
      groups += 1;
      dueMs += everyMs;
      await sleep(Math.max(0, dueMs - performance.now()));
    }
    client.close();
  };
  const clients = await Promise.all(
    Array.from({ length: writers }, () => RespClient.connect(port)),
  );
  const loops = Promise.all(clients.map(write));
  return async () => {
    isRunning = false;
    await loops;
    return { groups, bytes: groups * group * valueBytes, longestMs };
  };
}
