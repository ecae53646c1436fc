/**
 * Our version.
 *
 * Why written here as well as in package.json: in a bundle there is no package.json to be read.
 * Tested in: test/unit/package.test.ts.
 */
export const VERSION = "0.1.0";
