/** Whom `hawser verify` gives the password to: the node it was told to ask, and replicas that proved themselves. */
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { verify } from "../../../src/daemon/verify.ts";

const ID = "0123456789abcdef0123456789abcdef";
const SUM = "0123456789abcdef";
const PASSWORD = "harbour-light";
const BUCKET = { history: ID, from: 0, to: 9, truncated: false, keys: [] };

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A node that answers each connection by `answer`, and what it was told. */
async function listen(
  answer: (heard: string) => string,
): Promise<{ port: number; heard: () => string }> {
  let all = "";
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      const heard = bytes.toString("latin1");
      all += heard;
      socket.write(answer(heard));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, heard: () => all };
}

const bulk = (value: unknown): string => {
  const text = JSON.stringify(value);
  return `$${text.length}\r\n${text}\r\n`;
};

async function verifyWith(authenticated: boolean): Promise<{ told: string; note: string }> {
  const announced = await listen((heard) =>
    heard.includes("AUTH") ? "-WRONGPASS no\r\n" : "-NOAUTH Authentication required.\r\n",
  );
  const replica = {
    replicaId: ID,
    remote: "127.0.0.1:5",
    host: "127.0.0.1",
    clientPort: announced.port,
    authenticated,
    verdict: "differs",
    records: 99,
    sum: SUM,
    buckets: [1],
  };
  const report = {
    position: { history: ID, offset: 9, chain: 7 },
    seed: ID,
    bucketCount: 512,
    records: 100,
    sum: SUM,
    replicas: [replica],
  };
  const node = await listen(
    (heard) => `+OK\r\n${bulk(heard.includes("REPL.VERIFY") ? report : BUCKET)}`,
  );
  const named = await verify({
    target: { host: "127.0.0.1", port: node.port },
    password: PASSWORD,
    timeoutMs: 2_000,
    json: false,
  });
  expect(node.heard()).toContain(PASSWORD);
  return { told: announced.heard(), note: named.replicas[0]?.note ?? "" };
}

test("verify: a replica that proved nothing announces a host => asked without the password, and the note says so", async () => {
  const { told, note } = await verifyWith(false);
  expect(told).toContain("REPL.STATUS");
  expect(told).not.toContain("AUTH");
  expect(told).not.toContain(PASSWORD);
  expect(note).toContain("without the password");
  expect(note).toContain("NOAUTH");
});

test("verify: a replica that proved the replication password => asked with the password", async () => {
  const { told, note } = await verifyWith(true);
  expect(told).toContain(PASSWORD);
  expect(note).toContain("WRONGPASS");
});
