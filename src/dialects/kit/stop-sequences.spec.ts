import { StopSequences } from './stop-sequences.js';

/** The first end of any sequence, found slowly. */
function firstEnd(text: string, sequences: readonly string[]): { end: number; length: number } | null {
  for (let end = 1; end <= text.length; end++) {
    const ended = sequences.filter((sequence) => sequence !== '' && text.slice(0, end).endsWith(sequence));
    if (ended.length > 0) return { end, length: Math.max(...ended.map(({ length }) => length)) };
  }
  return null;
}

test('the first end of any sequence is found, wherever the text is cut', () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const letters = (length: number) => Array.from({ length }, () => 'abc'[random(3)]).join('');
  const wrong: unknown[] = [];
  for (let round = 0; round < 2_000; round++) {
    const list = Array.from({ length: 1 + random(4) }, () => letters(random(6)));
    const text = letters(12);
    const cut = random(13);
    const sequences = new StopSequences(list);
    const first = sequences.read(text.slice(0, cut), 0);
    const isFirst = sequences.ended[first.state]! > 0;
    const { state, end } = isFirst ? first : sequences.read(text.slice(cut), first.state);
    const found = sequences.ended[state]! > 0 ? { end: isFirst ? end : cut + end, length: sequences.ended[state] } : null;
    const right = firstEnd(text, list);
    if (JSON.stringify(found) !== JSON.stringify(right)) wrong.push({ list, text, cut, found, right });
  }
  expect(wrong).toEqual([]);
});
