/** A node over a state of an embedder's own, as whoever has it uses it: writes, waits, roles, its end. */
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { mapState } from "../../../src/adapters/map.ts";
import type { Awaitable, Mark, Part } from "../../../src/bridge/seam.ts";
import { replicate, type ReplicateOptions } from "../../../src/embed/replicate.ts";
import { nodeOf, type ReplicatedNode } from "../../../src/embed/replicated-node.ts";
import { ArgumentError, HawserError } from "../../../src/errors.ts";
import { UsageError } from "../../../src/index.ts";
import { newDir, open } from "../../tools/open-nodes.ts";
import {
  deleteRecord,
  newDisk,
  setRecord,
  type ToyDisk,
  type ToyOptions,
  ToyState,
} from "../../tools/toy-state.ts";

const later = (): Promise<void> => turn();

/** With transactions: what a body does to the Map that it is given is stored with the mark. */
class Toy extends ToyState {
  async transact(run: (tx: never) => Awaitable<Mark>): Promise<void> {
    const tx = new Map(this.map);
    const mark = await run(tx as never);
    this.disk.map = tx;
    this.disk.mark = mark;
  }

  check(bytes: Buffer, from: number, to: number): void {
    if (bytes.toString("utf8", from, to).startsWith("bad")) throw new TypeError("a bad key");
  }
}

interface Made {
  readonly node: ReplicatedNode;
  readonly state: Toy;
  readonly disk: ToyDisk;
}

async function make(
  options: ReplicateOptions = {},
  toy: ToyOptions = {},
  disk = newDisk(),
): Promise<Made> {
  const state = new Toy(disk, toy);
  const node = await replicate(state, options);
  open.push(node);
  return { node, state, disk };
}

async function pair(toy: ToyOptions = {}): Promise<{ primary: Made; replica: Made }> {
  const primary = await make({}, toy);
  const replica = await make({ of: at(primary) }, toy);
  await replica.node.synced();
  return { primary, replica };
}

const at = ({ node }: Made): string => `127.0.0.1:${node.port}`;
const counter = ({ node }: Made, name: string): number => node.status().counters[name] ?? 0;
const entries = ({ disk }: Made): [string, string][] => [...disk.map].sort();

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  const error = await errorOf(promise);
  return error instanceof HawserError ? error.code : error;
}

