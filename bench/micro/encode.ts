/** What a batch's head costs when it is sealed (the sum over the batch is in it), and an ACK. */
import type { Case } from "../lib/measure.ts";
import { shipped } from "../lib/shipped.ts";
import { SET_BYTES } from "./material.ts";

const RECORDS = [1, 64, 2048];
const ACK = {
  type: "ack",
  mode: "streaming",
  received: 123_456_789,
  applied: 123_456_789,
  durable: 0,
  room: 67_108_864,
  echo: 987_654_321,
} as const;

export async function encode(): Promise<Case[]> {
  const frame = await shipped("wire/frame");
  const codec = await shipped("wire/codec");
  const heads = RECORDS.map((records): Case => {
    const length = frame.BATCH_HEAD_BYTES + records * SET_BYTES;
    const ops = Math.max(1, Math.round(256 / records));
    const batch = Buffer.alloc(length, 120);
    const copy = Buffer.alloc(length);
    let [offset, chain] = [0, 0];
    return {
      name: `encode.batch${records}`,
      operation: `the head of a batch of ${length} bytes`,
      ops,
      isSteady: true,
      bytes: length,
      run: () => {
        for (let i = 0; i < ops; i++) {
          chain = frame.sealBatchHead(batch, 0, length, records, offset, 1, chain);
          offset = (offset + length) % 1e12;
        }
      },
      floor: copying(batch, copy, ops),
    };
  });
  const ack = codec.encode(ACK);
  const encodeAck: Case = {
    name: "encode.ack",
    operation: `an ACK frame of ${ack.length} bytes`,
    ops: 256,
    isSteady: true,
    bytes: ack.length,
    run: () => {
      for (let i = 0; i < 256; i++) codec.encode(ACK);
    },
    floor: copying(ack, Buffer.alloc(ack.length), 256),
  };
  return [...heads, encodeAck];
}

export function copying(from: Buffer, to: Buffer, ops: number): Case["floor"] {
  return {
    name: "Buffer.copy of the bytes",
    run: () => {
      for (let i = 0; i < ops; i++) from.copy(to);
    },
  };
}
