/** Two processes with nodes over files of their own; the primary is killed, and comes back. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { ManagedProcess } from "../../tools/processes.ts";
import { Random } from "../../tools/random.ts";
import { until } from "../../tools/wait.ts";

const NODE = fileURLToPath(new URL("../tools/file-node.ts", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

interface Shown {
  readonly map: [string, string][];
  readonly position: { readonly history: string; readonly offset: number };
  readonly counters: Readonly<Record<string, number>>;
}

type Line = { readonly port: number } | { readonly wrote: [string, number] } | Shown;

class FileNode {
  readonly process: ManagedProcess;

  constructor(process: ManagedProcess) {
    this.process = process;
  }

  static async start(file: string, writers: number, options: object): Promise<FileNode> {
    const args = ["--import", "tsx", NODE, file, String(writers), JSON.stringify(options)];
    const spawned = { name: "own state", cwd: root };
    const node = new FileNode(await ManagedProcess.spawn(process.execPath, args, spawned));
    running.push(node);
    await until(() => node.lines.length > 0 || node.process.exit !== null, {
      what: "the node to open",
      describe: () => node.text,
    });
    expect(node.process.exit, node.text).toBeNull();
    return node;
  }

  get text(): string {
    return this.process.errorLines.join("\n") + this.process.stdout.slice(-500);
  }

  get lines(): Line[] {
    const whole = this.process.stdout.split("\n").slice(0, -1);
    return whole.map((line) => JSON.parse(line) as Line);
  }

  get port(): number {
    return (this.lines[0] as { readonly port: number }).port;
  }

  /** It has written so many lines. */
  async hasTold(lines: number): Promise<void> {
    const describe = (): string => this.text;
    await until(() => this.lines.length > lines, { what: `${lines} lines`, describe });
  }

  /** Its first snapshot is its state. */
  async hasState(): Promise<void> {
    const has = async (): Promise<boolean> => (await this.show()).map.length > 0;
    await until(has, { what: "its first snapshot", describe: () => this.text });
  }

  /** The newest number of each writer that was told that it is written. */
  get answered(): Map<string, number> {
    return new Map(this.lines.flatMap((line) => ("wrote" in line ? [line.wrote] : [])));
  }

  async show(): Promise<Shown> {
    const before = this.lines.length;
    this.process.signal("SIGUSR2");
    const isShown = (line: Line): line is Shown => "map" in line;
    const shown = (): Shown | undefined => this.lines.slice(before).find(isShown);
    return until(shown, { what: "what it has", describe: () => this.text });
  }
}

const running: FileNode[] = [];
const dirs: string[] = [];

afterEach(async () => {
  for (const node of running.splice(0)) await node.process.kill();
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "hawser-own-"));
  dirs.push(dir);
  return dir;
}

/** It has all that `primary` has, which writes no more. */
async function equal(replica: FileNode, primary: FileNode): Promise<Shown> {
  const of = await primary.show();
  let seen: Shown | null = null;
  for (const endMs = Date.now() + 30_000; Date.now() < endMs;) {
    seen = await replica.show();
    // Where nothing was written under a new history, the replica hears of its name when it is back.
    if (JSON.stringify(seen.position) === JSON.stringify(of.position)) break;
    await sleep(50);
  }
  expect(seen!.map).toEqual(of.map);
  expect(seen!.position).toEqual(of.position);
  return seen!;
}

test("own state: primary and replica in two processes, ended and started again => equal, one full sync in all", async () => {
  const dir = newDir();
  const file = (name: string): string => join(dir, name);
  const primary = await FileNode.start(file("a"), 4, { dir: file("a.log") });
  const replica = await FileNode.start(file("b"), 0, { of: `127.0.0.1:${primary.port}` });
  await primary.hasTold(200);
  await replica.hasState();
  const { port } = primary;
  await primary.process.stop();
  expect(primary.process.exit).toMatchObject({ code: 0 });
  const again = await FileNode.start(file("a"), 0, { dir: file("a.log"), listen: port });
  const { counters } = await equal(replica, again);
  const before = await again.show();
  for (const [key, n] of primary.answered)
    expect(Number(new Map(before.map).get(key))).toBeGreaterThanOrEqual(n);
  expect([before.counters["sync_full"], counters["upstream_refused"] ?? 0]).toEqual([0, 0]);
});

test("own state: kill -9 of the primary under writes, again and again => all answered is there, no full sync", async () => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1e9);
  console.log(`seed=${seed} SEED=${seed} npx vitest run --project e2e test/e2e/own-state.test.ts`);
  const random = new Random(seed);
  const dir = newDir();
  const file = (name: string): string => join(dir, name);
  let primary = await FileNode.start(file("a"), 8, { dir: file("a.log") });
  const { port } = primary;
  const replica = await FileNode.start(file("b"), 0, { of: `127.0.0.1:${port}` });
  await primary.hasTold(100);
  await replica.hasState();
  const answered = new Map<string, number>();
  for (let round = 0; round < 6; round++) {
    await sleep(random.between(20, 400));
    await primary.process.kill();
    for (const [key, n] of primary.answered) answered.set(key, n);
    primary = await FileNode.start(file("a"), round === 5 ? 0 : 8, {
      dir: file("a.log"),
      listen: port,
    });
  }
  await equal(replica, primary);
  const { map, counters } = await primary.show();
  const has = new Map(map);
  for (const [key, n] of answered)
    expect(Number(has.get(key)), `seed=${seed} ${key}`).toBeGreaterThanOrEqual(n);
  expect(counters["sync_full"], `seed=${seed}`).toBe(0);
  expect(counters["sync_partial_ok"], `seed=${seed}`).toBeGreaterThan(0);
});
