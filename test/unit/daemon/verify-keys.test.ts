/** `hawser verify` against nodes in this process: keys that differ are named, those in flight are not. */
import { afterEach, expect, test } from "vitest";
import { ClientServer } from "../../../src/resp/client-server.ts";
import type { BucketKey, BucketKeys } from "../../../src/node/bucket.ts";
import { Keyspace } from "../../../src/node/keyspace.ts";
import { createLogger } from "../../../src/node/logger.ts";
import { createNode, type DaemonNode } from "../../../src/node/node.ts";
import { readCommandLine } from "../../../src/daemon/command-line.ts";
import { reportText, verify } from "../../../src/daemon/verify.ts";
import { differingKeys } from "../../../src/daemon/verify-keys.ts";
import { delBytes, encodeDelHead, encodeSetHead, setBytes } from "../../../src/store/record.ts";
import { until } from "../../../tools/wait.ts";

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const log = createLogger({
  level: "error",
  format: "json",
  sink: (text) => process.stderr.write(text),
});

interface Made {
  readonly node: DaemonNode;
  readonly port: number;
  readonly replPort: number;
}

/** A node with a client port, as a process has it. */
async function made(...args: string[]): Promise<Made> {
  const line = readCommandLine([...args, "--port", "0", "--repl-port", "0"], {}, () => "");
  if (line.kind !== "node") throw new Error(line.kind);
  const node = createNode(line.options, log);
  const clients = new ClientServer(node, log, () => undefined);
  const port = await clients.listen(0, "127.0.0.1");
  node.announceClientPort(port);
  await node.open();
  const replPort = await node.listen();
  closers.push(async () => {
    await clients.close();
    await node.stop();
  });
  return { node, port, replPort };
}

function write(node: DaemonNode, from: number, to: number, value = "value"): void {
  const keys = new Keyspace(node);
  keys.refresh(Date.now());
  for (let i = from; i < to; i++) {
    const key = Buffer.from(`key:${i}`);
    const bytes = Buffer.from(`${value} ${i}`);
    keys.set(key, 0, key.length, bytes, 0, bytes.length, 0);
  }
  node.turn.appended();
}

async function pair(...flags: string[]): Promise<{ primary: Made; replica: Made }> {
  const primary = await made("primary", ...flags);
  write(primary.node, 0, 1000);
  const replica = await made("replica", "--of", `127.0.0.1:${primary.replPort}`, ...flags);
  await until(() => replica.node.store.size === 1000, { what: "the first sync" });
  return { primary, replica };
}

function plantDelete({ node }: Made, name: string): void {
  const key = Buffer.from(name);
  const record = Buffer.alloc(delBytes(key.length));
  key.copy(record, encodeDelHead(record, 0, key.length));
  node.store.apply(record, 0, record.length);
}

function plantSet({ node }: Made, name: string, text: string): void {
  const key = Buffer.from(name, "latin1");
  const value = Buffer.from(text);
  const record = Buffer.alloc(setBytes(key.length, value.length, 0));
  const at = encodeSetHead(record, 0, key.length, 0);
  Buffer.concat([key, value]).copy(record, at);
  node.store.apply(record, 0, record.length);
}

const options = (port: number, password = "") => ({
  target: { host: "127.0.0.1", port },
  json: false,
  password,
  timeoutMs: 10_000,
});

test("verify: planted differences under load => the keys, and in which way they differ", async () => {
  const { primary, replica } = await pair("--requirepass", "sesame", "--repl-password", "harbour");
  plantDelete(replica, "key:7");
  plantSet(replica, "key:8", "something else");
  plantSet(replica, "stray\xff", "extra");
  let n = 1000;
  const load = setInterval(() => {
    write(primary.node, n, n + 50);
    write(primary.node, 100, 200, `again ${n}`);
    n += 50;
  }, 5);
  const report = await verify(options(primary.port, "sesame")).finally(() => clearInterval(load));
  const [verdict] = report.replicas;
  expect(verdict).toMatchObject({ verdict: "differs", clientPort: replica.port, note: "" });
  expect([...verdict!.keys].sort((a, b) => a.key.localeCompare(b.key))).toEqual([
    { key: "key:7", difference: "missing on replica" },
    { key: "key:8", difference: "different" },
    { key: "stray\\xff", difference: "extra" },
  ]);
  const text = reportText(report);
  expect(text).toMatch(/replica +127\.0\.0\.1:\d+ +differs +\d+ records/);
  expect(text).toContain("missing on replica  key:7\n");
});

test("verify: more keys differ than are named => the first 20, and that there are more", async () => {
  const { primary, replica } = await pair();
  for (let i = 0; i < 100; i++) plantDelete(replica, `key:${i}`);
  const [verdict] = (await verify(options(primary.port))).replicas;
  expect(verdict!.keys).toHaveLength(20);
  expect(verdict!.note).toBe("there are more");
});

test("verify: no client port, no replica => said, never guessed", async () => {
  const { primary, replica } = await pair();
  plantDelete(replica, "key:7");
  replica.node.announceClientPort(0);
  replica.node.session.stop("test", performance.now());
  replica.node.follow("127.0.0.1", primary.replPort, "none");
  await until(() => primary.node.status().links[0]?.clientPort === 0, { what: "the new link" });
  const [verdict] = (await verify(options(primary.port))).replicas;
  expect(verdict).toMatchObject({ verdict: "differs", keys: [] });
  expect(verdict!.note).toBe("it has no client port to ask");
  const none = await verify(options(replica.port));
  expect(none.replicas).toEqual([]);
  expect(reportText(none)).toContain("nothing was compared");
});

test("verify: a wrong password => the node's words", async () => {
  const { primary } = await pair("--requirepass", "sesame", "--repl-password", "harbour");
  await expect(verify(options(primary.port, "wrong"))).rejects.toThrow(/WRONGPASS/);
  await expect(verify(options(primary.port))).rejects.toThrow(/NOAUTH/);
});

/** An end that gives these answers one after another: each a text of key=sum words. */
function scripted(...answers: string[]) {
  return {
    keys: (): Promise<BucketKeys> => {
      const words = (answers.length > 1 ? answers.shift()! : answers[0]!).split(" ");
      const keys = words
        .filter((word) => word !== "")
        .map((word): BucketKey => {
          const [id = "", sum = ""] = word.split("=");
          return [id, Buffer.from(id).toString("base64"), sum];
        });
      return Promise.resolve({ history: "h", from: 0, to: 0, truncated: false, keys });
    },
    reach: () => Promise.resolve(),
  };
}

test.each([
  ["changed between the primary's answers", ["a=1", "a=2", "a=3"], ["a=1"], []],
  ["deceives one round", ["a=1"], ["", "a=1"], []],
  ["comes and goes the same", ["", "", ""], ["a=1", ""], []],
  [
    "stands in both rounds",
    ["a=1 b=1"],
    ["a=2 c=1"],
    ["a different", "b missing on replica", "c extra"],
  ],
  ["differs in another way each time", ["a=1"], ["a=2", ""], []],
] as const)("differing keys: %s", async (_, above, below, expected) => {
  const named = await differingKeys(scripted(...above), scripted(...below));
  expect(named.map(({ key, difference }) => `${key} ${difference}`)).toEqual(expected);
});
