/**
 * The redis whose replies, error texts and fields the client port has; clients ask for it.
 *
 * Tested in: test/unit/resp/info.test.ts.
 */
export const REDIS_VERSION = "7.0.15";
