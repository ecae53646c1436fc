/**
 * The same bytes to redis-server and to hawser: the same bytes back.
 *
 * A scenario is a list of command lines, split at blanks ("..." keeps them, \xHH as redis-cli), sent
 * as one pipeline on a fresh connection after FLUSHALL.
 *
 * Owns: both servers of a test file, sending and comparing. Does not own: what is sent.
 */
import { createServer, type AddressInfo } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Daemon, ManagedProcess } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";
import { encodeRequest, RawResp, type Words } from "./raw-resp.ts";
import { describeWithRedis } from "./redis-tools.ts";

/** Command lines by the name of their scenario. */
export type Scenarios = Readonly<Record<string, readonly string[]>>;

/** Both servers; they run while the tests of a file do. */
export class Servers {
  redisPort = 0;
  hawser!: Daemon;
  private redis!: ManagedProcess;
  private redisDir = "";

  async start(): Promise<void> {
    this.redisPort = await freePort();
    this.redisDir = await mkdtemp(join(tmpdir(), "differential-"));
    const flags = [
      ...["--port", String(this.redisPort), "--save", ""],
      ...["--dir", this.redisDir, "--databases", "1"],
    ];
    this.redis = await ManagedProcess.spawn("redis-server", flags, { name: "redis-server" });
    this.hawser = await Daemon.start("hawser", ["primary"]);
    await until(() => this.listens(), { what: "redis-server to listen", timeoutMs: 10_000 });
  }

  async stop(): Promise<void> {
    await this.hawser.kill();
    await this.redis.kill();
    await rm(this.redisDir, { recursive: true, force: true });
  }

  /** Replies of both servers to the same pipeline on a fresh connection. */
  async both(request: Buffer): Promise<{ redis: string; hawser: string }> {
    const flush = encodeRequest(["FLUSHALL"]);
    const [a, b] = await Promise.all([
      RawResp.connect(this.redisPort),
      RawResp.connect(this.hawser.port),
    ]);
    try {
      const whole = Buffer.concat([flush, request]);
      const [fromRedis, fromHawser] = await Promise.all([a.replies(whole), b.replies(whole)]);
      return { redis: fromRedis, hawser: fromHawser };
    } finally {
      a.close();
      b.close();
    }
  }

  /** A test for each scenario. */
  sameBytes(scenarios: Scenarios): void {
    describe("resp: the same pipeline to redis 7.0 and hawser => the same bytes", () => {
      for (const [name, lines] of Object.entries(scenarios)) {
        test(name, async () => {
          const replies = await this.both(pipeline(lines));
          expect(replies.hawser).toBe(replies.redis);
        });
      }
    });
  }

  private async listens(): Promise<true | null> {
    try {
      const client = await RawResp.connect(this.redisPort);
      client.close();
      return true;
    } catch {
      return null;
    }
  }
}

/** The tests of a file, with both servers; skipped where redis is not installed. */
export function besideRedis(body: (servers: Servers) => void): void {
  describeWithRedis("beside redis-server", () => {
    const servers = new Servers();
    beforeAll(() => servers.start());
    afterAll(() => servers.stop());
    body(servers);
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** "set k \"a b\"" to its words. */
function words(line: string): Words {
  const found = line.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? [];
  return found.map((word) => {
    if (!word.startsWith('"')) return word;
    const text = word
      .slice(1, -1)
      .replaceAll("\\r", "\r")
      .replaceAll("\\n", "\n")
      .replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
      .replaceAll('\\"', '"');
    return text;
  });
}

/** Command lines as the bytes of one pipeline. */
export function pipeline(lines: readonly string[]): Buffer {
  return Buffer.concat(lines.map((line) => encodeRequest(words(line))));
}

/** Elements of the reply to one command. */
export async function listOf(port: number, ...line: string[]): Promise<string[]> {
  const client = await RawResp.connect(port);
  try {
    const text = await client.replies(encodeRequest(line));
    return text.split("\r\n").filter((part) => part !== "" && !/^[*$]/.test(part));
  } finally {
    client.close();
  }
}
