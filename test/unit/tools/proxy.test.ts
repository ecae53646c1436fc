import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FaultProxy, type ProxyOptions } from "../../../tools/proxy.ts";
import { Random } from "../../../tools/random.ts";
import { until } from "../../../tools/wait.ts";

/** A socket that remembers what it got and how it ended. */
class Peer {
  readonly socket: Socket;
  received: Buffer[] = [];
  reads = 0;
  end: "open" | "fin" | "reset" | "closed" = "open";
  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.received.push(bytes);
      this.reads++;
    });
    socket.on("end", () => (this.end = "fin"));
    socket.on("error", () => (this.end = "reset"));
    socket.on("close", () => (this.end = this.end === "open" ? "closed" : this.end));
  }
  get bytes(): Buffer {
    return Buffer.concat(this.received);
  }
  get count(): number {
    return this.received.reduce((sum, bytes) => sum + bytes.length, 0);
  }
  async has(count: number): Promise<Buffer> {
    await until(() => this.count >= count, {
      what: `${count} bytes`,
      timeoutMs: 5000,
      describe: () => ({ count: this.count, end: this.end }),
    });
    return this.bytes;
  }
  async ends(how: Peer["end"]): Promise<void> {
    await until(() => this.end === how, {
      what: `the connection to end by ${how}`,
      timeoutMs: 5000,
      describe: () => ({ count: this.count, end: this.end }),
    });
  }
}

const closers: (() => unknown)[] = [];
let accepted: Peer[] = [];
let port = 0;

async function server(): Promise<{ port: number; accepted: Peer[] }> {
  const peers: Peer[] = [];
  const listener = createServer({ allowHalfOpen: true }, (socket) => peers.push(new Peer(socket)));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  closers.push(() => {
    listener.close();
    for (const peer of peers) peer.socket.destroy();
  });
  return { port: (listener.address() as AddressInfo).port, accepted: peers };
}

async function proxied(options?: ProxyOptions): Promise<FaultProxy> {
  const proxy = await FaultProxy.listen(port, options);
  closers.push(() => proxy.close());
  return proxy;
}

/** A client through the proxy, with the server's end of the connection. */
async function pair(proxy: FaultProxy): Promise<{ client: Peer; target: Peer }> {
  const before = accepted.length;
  const socket = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true });
  closers.push(() => socket.destroy());
  await once(socket, "connect");
  await until(() => accepted.length > before, { what: "the proxied connection" });
  return { client: new Peer(socket), target: accepted[before]! };
}

