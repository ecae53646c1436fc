/** The order of writes over a log that stores late and a state that fails in every way. */
import { describe, expect, test } from "vitest";
import { type Backlog } from "../../../src/log/backlog.ts";
import type { Draft } from "../../../src/log/draft.ts";
import { GROUP_BYTES_MAX, GROUP_WRITES_MAX } from "../../../src/bridge/write-groups.ts";
import { type OrderPhase, WriteOrder } from "../../../src/bridge/write-order.ts";
import type { OrderDeps, StateAnswer, StateFailure } from "../../../src/bridge/write-deps.ts";
import { WaitingRecords } from "../../../src/bridge/waiting-records.ts";
import type { BodyJob, WriteJob } from "../../../src/bridge/write-jobs.ts";
import type { Awaitable, Log, LogPosition } from "../../../src/bridge/seam.ts";
import { BATCH_HEAD_BYTES, batchLength } from "../../../src/wire/frame.ts";
import { Random } from "../../../tools/random.ts";
import { FakeStore } from "../log/fake-store.ts";
import { batchesFrom, CHAIN_0, HISTORY, makeBacklog } from "../log/tools.ts";

/** What is to come of the next call of the state. */
type Fate =
  "at once" | "later" | "fails at once" | "fails later" | "suspect at once" | "suspect later";

const REFUSED = new Error("the state does not want it");
const BROKEN = new Error("nobody knows");

function recordsIn(bytes: Buffer, from: number, to: number): string[] {
  const found: string[] = [];
  for (let at = from; at < to;) {
    const end = at + batchLength(bytes, at);
    for (let next = at + BATCH_HEAD_BYTES; next < end;) {
      const length = bytes.readUInt32LE(next);
      found.push(bytes.toString("latin1", next + 4, next + 4 + length));
      next += 4 + length;
    }
    at = end;
  }
  return found;
}

/** A list of records, and how it takes them. */
class Bench {
  readonly store = new FakeStore(0, CHAIN_0, { isLate: true });
  readonly log: Backlog = makeBacklog({
    sizeBytes: 1 << 24,
    segmentBytes: 1 << 16,
    store: this.store,
  });
  readonly order: WriteOrder;
  readonly waiting = new WaitingRecords();
  readonly did: string[] = [];
  readonly phases = new Set<OrderPhase>();
  /** What the state has, and where it is. */
  has: string[] = [];
  at = 0;
  fate: () => Fate = () => "at once";
  storesFirst = false;
  refusal: Error | null = null;
  isHeld = false;
  heldBytes: number[] = [];
  resume: (() => void) | null = null;
  isInside = false;
  /** What the state, the disk and the turn have still to do. */
  readonly answers: (() => void)[] = [];
  readonly turns: (() => void)[] = [];
  readonly dues: (() => void)[] = [];
  trouble: Error | null = null;
  suspect: unknown = null;
  tx = 0;

  constructor() {
    this.order = new WriteOrder(this.deps());
  }

  private deps(): OrderDeps {
    const next = (): number => this.log.next;
    const storesFirst = (): boolean => this.storesFirst;
    return {
      log: {
        history: HISTORY,
        get next() {
          return next();
        },
        get storesFirst() {
          return storesFirst();
        },
        draft: (count, bytes, fill) => this.log.draft(count, bytes, fill),
        store: (_draft, done) => {
          this.did.push("store");
          this.log.persistDraft();
          this.answers.push(() => {
            if (this.trouble === null) this.store.settle();
            done(this.trouble);
          });
        },
        commitDraft: () => {
          this.did.push("commit");
          this.log.commitDraft();
        },
        dropDraft: (done) => {
          this.did.push("drop");
          const before = this.store.restarted;
          this.log.dropDraft(done);
          const { restarted } = this.store;
          if (restarted !== before && restarted !== null) this.answers.push(restarted);
        },
        forgetDraft: () => {
          this.did.push("forget");
          this.log.forgetDraft();
        },
      },
      state: {
        check: (bytes, from, to) => {
          if (bytes.toString("latin1", from, to).startsWith("bad")) throw new Error("a bad record");
        },
        apply: (draft, answer) => this.apply(draft, answer),
        transact: (run, answer) => this.transact(run, answer),
      },
      refusal: () => this.refusal,
      hold: (bytes, resume) => {
        this.heldBytes.push(bytes);
        if (!this.isHeld) return null;
        this.resume = resume;
        return () => (this.resume = null);
      },
      bodies: {
        run: (body) => {
          expect(this.isInside).toBe(false);
          this.isInside = true;
          return body();
        },
        over: () => (this.isInside = false),
      },
      soon: (run) => void this.dues.push(run),
      afterTurn: (run) => void this.turns.push(run),
      onSuspect: (error) => (this.suspect = error),
    };
  }

