/** `hawser backup` of running nodes under load, `hawser restore`, and a primary that starts from it. */
import {
  createWriteStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { expect, test } from "vitest";
import { converge, count, digestOf } from "../../tools/converge.ts";
import { type Daemon, type Fleet, MAIN, ManagedProcess, runHawser } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";

function folder(fleet: Fleet): string {
  const dir = mkdtempSync(join(tmpdir(), "hawser-backup-"));
  fleet.defer(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

interface Report {
  readonly file: string;
  readonly position: { readonly history: string; readonly offset: number };
  readonly records: number;
  readonly bytes: number;
}

async function backup(
  node: { readonly replPort: number },
  dir: string,
  ...more: string[]
): Promise<Report> {
  const from = `127.0.0.1:${node.replPort}`;
  const run = await runHawser(["backup", dir, "--from", from, "--json", ...more]);
  expect(run.stderr).toBe("");
  expect(run.code).toBe(0);
  return JSON.parse(run.stdout) as Report;
}

async function started(
  fleet: Fleet,
  file: string,
  dir: string,
  ...more: string[]
): Promise<Daemon> {
  const run = await runHawser(["restore", file, "--dir", dir, ...more]);
  expect([run.stderr, run.code]).toEqual(["", 0]);
  return fleet.primary("--dir", dir);
}

/** Sets seq:0, seq:1, ... one after the other until it is stopped. */
class Writer {
  answered = 0;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(node: Daemon) {
    this.#done = this.#run(node);
  }

  async #run(node: Daemon): Promise<void> {
    const client = await node.client();
    while (!this.#stopped) {
      const first = this.answered;
      await client.pipeline(Array.from({ length: 50 }, (_, i) => ["SET", `seq:${first + i}`, "v"]));
      this.answered += 50;
    }
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return this.#done;
  }
}

/** What `node` has of a Writer's keys is a beginning of them without gaps. @returns how many */
async function beginning(node: Daemon, others: number): Promise<number> {
  const size = Number(await node.call("DBSIZE")) - others;
  for (let from = 0; from < size; from += 500) {
    const names = Array.from({ length: Math.min(500, size - from) }, (_, i) => `seq:${from + i}`);
    expect(await node.call("EXISTS", ...names)).toBe(names.length);
  }
  return size;
}

test("e2e: backup of a primary and of a replica under writes => each restored has all up to one moment", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await fill(primary, { keys: 20_000 });
  await converge([primary, replica]);
  const writer = new Writer(primary);
  await until(() => writer.answered > 1_000, { what: "the writer to write" });
  const before = writer.answered;
  const dir = folder(fleet);
  const ofPrimary = await backup(primary, dir);
  const ofReplica = await backup(replica, dir);
  const answered = writer.answered;
  await writer.stop();
  for (const report of [ofPrimary, ofReplica]) {
    expect(statSync(report.file).size).toBe(report.bytes);
    const copy = await started(fleet, report.file, join(folder(fleet), "data"));
    const got = await beginning(copy, 20_000);
    expect(got + 20_000).toBe(report.records);
    expect(got).toBeGreaterThanOrEqual(report === ofPrimary ? before : 0);
    expect(got).toBeLessThanOrEqual(answered + 50);
    expect(copy.find("recovered")).toBeDefined();
  }
  // Nobody counted them, and the replica never noticed.
  const { counters, links } = await primary.status();
  expect([count(counters, "copies_done"), links.length]).toEqual([1, 1]);
  expect([
    count(counters, "sync_full"),
    count((await replica.status()).counters, "copies_done"),
  ]).toEqual([1, 1]);
  await converge([primary, replica]);
});

test("e2e: backup by the client port, to standard output; restored with --replace => the same digest; a cut file => refused", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--repl-password", "sesame", "--clients-open");
  await fill(primary, { keys: 5_000 });
  const data = await digestOf(primary);
  const dir = folder(fleet);
  const file = join(dir, "copy");
  const words = [MAIN, "backup", "-", "--from", `127.0.0.1:${primary.port}`];
  const env = { ...process.env, HAWSER_REPL_PASSWORD: "sesame" };
  const run = spawn(process.execPath, words, { env, stdio: ["ignore", "pipe", "pipe"] });
  const out = createWriteStream(file);
  run.stdout.pipe(out);
  let said = "";
  run.stderr.on("data", (text: Buffer) => (said += text.toString()));
  const [code] = (await once(run, "exit")) as [number];
  await finished(out);
  expect([code, said]).toEqual([0, expect.stringMatching(/^backup {2}- .* 5000 records/)]);
  const copy = await started(fleet, file, join(dir, "data"), "--replace");
  expect((await digestOf(copy)).sum).toBe(data.sum);

  // A file that is cut is no backup.
  const cut = join(dir, "cut");
  writeFileSync(cut, readFileSync(file).subarray(0, -10));
  const refused = await runHawser(["restore", cut, "--dir", join(dir, "none")]);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("before its END")]);
});

