/**
 * Where the serializer's worker is. Workers run compiled code: started from sources (tests, tsx) it
 * is the one in dist/, started from dist/ it is the neighbour.
 * Tested in: test/unit/store/pool.test.ts.
 */
export function workerUrl(): URL {
  const here = import.meta.url;
  const path = here.endsWith(".ts")
    ? "../../dist/store/serializer-worker.js"
    : "./serializer-worker.js";
  return new URL(path, here);
}
