/**
 * A test's run of all its seeds: each makes a schedule, which is told by its seed and the command that
 * replays it when it fails.
 */
interface Schedule {
  run(): unknown;
  /** What it went through, and how often. */
  readonly marks: ReadonlyMap<string, number>;
}

/**
 * @param flag of `npm run sim`, which runs the same kind
 * @returns how often each mark was seen
 */
export async function eachSeed(
  seeds: number,
  flag: string,
  make: (seed: number) => Schedule,
): Promise<ReadonlyMap<string, number>> {
  const seen = new Map<string, number>();
  for (let seed = 1; seed <= seeds; seed++) {
    const schedule = make(seed);
    try {
      await schedule.run();
    } catch (error) {
      const replay = `npm run sim -- --seeds 1 --first ${seed} ${flag} --trace`;
      throw new Error(`seed ${seed}; replay: ${replay}`, { cause: error });
    }
    for (const [mark, times] of schedule.marks) seen.set(mark, (seen.get(mark) ?? 0) + times);
  }
  return seen;
}