  private apply(draft: Draft, answer: StateAnswer): void {
    const records = recordsIn(draft.bytes, draft.from, draft.to);
    this.did.push(`apply ${records.join()}`);
    expect(this.at, "one call at a time, from the log's end").toBe(this.log.next);
    this.call(answer, () => {
      this.has.push(...records);
      this.at = draft.end;
    });
  }

  private call(answer: StateAnswer, take: () => void): void {
    const fate = this.fate();
    const end = (): void => {
      const failure = FAILURES[fate] ?? null;
      if (failure === null) take();
      answer(failure);
    };
    if (fate.endsWith("later")) this.answers.push(end);
    else end();
  }

  private transact(run: (tx: unknown) => Awaitable<Draft | null>, answer: StateAnswer): void {
    this.did.push("transact");
    this.tx += 1;
    const commit = (draft: Draft | null): void => {
      this.call(answer, () => {
        if (draft === null) return;
        this.has.push(...recordsIn(draft.bytes, draft.from, draft.to));
        this.at = draft.end;
      });
    };
    const failed = (error: unknown): void => answer({ kind: "unchanged", error });
    try {
      const ran = run(this.tx);
      if (ran instanceof Promise) ran.then(commit, failed);
      else commit(ran);
    } catch (error) {
      failed(error);
    }
  }

  // --- writers -----------------------------------------------------------------------------------

  write(...records: string[]): Promise<LogPosition> & { job: WriteJob } {
    let job!: WriteJob;
    const promise = new Promise<LogPosition>((resolve, reject) => {
      const span = this.waiting.copyOf(records.map((record) => Buffer.from(record, "latin1")));
      job = { kind: "write", count: records.length, ...span, ends: { resolve, reject } };
      this.order.add(job);
    });
    promise.catch(() => undefined);
    return Object.assign(promise, { job });
  }

  body<T>(kind: BodyJob["kind"], body: (log: Log, tx: unknown) => Awaitable<T>): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      const run = (tx: unknown, log: Log): Awaitable<T> => body(log, tx);
      const ends = { resolve: resolve as (value: unknown) => void, reject };
      this.order.add({ kind, body: run, ends });
    });
    promise.catch(() => undefined);
    return promise;
  }

  // --- time --------------------------------------------------------------------------------------

  soon(): void {
    for (const run of this.dues.splice(0)) run();
  }

  /** The end of a turn of the node. */
  turn(): void {
    this.log.seal();
    this.log.persist();
    for (const run of this.turns.splice(0)) run();
  }

  answer(): void {
    this.answers.shift()?.();
  }

  /** Until nothing is left to do. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      while (this.dues.length + this.turns.length + this.answers.length > 0) {
        this.soon();
        this.answer();
        this.turn();
        await tick();
        quiet = 0;
      }
      await tick();
    }
  }

  get logged(): string[] {
    return batchesFrom(this.log, 0).flatMap((batch) => recordsIn(batch, 0, batch.length));
  }
}

const FAILURES: Readonly<Partial<Record<Fate, StateFailure>>> = {
  "fails at once": { kind: "unchanged", error: REFUSED },
  "fails later": { kind: "unchanged", error: REFUSED },
  "suspect at once": { kind: "suspect", error: BROKEN },
  "suspect later": { kind: "suspect", error: BROKEN },
};

/** The same body, which goes on after an await. */
function later(body: (log: Log) => void): (log: Log) => Promise<void> {
  return async (log) => {
    await tick();
    body(log);
  };
}

/** Lets promises run. */
function tick(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

async function ends(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => value,
    (error: unknown) => error,
  );
}

