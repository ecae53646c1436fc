/**
 * The demo's real input: English prose without end, the same on every machine.
 *
 * A word is drawn from those that follow the last two words somewhere in the source text. A few MB
 * of this are spun once; every value is a run of whole clauses out of it, so sizes vary from one
 * short clause to a megabyte.
 * Owns: words, keys and values. Does not own: who writes them where.
 */
import { Random } from "../../tools/random.ts";
import { SOURCE_TEXT } from "./source-text.ts";

const CORPUS_BYTES = 4 * 1024 * 1024;

/** Share of all values, and their least length in bytes. */
const SIZES: readonly { readonly share: number; readonly bytes: readonly [number, number] }[] = [
  { share: 0.8, bytes: [1, 100] },
  { share: 0.15, bytes: [150, 500] },
  { share: 0.0469, bytes: [700, 2000] },
  { share: 0.003, bytes: [6000, 12_000] },
  { share: 0.0001, bytes: [200_000, 1_000_000] },
];

export interface Entry {
  readonly key: string;
  readonly value: Buffer;
}

export class Prose {
  readonly #bytes: Buffer;
  /** Where clauses start; every value begins and ends at one of these. */
  readonly #starts: Uint32Array;

  constructor(seed: number) {
    this.#bytes = Buffer.from(spin(new Random(seed), CORPUS_BYTES));
    this.#starts = clauseStarts(this.#bytes);
  }

  /** A key and what an edition of the book says under it: a function of both numbers alone. */
  entry(index: number, edition: number): Entry {
    const random = new Random(Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(edition, 0x85ebca6b));
    return { key: keyOf(index), value: this.#run(random, lengthOf(random)) };
  }

  /** One sentence, for the trickle. */
  sentence(random: Random): string {
    return this.#run(random, 1).toString();
  }

  /** Whole clauses of at least `length` bytes together. */
  #run(random: Random, length: number): Buffer {
    const last = this.#bytes.length - length - 4096;
    let start = random.between(0, this.#starts.length);
    while (this.#starts[start]! > last) start = random.between(0, this.#starts.length);
    const from = this.#starts[start]!;
    let end = start + 1;
    while (this.#starts[end]! - from < length) end++;
    return this.#bytes.subarray(from, this.#starts[end]! - 1);
  }
}

/** "book:3:page:141:line:17", unique for each index. */
function keyOf(index: number): string {
  const line = index % 40;
  const page = Math.floor(index / 40) % 250;
  const book = Math.floor(index / 10_000);
  return `book:${book}:page:${page}:line:${line}`;
}

function lengthOf(random: Random): number {
  let point = random.fraction();
  for (const { share, bytes } of SIZES) {
    if (point < share) return random.between(...bytes);
    point -= share;
  }
  return SIZES[0]!.bytes[0];
}

function spin(random: Random, bytes: number): string {
  const words = SOURCE_TEXT.split(/\s+/).filter((word) => word !== "");
  const followers = new Map<string, string[]>();
  for (let i = 0; i < words.length; i++) {
    const pair = `${words[i]!} ${words[(i + 1) % words.length]!}`;
    const list = followers.get(pair) ?? [];
    list.push(words[(i + 2) % words.length]!);
    followers.set(pair, list);
  }
  let one = words[0]!;
  let two = words[1]!;
  let text = `${one} ${two}`;
  while (text.length < bytes) {
    const next = random.pick(followers.get(`${one} ${two}`)!);
    text += ` ${next}`;
    one = two;
    two = next;
  }
  return `${text}. `;
}

/** After each ", " and ". ". */
function clauseStarts(bytes: Buffer): Uint32Array {
  const [space, comma, stop] = [0x20, 0x2c, 0x2e];
  const starts = [0];
  for (let at = bytes.indexOf(space); at >= 0; at = bytes.indexOf(space, at + 1)) {
    if (bytes[at - 1] === comma || bytes[at - 1] === stop) starts.push(at + 1);
  }
  return Uint32Array.from(starts);
}
