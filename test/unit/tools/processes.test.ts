import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { ManagedProcess } from "../../../tools/processes.ts";
import { until } from "../../../tools/wait.ts";

const started: ManagedProcess[] = [];
async function node(script: string): Promise<ManagedProcess> {
  const child = await ManagedProcess.spawn(process.execPath, ["-e", script], { name: "script" });
  started.push(child);
  return child;
}
afterEach(async () => {
  for (const child of started.splice(0)) await child.kill();
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const IDLE = "setInterval(() => {}, 1000); console.error('up');";
async function idle(): Promise<ManagedProcess> {
  const child = await node(IDLE);
  await until(() => child.errorLines.includes("up"), { what: "the child to be up" });
  return child;
}

test("processes: stderr comes in whole lines, the last one without a newline too", async () => {
  const child = await node(
    "process.stderr.write('one\\ntw'); setTimeout(() => process.stderr.write('o\\nthree'), 20)",
  );
  expect(await child.ended()).toEqual({ code: 0, signal: null });
  expect(child.errorLines).toEqual(["one", "two", "three"]);
});

test("processes: exit codes and signals are told apart", async () => {
  expect(await (await node("process.exit(3)")).ended()).toEqual({ code: 3, signal: null });
  expect(await (await idle()).kill()).toEqual({ code: null, signal: "SIGKILL" });
  expect(await (await idle()).stop()).toEqual({ code: null, signal: "SIGTERM" });
});

test("processes: a paused child is stopped all the same, and ending it twice is no error", async () => {
  const child = await idle();
  child.pause();
  expect(await child.stop()).toEqual({ code: null, signal: "SIGTERM" });
  expect(await child.kill()).toEqual({ code: null, signal: "SIGTERM" });
  child.signal("SIGTERM");
});

test("processes: settings of the environment are not handed on", async () => {
  process.env["HAWSER_PORT"] = "1";
  try {
    const child = await node("console.log(Object.keys(process.env).join())");
    await child.ended();
    expect(child.stdout).toContain("PATH");
    expect(child.stdout).not.toContain("HAWSER_PORT");
  } finally {
    delete process.env["HAWSER_PORT"];
  }
});

test("processes: a command that does not exist is an error", async () => {
  await expect(ManagedProcess.spawn("/nowhere/nothing", [], { name: "none" })).rejects.toThrow();
});

test.each(["SIGTERM", "SIGHUP", "exit"])(
  "processes: %s of whoever started them ends the children",
  async (how) => {
    const tools = fileURLToPath(new URL("../../../tools/processes.ts", import.meta.url));
    const end = how === "exit" ? "setTimeout(() => process.exit(0), 10);" : "";
    const script = `
      const { ManagedProcess } = await import(${JSON.stringify(tools)});
      const child = await ManagedProcess.spawn(process.execPath, ["-e", ${JSON.stringify(IDLE)}], { name: "c" });
      console.log(child.pid);
      ${end}`;
    const args = ["--import", "tsx", "--input-type=module", "-e", script];
    const parent = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const [text] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(text.toString());
    expect(pid).toBeGreaterThan(0);
    if (how !== "exit") parent.kill(how as NodeJS.Signals);
    await once(parent, "exit");
    await until(() => !isAlive(pid), { what: "the grandchild to end" });
  },
  30_000,
);
