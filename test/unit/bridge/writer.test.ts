/** A public state as the order of writes calls it: in line, and what became of a call that failed. */
import { describe, expect, test } from "vitest";
import { decodeMark } from "../../../src/bridge/mark.ts";
import type { Awaitable, Mark } from "../../../src/bridge/seam.ts";
import type { StateFailure } from "../../../src/bridge/write-deps.ts";
import { StoreError } from "../../../src/errors.ts";
import type { Draft } from "../../../src/log/draft.ts";
import { newDisk, setRecord, type ToyOptions, ToyState } from "../../tools/toy-state.ts";
import { makeBacklog } from "../log/tools.ts";
import { bridgeOver, NAME } from "./tools.ts";

const later = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** A toy with transactions: what its body does to `tx` is stored with the mark. */
class TransactingToy extends ToyState {
  /** It answers before what it was asked is stored, and other ways to be wrong. */
  wrong: "swallows" | "never runs" | "runs twice" | null = null;

  transact(run: (tx: never) => Awaitable<Mark>): Promise<void> | void {
    this.asked.push("transact");
    if (this.wrong === "never runs") return undefined;
    const tx = new Map(this.map);
    const store = (mark: Mark): void => {
      const fails = this.fails?.call === "transact" ? this.fails : null;
      this.fails = null;
      if (fails?.isDone === false) throw new Error("transact failed");
      this.disk.map = tx;
      this.disk.mark = mark;
      if (fails !== null) throw new Error("transact failed");
    };
    try {
      const ran = run(tx as never);
      if (this.wrong === "runs twice") void run(tx as never);
      if (ran instanceof Promise)
        return ran.then(store, (error: unknown) => {
          if (this.wrong !== "swallows") throw error;
        });
      store(ran);
    } catch (error) {
      if (this.wrong !== "swallows") throw error;
    }
    return undefined;
  }
}

function setUp(options: ToyOptions = {}) {
  const state = new TransactingToy(newDisk(), options);
  const { bridge, failures } = bridgeOver(state);
  const log = makeBacklog({ segmentBytes: 4096 });
  const draft = (...records: Buffer[]): Draft =>
    log.draft(
      records.length,
      records.reduce((sum, { length }) => sum + 4 + length, 0),
      (bytes, from) => {
        let at = from;
        for (const record of records) {
          bytes.writeUInt32LE(record.length, at);
          at = at + 4 + record.copy(bytes, at + 4);
        }
      },
    );
  return { state, bridge, log, draft, failures, writer: bridge.writer };
}

/** What the writer is told. */
function told(begin: (answer: (failure: StateFailure | null) => void) => void) {
  return new Promise<StateFailure | null>((resolve) => {
    begin(resolve);
  });
}

const codeOf = (failure: StateFailure | null): unknown =>
  failure === null
    ? null
    : [failure.kind, failure.error instanceof StoreError && failure.error.code];

describe.each([
  ["at once", {}],
  ["later", { later }],
] as const)("a state that answers %s", (_, options) => {
  test("apply => its records, and the mark where the draft ends", async () => {
    const { state, log, draft, writer } = setUp(options);
    const made = draft(setRecord("a", "1"), setRecord("b", "2"));
    expect(await told((answer) => writer.apply(made, answer))).toBeNull();
    expect([...state.map]).toEqual([
      ["a", "1"],
      ["b", "2"],
    ]);
    expect(decodeMark(state.disk.mark!)).toMatchObject({
      ...NAME,
      offset: made.end,
      chain: made.chain,
    });
    log.commitDraft();
    expect(log.next).toBe(made.end);
  });

  test("it fails, and its mark is at the start, at the end, or elsewhere", async () => {
    const { state, log, draft, writer, failures } = setUp(options);
    await told((answer) => writer.apply(draft(setRecord("a", "1")), answer));
    log.commitDraft();
    state.fails = { call: "apply", isDone: false };
    const refused = await told((answer) => writer.apply(draft(setRecord("b", "1")), answer));
    expect(codeOf(refused)).toEqual(["unchanged", "ERR_STORE_REFUSED"]);
    expect(((refused!.error as Error).cause as Error).message).toBe("apply failed");
    log.forgetDraft();
    state.fails = { call: "apply", isDone: true };
    expect(await told((answer) => writer.apply(draft(setRecord("c", "1")), answer))).toBeNull();
    expect(failures).toEqual(["apply failed at start", "apply failed at end"]);
    log.commitDraft();
    state.fails = { call: "apply", isDone: false };
    state.disk.mark = new Uint8Array([1]);
    const lost = await told((answer) => writer.apply(draft(setRecord("d", "1")), answer));
    expect(codeOf(lost)).toEqual(["suspect", "ERR_STORE_FAILED"]);
  });
});

