/** The redis whose replies, error texts and fields the client port has; clients ask for it. */
export const REDIS_VERSION = "7.0.15";
