/**
 * The bounded ring between a serializer in its worker and the event loop: ring slots in shared
 * memory, each holding one chunk, and a block of control words.
 *
 *   control   signal | stop | told | epoch  then for each ring slot:
 *             state | number | payload bytes | sum | records | next segment | next byte | -
 *   slot      | 20 room | payload ...                                  |   slotBytes
 *
 * Chunk n goes into ring slot n mod slots. A slot is free, filled by the worker, and free again when
 * the loop releases it. All control words are read and written through Atomics. The worker sleeps on
 * `signal`, which the loop bumps after every change that the worker may wait for: it is read before
 * the condition is checked, so no change is missed. `told` is 1 while a message to the loop is under
 * way, so that a burst of chunks costs one. `epoch` is stored after the freeze and loaded before any
 * frozen memory is read: the pair that orders the two (snapshot.ts).
 *
 * Owns: layout and handshake. Does not own: messages (pool.ts), chunk contents (serialize.ts).
 * Tested in: test/unit/store/pool.test.ts.
 */
import assert from "node:assert/strict";
import { LIMITS } from "../limits.ts";
import { CHUNK_ROOM_BYTES } from "./state.ts";

const SIGNAL = 0;
const STOP = 1;
const TOLD = 2;
const EPOCH = 3;
const HEAD_WORDS = 4;
const SLOT_WORDS = 8;
const STATE = 0;
const NUMBER = 1;
const PAYLOAD_BYTES = 2;
const SUM = 3;
const RECORDS = 4;
const NEXT_SEGMENT = 5;
const NEXT_BYTE = 6;
const FREE = 0;
const FILLED = 1;

/** What a peer limits has the chunk's number in it. */
const NUMBER_BYTES = 4;

/** Payload that fits into ring slots of `slotBytes`: a multiple of 8, as records are. */
export function payloadMaxOf(slotBytes: number): number {
  const room = slotBytes - CHUNK_ROOM_BYTES;
  assert(NUMBER_BYTES + room <= LIMITS.chunkBytesMax, "a chunk of at most 1 MiB");
  const payload = room & -8;
  assert(payload >= 32, "a ring slot that holds the head of a record");
  return payload;
}

/** What is noted of a filled ring slot. */
export interface FilledSlot {
  readonly number: number;
  readonly payloadBytes: number;
  readonly sum: number;
  readonly records: number;
  readonly nextSegment: number;
  readonly nextByte: number;
}

/** The memory of a ring, to be sent to the worker. */
export interface RingMemory {
  readonly control: SharedArrayBuffer;
  readonly data: SharedArrayBuffer;
  readonly slots: number;
  readonly slotBytes: number;
}

export function allocateRing(slots: number, slotBytes: number): RingMemory {
  // Slots start at multiples of 8 and the room is of whole words, so a payload starts at a word.
  const stride = (slotBytes + 7) & -8;
  return {
    control: new SharedArrayBuffer((HEAD_WORDS + slots * SLOT_WORDS) * 4),
    data: new SharedArrayBuffer(slots * stride),
    slots,
    slotBytes: stride,
  };
}

/** Either end's view. */
export class Ring {
  readonly memory: RingMemory;
  readonly data: Buffer;
  readonly #control: Int32Array;

  constructor(memory: RingMemory) {
    this.memory = memory;
    this.data = Buffer.from(memory.data);
    this.#control = new Int32Array(memory.control);
  }

  /** Loop: makes the ring ready for a reader of a snapshot; nobody else may be using it. */
  reset(epoch: number): void {
    for (let i = 0; i < this.#control.length; i++) Atomics.store(this.#control, i, 0);
    Atomics.store(this.#control, EPOCH, epoch);
  }

  /** Worker: the epoch of the snapshot to read. */
  get epoch(): number {
    return Atomics.load(this.#control, EPOCH) >>> 0;
  }

  /** Loop: something changed that the worker may be waiting for. */
  signal(): void {
    Atomics.add(this.#control, SIGNAL, 1);
    Atomics.notify(this.#control, SIGNAL);
  }

  /** Loop: the worker must stop at the next chunk. */
  stop(): void {
    Atomics.store(this.#control, STOP, 1);
    this.signal();
  }

  /** Loop: the worker's message has arrived; it may send another. */
  heard(): void {
    Atomics.store(this.#control, TOLD, 0);
  }

  /** Loop: what is in the slot of chunk `number`, or null when it is not filled yet. */
  filled(number: number): FilledSlot | null {
    const at = this.#slotWord(number);
    const control = this.#control;
    if (Atomics.load(control, at + STATE) !== FILLED) return null;
    if (Atomics.load(control, at + NUMBER) !== number) return null;
    return {
      number,
      payloadBytes: Atomics.load(control, at + PAYLOAD_BYTES),
      sum: Atomics.load(control, at + SUM) >>> 0,
      records: Atomics.load(control, at + RECORDS),
      nextSegment: Atomics.load(control, at + NEXT_SEGMENT),
      nextByte: Atomics.load(control, at + NEXT_BYTE) >>> 0,
    };
  }

  /** Loop: nobody reads chunk `number` any more. */
  free(number: number): void {
    Atomics.store(this.#control, this.#slotWord(number) + STATE, FREE);
    this.signal();
  }

  /** Where in `data` the payload of chunk `number` starts. */
  payloadAt(number: number): number {
    return (number % this.memory.slots) * this.memory.slotBytes + CHUNK_ROOM_BYTES;
  }

  /** Worker: must it stop? */
  get stopped(): boolean {
    return Atomics.load(this.#control, STOP) !== 0;
  }

  /** Worker: sleeps until `check` returns something other than null. */
  waitFor<T>(check: () => T | null): T {
    for (;;) {
      const seen = Atomics.load(this.#control, SIGNAL);
      const result = check();
      if (result !== null) return result;
      Atomics.wait(this.#control, SIGNAL, seen);
    }
  }

  /** Worker: sleeps until the slot of chunk `number` is free; false when it must stop. */
  waitFree(number: number): boolean {
    const state = this.#slotWord(number) + STATE;
    return this.waitFor(() => {
      if (this.stopped) return false;
      return Atomics.load(this.#control, state) === FREE ? true : null;
    });
  }

  /** Worker: the chunk is complete. Returns true when the loop has to be told. */
  publish(slot: FilledSlot): boolean {
    const at = this.#slotWord(slot.number);
    const control = this.#control;
    Atomics.store(control, at + NUMBER, slot.number);
    Atomics.store(control, at + PAYLOAD_BYTES, slot.payloadBytes);
    Atomics.store(control, at + SUM, slot.sum);
    Atomics.store(control, at + RECORDS, slot.records);
    Atomics.store(control, at + NEXT_SEGMENT, slot.nextSegment);
    Atomics.store(control, at + NEXT_BYTE, slot.nextByte);
    Atomics.store(control, at + STATE, FILLED);
    return Atomics.exchange(control, TOLD, 1) === 0;
  }

  #slotWord(number: number): number {
    return HEAD_WORDS + (number % this.memory.slots) * SLOT_WORDS;
  }
}