/** Takes each answer from a list, and then the last one for ever. */
function fates(...list: Fate[]): () => Fate {
  return () => (list.length > 1 ? list.shift()! : list[0]!);
}

describe("writes", () => {
  test("those of one turn => one batch, one call, one position", async () => {
    const bench = new Bench();
    const writes = [bench.write("a"), bench.write("b", "c"), bench.write(), bench.write("")];
    expect(bench.did).toEqual([]);
    await bench.settle();
    expect(bench.did).toEqual(["apply a,b,c,", "commit"]);
    const position = { history: HISTORY, offset: bench.log.next };
    expect(await Promise.all(writes)).toEqual([position, position, position, position]);
    expect(batchesFrom(bench.log, 0)).toHaveLength(1);
  });

  test("while one is applied others gather; the next begins at the end of a turn, not before", async () => {
    const bench = new Bench();
    bench.fate = () => "later";
    void bench.write("a");
    bench.soon();
    void bench.write("b");
    void bench.write("c");
    bench.soon();
    expect([bench.did, bench.order.phase]).toEqual([["apply a"], "applying"]);
    bench.answer();
    bench.soon();
    expect([bench.did.length, bench.order.phase, bench.log.next > 0]).toEqual([2, "resting", true]);
    expect(bench.order.isAtRest).toBe(true);
    bench.turn();
    expect([bench.order.phase, bench.order.isAtRest]).toEqual(["free", true]);
    bench.soon();
    expect([bench.did.at(-1), bench.order.isAtRest]).toEqual(["apply b,c", false]);
    await bench.settle();
    expect(bench.logged).toEqual(["a", "b", "c"]);
  });

  test("no records => no batch, and its turn all the same", async () => {
    const bench = new Bench();
    bench.fate = () => "later";
    void bench.write("a");
    bench.soon();
    const empty = bench.write();
    await bench.settle();
    expect(await empty).toEqual({ history: HISTORY, offset: bench.log.next });
    expect(batchesFrom(bench.log, 0)).toHaveLength(1);
  });

  test("groups end at their limits, and one write is never cut", async () => {
    const bench = new Bench();
    for (let n = 0; n < GROUP_WRITES_MAX + 1; n++) void bench.write("x");
    const half = "y".repeat(GROUP_BYTES_MAX * 0.6);
    for (let n = 0; n < 2; n++) void bench.write(half);
    void bench.write(half, half);
    await bench.settle();
    const lengths = batchesFrom(bench.log, 0).map(
      (batch) => recordsIn(batch, 0, batch.length).length,
    );
    expect(lengths).toEqual([GROUP_WRITES_MAX, 2, 1, 2]);
  });

  test("a record that could never be applied => its write rejects alone, before anything is logged", async () => {
    const bench = new Bench();
    const writes = [bench.write("a"), bench.write("b", "bad"), bench.write("c")];
    await bench.settle();
    expect(String(await ends(writes[1]!))).toContain("a bad record");
    expect([bench.did, bench.logged]).toEqual([
      ["apply a,c", "commit"],
      ["a", "c"],
    ]);
    void bench.write("bad");
    await bench.settle();
    expect(bench.order.phase).toBe("free");
  });

  test("a group fails => each is tried alone, in order, before those that came later", async () => {
    const bench = new Bench();
    bench.fate = fates("fails at once", "at once", "fails later", "at once");
    const writes = [bench.write("a"), bench.write("b"), bench.write("c")];
    bench.soon();
    const late = bench.write("d");
    await bench.settle();
    expect(bench.did.filter((what) => what.startsWith("apply"))).toEqual([
      "apply a,b,c",
      "apply a",
      "apply b",
      "apply c",
      "apply d",
    ]);
    expect(await ends(writes[1]!)).toBe(REFUSED);
    expect([bench.logged, bench.has]).toEqual([
      ["a", "c", "d"],
      ["a", "c", "d"],
    ]);
    await Promise.all([writes[0], writes[2], late]);
  });

  test("suspect => what is in flight rejects, and all that wait and come", async () => {
    const bench = new Bench();
    bench.fate = () => "suspect later";
    const first = bench.write("a");
    bench.soon();
    const waiting = [bench.write("b"), bench.body("update", () => 1)];
    await bench.settle();
    const later = bench.write("c");
    for (const promise of [first, ...waiting, later]) expect(await ends(promise)).toBe(BROKEN);
    expect([bench.suspect, bench.order.suspect, bench.order.phase]).toEqual([
      BROKEN,
      BROKEN,
      "over",
    ]);
    expect([bench.log.next, bench.log.tail, bench.log.hasDraft]).toEqual([0, 0, false]);
    bench.fate = () => "at once";
    bench.order.open();
    await settled(bench, bench.write("d"));
    expect([bench.order.suspect, bench.logged]).toEqual([null, ["d"]]);
  });
});

