/** Waits of a replica: they end when it has what it should, and at once when it never will. */
import { createServer, type Server } from "node:net";
import { expect, test } from "vitest";
import { Primary, Replica, type ReplicaOptions } from "../../../src/index.ts";
import { until } from "../../../tools/wait.ts";
import { closesWhatIsKept, keep, openPrimary, replicaOf } from "../../tools/embedded.ts";

closesWhatIsKept();

/** None of these waits may end by its time. */
const WAIT = { timeoutMs: 20_000 };

async function follow(port: number, options: Partial<ReplicaOptions> = {}): Promise<Replica> {
  return keep(await Replica.open({ of: `127.0.0.1:${port}`, ...options }));
}

const cannot = (says: RegExp): object => ({
  code: "ERR_CANNOT_FOLLOW",
  message: expect.stringMatching(says) as string,
});

test.each<[string, string | undefined, string | undefined, RegExp]>([
  ["another password", "right", "wrong", /rejected: auth: wrong password/],
  ["no password", "right", undefined, /rejected: auth: a password is required/],
  ["one that is not asked for", undefined, "mine", /asks for no password.*the same replPassword$/],
])(
  "%s => synced() and reached() reject at once, and the replica tries on",
  async (_what, theirs, ours, says) => {
    const passwords = (password?: string) =>
      password === undefined ? {} : { replPassword: password };
    const primary = await openPrimary(passwords(theirs));
    const replica = await follow(primary.replPort, passwords(ours));
    await expect(replica.synced(WAIT)).rejects.toMatchObject(cannot(says));
    await expect(replica.reached(primary.written, WAIT)).rejects.toMatchObject(cannot(says));
    // Also one that comes while it waits for its next attempt.
    await expect(replica.synced(WAIT)).rejects.toMatchObject(cannot(says));
    expect(replica.status().upstream?.state).not.toBe("stopped");
  },
);

test("the primary comes back with the right password => a later synced() resolves", async () => {
  const wrong = await Primary.open({ replPassword: "other" });
  const { replPort } = wrong;
  const replica = await follow(replPort, { replPassword: "ours" });
  await expect(replica.synced(WAIT)).rejects.toMatchObject({ code: "ERR_CANNOT_FOLLOW" });
  await wrong.close();
  await until(() => /ECONNREFUSED/.test(replica.status().upstream?.lastError ?? ""), {
    what: "an attempt that finds nobody",
  });
  const synced = replica.synced(WAIT);
  const right = await openPrimary({ replPort, replPassword: "ours" });
  right.set("a", "1");
  await synced;
  await replica.reached(right.written, WAIT);
  expect(replica.getString("a")).toBe("1");
});

test("data of another history => rejects; the data stays", async () => {
  const old = await Primary.open();
  old.set("a", "1");
  const replica = await replicaOf(old);
  const { replPort } = old;
  await old.close();
  await openPrimary({ replPort });
  await until(() => /unrelated/.test(replica.status().upstream?.lastError ?? ""), {
    what: "the refusal",
  });
  await expect(replica.synced(WAIT)).rejects.toMatchObject(cannot(/rejected: unrelated/));
  expect(replica.getString("a")).toBe("1");
});

test("a replica of itself => rejects", async () => {
  const own = await Replica.open({ of: "127.0.0.1:1" });
  const { replPort } = own;
  await own.close();
  const replica = await follow(replPort, { replPort });
  await expect(replica.synced(WAIT)).rejects.toMatchObject(cannot(/rejected: self/));
});

/** A server that says `text` to whoever comes. */
async function saying(text: string): Promise<number> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.write(text);
  });
  keep({ close: () => server.close() });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
}

test.each([
  ["HTTP/1.1 400 Bad Request\r\n\r\n", /it is not a hawser node/],
  ["-ERR unknown command 'REPL.INFO'\r\n", /speaks RESP but is not a hawser node/],
  ["-NOAUTH Authentication required.\r\n", /name its replication port instead/],
])("what answers says %j => rejects", async (text, says) => {
  const replica = await follow(await saying(text));
  await expect(replica.synced(WAIT)).rejects.toMatchObject(cannot(says));
});

test("what passes by itself => no end: nobody there, a place that is taken, no state yet", async () => {
  const silent = await follow(await saying("-ERR max number of clients reached\r\n"));
  const middle = await follow(1);
  const below = await follow(middle.replPort);
  for (const [replica, says] of [
    [silent, /no place left/],
    [middle, /ECONNREFUSED/],
    [below, /not_ready/],
  ] as const) {
    await until(() => says.test(replica.status().upstream?.lastError ?? ""), {
      what: String(says),
      describe: () => replica.status().upstream?.lastError,
    });
    await expect(replica.synced({ timeoutMs: 30 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  }
});

test("a batch of which some fits => the replica stops, and synced() says so", async () => {
  const primary = await openPrimary();
  primary.set("a", "1");
  const replica = await replicaOf(primary);
  const { pool } = replica["parts"].node.store.parts;
  pool.limitBytes = pool.usedBytes;
  const reached = expect(
    (async () => {
      primary.set("large", Buffer.alloc(600 << 10));
      await replica.reached(primary.written, WAIT);
    })(),
  ).rejects.toMatchObject(cannot(/ERR_STORE_FULL/));
  await reached;
  await expect(replica.synced(WAIT)).rejects.toMatchObject(cannot(/ERR_STORE_FULL/));
  pool.limitBytes = Number.POSITIVE_INFINITY;
});

test("reached(): what was written in this turn is there when it resolves", async () => {
  const primary = await openPrimary();
  const replica = await replicaOf(primary);
  for (let n = 0; n < 50; n++) {
    primary.set("n", String(n));
    await replica.reached(primary.written, WAIT);
    expect(Number(replica.getString("n"))).toBeGreaterThanOrEqual(n);
  }
  expect(replica.position).toEqual(primary.position);
});

test("reached(): a token is a position as a text, on any node; one of a log that was left is gone at once", async () => {
  const old = await openPrimary();
  old.set("a", "1");
  const replica = await replicaOf(old);
  const { token } = old;
  expect(token).toMatch(/^[0-9a-f]{32}-1-0-[1-9]\d*$/);
  await replica.reached(token, WAIT);
  expect(replica.getString("a")).toBe("1");
  const promoted = await replica.promote();
  promoted.set("b", "1");
  old.set("b", "only there");
  const second = await replicaOf(promoted);
  await second.reached(token, WAIT);
  await second.reached(promoted.token, WAIT);
  for (const lost of [old.token, old.written])
    await expect(second.reached(lost)).rejects.toMatchObject({ code: "ERR_POSITION_GONE" });
  for (const wrong of ["", "x", `${token}0-`])
    await expect(second.reached(wrong)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test("reached() over a promotion => what led to its log counts, what went another way does not", async () => {
  const old = await openPrimary();
  old.set("a", "1");
  const first = await replicaOf(old);
  await first.reached(old.written, WAIT);
  const shared = old.written;
  const promoted = await first.promote();
  old.set("b", "only there");
  const lost = old.written;
  promoted.set("c", "1");
  const second = await replicaOf(promoted);
  await second.reached(shared, WAIT);
  await second.reached(promoted.written, WAIT);
  await expect(second.reached(lost)).rejects.toMatchObject({ code: "ERR_POSITION_GONE" });
  // The object that was promoted is at its own end.
  await first.reached(promoted.position, WAIT);
  for (const at of [null, {}, { history: 5, offset: 1 }, { history: "a", offset: -1 }])
    await expect(second.reached(at as typeof lost)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});
