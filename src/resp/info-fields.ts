/**
 * One section of INFO: names and values in order.
 *
 * Owns: the type. Does not own: any field.
 * Tested in: test/unit/resp/info.test.ts.
 */
export type InfoFields = readonly (readonly [name: string, value: string | number])[];
