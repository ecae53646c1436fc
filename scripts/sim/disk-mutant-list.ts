/**
 * Deliberate bugs in the log on disk: orders that are wrong, proof that is not looked for, promises that are
 * made too early. Each is looked for by `npm run sim -- --disks`; its text must occur once.
 */
import { type Mutant, mutantsOf } from "./mutant.ts";

const mutant = mutantsOf({ mode: "disks", below: "src/log" });

export const DISK_MUTANTS: readonly Mutant[] = [
  mutant(
    "a mark names what is written, not what is synced",
    [
      "disk/log-file-writer.ts",
      "return this.#durable.offset > this.#marked;",
      "return this.#written.offset > this.#marked;",
    ],
    [
      "disk/log-file-writer.ts",
      "const { offset, chain } = this.#durable;",
      "const { offset, chain } = this.#written;",
    ],
  ),
  mutant("a full log file is not synced before the next begins", [
    "disk/log-file-writer.ts",
    "    this.#cutFile();\n    this.#syncFile();\n    const full",
    "    this.#cutFile();\n    this.#durable = this.#written;\n    const full",
  ]),
  mutant("the folder is not synced when a log file has its name", [
    "disk/log-file-writer.ts",
    "        folder.sync();\n",
    "",
  ]),
  mutant("a log file has its name before its head is synced", [
    "disk/log-file-writer.ts",
    "      this.#orDead(() => {\n        file.sync();\n      });\n",
    "",
  ]),
  mutant("the manifest does not name a new log file", [
    "disk/disk-log.ts",
    "    this.#catalog.name(number);\n    this.#retain();\n",
    "    this.#retain();\n",
  ]),
  mutant(
    "after a sync that failed it goes on",
    [
      "disk/log-file-writer.ts",
      "    } catch (error) {\n      this.#isDead = true;\n",
      "    } catch (error) {\n",
    ],
    ["disk/disk-log.ts", 'isDead || error?.code === "ERR_DISK_SYNC"', "isDead"],
  ),
  mutant("durable is said before the sync is done", [
    "disk/log-file-writer.ts",
    "    const written = this.#written;\n",
    "    const written = this.#written;\n    this.#durable = written;\n",
  ]),
  mutant("what is torn is judged whole, and stays", [
    "disk/log-repair.ts",
    "    file.truncate(kept.endAt);\n",
    "",
  ]),
  mutant("the tail that came from the page cache is not written again", [
    "disk/log-repair.ts",
    "    copyRange(file, syncedAt, kept.endAt, file, syncedAt);\n",
    "",
  ]),
  mutant("the tail that was written again is not synced", [
    "disk/log-repair.ts",
    "    copyRange(file, syncedAt, kept.endAt, file, syncedAt);\n    file.sync();\n",
    "    copyRange(file, syncedAt, kept.endAt, file, syncedAt);\n",
  ]),
  mutant("marks behind the damage are not looked for", [
    "disk/log-file-scan.ts",
    '    this.#phase = "marks";\n    // Of a batch',
    '    this.#phase = "done";\n    // Of a batch',
  ]),
  mutant("damage below the proof passes for a torn tail", [
    "disk/verdict.ts",
    'kind: end < proven ? "incomplete" : ',
    "kind: ",
  ]),
  mutant("a log file that the manifest names is not missed", [
    "disk/verdict.ts",
    "if (claims.last > 0 && !isNewestThere) return Number.POSITIVE_INFINITY;",
    "if (claims.last > 0 && !isNewestThere) return start.offset;",
  ]),
  mutant("a log is cut below the proof, and nobody remembers", [
    "disk/log-repair.ts",
    'if (kind === "incomplete")',
    'if (kind !== "incomplete" && proven < 0)',
  ]),
  mutant("a new log file takes the place of one with batches", [
    "disk/log-recovery.ts",
    "(isEmpty ? 0 : 1)",
    "(isEmpty || verdict.last > 0 ? 0 : 1)",
  ]),
  mutant("a small file is not synced before it has its name", [
    "disk/small-files.ts",
    "    file.sync();\n",
    "",
  ]),
  mutant(
    "memory is used again before the thread has written it",
    ["disk/disk-store.ts", "segment.end <= written);", "segment.end <= this.#handedOver);"],
    ["backlog.ts", "Math.min(hold, this.store.written)", "hold"],
  ),
  mutant(
    "bytes behind a cut get into the file before",
    ["disk/log-task.ts", "sealed.next(limit)", "sealed.next(Number.POSITIVE_INFINITY)"],
    ["disk/log-task.ts", "this.written === limit", "this.written >= limit"],
  ),
  mutant("another history goes on under the old name", [
    "disk/log-task.ts",
    "else this.#writer.startHistory(name);",
    "else this.#writer.startFile();",
  ]),
  mutant("durable is what is written", [
    "disk/disk-log.ts",
    "const durable = this.#catalog.counts ? task.durable : 0;",
    "const durable = this.#catalog.counts ? written : 0;",
  ]),
  mutant("draft: one that is let go of stays in its file", [
    "disk/log-file-writer.ts",
    "      this.#cutFile();\n      this.#written = { offset: place.offset",
    "      this.#written = { offset: place.offset",
  ]),
  mutant("draft: the cut is not synced", [
    "disk/log-file-writer.ts",
    "    this.#syncFile();\n    return true;",
    "    this.#durable = this.#written;\n    return true;",
  ]),
  mutant("draft: what was written with it is cut off too", [
    "disk/log-file-writer.ts",
    "this.#at = last.at + place.offset - last.offset;",
    "this.#at = last.at;",
  ]),
  mutant("draft: it is forgotten in memory alone", [
    "backlog.ts",
    "if (wasOut) this.store.takeBack(",
    "if (wasOut && this.next < 0) this.store.takeBack(",
  ]),
  mutant("draft: offsets behind it are counted as before it", [
    "disk/disk-log.ts",
    "this.#life = this.#lifeOf(writer, { life, shift, position });\n    this.#publish();\n    const { generation }",
    "this.#life = this.#lifeOf(writer, { life, shift: 0, position });\n    this.#publish();\n    const { generation }",
  ]),
  mutant("draft: a mark is not due after the cut", [
    "disk/log-file-writer.ts",
    "      this.#marked = -1;\n",
    "",
  ]),
];