describe.each([
  ["at once", {}],
  ["later", { later }],
] as const)("a state that answers %s", (_, toy) => {
  test("what is written is in both states, in the order of the calls, a few batches for many calls", async () => {
    const { primary, replica } = await pair(toy);
    const writes = Array.from({ length: 300 }, (_, n) =>
      primary.node.write([setRecord("n", String(n)), setRecord(`k${n % 50}`, String(n))]),
    );
    const positions = await Promise.all(writes);
    expect(primary.disk.map.get("n")).toBe("299");
    expect(positions.at(-1)).toEqual(primary.node.position);
    await replica.node.reached(positions.at(-1)!);
    expect(entries(replica)).toEqual(entries(primary));
    const { sync_full: full } = primary.node.status().counters;
    expect([full, new Set(positions.map(({ offset }) => offset)).size < 10]).toEqual([1, true]);
    await primary.node.write(deleteRecord("n"));
    await replica.node.reached(primary.node.position);
    expect(replica.disk.map.has("n")).toBe(false);
  });

  test("update: 100 increments at once => 100, on both", async () => {
    const { primary, replica } = await pair(toy);
    const { node, disk } = primary;
    const sums = await Promise.all(
      Array.from({ length: 100 }, () =>
        node.update(async (log) => {
          const sum = Number(disk.map.get("sum") ?? 0) + 1;
          await turn();
          log(setRecord("sum", String(sum)));
          return sum;
        }),
      ),
    );
    expect(sums.at(-1)).toBe(100);
    await replica.node.reached(node.position);
    expect(replica.disk.map.get("sum")).toBe("100");
  });

  test("transact: what the body changed is there, and on the replica what it logged", async () => {
    const { primary, replica } = await pair(toy);
    const node = primary.node as unknown as ReplicatedNode<Map<string, string>>;
    const got = await node.transact((tx, log) => {
      tx.set("t", "1");
      log(setRecord("t", "1"));
      return tx.size;
    });
    await replica.node.reached(node.position);
    expect([got, primary.disk.map.get("t"), replica.disk.map.get("t")]).toEqual([1, "1", "1"]);
    const failure = new Error("its own");
    const failing = node.transact((tx, log) => {
      tx.set("u", "1");
      log(setRecord("u", "1"));
      throw failure;
    });
    expect(await errorOf(failing)).toBe(failure);
    expect([primary.disk.map.has("u"), node.role]).toEqual([false, "primary"]);
  });

  test("verify under writes: the replica is equal at every position that it is asked about", async () => {
    const { primary, replica } = await pair(toy);
    let isOver = false;
    const writing = (async () => {
      for (let n = 0; !isOver; n++) await primary.node.write(setRecord(`k${n % 40}`, String(n)));
    })();
    const { inspection } = nodeOf(primary.node);
    for (let n = 0; n < 10; n++) {
      const report = await inspection.verify(20_000);
      expect(report.replicas.map(({ verdict }) => verdict)).toEqual(["equal"]);
    }
    isOver = true;
    await writing;
    await replica.node.reached(primary.node.position);
    expect(entries(replica)).toEqual(entries(primary));
  });

  test("a replica that joins under writes => one snapshot at a position, then the log: equal", async () => {
    const primary = await make({}, toy);
    let isOver = false;
    const writing = (async () => {
      for (let n = 0; !isOver; n++)
        await Promise.all(
          [1, 2, 3].map((i) => primary.node.write(setRecord(`k${(n * i) % 97}`, `${n}.${i}`))),
        );
    })();
    const replica = await make({ of: at(primary) }, toy);
    await replica.node.synced();
    await sleep(30);
    isOver = true;
    await writing;
    await replica.node.reached(primary.node.position);
    expect(entries(replica)).toEqual(entries(primary));
    expect([counter(primary, "sync_full"), nodeOf(replica.node).core.session.torn]).toEqual([
      1,
      false,
    ]);
  });
});

