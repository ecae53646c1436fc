/**
 * The test of the suite: states that are right but for one thing, each caught by the check of that name.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import type {
  Awaitable,
  Batch,
  Frozen,
  Mark,
  Part,
  Records,
  Staging,
} from "../../../src/bridge/seam.ts";
import {
  conformance,
  ConformanceError,
  type ConformanceOptions,
} from "../../../src/conformance/index.ts";
import {
  BoundToy,
  boundSubject,
  type Content,
  ToyFrozen,
  ToyStaging,
  ToyState,
  toySubject,
  type Tx,
  writeRecord,
} from "./toy-state.ts";

const folder = mkdtempSync(join(tmpdir(), "hawser-broken-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Make = (place: string) => ToyState;

/** A toy whose snapshots are another kind. */
function frozenAs(make: (content: Content, state: ToyState) => Frozen): Make {
  return (at) =>
    new (class extends ToyState {
      override freeze(): Promise<Frozen> {
        return Promise.resolve(make(new Map(this.kept.content), this));
      }
    })(at);
}

/** A toy whose snapshots are read another way. */
function readAs(read: (frozen: ToyFrozen, after: Uint8Array | null) => Iterable<Part>): Make {
  return frozenAs((content) => {
    const frozen = new ToyFrozen(content);
    return { read: (after) => read(frozen, after), close: () => undefined };
  });
}

/** A toy whose staging is another kind. */
function stagedAs(make: (state: ToyState) => Staging): Make {
  return (at) =>
    new (class extends ToyState {
      override stage(): Awaitable<Staging> {
        this.kept.staged = new Map();
        return make(this);
      }
    })(at);
}

/** A toy that applies another way. */
function appliesAs(
  apply: (batch: Batch, right: (batch: Batch) => Promise<void>, state: ToyState) => Promise<void>,
): Make {
  return (at) =>
    new (class extends ToyState {
      override apply(batch: Batch): Promise<void> {
        return apply(batch, (other) => super.apply(other), this);
      }
    })(at);
}

/** `batch` with other records. */
function withRecords(batch: Batch, records: readonly Buffer[]): Batch {
  return {
    count: records.length,
    bytes: 0,
    end: batch.end,
    clockMs: batch.clockMs,
    each: (visit) => records.forEach((record) => visit(record, 0, record.length)),
    [Symbol.iterator]: () => records[Symbol.iterator](),
  };
}

const copies = (records: Records): Buffer[] => Array.from(records, (record) => Buffer.from(record));

let order = 0;