test("e2e: backup: wrong password, no state yet, nobody there => 1 and no file", async () => {
  const fleet = useFleet();
  const locked = await fleet.primary("--repl-password", "sesame", "--clients-open");
  const lost = await fleet.replica({ port: 1 });
  const dir = join(folder(fleet), "made");
  const cases: readonly (readonly [string, number, readonly string[]])[] = [
    ["wrong password", locked.replPort, ["--repl-password", "other"]],
    ["requires a password", locked.replPort, []],
    ["not_ready", lost.replPort, []],
    ["ECONNREFUSED", 1, []],
  ];
  for (const [why, port, more] of cases) {
    const run = await runHawser(["backup", dir, "--from", `127.0.0.1:${port}`, ...more]);
    expect([run.code, run.stdout, run.stderr]).toEqual([1, "", expect.stringContaining(why)]);
    expect(existsSync(dir)).toBe(false);
  }
  const { counters, links } = await locked.status();
  expect([count(counters, "copies_begun"), links.length]).toEqual([0, 0]);
});

test.each([
  ["interrupted", "SIGINT", []],
  ["told to end", "SIGTERM", []],
  ["killed", "SIGKILL", [expect.stringMatching(/\.checkpoint\.\d+-\d*-.*\.tmp$/)]],
] as const)(
  "e2e: backup: %s in the middle => no file under the name, and the node goes on",
  async (_, signal, left) => {
    const fleet = useFleet();
    const primary = await fleet.primary("--ship-rate", "1mb");
    await fill(primary, { keys: 10_000, valueBytes: [1_000, 1_200] });
    const dir = folder(fleet);
    const words = [MAIN, "backup", dir, "--from", `127.0.0.1:${primary.replPort}`];
    const run = await ManagedProcess.spawn(process.execPath, words, { name: "hawser backup" });
    fleet.defer(() => run.kill());
    await until(() => readdirSync(dir).length > 0, { what: "the backup to begin" });
    run.signal(signal);
    const { code } = await run.ended();
    expect(code).toBe(signal === "SIGKILL" ? null : 1);
    expect(readdirSync(dir)).toEqual(left);
    await until(() => primary.find("copy_ended") !== undefined, {
      what: "the node to see its end",
    });
    expect((await primary.status()).parked).toEqual([]);
    expect(count((await primary.status()).counters, "copies_done")).toBe(0);
    if (signal !== "SIGKILL") return;
    // The next one removes what that left, and nothing else.
    writeFileSync(join(dir, "mine.tmp"), "");
    await primary.call("CONFIG", "SET", "ship-rate", "0");
    await backup(primary, dir);
    expect(readdirSync(dir).sort()).toEqual([expect.stringMatching(/\.checkpoint$/), "mine.tmp"]);
  },
);

test("e2e: backup: the node is killed in the middle => 1 and no file", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--ship-rate", "1mb");
  await fill(primary, { keys: 10_000, valueBytes: [1_000, 1_200] });
  const dir = folder(fleet);
  const words = [MAIN, "backup", dir, "--from", `127.0.0.1:${primary.replPort}`];
  const run = await ManagedProcess.spawn(process.execPath, words, { name: "hawser backup" });
  fleet.defer(() => run.kill());
  await until(() => readdirSync(dir).length > 0, { what: "the backup to begin" });
  await primary.kill();
  expect((await run.ended()).code).toBe(1);
  expect(run.errorLines.join("\n")).toMatch(/^hawser backup: 127\.0\.0\.1:\d+: /);
  expect(readdirSync(dir)).toEqual([]);
});
