/**
 * One section of INFO: names and values in order.
 *
 * Owns: the type. Does not own: any field.
 */
export type Fields = readonly (readonly [name: string, value: string | number])[];
