/** How many schedules of each kind the tests run, from seed 1: those are the seeds that a deliberate bug has to be caught in. */
export const TESTED_SEEDS = {
  clusters: 220,
  "log-stores": 15,
  "on-disk": 12,
  public: 24,
  disks: 150,
  reclaims: 100,
  failovers: 110,
  sync: 60,
} as const;

/** What is simulated: an option of `npm run sim`, none for clusters. */
export type Mode = keyof typeof TESTED_SEEDS;