const BROKEN: readonly (readonly [what: string, name: string, make: Make])[] = [
  [
    "a new state says that it is not empty",
    "open-new",
    (at) =>
      new (class extends ToyState {
        override async open(): ReturnType<ToyState["open"]> {
          return { ...(await super.open()), empty: false };
        }
      })(at),
  ],
  [
    "open() forgets the mark",
    "open-again",
    (at) =>
      new (class extends ToyState {
        override async open(): ReturnType<ToyState["open"]> {
          return { ...(await super.open()), mark: null };
        }
      })(at),
  ],
  [
    "an empty state has no mark",
    "open-empty-with-mark",
    (at) =>
      new (class extends ToyState {
        override async open(): ReturnType<ToyState["open"]> {
          const { mark, empty } = await super.open();
          return { mark: empty ? null : mark, empty };
        }
      })(at),
  ],
  [
    "a staging that was left goes on",
    "open-forgets-staging",
    (at) =>
      new (class extends ToyState {
        override async open(): ReturnType<ToyState["open"]> {
          const { staged } = this.kept;
          const opened = await super.open();
          this.kept.staged = staged;
          return opened;
        }
        override stage(): Staging {
          this.kept.staged ??= new Map();
          return new ToyStaging(this);
        }
      })(at),
  ],
  [
    "of a key that a batch writes twice the first value stays",
    "order",
    appliesAs((batch, right) => right(withRecords(batch, copies(batch).reverse()))),
  ],
  [
    "apply() answers before it has applied",
    "answered-is-applied",
    appliesAs((batch, right) => {
      const own = withRecords(batch, copies(batch));
      void sleep(5).then(() => right(own));
      return Promise.resolve();
    }),
  ],
  [
    "the last record of a batch is left out",
    "answered-is-applied",
    appliesAs((batch, right) => right(withRecords(batch, copies(batch).slice(0, -1)))),
  ],
  [
    "the state keeps nothing at all",
    "answered-is-applied",
    appliesAs((batch, right) => right(withRecords(batch, []))),
  ],
  [
    "a batch without records is passed over",
    "batch-without-records",
    appliesAs((batch, right) => (batch.count === 0 ? Promise.resolve() : right(batch))),
  ],
  [
    "a mark is kept as text",
    "mark-bytes",
    (at) =>
      new (class extends ToyState {
        protected override store(content: Content, mark: Mark | null): void {
          super.store(content, mark && Buffer.from(Buffer.from(mark).toString()));
        }
      })(at),
  ],
  [
    "a mark has room for 255 bytes",
    "mark-bytes",
    (at) =>
      new (class extends ToyState {
        protected override store(content: Content, mark: Mark | null): void {
          super.store(content, mark && mark.subarray(0, 255));
        }
      })(at),
  ],
  [
    "records before one that is refused are applied",
    "throw-leaves-nothing",
    appliesAs(async (batch, _right, state) => {
      for (const record of batch) state.parse(record)(state.kept.content);
      state.kept.mark = batch.end;
      await Promise.resolve();
    }),
  ],
  [
    "a record that is refused is passed over",
    "throw-leaves-nothing",
    appliesAs((batch, right, state) => {
      const good = copies(batch).filter((record) => {
        try {
          state.parse(record);
          return true;
        } catch {
          return false;
        }
      });
      return right(withRecords(batch, good));
    }),
  ],
  [
    "the bytes of a batch are kept",
    "lent-bytes",
    (at) => {
      const lent = new Map<string, Buffer>();
      return new (class extends ToyState {
        override async apply(batch: Batch): Promise<void> {
          for (const record of batch) lent.set(record.toString("latin1"), record);
          await super.apply(batch);
        }
        override freeze(): Promise<Frozen> {
          const content: Content = new Map();
          for (const entry of this.kept.content) {
            const record = writeRecord(...entry);
            this.parse(lent.get(record.toString("latin1")) ?? record)(content);
          }
          return Promise.resolve(new ToyFrozen(content));
        }
      })(at);
    },
  ],
  [
    "a key is text",
    "binary",
    (at) =>
      new (class extends ToyState {
        protected override text(bytes: Buffer): string {
          return Buffer.from(bytes.toString("utf8")).toString("latin1");
        }
      })(at),
  ],
  [
    "a key ends at its first zero",
    "binary",
    (at) =>
      new (class extends ToyState {
        protected override text(bytes: Buffer): string {
          return bytes.toString("latin1").split("\0")[0]!;
        }
      })(at),
  ],
  [
    "of a batch 4096 records are applied",
    "large-batch",
    appliesAs((batch, right) => right(withRecords(batch, copies(batch).slice(0, 4096)))),
  ],
  [
    "a record that clears takes effect at the end of its batch",
    "clear",
    appliesAs((batch, right) => {
      const isClear = (record: Buffer): boolean => record[0] === 3 && record.length === 1;
      const all = copies(batch);
      return right(withRecords(batch, [...all.filter((r) => !isClear(r)), ...all.filter(isClear)]));
    }),
  ],
  [
    "check() lets everything pass",
    "check",
    (at) =>
      new (class extends ToyState {
        override check(): void {
          // Nothing is looked at.
        }
      })(at),
  ],
  [
    "check() looks at the whole of the bytes",
    "check",
    (at) =>
      new (class extends ToyState {
        override check(bytes: Buffer): void {
          super.check(bytes, 0, bytes.length);
        }
      })(at),
  ],
  [
    "a transaction commits although its body throws",
    "transact",
    (at) =>
      new (class extends ToyState {
        override transact(run: (tx: Tx) => Awaitable<Mark>): Promise<void> {
          const { content } = this.kept;
          return super.transact((tx) =>
            run({
              set: async (key, value) => {
                content.set(key, value);
                await tx.set(key, value);
              },
            }),
          );
        }
      })(at),
  ],
  [
    "a transaction does not store its mark",
    "transact",
    (at) =>
      new (class extends ToyState {
        override async transact(run: (tx: Tx) => Awaitable<Mark>): Promise<void> {
          const { mark } = this.kept;
          await super.transact(run);
          this.kept.mark = mark;
        }
      })(at),
  ],
  [
    "a snapshot is the state itself",
    "freeze-isolation",
    (at) =>
      new (class extends ToyState {
        override async apply(batch: Batch): Promise<void> {
          for (const record of copies(batch)) this.parse(record)(this.kept.content);
          this.kept.mark = batch.end;
          await Promise.resolve();
        }
        override freeze(): Promise<Frozen> {
          return Promise.resolve(new ToyFrozen(this.kept.content));
        }
      })(at),
  ],
  [
    "a snapshot is fixed when it is first read",
    "freeze-late-read",
    frozenAs((_content, state) => {
      let fixed: ToyFrozen | null = null;
      return {
        read: (after) => (fixed ??= new ToyFrozen(new Map(state.kept.content))).read(after),
        close: () => undefined,
      };
    }),
  ],
  [
    "there is one snapshot at a time",
    "two-frozen",
    (at) => {
      let newest: ToyFrozen;
      return new (class extends ToyState {
        override freeze(): Promise<Frozen> {
          newest = new ToyFrozen(new Map(this.kept.content));
          const read = (after: Uint8Array | null): Iterable<Part> => newest.read(after);
          return Promise.resolve({ read, close: () => undefined });
        }
      })(at);
    },
  ],
  [
    "closing one snapshot closes all",
    "two-frozen",
    (at) => {
      let closed = 0;
      return new (class extends ToyState {
        override freeze(): Promise<Frozen> {
          const frozen = new ToyFrozen(new Map(this.kept.content));
          const born = closed;
          const read = (after: Uint8Array | null): Iterable<Part> =>
            born < closed ? [] : frozen.read(after);
          return Promise.resolve({ read, close: () => void (closed += 1) });
        }
      })(at);
    },
  ],
  [
    "each read begins elsewhere",
    "read-again",
    readAs((frozen, after) => {
      const turned = new Map([...frozen.content].reverse());
      return (order++ % 2 === 0 ? frozen : new ToyFrozen(turned)).read(after);
    }),
  ],
  [
    "a read after a token brings its last record again",
    "resume-token",
    readAs(function* (frozen, after) {
      if (after === null) yield* frozen.read(null);
      else {
        const key = Buffer.from(after).toString("latin1");
        yield { records: [writeRecord(key, frozen.content.get(key)!)] };
        yield* frozen.read(after);
      }
    }),
  ],
  ["tokens are passed over", "resume-token", readAs((frozen) => frozen.read(null))],
  [
    "all records are one part",
    "parts",
    readAs((frozen) => [{ records: Array.from(frozen.content, (entry) => writeRecord(...entry)) }]),
  ],
  [
    "a token is a list of all that was read",
    "parts",
    readAs(function* (frozen, after) {
      for (const { records } of frozen.read(after)) yield { records, token: Buffer.alloc(70_000) };
    }),
  ],
  [
    "a read that was given up keeps the snapshot open for ever",
    "read-stopped",
    frozenAs((content) => {
      let reading = 0;
      const frozen = new ToyFrozen(content);
      return {
        async *read(after) {
          reading += 1;
          for (const part of frozen.read(after)) {
            yield part;
            await Promise.resolve();
          }
          reading -= 1;
        },
        close: async () => {
          while (reading > 0) await sleep(1);
        },
      };
    }),
  ],
  [
    "a snapshot says how often a key was written",
    "canonical",
    (at) => {
      const written = new Map<string, number>();
      return new (class extends ToyState {
        protected override store(content: Content, mark: Mark | null): void {
          for (const key of content.keys()) written.set(key, (written.get(key) ?? 0) + 1);
          super.store(content, mark);
        }
        override freeze(): Promise<Frozen> {
          const entries = [...this.kept.content].map(
            ([key, value]) => [key, `${value}!${written.get(key) ?? 0}`] as const,
          );
          return Promise.resolve(new ToyFrozen(new Map(entries)));
        }
      })(at);
    },
  ],
  [
    "a snapshot is loaded into the state itself",
    "stage-hidden",
    stagedAs((state) => ({
      load: (records) => {
        for (const record of copies(records)) state.parse(record)(state.kept.content);
      },
      commit: (end) => void (state.kept.mark = end),
      abort: () => undefined,
    })),
  ],
  [
    "a commit adds to what there was",
    "commit-replaces",
    stagedAs((state) => {
      const staging = new ToyStaging(state);
      return {
        load: (records) => staging.load(records),
        commit: (end) => {
          const { kept } = state;
          kept.staged = new Map([...kept.content, ...kept.staged!]);
          return staging.commit(end);
        },
        abort: () => staging.abort(),
      };
    }),
  ],
  [
    "a commit leaves the old mark",
    "commit-replaces",
    stagedAs((state) => {
      const staging = new ToyStaging(state);
      return {
        load: (records) => staging.load(records),
        commit: () => staging.commit(state.kept.mark!),
        abort: () => staging.abort(),
      };
    }),
  ],
  [
    "an empty snapshot is none",
    "commit-empty",
    stagedAs((state) => {
      const staging = new ToyStaging(state);
      return {
        load: (records) => staging.load(records),
        commit: (end) => (state.kept.staged!.size === 0 ? undefined : staging.commit(end)),
        abort: () => staging.abort(),
      };
    }),
  ],
  [
    "memory is reserved by a peer's estimate",
    "commit-often",
    (at) =>
      new (class extends ToyState {
        override stage(about: { readonly records: number; readonly bytes: number }): Staging {
          Buffer.alloc(about.bytes);
          this.kept.staged = new Map();
          return new ToyStaging(this);
        }
      })(at),
  ],
  [
    "the fourth snapshot gets into the first one's place",
    "commit-often",
    (at) => {
      const places = Array.from({ length: 3 }, (): Content => new Map());
      let count = 0;
      return new (class extends ToyState {
        override stage(): Staging {
          this.kept.staged = places[count++ % 3]!;
          return new ToyStaging(this);
        }
      })(at);
    },
  ],
  [
    "what was replaced is tidied by its keys, also from the new state",
    "tidy-beside",
    stagedAs((state) => {
      const staging = new ToyStaging(state);
      return {
        load: (records) => staging.load(records),
        commit: async (end) => {
          const old = [...state.kept.content.keys()];
          await staging.commit(end);
          const kept = new Set(state.kept.content.keys());
          void sleep(10).then(() => {
            for (const key of old) if (!kept.has(key)) state.kept.content.delete(key);
          });
        },
        abort: () => staging.abort(),
      };
    }),
  ],
  [
    "an abort empties the state",
    "abort-keeps",
    stagedAs((state) => {
      const staging = new ToyStaging(state);
      return {
        load: (records) => staging.load(records),
        commit: (end) => staging.commit(end),
        abort: () => void (state.kept.content = new Map()),
      };
    }),
  ],
  [
    "a staging begins with what the one before had",
    "stage-again",
    (at) => {
      const staged: Content = new Map();
      return new (class extends ToyState {
        override stage(): Staging {
          this.kept.staged = new Map(staged);
          const staging = new ToyStaging(this);
          return {
            load: async (records) => {
              await staging.load(records);
              for (const entry of this.kept.staged!) staged.set(...entry);
            },
            commit: (end) => staging.commit(end),
            abort: () => staging.abort(),
          };
        }
      })(at);
    },
  ],
  [
    "a commit ends open snapshots",
    "frozen-over-commit",
    (at) => {
      let commits = 0;
      return new (class extends ToyState {
        override freeze(): Promise<Frozen> {
          const frozen = new ToyFrozen(new Map(this.kept.content));
          const born = commits;
          return Promise.resolve({
            read: (after: Uint8Array | null): Iterable<Part> => {
              if (born < commits) throw new Error("the snapshot is closed");
              return frozen.read(after);
            },
            close: () => undefined,
          });
        }
        override stage(): Staging {
          this.kept.staged = new Map();
          const staging = new ToyStaging(this);
          return {
            load: (records) => staging.load(records),
            commit: (end) => {
              commits += 1;
              return staging.commit(end);
            },
            abort: () => staging.abort(),
          };
        }
      })(at);
    },
  ],
  [
    "a sync writes the mark that it found",
    "sync-beside-apply",
    (at) =>
      new (class extends ToyState {
        override async sync(): Promise<void> {
          const { mark } = this.kept;
          await sleep(5);
          this.kept.mark = mark;
        }
      })(at),
  ],
];

