const MOST = 1_000;

/** What a pure function of a model's id says, remembered: the same few models are asked for all the time, and reading an id takes a while. */
export function memoize<Result>(find: (model: string) => Result): (model: string) => Result {
  const known = new Map<string, Result>();
  return (model) => {
    let result = known.get(model);
    if (result === undefined) {
      result = find(model);
      // Clients choose the ids.
      if (known.size >= MOST) known.clear();
      known.set(model, result);
    }
    return result;
  };
}
