/** --profile reaches what it is for: windows, ring, chunks, clocks of both ends. */
import { afterEach, expect, test } from "vitest";
import { Keyspace } from "../../../src/node/keyspace.ts";
import { createLogger } from "../../../src/node/logger.ts";
import { createNode, type DaemonNode } from "../../../src/node/node.ts";
import { readCommandLine } from "../../../src/daemon/command-line.ts";
import { until } from "../../../tools/wait.ts";

const nodes: DaemonNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0).reverse()) await node.stop();
});

async function started(...args: string[]): Promise<[DaemonNode, number]> {
  const line = readCommandLine([...args, "--port", "0", "--repl-port", "0"], {}, () => "");
  if (line.kind !== "node") throw new Error(line.kind);
  const sink = (text: string) => process.stderr.write(text);
  const node = createNode(line.options, createLogger({ level: "error", format: "json", sink }));
  nodes.push(node);
  await node.open();
  return [node, await node.listen()];
}

test.each([
  ["lan", 256 * 1024, 60_000, 15_000],
  ["edge", 64 * 1024, 300_000, 60_000],
] as const)(
  "a full sync with --profile %s => its chunks, its clocks",
  async (profile, chunkBytes, silenceMs, backoffMaxMs) => {
    const [primary, port] = await started("primary", "--profile", profile);
    const keys = new Keyspace(primary);
    keys.refresh(Date.now());
    const value = Buffer.alloc(4000, 0x61);
    for (let i = 0; i < 1000; i++) {
      const key = Buffer.from(`key:${i}`);
      keys.set(key, 0, key.length, value, 0, value.length, 0);
    }
    primary.turn.appended();
    const [replica] = await started("replica", "--profile", profile, "--of", `127.0.0.1:${port}`);
    await until(() => replica.store.size === 1000, { what: "the first sync" });
    const chunks = primary.feeder.counters.get("snapshot_chunks_sent");
    const bytes = primary.feeder.counters.get("snapshot_bytes_sent");
    expect(bytes).toBeGreaterThan(4_000_000);
    expect(bytes / chunks).toBeLessThanOrEqual(chunkBytes);
    expect(bytes / chunks).toBeGreaterThan(chunkBytes / 2);
    expect(primary.feeder.options).toMatchObject({ silenceMs });
    expect(replica.session.options).toMatchObject({ silenceMs, backoffMaxMs });
  },
);
