/** Verification with real nodes in this process: equal under writes, and a planted difference found. */
import { afterEach, expect, test } from "vitest";
import { createLogger } from "../../../src/node/logger.ts";
import { createNode, type DaemonNode } from "../../../src/node/node.ts";
import { readCommandLine } from "../../../src/daemon/command-line.ts";
import { Keyspace } from "../../../src/node/keyspace.ts";
import { delBytes, encodeDelHead } from "../../../src/store/record.ts";
import { until } from "../../../tools/wait.ts";

const nodes: DaemonNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0).reverse()) await node.stop();
});

async function node(...args: string[]): Promise<{ node: DaemonNode; port: number }> {
  const line = readCommandLine([...args, "--port", "0", "--repl-port", "0"], {}, () => "");
  if (line.kind !== "node") throw new Error(line.kind);
  const made = createNode(
    line.options,
    createLogger({ level: "error", format: "json", sink: (text) => process.stderr.write(text) }),
  );
  nodes.push(made);
  await made.open();
  return { node: made, port: await made.listen() };
}

function write(target: DaemonNode, from: number, to: number): void {
  const keys = new Keyspace(target);
  keys.refresh(Date.now());
  for (let i = from; i < to; i++) {
    const key = Buffer.from(`key:${i}`);
    const value = Buffer.from(`value ${i}`);
    keys.set(key, 0, key.length, value, 0, value.length, 0);
  }
  target.turn.appended();
}

async function pair(): Promise<[DaemonNode, DaemonNode]> {
  const primary = await node("primary");
  write(primary.node, 0, 1000);
  const replica = await node("replica", "--of", `127.0.0.1:${primary.port}`);
  await until(() => replica.node.store.size === 1000, { what: "the first sync" });
  return [primary.node, replica.node];
}

test("verify: writes before, between and after the mark => equal at the marked position", async () => {
  const [primary] = await pair();
  write(primary, 1000, 5000);
  const running = primary.inspection.verify(10_000);
  write(primary, 3000, 9000);
  const report = await running;
  expect(report.records).toBe(5000);
  expect(report.replicas.map((each) => each.verdict)).toEqual(["equal"]);
  expect(report.replicas[0]?.sum).toBe(report.sum);
});

test("verify: a key missing on the replica => differs, in one bucket", async () => {
  const [primary, replica] = await pair();
  const key = Buffer.from("key:7");
  const record = Buffer.alloc(delBytes(key.length));
  key.copy(record, encodeDelHead(record, 0, key.length));
  replica.store.apply(record, 0, record.length);
  const report = await primary.inspection.verify(10_000);
  expect(report.replicas[0]?.verdict).toBe("differs");
  expect(report.replicas[0]?.records).toBe(999);
  expect(report.replicas[0]?.buckets).toHaveLength(1);
  expect(report.replicas[0]?.authenticated).toBe(false);
});

test("verify: links need a password => replicas are told to have proved it", async () => {
  const secret = ["--repl-password", "harbour", "--clients-open"];
  const primary = await node("primary", ...secret);
  write(primary.node, 0, 10);
  const replica = await node("replica", "--of", `127.0.0.1:${primary.port}`, ...secret);
  await until(() => replica.node.store.size === 10, { what: "the first sync" });
  const report = await primary.node.inspection.verify(10_000);
  expect(report.replicas).toMatchObject([{ verdict: "equal", authenticated: true }]);
});

test("verify: a replica that goes away => no_answer, the rest is reported", async () => {
  const [primary, replica] = await pair();
  const running = primary.inspection.verify(2_000);
  replica.session.stop("test", performance.now());
  const report = await running;
  expect(["no_answer", "equal"]).toContain(report.replicas[0]?.verdict);
});
