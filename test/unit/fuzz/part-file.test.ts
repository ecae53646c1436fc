/** Damaged part files: a disk is a peer too. Never a crash, never bytes that were not received. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { readCheckpoint } from "../../../src/replica/part-checkpoint.ts";
import { PartFile } from "../../../src/replica/part-file.ts";
import { crc32 } from "../../../src/wire/crc.ts";
import { NO_SYNC, type SnapshotBegin } from "../../../src/wire/messages.ts";
import { Random } from "../../../tools/random.ts";
import { corpus, trying } from "./corpus.ts";
import { damage } from "./tools.ts";

const ROUNDS = 150;
const dir = mkdtempSync(join(tmpdir(), "hawser-part-"));
afterAll(() => rmSync(dir, { recursive: true }));

const begin: SnapshotBegin = {
  type: "snapshot",
  rank: { term: 1, run: 0 },
  snapshotId: "ab".repeat(16),
  position: { history: "cd".repeat(16), offset: 500, chain: 6 },
  lineage: [{ history: "ef".repeat(16), left: 3, term: 1, run: 0 }],
  sync: NO_SYNC,
  format: { name: "f", version: 1 },
  firstChunk: 0,
  records: 10,
  bytes: 2_000,
};

const digestOf = (number: number, payload: Buffer): number => {
  const body = Buffer.alloc(4 + payload.length);
  body.writeUInt32LE(number);
  payload.copy(body, 4);
  return crc32(body, 0, body.length, 0);
};

async function makeFiles(): Promise<{ part: Buffer; json: Buffer }> {
  const random = new Random(9);
  const file = new PartFile(dir, () => undefined);
  file.begin(begin);
  for (let n = 0; n < 8; n++) {
    const payload = random.bytes(random.between(0, 300));
    file.keep(n, digestOf(n, payload), payload, begin);
  }
  await file.close();
  const read = (name: string): Buffer => readFileSync(join(dir, name));
  return { part: read("snapshot.part"), json: read("snapshot.json") };
}

interface Replayed {
  readonly chunks: number[];
  readonly error: Error | null;
}

/** Opens what is in the directory and reads it as a restorer does. */
async function replay(): Promise<Replayed | null> {
  const file = new PartFile(dir, () => undefined);
  await file.open();
  if (file.kept === null) return null;
  const chunks: number[] = [];
  const error = await new Promise<Error | null>((done) => {
    file.replay((bytes, at, payloadBytes, digest, next) => {
      expect(payloadBytes).toBeLessThanOrEqual(LIMITS.chunkBytesMax);
      const number = bytes.readUInt32LE(at);
      if (number !== chunks.length) throw new Error("out of order");
      if (crc32(bytes, at, at + 4 + payloadBytes, 0) !== digest) throw new Error("crc");
      chunks.push(number);
      next(true);
    }, done);
  });
  await file.close();
  return { chunks, error };
}

test("damaged part file or checkpoint => nothing kept, an error, or a true prefix", async () => {
  const { part, json } = await makeFiles();
  expect(await replay()).toEqual({ chunks: [0, 1, 2, 3, 4, 5, 6, 7], error: null });
  const random = new Random(4);
  for (let round = 0; round < ROUNDS; round++) {
    const hitsPart = random.fraction() < 0.7;
    const bytes = hitsPart ? damage(random, part, part) : damage(random, json, json);
    const files = hitsPart ? [bytes, json] : [part, bytes];
    await trying(hitsPart ? "part-file" : "checkpoint", bytes, () => keepsAtMost8(files));
  }
});

/** With these as part file and checkpoint. */
async function keepsAtMost8(files: readonly Buffer[]): Promise<void> {
  ["snapshot.part", "snapshot.json"].forEach((name, i) =>
    writeFileSync(join(dir, name), files[i]!),
  );
  const replayed = await replay();
  if (replayed !== null) expect(replayed.chunks.length).toBeLessThanOrEqual(8);
}

test.each(corpus("checkpoint"))(
  "corpus: %s => as for any damaged checkpoint",
  async (_name, json) => {
    const { part } = await makeFiles();
    readsOrRefuses(json.toString());
    await keepsAtMost8([part, json]);
  },
);

test("damaged checkpoints => an Error, or values within their limits", async () => {
  const text = JSON.stringify({ version: 2, begin, chunks: 8, fileBytes: 1_000 });
  const random = new Random(5);
  for (let round = 0; round < 20_000; round++) {
    const damaged = damage(random, Buffer.from(text), Buffer.from(text)).toString();
    await trying("checkpoint", Buffer.from(damaged), () => readsOrRefuses(damaged));
  }
});

function readsOrRefuses(damaged: string): void {
  try {
    const checkpoint = readCheckpoint(damaged);
    expect(Number.isSafeInteger(checkpoint.chunks)).toBe(true);
    expect(checkpoint.begin.lineage.length).toBeLessThanOrEqual(LIMITS.lineageEntriesMax);
    expect(checkpoint.begin.snapshotId).toMatch(/^[0-9a-f]{32}$/);
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    if (error instanceof TypeError || error instanceof RangeError) throw error;
  }
}
