/** The real thread on a real folder: a log of several files, read while it grows. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LogFileWriter } from "../../../../src/log/disk/log-file-writer.ts";
import type { LogBlock } from "../../../../src/log/log-block.ts";
import { FsFolder } from "../../../../src/node/disk/fs-folder.ts";
import { LogReaderThread } from "../../../../src/node/disk/log-reader-thread.ts";
import { randomId } from "../../../../src/wire/id.ts";
import { Random } from "../../../../tools/random.ts";
import { DIRECTORY, HISTORY, Model, START } from "../../log/disk/machine.ts";

let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser-reader-"));
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

describe("LogReaderThread", () => {
  test("gives back what was written, over several files, and stops", async () => {
    const model = new Model();
    const random = new Random(3);
    const writer = new LogFileWriter(
      {
        folder: new FsFolder(dir),
        fileBytes: 20_000,
        directoryId: DIRECTORY,
        generation: 1,
        mint: randomId,
        clock: Date.now,
        name: () => undefined,
      },
      1,
      START,
      { history: HISTORY, rank: { term: 1, run: 0 }, lineage: [] },
    );
    const write = (): void => {
      const bytes = model.append(random);
      writer.append(bytes, 0, bytes.length);
    };
    for (let i = 0; i < 100; i++) write();
    const thread = new LogReaderThread({
      written: () => writer.written,
      moved: () => undefined,
      damaged: () => expect.unreachable(),
      failed: (reason) => expect.unreachable(reason),
    });
    const { reads } = thread;
    reads.begin({ path: dir, directoryId: DIRECTORY, generation: 1, first: 1 }, 0);
    expect(await new Promise((done) => reads.chainAt(0, done))).toBe(START.chain);
    for (let at = 0; at < model.bytes.length;) {
      if (at < 50_000) write();
      const block = await new Promise<LogBlock>((resolve, reject) => {
        reads.read(at, (answer) => {
          if (answer.kind !== "block") reject(new Error(answer.kind));
          else resolve(answer.block);
        });
      });
      block.retain();
      expect(block.bytes.equals(model.bytes.subarray(at, block.end))).toBe(true);
      at = block.end;
      block.release();
    }
    expect(writer.number).toBeGreaterThan(2);
    await thread.stop();
    expect(await new Promise((done) => reads.read(0, ({ kind }) => done(kind)))).toBe("gone");
  });
});
