/**
 * The code of all worker threads (worker.ts and what it imports) as one text, for bundles, which have no
 * file of it. The build writes it into dist (scripts/build.mjs); here it is empty.
 * Tested in: test/e2e/bundles.test.ts.
 */
export const WORKER_SOURCE: string = "";
