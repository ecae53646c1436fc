/**
 * What writers were told, so that it can be asked for later: for each of a writer's own keys the
 * highest number it sent and the highest that was acknowledged.
 *
 * Owns: those numbers. Does not own: connections, or when it is asked.
 */
import { textOf, type RespClient } from "../../tools/resp-client.ts";

interface Entry {
  sent: number;
  acknowledged: number;
}

export class Ledger {
  readonly #entries = new Map<string, Entry>();
  #generation = 0;
  #next = 1;

  get size(): number {
    return this.#entries.size;
  }

  /** The number to write now. */
  send(key: string): number {
    const number = this.#next++;
    const entry = this.#entries.get(key);
    if (entry === undefined) this.#entries.set(key, { sent: number, acknowledged: 0 });
    else entry.sent = number;
    return number;
  }

  acknowledge(key: string, number: number): void {
    const entry = this.#entries.get(key)!;
    entry.acknowledged = Math.max(entry.acknowledged, number);
  }

  /**
   * Compares with what a node holds; nobody writes meanwhile. After a change of `generation` the
   * last writes may be lost: then what it holds is only learned.
   * @returns keys whose value cannot be, as text
   */
  async compare(client: RespClient, generation: number): Promise<string[]> {
    const keys = [...this.#entries.keys()];
    const wrong: string[] = [];
    if (keys.length === 0) return wrong;
    const mayBeLost = generation !== this.#generation;
    const values = await client.call("MGET", ...keys);
    if (!Array.isArray(values)) throw new Error("MGET gave no array");
    keys.forEach((key, i) => {
      const entry = this.#entries.get(key)!;
      const value = values[i] === null ? 0 : Number(textOf(values[i]!));
      const floor = mayBeLost ? 0 : entry.acknowledged;
      if (!(value >= floor && value <= entry.sent))
        wrong.push(`${key} is ${value}, acknowledged ${floor}, sent ${entry.sent}`);
      if (mayBeLost) entry.acknowledged = value;
    });
    this.#generation = generation;
    return wrong;
  }
}
