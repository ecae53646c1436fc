/** Replies of one read, gathered and handed over. */
import type { Case } from "../lib/measure.ts";
import { shipped } from "../lib/shipped.ts";
import { Ring, VALUE_BYTES } from "./material.ts";

const OPS = 256;
const OK_BYTES = 5;

export async function reply(): Promise<Case[]> {
  const { ReplyWriter } = await shipped("resp/reply-writer");
  const writer = new ReplyWriter();
  const value = Buffer.alloc(VALUE_BYTES, 120);
  const bulkBytes = VALUE_BYTES + 8;
  const run = (say: () => void) => () => {
    writer.begin(() => true, 2);
    for (let i = 0; i < OPS; i++) say();
    writer.flush();
  };
  return [
    {
      name: "reply.ok",
      operation: `+OK, ${OPS} a read`,
      ops: OPS,
      isSteady: true,
      bytes: OK_BYTES,
      run: run(() => writer.ok()),
      floor: copyingOnce(OPS * OK_BYTES),
    },
    {
      name: "reply.bulk",
      operation: `a bulk of ${VALUE_BYTES} bytes, ${OPS} a read`,
      ops: OPS,
      isSteady: true,
      bytes: bulkBytes,
      run: run(() => writer.bulk(value, 0, VALUE_BYTES)),
      floor: copyingOnce(OPS * bulkBytes),
    },
  ];
}

function copyingOnce(bytes: number): Case["floor"] {
  const source = Buffer.alloc(bytes, 120);
  const ring = new Ring(64 * 1024);
  return { name: "one Buffer.copy of all replies", run: () => ring.copy(source, 0, bytes) };
}
