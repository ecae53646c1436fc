/**
 * A process that ends while a draft is taken back: whatever it leaves in `dir` can be started, with all that was
 * answered and nothing that was refused.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { decodeMark, encodeMark } from "../../../src/bridge/mark.ts";
import type { Batch, Mark, StateDurability } from "../../../src/bridge/seam.ts";
import { logFileName } from "../../../src/log/disk/log-file-names.ts";
import { replicate } from "../../../src/embed/replicate.ts";
import type { ReplicatedNode } from "../../../src/embed/replicated-node.ts";
import { FileState } from "../../tools/file-state.ts";

/** It takes what it can judge by its content alone, as a constraint of a database. */
class Choosy extends FileState {
  onRefusal: () => void = () => undefined;

  override apply(batch: Batch): void {
    for (const record of batch)
      if (record.toString().startsWith("bad")) {
        this.onRefusal();
        throw new Error("refused by a constraint");
      }
    super.apply(batch);
  }
}

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "hawser-taken-back-"));
  closers.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface Opened {
  readonly state: Choosy;
  readonly node: ReplicatedNode;
  readonly log: string[];
}

async function open(
  dir: string,
  durability: StateDurability = "power",
  State = Choosy,
): Promise<Opened> {
  mkdirSync(dir, { recursive: true });
  const state = Object.assign(new State(join(dir, "state")), { durability });
  const log: string[] = [];
  const node = await replicate(state, {
    dir: join(dir, "log"),
    log: (line) => void log.push(line),
  });
  closers.push(() => node.close());
  return { state, node, log };
}

/** What is there now, as a process that is killed would leave it; false when files came or went meanwhile. */
function copied(from: string, to: string): boolean {
  try {
    cpSync(from, to, { recursive: true, filter: (path) => !path.endsWith("lock") });
    return true;
  } catch {
    rmSync(to, { recursive: true, force: true });
    return false;
  }
}

async function imagesOfRefusal(
  root: string,
): Promise<{ readonly images: string[]; readonly opened: Opened }> {
  const live = join(root, "live");
  const opened = await open(live);
  await opened.node.write(FileState.set("a", "1"));
  const images: string[] = [];
  const take = (): void => {
    const image = join(root, `image${images.length}`);
    if (copied(live, image)) images.push(image);
  };
  // The disk has the draft then, and nothing was taken back.
  opened.state.onRefusal = take;
  let isAnswered = false;
  const refused = opened.node.write(FileState.set("bad", "1")).catch((error: unknown) => {
    isAnswered = true;
    return error;
  });
  while (!isAnswered) {
    take();
    await turn();
  }
  expect(await refused).toMatchObject({ code: "ERR_STORE_REFUSED" });
  return { images, opened };
}

test("whatever a kill leaves while a draft is taken back can be started, without the draft", async () => {
  const root = folder();
  const { images, opened } = await imagesOfRefusal(root);
  expect(images.length).toBeGreaterThan(1);
  const { offset } = opened.node.position;
  let withDraft = 0;
  for (const image of images) {
    const { state, node, log } = await open(image);
    expect([...state.map]).toEqual([["a", "1"]]);
    expect(node.position.offset).toBe(offset);
    if (log.some((line) => line.includes("log_cut") && line.includes("refused"))) withDraft += 1;
    await node.write(FileState.set("b", "1"));
    await node.close();
  }
  expect(withDraft).toBeGreaterThan(0);
});

test("a refused write => the log goes on in its file, and a start finds what was written since", async () => {
  const root = folder();
  const { opened } = await imagesOfRefusal(root);
  const { node } = opened;
  await node.write(FileState.set("b", "2"));
  await node.durable();
  const generations = readdirSync(join(root, "live", "log")).filter((name) =>
    name.startsWith("generation"),
  );
  expect(generations).toEqual(["generation-00000001"]);
  const again = join(root, "again");
  expect(copied(join(root, "live"), again)).toBe(true);
  const { state, log } = await open(again);
  expect([...state.map]).toEqual([
    ["a", "1"],
    ["b", "2"],
  ]);
  expect(log.filter((line) => / (warn|error) /.test(line))).toEqual([]);
});

/** Its mark is of another start of the machine. */
class AfterPowerCut extends Choosy {
  #given: Mark | null = null;
  override open(): ReturnType<FileState["open"]> {
    const { mark, empty } = super.open();
    this.#given = encodeMark({ ...decodeMark(mark!), bootId: "1".repeat(32) });
    return { mark: this.#given, empty };
  }
  override mark(): Mark | null {
    return this.#given;
  }
}

test("a state that a power cut may have put back refuses what its log has => an error, and nothing is cut", async () => {
  const { images } = await imagesOfRefusal(folder());
  let refusals = 0;
  for (const image of images) {
    const file = join(image, "log", "generation-00000001", logFileName(1));
    const before = readFileSync(file);
    const failed = await open(image, "process", AfterPowerCut).then(
      ({ node }) => node.close(),
      (error: unknown) => error,
    );
    if (failed === undefined) continue;
    expect(failed).toMatchObject({ code: "ERR_STORE_REFUSED" });
    expect(readFileSync(file).equals(before)).toBe(true);
    refusals += 1;
  }
  expect(refusals).toBeGreaterThan(0);
});
