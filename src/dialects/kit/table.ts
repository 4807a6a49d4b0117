/** A table to look outside words up in: no word finds what every object has, such as `constructor`. */
export const table = <Value>(entries: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> =>
  Object.assign(Object.create(null), entries);