describe("what is refused", () => {
  test("by arguments, before any effect", async () => {
    const { node } = await make();
    for (const bad of [5, "text", null, [Buffer.from("a"), "b"]])
      expect(await codeOf(node.write(bad as never))).toBe("ERR_ARGUMENT");
    expect(await codeOf(node.update(5 as never))).toBe("ERR_ARGUMENT");
    expect(await codeOf(node.write(setRecord("a", "1"), 5 as never))).toBe("ERR_ARGUMENT");
    expect(await codeOf(node.write(setRecord("a", "1"), { timeoutMs: -1 }))).toBe("ERR_ARGUMENT");
    expect(await codeOf(node.reached({ history: "x", offset: -1 }))).toBe("ERR_ARGUMENT");
    expect(await codeOf(node.confirmed(node.position, { replicas: 1.5 }))).toBe("ERR_ARGUMENT");
    const wrongLevel = { replicas: 0, level: "all" as never };
    expect(await codeOf(node.confirmed(node.position, wrongLevel))).toBe("ERR_ARGUMENT");
    expect(await errorOf(node.follow("nowhere"))).toBeInstanceOf(UsageError);
    expect(node.position.offset).toBe(0);
  });

  test("a misspelt option, one of another kind of node, and a wrong value, by their names here", async () => {
    const wrong = async (options: object): Promise<string> =>
      String(await errorOf(replicate(new Toy(), options)));
    expect(await wrong({ listn: 5 })).toContain("unknown option listn: did you mean listen?");
    expect(await wrong({ replPort: 5 })).toContain("unknown option replPort");
    expect(await wrong({ listen: -1 })).toContain("listen: -1 is not allowed");
    expect(await wrong({ pasword: "x" })).toContain("did you mean password?");
    expect(await wrong({ of: "nowhere" })).toContain('of: "nowhere" expected HOST:PORT');
    expect(await wrong({ bind: "0.0.0.0" })).toContain("password");
    expect(await errorOf(replicate(null as never))).toBeInstanceOf(ArgumentError);
  });

  test("by check(): that write alone, and log() of a body", async () => {
    const { node, disk } = await make();
    const [good, bad] = [node.write(setRecord("a", "1")), node.write(setRecord("bad", "1"))];
    expect(await errorOf(bad)).toBeInstanceOf(TypeError);
    await good;
    await node.update((log) => {
      expect(() => log(setRecord("bad", "1"))).toThrow(TypeError);
    });
    expect([...disk.map.keys()]).toEqual(["a"]);
  });

  test("on a replica; a transaction of a state that has none", async () => {
    const { replica } = await pair();
    for (const call of [
      replica.node.write(setRecord("a", "1")),
      replica.node.update(() => 1),
      replica.node.ready(),
    ])
      expect(await codeOf(call)).toBe("ERR_READONLY");
    const plain = await replicate(new ToyState());
    open.push(plain);
    expect(await codeOf(plain.transact(() => 1))).toBe("ERR_ARGUMENT");
  });

  test.each(["update", "transact"] as const)(
    "within the body of %s: whatever would wait for it",
    async (kind) => {
      const { node } = await make();
      const inside = async (): Promise<unknown[]> => {
        await turn();
        return Promise.all([
          codeOf(node.write(setRecord("a", "1"))),
          codeOf(node.update(() => 1)),
          codeOf(node.follow("127.0.0.1:1")),
          codeOf(node.close()),
        ]);
      };
      const beside = turn().then(() => node.write(setRecord("b", "1")));
      const codes = await (kind === "update" ? node.update(inside) : node.transact(inside));
      expect(new Set(codes)).toEqual(new Set(["ERR_INSIDE_BODY"]));
      await beside;
      await node.write(setRecord("c", "1"));
    },
  );

  test("by the state, which is what it was: rejects, the others are written", async () => {
    const { node, state, disk } = await make({}, { later });
    await node.write(setRecord("a", "1"));
    state.fails = { call: "apply", isDone: false };
    const second = node.write(setRecord("b", "1"));
    const error = (await errorOf(second)) as HawserError;
    // One alone is not tried again.
    expect([error.code, (error.cause as Error).message]).toEqual([
      "ERR_STORE_REFUSED",
      "apply failed",
    ]);
    state.fails = { call: "apply", isDone: true };
    await node.write(setRecord("c", "1"));
    expect([...disk.map.keys()]).toEqual(["a", "c"]);
  });
});

test("a state that may be anywhere: nothing is written, nobody is fed; a snapshot of another mends it", async () => {
  const { primary, replica } = await pair();
  await primary.node.write(setRecord("a", "1"));
  await replica.node.reached(primary.node.position);
  const told: unknown[] = [];
  primary.node.on("error", (what) => told.push(what));
  primary.state.fails = { call: "apply", isDone: false };
  primary.disk.mark = new Uint8Array([1]);
  const failed = [
    primary.node.write(setRecord("b", "1")),
    primary.node.update((log) => log(setRecord("c", "1"))),
  ];
  for (const call of failed) expect(await codeOf(call)).toBe("ERR_STORE_FAILED");
  for (const call of [primary.node.write(setRecord("d", "1")), primary.node.ready()])
    expect(await codeOf(call)).toBe("ERR_STORE_FAILED");
  await turn();
  await turn();
  expect(told).toMatchObject([{ what: "state_suspect" }]);
  expect(await codeOf(primary.node.promote())).toBe("ERR_NOT_PROMOTED");
  await nodeOf(primary.node).until(() => primary.node.status().links.length === 0, 20_000);
  await replica.node.promote();
  await replica.node.write(setRecord("e", "1"));
  await primary.node.follow(at(replica));
  await primary.node.synced();
  expect(entries(primary)).toEqual(entries(replica));
  expect(counter(replica, "sync_full")).toBe(1);
  await replica.node.follow(at(primary), { allowReset: true });
  await primary.node.promote();
  await primary.node.write(setRecord("f", "1"));
  await replica.node.reached(primary.node.position);
  expect(entries(replica)).toEqual(entries(primary));
});