describe("a disk behind the log", () => {
  test("the draft is there before the state has it", () => {
    const bench = new Bench();
    bench.storesFirst = true;
    void bench.write("a");
    bench.soon();
    expect([bench.did, bench.order.phase, bench.log.next]).toEqual([["store"], "storing", 0]);
    bench.answer();
    expect(bench.did).toEqual(["store", "apply a", "commit"]);
    expect(bench.store.written).toBe(bench.log.next);
  });

  test("refused by the state => taken back first, then told; the next is stored when it is applied", async () => {
    const bench = new Bench();
    bench.storesFirst = true;
    bench.fate = fates("fails at once", "fails at once", "at once");
    let isTold = false;
    void ends(bench.write("a")).then(() => (isTold = true));
    bench.soon();
    bench.answer();
    await tick();
    expect([bench.did, bench.order.phase, isTold]).toEqual([
      ["store", "apply a", "drop"],
      "taking_back",
      false,
    ]);
    await bench.settle();
    expect([isTold, bench.store.written]).toEqual([true, 0]);
    void bench.write("b");
    await bench.settle();
    void bench.write("c");
    await bench.settle();
    void bench.write("d");
    await bench.settle();
    const after = ["apply b", "drop", "apply c", "commit", "store", "apply d", "commit"];
    expect(bench.did.slice(3)).toEqual(after);
    expect(bench.logged).toEqual(["c", "d"]);
  });

  test("the disk fails before the state has it => taken back, and rejected", async () => {
    const bench = new Bench();
    bench.storesFirst = true;
    bench.trouble = new Error("no room");
    const write = bench.write("a");
    const update = bench.body("update", (log) => log(Buffer.from("b")));
    await bench.settle();
    expect(await ends(write)).toBe(bench.trouble);
    // What comes after one that was taken back is applied first, and the disk is asked again behind it.
    await update;
    const transact = bench.body("transact", (log) => log(Buffer.from("c")));
    await bench.settle();
    expect(await ends(transact)).toBe(bench.trouble);
    expect([bench.has, bench.logged]).toEqual([["b"], ["b"]]);
  });

  test("within a transaction it is stored before its mark; a disk that fails undoes it", async () => {
    const bench = new Bench();
    bench.storesFirst = true;
    const done = bench.body("transact", async (log) => {
      await tick();
      log(Buffer.from("a"));
      return 7;
    });
    bench.soon();
    await tick();
    await tick();
    expect([bench.order.phase, bench.has]).toEqual(["storing", []]);
    await bench.settle();
    expect([await done, bench.has, bench.logged]).toEqual([7, ["a"], ["a"]]);
    bench.trouble = new Error("no room");
    const failing = bench.body("transact", (log) => log(Buffer.from("b")));
    await bench.settle();
    expect(await ends(failing)).toBe(bench.trouble);
    expect([bench.has, bench.logged, bench.store.written]).toEqual([["a"], ["a"], bench.log.next]);
  });
});

