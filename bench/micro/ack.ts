/** Both ends of an ACK: whether it is due, its bytes; and taken in by the feeder's link. */
import type { Case } from "../lib/measure.ts";
import { shipped } from "../lib/shipped.ts";
import { copying } from "./encode.ts";
import { fed } from "./links.ts";

const OPS = 128;

export async function ack(): Promise<Case[]> {
  const { AckClock } = await shipped("replica/ack-clock");
  const { SESSION_DEFAULTS } = await shipped("replica/options");
  const { encode } = await shipped("wire/codec");
  const log = { next: 0, tail: 0, durable: 0, takesMore: true };
  const clock = new AckClock(log, { current: null, room: 0 }, SESSION_DEFAULTS);
  const bytes = encode(clock.streaming(0));
  const floor = copying(bytes, Buffer.alloc(bytes.length), OPS);
  const { acknowledge } = await fed(1);
  return [
    {
      name: "ack.say",
      operation: "an ACK at the end of a turn: is it due, what it says, its bytes",
      ops: OPS,
      isSteady: true,
      bytes: bytes.length,
      run: () => {
        for (let i = 0; i < OPS; i++) {
          log.next = log.tail += 166;
          if (clock.turnDue(false)) encode(clock.streaming(i));
        }
      },
      floor,
    },
    {
      name: "ack.hear",
      operation: "an ACK encoded, and taken in by a link",
      ops: OPS,
      isSteady: true,
      bytes: bytes.length,
      run: () => {
        for (let i = 0; i < OPS; i++) acknowledge();
      },
      floor,
    },
  ];
}
