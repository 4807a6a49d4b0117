/** When these facts were looked up. */
export const COHERE_FACTS_DATE = '2026-11-01';

/** Models that do not think: they tell what they plan to do with tools instead. A model that is not known is taken for the newest, which thinks. */
const PLANNING = [
  /^command$/,
  /^command-(?:light|nightly|r|r-plus|r7b)(?:-|$)/,
  /^command-r-plus/,
  /^command-a-\d/,
  /^command-a-(?:vision|translate)(?:-|$)/,
  /^c4ai-/,
];

/** Whether a model writes down its thoughts, and takes them back. */
export function cohereThinks(model: string): boolean {
  const id = model.toLowerCase().split('/').at(-1)!;
  return !PLANNING.some((planning) => planning.test(id));
}