beforeEach(async () => {
  ({ port, accepted } = await server());
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const sample = (length: number): Buffer => new Random(length).bytes(length);

describe("proxy: clean", () => {
  test("8 MiB both ways at once arrive unchanged and are counted", async () => {
    const proxy = await proxied();
    const { client, target } = await pair(proxy);
    const up = sample(8 * 1024 * 1024);
    const down = sample(8 * 1024 * 1024 + 3);
    client.socket.write(up);
    target.socket.write(down);
    expect((await target.has(up.length)).equals(up)).toBe(true);
    expect((await client.has(down.length)).equals(down)).toBe(true);
    expect(proxy.up.bytes).toBe(up.length);
    expect(proxy.down.bytes).toBe(down.length);
    expect(proxy.connections).toBe(1);
    expect(proxy.connectionsTotal).toBe(1);
  });

  test("FIN passes in one direction, and the other stays open", async () => {
    const { client, target } = await pair(await proxied());
    client.socket.end("last words");
    await target.ends("fin");
    expect(target.bytes.toString()).toBe("last words");
    target.socket.end("answer");
    await client.ends("fin");
    expect(client.bytes.toString()).toBe("answer");
  });

  test("a reset passes", async () => {
    const proxy = await proxied();
    const { client, target } = await pair(proxy);
    client.socket.resetAndDestroy();
    await target.ends("reset");
    await until(() => proxy.connections === 0, { what: "the connection to be forgotten" });
  });

  test("a target that is not there resets the client", async () => {
    const proxy = await proxied();
    const dead = await server();
    await closers.pop()?.();
    proxy.retarget(dead.port);
    const client = new Peer(connect(proxy.port, "127.0.0.1"));
    await client.ends("reset");
  });

  test("retarget: new connections go there, old ones stay", async () => {
    const proxy = await proxied();
    const first = await pair(proxy);
    const other = await server();
    proxy.retarget(other.port);
    const second = new Peer(connect(proxy.port, "127.0.0.1"));
    closers.push(() => second.socket.destroy());
    second.socket.write("new");
    await until(() => other.accepted.length === 1, { what: "a connection at the new target" });
    expect((await other.accepted[0]!.has(3)).toString()).toBe("new");
    first.client.socket.write("old");
    expect((await first.target.has(3)).toString()).toBe("old");
  });
});

describe("proxy: cuts", () => {
  test.each([0, 1, 65_535, 65_536, 65_537, 1_000_000])(
    "cutAfter(%i) lets exactly that much through and ends both sides",
    async (bytes) => {
      const proxy = await proxied();
      const { client, target } = await pair(proxy);
      const cut = proxy.up.cutAfter(bytes);
      const sent = sample(2_000_000);
      client.socket.write(sent);
      await cut;
      await until(() => client.end !== "open" && target.end !== "open", { what: "both ends" });
      expect(target.count).toBe(bytes);
      expect(target.bytes.equals(sent.subarray(0, bytes))).toBe(true);
      expect(proxy.up.bytes).toBe(bytes);
    },
  );

  test("cutAfter fires once: the next connection is whole", async () => {
    const proxy = await proxied();
    const first = await pair(proxy);
    const cut = proxy.up.cutAfter(3);
    first.client.socket.write("abcdef");
    await cut;
    const second = await pair(proxy);
    second.client.socket.write("abcdef");
    expect((await second.target.has(6)).toString()).toBe("abcdef");
  });

  test("cutAfter by reset is seen as a reset", async () => {
    const proxy = await proxied();
    const { client } = await pair(proxy);
    const cut = proxy.up.cutAfter(3, "reset");
    client.socket.write("abcdef");
    await cut;
    await client.ends("reset");
  });

  test("halfClose: the target sees FIN and can still answer", async () => {
    const proxy = await proxied();
    const { client, target } = await pair(proxy);
    client.socket.write("abc");
    await target.has(3);
    proxy.cutAll("halfClose");
    await target.ends("fin");
    client.socket.write("never seen");
    target.socket.write("still here");
    expect((await client.has(10)).toString()).toBe("still here");
    expect(target.count).toBe(3);
  });

  test("refusing: connections are closed at once, until healed", async () => {
    const proxy = await proxied();
    proxy.refusing = true;
    const refused = new Peer(connect(proxy.port, "127.0.0.1"));
    await until(() => refused.end !== "open", { what: "the refusal" });
    proxy.heal();
    const { client, target } = await pair(proxy);
    client.socket.write("x");
    await target.has(1);
  });
});

describe("proxy: bytes", () => {
  test.each([0, 1, 70_000])("flipBitAfter(%i) changes that bit only", async (at) => {
    const proxy = await proxied();
    const { client, target } = await pair(proxy);
    const flipped = proxy.up.flipBitAfter(at, 6);
    const sent = sample(100_000);
    client.socket.write(Buffer.from(sent));
    await flipped;
    const got = await target.has(sent.length);
    const expected = Buffer.from(sent);
    expected[at] = expected[at]! ^ 0x40;
    expect(got.equals(expected)).toBe(true);
  });

  test("oneByteWrites: everything arrives, in more reads than writes", async () => {
    const proxy = await proxied();
    const { client, target } = await pair(proxy);
    proxy.up.set({ oneByteWrites: true });
    const sent = sample(500);
    client.socket.write(sent);
    expect((await target.has(500)).equals(sent)).toBe(true);
    expect(target.reads).toBeGreaterThan(1);
  });

  test("delay and jitter keep the order; the other direction is not delayed", async () => {
    const proxy = await proxied();
    const { client, target } = await pair(proxy);
    proxy.up.set({ delayMs: 30, jitterMs: 20 });
    const startedAt = performance.now();
    for (let n = 0; n < 50; n++) client.socket.write(Buffer.from([n]));
    target.socket.write("first");
    await client.has(5);
    const got = await target.has(50);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(29);
    expect([...got]).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  test("bytesPerSecond bounds what has passed at any moment", async () => {
    const proxy = await proxied();
    const { client, target } = await pair(proxy);
    proxy.up.set({ bytesPerSecond: 500_000 });
    const startedAt = performance.now();
    client.socket.write(sample(150_000));
    await until(
      () => {
        const allowed = ((performance.now() - startedAt) / 1000) * 500_000 + 10_000;
        expect(target.count).toBeLessThanOrEqual(allowed);
        return target.count === 150_000;
      },
      { what: "all bytes", everyMs: 5, timeoutMs: 5000 },
    );
    expect(performance.now() - startedAt).toBeGreaterThan(250);
  });
});

describe("proxy: nothing passes", () => {
  test("stall: backpressure reaches the sender, memory stays bounded, nothing is lost", async () => {
    const proxy = await proxied({ bufferBytesMax: 256 * 1024 });
    const { client, target } = await pair(proxy);
    proxy.up.stall();
    const sent = sample(32 * 1024 * 1024);
    client.socket.write(sent);
    await until(() => proxy.up.queuedBytesMax >= 256 * 1024, { what: "a full queue" });
    const waiting = client.socket.writableLength;
    expect(target.count).toBe(0);
    proxy.up.resume();
    expect((await target.has(sent.length)).equals(sent)).toBe(true);
    expect(waiting).toBeGreaterThan(0);
    expect(proxy.up.queuedBytesMax).toBeLessThanOrEqual(256 * 1024 + 64 * 1024);
  });

  test("a target that does not read: backpressure, bounded memory", async () => {
    const proxy = await proxied({ bufferBytesMax: 256 * 1024 });
    const { client, target } = await pair(proxy);
    target.socket.pause();
    client.socket.write(sample(64 * 1024 * 1024));
    await until(() => proxy.up.queuedBytesMax >= 256 * 1024, { what: "a full queue" });
    expect(client.socket.writableLength).toBeGreaterThan(0);
    target.socket.resume();
    await target.has(64 * 1024 * 1024);
    expect(proxy.up.queuedBytesMax).toBeLessThanOrEqual(256 * 1024 + 64 * 1024);
  });

  test("blackhole: bytes and FIN vanish, the sender is not told; resume resets", async () => {
    const proxy = await proxied();
    const { client, target } = await pair(proxy);
    proxy.up.blackhole();
    client.socket.write(sample(100_000));
    await until(() => proxy.up.bytesLost === 100_000, { what: "the bytes to be swallowed" });
    target.socket.write("other way");
    await client.has(9);
    expect([client.end, target.end, target.count]).toEqual(["open", "open", 0]);
    proxy.up.resume();
    await target.ends("reset");
    await client.ends("reset");
  });

  test("blackhole that swallowed nothing leaves the connection as it was", async () => {
    const proxy = await proxied();
    const { client, target } = await pair(proxy);
    proxy.up.blackhole();
    proxy.up.resume();
    client.socket.write("abc");
    expect((await target.has(3)).toString()).toBe("abc");
  });

  test("asymmetric: one direction stalled, the other flows", async () => {
    const proxy = await proxied();
    const { client, target } = await pair(proxy);
    proxy.down.stall();
    target.socket.write("late");
    client.socket.write("now");
    await target.has(3);
    expect(client.count).toBe(0);
    proxy.down.resume();
    expect((await client.has(4)).toString()).toBe("late");
  });
});

test("proxy: close() ends every connection and frees the port", async () => {
  const proxy = await proxied();
  const { client, target } = await pair(proxy);
  const was = proxy.port;
  await proxy.close();
  closers.splice(closers.length - 2, 1);
  await until(() => client.end !== "open" && target.end !== "open", { what: "both ends" });
  const late = new Peer(connect(was, "127.0.0.1"));
  await late.ends("reset");
});

test("proxy: a rate limit leaves the event loop to others", async () => {
  const proxy = await proxied();
  const { client, target } = await pair(proxy);
  proxy.up.set({ bytesPerSecond: 1_000_000 });
  client.socket.write(sample(400_000));
  await target.has(1000);
  let turns = 0;
  while (target.count < 300_000) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    turns++;
  }
  expect(turns).toBeGreaterThan(20);
});
