/** The real thread on a real folder: what is handed over is in files, and what was wanted is durable. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LogRecovery } from "../../../../src/log/disk/log-recovery.ts";
import type { FsyncPolicy } from "../../../../src/log/disk/sync-policy.ts";
import { FsFolder } from "../../../../src/node/disk/fs-folder.ts";
import { LogThread, type SharedSegment } from "../../../../src/node/disk/log-thread.ts";
import { Random } from "../../../../tools/random.ts";
import { DIRECTORY, HISTORY, Model, START } from "../../log/disk/machine.ts";

let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser-thread-"));
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

function start(policy: FsyncPolicy, moved: () => void): LogThread {
  return new LogThread(
    {
      path: dir,
      directoryId: DIRECTORY,
      generation: 1,
      fileBytes: 20_000,
      policy,
      number: 1,
      start: START,
      name: { history: HISTORY, rank: { term: 1, run: 0 }, lineage: [] },
    },
    moved,
  );
}

/** A log in segments of shared memory, as a backlog has it. */
class Segments {
  readonly model = new Model();
  readonly random = new Random(7);
  #all: { start: number; bytes: Buffer; next: SharedSegment | null }[] = [];
  #used = 0;

  append(): void {
    const at = this.model.bytes.length;
    const batch = this.model.append(this.random);
    const last = this.#all.at(-1);
    if (last === undefined || this.#used + batch.length > last.bytes.length) {
      const memory = new SharedArrayBuffer(Math.max(8192, batch.length));
      const segment = { start: at, bytes: Buffer.from(memory).fill(0xff), next: null };
      if (last !== undefined) last.next = segment;
      this.#all.push(segment);
      this.#used = 0;
    }
    batch.copy(this.#all.at(-1)!.bytes, this.#used);
    this.#used += batch.length;
  }

  handTo(thread: LogThread): void {
    const { handedOver } = thread;
    const segment = this.#all.findLast(({ start }) => start <= handedOver)!;
    thread.persist(segment, this.model.bytes.length);
  }
}

function recovered(): { end: number; bytes: Buffer; clean: boolean } {
  const parts: Buffer[] = [];
  const folder = new FsFolder(dir);
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
  test.each<FsyncPolicy>(["always", "everysec", "no"])(
    "%s: what is wanted becomes durable, and a stop leaves all of it",
    async (policy) => {
      const log = new Segments();
      let told = 0;
      const waiting: (() => void)[] = [];
      const thread = start(policy, () => {
        told += 1;
        for (const resume of waiting.splice(0)) resume();
      });
      for (let round = 0; round < 50; round++) {
        for (let count = log.random.between(1, 6); count > 0; count--) log.append();
        log.handTo(thread);
        const end = log.model.bytes.length;
        if (round % 5 !== 0) continue;
        thread.want(end);
        while (thread.durable < end)
          await new Promise<void>((resume) => {
            waiting.push(resume);
          });
        expect(thread.written).toBeGreaterThanOrEqual(end);
      }
      expect(told).toBeGreaterThan(0);
      expect(thread.trouble).toBe(null);
      await thread.stop();
      expect(thread.durable).toBe(log.model.bytes.length);
      const { end, bytes, clean } = recovered();
      expect([end, clean]).toEqual([log.model.bytes.length, true]);
      expect(bytes.equals(log.model.bytes)).toBe(true);
    },
  );

  test("a folder that is not there is an error, and not silence", async () => {
    rmSync(dir, { recursive: true });
    const { promise, told } = untilTold();
    const thread = start("always", told);
    await promise;
    expect(thread.failure).toContain("ENOENT");
    expect(thread.trouble).toBe("ERR_DISK_WRITE");
    await expect(thread.stop()).rejects.toThrow("ENOENT");
    dir = mkdtempSync(join(tmpdir(), "hawser-thread-"));
  });
});

function untilTold(): { promise: Promise<void>; told: () => void } {
  let told: () => void = () => {};
  const promise = new Promise<void>((resolve) => {
    told = resolve;
  });
  return { promise, told };
}
