/**
 * Hands over what each of these owners (null: everybody) has now, owner by owner; for one that has nothing any more, an empty list.
 * @param known owners that had something before.
 */
export async function replaceOwned<Item>(
  owners: readonly string[] | null,
  known: Iterable<string>,
  current: AsyncIterable<[owner: string, items: Item[]]>,
  replace: (owner: string, items: Item[]) => void,
): Promise<void> {
  const gone = new Set(owners ?? known);
  for await (const [owner, items] of current) {
    gone.delete(owner);
    replace(owner, items);
  }
  for (const owner of gone) replace(owner, []);
}

/** Values by key, of many owners, that are replaced owner by owner: what that costs depends on the owner's values only. */
export class OwnedMap<Value> {
  private readonly values = new Map<string, Value>();
  private readonly keysByOwner = new Map<string, string[]>();

  /** @param keyOf unique among all owners. */
  constructor(private readonly keyOf: (value: Value) => string) {}

  get size(): number {
    return this.values.size;
  }

  get(key: string): Value | undefined {
    return this.values.get(key);
  }

  /** See {@link replaceOwned}. */
  refill(owners: readonly string[] | null, current: AsyncIterable<[owner: string, values: Value[]]>): Promise<void> {
    return replaceOwned(owners, this.keysByOwner.keys(), current, (owner, values) => this.replace(owner, values));
  }

  replace(owner: string, values: readonly Value[]): void {
    for (const key of this.keysByOwner.get(owner) ?? []) this.values.delete(key);
    for (const value of values) this.values.set(this.keyOf(value), value);
    if (values.length === 0) this.keysByOwner.delete(owner);
    else this.keysByOwner.set(owner, values.map(this.keyOf));
  }

  /** Puts one value among its owner's. */
  put(owner: string, value: Value): void {
    const key = this.keyOf(value);
    if (!this.values.has(key)) this.keysByOwner.set(owner, [...(this.keysByOwner.get(owner) ?? []), key]);
    this.values.set(key, value);
  }
}
