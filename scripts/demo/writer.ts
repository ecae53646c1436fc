/**
 * Writes the prose through the client port, and remembers what was written: what a node should
 * answer is known without asking another node.
 *
 * Owns: one connection, the editions written. Does not own: the text (text.ts).
 */
import { ReplyError, type RespClient, type Reply } from "../../tools/resp-client.ts";
import { show } from "../../tools/wait.ts";
import type { Prose } from "./text.ts";

/** Commands in one write; about 64 KiB of text. */
const PIPELINE = 256;

export class Writer {
  /** Newest edition written for each index, 0 for none. */
  readonly editions: Uint8Array;
  /** SET commands that were answered OK. */
  recordsWritten = 0;
  /** Bytes of keys and values in them. */
  bytesWritten = 0;
  #client: RespClient;
  readonly #prose: Prose;

  constructor(client: RespClient, prose: Prose, keys: number) {
    this.#client = client;
    this.#prose = prose;
    this.editions = new Uint8Array(keys);
  }

  /** Goes on with another connection. */
  use(client: RespClient): void {
    this.#client = client;
  }

  /** Keys that exist. */
  get keysWritten(): number {
    return this.editions.reduce((sum, edition) => sum + (edition === 0 ? 0 : 1), 0);
  }

  /**
   * Writes an edition of the entries [from, to), and after about every `paceBytes` waits until
   * `replicas` replicas have applied it.
   */
  async write(
    from: number,
    to: number,
    edition: number,
    pace?: { readonly replicas: number; readonly bytes: number },
  ): Promise<void> {
    let unconfirmed = 0;
    for (let at = from; at < to; at += PIPELINE) {
      unconfirmed += await this.#writeSome(at, Math.min(at + PIPELINE, to), edition);
      if (pace && unconfirmed >= pace.bytes) {
        await this.confirm(pace.replicas);
        unconfirmed = 0;
      }
    }
  }

  /** WAIT: so many replicas have applied everything written so far. */
  async confirm(replicas: number): Promise<void> {
    const confirmed = await this.#client.call("WAIT", replicas, 30_000);
    if (Number(confirmed) < replicas) {
      throw new Error(`only ${show(confirmed)} of ${replicas} replicas confirmed within 30 s`);
    }
  }

  async #writeSome(from: number, to: number, edition: number): Promise<number> {
    const entries = Array.from({ length: to - from }, (_, i) =>
      this.#prose.entry(from + i, edition),
    );
    const replies = await this.#client.pipeline(entries.map((e) => ["SET", e.key, e.value]));
    const refused = replies.find((reply) => reply !== "OK");
    if (refused !== undefined) throw new Error(`SET was answered ${replyText(refused)}`);
    this.editions.fill(edition, from, to);
    this.recordsWritten += entries.length;
    const bytes = entries.reduce((sum, e) => sum + e.key.length + e.value.length, 0);
    this.bytesWritten += bytes;
    return bytes;
  }

  /** Reads every `step`-th key from a node: the first that is not as written, or null. */
  async firstDifference(node: RespClient, step: number): Promise<string | null> {
    const indexes = [...this.editions.keys()].filter((i) => i % step === 0);
    for (let at = 0; at < indexes.length; at += PIPELINE) {
      const some = indexes.slice(at, at + PIPELINE);
      const entries = some.map((i) => this.#prose.entry(i, this.editions[i]!));
      const replies = await node.pipeline(entries.map((e) => ["GET", e.key]));
      const bad = replies.findIndex(
        (reply, i) => !Buffer.isBuffer(reply) || !reply.equals(entries[i]!.value),
      );
      if (bad >= 0) return entries[bad]!.key;
    }
    return null;
  }
}

function replyText(reply: Reply): string {
  return reply instanceof ReplyError ? `-${reply.message}` : show(reply);
}
