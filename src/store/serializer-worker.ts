/**
 * The worker thread that reads frozen arenas: serializes chunks into a ring, or sums a digest.
 *
 * It hears no events during a job (it may sleep on the ring), so it is commanded through the ring's
 * control words and takes the job's segments from its port by hand. When a job ends it drops the
 * arena's memory and collects, because shared memory stays resident as long as any thread that
 * received it has not collected it.
 * Tested in: test/unit/store/pool.test.ts.
 */
import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { chunkSum } from "../wire/frame.ts";
import { digestArena } from "./digest.ts";
import { Ring } from "./ring.ts";
import { collectGarbage } from "./segment-memory.ts";
import { ChunkWriter, type FrozenArena } from "./serialize.ts";
import type { FrozenSegment } from "./snapshot.ts";
import type {
  FromWorker,
  Job,
  SegmentsMessage,
  SerializeJob,
  ToWorker,
} from "./worker-protocol.ts";

/** A worker thread has one; this file is code of such a thread alone (worker.ts). */
const port = parentPort!;

function tell(message: FromWorker): void {
  port.postMessage(message);
}

/** The frozen arena whose segments arrive while it is read. */
class ArrivingArena implements FrozenArena {
  readonly epoch: number;
  readonly segmentCount: number;
  readonly #ring: Ring;
  readonly #segments: FrozenSegment[] = [];

  constructor(job: Job, ring: Ring) {
    this.epoch = ring.epoch;
    this.segmentCount = job.segmentCount;
    this.#ring = ring;
  }

  segment(index: number): FrozenSegment | null {
    if (this.#ring.stopped) return null;
    while (index >= this.#segments.length) {
      const message = this.#ring.waitFor(() => (this.#ring.stopped ? "stop" : nextSegments()));
      if (message === "stop") return null;
      this.#add(message);
    }
    return this.#segments[index]!;
  }

  #add(message: SegmentsMessage): void {
    message.buffers.forEach((buffer, i) => {
      this.#segments.push({
        words: new Uint32Array(buffer),
        bytes: Buffer.from(buffer),
        slotBytes: message.slotBytes[i]!,
        slots: message.slots[i]!,
      });
    });
  }
}

function nextSegments(): SegmentsMessage | null {
  const received = receiveMessageOnPort(port) as { message: ToWorker } | undefined;
  return received?.message.kind === "segments" ? received.message : null;
}

function serialize(job: SerializeJob, arena: FrozenArena, ring: Ring): FromWorker {
  const writer = new ChunkWriter(arena, { segment: job.segment, byte: job.byte });
  for (let number = job.number; ; number++) {
    if (!ring.waitFree(number)) return { kind: "stopped" };
    const at = ring.payloadAt(number);
    const payloadBytes = writer.fill(ring.data, at, job.payloadMax);
    if (writer.stopped) return { kind: "stopped" };
    if (payloadBytes === 0) return { kind: "done", chunks: number };
    const next = writer.next;
    const mustTell = ring.publish({
      number,
      payloadBytes,
      sum: chunkSum(ring.data, at, at + payloadBytes, number),
      records: writer.records,
      nextSegment: next.segment,
      nextByte: next.byte,
    });
    if (mustTell) tell({ kind: "ready" });
  }
}

function run(job: Job): FromWorker {
  const ring = new Ring(job.ring);
  const arena = new ArrivingArena(job, ring);
  if (job.kind === "serialize") return serialize(job, arena, ring);
  const digest = digestArena(arena, job.options);
  return digest === null ? { kind: "stopped" } : { kind: "digested", digest };
}

export function runSerializer(): void {
  port.on("message", (message: ToWorker) => {
    // Segments of a job that was stopped before it took them.
    if (message.kind === "segments") return;
    let result: FromWorker;
    try {
      result = run(message);
    } catch (error) {
      result = { kind: "failed", reason: String(error) };
    }
    tell(result);
    collectGarbage();
  });
}
