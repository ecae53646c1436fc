/**
 * The sink of a decoder that accepts control frames alone: it never lets a batch or a chunk through.
 *
 * Owns: saying so. Does not own: which frames are accepted (decoder.ts), what a control frame means.
 * Tested in: test/unit/replica/inquiry.test.ts.
 */
import assert from "node:assert/strict";
import type { DecoderSink } from "./decoder.ts";
import type { Control } from "./messages.ts";

export abstract class ControlSink implements DecoderSink {
  abstract control(message: Control): void;

  batchHead(): void {
    assert.fail("the decoder let a batch through");
  }
  batchBytes(): void {
    assert.fail("the decoder let a batch through");
  }
  batchEnd(): void {
    assert.fail("the decoder let a batch through");
  }
  chunkHead(): void {
    assert.fail("the decoder let a chunk through");
  }
  chunkBytes(): void {
    assert.fail("the decoder let a chunk through");
  }
  chunkEnd(): void {
    assert.fail("the decoder let a chunk through");
  }
}