describe("bodies", () => {
  test("200 increments at once => 200: each reads what the one before wrote", async () => {
    const bench = new Bench();
    bench.fate = fates("later", "at once", "later");
    const increment = (log: Log): void =>
      log(Buffer.from(String(Number(bench.has.at(-1) ?? 0) + 1)));
    const all = Array.from({ length: 200 }, (_, n) =>
      bench.body("update", n % 2 === 0 ? increment : later(increment)),
    );
    await bench.settle();
    await Promise.all(all);
    expect([bench.has.at(-1), bench.logged.length]).toEqual(["200", 200]);
  });

  test("alone: nothing is applied while it runs; what it returns is what its caller gets", async () => {
    const bench = new Bench();
    let end!: (value: string) => void;
    const body = bench.body("update", (log) => {
      expect(bench.isInside).toBe(true);
      log(Buffer.from("u"));
      return new Promise<string>((resolve) => (end = resolve));
    });
    const after = bench.write("w");
    bench.soon();
    await tick();
    expect([bench.order.running, bench.did]).toEqual(["update", []]);
    end("its value");
    await bench.settle();
    expect([await body, bench.logged]).toEqual(["its value", ["u", "w"]]);
    await after;
  });

  test("nothing logged => nothing in the log", async () => {
    const bench = new Bench();
    expect(
      await settled(
        bench,
        bench.body("update", () => 3),
      ),
    ).toBe(3);
    expect(
      await settled(
        bench,
        bench.body("transact", () => 4),
      ),
    ).toBe(4);
    expect([bench.log.next, bench.order.phase]).toEqual([0, "free"]);
  });

  test.each(["update", "transact"] as const)(
    "%s: the body throws => nothing is logged",
    async (kind) => {
      const bench = new Bench();
      const failure = new Error("its own");
      const throws = (log: Log): never => {
        log(Buffer.from("a"));
        throw failure;
      };
      expect(await settled(bench, bench.body(kind, throws))).toBe(failure);
      expect(await settled(bench, bench.body(kind, later(throws)))).toBe(failure);
      expect([bench.log.next, bench.has, bench.order.phase]).toEqual([0, [], "free"]);
    },
  );

  test("a record that could never be applied => log() throws; the others of the body are logged", async () => {
    const bench = new Bench();
    const body = bench.body("update", (log) => {
      log(Buffer.from("a"));
      expect(() => log(Buffer.from("bad"))).toThrow("a bad record");
      log(Buffer.from("b"));
    });
    await settled(bench, body);
    expect(bench.logged).toEqual(["a", "b"]);
  });

  test("log() after its body => throws", async () => {
    const bench = new Bench();
    let kept!: Log;
    await settled(
      bench,
      bench.body("update", (log) => void (kept = log)),
    );
    expect(() => kept(Buffer.from("late"))).toThrow("after its body");
  });

  test.each(["update", "transact"] as const)(
    "%s: the state fails => rejects; suspect => over",
    async (kind) => {
      const bench = new Bench();
      bench.fate = fates("fails later", "suspect later");
      const write = (log: Log): void => log(Buffer.from("a"));
      expect(await settled(bench, bench.body(kind, write))).toBe(REFUSED);
      expect([bench.has, bench.logged, bench.order.phase]).toEqual([[], [], "free"]);
      expect(await settled(bench, bench.body(kind, write))).toBe(BROKEN);
      expect([bench.order.phase, bench.log.hasDraft]).toEqual(["over", false]);
    },
  );
});