type MakeBound = () => BoundToy;

const BOUND: readonly (readonly [what: string, name: string, make: MakeBound])[] = [
  [
    "an own change is logged in a later turn",
    "own-writes",
    () =>
      new (class extends BoundToy {
        override set(key: string, value: string): void {
          this.content.set(key, value);
          queueMicrotask(() => this.log?.append(writeRecord(key, value)));
        }
      })(),
  ],
  [
    "an own change stays although the log refused it",
    "own-writes",
    () =>
      new (class extends BoundToy {
        override set(key: string, value: string): void {
          if (this.log === null) throw new Error("read only");
          this.content.set(key, value);
          this.log.append(writeRecord(key, value));
        }
      })(),
  ],
  [
    "a state that binds answers later",
    "own-writes",
    () =>
      new (class extends BoundToy {
        override async apply(batch: Batch): Promise<void> {
          await super.apply(batch);
        }
      })(),
  ],
  [
    "read only, a change is made and not logged",
    "own-writes-refused",
    () =>
      new (class extends BoundToy {
        override set(key: string, value: string): void {
          this.log?.append(writeRecord(key, value));
          this.content.set(key, value);
        }
      })(),
  ],
];

async function failureOf(options: ConformanceOptions, name: string): Promise<ConformanceError> {
  const checks = conformance({ ...options, folder, log: () => undefined, timeoutMs: 5000 });
  const { run } = checks.find((check) => check.name === name)!;
  const error: unknown = await run().then(
    (outcome) => `${outcome}, and should have failed`,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(ConformanceError);
  return error as ConformanceError;
}

test.each(BROKEN)("%s => caught by %s", async (_what, name, make) => {
  const options = toySubject(make) as unknown as ConformanceOptions;
  expect(await failureOf(options, name)).toMatchObject({ check: name });
});

test.each(BOUND)("%s => caught by %s", async (_what, name, make) => {
  const options = boundSubject(make) as unknown as ConformanceOptions;
  expect(await failureOf(options, name)).toMatchObject({ check: name });
});

test("every check but those that kill has a broken state that it catches", () => {
  const caught = new Set([...BROKEN, ...BOUND].map(([, name]) => name));
  const all = conformance(toySubject((at) => new ToyState(at))).map(({ name }) => name);
  expect(all.filter((name) => !caught.has(name) && !name.startsWith("crash-"))).toEqual([]);
});
