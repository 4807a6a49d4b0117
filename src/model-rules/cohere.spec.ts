import { rulesOf } from './index.js';

test.each([
  'command',
  'command-r',
  'command-r-plus',
  'command-r-plus-08-2024',
  'command-r7b-12-2024',
  'command-a-03-2025',
  'c4ai-aya-expanse-8b',
])('%s plans, and does not think', (model) => expect(rulesOf(model).cohere.thinks).toBe(false));

test.each(['command-a-reasoning-08-2025', 'command-b-2027', 'command-a-plus-05-2026'])('%s thinks', (model) =>
  expect(rulesOf(model).cohere.thinks).toBe(true),
);
