/**
 * Frame types an upstream may send to a session, by number.
 *
 * Tested in: test/unit/replica/session.test.ts.
 */
import { FRAME } from "../wire/messages.ts";

export const ACCEPTS: ReadonlySet<number> = new Set([
  FRAME.greeting,
  FRAME.welcome,
  FRAME.reject,
  FRAME.ping,
  FRAME.snapshot,
  FRAME.chunk,
  FRAME.end,
  FRAME.bye,
  FRAME.verify,
  FRAME.peers,
  FRAME.prepare,
  FRAME.take,
  FRAME.release,
  FRAME.sync,
  FRAME.batch,
]);