describe("leaving, holding, closing", () => {
  test("before its turn a write may leave; after it not", async () => {
    const bench = new Bench();
    bench.fate = () => "later";
    const first = bench.write("a");
    bench.soon();
    const second = bench.write("b");
    expect([bench.order.leave(first.job), bench.order.leave(second.job)]).toEqual([false, true]);
    expect([bench.order.leave(second.job), bench.order.queued]).toEqual([false, 0]);
    await bench.settle();
    expect(bench.logged).toEqual(["a"]);
  });

  test("held => nothing begins before it is told, all that came meanwhile goes with it", async () => {
    const bench = new Bench();
    bench.isHeld = true;
    void bench.write("a");
    bench.soon();
    void bench.write("b");
    bench.soon();
    expect([bench.order.phase, bench.did, bench.heldBytes]).toEqual([
      "held",
      [],
      [5 + BATCH_HEAD_BYTES],
    ]);
    bench.isHeld = false;
    bench.resume!();
    await bench.settle();
    expect(bench.did).toEqual(["apply a,b", "commit"]);
  });

  test("held, and all leave => nobody waits with the node any more", () => {
    const bench = new Bench();
    bench.isHeld = true;
    const write = bench.write("a");
    bench.soon();
    expect(bench.resume).not.toBeNull();
    expect(bench.order.leave(write.job)).toBe(true);
    expect([bench.resume, bench.order.phase]).toEqual([null, "free"]);
  });

  test("refused now => at once; refused by the time its turn comes => then", async () => {
    const bench = new Bench();
    const early = bench.write("a");
    bench.refusal = new Error("read only");
    const late = bench.write("b");
    await bench.settle();
    expect([await ends(early), await ends(late), bench.log.next]).toEqual([
      bench.refusal,
      bench.refusal,
      0,
    ]);
  });

  test("closed => who waits rejects, what is in flight ends first; opened again => goes on", async () => {
    const bench = new Bench();
    bench.fate = () => "later";
    const why = new Error("closed");
    const inFlight = bench.write("a");
    bench.soon();
    const waiting = bench.write("b");
    let isQuiet = false;
    bench.order.close(why, () => (isQuiet = true));
    expect(await ends(waiting)).toBe(why);
    expect(isQuiet).toBe(false);
    await bench.settle();
    expect([isQuiet, await inFlight]).toEqual([true, { history: HISTORY, offset: bench.log.next }]);
    expect(await ends(bench.write("c"))).toBe(why);
    bench.order.open();
    await settled(bench, bench.write("d"));
    expect(bench.logged).toEqual(["a", "d"]);
  });

  test("closed while a group is to be tried one by one => the rest rejects", async () => {
    const bench = new Bench();
    bench.fate = fates("fails later", "at once");
    const writes = [bench.write("a"), bench.write("b")];
    bench.soon();
    const why = new Error("closed");
    bench.order.close(why, () => undefined);
    await bench.settle();
    expect([await ends(writes[0]!), await ends(writes[1]!), bench.logged]).toEqual([why, why, []]);
  });

  test("closed while held, or with nothing in flight => quiet at once", () => {
    const bench = new Bench();
    bench.isHeld = true;
    void bench.write("a");
    bench.soon();
    let quiet = 0;
    bench.order.close(new Error("closed"), () => (quiet += 1));
    bench.order.close(new Error("again"), () => (quiet += 1));
    expect([quiet, bench.resume]).toEqual([2, null]);
  });
});

describe("a state that binds", () => {
  function now(bench: Bench, ...records: string[]): [boolean, Promise<unknown>] {
    let did = false;
    const promise = new Promise((resolve, reject) => {
      const span = bench.waiting.copyOf(records.map((record) => Buffer.from(record)));
      did = bench.order.writeNow({
        kind: "write",
        count: records.length,
        ...span,
        ends: { resolve, reject },
      });
    });
    return [did, ends(promise)];
  }

  test("a write acts at once, behind what its own methods logged, in the same turn and beside an update", async () => {
    const bench = new Bench();
    const appended = (text: string): void => {
      const at = bench.log.append(text.length);
      bench.log.bytes.write(text, at);
      bench.has.push(text);
    };
    appended("set");
    bench.at = bench.log.tail;
    void bench.body("update", async (log) => {
      await tick();
      log(Buffer.from("u"));
    });
    bench.soon();
    expect(bench.order.phase).toBe("body");
    const [did, written] = now(bench, "w");
    expect([did, bench.has]).toEqual([true, ["set", "w"]]);
    expect(await written).toEqual({ history: HISTORY, offset: bench.log.next });
    await bench.settle();
    expect([bench.logged, bench.has]).toEqual([
      ["set", "w", "u"],
      ["set", "w", "u"],
    ]);
    expect(await now(bench)[1]).toEqual({ history: HISTORY, offset: bench.log.next });
    expect(String(await now(bench, "bad")[1])).toContain("a bad record");
  });

  test("what has to wait is queued: held, refused, or beside a transaction", () => {
    const bench = new Bench();
    bench.isHeld = true;
    expect(now(bench, "a")[0]).toBe(false);
    expect(bench.resume).toBeNull();
    bench.isHeld = false;
    bench.refusal = new Error("read only");
    expect(now(bench, "a")[0]).toBe(false);
    bench.refusal = null;
    void bench.body("transact", () => new Promise(() => undefined));
    bench.soon();
    expect(now(bench, "a")[0]).toBe(false);
    expect(bench.log.next).toBe(0);
  });

  test("it throws => nothing is logged; it answers later, or is suspect => over", async () => {
    const bench = new Bench();
    bench.fate = () => "fails at once";
    expect(await now(bench, "a")[1]).toBe(REFUSED);
    expect([bench.log.tail, bench.order.phase]).toEqual([0, "free"]);
    bench.fate = () => "later";
    expect(String(await now(bench, "a")[1])).toContain("within the call");
    expect([bench.log.tail, bench.order.phase]).toEqual([0, "over"]);
    const other = new Bench();
    other.fate = () => "suspect at once";
    const body = other.body("update", async (log) => {
      await tick();
      log(Buffer.from("u"));
    });
    other.soon();
    expect(await now(other, "a")[1]).toBe(BROKEN);
    await other.settle();
    expect(await ends(body)).toBe(BROKEN);
  });
});