describe("waits", () => {
  test("abort and timeout work while a write waits for its turn, and not after", async () => {
    const { node, disk } = await make();
    let end!: () => void;
    const body = node.update((log) => {
      log(setRecord("u", "1"));
      return new Promise<void>((resolve) => (end = resolve));
    });
    await turn();
    const stop = new AbortController();
    const reason = new Error("no more");
    const aborted = node.write(setRecord("a", "1"), { signal: stop.signal });
    const timedOut = node.write(setRecord("b", "1"), { timeoutMs: 5 });
    const goes = node.write(setRecord("c", "1"), { signal: stop.signal, timeoutMs: 20_000 });
    const already = node.update(() => 1, { signal: AbortSignal.abort(reason) });
    expect(await errorOf(already)).toBe(reason);
    expect(await codeOf(timedOut)).toBe("ERR_TIMEOUT");
    const third = node.write(setRecord("d", "1"), { signal: stop.signal });
    end();
    await body;
    stop.abort(reason);
    const ends = await Promise.all([aborted, goes, third].map(errorOf));
    // They were under way with the end of the body, or left the queue: nothing between.
    for (const [n, key] of ["a", "c", "d"].entries())
      expect([ends[n], disk.map.has(key)]).toEqual(
        ends[n] === null ? [null, true] : [reason, false],
      );
    expect(disk.map.has("b")).toBe(false);
  });

  test("another password => synced() and reached() reject at once, and again; the node goes on", async () => {
    const primary = await make({ password: "one" });
    const replica = await make({ of: at(primary), password: "two" });
    expect(await codeOf(replica.node.synced())).toBe("ERR_CANNOT_FOLLOW");
    const there = primary.node.position;
    expect(await codeOf(replica.node.reached({ ...there, offset: 9 }))).toBe("ERR_CANNOT_FOLLOW");
    expect(replica.node.role).toBe("replica");
  });

  test("confirmed: replicas that have applied it, and those that have synced it", async () => {
    const primary = await make();
    const plain = await make({ of: at(primary) });
    const durable = await make({ of: at(primary), dir: newDir(), fsync: "always" });
    for (const { node } of [plain, durable]) await node.synced();
    const position = await primary.node.write(setRecord("a", "1"));
    expect(await primary.node.confirmed(position, { replicas: 2 })).toBe(2);
    expect(await primary.node.confirmed(position, { replicas: 1, level: "durable" })).toBe(1);
    const tooMany = { replicas: 2, level: "durable" as const, timeoutMs: 30 };
    expect(await codeOf(primary.node.confirmed(position, tooMany))).toBe("ERR_TIMEOUT");
    expect(await primary.node.confirmed(position, { replicas: 0 })).toBeGreaterThanOrEqual(0);
  });

  test("durable: the log in dir is synced; without dir an error", async () => {
    const { node } = await make({ dir: newDir(), fsync: "no" });
    const position = await node.write(setRecord("a", "1"));
    await node.durable(position);
    expect(nodeOf(node).backlog.durable).toBe(position.offset);
    await node.write(setRecord("b", "1"));
    await node.durable();
    expect(nodeOf(node).backlog.durable).toBe(node.position.offset);
    expect(await codeOf((await make()).node.durable())).toBe("ERR_ARGUMENT");
  });

  test("a position that the log went on from before => ERR_POSITION_GONE", async () => {
    const { primary, replica } = await pair();
    await primary.node.write(setRecord("a", "1"));
    await replica.node.reached(primary.node.position);
    await replica.node.promote();
    const lost = await primary.node.write(setRecord("b", "1"));
    expect(await codeOf(replica.node.reached(lost))).toBe("ERR_POSITION_GONE");
    expect(await codeOf(replica.node.confirmed(lost, { replicas: 1 }))).toBe("ERR_POSITION_GONE");
  });

  test("close() => all that wait reject with ERR_CLOSED, and all that come; closing again is the same end", async () => {
    const { primary, replica } = await pair({ later });
    const { node } = primary;
    const waits = [
      node.confirmed(node.position, { replicas: 5 }),
      node.reached({ ...node.position, offset: 1e9 }),
    ];
    const inFlight = node.write(setRecord("a", "1"));
    await turn();
    const queued = node.write(setRecord("b", "1"));
    const [closed, again] = [node.close(), node.close()];
    for (const wait of [...waits, queued, node.write(setRecord("c", "1")), node.synced()])
      expect(await codeOf(wait)).toBe("ERR_CLOSED");
    expect(await inFlight).toMatchObject({ history: node.position.history });
    await Promise.all([closed, again]);
    expect([node.role, primary.state.asked.filter((what) => what === "close")]).toEqual([
      "closed",
      [],
    ]);
    expect(replica.disk.map.get("a")).toBe("1");
  });

  test("await using: closed at the end of the block", async () => {
    const node = await replicate(new Toy());
    const dispose = node[Symbol.asyncDispose].bind(node);
    await dispose();
    expect([node.role, await codeOf(node.write(setRecord("a", "1")))]).toEqual([
      "closed",
      "ERR_CLOSED",
    ]);
  });

  test("ready: at once when nothing is paced; what it waited with is not left behind", async () => {
    const { node } = await make();
    await node.ready();
    const daemon = nodeOf(node);
    const mayWrite = daemon.mayWrite.bind(daemon);
    let resume: (() => void) | null = null;
    daemon.mayWrite = () => false;
    daemon.onWritersResumed = (_turn, told) => {
      resume = told;
      return () => (resume = null);
    };
    expect(await codeOf(node.ready({ timeoutMs: 5 }))).toBe("ERR_TIMEOUT");
    expect(resume).toBeNull();
    const waiting = node.ready();
    const writing = node.write(setRecord("a", "1"));
    await turn();
    daemon.mayWrite = mayWrite;
    const told = resume as (() => void) | null;
    told!();
    await Promise.race([waiting, writing]);
  });
});

