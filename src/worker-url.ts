/**
 * Where the code of a worker thread is. Workers run compiled code: started from sources (tests, tsx) it
 * is the one in dist/, started from dist/ it is the neighbour.
 * Tested in: test/unit/store/pool.test.ts.
 */

/** `name` ("log-worker") lies beside the file that starts it, whose import.meta.url is `owner`. */
export function workerUrl(name: string, owner: string): URL {
  const { href } = new URL(`./${name}.js`, owner);
  if (!owner.endsWith(".ts")) return new URL(href);
  const at = href.lastIndexOf("/src/");
  return new URL(`${href.slice(0, at)}/dist/${href.slice(at + "/src/".length)}`);
}
