const settings = new WeakMap<object, string>();

/** Passes on what the work throws, and notes which variable of the configuration led to it. The innermost counts. */
export async function setBy<T>(variable: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (typeof error === 'object' && error !== null && !settings.has(error)) settings.set(error, variable);
    throw error;
  }
}

/** The variable that led to an error; null: nobody noted one. */
export const settingOf = (error: object): string | null => settings.get(error) ?? null;
