/** The real thread on a real folder: what is handed over is in files, and what was wanted is durable. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Backlog } from "../../../../src/log/backlog.ts";
import { DiskStore } from "../../../../src/log/disk/disk-store.ts";
import type { DiskTrouble } from "../../../../src/log/disk/disk-log-messages.ts";
import { LogRecovery } from "../../../../src/log/disk/log-recovery.ts";
import type { FsyncPolicy } from "../../../../src/log/disk/sync-policy.ts";
import { FsFolder } from "../../../../src/node/disk/fs-folder.ts";
import { LogThread, type LogThreadEvents } from "../../../../src/node/disk/log-thread.ts";
import { type Threads, threadsOf } from "../../../../src/threads.ts";
import { Random } from "../../../../tools/random.ts";
import { DIRECTORY, HISTORY, START } from "../../log/disk/machine.ts";

const NAME = { history: HISTORY, rank: { term: 1, run: 0 }, lineage: [] };
let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser-thread-"));
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

/** A log in shared memory with a thread behind it, and the bytes that it had. */
class Rig {
  readonly troubles: (DiskTrouble | null)[] = [];
  readonly store = new DiskStore({
    name: () => NAME,
    onTrouble: (trouble) => this.troubles.push(trouble),
  });
  readonly log = new Backlog(0, START.chain, {
    sizeBytes: 10_000,
    segmentBytes: 8192,
    clock: () => 1,
    store: this.store,
  });
  readonly thread: LogThread;
  readonly random = new Random(7);
  bytes: Buffer = Buffer.alloc(0);
  #waiting: (() => void)[] = [];

  constructor(policy: FsyncPolicy, threads?: Threads) {
    const start = {
      manifest: {
        directoryId: DIRECTORY,
        generation: 1,
        firstLog: 1,
        lastLog: 0,
        checkpoints: [],
        incompleteTo: null,
      },
      fileBytes: 20_000,
      policy,
      number: 1,
      position: START,
      name: NAME,
    };
    this.store.onMoved(() => {
      for (const resume of this.#waiting.splice(0)) resume();
    });
    const events: LogThreadEvents = {
      heard: (message) => {
        this.store.hear(message);
      },
      looked: () => {
        this.store.looked();
      },
    };
    this.thread = new LogThread(dir, events, threads);
    this.thread.start(start);
    this.store.begin(this.thread, 0);
  }

  append(): void {
    const before = this.log.next;
    for (let count = this.random.between(1, 6); count > 0; count--) {
      const length = this.random.between(0, this.random.fraction() < 0.05 ? 9000 : 300);
      const at = this.log.append(length);
      this.random.bytes(length).copy(this.log.bytes, at);
    }
    this.log.seal();
    this.log.persist();
    for (let at = before; at < this.log.next;) {
      const { bytes, start, end } = this.log.segmentAt(at);
      this.bytes = Buffer.concat([this.bytes, bytes.subarray(at - start, end - start)]);
      at = end;
    }
    this.log.trim(Number.POSITIVE_INFINITY);
  }

  async untilDurable(): Promise<void> {
    const { next } = this.log;
    this.store.want(next);
    while (this.store.durable < next)
      await new Promise<void>((resume) => {
        this.#waiting.push(resume);
      });
  }

  async stop(): Promise<string | null> {
    const error = await new Promise<Error | null>((done) => {
      this.store.stop(done);
    });
    return error?.message ?? null;
  }
}

function recovered(): { end: number; bytes: Buffer; clean: boolean } {
  const parts: Buffer[] = [];
  const folder = new FsFolder(join(dir, "generation-00000001"));
  const recovery = new LogRecovery({
    folder,
    quarantine: folder,
    quarantineBytesMax: 0,
    rememberIncomplete: () => expect.unreachable(),
    directoryId: DIRECTORY,
    generation: 1,
    start: START,
    claims: { first: 1, last: 0, proven: 0 },
    sink: {
      batchHead: (head, at) => void parts.push(Buffer.from(head.subarray(at, at + 36))),
      batchBytes: (bytes, from, to) => void parts.push(Buffer.from(bytes.subarray(from, to))),
      batchEnd: () => {},
    },
  });
  while (recovery.step());
  const { end, clean } = recovery.finish().verdict;
  return { end, bytes: Buffer.concat(parts), clean };
}

describe("LogThread", () => {
  test("a thread that is abandoned before its start ends, and has written nothing", async () => {
    const heard: unknown[] = [];
    const thread = new LogThread(dir, {
      heard: (message) => heard.push(message),
      looked: () => undefined,
    });
    await thread.abandon();
    expect(readdirSync(dir)).toEqual([]);
    expect(heard).toEqual([]);
  });

  test.each<FsyncPolicy>(["always", "everysec", "no"])(
    "%s: what is wanted becomes durable, and a stop leaves all of it",
    async (policy) => {
      const rig = new Rig(policy);
      await rig.thread.begun;
      for (let round = 0; round < 50; round++) {
        rig.append();
        if (round % 5 !== 0) continue;
        await rig.untilDurable();
        expect(rig.store.written).toBeGreaterThanOrEqual(rig.store.durable);
      }
      expect(await rig.stop()).toBe(null);
      expect(rig.troubles).toEqual([]);
      expect(rig.store.durable).toBe(rig.log.next);
      const { end, bytes, clean } = recovered();
      expect([end, clean]).toEqual([rig.log.next, true]);
      expect(bytes.equals(rig.bytes)).toBe(true);
    },
  );

  test("memory that was written is used again, and no other", async () => {
    const rig = new Rig("no");
    for (let round = 0; round < 400; round++) rig.append();
    // Nothing can have been written within one turn of the loop that the thread was not given.
    expect(rig.log.first).toBeLessThanOrEqual(rig.store.written);
    await rig.untilDurable();
    for (let round = 0; round < 200; round++) {
      rig.append();
      if (round % 20 === 0) await rig.untilDurable();
    }
    expect(rig.log.first).toBeGreaterThan(0);
    expect(await rig.stop()).toBe(null);
    expect(recovered().bytes.equals(rig.bytes)).toBe(true);
  });

  test("a folder that cannot be made is an error, and not silence", async () => {
    writeFileSync(join(dir, "generation-00000001"), "");
    const rig = new Rig("always");
    await expect(rig.thread.begun).rejects.toThrow("EEXIST");
    expect(rig.store.trouble).toMatchObject({ isFatal: true });
    expect(await rig.stop()).toContain("EEXIST");
  });

  test.each([
    ["ends", "", "the log thread ended with code 0"],
    ["falls", "throw new Error('no')", "Error: no"],
  ])("a thread that %s before it has begun is an error, and not silence", async (_, code, why) => {
    const rig = new Rig("always", threadsOf(code));
    await expect(rig.thread.begun).rejects.toThrow(why);
    expect(rig.store.trouble).toMatchObject({ isFatal: true });
  });
});