describe.each([
  ["at once", <T>(value: T): Awaitable<T> => value],
  ["later", <T>(value: T): Awaitable<T> => later().then(() => value)],
] as const)("a transaction whose body ends %s", (_, when) => {
  const change =
    (made: Draft | null, key: string) =>
    (tx: unknown): Awaitable<Draft | null> => {
      (tx as Map<string, string>).set(key, "1");
      return when(made);
    };

  test("its changes and the mark where the draft ends are stored together", async () => {
    const { state, bridge, draft, writer } = setUp();
    const made = draft(setRecord("a", "1"));
    expect(await told((answer) => writer.transact(change(made, "a"), answer))).toBeNull();
    expect([...state.map]).toEqual([["a", "1"]]);
    expect(decodeMark(state.disk.mark!)).toMatchObject({ offset: made.end, chain: made.chain });
    expect(bridge.isEmpty()).toBe(false);
  });

  test("nothing logged => the mark stays", async () => {
    const { state, log, draft, writer, bridge } = setUp();
    await told((answer) => writer.apply(draft(setRecord("a", "1")), answer));
    log.commitDraft();
    const { mark } = state.disk;
    expect(await told((answer) => writer.transact(() => when(null), answer))).toBeNull();
    expect([state.disk.mark, bridge.kept.mark]).toEqual([mark, mark]);
  });

  test.each(["process", "none"] as const)(
    "durability %s: the body throws => unchanged",
    async (durability) => {
      const { state, writer, failures } = setUp({ durability });
      const own = new Error("its own");
      const body = (): Awaitable<never> => {
        const thrown = when(null);
        if (thrown === null) throw own;
        return thrown.then(() => {
          throw own;
        });
      };
      expect(await told((answer) => writer.transact(body, answer))).toEqual({
        kind: "unchanged",
        error: own,
      });
      expect([state.map.size, failures]).toEqual([0, []]);
    },
  );

  test("the state fails, and its mark is at the start or at the end", async () => {
    const { state, log, draft, writer } = setUp();
    state.fails = { call: "transact", isDone: false };
    const refused = await told((answer) =>
      writer.transact(change(draft(setRecord("a", "1")), "a"), answer),
    );
    expect(codeOf(refused)).toEqual(["unchanged", "ERR_STORE_REFUSED"]);
    log.forgetDraft();
    state.fails = { call: "transact", isDone: true };
    expect(
      await told((answer) => writer.transact(change(draft(setRecord("a", "1")), "a"), answer)),
    ).toBeNull();
    expect(state.map.get("a")).toBe("1");
  });

  test("durability none: it rejects by itself => suspect", async () => {
    const { state, draft, writer } = setUp({ durability: "none" });
    state.fails = { call: "transact", isDone: false };
    const failure = await told((answer) =>
      writer.transact(change(draft(setRecord("a", "1")), "a"), answer),
    );
    expect(failure!.kind).toBe(when(1) === 1 ? "unchanged" : "suspect");
  });

  test.each([
    ["swallows", "though its body had failed"],
    ["never runs", "had not run its body"],
    ["runs twice", "ran its body twice"],
  ] as const)(
    "a state that %s what it is to run => said, and nothing believed",
    async (wrong, text) => {
      for (const durability of ["process", "none"] as const) {
        const { state, draft, writer } = setUp({ durability });
        state.wrong = wrong;
        const made = draft(setRecord("a", "1"));
        const body = (tx: unknown): Awaitable<Draft | null> => {
          if (wrong === "swallows") throw new Error("its own");
          return change(made, "a")(tx);
        };
        const failure = await told((answer) => writer.transact(body, answer));
        expect((failure!.error as Error).message).toContain(
          wrong === "swallows" && durability === "process" ? "its own" : text,
        );
      }
    },
  );
});

test("one call at a time: a freeze waits for a draft that is being applied, and the next draft for the freeze", async () => {
  const { state, bridge, log, draft, writer } = setUp({ later });
  const first = told((answer) => writer.apply(draft(setRecord("a", "1")), answer));
  bridge.freeze();
  await first;
  log.commitDraft();
  await told((answer) => writer.apply(draft(setRecord("b", "1")), answer));
  expect(state.asked).toEqual(["apply", "freeze", "apply"]);
});

test("what it can do is asked of the state", () => {
  const { writer } = setUp();
  expect([writer.transacts, writer.binds]).toEqual([true, false]);
  writer.bind(null);
  writer.check(Buffer.alloc(0), 0, 0);
  expect(bridgeOver(new ToyState()).bridge.writer.transacts).toBe(false);
});
