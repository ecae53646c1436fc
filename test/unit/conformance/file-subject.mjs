/**
 * A state in one file, and as a subject that a process of its own imports: each change is another file that
 * takes the place of the one before. "?flaw=..." breaks it in a way that only a kill shows.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const flaw = new URL(import.meta.url).searchParams.get("flaw");
/** How long a flaw leaves the file between two states, ms. */
const BETWEEN_MS = 3;
const PART_RECORDS = 500;

const text = (bytes) => Buffer.from(bytes).toString("latin1");

class FileState {
  format = { name: "file", version: 1 };
  durability = "process";
  #path;
  #content = new Map();
  #mark = null;

  constructor(place) {
    this.#path = join(place, "state");
  }

  open() {
    rmSync(`${this.#path}.staged`, { force: true });
    let kept = null;
    try {
      kept = JSON.parse(readFileSync(this.#path, "latin1"));
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
    this.#content = new Map(kept?.entries);
    this.#mark = kept?.mark ?? null;
    return { mark: this.mark(), empty: this.#content.size === 0 };
  }

  #store(content, mark) {
    writeFileSync(`${this.#path}.next`, JSON.stringify({ mark, entries: [...content] }), "latin1");
    renameSync(`${this.#path}.next`, this.#path);
    this.#content = content;
    this.#mark = mark;
  }

  mark() {
    return this.#mark === null ? null : Buffer.from(this.#mark, "latin1");
  }

  check(bytes, from, to) {
    if (to - from < 3 || bytes[from] > 1) throw new Error("no record");
  }

  #changed(records) {
    const next = new Map(this.#content);
    for (const record of records) {
      this.check(record, 0, record.length);
      const key = text(record.subarray(1, 3));
      if (record[0] === 0) next.delete(key);
      else next.set(key, text(record.subarray(3)));
    }
    return next;
  }

  async apply(batch) {
    const next = this.#changed(batch);
    if (flaw === "mark-first") {
      this.#store(this.#content, text(batch.end));
      await sleep(BETWEEN_MS);
    }
    this.#store(next, text(batch.end));
  }

  async transact(run) {
    const next = new Map(this.#content);
    const end = text(await run({ set: (key, value) => next.set(key, value) }));
    if (flaw === "mark-later") {
      this.#store(next, this.#mark);
      await sleep(BETWEEN_MS);
    }
    this.#store(next, end);
  }

  freeze() {
    const content = [...this.#content];
    return {
      *read() {
        for (let at = 0; at < content.length; at += PART_RECORDS)
          yield { records: content.slice(at, at + PART_RECORDS).map(recordOf) };
      },
      close: () => undefined,
    };
  }

  stage() {
    const staged = new Map();
    return {
      load: (records) => {
        for (const record of records)
          staged.set(text(record.subarray(1, 3)), text(record.subarray(3)));
        writeFileSync(`${this.#path}.staged`, JSON.stringify([...staged]), "latin1");
      },
      commit: async (end) => {
        if (flaw === "two-steps") {
          this.#store(new Map(), text(end));
          await sleep(BETWEEN_MS);
        }
        this.#store(staged, text(end));
      },
      abort: () => rmSync(`${this.#path}.staged`, { force: true }),
    };
  }

  sync() {}
}

function recordOf([key, value]) {
  return Buffer.from(`\x01${key}${value}`, "latin1");
}

/** Of two bytes. */
function nameOf(key) {
  return String.fromCharCode(key >> 8, key & 255);
}

export default {
  make: (place) => {
    mkdirSync(place, { recursive: true });
    return { state: new FileState(place) };
  },
  examples: {
    write: (key, value) => recordOf([nameOf(key), `value ${value}`]),
    remove: (key) => Buffer.from(`\0${nameOf(key)}`, "latin1"),
    refused: [Buffer.from([7, 1, 1]), Buffer.from([])],
    transacted: (tx, key, value) => tx.set(nameOf(key), `value ${value}`),
  },
};
