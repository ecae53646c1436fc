/**
 * The thread that writes one checkpoint: a shell around CheckpointWriter, in the order of messages. It
 * ends with its last word.
 * Tested in: test/unit/node/disk/checkpoint-thread.test.ts.
 */
import { parentPort } from "node:worker_threads";
import { CheckpointWriter } from "../../log/disk/checkpoint-writer.ts";
import type {
  CheckpointWorkerData,
  FromCheckpointWorker,
  ToCheckpointWorker,
} from "./checkpoint-worker-protocol.ts";
import { FsFolder } from "./fs-folder.ts";

const port = parentPort!;
let writer: CheckpointWriter | null = null;

function tell(message: FromCheckpointWorker): void {
  port.postMessage(message);
}

/** @returns the last word, or null when there is more to come */
function take(open: CheckpointWriter, message: ToCheckpointWorker): FromCheckpointWorker | null {
  switch (message.kind) {
    case "chunks":
      writeChunks(open, message.memory, message.ranges);
      return null;
    case "finish":
      open.finish(message.end);
      return { kind: "whole", bytes: open.bytes };
    case "abandon":
      open.abandon();
      return { kind: "gone" };
    default:
      return message satisfies never;
  }
}

function writeChunks(
  open: CheckpointWriter,
  memory: SharedArrayBuffer,
  ranges: readonly number[],
): void {
  const bytes = Buffer.from(memory);
  for (let at = 0; at < ranges.length; at += 2) open.chunk(bytes, ranges[at]!, ranges[at + 1]!);
  tell({ kind: "written", frames: ranges.length / 2 });
}

function attempt(call: () => FromCheckpointWorker | null): void {
  let last: FromCheckpointWorker | null;
  try {
    last = call();
  } catch (error) {
    last = { kind: "failed", reason: String(error) };
    leave();
  }
  if (last === null) return;
  tell(last);
  port.close();
}

/** What was written is of no use. */
function leave(): void {
  try {
    writer?.abandon();
  } catch {
    // The next start removes it.
  }
}

export function runCheckpoint(data: unknown): void {
  const { path, log, begin } = data as CheckpointWorkerData;
  port.on("message", (message: ToCheckpointWorker) => {
    if (writer !== null) attempt(() => take(writer!, message));
  });
  attempt(() => {
    writer = new CheckpointWriter(new FsFolder(path), log, begin);
    return null;
  });
}
