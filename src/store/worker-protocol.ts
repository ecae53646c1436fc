/**
 * Messages between the pool and a serializer worker. The worker does one job at a time; while it
 * does, it takes the job's segments from its port itself, because it may be asleep on the ring.
 *
 *   loop -> worker   serialize | digest        a job
 *                    segments                  the next frozen segments of the job, in order
 *   worker -> loop   ready                     a ring slot is filled (not sent again until heard)
 *                    done | digested           the job is complete
 *                    stopped                   it was stopped
 *                    failed                    it cannot be completed
 *
 * After done, digested, stopped or failed the worker touches neither arena nor ring any more.
 * Tested in: test/unit/store/pool.test.ts.
 */
import type { ArenaDigestOptions } from "./digest.ts";
import type { RingMemory } from "./ring.ts";
import type { Digest } from "./state.ts";

export interface SegmentsMessage {
  readonly kind: "segments";
  readonly buffers: readonly SharedArrayBuffer[];
  readonly slotBytes: readonly number[];
  readonly slots: readonly number[];
}

export interface SerializeJob {
  readonly kind: "serialize";
  /** Its control words hold the snapshot's epoch. */
  readonly ring: RingMemory;
  readonly segmentCount: number;
  readonly payloadMax: number;
  /** The chunk to begin with, and where it starts. */
  readonly number: number;
  readonly segment: number;
  readonly byte: number;
}

export interface DigestJob {
  readonly kind: "digest";
  /** For its control words only, the epoch among them. */
  readonly ring: RingMemory;
  readonly segmentCount: number;
  readonly options: ArenaDigestOptions;
}

export type Job = SerializeJob | DigestJob;
export type ToWorker = Job | SegmentsMessage;

export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly chunks: number }
  | { readonly kind: "digested"; readonly digest: Digest }
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly reason: string };