describe("roles", () => {
  test("a primary follows its replica, which leads: what waits is refused, what is under way ends; no full sync", async () => {
    const { primary, replica } = await pair({ later });
    const inFlight = primary.node.write(setRecord("a", "1"));
    await turn();
    const queued = primary.node.write(setRecord("b", "1"));
    await Promise.all([
      primary.node.follow(at(replica)),
      codeOf(queued).then((code) => expect(code).toBe("ERR_READONLY")),
    ]);
    await inFlight;
    expect([primary.node.role, primary.disk.map.has("b")]).toEqual(["replica", false]);
    // What the primary wrote last is not lost: the replica has it, or gets it while it still follows.
    await nodeOf(replica.node).until(() => replica.disk.map.has("a"), 2_000);
    await replica.node.promote();
    await replica.node.promote();
    await replica.node.write(setRecord("c", "1"));
    await primary.node.reached(replica.node.position);
    expect(entries(primary)).toEqual(entries(replica));
  });

  test("events: the off function takes one listener away; one that throws breaks nothing", async () => {
    const { primary, replica } = await pair();
    const roles: string[] = [];
    const errors: string[] = [];
    const listener = ({ role }: { readonly role: string }): void => void roles.push(role);
    const off = replica.node.on("role", listener);
    replica.node.on("role", listener);
    replica.node.on("role", () => {
      throw new Error("the listener's own");
    });
    replica.node.on("error", ({ what }) => errors.push(what));
    await replica.node.promote();
    await turn();
    await turn();
    expect([roles, errors]).toEqual([["primary", "primary"], ["listener of role"]]);
    off();
    off();
    await replica.node.follow(at(primary), { allowReset: true });
    await turn();
    await turn();
    expect(roles).toEqual(["primary", "primary", "replica"]);
  });

  test("a replica that never had a state is not promoted", async () => {
    const alone = await make({ of: "127.0.0.1:1" });
    expect(await codeOf(alone.node.promote())).toBe("ERR_NOT_PROMOTED");
    expect([alone.node.role, alone.node.unref()]).toEqual(["replica", alone.node]);
  });
});

