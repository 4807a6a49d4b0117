import { type Form, printItem, printList, redact } from './output.js';

const printed = (print: (form: Form) => void, form: Partial<Form> & { isTTY?: boolean; columns?: number } = {}): string => {
  let text = '';
  const { isTTY = true, columns = 80, ...others } = form;
  print({ json: false, color: false, ...others, out: { isTTY, columns, write: (part) => (text += part) } });
  return text;
};

const ITEMS = [
  { id: 'bud_1', scope: { kind: 'tenant', value: null }, created_at: 1_796_025_097 },
  { id: 'bud_22', scope: { kind: 'end_user', value: '*' }, created_at: null },
];
const COLUMNS = ['id', 'scope.kind', 'scope.value', 'created_at'];

test('people get a table, with headings and times that they can read', () => {
  expect(printed((form) => printList(ITEMS, COLUMNS, form))).toBe(
    [
      'ID      SCOPE KIND  SCOPE VALUE  CREATED AT',
      'bud_1   tenant      -            2026-11-30T07:51:37Z',
      'bud_22  end_user    *            -',
      '',
    ].join('\n'),
  );
});

test('a line of a table ends where the terminal does', () => {
  const long = printed((form) => printList([{ id: 'x'.repeat(200) }], ['id'], form));
  expect(long.split('\n')[1]).toBe(`${'x'.repeat(79)}…`);
});

test('headings are bold only where colors are wanted', () => {
  expect(printed((form) => printList(ITEMS, ['id'], form), { color: true })).toContain('\u001b[1mID');
  expect(printed((form) => printList(ITEMS, ['id'], form))).not.toContain('\u001b');
});

test('a pipe gets values with tabs between them, and JSON a line for each item', () => {
  expect(printed((form) => printList(ITEMS, COLUMNS, form), { isTTY: false })).toBe(
    'bud_1\ttenant\t\t2026-11-30T07:51:37Z\nbud_22\tend_user\t*\t\n',
  );
  expect(printed((form) => printList(ITEMS, COLUMNS, form), { json: true })).toBe(
    ITEMS.map((item) => `${JSON.stringify(item)}\n`).join(''),
  );
  expect(printed((form) => printItem(ITEMS[0]!, form), { field: 'scope.kind' })).toBe('tenant\n');
});

test("a terminal does not obey other people's words", () => {
  const name = 'a\u001b[31mb\u0007\r\nc';
  expect(printed((form) => printList([{ name }], ['name'], form), { isTTY: false })).toBe('ab c\n');
});

test('keys are not repeated', () => {
  expect(redact('unknown command weir_adm_abcdef_Gh-1_99 or sk-1234567890')).toBe('unknown command weir_adm_… or sk-…');
});
