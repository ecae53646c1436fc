import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { readCommandLine } from "../../../src/daemon/command-line.ts";
import { createLogger } from "../../../src/node/logger.ts";
import { createNode, type DaemonNode } from "../../../src/node/node.ts";

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function built(lines: string[], ...args: string[]): DaemonNode {
  const line = readCommandLine([...args, "--port", "0", "--repl-port", "0"], {}, () => "");
  if (line.kind !== "node") throw new Error(line.kind);
  const sink = (text: string) => lines.push(text);
  const node = createNode(line.options, createLogger({ level: "info", format: "json", sink }));
  closers.push(() => node.stop());
  return node;
}

test("built + open + listen => a port; each step once, and none before the one that it needs", async () => {
  const node = built([], "primary");
  await expect(node.listen()).rejects.toThrow(/is built, not open/);
  await node.open();
  await expect(node.open()).rejects.toThrow(/is open, not built/);
  expect(await node.listen()).toBeGreaterThan(0);
});

test("stop while it opens => it does not listen", async () => {
  const node = built([], "primary");
  const opening = node.open();
  await node.stop();
  await opening;
  expect(node.isStopped).toBe(true);
  await expect(node.listen()).rejects.toThrow(/was stopped/);
});

test("--dir with a damaged checkpoint => found by open(), not before", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hawser-open-"));
  closers.push(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "snapshot.json"), "{");
  const lines: string[] = [];
  const node = built(lines, "replica", "--of", "127.0.0.1:1", "--dir", dir);
  const told = (): boolean => lines.some((text) => text.includes("part_file_unusable"));
  expect(told()).toBe(false);
  await node.open();
  expect(told()).toBe(true);
});

test("a replication port that the system lets accept nobody => told and counted, and it goes on", async () => {
  const lines: string[] = [];
  const node = built(lines, "primary");
  await node.open();
  const port = await node.listen();
  const { server } = node["server"]["listener"] as unknown as { readonly server: Server };
  server.emit("error", new Error("accept EMFILE"));
  const line = lines.find((text) => text.includes("repl_port_error"));
  expect(line).toContain("accept EMFILE");
  expect(node.status().counters).toMatchObject({ repl_port_errors: 1 });
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.destroy();
});
