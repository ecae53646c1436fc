/**
 * Deliberate bugs in what clusters on disks rely on: generations, manifests, consent that outlives a process,
 * what a client is told on a full disk, completeness below a replica. Each is looked for by
 * `npm run sim -- --on-disk`; its text must occur once.
 */
import { type Mutant, mutantsOf } from "./mutant.ts";

const mutant = mutantsOf({ mode: "on-disk", prefix: "disks: " });

export const CLUSTER_DISK_MUTANTS: readonly Mutant[] = [
  mutant("what is written of a generation that does not count is durable", [
    "log/disk/disk-log.ts",
    "const durable = this.#catalog.counts ? task.durable : 0;",
    "const { durable } = task;",
  ]),
  mutant("the old generation goes when the new one begins", [
    "log/disk/catalog.ts",
    "    else this.#removeGeneration(generation);",
    "    this.#removeGeneration(generation);",
  ]),
  mutant("the manifest names a checkpoint before the folder does", [
    "log/disk/catalog.ts",
    "    this.#folder.rename(name + UNFINISHED, name);\n    this.#folder.sync();",
    "    this.#folder.rename(name + UNFINISHED, name);",
  ]),
  mutant("a manifest without the newest log file", [
    "log/disk/catalog.ts",
    "      lastLog: Math.max(lastLog, entry.log),\n      checkpoints",
    "      lastLog: entry.log - 1,\n      checkpoints",
  ]),
  mutant("log files go up to the end, whoever needs them", [
    "log/disk/file-retention.ts",
    "Math.min(forRecovery, fileOf(files, wanted))",
    "fileOf(files, end)",
  ]),
  mutant("on a full disk what was executed is answered as durable", [
    "node/turn.ts",
    "if (nowMs >= this.#giveUpMs) this.#replies.giveUp();",
    "if (nowMs >= this.#giveUpMs) this.#replies.releaseTo(Number.POSITIVE_INFINITY);",
  ]),
  mutant("consent is used up before a start would find the new state", [
    "node/kept-consent.ts",
    "() => this.#kept !== kept || backlog.durable > 0,",
    "() => true,",
  ]),
  mutant("a replica is complete by what another replica names", [
    "node/completeness.ts",
    "this.#end = byRoot ? offset : NOBODY;",
    "this.#end = offset;",
  ]),
  mutant("a leader that asks takes what is no log of its own", [
    "node/views.ts",
    "return isReclaiming(this.owner.roles.now);",
    "return isReclaiming(this.owner.roles.now) && false;",
  ]),
];
