/**
 * Does a process use more and more? Its first third of calm samples after warm-up is compared with
 * its last third; a process with fewer than six of them says nothing.
 *
 * Memory is resident memory without the state: the state is as large as what was written. A
 * serializer's thread and a promotion leave something behind once. A full sync needs the state twice,
 * and the allocator keeps that room for the next one: 25 syncs in a row were measured to stay at what
 * the third had left. So steps are allowed, and a slope is not: what is allowed does not grow with
 * the length of the soak.
 *
 * Owns: that comparison. Does not own: sampling (samples.ts).
 */
import type { Life } from "./member.ts";
import type { Sample } from "./samples.ts";
import { megabytes, table } from "./tables.ts";
import type { Verdicts } from "./verdicts.ts";

const WARM_UP_SAMPLES = 2;
const JUDGED_SAMPLES_MIN = 6;
const GROWTH_BYTES_MAX = 32 * 1_048_576;
const THREAD_BYTES = 12 * 1_048_576;
/** Files and pipes of the serializer threads, listening sockets. */
const OTHER_HANDLES_MAX = 8;
/** libuv's four, V8's, the serializers'. */
const THREADS_MAX = 24;

interface Thirds {
  readonly name: string;
  readonly samples: number;
  readonly first: number;
  readonly last: number;
  readonly threadsMore: number;
  /** The state once more, if there was a full sync in between. */
  readonly syncBytes: number;
  readonly handlesFirst: number;
  readonly handlesLast: number;
}

export function judgeFlatness(samples: readonly Sample[], verdicts: Verdicts): string {
  const rows: string[][] = [];
  for (const life of new Set(samples.map((one) => one.life))) {
    const thirds = thirdsOf(life, samples);
    if (thirds === null) continue;
    const allowed =
      GROWTH_BYTES_MAX + Math.max(0, thirds.threadsMore) * THREAD_BYTES + thirds.syncBytes;
    const grown = thirds.last - thirds.first;
    verdicts.check(
      "memory beside the state is flat",
      grown <= allowed,
      () => `${thirds.name} grew by ${megabytes(grown)} MB in ${thirds.samples} samples`,
    );
    verdicts.check(
      "handles beside connections are flat",
      thirds.handlesLast <= thirds.handlesFirst + OTHER_HANDLES_MAX,
      () => `${thirds.name} went from ${thirds.handlesFirst} to ${thirds.handlesLast}`,
    );
    rows.push([
      thirds.name,
      String(thirds.samples),
      megabytes(thirds.first),
      megabytes(thirds.last),
      String(thirds.handlesFirst),
      String(thirds.handlesLast),
    ]);
  }
  for (const one of samples)
    verdicts.check(
      "threads are bounded",
      one.threads <= THREADS_MAX,
      () => `${one.name} has ${one.threads} threads`,
    );
  const head = [
    ...["process", "samples", "beside state MB, first third", "last third"],
    ...["other handles, first third", "last third"],
  ];
  return rows.length === 0 ? "no process lived long enough to be compared" : table(head, rows);
}

function thirdsOf(life: Life, samples: readonly Sample[]): Thirds | null {
  const own = samples.filter((one) => one.life === life).slice(WARM_UP_SAMPLES);
  if (own.length < JUDGED_SAMPLES_MIN) return null;
  const count = Math.floor(own.length / 3);
  const [early, late] = [own.slice(0, count), own.slice(-count)];
  const beside = (one: Sample): number => one.residentBytes - one.usedBytes;
  const hasSynced = own.at(-1)!.restored > early[0]!.restored;
  const other = (one: Sample): number => one.handles - one.connections;
  return {
    name: life.daemon.name,
    samples: own.length,
    first: median(early.map(beside)),
    last: median(late.map(beside)),
    threadsMore: median(late.map((one) => one.threads)) - median(early.map((one) => one.threads)),
    syncBytes: hasSynced ? median(late.map((one) => one.usedBytes)) : 0,
    handlesFirst: median(early.map(other)),
    handlesLast: median(late.map(other)),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
