/** Damaged requests: an error text and a closed connection at worst; memory grows with what arrives. */
import { expect, test } from "vitest";
import { RespParser } from "../../../src/resp/parser.ts";
import { Random } from "../../../tools/random.ts";
import { corpus, trying } from "./corpus.ts";
import { damage } from "./tools.ts";

const request = (...words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;

const PIPELINE = Buffer.from(
  request("SET", "key", "value") +
    "PING\r\n" +
    request("MGET", "a", "b", "c") +
    "SET 'a b' \"c\\x00\"\r\n",
);
const BOMBS = [
  "*1048577\r\n",
  "*1048576\r\n$536870913\r\n",
  "$5\r\n",
  `*1\r\n$${"9".repeat(40)}\r\n`,
];

/** Feeds in random pieces; @returns commands found before the end or an error. */
function feed(random: Random, bytes: Buffer): number {
  const parser = new RespParser();
  parser.authenticated = random.fraction() < 0.5;
  let found = 0;
  for (let at = 0; at < bytes.length && parser.error === "";) {
    const to = Math.min(bytes.length, at + random.between(1, 30));
    parser.feed(Buffer.from(bytes.subarray(at, to)));
    while (parser.parse()) found += parser.count;
    found += parser.count;
    expect(parser.buffered).toBeLessThanOrEqual(to);
    expect(parser.bytes.length).toBeLessThanOrEqual(Math.max(2 * bytes.length, 4_096));
    at = to;
  }
  return found;
}

test.each(corpus("resp"))(
  "corpus: %s, any pieces => never a throw, never more memory than came",
  (_name, bytes) => {
    const random = new Random(7);
    const found = Array.from({ length: 20 }, () => feed(random, bytes));
    expect(new Set(found).size).toBe(1);
  },
);

test("damaged pipelines, any pieces => never a throw, never more memory than came", async () => {
  const random = new Random(6);
  for (let round = 0; round < 5_000; round++) {
    const bomb = Buffer.from(random.pick(BOMBS));
    const bytes = damage(random, PIPELINE, random.fraction() < 0.3 ? bomb : PIPELINE);
    await trying("resp", bytes, () => expect(feed(random, bytes)).toBeLessThan(100));
  }
});