describe("a Map, which binds", () => {
  test("what its own methods change, write() and update() => on the replica in the order of the calls", async () => {
    const [map, copy] = [mapState<string, string>(), mapState<string, string>()];
    map.set("before", "1");
    const primary = await replicate(map);
    const replica = await replicate(copy, { of: `127.0.0.1:${primary.port}` });
    open.push(primary, replica);
    await replica.synced();
    expect([...copy]).toEqual([["before", "1"]]);
    map.set("a", "1");
    const encoded: Buffer[] = [];
    const other = mapState<string, string>(undefined, [["a", "2"]]);
    for (const { records } of other.freeze().read(null) as Iterable<Part>)
      for (const record of records) encoded.push(Buffer.from(record));
    const written = primary.write(encoded);
    expect(map.get("a")).toBe("2");
    map.set("a", "3");
    map.delete("before");
    await primary.update(async (log) => {
      await turn();
      log(encoded[0]!);
    });
    expect(map.get("a")).toBe("2");
    await written;
    expect(() => copy.set("a", "1")).toThrow("ERR_READONLY");
    await replica.reached(primary.position);
    expect([[...copy], [...map]]).toEqual([[["a", "2"]], [["a", "2"]]]);
    expect(primary.status().counters["sync_full"]).toBe(1);
    await primary.close();
    expect(() => map.set("b", "1")).toThrow("ERR_CLOSED");
    await replica.promote();
    copy.set("b", "1");
    expect(replica.role).toBe("primary");
  });

  test("changed by its own methods alone it is not empty: a replica with other data is refused, not emptied", async () => {
    const [map, mine] = [
      mapState<string, string>(),
      mapState<string, string>(undefined, [["mine", "1"]]),
    ];
    const primary = await replicate(map);
    map.set("a", "1");
    const replica = await replicate(mine, { of: `127.0.0.1:${primary.port}` });
    open.push(primary, replica);
    expect(await codeOf(replica.synced())).toBe("ERR_CANNOT_FOLLOW");
    expect([nodeOf(primary).core.hasData(), [...mine]]).toEqual([true, [["mine", "1"]]]);
  });
});

describe("with a log on disk", () => {
  test("fsync always: a write resolves when it is synced", async () => {
    const { node } = await make({ dir: newDir(), fsync: "always" }, { later });
    const { backlog } = nodeOf(node);
    const position = await node.write(setRecord("a", "1"));
    expect(backlog.durable).toBe(position.offset);
    await node.update((log) => log(setRecord("b", "1")));
    expect(backlog.durable).toBe(node.position.offset);
  });

  test("what was written is in the log's files by then; opened again it goes on there", async () => {
    const dir = newDir();
    const disk = newDisk();
    const first = await make({ dir, fsync: "no" }, { later }, disk);
    const position = await first.node.write([setRecord("a", "1"), setRecord("b", "2")]);
    const { backlog } = nodeOf(first.node);
    expect(backlog.store.written).toBe(position.offset);
    await first.node.close();
    const again = await make({ dir }, { later }, disk);
    expect(again.node.position.offset).toBe(position.offset);
    await again.node.write(setRecord("c", "3"));
    expect(entries(again)).toEqual([
      ["a", "1"],
      ["b", "2"],
      ["c", "3"],
    ]);
  });

  test("a draft that was on the disk and is refused is taken back: a start finds nothing of it", async () => {
    const dir = newDir();
    const disk = newDisk();
    const first = await make({ dir, fsync: "no" }, { later }, disk);
    const before = await first.node.write(setRecord("a", "1"));
    first.state.fails = { call: "apply", isDone: false };
    expect(await codeOf(first.node.write(setRecord("b", "1")))).toBe("ERR_STORE_REFUSED");
    expect(first.node.position).toEqual(before);
    await first.node.write(setRecord("c", "1"));
    await first.node.write(setRecord("d", "1"));
    const replica = await make({ of: at(first) });
    await replica.node.synced();
    expect(entries(replica)).toEqual(entries(first));
    await first.node.close();
    const again = await make({ dir }, { later }, disk);
    expect(entries(again)).toEqual([
      ["a", "1"],
      ["c", "1"],
      ["d", "1"],
    ]);
    expect(again.node.position.offset).toBe(replica.node.position.offset);
  });
});