async function settled(bench: Bench, promise: Promise<unknown>): Promise<unknown> {
  const end = ends(promise);
  await bench.settle();
  return end;
}

test("at random: what resolved is in the log and the state once, in order, what rejected is nowhere", async () => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1e9);
  console.log(
    `seed=${seed} SEED=${seed} npx vitest run --project unit test/unit/bridge/write-order.test.ts`,
  );
  const random = new Random(seed);
  const paths = { resolved: 0, rejected: 0, dropped: 0, grouped: 0 };
  for (let run = 0; run < 150; run++) await randomRun(random, `seed=${seed} run=${run}`, paths);
  for (const count of Object.values(paths)) expect(count).toBeGreaterThan(0);
});

async function randomRun(
  random: Random,
  where: string,
  paths: { resolved: number; rejected: number; dropped: number; grouped: number },
): Promise<void> {
  const bench = new Bench();
  bench.storesFirst = random.fraction() < 0.5;
  const failing = random.pick([0, 0.05, 0.4]);
  bench.fate = () => {
    if (random.fraction() < failing) return random.pick(["fails at once", "fails later"] as const);
    return random.pick(["at once", "later"] as const);
  };
  /** Each call's records, in the order of the calls, and how it ended. */
  const calls: { records: string[]; end: unknown; isOver: boolean }[] = [];
  const note = (records: string[], promise: Promise<unknown>): void => {
    const call = { records, end: null as unknown, isOver: false };
    calls.push(call);
    void promise.then(
      () => Object.assign(call, { isOver: true }),
      (error: unknown) => Object.assign(call, { end: error ?? "no reason", isOver: true }),
    );
  };
  for (let step = 0; step < 80; step++) {
    const records = Array.from({ length: random.between(0, 4) }, (_, n) => `${step}.${n}`);
    const draw = random.fraction();
    if (draw < 0.35) note(records, bench.write(...records));
    else if (draw < 0.45) {
      const isLate = random.fraction() < 0.5;
      const kind = random.pick(["update", "transact"] as const);
      const throws = random.fraction() < 0.2;
      const log = (into: Log): void => {
        for (const record of records) into(Buffer.from(record));
        if (throws) throw REFUSED;
      };
      note(records, bench.body(kind, isLate ? later(log) : log));
    } else if (draw < 0.6) bench.soon();
    else if (draw < 0.8) bench.answer();
    else if (draw < 0.95) bench.turn();
    else await tick();
    if (random.fraction() < 0.03) bench.trouble = bench.trouble === null ? new Error("full") : null;
    // What is visible the state has, and nothing else but a batch that nobody was told of yet.
    expect(bench.has.slice(0, bench.logged.length), where).toEqual(bench.logged);
  }
  bench.trouble = null;
  await bench.settle();
  const { order, log, isInside } = bench;
  expect([order.phase, order.queued, log.hasDraft, isInside], where).toEqual([
    "free",
    0,
    false,
    false,
  ]);
  expect(
    calls.every(({ isOver }) => isOver),
    where,
  ).toBe(true);
  const right = calls.filter(({ end }) => end === null).flatMap(({ records }) => records);
  expect([bench.logged, bench.has], where).toEqual([right, right]);
  bench.turn();
  bench.store.settle();
  expect(bench.store.written, where).toBe(bench.log.next);
  paths.resolved += calls.filter(({ end }) => end === null).length;
  paths.rejected += calls.filter(({ end }) => end !== null).length;
  paths.dropped += bench.did.filter((what) => what === "drop").length;
  paths.grouped += bench.did.filter(
    (what) => what.startsWith("apply") && what.includes(","),
  ).length;
}
