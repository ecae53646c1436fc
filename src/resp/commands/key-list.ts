/**
 * Keys gathered while walking over the store, to be replied once their number is known.
 *
 * Owns: copies of keys in one buffer. Does not own: what is gathered.
 * Tested in: test/e2e/beside-redis/keys.test.ts.
 */
import { LIMITS } from "../../limits.ts";
import type { ReplyWriter } from "../reply-writer.ts";

const BYTES_MIN = 4096;
const KEYS_MIN = 64;

export class KeyList {
  count = 0;
  /** Some keys were left out: all together are longer than LIMITS.keyListBytesMax. */
  tooLong = false;
  #bytes: Buffer = Buffer.allocUnsafeSlow(BYTES_MIN);
  /** End of each key; a double, because all keys together may exceed 4 GiB of index. */
  #ends: Float64Array = new Float64Array(KEYS_MIN);
  #at = 0;

  add(bytes: Buffer, from: number, to: number): void {
    const end = this.#at + to - from;
    if (end > LIMITS.keyListBytesMax) {
      this.tooLong = true;
      return;
    }
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, end));
      this.#bytes.copy(grown, 0, 0, this.#at);
      this.#bytes = grown;
    }
    if (this.count === this.#ends.length) {
      const grown = new Float64Array(this.count * 2);
      grown.set(this.#ends);
      this.#ends = grown;
    }
    bytes.copy(this.#bytes, this.#at, from, to);
    this.#at = end;
    this.#ends[this.count++] = end;
  }

  /** Writes all keys as an array. */
  reply(reply: ReplyWriter): void {
    reply.array(this.count);
    let from = 0;
    for (let i = 0; i < this.count; i++) {
      const to = this.#ends[i]!;
      reply.bulk(this.#bytes, from, to);
      from = to;
    }
  }

  /** Writes the first key as a bulk string. */
  replyFirst(reply: ReplyWriter): void {
    reply.bulk(this.#bytes, 0, this.#ends[0]!);
  }
}
