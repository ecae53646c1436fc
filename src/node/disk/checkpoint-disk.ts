/**
 * The disk as checkpoints need it: cuts and publishing by the log on disk, each file begun as the node says.
 *
 * Owns: which folder a file goes to. Does not own: the log on disk (log/disk/disk-store.ts), the thread
 * (checkpoint-thread.ts), checkpoints (node/checkpoint-run.ts).
 */
import type { DiskStore } from "../../log/disk/disk-store.ts";
import type { CheckpointEntry } from "../../log/disk/manifest.ts";
import type { SnapshotBegin } from "../../wire/messages.ts";
import type { CheckpointDisk, CheckpointFile, CheckpointFileEvents } from "../checkpoint-run.ts";
import type { CheckpointWorkerData } from "./checkpoint-worker-protocol.ts";

/** Begins a file, in a thread (checkpoint-thread.ts); tests have one without. */
export type OpenCheckpoint = (
  data: CheckpointWorkerData,
  events: CheckpointFileEvents,
) => CheckpointFile;

const NO_FILE: CheckpointFile = {
  put: () => undefined,
  finish: () => undefined,
  abandon: () => undefined,
};

export class StoreCheckpoints implements CheckpointDisk {
  readonly #store: DiskStore;
  readonly #pathOf: (generation: number) => string;
  readonly #beforePublish: () => void;
  readonly #open: OpenCheckpoint;

  /**
   * @param pathOf the folder of a generation
   * @param beforePublish called before a checkpoint counts, which lets older log files go
   */
  constructor(
    store: DiskStore,
    pathOf: (generation: number) => string,
    beforePublish: () => void,
    open: OpenCheckpoint,
  ) {
    this.#store = store;
    this.#pathOf = pathOf;
    this.#beforePublish = beforePublish;
    this.#open = open;
  }

  cut(offset: number, done: (log: number) => void): void {
    this.#store.cut(offset, (number) => {
      done(number ?? -1);
    });
  }

  begin(log: number, begin: SnapshotBegin, events: CheckpointFileEvents): CheckpointFile {
    const { generation } = this.#store;
    try {
      if (generation === null) throw new Error("the log was replaced");
      return this.#open({ path: this.#pathOf(generation.generation), log, begin }, events);
    } catch (error) {
      // The system gave no thread. Why later: whoever asked hears of nothing from inside its own call.
      setImmediate(() => {
        events.failed(`no checkpoint was begun: ${String(error)}`);
      });
      return NO_FILE;
    }
  }

  publish(entry: CheckpointEntry, done: (why: string) => void): void {
    this.#beforePublish();
    this.#store.publish(entry, (error) => {
      done(error ?? "");
    });
  }
}
